package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"golang.org/x/mod/sumdb/note"
)

// Limits of signed checkpoints.
const (
	MaxCheckpoint = 128 << 10 // bytes of a signed note, witness lines included
	MaxOrigin     = 255       // bytes of an origin
)

// Checkpoint is what a signed note says about a log (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string   // <operator domain>/ledger/<32 hex log id>/<epoch>
	Size   uint64   // number of entries
	Root   [32]byte // RFC 6962 root over that many entries
}

// FormatOrigin makes the origin of a log: it says who operates the log, not whose it is. logID is random. A new epoch
// begins when a log is recovered behind its last witnessed checkpoint.
func FormatOrigin(domain string, logID [16]byte, epoch uint64) string {
	return domain + "/ledger/" + hex.EncodeToString(logID[:]) + "/" + strconv.FormatUint(epoch, 10)
}

// ParseOrigin splits an origin. The domain is lower-case letters, digits, dots, hyphens and an optional port.
func ParseOrigin(origin string) (domain string, logID [16]byte, epoch uint64, err error) {
	parts := strings.Split(origin, "/")
	if len(origin) > MaxOrigin || len(parts) != 4 || parts[1] != "ledger" || len(parts[2]) != 32 {
		return "", logID, 0, malformed("origin", "not <domain>/ledger/<log id>/<epoch>")
	}
	if parts[0] == "" || strings.Trim(parts[0], "abcdefghijklmnopqrstuvwxyz0123456789.-:") != "" {
		return "", logID, 0, malformed("origin", "not a domain")
	}
	if _, err := hex.Decode(logID[:], []byte(parts[2])); err != nil || strings.ToLower(parts[2]) != parts[2] {
		return "", logID, 0, malformed("origin", "log id is not 32 lower-case hexadecimal digits")
	}
	if epoch, err = parseDecimal(parts[3]); err != nil {
		return "", logID, 0, malformed("origin", "epoch is not a decimal number")
	}
	return parts[0], logID, epoch, nil
}

// parseDecimal parses a number as this package writes it: digits only, no leading zeros.
func parseDecimal(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, ErrMalformed
	}
	return n, nil
}

// FormatCheckpoint returns the text of the note: origin, size and base64 root, one per line.
func FormatCheckpoint(c Checkpoint) string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// ParseCheckpoint parses the text of a note, without signatures. It accepts exactly what FormatCheckpoint writes; the
// extension lines that C2SP allows are refused. The result is a claim until its signatures are checked.
func ParseCheckpoint(text string) (Checkpoint, error) {
	var c Checkpoint
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return c, malformed("checkpoint", "not three lines")
	}
	if _, _, _, err := ParseOrigin(lines[0]); err != nil {
		return c, err
	}
	size, err := parseDecimal(lines[1])
	if err != nil || size > maxSize {
		return c, malformed("checkpoint", "size is not a decimal number in range")
	}
	if err := decodeBase64(c.Root[:], lines[2]); err != nil {
		return c, malformed("checkpoint", "root is not the base64 of 32 bytes")
	}
	c.Origin, c.Size = lines[0], size
	return c, nil
}

// decodeBase64 fills dst from standard base64 that is exactly as long and has no stray bits.
func decodeBase64[T string | []byte](dst []byte, text T) error {
	if len(text) != base64.StdEncoding.EncodedLen(len(dst)) {
		return ErrMalformed
	}
	var buf [512]byte
	out := buf[:]
	if need := base64.StdEncoding.DecodedLen(len(text)); need > len(out) {
		out = make([]byte, need)
	}
	n, err := base64.StdEncoding.Strict().Decode(out, []byte(text))
	if err != nil || n != len(dst) {
		return ErrMalformed
	}
	copy(dst, out)
	return nil
}

// SignCheckpoint returns the signed note of c with a composite line and an Ed25519 line, both under the origin as name.
// The two keys have nothing in common.
func SignCheckpoint(c Checkpoint, composite *sign.CompositeKey, ed *sign.Ed25519Key) ([]byte, error) {
	if _, err := ParseCheckpoint(FormatCheckpoint(c)); err != nil {
		return nil, err
	}
	first, err := composite.NoteSigner(c.Origin)
	if err != nil {
		return nil, err
	}
	second, err := ed.NoteSigner(c.Origin)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: FormatCheckpoint(c)}, first, second)
}

// Errors of OpenCheckpoint beside ErrMalformed.
var (
	// ErrUnsigned reports a checkpoint without a line that it must carry: a composite line by a key valid at its size,
	// and an Ed25519 line if the key history has such a key for that size.
	ErrUnsigned = errors.New("verify: checkpoint lacks a signature by a known key valid at its size")
	// ErrBadSignature reports a checkpoint with a line by a known key that does not verify.
	ErrBadSignature = errors.New("verify: checkpoint signature does not verify")
)

// OpenCheckpoint checks the signatures of a signed note and returns its checkpoint. keys must be of the same log, in the
// same epoch or a later one.
// Lines by unknown keys, such as witnesses', are ignored.
func OpenCheckpoint(signed []byte, keys *KeyHistory) (Checkpoint, error) {
	c, err := peekCheckpoint(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	if !sameLog(keys.Origin, c.Origin) || epochOf(c.Origin) > epochOf(keys.Origin) {
		return Checkpoint{}, fmt.Errorf("%w: the keys belong to another log", ErrUnsigned)
	}
	verifiers, want, err := keys.noteVerifiers(c.Origin, c.Size)
	if err != nil {
		return Checkpoint{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifiers...))
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid):
		return Checkpoint{}, ErrBadSignature
	case errors.As(err, &unverified):
		return Checkpoint{}, ErrUnsigned
	case err != nil:
		return Checkpoint{}, malformed("checkpoint", "not a signed note")
	}
	return c, checkLines(opened, want)
}

// purposeOf maps the hash of a note line to the purpose of its key.
type purposeOf map[uint32]Purpose

func checkLines(opened *note.Note, want purposeOf) error {
	have := map[Purpose]bool{}
	for _, s := range opened.Sigs {
		have[want[s.Hash]] = true
	}
	if !have[PurposeCheckpoint] {
		return ErrUnsigned
	}
	for _, p := range want {
		if !have[p] {
			return ErrUnsigned
		}
	}
	return nil
}

// CheckNote reports whether signed has the form of a signed checkpoint, without checking its signatures.
func CheckNote(signed []byte) error {
	_, err := peekCheckpoint(signed)
	return err
}

// peekCheckpoint parses a signed note without checking its signatures.
func peekCheckpoint(signed []byte) (Checkpoint, error) {
	if len(signed) > MaxCheckpoint {
		return Checkpoint{}, tooLarge("checkpoint", len(signed), MaxCheckpoint)
	}
	i := bytes.Index(signed, []byte("\n\n"))
	if i < 0 {
		return Checkpoint{}, malformed("checkpoint", "not a signed note")
	}
	return ParseCheckpoint(string(signed[:i+1]))
}
