// Command abac guards the routes of a net/http service and proves who gets through each: a route without a policy is not
// registered, a caller without the permission, the recent login or the clearance never reaches the handler.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/abactest"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
	"github.com/pioneerdesk/tomkit/abac/label"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// service returns the mux. Your authentication stands in front, verifies a token and calls httpabac.WithSubject.
func service(universe *abac.Universe, decisions *httpabac.Log) (*httpabac.Mux, error) {
	guard, err := httpabac.New(httpabac.Config{Universe: universe, Record: decisions.Record})
	if err != nil {
		return nil, err
	}
	secret, err := label.NATO().Label("SECRET", label.Category{Tag: "Releasable To", Type: label.Permissive, Values: []string{"DEU"}})
	if err != nil {
		return nil, err
	}
	labelOf := func(*http.Request) any { return secret } // of the report with the id in the path
	mux := httpabac.NewMux(guard)
	mux.HandleFunc("GET /orders", answer("[]"), httpabac.Policy("orders:read"))
	mux.HandleFunc("DELETE /orders/{id}", answer(""), httpabac.Policy("orders:delete", httpabac.MFA(abac.MultiFactor, 5*time.Minute)))
	mux.HandleFunc("GET /tenants/{tenant}/orders", answer("[]"), httpabac.Policy("orders:read", httpabac.TenantParam("tenant")))
	mux.HandleFunc("GET /reports/{id}", answer("{}"), httpabac.Policy("reports:read", httpabac.Cleared(labelOf)))
	mux.HandleFunc("GET /livez", answer("ok"), httpabac.Public("the load balancer asks"))
	return mux, nil
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
	denies := 0
	decisions, err := httpabac.NewLog(httpabac.LogConfig{Write: func(_ context.Context, records []httpabac.Record) error {
		for _, rec := range records { // your table of decisions
			if !rec.Decision.Allowed {
				denies++
			}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	written := make(chan error)
	go func() { written <- decisions.Run(ctx) }()

	mux, err := service(universe, decisions)
	if err != nil {
		return err
	}
	for _, route := range mux.Routes() {
		fmt.Fprintf(out, "%s: %s%s\n", route.Pattern, route.Permission, route.Public)
	}
	clearance, err := label.NATO().Clearance("SECRET", label.Held{"Releasable To": {"DEU"}})
	if err != nil {
		return err
	}
	report := abactest.ProveRoutes(faults{out}, mux, mux.Routes(), abactest.Config{Universe: universe, Roles: roles, Clearance: clearance})
	stop()
	err = <-written
	fmt.Fprintf(out, "%v, %d denies recorded\n", report, denies)
	return err
}

// faults prints what ProveRoutes finds. In a test, give it t.
type faults struct{ io.Writer }

func (faults) Helper() {}

func (f faults) Errorf(format string, args ...any) { fmt.Fprintf(f, format+"\n", args...) }
