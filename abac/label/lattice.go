package label

import (
	"slices"
	"time"
)

// Join returns the least label of the policy that dominates both: what a compilation of the two must carry. It has the
// higher classification, all restrictive values of both and the permissive values that both allow. Where the two are
// releasable to disjoint groups there is no such label, and ok is false: such a compilation must not be made, or be
// labelled by a person. Ok is false, too, unless both labels are of the policy.
//
// Of the parts that decide nothing it keeps all informative values, the later creation and the earlier review; privacy
// mark, originator, id and succession are not combined.
func (p *Policy) Join(a, b Label) (joined Label, ok bool) {
	return p.combine(a, b, func(x, y *Spec, s *Spec, xRank, yRank int) bool {
		if s.Classification = x.Classification; yRank > xRank {
			s.Classification = y.Classification
		}
		for _, c := range x.Categories {
			other := p.find(y.Categories, c.Tag)
			switch {
			case c.Type != Permissive:
				c.Values = p.union(c.Values, other)
			case other != nil:
				c.Values = p.intersection(c.Values, other)
			}
			if len(c.Values) == 0 {
				return false
			}
			s.Categories = append(s.Categories, c)
		}
		for _, c := range y.Categories {
			if p.find(x.Categories, c.Tag) == nil {
				s.Categories = append(s.Categories, c)
			}
		}
		return true
	})
}

// Meet returns the greatest label of the policy that both dominate: the lower classification, the restrictive values that
// both have, and the permissive values of either where both have some. Ok is false unless both labels are of the policy.
// The parts that decide nothing are treated as by [Policy.Join], but only common informative values are kept.
func (p *Policy) Meet(a, b Label) (met Label, ok bool) {
	return p.combine(a, b, func(x, y *Spec, s *Spec, xRank, yRank int) bool {
		if s.Classification = x.Classification; yRank < xRank {
			s.Classification = y.Classification
		}
		for _, c := range x.Categories {
			other := p.find(y.Categories, c.Tag)
			if other == nil {
				continue
			}
			if c.Type == Permissive {
				c.Values = p.union(c.Values, other)
			} else {
				c.Values = p.intersection(c.Values, other)
			}
			if len(c.Values) > 0 {
				s.Categories = append(s.Categories, c)
			}
		}
		return true
	})
}

// combine judges both labels and makes a third of what fill takes from them.
func (p *Policy) combine(a, b Label, fill func(x, y, s *Spec, xRank, yRank int) bool) (Label, bool) {
	xRank, fault := p.judge(a)
	yRank, fault2 := p.judge(b)
	if fault != "" || fault2 != "" {
		return Label{}, false
	}
	s := Spec{
		Policy: p.data.Name, PolicyURI: p.data.URI, Created: later(a.spec.Created, b.spec.Created),
		Review: earlier(a.spec.Review, b.spec.Review),
	}
	if !fill(a.spec, b.spec, &s, xRank, yRank) {
		return Label{}, false
	}
	l, err := New(s) // fails where the two together exceed a limit
	return l, err == nil
}

func (p *Policy) union(a, b []string) []string {
	all := slices.Clone(a)
	for _, v := range b {
		if !p.contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

func (p *Policy) intersection(a, b []string) (common []string) {
	for _, v := range a {
		if p.contains(b, v) {
			common = append(common, v)
		}
	}
	return common
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier knows that a zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
