package sign

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"golang.org/x/mod/sumdb/note"
)

// MLDSA44Name is the algorithm name of the post-quantum keys of witnesses (FIPS 204).
const MLDSA44Name = "ML-DSA-44"

// Types of cosignature lines (C2SP tlog-cosignature).
const (
	noteTypeCosignature        = "\x04" // Ed25519, cosignature/v1
	noteTypeCosignatureMLDSA44 = "\x06"
)

const (
	cosignatureTime = 8   // bytes of time before the signature
	maxNoteName     = 255 // bytes of a name in the message that an ML-DSA-44 witness signs
	witnessSeedSize = 32  // of both algorithms
	secretKeyPrefix = "PRIVATE+KEY+"
)

// ErrNotCheckpoint reports a text that no witness signs: its first lines are not origin, size and root.
var ErrNotCheckpoint = errors.New("sign: not the text of a checkpoint")

// WitnessPublicKey verifies the cosignatures of one witness (C2SP tlog-cosignature): Ed25519 under type 0x04 or ML-DSA-44
// under type 0x06. It is immutable and safe for concurrent use.
type WitnessPublicKey struct {
	name, kind string
	hash       uint32
	raw        string // immutable bytes
	ml         *mldsa44.PublicKey
}

func newWitnessPublicKey(name, kind string, raw []byte) (*WitnessPublicKey, error) {
	if err := checkWitnessName(name); err != nil {
		return nil, err
	}
	p := &WitnessPublicKey{name: name, kind: kind, hash: keyHash(name, kind, raw), raw: string(raw)}
	switch kind {
	case noteTypeCosignature:
		if _, err := ParseEd25519PublicKey(raw); err != nil {
			return nil, err
		}
	case noteTypeCosignatureMLDSA44:
		p.ml = new(mldsa44.PublicKey)
		if len(raw) != mldsa44.PublicKeySize || p.ml.UnmarshalBinary(raw) != nil {
			return nil, fmt.Errorf("%w: %d bytes of public key, want %d", ErrInvalidKey, len(raw), mldsa44.PublicKeySize)
		}
	default:
		return nil, fmt.Errorf("%w: not the type of a cosignature", ErrInvalidKey)
	}
	return p, nil
}

func checkWitnessName(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if len(name) > maxNoteName {
		return fmt.Errorf("%w: name of %d bytes, limit %d", ErrInvalidKey, len(name), maxNoteName)
	}
	return nil
}

// ParseWitnessPublicKey parses a verifier key as witnesses publish it: name, 8 hexadecimal digits of key hash and the base64
// of type and key, joined by plus signs. It accepts exactly what [WitnessPublicKey.String] returns.
func ParseWitnessPublicKey(vkey string) (*WitnessPublicKey, error) {
	name, raw, err := cutKey(vkey)
	if err != nil {
		return nil, err
	}
	p, err := newWitnessPublicKey(name, string(raw[:1]), raw[1:])
	if err != nil {
		return nil, err
	}
	if p.String() != vkey {
		return nil, errOtherText
	}
	return p, nil
}

// Name returns the witness's name.
func (p *WitnessPublicKey) Name() string { return p.name }

// Algorithm returns [Ed25519Name] or [MLDSA44Name].
func (p *WitnessPublicKey) Algorithm() string {
	if p.kind == noteTypeCosignatureMLDSA44 {
		return MLDSA44Name
	}
	return Ed25519Name
}

// KeyHash returns the 32-bit key id of its note lines.
func (p *WitnessPublicKey) KeyHash() uint32 { return p.hash }

// Bytes returns a copy of the public key, without name and type.
func (p *WitnessPublicKey) Bytes() []byte { return []byte(p.raw) }

// String returns the verifier key that ParseWitnessPublicKey accepts.
func (p *WitnessPublicKey) String() string {
	return fmt.Sprintf("%s+%08x+%s", p.name, p.hash, base64.StdEncoding.EncodeToString([]byte(p.kind+p.raw)))
}

// Equal reports whether both are the same key under the same name.
func (p *WitnessPublicKey) Equal(o *WitnessPublicKey) bool {
	return o != nil && p.name == o.name && p.kind == o.kind && p.raw == o.raw
}

