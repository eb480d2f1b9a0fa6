package httpabac

import (
	"fmt"
	"net/http"
	"strings"
)

// Visit is called for a route of a router: its method, its pattern without the method, its handler and the middlewares
// between router and handler, outermost first. It has the signature of a chi.WalkFunc.
type Visit func(method, pattern string, handler http.Handler, middlewares ...func(http.Handler) http.Handler) error

// RoutesOf returns the routes of a router other than [Mux], for abactest.ProveRoutes and for a program that is not to start
// with an unprotected route. Walk calls visit for every route; for chi it is
//
//	func(visit httpabac.Visit) error { return chi.Walk(router, chi.WalkFunc(visit)) }
//
// A route none of whose middlewares, nor its handler, is a guard's is an error that wraps [ErrAccess], and so is one with
// two, since what it demands would be neither: use [Guard.RequirePolicy] on the route itself, or [Guard.Require] with
// [Public]. A guard inside a middleware of somebody else's is not seen. It finds a guard by putting every middleware in
// front of an empty handler, once.
func RoutesOf(walk func(visit Visit) error) (routes []Route, err error) {
	err = walk(func(method, pattern string, handler http.Handler, middlewares ...func(http.Handler) http.Handler) error {
		route, err := routeOf(method, pattern, handler, middlewares)
		routes = append(routes, route)
		return err
	})
	if err != nil {
		return nil, err
	}
	return routes, nil
}

func routeOf(method, pattern string, handler http.Handler, middlewares []func(http.Handler) http.Handler) (Route, error) {
	var found []Route
	if h, ok := handler.(*guarded); ok {
		found = append(found, h.gate.route)
	}
	for _, middleware := range middlewares {
		if h, ok := middleware(http.NotFoundHandler()).(*guarded); ok {
			found = append(found, h.gate.route)
		}
	}
	if len(found) != 1 {
		return Route{}, fmt.Errorf("httpabac: routes: %s %s: %d guards, want one: %w", method, pattern, len(found), ErrAccess)
	}
	route := found[0]
	route.Method, route.Pattern = method, method+" "+pattern
	if p := route.TenantParam; p != "" && !hasValue(pattern, p) {
		return Route{}, fmt.Errorf("httpabac: routes: %s: no path value %q for the tenant: %w", route.Pattern, p, ErrAccess)
	}
	return route, nil
}

// hasValue reports whether pattern holds {name}, or {name:expression} as other routers write it.
func hasValue(pattern, name string) bool {
	return strings.Contains(pattern, "{"+name+"}") || strings.Contains(pattern, "{"+name+":")
}
