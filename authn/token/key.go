package token

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"
)

const (
	// SeedSize is the length in bytes of a private key's seed (RFC 8032).
	SeedSize  = ed25519.SeedSize
	kidBytes  = 12 // of the thumbprint: 96 bit
	algorithm = "EdDSA"
	tokenType = "at+jwt"
)

var (
	// ErrSeed says that a seed is not 32 bytes long, or all zero.
	ErrSeed = errors.New("token: key: unusable seed")
	// ErrPublicKey says that a public key is not 32 bytes long, not canonical, or of small order, where anybody could
	// make signatures that verify.
	ErrPublicKey = errors.New("token: key: unusable public key")

	strict = base64.RawURLEncoding.Strict()
)

// Key is a signing key. It is immutable and safe for concurrent use; printing it shows only its id.
type Key struct {
	public PublicKey
	// A function value is opaque to reflection, so no printer that walks unexported fields can reach the private key.
	sign func(message []byte) []byte
}

// NewKey returns the key of a 32-byte seed. The seed is copied; the caller may wipe its own.
func NewKey(seed []byte) (*Key, error) {
	if len(seed) != SeedSize || subtle.ConstantTimeCompare(seed, make([]byte, SeedSize)) == 1 {
		return nil, ErrSeed
	}
	private := ed25519.NewKeyFromSeed(seed)
	public, err := NewPublicKey(private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &Key{public: public, sign: func(m []byte) []byte { return ed25519.Sign(private, m) }}, nil
}

// Public returns the verifying half.
func (k *Key) Public() PublicKey { return k.public }

// ID returns the key id that tokens name in kid.
func (k *Key) ID() string { return k.public.id }

// String returns the key id.
func (k *Key) String() string { return "token.Key(" + k.public.id + ")" }

// PublicKey is a verifying key with its id and precomputed header. The zero value is no key.
type PublicKey struct {
	id     string
	key    ed25519.PublicKey
	header string // base64url of the header, followed by the dot
}

// NewPublicKey returns the verifying key with the given 32 bytes. It refuses non-canonical encodings and points of small
// order with ErrPublicKey.
func NewPublicKey(raw []byte) (PublicKey, error) {
	if len(raw) != ed25519.PublicKeySize || weak(raw) {
		return PublicKey{}, ErrPublicKey
	}
	key := slices.Clone(raw)
	// RFC 7638: the required members in lexicographic order, without white space.
	thumbprint := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + strict.EncodeToString(key) + `"}`))
	id := strict.EncodeToString(thumbprint[:kidBytes])
	header := `{"alg":"` + algorithm + `","kid":"` + id + `","typ":"` + tokenType + `"}`
	return PublicKey{id: id, key: key, header: strict.EncodeToString([]byte(header)) + "."}, nil
}

// ID returns the key id that tokens name in kid.
func (p PublicKey) ID() string { return p.id }

// Bytes returns a copy of the 32 bytes of the key.
func (p PublicKey) Bytes() []byte { return slices.Clone(p.key) }

// weak reports whether raw is a non-canonical encoding or a point whose order divides the cofactor. The birational map
// takes small subgroups to small subgroups, and X25519 reports those, so no table of points is needed.
func weak(raw []byte) bool {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	le := slices.Clone(raw)
	le[31] &= 0x7f // the sign of x
	slices.Reverse(le)
	y := new(big.Int).SetBytes(le)
	if y.Cmp(p) >= 0 {
		return true
	}
	one := big.NewInt(1)
	denominator := new(big.Int).Sub(one, y)
	if denominator.Mod(denominator, p).Sign() == 0 {
		return true // y = 1: the neutral element
	}
	u := new(big.Int).Add(one, y) // u = (1+y)/(1−y), RFC 7748 section 4.1
	u.Mul(u, denominator.ModInverse(denominator, p)).Mod(u, p)
	montgomery := u.FillBytes(make([]byte, 32))
	slices.Reverse(montgomery)
	scalar, err := ecdh.X25519().NewPrivateKey(slices.Repeat([]byte{0x55}, 32))
	if err != nil {
		return true
	}
	point, err := ecdh.X25519().NewPublicKey(montgomery)
	if err != nil {
		return true
	}
	_, err = scalar.ECDH(point) // fails exactly if the result is the neutral element
	return err != nil
}

// JWKS returns the keys as a JSON Web Key Set (RFC 7517, RFC 8037) for other verifiers, in the order given.
func JWKS(keys ...PublicKey) []byte {
	out := []byte(`{"keys":[`)
	for i, k := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"kty":"OKP","crv":"Ed25519","x":"`+strict.EncodeToString(k.key)+
			`","kid":"`+k.id+`","alg":"`+algorithm+`","use":"sig"}`...)
	}
	return append(out, `]}`...)
}
