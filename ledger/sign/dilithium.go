package sign

import (
	"bytes"
	"fmt"

	"github.com/cloudflare/circl/sign/dilithium/mode3"
)

// Dilithium3Name is the algorithm name of round-3 CRYSTALS-Dilithium, mode 3. It is not ML-DSA-65: the keys of both have
// 1,952 bytes and mean different things.
const Dilithium3Name = "CRYSTALS-Dilithium3-round3"

// Sizes of round-3 Dilithium, mode 3.
const (
	Dilithium3PublicKeySize = mode3.PublicKeySize // 1,952 bytes
	Dilithium3SignatureSize = mode3.SignatureSize // 3,293 bytes
)

// Dilithium3PublicKey verifies signatures of round-3 Dilithium, for chains that were signed before FIPS 204. There is no
// way to sign with it. It is immutable and safe for concurrent use.
type Dilithium3PublicKey struct {
	raw [Dilithium3PublicKeySize]byte
	key mode3.PublicKey
	id  KeyID
}

// ParseDilithium3PublicKey parses the 1,952 bytes of a public key. Every string of that length is one.
func ParseDilithium3PublicKey(raw []byte) (*Dilithium3PublicKey, error) {
	if len(raw) != Dilithium3PublicKeySize {
		return nil, fmt.Errorf("%w: %d bytes of public key, want %d", ErrInvalidKey, len(raw), Dilithium3PublicKeySize)
	}
	p := &Dilithium3PublicKey{id: keyID(Dilithium3Name, raw)}
	copy(p.raw[:], raw)
	p.key.Unpack(&p.raw)
	return p, nil
}

// Bytes returns a copy of the 1,952 bytes.
func (p *Dilithium3PublicKey) Bytes() []byte { return bytes.Clone(p.raw[:]) }

// ID returns the key's id.
func (p *Dilithium3PublicKey) ID() KeyID { return p.id }

// Equal reports whether both are the same key.
func (p *Dilithium3PublicKey) Equal(o *Dilithium3PublicKey) bool { return o != nil && p.raw == o.raw }

// String names the key by its id.
func (p *Dilithium3PublicKey) String() string { return "dilithium3 public key " + p.id.String() }

// Verify returns nil if sig is the signature of msg by this key: exactly 3,293 bytes, in canonical form. The algorithm
// knows no context. Otherwise the error wraps ErrInvalidSignature.
func (p *Dilithium3PublicKey) Verify(msg, sig []byte) error {
	if len(sig) != Dilithium3SignatureSize {
		return fmt.Errorf("%w: %d bytes, want %d", ErrInvalidSignature, len(sig), Dilithium3SignatureSize)
	}
	if !mode3.Verify(&p.key, msg, sig) {
		return ErrInvalidSignature
	}
	return nil
}
