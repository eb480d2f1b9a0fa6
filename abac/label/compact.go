package label

import (
	"fmt"
	"strings"
	"time"
)

// compactTime is the basic format of ISO 8601, which needs no escapes.
const compactTime = "20060102T150405.999999999Z"

var (
	kindNames = [kinds]string{"originator", "alternative", "metadata", "plain"}
	typeNames = map[Type]string{Restrictive: "all", Permissive: "any", Informative: "info"}
	typesBy   = map[string]Type{"all": Restrictive, "any": Permissive, "info": Informative}
)

// String returns the compact form, "" for the zero Label. It is ASCII without blanks, fit for a header or a column:
//
//	TLP:AMBER+STRICT
//	NATO:SECRET;all:Additional%20Sensitivity=ATOMAL;any:Releasable%20To=DEU,FRA;created=20261129T010000Z
//
// Categories are named all (restrictive), any (permissive) or info and sorted by tag; kind, id, uri, mark, by
// (originator), created, review and next (succession) follow in this order where they are set. Bytes other than letters,
// digits and -._~+/@ are %-escaped.
func (l Label) String() string {
	if l.IsZero() {
		return ""
	}
	s := l.spec
	var b strings.Builder
	b.WriteString(escape(s.Policy) + ":" + escape(s.Classification))
	for _, c := range s.Categories {
		b.WriteString(";" + typeNames[c.Type] + ":" + escape(c.Tag) + "=" + escapeList(c.Values))
		if c.URI != "" {
			b.WriteString("," + strings.TrimPrefix(c.URI, "urn:")) // a colon no value can have
		}
	}
	field := func(key, value string) {
		if value != "" {
			b.WriteString(";" + key + "=" + value)
		}
	}
	if s.Kind != Originator {
		field("kind", kindNames[s.Kind])
	}
	field("id", escape(s.ID))
	field("uri", escape(s.PolicyURI))
	field("mark", escape(s.PrivacyMark))
	if s.Originator != (OriginatorID{}) {
		field("by", s.Originator.Type+","+escape(s.Originator.Value))
	}
	field("created", formatCompact(s.Created))
	field("review", formatCompact(s.Review))
	if !s.Succession.Label.IsZero() {
		field("next", formatCompact(s.Succession.At)+","+escape(s.Succession.Label.String()))
	}
	return b.String()
}

// Parse reads the compact form. Only the text that [Label.String] writes is accepted, so texts are equal exactly if labels
// are. The error wraps [ErrLabel].
func Parse(text string) (Label, error) { return parseCompact(text, 0) }

func parseCompact(text string, depth int) (Label, error) {
	if len(text) > MaxCompact || depth >= MaxSuccessions {
		return Label{}, fmt.Errorf("label: parse: too long: %w", ErrLabel)
	}
	s, fields, err := splitCompact(text)
	if err != nil {
		return Label{}, err
	}
	for _, f := range fields {
		if err := s.setCompact(f, depth); err != nil {
			return Label{}, err
		}
	}
	l, err := New(s)
	if err != nil {
		return Label{}, err
	}
	if l.String() != text { // another order, a needless escape, an empty field
		return Label{}, fmt.Errorf("label: parse: not the canonical text: %w", ErrLabel)
	}
	return l, nil
}

// MarshalText returns the compact form.
func (l Label) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the compact form; the empty text is the zero Label.
func (l *Label) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*l = Label{}
		return nil
	}
	*l, err = Parse(string(text))
	return err
}

// field is "key=value" as written.
type field struct{ key, value string }

// splitCompact reads policy and classification and splits the fields.
func splitCompact(text string) (s Spec, fields []field, err error) {
	head, rest, more := strings.Cut(text, ";")
	policy, classification, ok := strings.Cut(head, ":")
	if !ok {
		return s, nil, fmt.Errorf("label: parse: no policy: %w", ErrLabel)
	}
	if s.Policy, err = unescape(policy); err != nil {
		return s, nil, err
	}
	if s.Classification, err = unescape(classification); err != nil {
		return s, nil, err
	}
	for more {
		var one string
		one, rest, more = strings.Cut(rest, ";")
		key, value, ok := strings.Cut(one, "=")
		if !ok || len(fields) == MaxCategories+8 {
			return s, nil, fmt.Errorf("label: parse: field %d: no value, or one too many: %w", len(fields), ErrLabel)
		}
		fields = append(fields, field{key, value})
	}
	return s, fields, nil
}

// setCompact takes one field over. What was set before is overwritten and found by the comparison of texts in the end.
func (s *Spec) setCompact(f field, depth int) (err error) {
	if name, tag, isCategory := strings.Cut(f.key, ":"); isCategory {
		return s.addCompact(typesBy[name], tag, f.value)
	}
	switch f.key {
	case "kind":
		for k, name := range kindNames {
			if name == f.value {
				s.Kind = Kind(k)
			}
		}
	case "id":
		s.ID, err = unescape(f.value)
	case "uri":
		s.PolicyURI, err = unescape(f.value)
	case "mark":
		s.PrivacyMark, err = unescape(f.value)
	case "by":
		kind, value, _ := strings.Cut(f.value, ",")
		s.Originator.Type = kind
		s.Originator.Value, err = unescape(value)
	case "created":
		s.Created, err = parseCompactTime(f.value)
	case "review":
		s.Review, err = parseCompactTime(f.value)
	case "next":
		err = s.succeedCompact(f.value, depth)
	default:
		err = fmt.Errorf("label: parse: field not known: %w", ErrLabel)
	}
	return err
}

func (s *Spec) addCompact(t Type, tag, values string) (err error) {
	c := Category{Type: t}
	if c.Tag, err = unescape(tag); err != nil {
		return err
	}
	if head, oid, ok := strings.Cut(values, ",oid:"); ok {
		values, c.URI = head, "urn:oid:"+oid
	}
	if c.Values, err = unescapeList(values); err != nil {
		return err
	}
	s.Categories = append(s.Categories, c)
	return nil
}

func (s *Spec) succeedCompact(value string, depth int) error {
	at, text, _ := strings.Cut(value, ",")
	next, err := unescape(text)
	if err != nil {
		return err
	}
	if s.Succession.At, err = parseCompactTime(at); err != nil {
		return err
	}
	s.Succession.Label, err = parseCompact(next, depth+1)
	return err
}

func formatCompact(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(compactTime)
}

func parseCompactTime(text string) (time.Time, error) {
	t, err := time.Parse(compactTime, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("label: parse: malformed time: %w", ErrLabel)
	}
	return t, nil
}

const hexDigits = "0123456789ABCDEF"

// unreserved are the bytes that need no escape in the compact form.
var unreserved = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/@") {
		t[c] = true
	}
	return t
}()

func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unreserved[c] {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

func escapeList(list []string) string {
	escaped := make([]string, len(list))
	for i, v := range list {
		escaped[i] = escape(v)
	}
	return strings.Join(escaped, ",")
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case unreserved[c]:
			b.WriteByte(c)
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(byte(strings.IndexByte(hexDigits, s[i+1])<<4 | strings.IndexByte(hexDigits, s[i+2])))
			i += 2
		default:
			return "", fmt.Errorf("label: parse: byte that must be escaped: %w", ErrLabel)
		}
	}
	return b.String(), nil
}

func isHex(c byte) bool { return strings.IndexByte(hexDigits, c) >= 0 }

func unescapeList(s string) (list []string, err error) {
	for one := range strings.SplitSeq(s, ",") {
		if len(list) == MaxValues {
			return nil, fmt.Errorf("label: parse: too many values: %w", ErrLabel)
		}
		v, err := unescape(one)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
