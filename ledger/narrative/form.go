package narrative

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Member is the member of an entry's details that holds the form. It belongs to the ledger: an event that brings one of its
// own is refused.
const Member = "narrative"

// Members of a form, in canonical order.
const (
	formArgs     = "a"
	formTemplate = "t"
	formVersion  = "v"
)

// Render renders the bound text from an entry's details, without looking at the narrative beside them: what [Bind] wrote.
// Give it to [Readable] for the sentence with openings. Errors are those of [Check]; [ErrNoForm] says that there is no form.
func Render(details []byte) (string, error) {
	b, err := appendForm(make([]byte, 0, 256), details)
	return string(b), err
}

func appendForm(dst, details []byte) ([]byte, error) {
	raw, found := member(details)
	if !found {
		return nil, ErrNoForm
	}
	r := reader{rest: raw}
	r.literal(`{"` + formArgs + `":`)
	args := r.value()
	r.literal(`,"` + formTemplate + `":`)
	id := r.text()
	r.literal(`,"` + formVersion + `":`)
	version := r.integer()
	r.literal(`}`)
	if r.bad || len(r.rest) != 0 {
		return nil, malformed("not in its canonical form")
	}
	t, known := Lookup(string(id))
	n, _ := strconv.ParseInt(string(version), 10, 64)
	switch {
	case !known || n > Version:
		return nil, fmt.Errorf("narrative: check: %w", ErrUnknownTemplate)
	case n != int64(t.since):
		return nil, malformed("the template is of another version")
	}
	var few [8][]byte
	texts := few[:]
	if len(t.args) > len(few) {
		texts = make([][]byte, len(t.args))
	}
	if err := t.read(args, texts); err != nil {
		return nil, err
	}
	return appendSentence(t, dst, texts), nil
}

// read reads a form's arguments, which are in the order of their names.
func (t *Template) read(args []byte, texts [][]byte) error {
	r := reader{rest: args}
	r.literal("{")
	for n, i := range t.byName {
		if n > 0 {
			r.literal(",")
		}
		a := t.args[i]
		r.name(a.Name)
		switch {
		case a.Kind == Count:
			texts[i] = r.integer()
		case a.Kind == Moment:
			texts[i] = r.moment()
		case a.Kind == Person || len(r.rest) > 0 && r.rest[0] == '{':
			texts[i] = r.commitment()
		default:
			texts[i] = r.text()
			r.bad = r.bad || !escapedWell(texts[i])
		}
		if r.bad {
			return malformed("argument " + a.Name)
		}
	}
	r.literal("}")
	if r.bad || len(r.rest) != 0 {
		return malformed("an argument the template does not have")
	}
	return nil
}

func malformed(reason string) error {
	return fmt.Errorf("narrative: check: form: %s: %w", reason, ErrForm)
}

// reader takes values in canonical form (RFC 8785) off rest. After a mismatch bad is set, and what it returns means nothing.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) literal(text string) {
	if r.bad || len(r.rest) < len(text) || string(r.rest[:len(text)]) != text {
		r.bad = true
		return
	}
	r.rest = r.rest[len(text):]
}

// name takes the name of a member.
func (r *reader) name(name string) {
	r.literal(`"`)
	r.literal(name)
	r.literal(`":`)
}

// value takes a whole value without looking into it.
func (r *reader) value() []byte {
	n := skip(r.rest)
	if r.bad || n == 0 {
		r.bad = true
		return nil
	}
	v := r.rest[:n]
	r.rest = r.rest[n:]
	return v
}

// text takes a string. Control characters, which a rendered text never holds, have no way in.
func (r *reader) text() []byte {
	raw := r.value()
	if r.bad || len(raw) < 2 || raw[0] != '"' {
		r.bad = true
		return nil
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' {
			if i++; raw[i] != '\\' && raw[i] != '"' { // skip saw that a byte follows
				r.bad = true
				return nil
			}
		}
		b = append(b, raw[i])
	}
	return b
}

// integer takes decimal digits without a leading zero, for a number within ±(2^53−1).
func (r *reader) integer() []byte {
	v := r.value()
	n, err := strconv.ParseInt(string(v), 10, 64)
	digits := bytes.TrimPrefix(v, []byte("-"))
	canonical := len(digits) > 0 && digits[0] >= '1' && digits[0] <= '9' || string(v) == "0"
	r.bad = r.bad || err != nil || n > maxInteger || n < -maxInteger || !canonical
	return v
}

