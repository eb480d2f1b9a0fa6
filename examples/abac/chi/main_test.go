package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(&out))
	require.Equal(t, "6 routes (1 public) and 3 conditions proven with 142 requests\n", out.String())
}

func TestAForgottenRouteStopsTheProgram(t *testing.T) {
	universe, err := abac.NewUniverse("orders:read", "orders:delete", "reports:read")
	require.NoError(t, err)
	router, routes, err := service(universe)
	require.NoError(t, err)
	require.Len(t, routes, 6)
	walk := func(visit httpabac.Visit) error { return chi.Walk(router, chi.WalkFunc(visit)) }
	router.Get("/v1/forgotten", answer("open"))
	_, err = httpabac.RoutesOf(walk)
	require.ErrorIs(t, err, httpabac.ErrAccess)
	require.ErrorContains(t, err, "/v1/forgotten")
}

// TestASubrouterDoesNotHideARoute mounts one that nobody guarded.
func TestASubrouterDoesNotHideARoute(t *testing.T) {
	universe, err := abac.NewUniverse("orders:read", "orders:delete", "reports:read")
	require.NoError(t, err)
	router, _, err := service(universe)
	require.NoError(t, err)
	sub := chi.NewRouter()
	sub.Post("/x", answer("open"))
	router.Mount("/admin", sub)
	_, err = httpabac.RoutesOf(func(visit httpabac.Visit) error { return chi.Walk(router, chi.WalkFunc(visit)) })
	require.ErrorContains(t, err, "POST /admin/x")
	w := httptest.NewRecorder()
	router.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/admin/x", nil))
	require.Equal(t, http.StatusOK, w.Code, "it is open indeed")
}

// TestDecisionsNameChisPattern records a deny under a router that tells its pattern, not the path with what is personal in it.
func TestDecisionsNameChisPattern(t *testing.T) {
	universe, err := abac.NewUniverse("people:read")
	require.NoError(t, err)
	var routes []string
	guard, err := httpabac.New(httpabac.Config{Universe: universe, Record: func(_ context.Context, rec httpabac.Record) error {
		routes = append(routes, rec.Route)
		return nil
	}})
	require.NoError(t, err)
	r := chi.NewRouter()
	r.With(guard.RequirePolicy("people:read")).Get("/people/{name}", answer("open"))
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/people/miller", nil))
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, []string{"/people/{name}"}, routes)
}
