package abactest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

// T is what ProveRoutes needs of *testing.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Principal is somebody a request is made as.
type Principal struct {
	Name     string // for messages: "technician", "only devices:read"
	Role     string // a role of the catalogue; empty where the policies are not a role's
	Policies []string
	Tenant   uuid.UUID
	Level    abac.Level
	AuthTime time.Time
	// Version is the policy version of the token: Config.MinVersion or one less, or the highest there is without it.
	Version int64
	// Clearance is nil, Config.Clearance, or what Config.TooLow says.
	Clearance abac.Clearance
}

// Config tunes ProveRoutes. Universe and Roles are required.
type Config struct {
	Universe *abac.Universe
	Roles    *abac.Roles
	// Authorize returns r with credentials for p: a real token in its cookie or header. It is called for every request
	// but the anonymous ones. Nil puts the subject into the context, for a Mux without authentication in front.
	Authorize func(r *http.Request, p Principal) *http.Request
	// Request makes the request for a route. Nil fills path values with UUIDs, the tenant parameter with tenant, and sends
	// an empty JSON object where the method has a body.
	Request func(route httpabac.Route, tenant uuid.UUID) *http.Request
	// MinVersion is the oldest policy version the server accepts; one less is proven to be refused. Zero proves nothing about
	// versions.
	MinVersion int64
	// Clearance clears the label of every resource that Request asks for. It is required where a route demands one.
	Clearance abac.Clearance
	// TooLow returns a clearance that does not clear what Request asks for at the route, the higher the better the proof.
	// Nil means that only nobody's clearance is tried.
	TooLow func(route httpabac.Route) abac.Clearance
	// StepUp says that the server challenges (RFC 9470): 401 instead of 403 where a stronger login would do.
	StepUp bool
	// Tenant is the tenant principals work in. Zero means a random one.
	Tenant uuid.UUID
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Report counts what was proven.
type Report struct {
	Routes, Public, Requests int
	Conditions               int // that a route demands besides its permission, and that were proven
}

// ProveRoutes calls every route as everybody who could matter and reports each request that got through and should not
// have, or did not and should have, through t. A request counts as refused if the answer is httpabac's problem with the right
// status and code, and as let through if it is anything else: handlers do run, so give it a server with test data only.
//
// It also calls every path, as nobody, with the methods no route lists for it, with headers that name another method, and
// in other spellings. An empty list of routes is an error: nothing would be proven. Routes come from httpabac.Mux.Routes or,
// for other routers, from httpabac.RoutesOf. Conditions given by httpabac.When are left to the server's own tests: the
// Request and the Principal have to meet them.
func ProveRoutes(t T, server http.Handler, routes []httpabac.Route, cfg Config) Report {
	t.Helper()
	if cfg.Universe == nil || cfg.Roles == nil || len(routes) == 0 {
		t.Errorf("abactest: prove routes: Universe, Roles and at least one route are needed")
		return Report{}
	}
	if cfg.Clearance == nil && slices.ContainsFunc(routes, func(r httpabac.Route) bool { return r.Labelled }) {
		t.Errorf("abactest: prove routes: a route demands a clearance, so Clearance is needed")
		return Report{}
	}
	if cfg.Tenant == uuid.Nil {
		cfg.Tenant = uuid.New()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Request == nil {
		cfg.Request = request
	}
	if cfg.Authorize == nil {
		cfg.Authorize = inContext(cfg.Universe)
	}
	p := &prover{T: t, server: server, cfg: cfg}
	for _, route := range routes {
		p.report.Routes++
		if route.Public != "" {
			p.report.Public++
			p.expect(route, nil, abac.Allowed)
			continue
		}
		p.proveRoute(route)
	}
	p.proveOtherMethods(routes)
	p.proveDisguises(routes)
	return p.report
}

type prover struct {
	T
	server http.Handler
	cfg    Config
	report Report
}

// proveRoute asks as nobody, as every role, with every single permission, with every role less the permission, with void
// policies, and against each condition.
func (p *prover) proveRoute(route httpabac.Route) {
	p.Helper()
	p.expect(route, nil, abac.NoToken)
	for _, name := range p.cfg.Roles.Names() {
		role, _ := p.cfg.Roles.Role(name)
		p.as(route, name, name, role.Policies)
		p.as(route, name+" less "+route.Permission, "", without(p.cfg.Universe, role.Policies, route.Permission))
		p.as(route, name+" denied "+route.Permission, name, append(role.Policies, "!"+route.Permission))
	}
	for _, permission := range p.cfg.Universe.Permissions() {
		p.as(route, "only "+permission, "", []string{permission})
	}
	p.as(route, "no policies", "", nil)
	p.proveConditions(route)
}

func (p *prover) as(route httpabac.Route, name, role string, policies []string) {
	p.Helper()
	who := p.strong(name, role, policies)
	p.expect(route, &who, expected(policies, route.Permission))
}

// proveConditions asks as somebody who may everything and misses one condition, and as somebody who barely meets it.
func (p *prover) proveConditions(route httpabac.Route) {
	p.Helper()
	try := func(want abac.Reason, name string, change func(*Principal)) {
		p.Helper()
		who := p.strong("everything "+name, "", []string{"*:*"})
		change(&who)
		p.expect(route, &who, want)
	}
	void := p.strong("void policies", "", []string{"*:*", "!"})
	p.expect(route, &void, abac.InvalidPolicy)
	if p.cfg.MinVersion > 0 {
		p.report.Conditions++
		try(abac.StalePolicy, "under an old version", func(who *Principal) { who.Version = p.cfg.MinVersion - 1 })
	}
	if route.TenantParam != "" {
		p.report.Conditions++
		try(abac.TenantMismatch, "in another tenant", func(who *Principal) { who.Tenant = uuid.New() })
	}
	if route.Level > abac.SingleFactor {
		p.report.Conditions++
		try(abac.MFARequired, "with a weaker factor", func(who *Principal) { who.Level = route.Level - 1 })
		try(abac.Allowed, "with the factor demanded", func(who *Principal) { who.Level = route.Level })
	}
	if route.MaxAge > 0 {
		p.report.Conditions++
		margin := min(route.MaxAge/2, time.Minute)
		try(abac.MFARequired, "with an old proof", func(who *Principal) { who.AuthTime = p.cfg.Now().Add(-route.MaxAge - time.Minute) })
		try(abac.Allowed, "with a proof just young enough", func(who *Principal) { who.AuthTime = p.cfg.Now().Add(margin - route.MaxAge) })
	}
	if route.Labelled {
		p.report.Conditions++
		try(abac.LabelTooLow, "without a clearance", func(who *Principal) { who.Clearance = nil })
		if p.cfg.TooLow != nil {
			try(abac.LabelTooLow, "with too low a clearance", func(who *Principal) { who.Clearance = p.cfg.TooLow(route) })
		}
	}
}

// strong is a principal no condition stops.
func (p *prover) strong(name, role string, policies []string) Principal {
	who := Principal{
		Name: name, Role: role, Policies: policies, Tenant: p.cfg.Tenant, Level: abac.PhishingResistant, AuthTime: p.cfg.Now(),
		Version: p.cfg.MinVersion, Clearance: p.cfg.Clearance,
	}
	if p.cfg.MinVersion == 0 {
		who.Version = math.MaxInt64
	}
	return who
}

// expect makes one request and compares what became of it with want; nil stands for nobody.
func (p *prover) expect(route httpabac.Route, who *Principal, want abac.Reason) {
	p.Helper()
	r, name := p.cfg.Request(route, p.cfg.Tenant), "nobody"
	if who != nil {
		r, name = p.cfg.Authorize(r, *who), who.Name
	}
	got, problem := p.call(r)
	wantStatus := http.StatusForbidden
	if want == abac.NoToken || want == abac.StalePolicy || want == abac.MFARequired && p.cfg.StepUp {
		wantStatus = http.StatusUnauthorized
	}
	switch refused := problem != nil; {
	case refused != (want != abac.Allowed):
		p.Errorf("%s as %s: status %d, the decision should have been %s", route.Pattern, name, got, want)
	case refused && (got != wantStatus || problem.Code != want.String()):
		p.Errorf("%s as %s: refused with %d %s, should have been %d %s", route.Pattern, name, got, problem.Code, wantStatus, want)
	}
}

// refusals are the codes a guard refuses with; a handler's own 403 has another or none.
var refusals = func() (codes []string) {
	for r := abac.NoMatch; r.String() != abac.NoDecision.String(); r++ {
		codes = append(codes, r.String())
	}
	return append(codes, httpabac.CodeNotRecorded)
}()

// call returns the status, and the problem if a guard refused.
func (p *prover) call(r *http.Request) (int, *httpabac.Problem) {
	p.report.Requests++
	w := httptest.NewRecorder()
	p.server.ServeHTTP(w, r)
	var problem httpabac.Problem
	if w.Header().Get("Content-Type") != httpabac.ContentType || json.Unmarshal(w.Body.Bytes(), &problem) != nil {
		return w.Code, nil
	}
	if slices.Contains(refusals, problem.Code) {
		return w.Code, &problem
	}
	return w.Code, nil
}

// inContext is the default Config.Authorize.
func inContext(universe *abac.Universe) func(*http.Request, Principal) *http.Request {
	return func(r *http.Request, p Principal) *http.Request {
		set, _ := universe.Compile(abac.Source{Role: p.Role, Policies: p.Policies}) // a void set is one of the cases
		return r.WithContext(httpabac.WithSubject(r.Context(), &abac.Subject{
			ID: uuid.New(), Tenant: p.Tenant, Role: p.Role, Set: set, Version: p.Version, Level: p.Level, AuthTime: p.AuthTime,
			Clearance: p.Clearance,
		}))
	}
}

// String summarises the report in one line.
func (r Report) String() string {
	return fmt.Sprintf("%d routes (%d public) and %d conditions proven with %d requests", r.Routes, r.Public, r.Conditions, r.Requests)
}
