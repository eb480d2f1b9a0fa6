package sign

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
)

const pemType = "PUBLIC KEY"

var (
	compositeOID = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 6, 48}
	ed25519OID   = asn1.ObjectIdentifier{1, 3, 101, 112} // RFC 8410
)

// spki is the SubjectPublicKeyInfo of RFC 5280 §4.1 with absent parameters, as both algorithms want it.
type spki struct {
	Algorithm struct{ OID asn1.ObjectIdentifier }
	Key       asn1.BitString
}

// PEM returns the key as a PEM block with a SubjectPublicKeyInfo under the composite OID.
func (p *CompositePublicKey) PEM() []byte { return encodePEM(compositeOID, p.raw[:]) }

// PEM returns the key as a PEM block with a SubjectPublicKeyInfo (RFC 8410).
func (p *Ed25519PublicKey) PEM() []byte { return encodePEM(ed25519OID, p.raw[:]) }

// ParseCompositePublicKeyPEM parses what [CompositePublicKey.PEM] writes, one block and nothing else, in canonical form.
func ParseCompositePublicKeyPEM(text []byte) (*CompositePublicKey, error) {
	raw, err := decodePEM(compositeOID, text)
	if err != nil {
		return nil, err
	}
	return ParseCompositePublicKey(raw)
}

// ParseEd25519PublicKeyPEM parses what [Ed25519PublicKey.PEM] writes, one block and nothing else, in canonical form.
func ParseEd25519PublicKeyPEM(text []byte) (*Ed25519PublicKey, error) {
	raw, err := decodePEM(ed25519OID, text)
	if err != nil {
		return nil, err
	}
	return ParseEd25519PublicKey(raw)
}

func encodePEM(oid asn1.ObjectIdentifier, raw []byte) []byte {
	info := spki{Key: asn1.BitString{Bytes: raw, BitLength: 8 * len(raw)}}
	info.Algorithm.OID = oid
	der, err := asn1.Marshal(info)
	if err != nil {
		panic("sign: encoding a fixed structure: " + err.Error()) // cannot depend on the key's bytes
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})
}

func decodePEM(oid asn1.ObjectIdentifier, text []byte) ([]byte, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemType || len(block.Headers) != 0 || len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("%w: not one PEM block of a public key", ErrInvalidKey)
	}
	var info spki
	after, err := asn1.Unmarshal(block.Bytes, &info)
	if err != nil || len(after) != 0 || info.Key.BitLength != 8*len(info.Key.Bytes) {
		return nil, fmt.Errorf("%w: malformed public key info", ErrInvalidKey)
	}
	if !info.Algorithm.OID.Equal(oid) {
		return nil, fmt.Errorf("%w: public key of another algorithm", ErrInvalidKey)
	}
	// Many texts decode to one key; one of them is its encoding.
	if !bytes.Equal(bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))), bytes.TrimSpace(encodePEM(oid, info.Key.Bytes))) {
		return nil, fmt.Errorf("%w: public key not in its canonical form", ErrInvalidKey)
	}
	return info.Key.Bytes, nil
}
