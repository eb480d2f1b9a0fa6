package verify

import (
	"bytes"
	"unicode/utf8"
)

// CheckDetails reports whether b is a canonical details object, byte for byte what CanonicalDetails would write: no
// white space, keys strictly ascending by UTF-16 code units (so none twice), only the escapes RFC 8785 writes, integers
// within ±(2^53−1) without leading zeros or −0, neither null nor floats, UTF-8 without U+0000, at most MaxDepth levels
// and MaxDetails bytes. The error wraps ErrMalformed or ErrTooLarge. It allocates nothing for valid input.
func CheckDetails(b []byte) error {
	_, err := checkDetails(b)
	return err
}

// checkDetails is CheckDetails, and reports whether an object begins with the key of a commitment.
func checkDetails(b []byte) (commits bool, err error) {
	if len(b) > MaxDetails {
		return false, tooLarge("details", len(b), MaxDetails)
	}
	s := scanner{b: b}
	if !s.peek('{') {
		return false, malformed("details", "not an object")
	}
	if s.object(1); s.fault != "" {
		return false, malformed("details", s.fault)
	}
	if s.i != len(b) {
		return false, malformed("details", "bytes after the object")
	}
	return s.commits, nil
}

// scanner walks canonical JSON. The first fault ends the walk.
type scanner struct {
	b       []byte
	i       int
	fault   string
	commits bool // an object begins with the key of a commitment
}

func (s *scanner) fail(why string) bool {
	if s.fault == "" {
		s.fault = why
	}
	return false
}

func (s *scanner) peek(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

func (s *scanner) take(c byte) bool {
	if s.peek(c) {
		s.i++
		return true
	}
	return false
}

func (s *scanner) object(depth int) bool {
	if depth > MaxDepth {
		return s.fail("nested too deeply")
	}
	s.i++ // the brace
	if s.take('}') {
		return true
	}
	var last []byte
	for first := true; ; first = false {
		key, ok := s.str()
		if !ok {
			return false
		}
		if first {
			s.commits = s.commits || len(key) == 1 && key[0] == 'c'
		} else if compareKeys(last, key) >= 0 {
			return s.fail("keys not strictly ascending")
		}
		last = key
		if !s.take(':') {
			return s.fail("no colon after a key")
		}
		if !s.value(depth) {
			return false
		}
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return s.fail("no comma between members")
		}
	}
}

func (s *scanner) array(depth int) bool {
	if depth > MaxDepth {
		return s.fail("nested too deeply")
	}
	s.i++ // the bracket
	if s.take(']') {
		return true
	}
	for s.value(depth) {
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return s.fail("no comma between elements")
		}
	}
	return false
}

func (s *scanner) value(depth int) bool {
	if s.i == len(s.b) {
		return s.fail("truncated")
	}
	switch c := s.b[s.i]; {
	case c == '"':
		_, ok := s.str()
		return ok
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return s.integer()
	case c == 't' && len(s.b)-s.i >= 4 && string(s.b[s.i:s.i+4]) == "true":
		s.i += 4
		return true
	case c == 'f' && len(s.b)-s.i >= 5 && string(s.b[s.i:s.i+5]) == "false":
		s.i += 5
		return true
	}
	return s.fail("not a canonical value")
}

func (s *scanner) integer() bool {
	minus := s.take('-')
	start, n := s.i, uint64(0)
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		if n = n*10 + uint64(s.b[s.i]-'0'); n > MaxInteger {
			return s.fail("integer outside ±(2^53−1)")
		}
		s.i++
	}
	switch digits := s.i - start; {
	case digits == 0:
		return s.fail("minus without digits")
	case digits > 1 && s.b[start] == '0':
		return s.fail("leading zero")
	case minus && n == 0:
		return s.fail("minus zero")
	}
	// A fraction or exponent is caught by whoever expects the next comma or bracket.
	return true
}

// str passes a string and returns the bytes between its quotes, escapes and all.
func (s *scanner) str() ([]byte, bool) {
	if !s.take('"') {
		return nil, s.fail("no string where one belongs")
	}
	start := s.i
	for {
		n := plainRun(s.b[s.i:])
		if n < 0 {
			return nil, s.fail("not UTF-8")
		}
		if s.i += n; s.i == len(s.b) {
			return nil, s.fail("truncated")
		}
		switch s.b[s.i] {
		case '"':
			s.i++
			return s.b[start : s.i-1], true
		case '\\':
			if !s.escape() {
				return nil, false
			}
		default:
			return nil, s.fail("control character in a string")
		}
	}
}

// escape passes one escape, which must be the one RFC 8785 writes for its character.
func (s *scanner) escape() bool {
	rest := s.b[s.i:]
	if len(rest) >= 2 {
		switch rest[1] {
		case '"', '\\', 'b', 't', 'n', 'f', 'r':
			s.i += 2
			return true
		}
	}
	if len(rest) < 6 || !bytes.HasPrefix(rest, []byte(`\u00`)) {
		return s.fail("escape that canonical JSON does not write")
	}
	hi, lo := unhex(rest[4]), unhex(rest[5])
	if hi > 1 || lo > 15 {
		return s.fail("escape that canonical JSON does not write")
	}
	if c := hi<<4 | lo; c == 0 || shortEscape(c) != 0 {
		return s.fail("escape that canonical JSON does not write")
	}
	s.i += 6
	return true
}

// unhex returns the value of a lower-case hexadecimal digit, 255 for anything else.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// compareKeys orders two escaped strings by the UTF-16 code units of what they mean.
func compareKeys(a, b []byte) int {
	for len(a) > 0 && len(b) > 0 {
		if ca, cb := a[0], b[0]; ca < utf8.RuneSelf && cb < utf8.RuneSelf && ca != '\\' && cb != '\\' {
			if ca != cb {
				return int(ca) - int(cb)
			}
			a, b = a[1:], b[1:]
			continue
		}
		ra, na := decodeKeyRune(a)
		rb, nb := decodeKeyRune(b)
		if ra != rb {
			return compareRunes(ra, rb)
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

// decodeKeyRune returns the first character of a checked escaped string and the bytes it takes.
func decodeKeyRune(b []byte) (rune, int) {
	if b[0] != '\\' {
		return utf8.DecodeRune(b)
	}
	switch b[1] {
	case 'b':
		return '\b', 2
	case 't':
		return '\t', 2
	case 'n':
		return '\n', 2
	case 'f':
		return '\f', 2
	case 'r':
		return '\r', 2
	case 'u':
		return rune(unhex(b[4])<<4 | unhex(b[5])), 6
	}
	return rune(b[1]), 2
}
