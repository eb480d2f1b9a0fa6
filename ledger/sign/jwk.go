package sign

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// publicJSON is a public key as keys.json holds it, without the positions it is valid at.
type publicJSON struct {
	ID        KeyID  `json:"id"`
	Algorithm string `json:"algorithm"`
	Public    []byte `json:"public"`
}

// MarshalJSON returns {"id":…,"algorithm":…,"public":<base64>}.
func (p *CompositePublicKey) MarshalJSON() ([]byte, error) {
	return json.Marshal(publicJSON{p.id, CompositeName, p.raw[:]})
}

// MarshalJSON returns {"id":…,"algorithm":…,"public":<base64>}.
func (p *Ed25519PublicKey) MarshalJSON() ([]byte, error) {
	return json.Marshal(publicJSON{p.id, Ed25519Name, p.raw[:]})
}

// ParseCompositePublicKeyJSON parses exactly what [CompositePublicKey.MarshalJSON] writes, a final newline apart.
func ParseCompositePublicKeyJSON(text []byte) (*CompositePublicKey, error) {
	return parseJSON(text, CompositeName, ParseCompositePublicKey)
}

// ParseEd25519PublicKeyJSON parses exactly what [Ed25519PublicKey.MarshalJSON] writes, a final newline apart.
func ParseEd25519PublicKeyJSON(text []byte) (*Ed25519PublicKey, error) {
	return parseJSON(text, Ed25519Name, ParseEd25519PublicKey)
}

// parseJSON lets the key write itself again and compares: what is not canonical, repeated, unknown or left over differs.
func parseJSON[K json.Marshaler](text []byte, algorithm string, parse func([]byte) (K, error)) (key K, err error) {
	var f publicJSON
	if err := json.Unmarshal(text, &f); err != nil {
		return key, fmt.Errorf("%w: not a public key in JSON", ErrInvalidKey)
	}
	if f.Algorithm != algorithm {
		return key, fmt.Errorf("%w: public key of another algorithm", ErrInvalidKey)
	}
	k, err := parse(f.Public)
	if err != nil {
		return key, err
	}
	again, err := k.MarshalJSON()
	if err != nil || !bytes.Equal(bytes.TrimSuffix(text, []byte("\n")), again) {
		return key, fmt.Errorf("%w: public key not in its canonical JSON, or under the id of another", ErrInvalidKey)
	}
	return k, nil
}
