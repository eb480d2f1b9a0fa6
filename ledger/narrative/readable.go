package narrative

import (
	"encoding/hex"
	"strings"
)

// Erased stands in a readable sentence for a personal value that was erased (Art. 17 GDPR) or is not disclosed.
const Erased = "[personenbezogener Wert gelöscht]"

// Length of {c:<64 hex>}.
const markLen = len("{c:") + 64 + len("}")

// Readable returns the sentence for people: every commitment of the bound text is replaced by the escaped value that open
// returns for it, or by [Erased] when open reports false. A nil open discloses nothing. Whoever passes openings from
// outside must have checked them against the commitment.
func Readable(bound string, open func(commitment [32]byte) (string, bool)) string {
	var b strings.Builder
	walk(bound, func(text string) { b.WriteString(text) }, func(c [32]byte) {
		if open != nil {
			if value, ok := open(c); ok {
				b.WriteString(Escape(value))
				return
			}
		}
		b.WriteString(Erased)
	})
	return b.String()
}

// Commitments returns the commitments of a bound text in order.
func Commitments(bound string) [][32]byte {
	var all [][32]byte
	walk(bound, func(string) {}, func(c [32]byte) { all = append(all, c) })
	return all
}

// walk splits a bound text. A brace that opens no well-formed mark is ordinary text: imported narratives may hold any.
func walk(bound string, text func(string), mark func([32]byte)) {
	for {
		i := strings.Index(bound, "{c:")
		if i < 0 {
			text(bound)
			return
		}
		c, ok := parseMark(bound[i:])
		if !ok {
			text(bound[:i+1])
			bound = bound[i+1:]
			continue
		}
		text(bound[:i])
		mark(c)
		bound = bound[i+markLen:]
	}
}

func parseMark(s string) (c [32]byte, ok bool) {
	if len(s) < markLen || s[markLen-1] != '}' {
		return c, false
	}
	digits := s[len("{c:") : markLen-1]
	if strings.ToLower(digits) != digits {
		return c, false
	}
	_, err := hex.Decode(c[:], []byte(digits))
	return c, err == nil
}
