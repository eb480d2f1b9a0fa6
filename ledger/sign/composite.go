package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
)

// Contexts keep signatures of one purpose from being used for another. Every purpose also has a key of its own.
const (
	ContextCheckpoint   = "tomkit/ledger/checkpoint/v1" // signed notes over a log's size and root
	ContextEntry        = "tomkit/ledger/entry/v1"      // canonical bytes of a critical entry
	ContextAgentPayload = "tomkit/agent/payload/v1"     // commands handed to endpoints
)

// Names and sizes of the composite algorithm (draft-ietf-lamps-pq-composite-sigs-19).
const (
	CompositeName          = "id-MLDSA65-Ed25519-SHA512"
	CompositeOID           = "1.3.6.1.5.5.7.6.48"
	CompositeSeedSize      = mldsa65.SeedSize + ed25519.SeedSize           // 64 bytes
	CompositePublicKeySize = mldsa65.PublicKeySize + ed25519.PublicKeySize // 1,984 bytes
	CompositeSignatureSize = mldsa65.SignatureSize + ed25519.SignatureSize // 3,373 bytes
	MaxContext             = 255                                           // bytes in a context
)

const (
	compositePrefix = "CompositeAlgorithmSignatures2025"
	compositeLabel  = "COMPSIG-MLDSA65-Ed25519-SHA512"
)

var (
	// ErrInvalidSignature reports a signature that is malformed or does not verify, in whole or in half. Which half
	// failed is not told: a composite signature is valid or it is not.
	ErrInvalidSignature = errors.New("sign: invalid signature")
	// ErrInvalidKey reports key bytes of a wrong length or of a kind that must not be used.
	ErrInvalidKey = errors.New("sign: invalid key")
	// ErrInvalidContext reports a context of more than MaxContext bytes.
	ErrInvalidContext = errors.New("sign: context longer than 255 bytes")
)

// CompositeKey is a composite ML-DSA-65 + Ed25519 signing key. It is immutable and safe for concurrent use. Printing
// it shows its key id only.
type CompositeKey struct {
	secret func() *compositeSecret // a closure, because fmt reaches through pointers but not into functions
	pub    *CompositePublicKey
}

type compositeSecret struct {
	seed [CompositeSeedSize]byte
	ml   *mldsa65.PrivateKey
	ed   ed25519.PrivateKey
}

// NewCompositeKey makes a key from 64 bytes of random, which is crypto/rand.Reader outside tests.
func NewCompositeKey(random io.Reader) (*CompositeKey, error) {
	var seed [CompositeSeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("sign: new key: %w", err)
	}
	return ParseCompositeKey(seed[:])
}

// ParseCompositeKey rebuilds a key from the seed that [CompositeKey.Seed] returned: the 32-byte ML-DSA seed followed by
// the 32-byte Ed25519 seed. It keeps no reference to seed.
func ParseCompositeKey(seed []byte) (*CompositeKey, error) {
	if len(seed) != CompositeSeedSize {
		return nil, fmt.Errorf("%w: %d bytes of seed, want %d", ErrInvalidKey, len(seed), CompositeSeedSize)
	}
	s := &compositeSecret{seed: [CompositeSeedSize]byte(seed)}
	mlPub, ml := mldsa65.NewKeyFromSeed((*[mldsa65.SeedSize]byte)(s.seed[:]))
	s.ml, s.ed = ml, ed25519.NewKeyFromSeed(s.seed[mldsa65.SeedSize:])
	pub, err := ParseCompositePublicKey(append(mlPub.Bytes(), s.ed[ed25519.SeedSize:]...))
	if err != nil {
		return nil, err
	}
	return &CompositeKey{secret: func() *compositeSecret { return s }, pub: pub}, nil
}

// Public returns the public half.
func (k *CompositeKey) Public() *CompositePublicKey { return k.pub }

// Seed returns a copy of the 64 secret bytes the key is made of. Seal them before they leave memory.
func (k *CompositeKey) Seed() []byte { return bytes.Clone(k.secret().seed[:]) }

