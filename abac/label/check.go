package label

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of a label. They bound what a written label can make a reader do.
const (
	MaxText        = 256      // bytes of any single text
	MaxCategories  = 64       // categories of a label
	MaxValues      = 256      // values of a category
	MaxSuccessions = 4        // labels that succeed one another
	MaxXML         = 64 << 10 // bytes of the XML form
	MaxCompact     = 16 << 10 // bytes of the compact form
)

// ErrLabel is wrapped by every error about a label or its written forms.
var ErrLabel = errors.New("invalid label")

// A SpecError says which part of a [Spec] is not valid, without repeating it.
type SpecError struct {
	Part string // such as "Classification" or "Categories[2].Values[0]"
	Fact string // what is wrong there
}

// Error returns part and fact.
func (e *SpecError) Error() string { return fmt.Sprintf("label: new: %s: %s", e.Part, e.Fact) }

// Unwrap returns [ErrLabel].
func (e *SpecError) Unwrap() error { return ErrLabel }

// OriginatorTypes are the types of originator ids that STANAG 4774 knows.
func OriginatorTypes() []string { return slices.Clone(originatorTypes) }

var originatorTypes = []string{
	"rfc822Name", "dNSName", "directoryName", "uniformResourceIdentifier", "iPAddress", "x400Address", "userPrincipalName",
	"jID",
}

func (s *Spec) check() error {
	for _, part := range []struct{ name, fact string }{
		{"Kind", unless(s.Kind < kinds, "not known")},
		{"ID", optional(s.ID, nameFault)},
		{"Policy", textFault(s.Policy)},
		{"PolicyURI", optional(s.PolicyURI, oidFault)},
		{"Classification", textFault(s.Classification)},
		{"PrivacyMark", optional(s.PrivacyMark, textFault)},
		{"Originator", s.Originator.fault()},
		{"Created", timeFault(s.Created)},
		{"Review", timeFault(s.Review)},
		{"Succession", s.Succession.fault()},
		{"Categories", unless(len(s.Categories) <= MaxCategories, "too many")},
	} {
		if part.fact != "" {
			return &SpecError{part.name, part.fact}
		}
	}
	for i, c := range s.Categories {
		if part, fact := c.fault(); fact != "" {
			return &SpecError{fmt.Sprintf("Categories[%d].%s", i, part), fact}
		}
		for _, before := range s.Categories[:i] {
			if fold(before.Tag) == fold(c.Tag) {
				return &SpecError{fmt.Sprintf("Categories[%d].Tag", i), "repeated"}
			}
		}
	}
	return nil
}

func (c Category) fault() (part, fact string) {
	if fact = textFault(c.Tag); fact != "" {
		return "Tag", fact
	}
	if c.Type < Restrictive || c.Type > Informative {
		return "Type", "not known"
	}
	if fact = optional(c.URI, oidFault); fact != "" {
		return "URI", fact
	}
	if len(c.Values) == 0 || len(c.Values) > MaxValues { // none: readers differ about what that permits
		return "Values", "none, or too many"
	}
	seen := make(map[string]bool, len(c.Values))
	for i, v := range c.Values {
		if fact = textFault(v); fact == "" && seen[fold(v)] {
			fact = "repeated"
		}
		if fact != "" {
			return fmt.Sprintf("Values[%d]", i), fact
		}
		seen[fold(v)] = true
	}
	return "", ""
}

func (o OriginatorID) fault() string {
	switch {
	case o == OriginatorID{}:
		return ""
	case !slices.Contains(originatorTypes, o.Type):
		return "type not known"
	}
	return textFault(o.Value)
}

// fault knows that a successor is a base label: STANAG 4774 gives it neither id nor kind nor review time.
func (s Succession) fault() string {
	if s.At.IsZero() && s.Label.IsZero() {
		return ""
	}
	next := s.Label.get()
	switch {
	case s.At.IsZero() || s.Label.IsZero():
		return "time without label, or label without time"
	case next.Kind != Originator || next.ID != "" || !next.Review.IsZero():
		return "a successor has no kind, id or review time"
	case s.Label.successions() >= MaxSuccessions:
		return "too many, one in the other"
	}
	return timeFault(s.At)
}

// successions is the number of labels in the chain that l begins.
func (l Label) successions() (n int) {
	for ; !l.IsZero(); n++ {
		l = l.spec.Succession.Label
	}
	return n
}

// textFault says what is wrong with a text: it is to look like itself, so what is invisible is refused, and blanks that a
// reader might trim or collapse.
func textFault(s string) string {
	switch {
	case s == "":
		return "empty"
	case len(s) > MaxText:
		return "too long"
	case !utf8.ValidString(s):
		return "not UTF-8"
	case s[0] == ' ' || s[len(s)-1] == ' ' || strings.Contains(s, "  "):
		return "blanks at an end, or two in a row"
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }):
		return "characters that cannot be seen"
	}
	return ""
}

// oidFault admits "urn:oid:" and arcs of digits separated by dots.
func oidFault(s string) string {
	arcs, ok := strings.CutPrefix(s, "urn:oid:")
	if !ok || len(s) > MaxText {
		return "not an urn:oid"
	}
	for arc := range strings.SplitSeq(arcs, ".") {
		if arc == "" || strings.Trim(arc, "0123456789") != "" || len(arc) > 1 && arc[0] == '0' {
			return "not an urn:oid"
		}
	}
	return ""
}

// nameFault admits the ASCII names of xs:ID.
func nameFault(s string) string {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '-' && c != '.' && (c < '0' || c > '9')) {
			return "not an XML name"
		}
	}
	return unless(len(s) <= MaxText, "too long")
}

func timeFault(t time.Time) string {
	return unless(t.IsZero() || t.UTC().Year() >= 1 && t.UTC().Year() <= 9999, "year outside 1 to 9999")
}

func optional(s string, fault func(string) string) string {
	if s == "" {
		return ""
	}
	return fault(s)
}

func unless(ok bool, fact string) string {
	if ok {
		return ""
	}
	return fact
}

// fold is the form in which texts of a policy that ignores case are the same: upper case in ASCII and Latin-1. Beyond, case
// is a matter of language, and nothing is folded.
func fold(s string) string {
	return strings.Map(foldRune, s)
}

func foldRune(r rune) rune {
	if r <= unicode.MaxLatin1 {
		if upper := unicode.ToUpper(r); upper <= unicode.MaxLatin1 {
			return upper
		}
	}
	return r
}

// sameFolded reports whether fold(a) == fold(b), without allocating.
func sameFolded(a, b string) bool {
	for a != "" && b != "" {
		r, n := utf8.DecodeRuneInString(a)
		q, m := utf8.DecodeRuneInString(b)
		if r != q && foldRune(r) != foldRune(q) {
			return false
		}
		a, b = a[n:], b[m:]
	}
	return a == b
}
