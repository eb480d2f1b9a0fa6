package label

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Held are the values that the holder of a clearance has, by tag.
type Held map[string][]string

// Clearance is what somebody is cleared for, in one policy or in several. It is immutable; copies are cheap. The zero
// Clearance clears nothing. It is an abac.Clearance.
type Clearance struct{ grants *[]grant }

// grant is the part of a clearance that is about one policy.
type grant struct {
	policy *Policy
	rank   int
	held   []Category // sorted by tag; Type is not used
}

// Clearance returns the clearance of the policy up to and including a classification, with the values held of its
// restrictive and permissive tags. A classification or a tag that the policy does not know is an error that wraps
// [ErrPolicy], and so is an informative tag, since it clears nothing.
func (p *Policy) Clearance(classification string, held Held) (Clearance, error) {
	g := grant{policy: p, rank: p.rank(classification)}
	if g.rank < 0 {
		return Clearance{}, fmt.Errorf("label: clearance: classification not known: %w", ErrPolicy)
	}
	for tag, values := range held {
		c := Category{Tag: tag, Type: p.typeOf(tag), Values: slices.Sorted(slices.Values(values))}
		if c.Type != Restrictive && c.Type != Permissive {
			return Clearance{}, fmt.Errorf("label: clearance: tag not known, or informative: %w", ErrPolicy)
		}
		if part, fact := c.fault(); fact != "" {
			return Clearance{}, fmt.Errorf("label: clearance: %s: %s: %w", part, fact, ErrPolicy)
		}
		if p.find(g.held, tag) != nil {
			return Clearance{}, fmt.Errorf("label: clearance: tag repeated: %w", ErrPolicy)
		}
		g.held = append(g.held, c)
	}
	slices.SortFunc(g.held, func(a, b Category) int { return cmp.Compare(a.Tag, b.Tag) })
	return Clearance{&[]grant{g}}, nil
}

// And returns the clearance of who has both. Two about one policy are an error that wraps [ErrPolicy]: which of them
// holds, nobody could tell.
func (c Clearance) And(d Clearance) (Clearance, error) {
	grants := slices.Concat(c.list(), d.list())
	for i := range grants {
		for _, before := range grants[:i] {
			if sameFolded(before.policy.data.Name, grants[i].policy.data.Name) {
				return Clearance{}, fmt.Errorf("label: clearance: policy repeated: %w", ErrPolicy)
			}
		}
	}
	return Clearance{&grants}, nil
}

// Dominates reports whether the holder may see what carries l. It does not allocate.
func (c Clearance) Dominates(l Label) bool {
	for i := range c.list() {
		if (*c.grants)[i].dominates(l) {
			return true
		}
	}
	return false
}

// Clears is [Clearance.Dominates] for a label in an interface; it is false for anything else. It makes Clearance an
// abac.Clearance.
func (c Clearance) Clears(label any) bool {
	l, ok := label.(Label)
	return ok && c.Dominates(l)
}

func (c Clearance) list() []grant {
	if c.grants == nil {
		return nil
	}
	return *c.grants
}

func (g *grant) dominates(l Label) bool {
	rank, fault := g.policy.judge(l)
	if fault != "" || rank > g.rank {
		return false
	}
	for i := range l.spec.Categories {
		c := &l.spec.Categories[i]
		held := g.policy.find(g.held, c.Tag)
		switch {
		case c.Type == Restrictive && !g.policy.subset(c.Values, held):
			return false
		case c.Type == Permissive && !slices.ContainsFunc(c.Values, func(v string) bool { return g.policy.contains(held, v) }):
			return false
		}
	}
	return true
}

// String returns the compact form, such as "NATO:SECRET;Releasable%20To=DEU", policies separated by a blank. It is what
// [ParseClearance] reads.
func (c Clearance) String() string {
	var texts []string
	for _, g := range c.list() {
		var b strings.Builder
		b.WriteString(escape(g.policy.data.Name) + ":" + escape(g.policy.data.Classifications[g.rank].Name))
		for _, h := range g.held {
			b.WriteString(";" + escape(h.Tag) + "=" + escapeList(h.Values))
		}
		texts = append(texts, b.String())
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

// ParseClearance reads the compact form of a clearance whose policies are among those given. Only the text that
// [Clearance.String] writes is accepted; the empty text is the zero Clearance. The error wraps [ErrLabel] or [ErrPolicy].
func ParseClearance(text string, policies ...*Policy) (Clearance, error) {
	var all Clearance
	if len(text) > MaxCompact {
		return all, fmt.Errorf("label: clearance: too long: %w", ErrLabel)
	}
	for one := range strings.SplitSeq(text, " ") {
		if text == "" {
			break
		}
		c, err := parseGrant(one, policies)
		if err != nil {
			return Clearance{}, err
		}
		if all, err = all.And(c); err != nil {
			return Clearance{}, err
		}
	}
	if all.String() != text {
		return Clearance{}, fmt.Errorf("label: clearance: not the canonical text: %w", ErrLabel)
	}
	return all, nil
}

func parseGrant(text string, policies []*Policy) (Clearance, error) {
	head, fields, err := splitCompact(text)
	if err != nil {
		return Clearance{}, err
	}
	held := make(Held, len(fields))
	for _, f := range fields {
		tag, err := unescape(f.key)
		if err != nil {
			return Clearance{}, err
		}
		if held[tag], err = unescapeList(f.value); err != nil {
			return Clearance{}, err
		}
	}
	for _, p := range policies {
		if p.data.Name == head.Policy {
			return p.Clearance(head.Classification, held)
		}
	}
	return Clearance{}, fmt.Errorf("label: clearance: policy not known: %w", ErrPolicy)
}
