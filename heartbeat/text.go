package heartbeat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkText refuses what a console, a log or PostgreSQL's jsonb could stumble over.
func checkText(field, s string, lowest, highest int) error {
	if len(s) < lowest {
		return invalid(field, "missing")
	}
	if len(s) > highest {
		return invalid(field, "longer than %d bytes", highest)
	}
	for _, r := range s {
		if !printable(r) {
			return invalid(field, "not printable text")
		}
	}
	return nil
}

// printable excludes control, format (bidirectional, zero width) and private characters, and U+FFFD, which stands for
// bytes that were no UTF-8.
func printable(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }

// Clip makes text of foreign origin fit the limits of this package: it drops what is not printable, trims spaces and
// cuts at the last whole character within limit bytes. The result may be empty.
func Clip(s string, limit int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !printable(r) {
			return -1
		}
		return r
	}, s))
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.TrimSpace(s[:limit])
}
