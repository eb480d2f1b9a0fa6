package abac

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrRole is wrapped by errors about a role definition or an unknown role.
var ErrRole = errors.New("invalid role")

// ErrConstraint is wrapped by errors about a [Constraint].
var ErrConstraint = errors.New("invalid constraint")

// Role is a named list of policies. Roles are data: a product changes them without changing code.
type Role struct {
	// Name is what tokens carry: a label of the policy grammar, such as "technician".
	Name string
	// Policies are the role's policy texts.
	Policies []string
	// Reserved means that only holders of this role may grant it.
	Reserved bool
}

// Individual is the source [Set.Explain] names for a policy that a token carries beyond its role's.
const Individual = "individual"

// Roles is a checked, versioned catalogue of roles. It is immutable and safe for concurrent use.
type Roles struct {
	version int64
	names   []string
	byName  map[string]Role
}

// NewRoles checks roles against universe and returns the catalogue with that version. Checking is strict, since a typing
// error in a role is a hole or a lock-out: a malformed or repeated policy, a policy that covers no registered permission, a
// malformed or repeated name and a role without policies are errors that wrap [ErrRole].
func NewRoles(universe *Universe, version int64, roles ...Role) (*Roles, error) {
	if universe == nil || version < 0 {
		return nil, fmt.Errorf("abac: roles: universe is nil or version negative")
	}
	r := &Roles{version: version, byName: make(map[string]Role, len(roles))}
	for _, role := range roles {
		if _, fact := checkSegment(role.Name, false, false); fact != "" {
			return nil, fmt.Errorf("abac: roles: name of role %d: %s: %w", len(r.names), fact, ErrRole)
		}
		if _, twice := r.byName[role.Name]; twice {
			return nil, fmt.Errorf("abac: roles: %s: defined twice: %w", role.Name, ErrRole)
		}
		if err := universe.Check(role.Policies); err != nil {
			return nil, fmt.Errorf("abac: roles: %s: %w: %w", role.Name, ErrRole, err)
		}
		role.Policies = slices.Clone(role.Policies)
		r.names = append(r.names, role.Name)
		r.byName[role.Name] = role
	}
	return r, nil
}

// Check reports the first fault of a policy list under strict rules: empty, malformed, repeated, or covering no registered
// permission. Use it where people write policies; what tokens carry is compiled with [Universe.Compile].
func (u *Universe) Check(policies []string) error {
	if len(policies) == 0 || len(policies) > MaxPolicies {
		return fmt.Errorf("abac: check: %d policies, want 1 to %d", len(policies), MaxPolicies)
	}
	for i, text := range policies {
		p, err := ParsePolicy(text)
		if err != nil {
			return fmt.Errorf("abac: check: policy %d: %w", i, err)
		}
		if slices.Contains(policies[:i], text) {
			return fmt.Errorf("abac: check: policy %d: repeated", i)
		}
		covered := make([]word, u.words)
		u.mark(covered, p, strings.TrimPrefix(text, "!"))
		if !slices.ContainsFunc(covered, func(w word) bool { return w != word{} }) {
			return fmt.Errorf("abac: check: policy %d: covers no registered permission", i)
		}
	}
	return nil
}

// Version returns the catalogue's version, which tokens carry as their policy version.
func (r *Roles) Version() int64 { return r.version }

// Names returns the names of the roles in the order they were given.
func (r *Roles) Names() []string { return slices.Clone(r.names) }

// Role returns the role called name, with a copy of its policies.
func (r *Roles) Role(name string) (Role, bool) {
	role, ok := r.byName[name]
	role.Policies = slices.Clone(role.Policies)
	return role, ok
}

// attribute parts policies into those of role and the rest. A nil catalogue attributes all to role.
func (r *Roles) attribute(role string, policies []string) (own, granted Source) {
	own, granted = Source{Role: role, Policies: policies}, Source{Role: Individual}
	if r == nil {
		return own, granted
	}
	own.Policies = nil
	for _, p := range policies {
		if slices.Contains(r.byName[role].Policies, p) {
			own.Policies = append(own.Policies, p)
		} else {
			granted.Policies = append(granted.Policies, p)
		}
	}
	return own, granted
}
