package httpabac

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
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
	// Record receives every deny, every privileged allow before its handler runs, and sampled allows. An error on a
	// privileged allow is answered with 503 and the handler does not run; an error on a deny leaves the request refused as it
	// was. It is called on the request's goroutine: anybody can cause denies, so it must be bounded, as [Log].Record is.
	// Nil logs to slog.Default.
	Record func(context.Context, Record) error
	// SampleAllows has one in so many allows that are not privileged recorded, at random. Zero means none, one all.
	SampleAllows uint32
	// PrivilegedActions are the actions whose allows are recorded on every route. Nil means approve, delete, execute and
	// export; an empty, non-nil slice means none.
	PrivilegedActions []string
	// Policies reports the policies in force, such as abac.Live.Policies; it is asked on every request, once. Their
	// constraints and minimum version bind every route. Nil means none.
	Policies func() *abac.Policies
	// MinVersion reports the oldest policy version still accepted, for programs without Policies; it is asked on every
	// request. Nil means any version.
	MinVersion func() int64
	// Facts completes the facts of every request, before those of the route. Nil means none.
	Facts Facts
	// StepUp holds the authentication context class (acr) of levels. With it, a request that a stronger or more recent login
	// would let through is answered by 401 and a challenge that says so (RFC 9470). Nil means 403, as TOM 1.3.2 has it.
	StepUp map[abac.Level]string
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
	if err := checkStepUp(cfg.StepUp); err != nil {
		return nil, err
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
	cfg.StepUp = maps.Clone(cfg.StepUp)
	return &Guard{cfg: cfg}, nil
}

// RequirePolicy returns the middleware that lets a request through to its handler only if the subject in the request's
// context holds permission (TOM 1.3.2). Otherwise the handler is not called: 401 without a subject or with outdated
// policies, 403 for everything else. It panics if the permission is not registered or an option is not valid, since then the
// program is wrong, not the request.
//
// It works under every router that takes net/http middleware; [RoutesOf] finds the routes of such a router that somebody
// forgot to protect. [Mux] does not register them in the first place.
func (g *Guard) RequirePolicy(permission string, opts ...Option) func(http.Handler) http.Handler {
	return g.Require(Policy(permission, opts...))
}

// Require is [Guard.RequirePolicy] for any access, [Public] included: so that a route of another router can say why it is
// open.
func (g *Guard) Require(access Access) func(http.Handler) http.Handler {
	gate, err := g.gate(Route{}, access)
	if err != nil {
		panic(err)
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("httpabac: require policy: nil handler")
		}
		return &guarded{gate, next}
	}
}

// gate is the guard of one route.
type gate struct {
	guard *Guard
	route Route
	need  abac.Requirement
	label func(*http.Request) any
	facts []Facts
	timed bool // something may look at the time
}

func (g *Guard) gate(route Route, a Access) (*gate, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	route.Permission, route.Public = a.permission, a.public
	route.TenantParam, route.Level, route.MaxAge = a.tenantParam, a.level, a.maxAge
	route.Labelled, route.Conditions = a.label != nil, len(a.conditions)
	if route.Public != "" {
		return &gate{guard: g, route: route}, nil
	}
	need, err := g.cfg.Universe.Require(a.permission, a.allConditions()...)
	if err != nil {
		return nil, fmt.Errorf("httpabac: access: %w: %w", ErrAccess, err)
	}
	_, action, _ := strings.Cut(a.permission, ":")
	route.Privileged = a.privileged || slices.Contains(g.cfg.PrivilegedActions, action)
	t := &gate{guard: g, route: route, need: need, label: a.label}
	if g.cfg.Facts != nil {
		t.facts = append(t.facts, g.cfg.Facts)
	}
	t.facts = append(t.facts, a.facts...)
	t.timed = g.cfg.Policies != nil || a.maxAge > 0 || len(t.facts) > 0 || len(a.conditions) > 0
	return t, nil
}

// guarded asks the gate and then, if it is let through, calls next. It is a type of its own so that [RoutesOf] knows it.
type guarded struct {
	gate *gate
	next http.Handler
}

// ServeHTTP answers the request itself if it is refused.
func (h *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.gate.route.Public == "" {
		if refused := h.gate.admit(r); refused != nil {
			refused.write(w)
			return
		}
	}
	h.next.ServeHTTP(w, r)
}

// admit returns nil if the request may go on, else the answer to give.
func (t *gate) admit(r *http.Request) *Problem {
	ctx := r.Context()
	sub := SubjectFrom(ctx)
	req := t.request(r)
	decision := t.need.Decide(sub, req)
	if decision.Allowed && !t.route.Privileged {
		if n := t.guard.cfg.SampleAllows; n == 1 || n > 1 && rand.Uint32N(n) == 0 {
			_ = t.guard.cfg.Record(ctx, t.record(r, sub, decision)) // of those, some may be missing
		}
		return nil
	}
	err := t.guard.cfg.Record(ctx, t.record(r, sub, decision))
	switch {
	case !decision.Allowed:
		return t.refuse(ctx, sub, req, decision)
	case err != nil:
		return t.guard.problem(ctx, CodeNotRecorded)
	}
	return nil
}

// request gathers what the decision looks at.
func (t *gate) request(r *http.Request) (req abac.Request) {
	if t.timed {
		req.Now = t.guard.cfg.Now()
	}
	if t.guard.cfg.MinVersion != nil {
		req.MinVersion = t.guard.cfg.MinVersion()
	}
	if len(t.facts) > 0 {
		req = t.complete(r, req)
	}
	if t.label != nil {
		req.Label = t.label(r)
	}
	if t.route.TenantParam != "" {
		req.Tenant = tenantOf(r.PathValue(t.route.TenantParam))
	}
	if t.guard.cfg.Policies != nil {
		req = t.guard.cfg.Policies().Apply(req) // last: no fact takes a constraint away
	}
	return req
}

// complete asks for the facts. It is a function of its own because what it hands out a pointer to is allocated.
func (t *gate) complete(r *http.Request, req abac.Request) abac.Request {
	for _, facts := range t.facts {
		facts(r, &req)
	}
	return req
}

// tenantOf parses the one canonical form of a UUID; anything else belongs to no tenant.
func tenantOf(text string) uuid.UUID {
	if id, err := uuid.Parse(text); err == nil && id.String() == text {
		return id
	}
	return uuid.Nil
}
