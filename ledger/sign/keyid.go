package sign

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// KeyID names a public key: the first 8 bytes of SHA-256(algorithm name ‖ 0x00 ‖ public key). The algorithm names are
// [CompositeName] and [Ed25519Name]. Its text form is 16 lower-case hexadecimal digits.
type KeyID [8]byte

func keyID(algorithm string, public []byte) KeyID {
	h := sha256.New()
	h.Write([]byte(algorithm))
	h.Write([]byte{0})
	h.Write(public)
	return KeyID(h.Sum(nil)[:8])
}

// ParseKeyID parses the text form. It accepts lower-case digits only.
func ParseKeyID(s string) (KeyID, error) {
	var id KeyID
	if n, err := hex.Decode(id[:], []byte(s[:min(len(s), 16)])); err != nil || n != len(id) || id.String() != s {
		return KeyID{}, fmt.Errorf("%w: key id is not 16 lower-case hexadecimal digits", ErrInvalidKey)
	}
	return id, nil
}

// String returns the text form.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the text form.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText parses the text form.
func (id *KeyID) UnmarshalText(text []byte) error {
	parsed, err := ParseKeyID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}
