package rlstest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// markers recognise a tenant's data in any text: values of its rows that are unlikely to be anybody else's.
type markers []string

// Values shorter than this may turn up by chance.
const (
	minMarker  = 8
	minNumber  = 9  // digits
	maxMarkers = 60 // characters of a value that are looked for
)

var (
	wordRE = regexp.MustCompile(`[0-9A-Za-z@._:+-]{8,}`)
	digits = regexp.MustCompile(`^[0-9]+$`)
)

// markersOf collects what the tenant's rows contain and other rows, names and conditions do not.
func (s *suite) markersOf(tenant uuid.UUID) markers {
	common := map[string]bool{}
	own := map[string]bool{tenant.String(): true}
	for t, byTenant := range s.rows {
		for _, c := range t.conditions() {
			for _, w := range wordRE.FindAllString(c.expr, -1) {
				common[w] = true
			}
		}
		for id, rows := range byTenant {
			into := common
			if id == tenant {
				into = own
			}
			for _, r := range rows {
				for name, v := range r {
					collect(into, t.column(name), v)
				}
			}
		}
	}
	var out markers
	for w := range own {
		if !common[w] {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}

// collect adds the distinctive words of one value.
func collect(into map[string]bool, c *column, v value) {
	if v.kind != isText || c == nil || c.Kind == "e" || c.Category == "B" {
		return
	}
	text := v.text
	if c.Base == "bytea" {
		text = strings.TrimPrefix(text, `\x`)
	}
	for _, w := range wordRE.FindAllString(text, -1) {
		if digits.MatchString(w) && len(w) < minNumber || c.Category == "D" && len(w) < len("12:34:56.123456") {
			continue
		}
		into[w[:min(len(w), maxMarkers)]] = true
	}
}

// in returns the first marker that text shows and the statement does not.
func (m markers) in(text, statement string) string {
	if len(text) < minMarker {
		return ""
	}
	for _, w := range m {
		if strings.Contains(text, w) && !strings.Contains(statement, w) {
			return w
		}
	}
	return ""
}
