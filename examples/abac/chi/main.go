// Command chi guards the routes of a service on the chi router and proves who gets through each. It is a module of its own,
// as a product is: tomkit itself does not import chi.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/abactest"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// service returns the router and its routes, and an error if one of them is not guarded: then the program does not start.
func service(universe *abac.Universe) (chi.Router, []httpabac.Route, error) {
	guard, err := httpabac.New(httpabac.Config{Universe: universe, Record: func(context.Context, httpabac.Record) error { return nil }})
	if err != nil {
		return nil, nil, err
	}
	policy := guard.RequirePolicy
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer) // and your authentication, which calls httpabac.WithSubject
	r.With(guard.Require(httpabac.Public("the load balancer asks"))).Get("/livez", answer("ok"))
	r.Route("/v1", func(r chi.Router) {
		r.With(policy("orders:read")).Get("/orders", answer("[]"))
		r.With(policy("orders:delete", httpabac.MFA(abac.MultiFactor, 5*time.Minute))).Delete("/orders/{id:[0-9a-f-]+}", answer(""))
		r.With(policy("orders:read", httpabac.TenantParam("tenant"))).Get("/tenants/{tenant}/orders", answer("[]"))
		r.Group(func(r chi.Router) {
			r.Use(policy("reports:read"))
			r.Get("/reports", answer("[]"))
			r.Get("/reports/files/*", answer("file"))
		})
	})
	routes, err := httpabac.RoutesOf(func(visit httpabac.Visit) error { return chi.Walk(r, chi.WalkFunc(visit)) })
	return r, routes, err
}

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func run(out io.Writer) error {
	universe, err := abac.NewUniverse("orders:read", "orders:delete", "reports:read")
	if err != nil {
		return err
	}
	roles, err := abac.NewRoles(universe, 1,
		abac.Role{Name: "clerk", Policies: []string{"orders:*", "!orders:delete"}}, abac.Role{Name: "chief", Policies: []string{"*:*"}})
	if err != nil {
		return err
	}
	router, routes, err := service(universe)
	if err != nil {
		return err
	}
	report := abactest.ProveRoutes(faults{out}, router, routes, abactest.Config{Universe: universe, Roles: roles})
	_, err = fmt.Fprintln(out, report)
	return err
}

// faults prints what ProveRoutes finds. In a test, give it t.
type faults struct{ io.Writer }

func (faults) Helper() {}

func (f faults) Errorf(format string, args ...any) { fmt.Fprintf(f, format+"\n", args...) }
