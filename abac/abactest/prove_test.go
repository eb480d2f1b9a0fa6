package abactest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/abactest"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

// verdicts collects what ProveRoutes complains about.
type verdicts struct{ faults []string }

func (v *verdicts) Helper() {}
func (v *verdicts) Errorf(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

func setup(t *testing.T) (*httpabac.Mux, abactest.Config) {
	t.Helper()
	u, err := abac.NewUniverse(append(abac.TOM6Permissions(), "devices.disk:read")...)
	require.NoError(t, err)
	roles, err := abac.NewRoles(u, 1, abac.TOM6Roles()...)
	require.NoError(t, err)
	guard, err := httpabac.New(httpabac.Config{
		Universe: u, Record: func(context.Context, httpabac.Record) error { return nil },
	})
	require.NoError(t, err)
	mux := httpabac.NewMux(guard)
	mux.HandleFunc("GET /v1/devices", ok, httpabac.Policy("devices:read"))
	mux.HandleFunc("GET /v1/devices/{id}/disks/{path...}", ok, httpabac.Policy("devices.disk:read"))
	mux.HandleFunc("POST /v1/commands", ok, httpabac.Policy("commands:execute", httpabac.MFA(abac.MultiFactor, 5*time.Minute)))
	mux.HandleFunc("GET /v1/tenants/{tenant}/audit", ok, httpabac.Policy("audit:read", httpabac.TenantParam("tenant")))
	mux.HandleFunc("PUT /v1/keys/{id}", ok, httpabac.Policy("settings:write", httpabac.MFA(abac.PhishingResistant, 0)))
	mux.HandleFunc("GET /livez/{$}", ok, httpabac.Public("probe"))
	return mux, abactest.Config{Universe: u, Roles: roles}
}

func TestProveRoutes(t *testing.T) {
	mux, cfg := setup(t)
	report := abactest.ProveRoutes(t, mux, mux.Routes(), cfg)
	require.Equal(t, 6, report.Routes)
	require.Equal(t, 1, report.Public)
	perGuarded := 1 + 3*len(cfg.Roles.Names()) + cfg.Universe.Len() + 1 + 1
	require.Equal(t, 5*perGuarded+1+2+1+1+6*4, report.Requests, "conditions: two on commands, one on audit, one on keys")
	t.Log(report)
}

// TestProveRoutesFindsHoles breaks a server in the ways servers break and expects to hear about each.
func TestProveRoutesFindsHoles(t *testing.T) {
	intercept := func(mux http.Handler, path string, to http.HandlerFunc) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, path) {
				to(w, r)
				return
			}
			mux.ServeHTTP(w, r)
		})
	}
	strongest := func(mux http.Handler, change func(*abac.Subject)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if sub := httpabac.SubjectFrom(r.Context()); sub != nil {
				changed := *sub
				change(&changed)
				r = r.WithContext(httpabac.WithSubject(r.Context(), &changed))
			}
			mux.ServeHTTP(w, r)
		})
	}
	for name, tc := range map[string]struct {
		server func(mux *httpabac.Mux, cfg abactest.Config) http.Handler
		fault  string
	}{
		"a route without a guard": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return intercept(mux, "/v1/devices", ok)
		}, "as nobody: status 200, the decision should have been no_token"},
		"a route that only asks for a token": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return intercept(mux, "/v1/devices", func(w http.ResponseWriter, r *http.Request) {
				if httpabac.SubjectFrom(r.Context()) == nil {
					mux.ServeHTTP(w, r)
				}
			})
		}, "as technician: status 200, the decision should have been no_match"},
		"a route guarded by another permission": {func(mux *httpabac.Mux, cfg abactest.Config) http.Handler {
			guard, err := httpabac.New(httpabac.Config{Universe: cfg.Universe})
			if err != nil {
				panic(err)
			}
			return intercept(mux, "/v1/devices", guard.RequirePolicy("audit:read")(http.HandlerFunc(ok)).ServeHTTP)
		}, "as only audit:read: status 200, the decision should have been no_match"},
		"an ignored deny": {func(mux *httpabac.Mux, cfg abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) {
				var allows []string
				for _, p := range sub.Set.Policies() {
					if p[0] != '!' {
						allows = append(allows, p)
					}
				}
				sub.Set, _ = cfg.Universe.Compile(abac.Source{Policies: allows})
			})
		}, "as superadmin denied devices:read: status 200, the decision should have been explicit_deny"},
		"an ignored tenant": {func(mux *httpabac.Mux, cfg abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) { sub.Tenant = cfg.Tenant })
		}, "as everything in another tenant: status 200, the decision should have been tenant_mismatch"},
		"an ignored factor": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) { sub.Level = abac.PhishingResistant })
		}, "as everything with a weaker factor: status 200, the decision should have been mfa_required"},
		"an ignored age": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) { sub.AuthTime = time.Now() })
		}, "as everything with an old proof: status 200, the decision should have been mfa_required"},
		"a role shut out": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) {
				if sub.Role == abac.Superadmin {
					sub.Set = nil
				}
			})
		}, "as superadmin: status 403, the decision should have been allowed"},
		"a method nobody listed": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPatch {
					mux.ServeHTTP(w, r)
				}
			})
		}, "PATCH /v1/devices: answered 200, but no route lists the method"},
		"a refusal with the wrong status": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return intercept(mux, "/v1/devices", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", httpabac.ContentType)
				w.WriteHeader(http.StatusTeapot)
				fmt.Fprint(w, `{"code":"no_match"}`)
			})
		}, "refused with 418 no_match, should have been 401 no_token"},
	} {
		t.Run(name, func(t *testing.T) {
			mux, cfg := setup(t)
			cfg.Tenant = uuid.New()
			var v verdicts
			abactest.ProveRoutes(&v, tc.server(mux, cfg), mux.Routes(), cfg)
			require.Contains(t, strings.Join(v.faults, "\n"), tc.fault)
		})
	}
	t.Run("nothing to prove is a fault", func(t *testing.T) {
		mux, cfg := setup(t)
		var v verdicts
		abactest.ProveRoutes(&v, mux, nil, cfg)
		require.Len(t, v.faults, 1)
	})
}

func TestProveRoutesUsesTheServersOwnCredentials(t *testing.T) {
	mux, cfg := setup(t)
	cfg.Authorize = func(r *http.Request, p abactest.Principal) *http.Request {
		r.Header.Set("X-Test-Policies", strings.Join(p.Policies, " "))
		r.Header.Set("X-Test-Tenant", p.Tenant.String())
		r.Header.Set("X-Test-Time", p.AuthTime.Format(time.RFC3339Nano))
		r.Header.Set("X-Test-Level", string(rune('0'+p.Level)))
		return r
	}
	authenticate := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, signedIn := r.Header["X-Test-Policies"]; signedIn {
			set, _ := cfg.Universe.Compile(abac.Source{Policies: strings.Fields(r.Header.Get("X-Test-Policies"))})
			at, _ := time.Parse(time.RFC3339Nano, r.Header.Get("X-Test-Time"))
			r = r.WithContext(httpabac.WithSubject(r.Context(), &abac.Subject{
				ID: uuid.New(), Tenant: uuid.MustParse(r.Header.Get("X-Test-Tenant")), Set: set,
				Level: abac.Level(r.Header.Get("X-Test-Level")[0] - '0'), AuthTime: at,
			}))
		}
		mux.ServeHTTP(w, r)
	})
	abactest.ProveRoutes(t, authenticate, mux.Routes(), cfg)
}
