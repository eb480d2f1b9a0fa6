package abac

import (
	"slices"
	"strings"
)

// Change is what a new policy set changes for one role.
type Change struct {
	Role string `json:"role"`
	// Added and Removed say that only one of the sets has the role.
	Added   bool `json:"added,omitempty"`
	Removed bool `json:"removed,omitempty"`
	// Reserved says that the role became reserved, Released that it no longer is.
	Reserved bool `json:"reserved,omitempty"`
	Released bool `json:"released,omitempty"`
	// Gains and Losses are the permissions of which the role may do more, or less, than before. One permission may be in
	// both, where its conditions became others.
	Gains  []Shift `json:"gains,omitempty"`
	Losses []Shift `json:"losses,omitempty"`
}

// Shift is a change of one permission.
type Shift struct {
	// Permission is one that either set lists or, if Unlisted, stands for those that neither does; "other" in it stands for
	// any name no rule mentions.
	Permission string `json:"permission"`
	Unlisted   bool   `json:"unlisted,omitempty"`
	// Reason is what the other set answers in the Case, where this one allows.
	Reason Reason `json:"reason"`
	// Answer is No where Case shows the change, Unknown where windows of several zones hide it.
	Answer Answer `json:"-"`
	Case   *Case  `json:"-"`
}

// DiffPolicySets says, for every role, what its holders may do under next and not under old, and the other way round. It is
// exact over all permissions and requests; roles that do not change are left out.
func DiffPolicySets(old, next *PolicySet) ([]Change, error) {
	before, err := old.compile()
	if err != nil {
		return nil, err
	}
	after, err := next.compile()
	if err != nil {
		return nil, err
	}
	listed := slices.Clone(old.Permissions)
	for _, p := range next.Permissions {
		if !slices.Contains(listed, p) {
			listed = append(listed, p)
		}
	}
	var changes []Change
	for _, name := range append(before.Roles.Names(), newNames(before.Roles, after.Roles)...) {
		c := Change{Role: name}
		had, hadRole := before.Roles.byName[name]
		has, hasRole := after.Roles.byName[name]
		c.Added, c.Removed = !hadRole, !hasRole
		c.Reserved, c.Released = hadRole && hasRole && !had.Reserved && has.Reserved, hadRole && hasRole && had.Reserved && !has.Reserved
		was, is := before.rights(name), after.rights(name)
		c.Gains, c.Losses = shifts(listed, is, was), shifts(listed, was, is)
		if c.Added || c.Removed || c.Reserved || c.Released || len(c.Gains)+len(c.Losses) > 0 {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// newNames returns the names of roles that are only in after.
func newNames(before, after *Roles) (names []string) {
	for _, name := range after.names {
		if _, had := before.byName[name]; !had {
			names = append(names, name)
		}
	}
	return names
}

// rights returns the rights of a role, none if there is no such role.
func (p *Policies) rights(role string) Rights {
	r, err := p.RoleRights(role)
	if err != nil {
		return Rights{}
	}
	return r
}

// shifts lists what more allows and less does not.
func shifts(listed []string, more, less Rights) (list []Shift) {
	try := func(permission string, unlisted bool) {
		resource, action, _ := strings.Cut(permission, ":")
		c, answer := more.exceeds(less, resource, action)
		if answer == Yes {
			return
		}
		s := Shift{Permission: permission, Unlisted: unlisted, Answer: answer, Case: c}
		if c != nil {
			s.Reason = less.Decide(*c).Reason
		}
		list = append(list, s)
	}
	for _, permission := range listed {
		try(permission, false)
	}
	resources, actions := mentioned(more, less)
	for _, resource := range resources {
		for _, action := range actions {
			if permission := resource + ":" + action; !slices.Contains(listed, permission) {
				try(permission, true)
			}
		}
	}
	return list
}
