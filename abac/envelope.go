package abac

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strconv"
)

// PolicySetType is the payload type of a signed policy set.
const PolicySetType = "application/vnd.tomkit.policy-set+json"

// ErrSignature is wrapped by every refusal of a signed policy set for its signatures.
var ErrSignature = errors.New("signature does not verify")

// maxSignatures bounds what one envelope can make a verifier do.
const maxSignatures = 16

// Verifier checks signatures on policy sets. [Ed25519] is one; a product that has other keys brings its own.
type Verifier interface {
	// Verify returns nil if signature is the key's over message. A key id it does not know is an error.
	Verify(keyID string, message, signature []byte) error
}

// Signer makes signatures on policy sets.
type Signer interface {
	// Sign signs message and returns the signature and the id of the key.
	Sign(message []byte) (keyID string, signature []byte, err error)
}

// Ed25519 is a [Verifier] over pinned public keys by their ids. It is immutable.
type Ed25519 struct{ keys map[string]ed25519.PublicKey }

// NewEd25519 returns a Verifier for keys. A malformed key, and one under two ids, which would count as two signers, are
// errors.
func NewEd25519(keys map[string]ed25519.PublicKey) (Ed25519, error) {
	seen := make(map[string]bool)
	for id, key := range keys {
		if id == "" || len(key) != ed25519.PublicKeySize || seen[string(key)] {
			return Ed25519{}, fmt.Errorf("abac: keys: malformed, or one key under two ids")
		}
		seen[string(key)] = true
	}
	return Ed25519{maps.Clone(keys)}, nil
}

// Verify checks one signature.
func (v Ed25519) Verify(keyID string, message, signature []byte) error {
	key, known := v.keys[keyID]
	if !known || !ed25519.Verify(key, message, signature) {
		return fmt.Errorf("abac: verify: %w", ErrSignature)
	}
	return nil
}

// Ed25519Signer is a [Signer] with one key.
type Ed25519Signer struct {
	ID  string
	Key ed25519.PrivateKey
}

// Sign signs message.
func (s Ed25519Signer) Sign(message []byte) (keyID string, signature []byte, err error) {
	if s.ID == "" || len(s.Key) != ed25519.PrivateKeySize {
		return "", nil, fmt.Errorf("abac: sign: no key")
	}
	return s.ID, ed25519.Sign(s.Key, message), nil
}

// The envelope is a Dead Simple Signing Envelope (DSSE 1.0), in canonical JSON.
type wireEnvelope struct {
	Payload     string          `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []wireSignature `json:"signatures"`
}

type wireSignature struct {
	KeyID     string `json:"keyid"`
	Signature string `json:"sig"`
}

// preAuthentication is what is signed: type and payload with their lengths, so that neither can be read as the other.
func preAuthentication(payload []byte) []byte {
	var b bytes.Buffer
	b.WriteString("DSSEv1 " + strconv.Itoa(len(PolicySetType)) + " " + PolicySetType + " " + strconv.Itoa(len(payload)) + " ")
	b.Write(payload)
	return b.Bytes()
}

// Sign returns the set's canonical form in an envelope (DSSE 1.0) signed by each of signers.
func (p *PolicySet) Sign(signers ...Signer) ([]byte, error) {
	payload, err := p.Canonical()
	if err != nil {
		return nil, err
	}
	if len(signers) == 0 || len(signers) > maxSignatures {
		return nil, fmt.Errorf("abac: sign: %d signers, want 1 to %d", len(signers), maxSignatures)
	}
	w := wireEnvelope{Payload: base64.StdEncoding.EncodeToString(payload), PayloadType: PolicySetType}
	for _, signer := range signers {
		id, signature, err := signer.Sign(preAuthentication(payload))
		if err != nil {
			return nil, fmt.Errorf("abac: sign: %w", err)
		}
		w.Signatures = append(w.Signatures, wireSignature{id, base64.StdEncoding.EncodeToString(signature)})
	}
	return encodeCanonical(w)
}

// OpenPolicySet returns the policy set in envelope if at least quorum different keys signed it; a quorum of two is dual
// control over what everybody may do. Signatures are checked before the payload is parsed. Signatures that
// do not verify do not count, so that keys can be changed one by one; the same key twice is an error, as is a payload that is
// not canonical.
// Errors wrap [ErrSignature], [ErrFormat] or [ErrPolicySet].
func OpenPolicySet(envelope []byte, verifier Verifier, quorum int) (*PolicySet, error) {
	if verifier == nil || quorum < 1 {
		return nil, fmt.Errorf("abac: open: no verifier or no quorum")
	}
	var w wireEnvelope
	if _, err := decodeStrict(envelope, &w); err != nil {
		return nil, err
	}
	payload, err := base64.StdEncoding.Strict().DecodeString(w.Payload)
	if err != nil || w.PayloadType != PolicySetType || len(w.Signatures) > maxSignatures {
		return nil, fmt.Errorf("abac: open: not an envelope of a policy set: %w", ErrFormat)
	}
	signers := make(map[string]bool)
	for _, s := range w.Signatures {
		signature, err := base64.StdEncoding.Strict().DecodeString(s.Signature)
		if err != nil || signers[s.KeyID] {
			return nil, fmt.Errorf("abac: open: a signature is malformed or repeated: %w", ErrFormat)
		}
		if verifier.Verify(s.KeyID, preAuthentication(payload), signature) == nil {
			signers[s.KeyID] = true
		}
	}
	if len(signers) < quorum {
		return nil, fmt.Errorf("abac: open: %d of %d signatures verify: %w", len(signers), quorum, ErrSignature)
	}
	p, err := ParsePolicySet(payload)
	if err != nil {
		return nil, err
	}
	if text, err := p.Canonical(); err != nil || !bytes.Equal(text, payload) {
		return nil, fmt.Errorf("abac: open: the payload is not canonical: %w", ErrFormat)
	}
	return p, nil
}