// VerifyCosignature checks what a witness signed about a checkpoint and returns when it did. text is the text of the note
// with the newline that ends it; blob is what the note line encodes after its 32-bit key id: u64 seconds ‖ signature. The
// error wraps ErrInvalidSignature, or ErrNotCheckpoint for a text that is none. A cosignature without a time, which the
// specification allows for statements that say nothing about the newest size, is refused.
func (p *WitnessPublicKey) VerifyCosignature(text, blob []byte) (time.Time, error) {
	if len(blob) < cosignatureTime {
		return time.Time{}, fmt.Errorf("%w: %d bytes", ErrInvalidSignature, len(blob))
	}
	seconds := binary.BigEndian.Uint64(blob)
	if seconds == 0 || seconds > math.MaxInt64 {
		return time.Time{}, fmt.Errorf("%w: no time", ErrInvalidSignature)
	}
	msg, err := cosigned(p.kind, p.name, text, seconds)
	if err != nil {
		return time.Time{}, err
	}
	sig, ok := blob[cosignatureTime:], false
	switch p.kind {
	case noteTypeCosignature:
		ok = len(sig) == ed25519.SignatureSize && ed25519.Verify([]byte(p.raw), msg, sig)
	case noteTypeCosignatureMLDSA44:
		ok = len(sig) == mldsa44.SignatureSize && mldsa44.Verify(p.ml, msg, nil, sig)
	}
	if !ok {
		return time.Time{}, ErrInvalidSignature
	}
	return time.Unix(int64(seconds), 0).UTC(), nil
}

// VerifyLine checks the signature line of a witness, ended by a newline, as VerifyCosignature does. A line by another key is
// an error that wraps ErrInvalidSignature too.
func (p *WitnessPublicKey) VerifyLine(text, noteLine []byte) (time.Time, error) {
	code, ok := strings.CutPrefix(string(noteLine), "— "+p.name+" ")
	code, ok2 := strings.CutSuffix(code, "\n")
	blob, err := base64.StdEncoding.Strict().DecodeString(code)
	if !ok || !ok2 || err != nil || base64.StdEncoding.EncodedLen(len(blob)) != len(code) || len(blob) < 4 || binary.BigEndian.Uint32(blob) != p.hash {
		return time.Time{}, fmt.Errorf("%w: not a line by this key", ErrInvalidSignature)
	}
	return p.VerifyCosignature(text, blob[4:])
}

// NoteVerifier returns a verifier for note.Open.
func (p *WitnessPublicKey) NoteVerifier() note.Verifier {
	return &line{p.name, p.hash, func(msg, sig []byte) bool {
		_, err := p.VerifyCosignature(msg, sig)
		return err == nil
	}}
}

// cosigned returns the message that a witness signs about a checkpoint.
func cosigned(kind, name string, text []byte, seconds uint64) ([]byte, error) {
	origin, size, root, err := parseCheckpointText(text)
	if err != nil {
		return nil, err
	}
	if kind == noteTypeCosignature {
		b := append(make([]byte, 0, 40+len(text)), "cosignature/v1\ntime "...)
		b = strconv.AppendUint(b, seconds, 10)
		b = append(b, '\n')
		return append(b, text...), nil
	}
	b := append(make([]byte, 0, 12+1+len(name)+8+1+len(origin)+8+8+32), "subtree/v1\n\x00"...)
	b = append(b, byte(len(name)))
	b = append(b, name...)
	b = binary.BigEndian.AppendUint64(b, seconds)
	b = append(b, byte(len(origin)))
	b = append(b, origin...)
	b = binary.BigEndian.AppendUint64(b, 0) // the first leaf: a checkpoint is about all of them
	b = binary.BigEndian.AppendUint64(b, size)
	return append(b, root[:]...), nil
}

// parseCheckpointText reads origin, size and root. Extension lines, which other logs may have, are let pass: an Ed25519
// witness signs them unread, an ML-DSA-44 witness leaves them out.
func parseCheckpointText(text []byte) (origin string, size uint64, root [32]byte, err error) {
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" || lines[0] == "" || len(lines[0]) > maxNoteName {
		return "", 0, root, ErrNotCheckpoint
	}
	for _, extension := range lines[3 : len(lines)-1] {
		if extension == "" {
			return "", 0, root, ErrNotCheckpoint // the text of a note ends at the first empty line
		}
	}
	size, err = strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return "", 0, root, ErrNotCheckpoint
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(raw) != len(root) || base64.StdEncoding.EncodeToString(raw) != lines[2] {
		return "", 0, root, ErrNotCheckpoint
	}
	return lines[0], size, [32]byte(raw), nil
}

// WitnessKey is the signing key of a witness. It is immutable and safe for concurrent use; printing it shows name and key
// hash only.
type WitnessKey struct {
	secret func() *witnessSecret // a closure, because fmt reaches through pointers but not into functions
	pub    *WitnessPublicKey
}

type witnessSecret struct {
	seed [witnessSeedSize]byte
	ed   ed25519.PrivateKey
	ml   *mldsa44.PrivateKey
}

