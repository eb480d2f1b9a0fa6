package abac

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ErrEscalation is wrapped by every refusal of [Roles.CanGrant].
var ErrEscalation = errors.New("grant exceeds the granter's rights")

// MaxApprovalAge is how long the approval of a grant of a reserved role lasts.
const MaxApprovalAge = 15 * time.Minute

// GrantPermission is the permission that an approval of a grant names.
const GrantPermission = "iam:write"

// Grant is a change of somebody's rights before it is made.
type Grant struct {
	To     uuid.UUID // the user whose rights are set
	Tenant uuid.UUID // the tenant in which they will hold
	Role   string    // the role they will have, of the catalogue
	// Individual are the policies they will have beyond the role's.
	Individual []string
	// HoldsRole and Holds are the rights that To has now; zero for somebody new.
	HoldsRole string
	Holds     *Set
	// Approval is that of a second holder of a reserved role, about To; Now is the current time, to judge its age.
	Approval *Approval
	Now      time.Time
}

// EscalationRule names the rule of granting that a [Grant] broke.
type EscalationRule string

// The rules of granting.
const (
	GranterInvalid  EscalationRule = "granter_invalid"   // no granter, or its policies are void
	GrantInvalid    EscalationRule = "grant_invalid"     // unknown role, void policies or ones of another universe
	NotToSelf       EscalationRule = "not_to_self"       // nobody changes their own rights
	OtherTenant     EscalationRule = "other_tenant"      // the grant is for another tenant than the granter works in
	RoleReserved    EscalationRule = "role_reserved"     // only holders of the role may grant or take it
	DualControlled  EscalationRule = "dual_control"      // a reserved role needs the approval of a second holder
	TargetBeyond    EscalationRule = "target_beyond"     // the user holds more than the granter, who may not change that
	BeyondOwnRights EscalationRule = "beyond_own_rights" // the grant allows what the granter may not do
	DenyDropped     EscalationRule = "deny_dropped"      // the grant lacks a deny that binds the granter
)

// An EscalationError says which rule a grant broke and, for the last three rules, gives one permission as proof.
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
// themselves, drops a deny that binds them, changes their own rights or those of somebody who holds more, or reaches into
// another tenant. A reserved role is granted, and taken, by two of its holders only: one acts, another approved. All sets
// are compared over every permission there can be, not only the registered ones: "*:*" is more than a list of everything
// there is today.
//
// Whether granter may grant at all ("iam:write") is decided before, like every other permission.
func (r *Roles) CanGrant(granter *Subject, g Grant) error {
	if granter == nil || granter.ID == uuid.Nil || granter.Set == nil || granter.Set.universe == nil || granter.Set.void != nil {
		return &EscalationError{Rule: GranterInvalid}
	}
	role, known := r.byName[g.Role]
	granted, err := granter.Set.universe.Compile(Source{Policies: role.Policies}, Source{Policies: g.Individual})
	held, heldKnown := r.byName[g.HoldsRole]
	if !known || err != nil || g.To == uuid.Nil || g.HoldsRole != "" && !heldKnown {
		return &EscalationError{Rule: GrantInvalid}
	}
	switch {
	case granter.ID == g.To:
		return &EscalationError{Rule: NotToSelf}
	case g.Tenant == uuid.Nil || granter.Tenant != g.Tenant:
		return &EscalationError{Rule: OtherTenant}
	}
	for _, reserved := range []Role{role, held} {
		if reserved.Reserved && granter.Role != reserved.Name {
			return &EscalationError{Rule: RoleReserved}
		}
		if reserved.Reserved && !g.approved(granter, reserved.Name) {
			return &EscalationError{Rule: DualControlled}
		}
	}
	own := Rights{Set: granter.Set}
	if v := (Rights{Set: g.Holds}).Implies(own); v.Answer != Yes {
		return escalation(TargetBeyond, v.Counterexample.Permission)
	}
	if err := withinRegistered(granter.Set, granted); err != nil {
		return err
	}
	return withinAll(granter.Set, granted)
}

// approved reports whether a second holder of role approved that granter sets the rights of g.To, who is neither of them.
func (g *Grant) approved(granter *Subject, role string) bool {
	return g.Approval.approves(granter, GrantPermission, g.To, g.Now, MaxApprovalAge) &&
		g.Approval.By.Role == role && g.Approval.By.ID != g.To
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

// withinAll compares the sets over one representative of every kind of permission.
func withinAll(own, granted *Set) error {
	resources, actions := mentioned(Rights{Set: own}, Rights{Set: granted})
	for _, resource := range resources {
		for _, action := range actions {
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

func escalation(rule EscalationRule, permission string) error {
	return &EscalationError{Rule: rule, Permission: permission}
}
