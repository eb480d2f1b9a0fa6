package pgledger

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

// Personal values shorter than shortestPersonal match too much by accident; those shorter than anywherePersonal count only
// where they stand as a word of their own: a user named Max does not make "Maximum" personal.
const (
	shortestPersonal = 3
	anywherePersonal = 7
)

// refusePersonalText refuses an event that would write one of its own personal values where it cannot be erased, or a mail
// address as identifier. It finds what a caller forgot to mark in this event, not what no value of it names.
func refusePersonalText(ev *record.Event, openings []ledger.Opening) error {
	if looksLikeMail(ev.EntityID) {
		return personalText("entity_id looks like a mail address")
	}
	for i := range openings {
		value := openings[i].Value
		if utf8.RuneCountInString(value) < shortestPersonal {
			continue
		}
		switch {
		case mentions(ev.EntityID, value):
			return personalText("entity_id holds a personal value of the event")
		case mentionedIn(ev.Details, value):
			return personalText("a detail that is not marked holds a personal value of the event")
		case mentionedIn(ev.Narrative.Args, value):
			return personalText("an argument of the narrative that is not marked holds a personal value of the event")
		}
	}
	return nil
}

func personalText(fact string) error {
	return fmt.Errorf("%w: %w: %s", ledger.ErrInvalid, ledger.ErrPersonalText, fact)
}

func mentionedIn(v any, value string) bool {
	switch x := v.(type) {
	case string:
		return mentions(x, value)
	case map[string]any:
		for k, v := range x {
			if mentions(k, value) || mentionedIn(v, value) {
				return true
			}
		}
	case []any:
		for _, v := range x {
			if mentionedIn(v, value) {
				return true
			}
		}
	}
	return false
}

// mentions reports whether text holds value, in upper or lower case.
func mentions(text, value string) bool {
	if len(text) < len(value) && isASCII(text) {
		return false // nothing that folds to ASCII is shorter
	}
	text, value = strings.ToLower(text), strings.ToLower(value) // without a copy where there is nothing to lower
	for from := 0; ; {
		i := strings.Index(text[from:], value)
		if i < 0 {
			return false
		}
		at := from + i
		if utf8.RuneCountInString(value) >= anywherePersonal || isWord(text, at, at+len(value)) {
			return true
		}
		from = at + 1
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isWord reports whether neither a letter nor a digit continues text[from:to].
func isWord(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	after, _ := utf8.DecodeRuneInString(text[to:])
	inWord := func(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
	return !inWord(before) && !inWord(after)
}

// looksLikeMail reports whether s reads like a mail address: one @ between a local part and a domain with a dot.
func looksLikeMail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || strings.ContainsAny(s, " /:") {
		return false
	}
	dot := strings.IndexByte(domain, '.')
	return dot > 0 && dot < len(domain)-1 && !strings.Contains(domain, "@")
}