// NewWitnessKey makes an Ed25519 key, which every client of witnesses reads, from 32 bytes of random: crypto/rand.Reader
// outside tests.
func NewWitnessKey(name string, random io.Reader) (*WitnessKey, error) {
	return makeWitnessKey(name, noteTypeCosignature, random)
}

// NewMLDSA44WitnessKey makes an ML-DSA-44 key, which stays secure against quantum computers and binds the witness's name,
// from 32 bytes of random: crypto/rand.Reader outside tests.
func NewMLDSA44WitnessKey(name string, random io.Reader) (*WitnessKey, error) {
	return makeWitnessKey(name, noteTypeCosignatureMLDSA44, random)
}

func makeWitnessKey(name, kind string, random io.Reader) (*WitnessKey, error) {
	var seed [witnessSeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("sign: new key: %w", err)
	}
	return newWitnessKey(name, kind, seed[:])
}

func newWitnessKey(name, kind string, seed []byte) (*WitnessKey, error) {
	if len(seed) != witnessSeedSize {
		return nil, fmt.Errorf("%w: %d bytes of seed, want %d", ErrInvalidKey, len(seed), witnessSeedSize)
	}
	s := &witnessSecret{seed: [witnessSeedSize]byte(seed)}
	var public []byte
	switch kind {
	case noteTypeCosignature:
		s.ed = ed25519.NewKeyFromSeed(seed)
		public = s.ed[ed25519.SeedSize:]
	case noteTypeCosignatureMLDSA44:
		var pub *mldsa44.PublicKey
		pub, s.ml = mldsa44.NewKeyFromSeed(&s.seed)
		public = pub.Bytes()
	}
	pub, err := newWitnessPublicKey(name, kind, public)
	if err != nil {
		return nil, err
	}
	return &WitnessKey{secret: func() *witnessSecret { return s }, pub: pub}, nil
}

// ParseWitnessKey parses the text that [WitnessKey.SecretText] returns, the form of the signer keys of C2SP signed-note:
// PRIVATE+KEY+name+hash+base64(type ‖ 32-byte seed).
func ParseWitnessKey(text string) (*WitnessKey, error) {
	rest, ok := strings.CutPrefix(text, secretKeyPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: not a signer key", ErrInvalidKey)
	}
	name, raw, err := cutKey(rest)
	if err != nil {
		return nil, err
	}
	k, err := newWitnessKey(name, string(raw[:1]), raw[1:])
	if err != nil {
		return nil, err
	}
	if k.SecretText() != text {
		return nil, errOtherText
	}
	return k, nil
}

// Public returns the public half.
func (k *WitnessKey) Public() *WitnessPublicKey { return k.pub }

// SecretText returns the secret key as text. It belongs into a file that only the witness may read.
func (k *WitnessKey) SecretText() string {
	seed := k.secret().seed
	key := base64.StdEncoding.EncodeToString(append([]byte(k.pub.kind), seed[:]...))
	return fmt.Sprintf("%s%s+%08x+%s", secretKeyPrefix, k.pub.name, k.pub.hash, key)
}

// Cosign returns the line, ended by a newline, with which the witness says: at this time, cut to seconds, this is the newest
// checkpoint of its origin I know, and it continues all I knew before. text is the text of the note; whether it is true is
// for the caller to check. The error wraps ErrNotCheckpoint for a text that is none.
func (k *WitnessKey) Cosign(text []byte, at time.Time) (noteLine []byte, err error) {
	if at.Unix() <= 0 {
		return nil, fmt.Errorf("sign: cosign: time before 1970")
	}
	seconds := uint64(at.Unix())
	msg, err := cosigned(k.pub.kind, k.pub.name, text, seconds)
	if err != nil {
		return nil, err
	}
	blob := binary.BigEndian.AppendUint32(make([]byte, 0, 4+cosignatureTime+mldsa44.SignatureSize), k.pub.hash)
	blob = binary.BigEndian.AppendUint64(blob, seconds)
	switch s := k.secret(); k.pub.kind {
	case noteTypeCosignature:
		blob = append(blob, ed25519.Sign(s.ed, msg)...)
	case noteTypeCosignatureMLDSA44:
		var sig [mldsa44.SignatureSize]byte
		// SignTo with randomized set is circl's only hedged entry point; its crypto.Signer is deterministic.
		if err := mldsa44.SignTo(s.ml, msg, nil, true, sig[:]); err != nil {
			return nil, fmt.Errorf("sign: ml-dsa: %w", err)
		}
		blob = append(blob, sig[:]...)
	}
	return fmt.Appendf(nil, "— %s %s\n", k.pub.name, base64.StdEncoding.EncodeToString(blob)), nil
}
