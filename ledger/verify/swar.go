package verify

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The two walks below look at eight bytes at a time, characters of two bytes included. Package utf8 leaves its fast path for
// good at the first character that is not ASCII, which in German text is soon; half the time of a verification went there.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zeroBytes marks the zero bytes of x in their high bits, and perhaps bytes above one that is.
func zeroBytes(x uint64) uint64 { return (x - ones) &^ x & highs }

// special marks, in their high bits, the ASCII bytes of x that a canonical JSON string does not hold as they are. Only the
// lowest mark is exact. A flipped bit 1 puts the quote, 0x22, next to the control characters, so that one comparison finds
// both.
func special(x uint64) uint64 {
	t, z := x^0x02*ones, x^'\\'*ones
	return ((t-0x21*ones)&^t | (z-ones)&^z) & highs
}

// pairs reports whether the bytes of x that are not ASCII are characters of two bytes. before is 0x80 if the byte before x
// is the first of a pair, else 0; after is the same for the byte after it.
func pairs(x, before uint64) (after uint64, ok bool) {
	high := x & highs
	first := high & (x << 1)                  // 11......
	next := high &^ (x << 1)                  // 10......
	long := first & (x << 2)                  // 111.....
	short := zeroBytes(x&(0x1e*ones)) & first // 1100000.: an ASCII character in two bytes, or close above one
	return first >> 56, long|short == 0 && next == first<<8|before
}

// textOK reports whether b is UTF-8 without U+0000.
func textOK(b []byte) bool {
	i, open := 0, uint64(0) // open is 0x80 behind the first byte of a pair
	for {
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			if zeroBytes(x) != 0 {
				break
			}
			if x&highs|open != 0 {
				after, ok := pairs(x, open)
				if !ok {
					break
				}
				open = after
			}
			i += 8
		}
		if open != 0 {
			i, open = i-1, 0
		}
		if i == len(b) {
			return true
		}
		n := plainByte(b, i)
		if n == 0 || b[i] == 0 {
			return false
		}
		i += n
	}
}

// plainRun returns how many bytes at the start of b a canonical JSON string holds as they are, or -1 if they are not
// UTF-8. It stops at a quote, a backslash or a control character.
func plainRun(b []byte) int {
	i, open := 0, uint64(0)
	for {
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			marks := special(x)
			if x&highs|open != 0 {
				after, ok := pairs(x, open)
				if marks != 0 || !ok {
					break
				}
				open = after
			} else if marks != 0 {
				return i + bits.TrailingZeros64(marks)/8
			}
			i += 8
		}
		if open != 0 {
			i, open = i-1, 0
		}
		if i == len(b) {
			return i
		}
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
		n := plainByte(b, i)
		if n == 0 {
			return -1
		}
		i += n
	}
}

// plainByte returns how many bytes the character at i takes, 0 if it is none.
func plainByte(b []byte, i int) int {
	c := b[i]
	switch {
	case c < utf8.RuneSelf:
		return 1
	case c >= 0xc2 && c <= 0xdf && i+1 < len(b) && b[i+1]&0xc0 == 0x80: // umlauts and their like
		return 2
	case (c >= 0xe1 && c <= 0xec || c >= 0xee && c <= 0xef) && i+2 < len(b) && b[i+1]&0xc0 == 0x80 && b[i+2]&0xc0 == 0x80: // quotation marks, dashes
		return 3
	}
	if r, n := utf8.DecodeRune(b[i:]); r != utf8.RuneError || n > 1 {
		return n
	}
	return 0
}
