package humaabac_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/sse"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/abactest"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
	"github.com/pioneerdesk/tomkit/abac/humaabac"
	"github.com/pioneerdesk/tomkit/abac/label"
)

type fixture struct {
	universe *abac.Universe
	roles    *abac.Roles
	mux      *httpabac.Mux
	ran      int
	fail     error
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	u, err := abac.NewUniverse(abac.TOM6Permissions()...)
	require.NoError(t, err)
	f := &fixture{universe: u}
	f.roles, err = abac.NewRoles(u, 1, abac.TOM6Roles()...)
	require.NoError(t, err)
	guard, err := httpabac.New(httpabac.Config{
		Universe: u, Record: func(context.Context, httpabac.Record) error { return f.fail },
	})
	require.NoError(t, err)
	f.mux = httpabac.NewMux(guard)
	return f
}

func config() huma.Config { return huma.DefaultConfig("Devices", "1.0.0") }

type idInput struct {
	ID string `path:"id" format:"uuid"`
}

type createInput struct {
	Body struct {
		Name string `json:"name" minLength:"1"`
	}
}

type nameOutput struct {
	Body struct {
		Name string `json:"name"`
	}
}

func get[I any](f *fixture) func(context.Context, *I) (*nameOutput, error) {
	return func(context.Context, *I) (*nameOutput, error) {
		f.ran++
		out := &nameOutput{}
		out.Body.Name = "ward-3-pc"
		return out, nil
	}
}

func (f *fixture) as(policies ...string) context.Context {
	set, _ := f.universe.Compile(abac.Source{Policies: policies})
	return httpabac.WithSubject(context.Background(), &abac.Subject{
		ID: uuid.New(), Tenant: uuid.New(), Set: set, Level: abac.MultiFactor, AuthTime: time.Now(),
	})
}

func (f *fixture) call(ctx context.Context, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body)).WithContext(ctx)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	return w
}

