package verify

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// maxLine bounds a line of the side files: an opening whose value is escaped six-fold, with room.
const maxLine = 16 << 10

// EntrySignature is the composite signature of a critical entry: a line of signatures.jsonl.
type EntrySignature struct {
	Seq uint64
	Key sign.KeyID
	Sig []byte // composite signature over the canonical bytes under sign.ContextEntry
}

// Opening is the salt and value behind a commitment: a line of openings.jsonl.
type Opening struct {
	Seq        uint64
	Commitment [32]byte
	Salt       [32]byte
	Value      string // at most MaxPersonal bytes of UTF-8 without U+0000
}

// Redaction says that the value behind a commitment was erased, and which later entry of the log says so: a line of
// redactions.jsonl.
type Redaction struct {
	Seq        uint64
	Commitment [32]byte
	Entry      uint64
}

// appendLine appends {"key":…,"seq":…,"sig":…} and a newline.
func (s *EntrySignature) appendLine(b []byte) []byte {
	b = append(b, `{"key":"`...)
	b = append(b, s.Key.String()...)
	b = append(b, `","seq":`...)
	b = strconv.AppendUint(b, s.Seq, 10)
	b = append(b, `,"sig":"`...)
	b = base64.StdEncoding.AppendEncode(b, s.Sig)
	return append(b, "\"}\n"...)
}

// appendLine appends {"c":…,"salt":…,"seq":…,"value":…} and a newline.
func (o *Opening) appendLine(b []byte) ([]byte, error) {
	if len(o.Value) > MaxPersonal {
		return nil, tooLarge("value", len(o.Value), MaxPersonal)
	}
	b = append(b, `{"c":"`...)
	b = hex.AppendEncode(b, o.Commitment[:])
	b = append(b, `","salt":"`...)
	b = base64.StdEncoding.AppendEncode(b, o.Salt[:])
	b = append(b, `","seq":`...)
	b = strconv.AppendUint(b, o.Seq, 10)
	b = append(b, `,"value":`...)
	b, err := appendString(b, o.Value)
	if err != nil {
		return nil, malformed("value", "not UTF-8, or contains U+0000")
	}
	return append(b, "}\n"...), nil
}

// appendLine appends {"c":…,"entry":…,"seq":…} and a newline.
func (r *Redaction) appendLine(b []byte) []byte {
	b = append(b, `{"c":"`...)
	b = hex.AppendEncode(b, r.Commitment[:])
	b = append(b, `","entry":`...)
	b = strconv.AppendUint(b, r.Entry, 10)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, r.Seq, 10)
	return append(b, "}\n"...)
}

// lineParser takes a line apart; the first fault sticks.
type lineParser struct {
	b   []byte
	bad bool
}

func (p *lineParser) literal(s string) {
	if len(p.b) < len(s) || string(p.b[:len(s)]) != s {
		p.bad = true
		return
	}
	p.b = p.b[len(s):]
}

func (p *lineParser) number() (n uint64) {
	i := 0
	for i < len(p.b) && p.b[i] >= '0' && p.b[i] <= '9' && n <= maxSize {
		n = n*10 + uint64(p.b[i]-'0')
		i++
	}
	if i == 0 || i > 1 && p.b[0] == '0' || n > maxSize {
		p.bad = true
		return 0
	}
	p.b = p.b[i:]
	return n
}

func (p *lineParser) hex(dst []byte) {
	if len(p.b) < 2*len(dst) {
		p.bad = true
		return
	}
	p.bad = p.bad || !decodeHex(dst, p.b[:2*len(dst)])
	p.b = p.b[2*len(dst):]
}

func (p *lineParser) base64(dst []byte) {
	n := base64.StdEncoding.EncodedLen(len(dst))
	if len(p.b) < n {
		p.bad = true
		return
	}
	p.bad = p.bad || decodeBase64(dst, p.b[:n]) != nil
	p.b = p.b[n:]
}

// text takes a canonical JSON string and returns what it means.
func (p *lineParser) text() string {
	s := scanner{b: p.b}
	end := s.str(0)
	if end < 0 {
		p.bad = true
		return ""
	}
	raw := p.b[1 : end-1]
	p.b = p.b[end:]
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		r, n := decodeKeyRune(raw)
		out = utf8.AppendRune(out, r)
		raw = raw[n:]
	}
	return string(out)
}

// decodeHex decodes lower-case hexadecimal digits.
func decodeHex(dst, digits []byte) bool {
	for i := range dst {
		hi, lo := unhex(digits[2*i]), unhex(digits[2*i+1])
		if hi > 15 || lo > 15 {
			return false
		}
		dst[i] = hi<<4 | lo
	}
	return true
}

func (p *lineParser) end() bool { return !p.bad && len(p.b) == 0 }

func parseSignatureLine(line []byte) (s EntrySignature, ok bool) {
	p := lineParser{b: line}
	p.literal(`{"key":"`)
	p.hex(s.Key[:])
	p.literal(`","seq":`)
	s.Seq = p.number()
	p.literal(`,"sig":"`)
	s.Sig = make([]byte, sign.CompositeSignatureSize)
	p.base64(s.Sig)
	p.literal(`"}`)
	return s, p.end()
}

func parseOpeningLine(line []byte) (o Opening, ok bool) {
	p := lineParser{b: line}
	p.literal(`{"c":"`)
	p.hex(o.Commitment[:])
	p.literal(`","salt":"`)
	p.base64(o.Salt[:])
	p.literal(`","seq":`)
	o.Seq = p.number()
	p.literal(`,"value":`)
	o.Value = p.text()
	p.literal(`}`)
	return o, p.end() && len(o.Value) <= MaxPersonal
}

func parseRedactionLine(line []byte) (r Redaction, ok bool) {
	p := lineParser{b: line}
	p.literal(`{"c":"`)
	p.hex(r.Commitment[:])
	p.literal(`","entry":`)
	r.Entry = p.number()
	p.literal(`,"seq":`)
	r.Seq = p.number()
	p.literal(`}`)
	return r, p.end()
}

// lines reads a side file line by line with one line of look-ahead. A missing file is an empty one.
type lines[T any] struct {
	r     *bufio.Reader
	close io.Closer
	parse func([]byte) (T, bool)
	less  func(a, b *T) bool // strict order of the lines

	cur  T
	any  bool // cur is the first line not yet taken
	seen bool
	err  error
}

// next moves to the next line. A fault ends the file and stays in err.
func (l *lines[T]) next() {
	l.any = false
	if l.r == nil || l.err != nil {
		return
	}
	line, err := l.r.ReadSlice('\n')
	switch {
	case err == io.EOF && len(line) == 0:
		return
	case err == io.EOF:
		l.err = malformed("line", "no newline at the end")
	case errors.Is(err, bufio.ErrBufferFull):
		l.err = tooLarge("line", len(line), maxLine)
	case err != nil:
		l.err = malformed("line", "unreadable")
	}
	if l.err != nil {
		return
	}
	parsed, ok := l.parse(line[:len(line)-1])
	switch {
	case !ok:
		l.err = malformed("line", "not in canonical form")
	case l.seen && !l.less(&l.cur, &parsed):
		l.err = malformed("line", "not in ascending order")
	default:
		l.cur, l.any, l.seen = parsed, true, true
	}
}
