package sign

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// Types of signature lines (C2SP signed-note). Type 0xff has no registered meaning; the specification asks for a longer
// identifier after it, which is the composite algorithm's OID here.
const (
	noteTypeEd25519   = "\x01"
	noteTypeComposite = "\xff" + CompositeOID
)

// keyHash is the 32-bit key id of C2SP signed-note: the first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).
func keyHash(name, kind string, public []byte) uint32 {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n'})
	h.Write([]byte(kind))
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func checkName(name string) error {
	if name == "" || !utf8.ValidString(name) || strings.Contains(name, "+") || strings.IndexFunc(name, unicode.IsSpace) >= 0 {
		return fmt.Errorf("%w: note key name is empty or holds a space or plus", ErrInvalidKey)
	}
	return nil
}

// line is a note.Verifier and, with sign set, a note.Signer.
type line struct {
	name   string
	hash   uint32
	verify func(msg, sig []byte) bool
}

func (l *line) Name() string                { return l.name }
func (l *line) KeyHash() uint32             { return l.hash }
func (l *line) Verify(msg, sig []byte) bool { return l.verify(msg, sig) }

type signingLine struct {
	name string
	hash uint32
	sign func(msg []byte) ([]byte, error)
}

func (l *signingLine) Name() string                    { return l.name }
func (l *signingLine) KeyHash() uint32                 { return l.hash }
func (l *signingLine) Sign(msg []byte) ([]byte, error) { return l.sign(msg) }

// NoteSigner returns a signer for note lines under name, which is a log's origin. It signs with [ContextCheckpoint].
func (k *CompositeKey) NoteSigner(name string) (note.Signer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return &signingLine{name, keyHash(name, noteTypeComposite, k.pub.raw[:]), func(msg []byte) ([]byte, error) {
		return k.Sign(ContextCheckpoint, msg)
	}}, nil
}

// NoteVerifier returns a verifier for the lines that the key's NoteSigner writes.
func (p *CompositePublicKey) NoteVerifier(name string) (note.Verifier, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return &line{name, keyHash(name, noteTypeComposite, p.raw[:]), func(msg, sig []byte) bool {
		return p.Verify(ContextCheckpoint, msg, sig) == nil
	}}, nil
}

// VerifierKey returns the text name+hash+base64 that note tools configure: type 0xff, the OID, the public key.
func (p *CompositePublicKey) VerifierKey(name string) (string, error) {
	return verifierKey(name, noteTypeComposite, p.raw[:])
}

// NoteSigner returns a signer for note lines under name, which is a log's origin. It is the standard Ed25519 line of
// signed notes, without a context.
func (k *Ed25519Key) NoteSigner(name string) (note.Signer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return &signingLine{name, keyHash(name, noteTypeEd25519, k.pub.raw[:]), func(msg []byte) ([]byte, error) {
		return ed25519.Sign(k.secret(), msg), nil
	}}, nil
}

// NoteVerifier returns a verifier for the lines that the key's NoteSigner writes.
func (p *Ed25519PublicKey) NoteVerifier(name string) (note.Verifier, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return &line{name, keyHash(name, noteTypeEd25519, p.raw[:]), func(msg, sig []byte) bool {
		return len(sig) == ed25519.SignatureSize && ed25519.Verify(p.raw[:], msg, sig)
	}}, nil
}

// VerifierKey returns the text name+hash+base64 that note.NewVerifier and stock witnesses accept.
func (p *Ed25519PublicKey) VerifierKey(name string) (string, error) {
	return verifierKey(name, noteTypeEd25519, p.raw[:])
}

func verifierKey(name, kind string, public []byte) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	key := base64.StdEncoding.EncodeToString(append([]byte(kind), public...))
	return fmt.Sprintf("%s+%08x+%s", name, keyHash(name, kind, public), key), nil
}

// ParseVerifierKey parses the verifier key of a log: exactly the text that VerifierKey of an [Ed25519PublicKey] or of a
// [CompositePublicKey] returns. The verifier has the key's name.
func ParseVerifierKey(vkey string) (note.Verifier, error) {
	name, raw, err := cutKey(vkey)
	if err != nil {
		return nil, err
	}
	var key interface {
		VerifierKey(name string) (string, error)
		NoteVerifier(name string) (note.Verifier, error)
	}
	if public, ok := strings.CutPrefix(string(raw), noteTypeComposite); ok {
		key, err = ParseCompositePublicKey([]byte(public))
	} else if public, ok := strings.CutPrefix(string(raw), noteTypeEd25519); ok {
		key, err = ParseEd25519PublicKey([]byte(public))
	} else {
		err = fmt.Errorf("%w: neither Ed25519 nor the composite", ErrInvalidKey)
	}
	if err != nil {
		return nil, err
	}
	if again, err := key.VerifierKey(name); err != nil || again != vkey {
		return nil, errOtherText
	}
	return key.NoteVerifier(name)
}

var errOtherText = fmt.Errorf("%w: key hash or encoding is not the key's", ErrInvalidKey)

// maxTypedKey is the length of the longest key with its type: the composite's.
const maxTypedKey = len(noteTypeComposite) + CompositePublicKeySize

// cutKey takes name+hash+base64(type ‖ key) apart; raw, type and key, is not empty. The caller compares the text.
func cutKey(text string) (name string, raw []byte, err error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return "", nil, fmt.Errorf("%w: not name+hash+key", ErrInvalidKey)
	}
	if len(parts[2]) <= base64.StdEncoding.EncodedLen(maxTypedKey) {
		raw, err = base64.StdEncoding.Strict().DecodeString(parts[2])
	}
	if err != nil || len(raw) == 0 {
		return "", nil, fmt.Errorf("%w: not the base64 of a key", ErrInvalidKey)
	}
	return parts[0], raw, nil
}
