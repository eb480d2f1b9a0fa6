package httpabac_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

func TestMuxRefusesARouteWithoutAPolicy(t *testing.T) {
	f := newFixture(t)
	for name, tc := range map[string]struct {
		pattern string
		access  httpabac.Access
	}{
		"the zero access":                       {"GET /x", httpabac.Access{}},
		"an empty permission":                   {"GET /x", httpabac.Policy("")},
		"public without a reason":               {"GET /x", httpabac.Public("")},
		"public with a blank reason":            {"GET /x", httpabac.Public(" \t")},
		"a permission that is not registered":   {"GET /x", httpabac.Policy("devices:raed")},
		"a wildcard":                            {"GET /x", httpabac.Policy("*:*")},
		"a deny":                                {"GET /x", httpabac.Policy("!devices:read")},
		"a pattern for every method":            {"/x", httpabac.Policy("devices:read")},
		"a public pattern for every method":     {"/x", httpabac.Public("reason")},
		"an empty method":                       {" /x", httpabac.Policy("devices:read")},
		"a method in lower case":                {"get /x", httpabac.Policy("devices:read")},
		"a tenant the path does not name":       {"GET /x/{id}", httpabac.Policy("devices:read", httpabac.TenantParam("tenant"))},
		"an age without a level":                {"GET /x", httpabac.Policy("devices:read", httpabac.MFA(abac.SingleFactor, time.Hour))},
		"a valid option after one that was not": {"GET /x", httpabac.Policy("devices:read", httpabac.MFA(0, 0), httpabac.MFA(1, 0))},
	} {
		t.Run(name, func(t *testing.T) {
			mux := httpabac.NewMux(f.guard)
			require.Panics(t, func() { mux.Handle(tc.pattern, f.handler(), tc.access) })
			require.Empty(t, mux.Routes())
			require.Equal(t, http.StatusNotFound, call(mux, "GET", "/x", f.subject("*:*"), nil).Code)
			require.Zero(t, f.ran)
		})
	}
	t.Run("a nil handler", func(t *testing.T) {
		mux := httpabac.NewMux(f.guard)
		require.Panics(t, func() { mux.Handle("GET /x", nil, httpabac.Public("reason")) })
		require.Panics(t, func() { mux.HandleFunc("GET /x", nil, httpabac.Public("reason")) })
	})
	t.Run("a pattern twice", func(t *testing.T) {
		mux := httpabac.NewMux(f.guard)
		mux.Handle("GET /x", f.handler(), httpabac.Policy("devices:read"))
		require.Panics(t, func() { mux.Handle("GET /x", f.handler(), httpabac.Public("reason")) })
		require.Len(t, mux.Routes(), 1)
	})
	t.Run("a nil guard", func(t *testing.T) {
		require.Panics(t, func() { httpabac.NewMux(nil) })
	})
}

func TestAccessDescribesItself(t *testing.T) {
	require.Equal(t, "devices:read", httpabac.Policy("devices:read", httpabac.Privileged()).String())
	require.False(t, httpabac.Policy("devices:read").IsPublic())
	require.Equal(t, "public: probe", httpabac.Public("probe").String())
	require.True(t, httpabac.Public("probe").IsPublic())
	require.False(t, httpabac.Access{}.IsPublic())
}

func TestMux(t *testing.T) {
	f := newFixture(t)
	mux := httpabac.NewMux(f.guard)
	mux.Handle("GET /v1/devices/{id}", f.handler(), httpabac.Policy("devices:read"))
	mux.Handle("DELETE /v1/devices/{id}", f.handler(), httpabac.Policy("devices:delete", httpabac.MFA(abac.MultiFactor, 5*time.Minute)))
	mux.Handle("GET /v1/tenants/{tenant}/devices", f.handler(), httpabac.Policy("devices:read", httpabac.TenantParam("tenant")))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		httpabac.Public(" probe "))

	t.Run("lists its routes with what they demand", func(t *testing.T) {
		require.Equal(t, []httpabac.Route{
			{Method: "GET", Pattern: "GET /v1/devices/{id}", Permission: "devices:read"},
			{Method: "DELETE", Pattern: "DELETE /v1/devices/{id}", Permission: "devices:delete", Privileged: true,
				Level: abac.MultiFactor, MaxAge: 5 * time.Minute},
			{Method: "GET", Pattern: "GET /v1/tenants/{tenant}/devices", Permission: "devices:read", TenantParam: "tenant"},
			{Method: "GET", Pattern: "GET /livez", Public: "probe"},
		}, mux.Routes())
		mux.Routes()[0].Permission = "changed"
		require.Equal(t, "devices:read", mux.Routes()[0].Permission)
	})
	t.Run("guards each method with its own permission", func(t *testing.T) {
		reader := f.subject("devices:read")
		require.Equal(t, http.StatusOK, call(mux, "GET", "/v1/devices/1", reader, nil).Code)
		require.Equal(t, http.StatusOK, call(mux, "HEAD", "/v1/devices/1", reader, nil).Code)
		require.Equal(t, http.StatusForbidden, call(mux, "DELETE", "/v1/devices/1", reader, nil).Code)
		require.Equal(t, http.StatusUnauthorized, call(mux, "HEAD", "/v1/devices/1", nil, nil).Code)
		require.Equal(t, http.StatusMethodNotAllowed, call(mux, "PUT", "/v1/devices/1", reader, nil).Code)
	})
	t.Run("answers a public route to anybody", func(t *testing.T) {
		require.Equal(t, http.StatusNoContent, call(mux, "GET", "/livez", nil, nil).Code)
	})
	t.Run("records the pattern, not the path", func(t *testing.T) {
		f.records = nil
		call(mux, "GET", "/v1/devices/miller", nil, nil)
		require.Equal(t, "GET /v1/devices/{id}", f.records[0].Route)
	})
	t.Run("a role that may everything stays in its tenant", func(t *testing.T) {
		god, before := f.subject("*:*"), f.ran
		require.Equal(t, http.StatusOK, call(mux, "GET", "/v1/tenants/"+tenant.String()+"/devices", god, nil).Code)
		for _, other := range []string{
			"00000000-0000-0000-0000-000000000000", "0b4e0d2c-5f0a-4b43-9d0e-0f7d8b1a2c3e", "x", "%20",
			"{" + tenant.String() + "}", "urn:uuid:" + tenant.String(), strings.ReplaceAll(tenant.String(), "-", ""),
			strings.ToUpper(tenant.String()), tenant.String() + "%00", tenant.String() + "%2Fx",
		} {
			require.Equal(t, http.StatusForbidden, call(mux, "GET", "/v1/tenants/"+other+"/devices", god, nil).Code, other)
		}
		require.Equal(t, before+1, f.ran)
	})
	t.Run("spellings of a path find no way around the guard", func(t *testing.T) {
		before := f.ran
		for _, path := range []string{
			"//v1/devices/1", "/v1//devices/1", "/v1/./devices/1", "/v1/x/../devices/1", "/v1/devices/%31", "/v1/devices/1?x=/livez",
			"/v1/devices/..%2f1", "/livez/../v1/devices/1", "/V1/devices/1", "/v1/devices/1/", "/v1%2Fdevices/1",
		} {
			require.NotEqual(t, http.StatusOK, call(mux, "GET", path, nil, nil).Code, path)
		}
		require.Equal(t, before, f.ran)
	})
}
