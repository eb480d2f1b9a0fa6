package label

import (
	"cmp"
	"slices"
	"time"
)

// Kind is which of the metadata elements of STANAG 4774 a label is written as.
type Kind uint8

// Kinds of labels.
const (
	Originator  Kind = iota // what the originator of the data assigned; the zero Kind
	Alternative             // an equivalent in another policy
	Metadata                // the label of the metadata itself
	Plain                   // ConfidentialityLabel, for older producers
	kinds
)

// Type is how the values of a category bind.
type Type uint8

// Types of categories.
const (
	Restrictive Type = iota + 1 // all values must be held
	Permissive                  // one of the values must be held
	Informative                 // nothing is demanded
)

// Category is a tag with the values a label gives it.
type Category struct {
	Tag    string
	Type   Type
	Values []string
	URI    string // "urn:oid:…" of the tag set, or empty
}

// OriginatorID names who assigned a label. The zero value is nobody.
type OriginatorID struct {
	Type  string // one of the specification's, such as "rfc822Name"
	Value string
}

// Succession says that another label takes the place of this one at a time. The zero value says nothing.
type Succession struct {
	At    time.Time
	Label Label
}

// Spec is what a [Label] is made from. Policy and Classification are required.
type Spec struct {
	Kind           Kind
	ID             string // identifies the element within its XML document; an XML name without colon
	Policy         string
	PolicyURI      string // "urn:oid:…", or empty
	Classification string
	PrivacyMark    string
	Categories     []Category // in any order
	Originator     OriginatorID
	Created        time.Time // required for the XML form
	Review         time.Time // when the label is to be reviewed; the prose of STANAG 4774 wants it without Succession
	Succession     Succession
}

// Label is a confidentiality label. It is immutable; copies are cheap. Compare with [Label.Equal]. The zero Label is no
// label, and no clearance dominates it.
type Label struct{ spec *Spec }

// New checks spec and returns the label. The error is a *[SpecError].
func New(spec Spec) (Label, error) {
	if err := spec.check(); err != nil {
		return Label{}, err
	}
	spec.Categories = slices.Clone(spec.Categories)
	for i := range spec.Categories {
		c := &spec.Categories[i]
		c.Values = slices.Sorted(slices.Values(c.Values))
	}
	slices.SortFunc(spec.Categories, func(a, b Category) int { return cmp.Compare(a.Tag, b.Tag) })
	for _, t := range []*time.Time{&spec.Created, &spec.Review, &spec.Succession.At} {
		*t = t.UTC().Round(0)
	}
	return Label{&spec}, nil
}

// IsZero reports whether l is no label.
func (l Label) IsZero() bool { return l.spec == nil }

// Policy returns the name of the label's policy, "" for the zero Label.
func (l Label) Policy() string { return l.get().Policy }

// Classification returns the label's classification, "" for the zero Label.
func (l Label) Classification() string { return l.get().Classification }

// Spec returns everything the label holds, as a copy: categories and values sorted, times in UTC.
func (l Label) Spec() Spec {
	s := *l.get()
	s.Categories = slices.Clone(s.Categories)
	for i := range s.Categories {
		s.Categories[i].Values = slices.Clone(s.Categories[i].Values)
	}
	return s
}

// Equal reports whether both labels hold the same in every part, whatever the order their categories were given in.
func (l Label) Equal(m Label) bool {
	if l.spec == m.spec {
		return true
	}
	if l.spec == nil || m.spec == nil {
		return false
	}
	a, b := l.spec, m.spec
	return a.Kind == b.Kind && a.ID == b.ID && a.Policy == b.Policy && a.PolicyURI == b.PolicyURI &&
		a.Classification == b.Classification && a.PrivacyMark == b.PrivacyMark && a.Originator == b.Originator &&
		a.Created.Equal(b.Created) && a.Review.Equal(b.Review) &&
		slices.EqualFunc(a.Categories, b.Categories, Category.equal) &&
		a.Succession.At.Equal(b.Succession.At) && a.Succession.Label.Equal(b.Succession.Label)
}

func (c Category) equal(d Category) bool {
	return c.Tag == d.Tag && c.Type == d.Type && c.URI == d.URI && slices.Equal(c.Values, d.Values)
}

var nothing = &Spec{}

func (l Label) get() *Spec {
	if l.spec == nil {
		return nothing
	}
	return l.spec
}
