package label

import (
	"fmt"
	"slices"
	"time"
)

// Equivalence is a table of which classifications of two policies call for equal protection. It is immutable.
type Equivalence struct {
	policies [2]*Policy
	pairs    [][2]int // places in the two hierarchies, ascending in both
	source   string
}

// NewEquivalence returns the table of pairs of classifications, lowest first. A classification that its policy does not
// know, and pairs that do not ascend in both policies, are errors that wrap [ErrPolicy].
func NewEquivalence(a, b *Policy, source string, pairs [][2]string) (*Equivalence, error) {
	e := &Equivalence{policies: [2]*Policy{a, b}, source: source}
	last := [2]int{-1, -1}
	for _, pair := range pairs {
		ranks := [2]int{a.rank(pair[0]), b.rank(pair[1])}
		if ranks[0] <= last[0] || ranks[1] <= last[1] {
			return nil, fmt.Errorf("label: equivalence: unknown classification, or one out of order: %w", ErrPolicy)
		}
		e.pairs, last = append(e.pairs, ranks), ranks
	}
	return e, nil
}

// Source says where the table is from.
func (e *Equivalence) Source() string { return e.source }

// Translate returns the alternative label, made at the time given, that is equivalent to l in the other policy. The
// original stays the one that binds: keep both. It fails where the table has no equivalent, and where l has categories that
// restrict, since what they mean elsewhere is not known; the error wraps [ErrPolicy].
func (e *Equivalence) Translate(l Label, at time.Time) (Label, error) {
	for side, p := range e.policies {
		rank, fault := p.judge(l)
		if fault != "" {
			continue
		}
		if slices.ContainsFunc(l.spec.Categories, func(c Category) bool { return c.Type != Informative }) {
			return Label{}, fmt.Errorf("label: translate: categories that restrict: %w", ErrPolicy)
		}
		for _, pair := range e.pairs {
			if other := e.policies[1-side]; pair[side] == rank {
				return New(Spec{
					Kind: Alternative, Policy: other.data.Name, PolicyURI: other.data.URI,
					Classification: other.data.Classifications[pair[1-side]].Name, Created: at, Review: l.spec.Review,
				})
			}
		}
	}
	return Label{}, fmt.Errorf("label: translate: no equivalent: %w", ErrPolicy)
}
