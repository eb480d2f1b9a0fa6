package abactest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
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
	// Tenant is the tenant principals work in. Zero means a random one.
	Tenant uuid.UUID
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Report counts what was proven.
type Report struct {
	Routes, Public, Requests int
}

// ProveRoutes calls every route as everybody who could matter and reports each request that got through and should not
// have, or did not and should have, through t. A request counts as refused if the answer is httpabac's problem with the right
// status and code, and as let through if it is anything else: handlers do run, so give it a server with test data only.
//
// It also calls every path with the methods no route lists for it. An empty list of routes is an error: nothing would be
// proven.
func ProveRoutes(t T, server http.Handler, routes []httpabac.Route, cfg Config) Report {
	t.Helper()
	if cfg.Universe == nil || cfg.Roles == nil || len(routes) == 0 {
		t.Errorf("abactest: prove routes: Universe, Roles and at least one route are needed")
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

func (p *prover) proveConditions(route httpabac.Route) {
	p.Helper()
	void := p.strong("void policies", "", []string{"*:*", "!"})
	p.expect(route, &void, abac.InvalidPolicy)
	if route.TenantParam != "" {
		other := p.strong("everything in another tenant", "", []string{"*:*"})
		other.Tenant = uuid.New()
		p.expect(route, &other, abac.TenantMismatch)
	}
	if route.Level > abac.SingleFactor {
		weak := p.strong("everything with a weaker factor", "", []string{"*:*"})
		weak.Level = route.Level - 1
		p.expect(route, &weak, abac.MFARequired)
	}
	if route.MaxAge > 0 {
		old := p.strong("everything with an old proof", "", []string{"*:*"})
		old.AuthTime = p.cfg.Now().Add(-route.MaxAge - time.Minute)
		p.expect(route, &old, abac.MFARequired)
	}
}

// strong is a principal no condition stops.
func (p *prover) strong(name, role string, policies []string) Principal {
	return Principal{
		Name: name, Role: role, Policies: policies, Tenant: p.cfg.Tenant, Level: abac.PhishingResistant, AuthTime: p.cfg.Now(),
	}
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
	if want == abac.NoToken {
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
var refusals = []abac.Reason{
	abac.NoToken, abac.NoMatch, abac.ExplicitDeny, abac.InvalidPolicy, abac.StalePolicy, abac.TenantMismatch, abac.MFARequired,
}

// call returns the status, and the problem if a guard refused.
func (p *prover) call(r *http.Request) (int, *httpabac.Problem) {
	p.report.Requests++
	w := httptest.NewRecorder()
	p.server.ServeHTTP(w, r)
	var problem httpabac.Problem
	if w.Header().Get("Content-Type") != httpabac.ContentType || json.Unmarshal(w.Body.Bytes(), &problem) != nil {
		return w.Code, nil
	}
	if problem.Code == httpabac.CodeNotRecorded ||
		slices.ContainsFunc(refusals, func(reason abac.Reason) bool { return reason.String() == problem.Code }) {
		return w.Code, &problem
	}
	return w.Code, nil
}

// proveOtherMethods calls every path, as nobody, with the methods that none of its routes lists: nothing may succeed.
func (p *prover) proveOtherMethods(routes []httpabac.Route) {
	p.Helper()
	listed, first := make(map[string][]string), make(map[string]httpabac.Route)
	for _, route := range routes {
		_, path, _ := strings.Cut(route.Pattern, " ")
		if _, seen := first[path]; !seen {
			first[path] = route
		}
		listed[path] = append(listed[path], route.Method)
	}
	for path, route := range first {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if slices.Contains(listed[path], method) {
				continue
			}
			r := p.cfg.Request(route, p.cfg.Tenant)
			r.Method = method
			if status, refused := p.call(r); refused == nil && status < 300 {
				p.Errorf("%s %s: answered %d, but no route lists the method", method, path, status)
			}
		}
	}
}

var pathValue = regexp.MustCompile(`\{(\$|[a-zA-Z_][a-zA-Z0-9_]*(\.\.\.)?)\}`)

// request is the default Config.Request.
func request(route httpabac.Route, tenant uuid.UUID) *http.Request {
	_, target, _ := strings.Cut(route.Pattern, " ")
	target = pathValue.ReplaceAllStringFunc(strings.TrimSpace(target), func(value string) string {
		switch name := strings.Trim(value, "{}."); name {
		case "$":
			return ""
		case route.TenantParam:
			return tenant.String()
		}
		return uuid.NewString()
	})
	if !strings.HasPrefix(target, "/") {
		target = "http://" + target
	}
	r := httptest.NewRequest(route.Method, target, strings.NewReader("{}"))
	if route.Method == http.MethodGet || route.Method == http.MethodHead {
		r = httptest.NewRequest(route.Method, target, http.NoBody)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

// inContext is the default Config.Authorize.
func inContext(universe *abac.Universe) func(*http.Request, Principal) *http.Request {
	return func(r *http.Request, p Principal) *http.Request {
		set, _ := universe.Compile(abac.Source{Role: p.Role, Policies: p.Policies}) // a void set is one of the cases
		return r.WithContext(httpabac.WithSubject(r.Context(), &abac.Subject{
			ID: uuid.New(), Tenant: p.Tenant, Role: p.Role, Set: set, Version: math.MaxInt64, Level: p.Level, AuthTime: p.AuthTime,
		}))
	}
}

// String summarises the report in one line.
func (r Report) String() string {
	return fmt.Sprintf("%d routes (%d public) proven with %d requests", r.Routes, r.Public, r.Requests)
}
