package verify

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// CanonicalDetails returns details in canonical form: RFC 8785 restricted to objects, arrays, strings, booleans and
// integers within ±(2^53−1). It accepts string, bool, int, int64, map[string]any and []any; a nil map is {}. Anything
// else (null, floats, invalid UTF-8, U+0000, more than MaxDepth levels, more than MaxDetails bytes) is an error that
// wraps ErrMalformed or ErrTooLarge.
func CanonicalDetails(details map[string]any) ([]byte, error) {
	return AppendDetails(nil, details)
}

// AppendDetails appends the canonical form of details to dst. On an error it returns dst unchanged.
func AppendDetails(dst []byte, details map[string]any) ([]byte, error) {
	b, err := appendObject(dst[len(dst):], details, 1) // limits count from here
	if err != nil {
		return dst, err
	}
	if len(b) > MaxDetails {
		return dst, tooLarge("details", len(b), MaxDetails)
	}
	return append(dst, b...), nil
}

func appendValue(b []byte, value any, depth int) ([]byte, error) {
	if len(b) > MaxDetails {
		return nil, tooLarge("details", len(b), MaxDetails)
	}
	switch x := value.(type) {
	case string:
		return appendString(b, x)
	case bool:
		return strconv.AppendBool(b, x), nil
	case int:
		return appendInteger(b, int64(x))
	case int64:
		return appendInteger(b, x)
	case map[string]any:
		return appendObject(b, x, depth+1)
	case []any:
		return appendArray(b, x, depth+1)
	}
	// The type is a fact about the program, not about the value.
	return nil, malformed("details", fmt.Sprintf("type %T is not canonical", value))
}

func appendInteger(b []byte, n int64) ([]byte, error) {
	if n > MaxInteger || n < -MaxInteger {
		return nil, malformed("details", "integer outside ±(2^53−1)")
	}
	return strconv.AppendInt(b, n, 10), nil
}

func appendArray(b []byte, list []any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, malformed("details", "nested too deeply")
	}
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, v, depth); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, object map[string]any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, malformed("details", "nested too deeply")
	}
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareUTF16)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendString(b, k); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), object[k], depth); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// compareUTF16 orders strings by UTF-16 code units, as RFC 8785 §3.2.3 asks. It differs from byte order only between
// U+E000–U+FFFF and the characters that need surrogates.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		ra, na := utf8.DecodeRuneInString(a)
		rb, nb := utf8.DecodeRuneInString(b)
		if ra != rb {
			return compareRunes(ra, rb)
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

// compareRunes orders two different characters by their UTF-16 code units.
func compareRunes(a, b rune) int {
	ua, ub := a, b
	if a > math.MaxUint16 {
		ua, _ = utf16.EncodeRune(a)
	}
	if b > math.MaxUint16 {
		ub, _ = utf16.EncodeRune(b)
	}
	if ua != ub {
		return int(ua - ub)
	}
	return int(a - b) // same high surrogate: the low ones follow the characters' order
}

func appendString(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, malformed("details", "not UTF-8")
	}
	b = append(b, '"')
	plain := 0 // where a run of bytes that stay begins
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[plain:i]...)
		plain = i + 1
		switch {
		case c == 0:
			return nil, malformed("details", "contains U+0000")
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case shortEscape(c) != 0:
			b = append(b, '\\', shortEscape(c))
		default:
			b = append(b, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	return append(append(b, s[plain:]...), '"'), nil
}

// shortEscape returns the letter of the two-character escape of a control character, or 0.
func shortEscape(c byte) byte {
	switch c {
	case '\b':
		return 'b'
	case '\t':
		return 't'
	case '\n':
		return 'n'
	case '\f':
		return 'f'
	case '\r':
		return 'r'
	}
	return 0
}