func TestOperationsAreGuarded(t *testing.T) {
	f := newFixture(t)
	api := humaabac.NewAPI(f.mux, config(), httpabac.Policy("settings:read"))
	var middlewares int
	api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) { middlewares++; next(ctx) })
	humaabac.Register(api, huma.Operation{OperationID: "get-device", Method: "GET", Path: "/v1/devices/{id}"},
		httpabac.Policy("devices:read"), get[idInput](f))
	humaabac.Register(api, huma.Operation{OperationID: "create-device", Method: "POST", Path: "/v1/devices"},
		httpabac.Policy("devices:write"), get[createInput](f))
	humaabac.Register(api, huma.Operation{OperationID: "approve", Method: "POST", Path: "/v1/cab/{id}"},
		httpabac.Policy("cab:approve", httpabac.MFA(abac.MultiFactor, 5*time.Minute)), get[idInput](f))
	humaabac.Register(api, huma.Operation{OperationID: "live", Method: "GET", Path: "/livez"},
		httpabac.Public("probe"), get[struct{}](f))
	group := huma.NewGroup(api, "/v2", "/v3")
	humaabac.Register(group, huma.Operation{OperationID: "get-disk", Method: "GET", Path: "/disks/{id}"},
		httpabac.Policy("devices:read"), get[idInput](f))
	device := "/v1/devices/" + uuid.NewString()

	t.Run("nobody gets 401, the handler and huma itself never run", func(t *testing.T) {
		w := f.call(context.Background(), "GET", device, "")
		require.Equal(t, http.StatusUnauthorized, w.Code)
		require.Equal(t, httpabac.ContentType, w.Header().Get("Content-Type"))
		require.Contains(t, w.Body.String(), `"code":"no_token"`)
		require.Zero(t, f.ran)
		require.Zero(t, middlewares)
	})
	t.Run("a missing permission gives 403 before the body is looked at", func(t *testing.T) {
		w := f.call(f.as("devices:read"), "POST", "/v1/devices", `{"name":`)
		require.Equal(t, http.StatusForbidden, w.Code)
		require.Contains(t, w.Body.String(), `"code":"no_match"`)
		require.NotContains(t, w.Body.String(), "devices")
		require.Zero(t, f.ran)
	})
	t.Run("the holder gets through, and bad input is huma's problem+json", func(t *testing.T) {
		require.Equal(t, http.StatusOK, f.call(f.as("devices:read"), "GET", device, "").Code)
		w := f.call(f.as("devices:write"), "POST", "/v1/devices", `{"name":""}`)
		require.Equal(t, http.StatusUnprocessableEntity, w.Code)
		require.Equal(t, httpabac.ContentType, w.Header().Get("Content-Type"))
		require.Equal(t, 1, f.ran)
	})
	t.Run("a privileged allow that cannot be recorded gives 503", func(t *testing.T) {
		f.fail = errors.New("down")
		defer func() { f.fail = nil }()
		require.Equal(t, http.StatusServiceUnavailable, f.call(f.as("*:*"), "POST", "/v1/cab/"+uuid.NewString(), "").Code)
		require.Equal(t, 1, f.ran)
	})
	t.Run("a public operation answers anybody", func(t *testing.T) {
		require.Equal(t, http.StatusOK, f.call(context.Background(), "GET", "/livez", "").Code)
	})
	t.Run("every operation of a group is guarded", func(t *testing.T) {
		for _, version := range []string{"/v2", "/v3"} {
			require.Equal(t, http.StatusUnauthorized, f.call(context.Background(), "GET", version+"/disks/"+uuid.NewString(), "").Code)
			require.Equal(t, http.StatusOK, f.call(f.as("devices:read"), "GET", version+"/disks/"+uuid.NewString(), "").Code)
		}
	})
	t.Run("the API description is guarded by its own access and holds no policy", func(t *testing.T) {
		require.Equal(t, http.StatusUnauthorized, f.call(context.Background(), "GET", "/openapi.json", "").Code)
		require.Equal(t, http.StatusForbidden, f.call(f.as("devices:*"), "GET", "/docs", "").Code)
		w := f.call(f.as("settings:read"), "GET", "/openapi.json", "")
		require.Equal(t, http.StatusOK, w.Code)
		for _, policy := range []string{"devices:read", "cab:approve", humaabac.MetadataKey} {
			require.NotContains(t, w.Body.String(), policy)
		}
		var spec struct {
			Paths map[string]map[string]struct{ Responses map[string]any }
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &spec))
		require.Contains(t, spec.Paths["/v1/devices"]["post"].Responses, "403")
		require.NotContains(t, spec.Paths["/livez"]["get"].Responses, "403")
	})
	t.Run("the list of routes is complete and proven", func(t *testing.T) {
		report := abactest.ProveRoutes(t, f.mux, f.mux.Routes(), abactest.Config{Universe: f.universe, Roles: f.roles})
		require.Equal(t, 6+6, report.Routes, "ours, and what huma serves about the API")
		require.Equal(t, 1, report.Public)
	})
}

