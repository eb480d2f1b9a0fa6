package narrative

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// escaped lists what is never written as itself, in ascending ranges: C0 and C1 controls, the soft hyphen, Arabic and Mongolian
// format characters, zero-width characters, bidi marks, embeddings, overrides and isolates, line and paragraph separators,
// invisible operators, the byte order mark, interlinear annotation, non-characters and tags; besides, the backslash and braces.
var escaped = [][2]rune{
	{0x00, 0x1f}, {'\\', '\\'}, {'{', '{'}, {'}', '}'}, {0x7f, 0x9f}, {0xad, 0xad}, {0x34f, 0x34f}, {0x600, 0x605},
	{0x61c, 0x61c}, {0x6dd, 0x6dd}, {0x70f, 0x70f}, {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},
	{0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0},
	{0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}, {0x10fffe, 0x10ffff},
}

// firstMark is the first character that can join the one before it into another (Unicode normal form C).
const firstMark = 0x300

// Escape returns text as it stands in a narrative: in Unicode normal form C, with every character that could break the line,
// reorder or hide text, or forge a commitment written as \\, \uXXXX or \UXXXXXXXX, and every byte that is no UTF-8 as \xXX.
// The set is fixed: controls (C0, DEL, C1), format and zero-width characters, bidi marks, embeddings, overrides and isolates,
// line and paragraph separators, fillers, variation selectors, tags and non-characters, besides backslash and braces. A
// combining mark at the beginning or behind an escape is escaped too: it would join the sentence, or the escape's last digit.
func Escape(text string) string {
	if plain(text) {
		return text
	}
	text = norm.NFC.String(text)
	var b strings.Builder
	alone := true // there is nothing in front that a mark may join
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
			alone = true
		case r == '\\':
			b.WriteString(`\\`)
			alone = true
		case mustEscape(r), alone && r >= firstMark && !norm.NFC.PropertiesString(text[i:]).BoundaryBefore():
			writeEscape(&b, r)
			alone = true
		default:
			b.WriteRune(r)
			alone = false
		}
		i += n
	}
	return b.String()
}

// plain reports whether text is printable ASCII that needs no escape: the usual case, without an allocation.
func plain[T string | []byte](text T) bool {
	for i := range len(text) {
		c := text[i]
		if c < 0x20 || c > 0x7e || c == '\\' || c == '{' || c == '}' {
			return false
		}
	}
	return true
}

func writeEscape(b *strings.Builder, r rune) {
	if r < 0x10000 {
		fmt.Fprintf(b, `\u%04x`, r)
		return
	}
	fmt.Fprintf(b, `\U%08x`, r)
}

func mustEscape(r rune) bool {
	for _, e := range escaped {
		if r < e[0] {
			return false
		}
		if r <= e[1] {
			return true
		}
	}
	return r&0xfffe == 0xfffe
}
