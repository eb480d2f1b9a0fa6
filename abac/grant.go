package abac

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
)

// ErrEscalation is wrapped by every refusal of [Roles.CanGrant].
var ErrEscalation = errors.New("grant exceeds the granter's rights")

// Grant is a change of somebody's rights before it is made.
type Grant struct {
	To     uuid.UUID // the user whose rights are set
	Tenant uuid.UUID // the tenant in which they will hold
	Role   string    // the role they will have, of the catalogue
	// Individual are the policies they will have beyond the role's.
	Individual []string
}

// EscalationRule names the rule of granting that a [Grant] broke.
type EscalationRule string

// The rules of granting.
const (
	GranterInvalid  EscalationRule = "granter_invalid"   // no granter, or its policies are void
	GrantInvalid    EscalationRule = "grant_invalid"     // unknown role, void policies or ones of another universe
	NotToSelf       EscalationRule = "not_to_self"       // nobody changes their own rights
	OtherTenant     EscalationRule = "other_tenant"      // the grant is for another tenant than the granter works in
	RoleReserved    EscalationRule = "role_reserved"     // only holders of the role may grant it
	BeyondOwnRights EscalationRule = "beyond_own_rights" // the grant allows what the granter may not do
	DenyDropped     EscalationRule = "deny_dropped"      // the grant lacks a deny that binds the granter
)

// An EscalationError says which rule a grant broke and, for the last two rules, gives one permission as proof.
type EscalationError struct {
	Rule EscalationRule
	// Permission is a registered permission that shows the breach, or, where only unregistered ones do, the resource and
	// action of one; "other" in it stands for any name no rule mentions.
	Permission string
}

// Error names the rule only.
func (e *EscalationError) Error() string {
	return fmt.Sprintf("abac: grant: %s: %v", e.Rule, ErrEscalation)
}

// Unwrap returns [ErrEscalation].
func (e *EscalationError) Unwrap() error { return ErrEscalation }

// CanGrant returns nil if granter may make the grant, else an *[EscalationError]. Nobody grants what they may not do
// themselves, drops a deny that binds them, changes their own rights or reaches into another tenant, and a reserved role
// is granted by its holders only. Both sets are compared over every permission there can be, not only the registered ones:
// "*:*" is more than a list of everything there is today.
//
// Whether granter may grant at all ("iam:write") is decided before, like every other permission.
func (r *Roles) CanGrant(granter *Subject, g Grant) error {
	if granter == nil || granter.ID == uuid.Nil || granter.Set == nil || granter.Set.universe == nil || granter.Set.void != nil {
		return &EscalationError{Rule: GranterInvalid}
	}
	role, known := r.byName[g.Role]
	granted, err := granter.Set.universe.Compile(Source{Policies: role.Policies}, Source{Policies: g.Individual})
	if !known || err != nil || g.To == uuid.Nil {
		return &EscalationError{Rule: GrantInvalid}
	}
	switch {
	case granter.ID == g.To:
		return &EscalationError{Rule: NotToSelf}
	case g.Tenant == uuid.Nil || granter.Tenant != g.Tenant:
		return &EscalationError{Rule: OtherTenant}
	case role.Reserved && granter.Role != role.Name:
		return &EscalationError{Rule: RoleReserved}
	}
	if err := withinRegistered(granter.Set, granted); err != nil {
		return err
	}
	return withinAll(granter.Set, granted)
}

// withinRegistered compares bitsets, two operations a word.
func withinRegistered(own, granted *Set) error {
	for w, mine := range own.words {
		if excess := granted.words[w].allow &^ mine.allow; excess != 0 {
			return escalation(BeyondOwnRights, own.universe.first(w, excess))
		}
		if lost := mine.deny &^ granted.words[w].deny; lost != 0 {
			return escalation(DenyDropped, own.universe.first(w, lost))
		}
	}
	return nil
}

// withinAll compares the sets over one representative of every kind of permission. Rules tell two resources apart only if
// one of them lies under a resource that a rule mentions and the other does not, and likewise for actions; so the resources
// and actions mentioned, and one of each that is not, stand for all.
func withinAll(own, granted *Set) error {
	resources, actions := make(names), make(names)
	for _, s := range []*Set{own, granted} {
		for i := range s.rules {
			resources[s.rules[i].Resource], actions[s.rules[i].Action] = struct{}{}, struct{}{}
		}
	}
	for _, mentioned := range []names{resources, actions} {
		delete(mentioned, Any)
		mentioned[mentioned.other()] = struct{}{}
	}
	for _, resource := range slices.Sorted(maps.Keys(resources)) {
		for _, action := range slices.Sorted(maps.Keys(actions)) {
			mine, theirs := own.decideParts(resource, action), granted.decideParts(resource, action)
			if theirs.Allowed && !mine.Allowed {
				return escalation(BeyondOwnRights, resource+":"+action)
			}
			if mine.Reason == ExplicitDeny && theirs.Reason != ExplicitDeny {
				return escalation(DenyDropped, resource+":"+action)
			}
		}
	}
	return nil
}

// names is a set of resources or of actions.
type names map[string]struct{}

// other returns a name that is not among them.
func (n names) other() string {
	name := "other"
	for {
		if _, taken := n[name]; !taken {
			return name
		}
		name += "_"
	}
}

func escalation(rule EscalationRule, permission string) error {
	return &EscalationError{Rule: rule, Permission: permission}
}
