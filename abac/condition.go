package abac

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Condition is a further demand on a decision, one of the closed set this package offers: there is no expression language,
// so that what conditions say can be compared exactly (see [Rights.Implies]). Make one with [SameTenant], [WithinTenant],
// [MFA], [During], [From], [Device], [Cleared] or [DualControl]; it is immutable. The zero Condition is not valid and
// holds for nobody.
type Condition struct {
	kind     kind
	level    Level
	posture  Posture
	maxAge   time.Duration
	window   *window
	networks []netip.Prefix
	fault    string // why the condition is not valid, empty if it is
}

type kind uint8

// The kinds of conditions, in the order in which a canonical list holds them.
const (
	noKind kind = iota
	sameTenant
	withinTenant
	mfa
	during
	from
	device
	cleared
	dualControl
)

var kindNames = [...]string{
	"not valid", "same tenant", "within tenant", "MFA", "time window", "network", "device posture", "label", "dual control",
}

// SameTenant demands that the resource belongs to the tenant the subject is working in. It denies with [TenantMismatch],
// also when either of the two is not known. No role is exempt.
func SameTenant() Condition { return Condition{kind: sameTenant} }

// WithinTenant demands that the resource belongs to the tenant the subject is working in or to one below it, as
// [Request].Hierarchy says: a managed service provider and its customers. It denies with [TenantMismatch]; without a
// Hierarchy it is [SameTenant].
func WithinTenant() Condition { return Condition{kind: withinTenant} }

// MFA demands authentication of at least level, proven at most maxAge ago; zero means at any time. It denies with
// [MFARequired]. A proof dated more than a minute in the future, or not dated, is not accepted where an age is demanded.
func MFA(level Level, maxAge time.Duration) Condition {
	c := Condition{kind: mfa, level: level, maxAge: maxAge}
	switch {
	case maxAge < 0:
		c.fault = "negative age"
	case level > PhishingResistant:
		c.fault = "unknown level"
	case level == SingleFactor && maxAge == 0:
		c.fault = "demands nothing"
	}
	return c
}

// Device demands that the device the request comes from shows everything in required, as found at most maxAge ago; zero
// means at any time. It denies with [DevicePosture].
func Device(required Posture, maxAge time.Duration) Condition {
	c := Condition{kind: device, posture: required, maxAge: maxAge}
	if required == 0 || required&^allPosture != 0 || maxAge < 0 {
		c.fault = "demands nothing or an unknown fact, or a negative age"
	}
	return c
}

// DualControl demands the [Approval] of a second person for this permission and object, given at most maxAge ago. It denies
// with [DualControlRequired].
func DualControl(maxAge time.Duration) Condition {
	c := Condition{kind: dualControl, maxAge: maxAge}
	if maxAge <= 0 {
		c.fault = "an approval needs an age"
	}
	return c
}

// Err returns why the condition is not valid, nil if it is. What is not valid is refused by everything that takes a
// Condition.
func (c Condition) Err() error {
	if c.kind == noKind {
		return fmt.Errorf("abac: condition: not made by this package")
	}
	if c.fault != "" {
		return fmt.Errorf("abac: condition: %s: %s", kindNames[c.kind], c.fault)
	}
	return nil
}

// check returns Allowed if the condition holds, else the reason it does not. It does not allocate.
func (c *Condition) check(sub *Subject, req *Request, permission string) Reason {
	if c.fault != "" {
		return InvalidCondition
	}
	holds, reason := false, InvalidCondition
	switch c.kind {
	case sameTenant:
		holds, reason = req.Tenant != uuid.Nil && sub.Tenant == req.Tenant, TenantMismatch
	case withinTenant:
		holds, reason = req.within(sub.Tenant), TenantMismatch
	case mfa:
		holds, reason = sub.Level >= c.level && recent(sub.AuthTime, req.Now, c.maxAge), MFARequired
	case during:
		holds, reason = c.window.contains(req.Now), OutsideTimeWindow
	case from:
		holds, reason = inNetworks(c.networks, req.Addr), NetworkNotAllowed
	case device:
		holds, reason = sub.Posture&c.posture == c.posture && recent(sub.PostureTime, req.Now, c.maxAge), DevicePosture
	case cleared:
		holds, reason = sub.Clearance != nil && req.Label != nil && sub.Clearance.Clears(req.Label), LabelTooLow
	case dualControl:
		holds, reason = req.Approval.approves(sub, permission, req.Object, req.Now, c.maxAge), DualControlRequired
	}
	if holds {
		return Allowed
	}
	return reason
}

// clockSkew is how far in the future a proof may lie: token and decision may come from two machines.
const clockSkew = time.Minute

// recent reports whether then is at most maxAge before now; zero means that nobody asks.
func recent(then, now time.Time, maxAge time.Duration) bool {
	if maxAge == 0 {
		return true
	}
	age := now.Sub(then)
	return !then.IsZero() && age <= maxAge && age >= -clockSkew
}

// within reports whether the resource belongs to tenant or below it.
func (r *Request) within(tenant uuid.UUID) bool {
	if r.Tenant == uuid.Nil || tenant == uuid.Nil {
		return false
	}
	return r.Tenant == tenant || r.Hierarchy != nil && r.Hierarchy.Within(r.Tenant, tenant)
}

// Requirement is what a route or operation demands: a permission and conditions. It is made once, when the route is
// registered, and is immutable and safe for concurrent use. The zero Requirement denies everybody.
type Requirement struct {
	permission ID
	text       string
	conditions []Condition
}

// Require returns the Requirement for a registered permission under conditions. An unregistered permission is an error, and
// so is a condition that is not valid: a route must not be born open or shut by a typing error.
func (u *Universe) Require(permission string, conditions ...Condition) (Requirement, error) {
	id, ok := u.ID(permission)
	if !ok {
		return Requirement{}, fmt.Errorf("abac: require: permission is not registered")
	}
	for i, c := range conditions {
		if err := c.Err(); err != nil {
			return Requirement{}, fmt.Errorf("abac: require: condition %d: %w", i, err)
		}
	}
	return Requirement{permission: id, text: id.String(), conditions: slices.Clone(conditions)}, nil
}

// Permission returns the permission's text.
func (q Requirement) Permission() string { return q.text }

// Decide says whether sub meets the requirement. The order of the checks is fixed: token, policy version, policies,
// conditions in the order they were given, constraints of the policy set in force; so a condition's reason is only told to
// somebody whose policies allow. A nil sub is denied with [NoToken]. It does not allocate.
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
	for i := range q.conditions {
		if reason := q.conditions[i].check(sub, &req, q.text); reason != Allowed {
			return deny(reason)
		}
	}
	if reason := req.Constraints.check(sub, &req, q.permission); reason != Allowed {
		return deny(reason)
	}
	return d
}
