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
	if len(b) == 0 || b[0] != '{' {
		return false, malformed("details", "not an object")
	}
	end := s.object(0, 1)
	if end < 0 {
		return false, malformed("details", s.fault)
	}
	if end != len(b) {
		return false, malformed("details", "bytes after the object")
	}
	return s.commits, nil
}

// scanner walks canonical JSON. Its methods take the position of what they pass and return the one behind it, or -1 for a
// fault, so that the position stays in a register.
type scanner struct {
	b       []byte
	fault   string
	commits bool // an object begins with the key of a commitment
}

func (s *scanner) fail(why string) int {
	s.fault = why
	return -1
}

func (s *scanner) object(i, depth int) int {
	if depth > MaxDepth {
		return s.fail("nested too deeply")
	}
	b := s.b
	i++ // the brace
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	var last []byte
	for first := true; ; first = false {
		end := s.str(i)
		if end < 0 {
			return -1
		}
		key := b[i+1 : end-1]
		if first {
			s.commits = s.commits || len(key) == 1 && key[0] == 'c'
		} else if compareKeys(last, key) >= 0 {
			return s.fail("keys not strictly ascending")
		}
		last = key
		if end == len(b) || b[end] != ':' {
			return s.fail("no colon after a key")
		}
		if i = s.value(end+1, depth); i < 0 {
			return -1
		}
		if i < len(b) && b[i] == '}' {
			return i + 1
		}
		if i == len(b) || b[i] != ',' {
			return s.fail("no comma between members")
		}
		i++
	}
}

func (s *scanner) array(i, depth int) int {
	if depth > MaxDepth {
		return s.fail("nested too deeply")
	}
	b := s.b
	i++ // the bracket
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		if i < len(b) && b[i] == ']' {
			return i + 1
		}
		if i == len(b) || b[i] != ',' {
			return s.fail("no comma between elements")
		}
		i++
	}
}

func (s *scanner) value(i, depth int) int {
	b := s.b
	if i >= len(b) {
		return s.fail("truncated")
	}
	switch c := b[i]; {
	case c == '"':
		return s.str(i)
	case c == '{':
		return s.object(i, depth+1)
	case c == '[':
		return s.array(i, depth+1)
	case c == '-' || c >= '0' && c <= '9':
		return s.integer(i)
	case c == 't' && len(b)-i >= 4 && string(b[i:i+4]) == "true":
		return i + 4
	case c == 'f' && len(b)-i >= 5 && string(b[i:i+5]) == "false":
		return i + 5
	}
	return s.fail("not a canonical value")
}

func (s *scanner) integer(i int) int {
	b := s.b
	minus := b[i] == '-'
	if minus {
		i++
	}
	start, n := i, uint64(0)
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		if n = n*10 + uint64(b[i]-'0'); n > MaxInteger {
			return s.fail("integer outside ±(2^53−1)")
		}
		i++
	}
	switch digits := i - start; {
	case digits == 0:
		return s.fail("minus without digits")
	case digits > 1 && b[start] == '0':
		return s.fail("leading zero")
	case minus && n == 0:
		return s.fail("minus zero")
	}
	// A fraction or exponent is caught by whoever expects the next comma or bracket.
	return i
}

// str passes a string, quotes included.
func (s *scanner) str(i int) int {
	b := s.b
	if i >= len(b) || b[i] != '"' {
		return s.fail("no string where one belongs")
	}
	i++
	for {
		n := plainRun(b[i:])
		if n < 0 {
			return s.fail("not UTF-8")
		}
		if i += n; i == len(b) {
			return s.fail("truncated")
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			if i = s.escape(i); i < 0 {
				return -1
			}
		default:
			return s.fail("control character in a string")
		}
	}
}

// escape passes one escape, which must be the one RFC 8785 writes for its character.
func (s *scanner) escape(i int) int {
	rest := s.b[i:]
	if len(rest) >= 2 {
		switch rest[1] {
		case '"', '\\', 'b', 't', 'n', 'f', 'r':
			return i + 2
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
	return i + 6
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