// Sign signs msg under ctx, one of the Context constants. The ML-DSA half is hedged (FIPS 204 §3.4), so two signatures
// of one message differ: never use signature bytes as an identity.
func (k *CompositeKey) Sign(ctx string, msg []byte) ([]byte, error) {
	m, err := representative(ctx, msg)
	if err != nil {
		return nil, err
	}
	s := k.secret()
	sig := make([]byte, mldsa65.SignatureSize, CompositeSignatureSize)
	// SignTo with randomized set is circl's only hedged entry point; its crypto.Signer is deterministic.
	if err := mldsa65.SignTo(s.ml, m, []byte(compositeLabel), true, sig); err != nil {
		return nil, fmt.Errorf("sign: ml-dsa: %w", err)
	}
	return append(sig, ed25519.Sign(s.ed, m)...), nil
}

// CompositePublicKey verifies composite signatures. It is immutable and safe for concurrent use.
type CompositePublicKey struct {
	raw [CompositePublicKeySize]byte
	ml  mldsa65.PublicKey
	id  KeyID
}

// ParseCompositePublicKey parses the ML-DSA-65 public key followed by the Ed25519 public key. It refuses wrong lengths
// and Ed25519 points of small order, under which one signature would fit many messages.
func ParseCompositePublicKey(raw []byte) (*CompositePublicKey, error) {
	if len(raw) != CompositePublicKeySize {
		return nil, fmt.Errorf("%w: %d bytes of public key, want %d", ErrInvalidKey, len(raw), CompositePublicKeySize)
	}
	if smallOrder(raw[mldsa65.PublicKeySize:]) {
		return nil, fmt.Errorf("%w: ed25519 point of small order", ErrInvalidKey)
	}
	p := &CompositePublicKey{id: keyID(CompositeName, raw)}
	copy(p.raw[:], raw)
	if err := p.ml.UnmarshalBinary(raw[:mldsa65.PublicKeySize]); err != nil {
		return nil, fmt.Errorf("%w: ml-dsa", ErrInvalidKey)
	}
	return p, nil
}

// Bytes returns a copy of the 1,984 bytes ParseCompositePublicKey accepts.
func (p *CompositePublicKey) Bytes() []byte { return bytes.Clone(p.raw[:]) }

// ID returns the key's id.
func (p *CompositePublicKey) ID() KeyID { return p.id }

// Equal reports whether both are the same key.
func (p *CompositePublicKey) Equal(o *CompositePublicKey) bool { return o != nil && p.raw == o.raw }

// Verify returns nil if sig is a signature of msg under ctx by this key: exact length, both halves valid. Otherwise the
// error wraps ErrInvalidSignature, or ErrInvalidContext for a context over 255 bytes.
func (p *CompositePublicKey) Verify(ctx string, msg, sig []byte) error {
	m, err := representative(ctx, msg)
	if err != nil {
		return err
	}
	if len(sig) != CompositeSignatureSize {
		return fmt.Errorf("%w: %d bytes, want %d", ErrInvalidSignature, len(sig), CompositeSignatureSize)
	}
	ml := mldsa65.Verify(&p.ml, m, []byte(compositeLabel), sig[:mldsa65.SignatureSize])
	// crypto/ed25519 refuses a non-canonical S (RFC 8032 §5.1.7), which makes this half non-malleable.
	ed := ed25519.Verify(p.raw[mldsa65.PublicKeySize:], m, sig[mldsa65.SignatureSize:])
	if !ml || !ed {
		return ErrInvalidSignature
	}
	return nil
}

// representative builds M' of the draft: Prefix ‖ Label ‖ len(ctx) ‖ ctx ‖ SHA-512(msg).
func representative(ctx string, msg []byte) ([]byte, error) {
	if len(ctx) > MaxContext {
		return nil, ErrInvalidContext
	}
	sum := sha512.Sum512(msg)
	m := make([]byte, 0, len(compositePrefix)+len(compositeLabel)+1+len(ctx)+len(sum))
	m = append(m, compositePrefix...)
	m = append(m, compositeLabel...)
	m = append(m, byte(len(ctx)))
	m = append(m, ctx...)
	return append(m, sum[:]...), nil
}
