package abactest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/abactest"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
	"github.com/pioneerdesk/tomkit/abac/label"
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
		Universe: u, Record: func(context.Context, httpabac.Record) error { return nil }, MinVersion: func() int64 { return 7 },
	})
	require.NoError(t, err)
	secret, err := label.TLP().Label("AMBER")
	require.NoError(t, err)
	clearances := map[string]abac.Clearance{}
	for _, name := range label.TLP().Classifications() {
		clearances[name], err = label.TLP().Clearance(name, nil)
		require.NoError(t, err)
	}
	mux := httpabac.NewMux(guard)
	mux.HandleFunc("GET /v1/devices", ok, httpabac.Policy("devices:read"))
	mux.HandleFunc("GET /v1/devices/{id}/disks/{path...}", ok, httpabac.Policy("devices.disk:read"))
	mux.HandleFunc("POST /v1/commands", ok, httpabac.Policy("commands:execute", httpabac.MFA(abac.MultiFactor, 5*time.Minute)))
	mux.HandleFunc("GET /v1/tenants/{tenant}/audit", ok, httpabac.Policy("audit:read", httpabac.TenantParam("tenant")))
	mux.HandleFunc("PUT /v1/keys/{id}", ok, httpabac.Policy("settings:write", httpabac.MFA(abac.PhishingResistant, 0)))
	mux.HandleFunc("GET /v1/reports/{id}", ok, httpabac.Policy("cmdb:read", httpabac.Cleared(func(*http.Request) any { return secret })))
	mux.HandleFunc("GET /livez", ok, httpabac.Public("probe"))
	return mux, abactest.Config{
		Universe: u, Roles: roles, MinVersion: 7, Clearance: clearances["AMBER"],
		TooLow: func(httpabac.Route) abac.Clearance { return clearances["GREEN"] },
	}
}

func TestProveRoutes(t *testing.T) {
	mux, cfg := setup(t)
	report := abactest.ProveRoutes(t, mux, mux.Routes(), cfg)
	require.Equal(t, 7, report.Routes)
	require.Equal(t, 1, report.Public)
	require.Equal(t, 6+2+1+1+1, report.Conditions, "versions of all, two on commands, one on audit, keys and reports")
	perGuarded := 1 + 3*len(cfg.Roles.Names()) + cfg.Universe.Len() + 1 + 1 + 1
	methods, disguises := 5*5+2*6, 6*(1+8)
	require.Equal(t, 6*perGuarded+1+4+1+2+2+methods+disguises, report.Requests)
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
		"an ignored version": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) { sub.Version = 9 })
		}, "as everything under an old version: status 200, the decision should have been stale_policy"},
		"an ignored label": {func(mux *httpabac.Mux, cfg abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) { sub.Clearance = cfg.Clearance })
		}, "as everything without a clearance: status 200, the decision should have been label_too_low"},
		"a label that any clearance will do for": {func(mux *httpabac.Mux, cfg abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) {
				if sub.Clearance != nil {
					sub.Clearance = cfg.Clearance
				}
			})
		}, "as everything with too low a clearance: status 200, the decision should have been label_too_low"},
		"a factor demanded that nobody needs": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) {
				if sub.Level < abac.PhishingResistant {
					sub.Level = abac.SingleFactor
				}
			})
		}, "as everything with the factor demanded: status 403, the decision should have been allowed"},
		"an age that is too short": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return strongest(mux, func(sub *abac.Subject) { sub.AuthTime = sub.AuthTime.Add(-2 * time.Minute) })
		}, "as everything with a proof just young enough: status 403, the decision should have been allowed"},
		"a header that changes the method": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Http-Method-Override") == "" { // else it is past the guard
					mux.ServeHTTP(w, r)
				}
			})
		}, "GET /v1/devices with headers that name the method: answered 200 to nobody"},
		"a spelling that leads around the guard": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return intercept(mux, "//v1", ok)
		}, "GET /v1/devices as //v1/devices: answered 200 to nobody"},
		"an encoded slash that leads around the guard": {func(mux *httpabac.Mux, _ abactest.Config) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawPath == "" {
					mux.ServeHTTP(w, r)
				}
			})
		}, "GET /v1/devices as /v1%2fdevices: answered 200 to nobody"},
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
	t.Run("a label without a clearance to prove it with is a fault", func(t *testing.T) {
		mux, cfg := setup(t)
		cfg.Clearance = nil
		var v verdicts
		require.Zero(t, abactest.ProveRoutes(&v, mux, mux.Routes(), cfg).Requests)
		require.Len(t, v.faults, 1)
	})
	t.Run("nothing to prove is a fault", func(t *testing.T) {
		mux, cfg := setup(t)
		var v verdicts
		abactest.ProveRoutes(&v, mux, nil, cfg)
		require.Len(t, v.faults, 1)
	})
}

