package httpabac

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/abac"
)

// Route is one registered route and what it demands.
type Route struct {
	Method     string
	Pattern    string // method, host if any, and path, as registered
	Permission string // empty if public
	Public     string // the reason to be public, empty if guarded
	Privileged bool   // allows are recorded before the handler runs

	TenantParam string        // path value that must be the subject's tenant, empty if none
	Level       abac.Level    // least authentication
	MaxAge      time.Duration // of the authentication; zero means any
	Labelled    bool          // the subject's clearance must clear the resource's label
	Conditions  int           // number of further conditions
}

// Mux is an http.ServeMux in which no route is without a policy. Registering is not safe for concurrent use, serving is.
//
// Requests that match no route get ServeMux's own answers: 404, 405 with Allow, and redirects to the clean form of a path.
type Mux struct {
	guard  *Guard
	mux    *http.ServeMux
	routes []Route
}

// NewMux returns an empty Mux whose routes are guarded by guard.
func NewMux(guard *Guard) *Mux {
	if guard == nil {
		panic("httpabac: mux: nil guard")
	}
	return &Mux{guard: guard, mux: http.NewServeMux()}
}

// Handle registers handler for pattern, which is one of http.ServeMux with a method: "GET /v1/devices/{id}". Like
// http.ServeMux it panics if it cannot: an access that is neither [Policy] nor [Public], an unregistered permission, a
// pattern without a method (a permission is about one), a tenant parameter the pattern does not have. Routes are registered
// when a program starts, so a mistake stops it before it serves.
func (m *Mux) Handle(pattern string, handler http.Handler, access Access) {
	if err := m.handle(pattern, handler, access); err != nil {
		panic(err)
	}
}

// HandleFunc is Handle for a function.
func (m *Mux) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request), access Access) {
	if handler == nil {
		panic(fmt.Errorf("httpabac: mux: %s: nil handler", pattern))
	}
	m.Handle(pattern, http.HandlerFunc(handler), access)
}

func (m *Mux) handle(pattern string, handler http.Handler, access Access) error {
	method, rest, found := strings.Cut(pattern, " ")
	if handler == nil {
		return fmt.Errorf("httpabac: mux: %s: nil handler", pattern)
	}
	if !found || method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return fmt.Errorf("httpabac: mux: %s: pattern without a method: %w", pattern, ErrAccess)
	}
	if p := access.tenantParam; p != "" && !strings.Contains(rest, "{"+p+"}") {
		return fmt.Errorf("httpabac: mux: %s: no path value %q for the tenant: %w", pattern, p, ErrAccess)
	}
	gate, err := m.guard.gate(Route{Method: method, Pattern: pattern}, access)
	if err != nil {
		return fmt.Errorf("httpabac: mux: %s: %w", pattern, err)
	}
	m.mux.Handle(pattern, &guarded{gate, handler})
	m.routes = append(m.routes, gate.route)
	return nil
}

// ServeHTTP answers the request by the route that matches, if its guard lets it through.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.mux.ServeHTTP(w, r) }

// Routes returns all routes in the order they were registered: the list a reviewer reads and abactest.ProveRoutes walks.
func (m *Mux) Routes() []Route { return slices.Clone(m.routes) }
