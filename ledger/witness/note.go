package witness

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// checkpoint is what the text of a signed note says, for logs of any kind: unlike those of tomkit, others may have
// extension lines, which are kept in the text and mean nothing here.
type checkpoint struct {
	text   []byte // with the newline that ends it
	origin string
	size   uint64
	root   [32]byte
}

// maxTreeSize is what golang.org/x/mod/sumdb/tlog can count.
const maxTreeSize = 1<<55 - 1

// signatureStart begins every signature line.
const signatureStart = "— "

// cutNote splits a signed note into its checkpoint and its signature lines.
func cutNote(signed []byte) (checkpoint, []byte, error) {
	var c checkpoint
	if len(signed) > verify.MaxCheckpoint {
		return c, nil, malformed("checkpoint", "too large")
	}
	// The signatures follow the last empty line of a note, and the text of a checkpoint has none.
	i := bytes.Index(signed, []byte("\n\n"))
	if i < 0 || !utf8.Valid(signed) || signed[len(signed)-1] != '\n' {
		return c, nil, malformed("checkpoint", "not a signed note")
	}
	if strings.IndexFunc(string(signed), func(r rune) bool { return r < ' ' && r != '\n' }) >= 0 {
		return c, nil, malformed("checkpoint", "control character")
	}
	lines := signed[i+2:]
	if len(lines) == 0 {
		return c, nil, malformed("checkpoint", "no signature")
	}
	for line := range bytes.Lines(lines) {
		if !bytes.HasPrefix(line, []byte(signatureStart)) {
			return c, nil, malformed("checkpoint", "not a signature line")
		}
	}
	c, err := parseText(signed[:i+1])
	return c, lines, err
}

// parseText reads origin, size and root.
func parseText(text []byte) (checkpoint, error) {
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" || !validOrigin(lines[0]) {
		return checkpoint{}, malformed("checkpoint", "not origin, size and root")
	}
	size, err := parseSize(lines[1])
	if err != nil {
		return checkpoint{}, malformed("checkpoint", "size is not a decimal number in range")
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return checkpoint{}, malformed("checkpoint", "root is not the base64 of 32 bytes")
	}
	return checkpoint{text: bytes.Clone(text), origin: lines[0], size: size, root: root}, nil
}

// validOrigin reports whether a cosignature can name the log.
func validOrigin(origin string) bool { return origin != "" && len(origin) <= verify.MaxOrigin }

func parseSize(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > maxTreeSize || strconv.FormatUint(n, 10) != s {
		return 0, ErrMalformed
	}
	return n, nil
}

// parseHash reads the base64 of 32 bytes, without stray bits.
func parseHash(s string) (hash [32]byte, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(hash) || len(s) != base64.StdEncoding.EncodedLen(len(hash)) {
		return hash, ErrMalformed
	}
	return [32]byte(b), nil
}

// signatureLine is one line of a note, taken apart.
type signatureLine struct {
	raw  []byte // with its newline
	name string
	hash uint32
	blob []byte // what follows the 32-bit key id
}

// cutLines takes signature lines apart. It accepts at most 100, as other implementations do.
func cutLines(lines []byte) ([]signatureLine, error) {
	var all []signatureLine
	for raw := range bytes.Lines(lines) {
		rest, ok := strings.CutPrefix(string(raw), signatureStart)
		name, text, ok2 := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
		blob, err := base64.StdEncoding.Strict().DecodeString(text)
		if !ok || !ok2 || raw[len(raw)-1] != '\n' || err != nil || len(blob) < 5 || name == "" || len(all) == maxLines ||
			base64.StdEncoding.EncodeToString(blob) != text {
			return nil, malformed("signature lines", "not a signature line, or too many")
		}
		all = append(all, signatureLine{raw, name, uint32(blob[0])<<24 | uint32(blob[1])<<16 | uint32(blob[2])<<8 | uint32(blob[3]), blob[4:]})
	}
	return all, nil
}

// maxLines bounds the signature lines of a note.
const maxLines = 100

// own keeps the signature lines under the log's own name. A witness needs no other, and learns no other witness from them.
func own(signed []byte) ([]byte, checkpoint, error) {
	c, lines, err := cutNote(signed)
	if err != nil {
		return nil, c, err
	}
	all, err := cutLines(lines)
	if err != nil {
		return nil, c, err
	}
	note := append(bytes.Clone(c.text), '\n')
	n := len(note)
	for _, l := range all {
		if l.name == c.origin {
			note = append(note, l.raw...)
		}
	}
	if len(note) == n {
		return nil, c, malformed("checkpoint", "no signature under its origin")
	}
	return note, c, nil
}
