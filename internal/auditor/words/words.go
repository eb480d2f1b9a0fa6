// Package words holds what the offline verifier says to people, in English and German: on a terminal, in its report and in a browser.
//
// The English text is the key: T("entries") is "entries" or "Einträge". A text without a translation is written as it is, so that a
// new kind of finding is never lost; a test sees to it that there is none.
package words

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Lang is a language: "en" or "de". Any other is English.
type Lang string

// The languages.
const (
	English Lang = "en"
	German  Lang = "de"
)

// T returns a text in the language, with args filled in as fmt does.
func (l Lang) T(text string, args ...any) string {
	if l == German {
		for _, m := range []map[string]string{german, pages, reasons} {
			if t, ok := m[text]; ok {
				text = t
				break
			}
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Number writes a number with its digits in groups of three: 1,234,567, in German 1.234.567.
func (l Lang) Number(n uint64) string {
	separator := ","
	if l == German {
		separator = "."
	}
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + separator + s[i:]
	}
	return s
}

// Time writes a time in UTC to the second, the same in both languages, so that it can be searched for.
func (Lang) Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// Range names one position, or the first and the last.
func (l Lang) Range(first, last uint64) string {
	if first == last {
		return l.T("entry %s", l.Number(first))
	}
	return l.T("entries %s–%s", l.Number(first), l.Number(last))
}

// Where names the position of a finding, or its kind if it has none.
func (l Lang) Where(f verify.Finding) string {
	if !f.Located {
		return l.Kind(f.Kind)
	}
	return l.Range(f.First, f.Last)
}

// Kind names a sort of finding.
func (l Lang) Kind(k verify.Kind) string { return strings.ReplaceAll(l.T(string(k)), "_", " ") }

// Verdict is the verdict in capitals.
func (l Lang) Verdict(v verify.Verdict) string { return strings.ToUpper(l.T(string(v))) }

// Clean makes a text of unknown origin fit to be shown on one line: what could break the line, move the cursor, or reorder or hide text
// is written as an escape.
func Clean(text string) string {
	var b strings.Builder
	rest := text
	for { // braces and backslashes are harmless here
		i := strings.IndexAny(rest, `{}\`)
		if i < 0 {
			break
		}
		b.WriteString(narrative.Escape(rest[:i]))
		b.WriteByte(rest[i])
		rest = rest[i+1:]
	}
	b.WriteString(narrative.Escape(rest))
	return b.String()
}

// UUID writes an id in its usual form.
func UUID(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
