package narrative

import (
	"slices"
	"strings"
)

// Kind is the type of a template's argument.
type Kind uint8

// The kinds. The zero Kind is invalid.
const (
	// Text is a string; it may be a [record.Personal] where the caller knows that the text names a person.
	Text Kind = iota + 1
	// Person is a [record.Personal], never a plain string.
	Person
	// Count is an int or int64 between −(2^53−1) and 2^53−1.
	Count
	// Moment is a time.Time, rendered in UTC with whole seconds.
	Moment
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Text:
		return "text"
	case Person:
		return "person"
	case Count:
		return "count"
	case Moment:
		return "moment"
	}
	return "invalid"
}

// Arg is one argument of a template.
type Arg struct {
	Name string
	Kind Kind
}

// Template is one sentence of the catalogue. It is immutable.
type Template struct {
	id       string
	sentence string
	since    int
	args     []Arg // in the order of the sentence
	byName   []int // indices of args, sorted by name: the order of a form's members
	parts    []part
}

// part is literal text, or the placeholder of args[arg] if literal is empty. Singular and plural follow a Count.
type part struct {
	literal          string
	arg              int
	singular, plural string
}

// ID returns the name by which a [record.Narrative] refers to the template.
func (t *Template) ID() string { return t.id }

// Since returns the catalogue's version that added the template.
func (t *Template) Since() int { return t.since }

// Sentence returns the sentence with its placeholders: {name}, or {name|singular|plural} for a counted noun.
func (t *Template) Sentence() string { return t.sentence }

// Args returns a copy of the arguments in the order in which they first appear in the sentence.
func (t *Template) Args() []Arg { return append([]Arg(nil), t.args...) }

// appendSentence renders t's sentence with the arguments' texts.
func appendSentence[T string | []byte](t *Template, b []byte, texts []T) []byte {
	for _, p := range t.parts {
		if p.literal != "" {
			b = append(b, p.literal...)
			continue
		}
		b = append(b, texts[p.arg]...)
		switch {
		case p.singular == "":
		case string(texts[p.arg]) == "1":
			b = append(append(b, ' '), p.singular...)
		default:
			b = append(append(b, ' '), p.plural...)
		}
	}
	return b
}

// kinds gives each argument name one kind in the whole catalogue, so that callers learn it once.
var kinds = map[string]Kind{
	"user": Person, "subject": Person,
	"at": Moment, "starts": Moment, "ends": Moment,
	"count": Count, "entries": Count, "epoch": Count, "first": Count, "from": Count, "have": Count, "last": Count, "needed": Count,
	"seconds": Count, "seq": Count, "size": Count,
	"action": Text, "agent": Text, "anchor": Text, "approver": Text, "category": Text, "command": Text, "device": Text, "granted": Text,
	"host": Text, "key": Text, "keys": Text, "log": Text, "method": Text, "msp": Text, "patch": Text, "period": Text, "policy": Text,
	"proposal": Text, "reason": Text, "result": Text, "revoked": Text, "risk": Text, "role": Text, "root": Text, "script": Text,
	"second": Text, "solution": Text, "tenant": Text, "version": Text,
}

// compile reads a sentence of the catalogue. It panics on a mistake in the source, which the package's tests would show.
func compile(id, sentence string, since int) *Template {
	t := &Template{id: id, sentence: sentence, since: since}
	for rest := sentence; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			t.parts = append(t.parts, part{literal: rest})
			break
		}
		if open > 0 {
			t.parts = append(t.parts, part{literal: rest[:open]})
		}
		body, after, ok := strings.Cut(rest[open+1:], "}")
		if !ok {
			panic("narrative: template " + id + ": open brace")
		}
		t.placeholder(body)
		rest = after
	}
	for i := range t.args {
		t.byName = append(t.byName, i)
	}
	slices.SortFunc(t.byName, func(a, b int) int { return strings.Compare(t.args[a].Name, t.args[b].Name) })
	return t
}

func (t *Template) placeholder(body string) {
	name, noun, counted := strings.Cut(body, "|")
	kind, known := kinds[name]
	if !known || counted != (kind == Count && counted) {
		panic("narrative: template " + t.id + ": bad placeholder " + body)
	}
	p := part{arg: slices.IndexFunc(t.args, func(a Arg) bool { return a.Name == name })}
	if p.arg < 0 {
		p.arg = len(t.args)
		t.args = append(t.args, Arg{Name: name, Kind: kind})
	}
	p.singular, p.plural, _ = strings.Cut(noun, "|")
	t.parts = append(t.parts, p)
}
