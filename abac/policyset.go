package abac

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// PolicySetFormat is the value of a policy set's member "format".
const PolicySetFormat = "tomkit-policy-set/1"

// ErrPolicySet is wrapped by every error about the content of a policy set.
var ErrPolicySet = errors.New("invalid policy set")

// PolicySet is everything that decides besides tokens, as data: what permissions there are, which roles hold them, and under
// what conditions they may be used. Its JSON form is
//
//	{
//	  "format": "tomkit-policy-set/1",
//	  "version": 7,
//	  "min_version": 5,
//	  "permissions": ["commands:execute", "devices:read"],
//	  "roles": [{"name": "technician", "policies": ["*:*"], "reserved": true}],
//	  "constraints": [{"policy": "commands:*", "roles": ["technician"], "when": [{"mfa": {"level": "multi_factor"}}]}]
//	}
//
// with "min_version", "reserved", "roles" of a constraint and "constraints" left out where they are zero. The order of lists
// is kept. See [Condition.UnmarshalJSON] for the form of conditions.
type PolicySet struct {
	// Version grows with every change, from 1. Tokens carry it.
	Version int64
	// MinVersion is the oldest version whose tokens are still accepted; older ones are denied with [StalePolicy] and have
	// to be issued again. Raise it where a right was taken away and must not be used for as long as a token lives.
	MinVersion int64
	// Permissions are all permissions the author knew. A program that asks for others refuses the set: a wildcard would
	// give away what nobody looked at.
	Permissions []string
	Roles       []Role
	Constraints []Constraint
}

type wirePolicySet struct {
	Constraints []wireConstraint `json:"constraints,omitempty"`
	Format      string           `json:"format"`
	MinVersion  int64            `json:"min_version,omitempty"`
	Permissions []string         `json:"permissions"`
	Roles       []wireRole       `json:"roles"`
	Version     int64            `json:"version"`
}

type wireRole struct {
	Name     string   `json:"name"`
	Policies []string `json:"policies"`
	Reserved bool     `json:"reserved,omitempty"`
}

type wireConstraint struct {
	Policy string          `json:"policy"`
	Roles  []string        `json:"roles,omitempty"`
	When   []wireCondition `json:"when"`
}

// ParsePolicySet parses the JSON form and checks the content like [PolicySet.Check]. It is strict: a repeated, unknown,
// null or differently spelled member, a stated default and trailing bytes are errors that wrap [ErrFormat]; white space and
// the order of members are free.
func ParsePolicySet(data []byte) (*PolicySet, error) {
	var w wirePolicySet
	if _, err := decodeStrict(data, &w); err != nil {
		return nil, err
	}
	if w.Format != PolicySetFormat {
		return nil, fmt.Errorf("abac: policy set: another format: %w", ErrFormat)
	}
	p := &PolicySet{Version: w.Version, MinVersion: w.MinVersion, Permissions: w.Permissions}
	for _, r := range w.Roles {
		p.Roles = append(p.Roles, Role(r))
	}
	for i, c := range w.Constraints {
		one := Constraint{Policy: c.Policy, Roles: c.Roles}
		for _, when := range c.When {
			condition, err := when.condition()
			if err != nil {
				return nil, fmt.Errorf("abac: policy set: constraint %d: %w", i, err)
			}
			one.When = append(one.When, condition)
		}
		p.Constraints = append(p.Constraints, one)
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	return p, nil
}

// Canonical checks the set and returns its one JSON form (RFC 8785): what is signed, hashed and compared.
func (p *PolicySet) Canonical() ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	w := wirePolicySet{Format: PolicySetFormat, MinVersion: p.MinVersion, Permissions: p.Permissions, Version: p.Version}
	for _, r := range p.Roles {
		w.Roles = append(w.Roles, wireRole(r))
	}
	for i, c := range p.Constraints {
		one := wireConstraint{Policy: c.Policy, Roles: c.Roles}
		for _, when := range c.When {
			condition, err := when.wire()
			if err != nil {
				return nil, fmt.Errorf("abac: policy set: constraint %d: %w", i, err)
			}
			one.When = append(one.When, condition)
		}
		w.Constraints = append(w.Constraints, one)
	}
	return encodeCanonical(w)
}