// moment takes a time of momentLayout that exists.
func (r *reader) moment() []byte {
	v := r.text()
	if r.bad || len(v) != len(momentLayout) {
		r.bad = true
		return nil
	}
	for i, c := range []byte(momentLayout) {
		if digit := c >= '0' && c <= '9'; digit && (v[i] < '0' || v[i] > '9') || !digit && v[i] != c {
			r.bad = true
			return nil
		}
	}
	number := func(from, to int) (n int) {
		for _, c := range v[from:to] {
			n = 10*n + int(c-'0')
		}
		return n
	}
	year, month, day, hour, minute, second := number(0, 4), number(5, 7), number(8, 10), number(11, 13), number(14, 16), number(17, 19)
	at := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC) // which moves what does not exist
	r.bad = year < 1 || at.Year() != year || int(at.Month()) != month || at.Day() != day || at.Hour() != hour || at.Minute() != minute || at.Second() != second
	return v
}

// commitment takes {"c":"<64 hex digits>"} and returns its mark in a sentence.
func (r *reader) commitment() []byte {
	const open, end = `{"c":"`, `"}`
	raw := r.value()
	if r.bad || len(raw) != len(open)+64+len(end) || string(raw[:len(open)]) != open || string(raw[len(raw)-len(end):]) != end {
		r.bad = true
		return nil
	}
	mark := append(append(append(make([]byte, 0, markLen), "{c:"...), raw[len(open):len(open)+64]...), '}')
	for _, c := range mark[len("{c:") : markLen-1] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			r.bad = true
		}
	}
	return mark
}

// member finds the form in details in canonical form.
func member(details []byte) (raw []byte, found bool) {
	if len(details) < 2 || details[0] != '{' {
		return nil, false
	}
	for rest := details[1:]; ; {
		n := skip(rest)
		if n == 0 || n >= len(rest) || rest[0] != '"' || rest[n] != ':' {
			return nil, false
		}
		key := rest[1 : n-1]
		rest = rest[n+1:]
		if n = skip(rest); n == 0 {
			return nil, false
		}
		if string(key) == Member {
			return rest[:n], true
		}
		if n >= len(rest) || rest[n] != ',' {
			return nil, false
		}
		rest = rest[n+1:]
	}
}

// skip returns the length of the value that b begins with, or 0 if it does not end. It checks no more than it needs to find
// the end.
func skip(b []byte) int {
	depth := 0
	for i := 0; i < len(b); {
		switch b[i] {
		case '"':
			n := skipString(b[i:])
			if n == 0 {
				return 0
			}
			if i += n; depth == 0 {
				return i
			}
		case '{', '[':
			depth++
			i++
		case '}', ']', ',', ':':
			if depth == 0 {
				return i
			}
			if b[i] == '}' || b[i] == ']' {
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		default:
			i++
		}
	}
	return 0
}

func skipString(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// escapedWell reports whether text could have come from Escape. It does not ask for normal form C, which depends on the
// Unicode version of the program that wrote the text.
func escapedWell(text []byte) bool {
	if plain(text) {
		return true
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == '\\':
			if n = escapeLen(string(text[i:])); n == 0 {
				return false
			}
		case r == utf8.RuneError && n == 1, mustEscape(r):
			return false
		}
		i += n
	}
	return true
}

// mayEscape reports whether Escape writes r as an escape in some place. Which characters are combining marks depends on the
// Unicode version of the program that wrote the text, so every one from the first mark on may be.
func mayEscape(r rune) bool { return mustEscape(r) || r >= firstMark && utf8.ValidRune(r) }

// escapeLen returns the length of the escape that text begins with, or 0 if Escape would not have written it.
func escapeLen(text string) int {
	if strings.HasPrefix(text, `\\`) {
		return 2
	}
	if len(text) < 2 {
		return 0
	}
	digits, ok := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
	if !ok || len(text) < 2+digits || strings.ToLower(text[2:2+digits]) != text[2:2+digits] {
		return 0
	}
	code, err := strconv.ParseUint(text[2:2+digits], 16, 32)
	switch {
	case err != nil, text[1] == 'x' && code < 0x80,
		text[1] == 'u' && (code == '\\' || !mayEscape(rune(code))),
		text[1] == 'U' && (code < 0x10000 || code > utf8.MaxRune || !mayEscape(rune(code))):
		return 0
	}
	return 2 + digits
}
