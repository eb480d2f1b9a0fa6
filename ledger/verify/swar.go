package verify

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The two walks below look at eight bytes at a time. Package utf8 leaves its fast path for good at the first character
// that is not ASCII, which in German text is soon; half the time of a verification went there.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zeroBytes marks the zero bytes of x in their high bits. Only the lowest mark is exact.
func zeroBytes(x uint64) uint64 { return (x - ones) &^ x & highs }

// textOK reports whether b is UTF-8 without U+0000.
func textOK(b []byte) bool {
	for {
		for len(b) >= 8 {
			x := binary.LittleEndian.Uint64(b)
			marks := zeroBytes(x) | x&highs
			if marks != 0 {
				b = b[bits.TrailingZeros64(marks)/8:]
				break
			}
			b = b[8:]
		}
		if len(b) == 0 {
			return true
		}
		switch c := b[0]; {
		case c == 0:
			return false
		case c < utf8.RuneSelf:
			b = b[1:]
		case twoBytes(c) && len(b) > 1 && b[1]&0xc0 == 0x80:
			b = b[2:]
		default:
			r, n := utf8.DecodeRune(b)
			if r == utf8.RuneError && n == 1 {
				return false
			}
			b = b[n:]
		}
	}
}

// plainRun returns how many bytes at the start of b a canonical JSON string holds as they are, or -1 if they are not
// UTF-8. It stops at a quote, a backslash or a control character.
func plainRun(b []byte) int {
	i := 0
	for {
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			marks := zeroBytes(x^'"'*ones) | zeroBytes(x^'\\'*ones) | (x-0x20*ones)&^x&highs | x&highs
			if marks != 0 {
				i += bits.TrailingZeros64(marks) / 8
				break
			}
			i += 8
		}
		if i == len(b) {
			return i
		}
		switch c := b[i]; {
		case c == '"' || c == '\\' || c < 0x20:
			return i
		case c < utf8.RuneSelf:
			i++
		case twoBytes(c) && i+1 < len(b) && b[i+1]&0xc0 == 0x80:
			i += 2
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return -1
			}
			i += n
		}
	}
}

// twoBytes reports whether c begins a two-byte character: umlauts and their like.
func twoBytes(c byte) bool { return c >= 0xc2 && c <= 0xdf }