// Check returns the first error in the set's content, nil if there is none: see [NewUniverse], [NewRoles] and
// [NewConstraints] for what is wrong, besides versions out of range. For what is merely odd, see [PolicySet.Lint].
func (p *PolicySet) Check() error {
	_, err := p.compile()
	return err
}

func (p *PolicySet) compile() (*Policies, error) {
	switch {
	case p.Version < 1 || p.Version > maxExact || p.MinVersion < 0 || p.MinVersion > p.Version:
		return nil, fmt.Errorf("abac: policy set: version or minimum version out of range: %w", ErrPolicySet)
	case len(p.Permissions) == 0 || len(p.Roles) == 0:
		return nil, fmt.Errorf("abac: policy set: no permissions or no roles: %w", ErrPolicySet)
	}
	universe, err := NewUniverse(p.Permissions...)
	if err != nil {
		return nil, fmt.Errorf("abac: policy set: %w: %w", ErrPolicySet, err)
	}
	return p.within(universe, universe)
}

// within checks the set against its own universe and compiles it for the one of a program.
func (p *PolicySet) within(own, program *Universe) (*Policies, error) {
	roles, err := NewRoles(own, p.Version, p.Roles...)
	if err != nil {
		return nil, fmt.Errorf("abac: policy set: %w: %w", ErrPolicySet, err)
	}
	for i, c := range p.Constraints {
		if err := own.Check([]string{c.Policy}); err != nil { // a constraint on nothing was meant for something
			return nil, fmt.Errorf("abac: policy set: constraint %d: %w: %w", i, ErrPolicySet, err)
		}
	}
	constraints, err := NewConstraints(program, roles, p.Constraints...)
	if err != nil {
		return nil, fmt.Errorf("abac: policy set: %w: %w", ErrPolicySet, err)
	}
	return &Policies{Version: p.Version, MinVersion: p.MinVersion, Roles: roles, Constraints: constraints}, nil
}

// Policies is a [PolicySet] compiled for a program. It must not be changed.
type Policies struct {
	Version, MinVersion int64
	Roles               *Roles
	Constraints         *Constraints
	// Digest is the SHA-256 of the canonical form.
	Digest [sha256.Size]byte
}

// Compile checks the set and compiles it for a program that asks for the permissions of universe. One that the set does not
// list is an error; the set may list more, so that policies can be rolled out before the program that needs them.
func (p *PolicySet) Compile(universe *Universe) (*Policies, error) {
	own, err := p.compile()
	if err != nil {
		return nil, err
	}
	text, err := p.Canonical()
	if err != nil {
		return nil, err
	}
	if universe == nil {
		return nil, fmt.Errorf("abac: policy set: universe is nil")
	}
	for _, name := range universe.names {
		if _, listed := own.Constraints.universe.index[name]; !listed {
			return nil, fmt.Errorf("abac: policy set: a permission the program asks for is not listed: %w", ErrPolicySet)
		}
	}
	compiled, err := p.within(own.Constraints.universe, universe)
	if err != nil {
		return nil, err
	}
	compiled.Digest = sha256.Sum256(text)
	return compiled, nil
}

// Apply returns req under the policies: with their minimum version and constraints.
func (p *Policies) Apply(req Request) Request {
	if p != nil {
		req.MinVersion, req.Constraints = max(req.MinVersion, p.MinVersion), p.Constraints
	}
	return req
}

// TOM6PolicySet returns the roles of TOM 1.3.1 as a policy set, for a product to begin with.
func TOM6PolicySet() *PolicySet {
	return &PolicySet{Version: 1, Permissions: TOM6Permissions(), Roles: slices.Clip(TOM6Roles())}
}
