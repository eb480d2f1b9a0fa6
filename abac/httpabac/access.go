package httpabac

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/abac"
)

// ErrAccess is wrapped by every refusal to register a route: no policy, an unknown permission, a malformed pattern.
var ErrAccess = errors.New("route without a valid policy")

// Access says who may use a route. Make one with [Policy] or [Public]; the zero Access is neither and is refused.
type Access struct {
	permission  string
	public      string
	privileged  bool
	tenantParam string
	level       abac.Level
	maxAge      time.Duration
	label       func(*http.Request) any
	conditions  []abac.Condition
	facts       []Facts
	fault       string // what is wrong with an option
}

// Facts completes what a decision looks at besides the subject: the client's address, the tenant that owns the resource,
// an approval, the constraints in force. Now and MinVersion are set before. What it leaves zero holds for no condition, so
// a fact that cannot be found is left as it is. It runs before the decision, so it must not tell the client anything.
type Facts func(*http.Request, *abac.Request)

// Policy lets through who holds permission, such as "devices:read", under the given options.
func Policy(permission string, opts ...Option) Access {
	a := Access{permission: permission}
	for _, opt := range opts {
		opt(&a)
	}
	return a
}

// Public lets everybody through, without looking at any token. The reason is for the reviewer of the list of routes and must
// not be empty.
func Public(reason string) Access { return Access{public: strings.TrimSpace(reason)} }

// Option refines a [Policy].
type Option func(*Access)

// Privileged has every allow recorded before the handler runs; if that fails, it does not run. Actions of
// [Config].PrivilegedActions are privileged anyway.
func Privileged() Option { return func(a *Access) { a.privileged = true } }

// MFA demands authentication of at least level, at most maxAge ago; zero means at any time.
func MFA(level abac.Level, maxAge time.Duration) Option {
	return func(a *Access) {
		if maxAge < 0 || level == abac.SingleFactor {
			a.fault = "MFA demands nothing, or a negative age"
		}
		a.level, a.maxAge = level, maxAge
	}
}

// TenantParam demands that the path value called name is the id of the tenant the subject is working in, as in
// "/v1/tenants/{tenant}/devices".
func TenantParam(name string) Option {
	return func(a *Access) {
		if name == "" {
			a.fault = "TenantParam without a name"
		}
		a.tenantParam = name
	}
}

// Cleared demands that the subject's clearance clears the label of what is asked for, a label.Label, which of reports. Nil
// stands for no label, which nobody is cleared for: of reports it, too, where there is no such resource or its label cannot
// be read.
func Cleared(of func(*http.Request) any) Option {
	return func(a *Access) {
		if of == nil {
			a.fault = "Cleared without a function"
		}
		a.label = of
	}
}

// When demands further conditions, of which facts reports what they look at; it may be nil where [Config].Facts does. Demand
// MFA and labels by their own options: the list of routes shows these.
func When(facts Facts, conditions ...abac.Condition) Option {
	return func(a *Access) {
		if len(conditions) == 0 {
			a.fault = "When without a condition"
		}
		if facts != nil {
			a.facts = append(slices.Clip(a.facts), facts)
		}
		a.conditions = append(slices.Clip(a.conditions), conditions...)
	}
}

// IsZero reports whether a is neither [Policy] nor [Public].
func (a Access) IsZero() bool { return a.permission == "" && a.public == "" && a.fault == "" }

// IsPublic reports whether a lets everybody through.
func (a Access) IsPublic() bool { return a.public != "" }

// String returns the permission or "public: reason".
func (a Access) String() string {
	if a.public != "" {
		return "public: " + a.public
	}
	return a.permission
}

// check returns why a cannot protect a route, nil if it can.
func (a Access) check() error {
	switch {
	case a.fault != "":
		return fmt.Errorf("httpabac: access: %s: %w", a.fault, ErrAccess)
	case a.permission == "" && a.public == "":
		return fmt.Errorf("httpabac: access: neither a policy nor a reason to be public: %w", ErrAccess)
	}
	return nil
}

// allConditions are the typed conditions behind the options, in the order in which they are checked.
func (a Access) allConditions() (conditions []abac.Condition) {
	if a.tenantParam != "" {
		conditions = append(conditions, abac.SameTenant())
	}
	if a.level > abac.SingleFactor {
		conditions = append(conditions, abac.MFA(a.level, a.maxAge))
	}
	if a.label != nil {
		conditions = append(conditions, abac.Cleared())
	}
	return append(conditions, a.conditions...)
}