func TestAnOperationWithoutAPolicyIsRefused(t *testing.T) {
	op := huma.Operation{OperationID: "x", Method: "GET", Path: "/x"}
	for name, register := range map[string]func(f *fixture, api huma.API){
		"the zero access": func(f *fixture, api huma.API) {
			humaabac.Register(api, op, httpabac.Access{}, get[struct{}](f))
		},
		"a permission that is not registered": func(f *fixture, api huma.API) {
			humaabac.Register(api, op, httpabac.Policy("devices:raed"), get[struct{}](f))
		},
		"public without a reason": func(f *fixture, api huma.API) {
			humaabac.Register(api, op, httpabac.Public(""), get[struct{}](f))
		},
		"huma.Register, past this package": func(f *fixture, api huma.API) {
			huma.Register(api, op, get[struct{}](f))
		},
		"huma.Get, past this package": func(f *fixture, api huma.API) {
			huma.Get(api, "/x", get[struct{}](f))
		},
		"huma.Get on a group": func(f *fixture, api huma.API) {
			huma.Get(huma.NewGroup(api, "/v1"), "/x", get[struct{}](f))
		},
		"a group that drops the metadata": func(f *fixture, api huma.API) {
			group := huma.NewGroup(api, "/v1")
			group.UseSimpleModifier(func(op *huma.Operation) { op.Metadata = nil })
			humaabac.Register(group, op, httpabac.Policy("devices:read"), get[struct{}](f))
		},
		"something else in the metadata": func(f *fixture, api huma.API) {
			odd := op
			odd.Metadata = map[string]any{humaabac.MetadataKey: "devices:read"}
			huma.Register(api, odd, get[struct{}](f))
		},
		"an operation handed to the adapter, as extensions of huma do": func(f *fixture, api huma.API) {
			odd := op
			api.Adapter().Handle(&odd, func(huma.Context) { f.ran++ })
		},
		"a stream of events": func(f *fixture, api huma.API) {
			sse.Register(api, op, map[string]any{"message": nameOutput{}}, func(context.Context, *struct{}, sse.Sender) { f.ran++ })
		},
		"an option that is not valid": func(f *fixture, api huma.API) {
			humaabac.Register(api, op, httpabac.Policy("devices:read", httpabac.Cleared(nil)), get[struct{}](f))
		},
		"a tenant that the path does not name": func(f *fixture, api huma.API) {
			humaabac.Register(api, op, httpabac.Policy("devices:read", httpabac.TenantParam("tenant")), get[struct{}](f))
		},
		"a method that is none": func(f *fixture, api huma.API) {
			odd := op
			odd.Method = ""
			humaabac.Register(api, odd, httpabac.Policy("devices:read"), get[struct{}](f))
		},
		"an API of another adapter": func(f *fixture, _ huma.API) {
			humaabac.Register(humago.New(http.NewServeMux(), config()), op, httpabac.Policy("devices:read"), get[struct{}](f))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			api := humaabac.NewAPI(f.mux, config(), httpabac.Access{})
			require.Panics(t, func() { register(f, api) })
			require.Empty(t, f.mux.Routes())
		})
	}
	t.Run("the access itself in the metadata is enough for huma.Register", func(t *testing.T) {
		f := newFixture(t)
		api := humaabac.NewAPI(f.mux, config(), httpabac.Access{})
		guarded := op
		guarded.Metadata = map[string]any{humaabac.MetadataKey: httpabac.Policy("devices:read")}
		huma.Register(api, guarded, get[struct{}](f))
		require.Equal(t, "devices:read", f.mux.Routes()[0].Permission)
		require.Equal(t, http.StatusUnauthorized, f.call(context.Background(), "GET", "/x", "").Code)
	})
	t.Run("and for a stream of events, which is guarded like all others", func(t *testing.T) {
		f := newFixture(t)
		api := humaabac.NewAPI(f.mux, config(), httpabac.Access{})
		guarded := op
		guarded.Metadata = map[string]any{humaabac.MetadataKey: httpabac.Policy("devices:read")}
		sse.Register(api, guarded, map[string]any{"message": nameOutput{}}, func(context.Context, *struct{}, sse.Sender) { f.ran++ })
		require.Equal(t, http.StatusForbidden, f.call(f.as("audit:read"), "GET", "/x", "").Code)
		require.Zero(t, f.ran)
		require.Equal(t, http.StatusOK, f.call(f.as("devices:read"), "GET", "/x", "").Code)
		require.Equal(t, 1, f.ran)
	})
	t.Run("the caller's metadata is left alone", func(t *testing.T) {
		f := newFixture(t)
		api := humaabac.NewAPI(f.mux, config(), httpabac.Access{})
		mine := op
		mine.Metadata = map[string]any{"mine": true}
		humaabac.Register(api, mine, httpabac.Policy("devices:read"), get[struct{}](f))
		require.Equal(t, map[string]any{"mine": true}, mine.Metadata)
	})
}

