package httpabac_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

// foreign is a route of some other router.
type foreign struct {
	method, pattern string
	handler         http.Handler
	middlewares     []func(http.Handler) http.Handler
}

func walker(routes ...foreign) func(httpabac.Visit) error {
	return func(visit httpabac.Visit) error {
		for _, r := range routes {
			if err := visit(r.method, r.pattern, r.handler, r.middlewares...); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestRoutesOf(t *testing.T) {
	f := newFixture(t)
	type middleware = func(http.Handler) http.Handler
	plain := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
	}
	read := f.guard.RequirePolicy("devices:read")
	t.Run("finds the guard among the middlewares, or as the handler", func(t *testing.T) {
		routes, err := httpabac.RoutesOf(walker(
			foreign{"GET", "/v1/devices", f.handler(), []middleware{plain, read, plain}},
			foreign{"GET", "/v1/disks", read(f.handler()), nil},
			foreign{"GET", "/livez", f.handler(), []middleware{f.guard.Require(httpabac.Public("probe"))}},
			foreign{"GET", "/v1/{tenant:[0-9a-f-]+}/x", f.handler(), []middleware{f.guard.RequirePolicy("devices:read", httpabac.TenantParam("tenant"))}},
		))
		require.NoError(t, err)
		require.Equal(t, []httpabac.Route{
			{Method: "GET", Pattern: "GET /v1/devices", Permission: "devices:read"},
			{Method: "GET", Pattern: "GET /v1/disks", Permission: "devices:read"},
			{Method: "GET", Pattern: "GET /livez", Public: "probe"},
			{Method: "GET", Pattern: "GET /v1/{tenant:[0-9a-f-]+}/x", Permission: "devices:read", TenantParam: "tenant"},
		}, routes)
		require.Zero(t, f.ran)
	})
	for name, route := range map[string]foreign{
		"without a guard":                 {"GET", "/x", f.handler(), []middleware{plain}},
		"with a guard that is hidden":     {"GET", "/x", f.handler(), []middleware{func(next http.Handler) http.Handler { return plain(read(next)) }}},
		"with two guards":                 {"GET", "/x", f.handler(), []middleware{read, f.guard.RequirePolicy("devices:write")}},
		"with a guard and public":         {"GET", "/x", read(f.handler()), []middleware{f.guard.Require(httpabac.Public("probe"))}},
		"without the tenant in its path":  {"GET", "/x/{id}", f.handler(), []middleware{f.guard.RequirePolicy("devices:read", httpabac.TenantParam("tenant"))}},
		"without handler and middlewares": {"GET", "/x", nil, nil},
	} {
		t.Run("refuses a route "+name, func(t *testing.T) {
			routes, err := httpabac.RoutesOf(walker(foreign{"GET", "/ok", read(f.handler()), nil}, route))
			require.ErrorIs(t, err, httpabac.ErrAccess)
			require.Nil(t, routes)
		})
	}
	t.Run("passes on the router's own error", func(t *testing.T) {
		broken := errors.New("broken")
		_, err := httpabac.RoutesOf(func(httpabac.Visit) error { return broken })
		require.ErrorIs(t, err, broken)
	})
}

func TestRequireRefuses(t *testing.T) {
	f := newFixture(t)
	require.Panics(t, func() { f.guard.Require(httpabac.Access{}) })
	require.Panics(t, func() { f.guard.Require(httpabac.Public("")) })
	w := call(f.guard.Require(httpabac.Public("probe"))(f.handler()), "GET", "/", nil, nil)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, 1, f.ran)
	require.True(t, httpabac.Access{}.IsZero())
	require.False(t, httpabac.Public("probe").IsZero())
	require.False(t, httpabac.Policy("devices:read").IsZero())
	require.False(t, httpabac.Policy("", httpabac.Cleared(nil)).IsZero(), "a faulty access is not a missing one")
}
