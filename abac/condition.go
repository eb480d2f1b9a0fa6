package abac

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Condition is a further demand on a decision, one of the closed set this package offers: there is no expression language.
type Condition interface {
	// check returns Allowed if the condition holds, else the reason it does not.
	check(*Subject, Request) Reason
}

// SameTenant demands that the resource belongs to the tenant the subject is working in. It denies with [TenantMismatch],
// also when either of the two is not known. No role is exempt.
func SameTenant() Condition { return sameTenant{} }

type sameTenant struct{}

func (sameTenant) check(sub *Subject, req Request) Reason {
	if req.Tenant == uuid.Nil || sub.Tenant != req.Tenant {
		return TenantMismatch
	}
	return Allowed
}

// MFA demands authentication of at least level, proven at most maxAge ago; zero means at any time. It denies with
// [MFARequired]. A proof dated more than a minute in the future, or not dated, is not accepted where an age is demanded.
func MFA(level Level, maxAge time.Duration) Condition { return mfa{level, maxAge} }

type mfa struct {
	level  Level
	maxAge time.Duration
}

// clockSkew is how far in the future a proof may lie: token and decision may come from two machines.
const clockSkew = time.Minute

func (c mfa) check(sub *Subject, req Request) Reason {
	if sub.Level < c.level || c.maxAge < 0 {
		return MFARequired
	}
	if c.maxAge > 0 {
		age := req.Now.Sub(sub.AuthTime)
		if sub.AuthTime.IsZero() || age > c.maxAge || age < -clockSkew {
			return MFARequired
		}
	}
	return Allowed
}

// Requirement is what a route or operation demands: a permission and conditions. It is made once, when the route is
// registered, and is immutable and safe for concurrent use. The zero Requirement denies everybody.
type Requirement struct {
	permission ID
	conditions []Condition
}

// Require returns the Requirement for a registered permission under conditions. An unregistered permission is an error, and
// so are a nil condition and a negative age: a route must not be born open or shut by a typing error.
func (u *Universe) Require(permission string, conditions ...Condition) (Requirement, error) {
	id, ok := u.ID(permission)
	if !ok {
		return Requirement{}, fmt.Errorf("abac: require: permission is not registered")
	}
	for i, c := range conditions {
		if m, isMFA := c.(mfa); c == nil || isMFA && (m.maxAge < 0 || m.level > PhishingResistant) {
			return Requirement{}, fmt.Errorf("abac: require: condition %d: not valid", i)
		}
	}
	return Requirement{permission: id, conditions: slices.Clone(conditions)}, nil
}

// Permission returns the permission's text.
func (q Requirement) Permission() string { return q.permission.String() }

// Decide says whether sub meets the requirement. The order of the checks is fixed: token, policy version, policies,
// conditions in the order they were given; so a condition's reason is only told to somebody whose policies allow. A nil sub
// is denied with [NoToken]. It does not allocate.
func (q *Requirement) Decide(sub *Subject, req Request) Decision {
	if sub == nil {
		return deny(NoToken)
	}
	if sub.Version < req.MinVersion {
		return deny(StalePolicy)
	}
	d := sub.Set.Decide(q.permission)
	if !d.Allowed {
		return d
	}
	for _, c := range q.conditions {
		if reason := c.check(sub, req); reason != Allowed {
			return deny(reason)
		}
	}
	return d
}