// TestProveRoutesWithChallenges proves a server that asks for a stronger login, and hears about one that is not expected to.
func TestProveRoutesWithChallenges(t *testing.T) {
	_, cfg := setup(t)
	guard, err := httpabac.New(httpabac.Config{
		Universe: cfg.Universe, Record: func(context.Context, httpabac.Record) error { return nil }, StepUp: map[abac.Level]string{abac.MultiFactor: "mfa"},
	})
	require.NoError(t, err)
	mux := httpabac.NewMux(guard)
	mux.HandleFunc("PUT /v1/keys/{id}", ok, httpabac.Policy("settings:write", httpabac.MFA(abac.MultiFactor, time.Hour)))
	cfg.MinVersion, cfg.StepUp = 0, true
	abactest.ProveRoutes(t, mux, mux.Routes(), cfg)
	cfg.StepUp = false
	var v verdicts
	abactest.ProveRoutes(&v, mux, mux.Routes(), cfg)
	require.Len(t, v.faults, 2)
	require.Contains(t, v.faults[0], "refused with 401 mfa_required, should have been 403 mfa_required")
}

// TestProveRoutesOfAnotherRouter proves a router that is not httpabac.Mux, with patterns in its own language.
func TestProveRoutesOfAnotherRouter(t *testing.T) {
	_, cfg := setup(t)
	guard, err := httpabac.New(httpabac.Config{Universe: cfg.Universe, Record: func(context.Context, httpabac.Record) error { return nil }})
	require.NoError(t, err)
	read := guard.RequirePolicy("devices:read")
	router := http.NewServeMux()
	router.Handle("GET /v1/devices/{id}", read(http.HandlerFunc(ok)))
	router.Handle("GET /v1/files/", read(http.HandlerFunc(ok)))
	routes, err := httpabac.RoutesOf(func(visit httpabac.Visit) error {
		if err := visit("GET", "/v1/devices/{id:[0-9a-f-]+}", http.HandlerFunc(ok), read); err != nil {
			return err
		}
		return visit("GET", "/v1/files/*", http.HandlerFunc(ok), read)
	})
	require.NoError(t, err)
	cfg.MinVersion = 0
	report := abactest.ProveRoutes(t, router, routes, cfg)
	require.Equal(t, 2, report.Routes)
}

func TestProveRoutesUsesTheServersOwnCredentials(t *testing.T) {
	mux, cfg := setup(t)
	clearances := []abac.Clearance{nil, cfg.TooLow(httpabac.Route{}), cfg.Clearance}
	cfg.Authorize = func(r *http.Request, p abactest.Principal) *http.Request {
		r.Header.Set("X-Test-Policies", strings.Join(p.Policies, " "))
		r.Header.Set("X-Test-Tenant", p.Tenant.String())
		r.Header.Set("X-Test-Time", p.AuthTime.Format(time.RFC3339Nano))
		r.Header.Set("X-Test-Level", string(rune('0'+p.Level)))
		r.Header.Set("X-Test-Version", fmt.Sprint(p.Version))
		r.Header.Set("X-Test-Clearance", fmt.Sprint(slices.Index(clearances, p.Clearance)))
		return r
	}
	authenticate := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, signedIn := r.Header["X-Test-Policies"]; signedIn {
			set, _ := cfg.Universe.Compile(abac.Source{Policies: strings.Fields(r.Header.Get("X-Test-Policies"))})
			at, _ := time.Parse(time.RFC3339Nano, r.Header.Get("X-Test-Time"))
			version, _ := strconv.ParseInt(r.Header.Get("X-Test-Version"), 10, 64)
			clearance, _ := strconv.Atoi(r.Header.Get("X-Test-Clearance"))
			r = r.WithContext(httpabac.WithSubject(r.Context(), &abac.Subject{
				ID: uuid.New(), Tenant: uuid.MustParse(r.Header.Get("X-Test-Tenant")), Set: set,
				Level: abac.Level(r.Header.Get("X-Test-Level")[0] - '0'), AuthTime: at, Version: version, Clearance: clearances[clearance],
			}))
		}
		mux.ServeHTTP(w, r)
	})
	abactest.ProveRoutes(t, authenticate, mux.Routes(), cfg)
}
