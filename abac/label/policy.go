package label

import (
	"errors"
	"fmt"
	"slices"
)

// ErrPolicy is wrapped by every error about a policy, and about a label or clearance that a policy does not know.
var ErrPolicy = errors.New("not of this policy")

// Classification is one step of a policy's hierarchy.
type Classification struct {
	Name    string
	Aliases []string // other spellings of the same step
}

// Tag is a category that a policy knows. A label that gives it another type is not of the policy: somebody may have tried
// to turn a restriction into a remark.
type Tag struct {
	Name string
	Type Type
}

// PolicyData is what a [Policy] is made from. Name and Classifications are required.
type PolicyData struct {
	Name string
	URI  string // "urn:oid:…"; a label with another one, or with one where this is empty, is not of the policy
	// CaseSensitive has texts compared as they are. Else case is ignored, as the NATO policy demands.
	CaseSensitive bool
	// Classifications are the steps, lowest first.
	Classifications []Classification
	Tags            []Tag
	// Source says where the data is from.
	Source string
}

// Policy gives labels their meaning. It is immutable and safe for concurrent use. A nil Policy knows no label.
type Policy struct{ data PolicyData }

// NewPolicy checks data and returns the policy.
func NewPolicy(data PolicyData) (*Policy, error) {
	if fact := textFault(data.Name); fact != "" {
		return nil, fmt.Errorf("label: policy: name: %s", fact)
	}
	if fact := optional(data.URI, oidFault); fact != "" {
		return nil, fmt.Errorf("label: policy: URI: %s", fact)
	}
	if len(data.Classifications) == 0 {
		return nil, fmt.Errorf("label: policy: no classification")
	}
	p := &Policy{data: data}
	p.data.Classifications = slices.Clone(data.Classifications)
	p.data.Tags = slices.Clone(data.Tags)
	var names, tags []string
	for i, c := range data.Classifications {
		p.data.Classifications[i].Aliases = slices.Clone(c.Aliases)
		names = append(append(names, c.Name), c.Aliases...)
	}
	for _, t := range data.Tags {
		if t.Type < Restrictive || t.Type > Informative {
			return nil, fmt.Errorf("label: policy: a tag of no type")
		}
		tags = append(tags, t.Name)
	}
	for _, list := range [][]string{names, tags} {
		for i, name := range list {
			if fact := textFault(name); fact != "" {
				return nil, fmt.Errorf("label: policy: classification or tag: %s", fact)
			}
			if p.contains(list[:i], name) {
				return nil, fmt.Errorf("label: policy: classification or tag: repeated")
			}
		}
	}
	return p, nil
}

// Name returns the policy's name.
func (p *Policy) Name() string { return p.data.Name }

// Source says where the policy's data is from.
func (p *Policy) Source() string { return p.data.Source }

// Classifications returns the names of the steps, lowest first.
func (p *Policy) Classifications() (names []string) {
	for _, c := range p.data.Classifications {
		names = append(names, c.Name)
	}
	return names
}

// Label returns the label of the policy with a classification and categories, whose types are the policy's.
func (p *Policy) Label(classification string, categories ...Category) (Label, error) {
	l, err := New(Spec{
		Policy: p.data.Name, PolicyURI: p.data.URI, Classification: classification, Categories: categories,
	})
	if err != nil {
		return Label{}, err
	}
	return l, p.Check(l)
}

// Check returns nil if the policy knows everything that decides in l: its name and URI, the classification, every tag
// and its type. Else the error wraps [ErrPolicy], and nobody's clearance dominates l.
func (p *Policy) Check(l Label) error {
	if _, fact := p.judge(l); fact != "" {
		return fmt.Errorf("label: check: %s: %w", fact, ErrPolicy)
	}
	return nil
}

// judge returns the label's place in the hierarchy, or what the policy does not know about it. It does not allocate.
func (p *Policy) judge(l Label) (rank int, fact string) {
	if p == nil || l.IsZero() {
		return -1, "no policy or no label"
	}
	s := l.spec
	if !p.same(s.Policy, p.data.Name) || s.PolicyURI != "" && s.PolicyURI != p.data.URI {
		return -1, "of another policy"
	}
	if rank = p.rank(s.Classification); rank < 0 {
		return -1, "classification not known"
	}
	for i := range s.Categories {
		if p.typeOf(s.Categories[i].Tag) != s.Categories[i].Type {
			return -1, "tag or its type not known"
		}
	}
	return rank, ""
}

// Dominates reports whether a is at least as restrictive as b: whoever is cleared for a is cleared for b. Both must be of
// the policy; across policies nothing dominates.
func (p *Policy) Dominates(a, b Label) bool {
	high, fault := p.judge(a)
	low, fault2 := p.judge(b)
	if fault != "" || fault2 != "" || high < low {
		return false
	}
	for _, c := range b.spec.Categories {
		mine := p.find(a.spec.Categories, c.Tag)
		switch c.Type {
		case Restrictive:
			if !p.subset(c.Values, mine) {
				return false
			}
		case Permissive:
			if len(mine) == 0 || !p.subset(mine, c.Values) {
				return false
			}
		}
	}
	return true
}

// rank is the place of a classification in the hierarchy, -1 if it has none.
func (p *Policy) rank(classification string) int {
	for i := range p.data.Classifications {
		c := &p.data.Classifications[i]
		if p.same(c.Name, classification) || p.contains(c.Aliases, classification) {
			return i
		}
	}
	return -1
}

// typeOf is the type of a tag, 0 if the policy does not know it.
func (p *Policy) typeOf(tag string) Type {
	for i := range p.data.Tags {
		if p.same(p.data.Tags[i].Name, tag) {
			return p.data.Tags[i].Type
		}
	}
	return 0
}

func (p *Policy) find(categories []Category, tag string) []string {
	for i := range categories {
		if p.same(categories[i].Tag, tag) {
			return categories[i].Values
		}
	}
	return nil
}

func (p *Policy) same(a, b string) bool {
	return a == b || !p.data.CaseSensitive && sameFolded(a, b)
}

func (p *Policy) contains(list []string, text string) bool {
	for _, each := range list {
		if p.same(each, text) {
			return true
		}
	}
	return false
}

func (p *Policy) subset(some, of []string) bool {
	for _, each := range some {
		if !p.contains(of, each) {
			return false
		}
	}
	return true
}
