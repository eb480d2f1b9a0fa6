package abactest_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/abactest"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

func ExampleProveRoutes() {
	universe, err := abac.NewUniverse("devices:read", "devices:write")
	if err != nil {
		panic(err)
	}
	roles, err := abac.NewRoles(universe, 1, abac.Role{Name: "reader", Policies: []string{"*:read"}})
	if err != nil {
		panic(err)
	}
	guard, err := httpabac.New(httpabac.Config{Universe: universe, Record: func(context.Context, httpabac.Record) error { return nil }})
	if err != nil {
		panic(err)
	}
	mux := httpabac.NewMux(guard)
	mux.HandleFunc("GET /v1/devices", func(http.ResponseWriter, *http.Request) {}, httpabac.Policy("devices:read"))

	var t verdicts // in a test: t *testing.T
	report := abactest.ProveRoutes(&t, mux, mux.Routes(), abactest.Config{Universe: universe, Roles: roles})
	fmt.Println(report, "faults:", len(t.faults))
	// Output:
	// 1 routes (0 public) and 0 conditions proven with 22 requests faults: 0
}
