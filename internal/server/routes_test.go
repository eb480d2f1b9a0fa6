package server_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/abactest"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
	"github.com/pioneerdesk/tomkit/authn/token"
)

// TestEveryRouteDecidesAsItsPolicySays walks the real list of routes with real tokens: nobody, each role, each single permission, each
// role less the permission, a single factor.
func TestEveryRouteDecidesAsItsPolicySays(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	universe, err := abac.NewUniverse(abac.TOM6Permissions()...)
	require.NoError(t, err)
	roles, err := abac.NewRoles(universe, 1, abac.TOM6Roles()...)
	require.NoError(t, err)
	someone := k.somebody(t, ward, abac.TenantAdmin)
	// These act on the caller's own session, so they demand one and no permission.
	var routes, own []httpabac.Route
	for _, route := range k.Routes() {
		if slices.Contains([]string{"GET /v1/me", "POST /v1/auth/renew", "POST /v1/auth/sign-out"}, route.Pattern) {
			own = append(own, route)
			_, path, _ := strings.Cut(route.Pattern, " ")
			k.do(t, route.Method, path, nil).refused(t, http.StatusUnauthorized, "no_token")
			continue
		}
		routes = append(routes, route)
	}
	require.Len(t, own, 3)
	report := abactest.ProveRoutes(t, k.Handler(), routes, abactest.Config{
		Universe: universe, Roles: roles, Tenant: ward,
		Authorize: func(r *http.Request, p abactest.Principal) *http.Request {
			c := token.Claims{
				Subject: someone.user, Tenant: p.Tenant, Session: someone.session, Role: p.Role, Policies: p.Policies, Methods: []string{"pwd"},
			}
			if p.Level > abac.SingleFactor {
				c.Methods = append(c.Methods, "otp")
			}
			if c.Role == "" {
				c.Role = "none"
			}
			r.Header.Set("Authorization", "Bearer "+k.issue(t, c, time.Now))
			return r
		},
	})
	t.Log(report)
	require.Greater(t, report.Routes-report.Public, 5)
	for _, route := range k.Routes() {
		require.Truef(t, (route.Permission == "") != (route.Public == ""), "%s has neither or both", route.Pattern)
		if route.Permission != "" {
			require.Equalf(t, abac.MultiFactor, route.Level, "%s is open to a single factor", route.Pattern)
		}
	}
}

func TestTheDescriptionIsCompleteAndServedByUs(t *testing.T) {
	k := open(t)
	a := k.do(t, http.MethodGet, "/openapi.json", nil)
	var description struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Responses   map[string]any
		}
	}
	a.into(t, http.StatusOK, &description)
	require.Equal(t, "3.1.0", description.OpenAPI)
	described := map[string]bool{}
	for path, methods := range description.Paths {
		for method, operation := range methods {
			described[strings.ToUpper(method)+" "+path] = true
			require.NotEmpty(t, operation.OperationID)
		}
	}
	for _, route := range k.Routes() {
		if _, path, _ := strings.Cut(route.Pattern, " "); strings.HasPrefix(path, "/v1/") {
			require.Truef(t, described[route.Pattern], "%s is not described", route.Pattern)
		}
	}
	docs := k.do(t, http.MethodGet, "/docs", nil)
	docs.into(t, http.StatusOK, nil)
	require.Equal(t, "text/html; charset=utf-8", docs.Header.Get("Content-Type"))
	for route := range described {
		_, path, _ := strings.Cut(route, " ")
		require.Contains(t, string(docs.body), path)
	}
	require.Empty(t, regexp.MustCompile(`(?i)(src|href|action)\s*=\s*"?(https?:)?//`).FindAllString(string(docs.body), -1), "the page loads from elsewhere")
	require.NotContains(t, string(docs.body), "<script")
	require.True(t, json.Valid(a.body))
}

func TestWhatIsNotThereIsAProblemToo(t *testing.T) {
	k := open(t)
	for _, path := range []string{"/", "/v1", "/v1/nothing", "/v1/devices/", "/v1/devices/a/b", "/../etc/passwd", "/v1/%2e%2e/livez", "/.git/config", "/favicon.ico"} {
		t.Run("nothing at "+path, func(t *testing.T) {
			a := k.do(t, http.MethodGet, path, nil)
			if a.StatusCode < 400 { // cleaned paths are redirected
				require.Contains(t, []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}, a.StatusCode)
				require.Truef(t, strings.HasPrefix(a.Header.Get("Location"), "/"), "redirected to %s", a.Header.Get("Location"))
				return
			}
			a.refused(t, http.StatusNotFound, "not_found")
			require.NotContains(t, string(a.body), "passwd")
		})
	}
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect, "BREW"} {
		t.Run("a path without the method "+method, func(t *testing.T) {
			a := k.do(t, method, "/v1/devices", nil)
			if method == http.MethodConnect {
				require.GreaterOrEqual(t, a.StatusCode, 400)
				return
			}
			a.refused(t, http.StatusMethodNotAllowed, "method")
			require.Contains(t, a.Header.Get("Allow"), http.MethodGet)
		})
	}
	t.Run("HEAD is answered like GET without a body", func(t *testing.T) {
		require.Equal(t, http.StatusUnauthorized, k.do(t, http.MethodHead, "/v1/devices", nil).StatusCode)
		require.Equal(t, http.StatusOK, k.do(t, http.MethodHead, "/livez", nil).StatusCode)
	})
}