// TestConditionsOfOperations demands everything a route can demand and proves it.
func TestConditionsOfOperations(t *testing.T) {
	f := newFixture(t)
	amber, err := label.TLP().Label("AMBER")
	require.NoError(t, err)
	api := humaabac.NewAPI(f.mux, config(), httpabac.Access{})
	humaabac.Register(api, huma.Operation{OperationID: "a", Method: "GET", Path: "/v1/reports/{id}"},
		httpabac.Policy("audit:read", httpabac.Cleared(func(*http.Request) any { return amber })), get[idInput](f))
	humaabac.Register(api, huma.Operation{OperationID: "b", Method: "POST", Path: "/v1/tenants/{tenant}/devices"},
		httpabac.Policy("devices:write", httpabac.TenantParam("tenant"), httpabac.MFA(abac.MultiFactor, time.Hour)), get[createInput](f))
	high, err := label.TLP().Clearance("AMBER+STRICT", nil)
	require.NoError(t, err)
	low, err := label.TLP().Clearance("GREEN", nil)
	require.NoError(t, err)
	report := abactest.ProveRoutes(t, f.mux, f.mux.Routes(), abactest.Config{
		Universe: f.universe, Roles: f.roles, Clearance: high, TooLow: func(httpabac.Route) abac.Clearance { return low },
	})
	require.Equal(t, 4, report.Conditions)
}

// TestHeadersDoNotChangeTheOperation: huma reads no header that names another method or path.
func TestHeadersDoNotChangeTheOperation(t *testing.T) {
	f := newFixture(t)
	api := humaabac.NewAPI(f.mux, config(), httpabac.Access{})
	humaabac.Register(api, huma.Operation{OperationID: "a", Method: "POST", Path: "/v1/devices"}, httpabac.Policy("devices:write"), get[createInput](f))
	humaabac.Register(api, huma.Operation{OperationID: "b", Method: "GET", Path: "/v1/devices"}, httpabac.Policy("devices:read"), get[struct{}](f))
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"} {
		r := httptest.NewRequest("POST", "/v1/devices?_method=GET", strings.NewReader(`{"name":"x"}`)).WithContext(f.as("devices:read"))
		r.Header.Set(name, "GET")
		w := httptest.NewRecorder()
		f.mux.ServeHTTP(w, r)
		require.Equal(t, http.StatusForbidden, w.Code, name)
	}
	require.Zero(t, f.ran)
}

func TestNewAPI(t *testing.T) {
	t.Run("serves no description without an access for it", func(t *testing.T) {
		f := newFixture(t)
		humaabac.NewAPI(f.mux, config(), httpabac.Access{})
		for _, path := range []string{"/openapi.json", "/openapi.yaml", "/docs", "/schemas/x.json"} {
			require.Equal(t, http.StatusNotFound, f.call(f.as("*:*"), "GET", path, "").Code, path)
		}
	})
	t.Run("refuses an access that is not valid", func(t *testing.T) {
		f := newFixture(t)
		require.Panics(t, func() { humaabac.NewAPI(f.mux, config(), httpabac.Policy("devices:raed")) })
	})
	t.Run("lets the operation's access be read by middlewares", func(t *testing.T) {
		f := newFixture(t)
		api := humaabac.NewAPI(f.mux, config(), httpabac.Access{})
		var seen any
		api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
			seen = ctx.Operation().Metadata[humaabac.MetadataKey]
			next(ctx)
		})
		humaabac.Register(api, huma.Operation{OperationID: "x", Method: "GET", Path: "/x"}, httpabac.Policy("devices:read"), get[struct{}](f))
		f.call(f.as("devices:read"), "GET", "/x", "")
		require.Equal(t, httpabac.Policy("devices:read"), seen)
	})
}

func BenchmarkOperation(b *testing.B) {
	f := newFixture(b)
	api := humaabac.NewAPI(f.mux, config(), httpabac.Access{})
	humaabac.Register(api, huma.Operation{OperationID: "x", Method: "GET", Path: "/x"}, httpabac.Policy("devices:read"),
		func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	ctx := f.as("devices:read")
	r, w := httptest.NewRequest("GET", "/x", nil).WithContext(ctx), httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		f.mux.ServeHTTP(w, r)
	}
}
