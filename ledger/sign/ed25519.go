package sign

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io"
)

// Ed25519Name is the algorithm name of plain Ed25519 keys (RFC 8032).
const Ed25519Name = "Ed25519"

// Sizes of Ed25519 keys.
const (
	Ed25519SeedSize      = ed25519.SeedSize      // 32 bytes
	Ed25519PublicKeySize = ed25519.PublicKeySize // 32 bytes
)

// Ed25519Key is a plain Ed25519 signing key for the checkpoint line that stock tools and witnesses read. It is never
// the Ed25519 half of a composite key. It is immutable and safe for concurrent use; printing it shows its id only.
type Ed25519Key struct {
	secret func() ed25519.PrivateKey // a closure, because fmt reaches through pointers but not into functions
	pub    *Ed25519PublicKey
}

// NewEd25519Key makes a key from 32 bytes of random, which is crypto/rand.Reader outside tests.
func NewEd25519Key(random io.Reader) (*Ed25519Key, error) {
	var seed [Ed25519SeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("sign: new key: %w", err)
	}
	return ParseEd25519Key(seed[:])
}

// ParseEd25519Key rebuilds a key from its 32-byte seed. It keeps no reference to seed.
func ParseEd25519Key(seed []byte) (*Ed25519Key, error) {
	if len(seed) != Ed25519SeedSize {
		return nil, fmt.Errorf("%w: %d bytes of seed, want %d", ErrInvalidKey, len(seed), Ed25519SeedSize)
	}
	key := ed25519.NewKeyFromSeed(seed)
	pub, err := ParseEd25519PublicKey(key[ed25519.SeedSize:])
	if err != nil {
		return nil, err
	}
	return &Ed25519Key{secret: func() ed25519.PrivateKey { return key }, pub: pub}, nil
}

// Public returns the public half.
func (k *Ed25519Key) Public() *Ed25519PublicKey { return k.pub }

// Seed returns a copy of the 32 secret bytes the key is made of. Seal them before they leave memory.
func (k *Ed25519Key) Seed() []byte { return k.secret().Seed() }

// Ed25519PublicKey verifies plain Ed25519 signatures. It is immutable and safe for concurrent use.
type Ed25519PublicKey struct {
	raw [Ed25519PublicKeySize]byte
	id  KeyID
}

// ParseEd25519PublicKey parses the 32 bytes of RFC 8032. It refuses points of small order.
func ParseEd25519PublicKey(raw []byte) (*Ed25519PublicKey, error) {
	if len(raw) != Ed25519PublicKeySize {
		return nil, fmt.Errorf("%w: %d bytes of public key, want %d", ErrInvalidKey, len(raw), Ed25519PublicKeySize)
	}
	if smallOrder(raw) {
		return nil, fmt.Errorf("%w: ed25519 point of small order", ErrInvalidKey)
	}
	p := &Ed25519PublicKey{id: keyID(Ed25519Name, raw)}
	copy(p.raw[:], raw)
	return p, nil
}

// Bytes returns a copy of the 32 bytes ParseEd25519PublicKey accepts.
func (p *Ed25519PublicKey) Bytes() []byte { return bytes.Clone(p.raw[:]) }

// ID returns the key's id.
func (p *Ed25519PublicKey) ID() KeyID { return p.id }

// Equal reports whether both are the same key.
func (p *Ed25519PublicKey) Equal(o *Ed25519PublicKey) bool { return o != nil && p.raw == o.raw }

// smallOrderY lists the encodings of the y coordinates of the eight points of order 1, 2, 4 and 8, reduced or not,
// with the sign bit cleared: y = 0, 1, −1, the two of order 8, and p, p+1 for 0 and 1.
var smallOrderY = [...][32]byte{
	{},
	{1},
	{
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
	{
		0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{
		0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
}

func smallOrder(point []byte) bool {
	y := [32]byte(point)
	y[31] &= 0x7f
	for _, bad := range smallOrderY {
		if y == bad {
			return true
		}
	}
	return false
}
