package httpabac

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
)

// Config tunes a [Guard]. Only Universe is required.
type Config struct {
	// Universe holds every permission that routes may demand.
	Universe *abac.Universe
	// Record receives every deny, and every privileged allow before its handler runs. An error on a privileged allow is
	// answered with 503 and the handler does not run; an error on a deny changes nothing. It is called on the request's
	// goroutine: anybody can cause denies, so it must be bounded. Nil logs to slog.Default.
	Record func(context.Context, Record) error
	// PrivilegedActions are the actions whose allows are recorded on every route. Nil means approve, delete, execute and
	// export; an empty, non-nil slice means none.
	PrivilegedActions []string
	// MinVersion reports the oldest policy version still accepted; it is asked on every request. Nil means any version.
	MinVersion func() int64
	// RequestID reports the id of the request for answers and records. Nil means none.
	RequestID func(context.Context) string
	// ProblemBase is put before a reason code to make the type URI of a problem. Empty means "urn:tomkit:problem:".
	ProblemBase string
	// Challenge is the WWW-Authenticate value of 401 answers. Empty means "Bearer".
	Challenge string
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Guard decides for routes. It is immutable and safe for concurrent use.
type Guard struct{ cfg Config }

// New checks cfg and returns a Guard.
func New(cfg Config) (*Guard, error) {
	if cfg.Universe == nil {
		return nil, fmt.Errorf("httpabac: new: Universe is nil")
	}
	if cfg.Record == nil {
		cfg.Record = logRecord
	}
	if cfg.PrivilegedActions == nil {
		cfg.PrivilegedActions = []string{"approve", "delete", "execute", "export"}
	}
	if cfg.ProblemBase == "" {
		cfg.ProblemBase = "urn:tomkit:problem:"
	}
	if cfg.Challenge == "" {
		cfg.Challenge = "Bearer"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.PrivilegedActions = slices.Clone(cfg.PrivilegedActions)
	return &Guard{cfg: cfg}, nil
}

// RequirePolicy returns the middleware that lets a request through to its handler only if the subject in the request's
// context holds permission (TOM 1.3.2). Otherwise the handler is not called: 401 without a subject or with outdated
// policies, 403 for everything else. It panics if the permission is not registered or an option is not valid, since then the
// program is wrong, not the request.
//
// It works under every router that takes net/http middleware. Prefer [Mux] where you can: it also refuses routes that
// somebody forgot to protect.
func (g *Guard) RequirePolicy(permission string, opts ...Option) func(http.Handler) http.Handler {
	gate, err := g.gate(Route{}, Policy(permission, opts...))
	if err != nil {
		panic(err)
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("httpabac: require policy: nil handler")
		}
		return gate.before(next)
	}
}

// gate is the guard of one route.
type gate struct {
	guard *Guard
	route Route
	need  abac.Requirement
	timed bool // a condition looks at the time
}

func (g *Guard) gate(route Route, a Access) (*gate, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	route.Permission, route.Public = a.permission, a.public
	route.TenantParam, route.Level, route.MaxAge = a.tenantParam, a.level, a.maxAge
	if route.Public != "" {
		return &gate{guard: g, route: route}, nil
	}
	need, err := g.cfg.Universe.Require(a.permission, a.conditions()...)
	if err != nil {
		return nil, fmt.Errorf("httpabac: access: %w: %w", ErrAccess, err)
	}
	_, action, _ := strings.Cut(a.permission, ":")
	route.Privileged = a.privileged || slices.Contains(g.cfg.PrivilegedActions, action)
	return &gate{guard: g, route: route, need: need, timed: a.maxAge > 0}, nil
}

// before returns the handler that asks the gate and then, if it is let through, calls next.
func (t *gate) before(next http.Handler) http.Handler {
	if t.route.Public != "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := t.admit(r); refused != nil {
			refused.write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit returns nil if the request may go on, else the answer to give.
func (t *gate) admit(r *http.Request) *Problem {
	ctx := r.Context()
	sub := SubjectFrom(ctx)
	var req abac.Request
	if t.route.TenantParam != "" {
		req.Tenant = tenantOf(r.PathValue(t.route.TenantParam))
	}
	if t.timed {
		req.Now = t.guard.cfg.Now()
	}
	if t.guard.cfg.MinVersion != nil {
		req.MinVersion = t.guard.cfg.MinVersion()
	}
	decision := t.need.Decide(sub, req)
	if decision.Allowed && !t.route.Privileged {
		return nil
	}
	err := t.guard.cfg.Record(ctx, t.record(r, sub, decision))
	switch {
	case !decision.Allowed:
		return t.guard.problem(ctx, decision.Reason.String())
	case err != nil:
		return t.guard.problem(ctx, CodeNotRecorded)
	}
	return nil
}

// tenantOf parses the one canonical form of a UUID; anything else belongs to no tenant.
func tenantOf(text string) uuid.UUID {
	if id, err := uuid.Parse(text); err == nil && id.String() == text {
		return id
	}
	return uuid.Nil
}
