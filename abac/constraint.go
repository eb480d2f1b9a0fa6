package abac

import (
	"fmt"
	"math/bits"
	"slices"
)

// Constraint puts conditions on permissions, whoever holds them: what it covers is allowed only while they hold. It never
// allows anything by itself, so adding one can only take away.
type Constraint struct {
	// Policy says which permissions are constrained, as a policy without "!": "commands:execute", "devices:*", "*:delete".
	Policy string
	// Roles are the roles of the catalogue that are constrained. Empty means everybody.
	Roles []string
	// When are the conditions. All have to hold; there is at least one.
	When []Condition
}

// constraint is a Constraint that was checked.
type constraint struct {
	Policy
	roles []string
	when  []Condition
}

func (c *constraint) binds(role string) bool {
	return len(c.roles) == 0 || slices.Contains(c.roles, role)
}

// Constraints are compiled constraints. They are immutable and safe for concurrent use; nil Constraints constrain nothing.
type Constraints struct {
	universe *Universe
	list     []constraint
	of       [][]uint16 // permission → its constraints
}

// maxConstraints bounds what a policy set may demand.
const maxConstraints = 1024

// NewConstraints checks list and compiles it for universe. A malformed pattern, an unknown role, a condition that is not
// valid, and one without conditions are errors that wrap [ErrConstraint].
func NewConstraints(universe *Universe, roles *Roles, list ...Constraint) (*Constraints, error) {
	if universe == nil || roles == nil || len(list) > maxConstraints {
		return nil, fmt.Errorf("abac: constraints: no universe, no roles, or more than %d: %w", maxConstraints, ErrConstraint)
	}
	c := &Constraints{universe: universe, of: make([][]uint16, universe.Len())}
	for i, one := range list {
		checked, err := one.check(roles)
		if err != nil {
			return nil, fmt.Errorf("abac: constraints: constraint %d: %w", i, err)
		}
		c.list = append(c.list, checked)
		covered := make([]word, universe.words)
		universe.mark(covered, checked.Policy, one.Policy)
		for w := range covered {
			for rest := covered[w].allow; rest != 0; rest &= rest - 1 {
				n := w<<6 + bits.TrailingZeros64(rest)
				c.of[n] = append(c.of[n], uint16(i))
			}
		}
	}
	return c, nil
}

func (c Constraint) check(roles *Roles) (constraint, error) {
	p, err := ParsePolicy(c.Policy)
	if err != nil || p.Deny {
		return constraint{}, fmt.Errorf("malformed pattern: %w", ErrConstraint)
	}
	for i, name := range c.Roles {
		if _, known := roles.byName[name]; !known || slices.Contains(c.Roles[:i], name) {
			return constraint{}, fmt.Errorf("unknown or repeated role: %w", ErrConstraint)
		}
	}
	if len(c.When) == 0 {
		return constraint{}, fmt.Errorf("no condition: %w", ErrConstraint)
	}
	for i := range c.When {
		if err := c.When[i].Err(); err != nil {
			return constraint{}, fmt.Errorf("condition %d: %w: %w", i, ErrConstraint, err)
		}
	}
	return constraint{p, slices.Clone(c.Roles), slices.Clone(c.When)}, nil
}

// check returns Allowed if every constraint on id holds, else the first reason. Constraints of another universe hold for
// nobody: they say nothing about this permission.
func (c *Constraints) check(sub *Subject, req *Request, id ID) Reason {
	if c == nil {
		return Allowed
	}
	if c.universe != id.universe || id.bit == 0 {
		return InvalidCondition
	}
	n := int(id.word)<<6 + bits.TrailingZeros64(id.bit)
	for _, i := range c.of[n] {
		if one := &c.list[i]; one.binds(sub.Role) {
			if _, reason := one.firstFailing(sub, req, c.universe.names[n]); reason != Allowed {
				return reason
			}
		}
	}
	return Allowed
}

func (c *constraint) firstFailing(sub *Subject, req *Request, permission string) (*Condition, Reason) {
	for i := range c.when {
		if reason := c.when[i].check(sub, req, permission); reason != Allowed {
			return &c.when[i], reason
		}
	}
	return nil, Allowed
}
