package humaabac_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
	"github.com/pioneerdesk/tomkit/abac/humaabac"
)

func Example() {
	universe, err := abac.NewUniverse("devices:read")
	if err != nil {
		panic(err)
	}
	guard, err := httpabac.New(httpabac.Config{Universe: universe})
	if err != nil {
		panic(err)
	}
	mux := httpabac.NewMux(guard)
	api := humaabac.NewAPI(mux, huma.DefaultConfig("Devices", "1.0.0"), httpabac.Access{})

	humaabac.Register(api, huma.Operation{OperationID: "list-devices", Method: http.MethodGet, Path: "/v1/devices"},
		httpabac.Policy("devices:read"),
		func(context.Context, *struct{}) (*struct{ Body []string }, error) {
			return &struct{ Body []string }{Body: []string{"ward-3-pc"}}, nil
		})
	for _, route := range mux.Routes() {
		fmt.Println(route.Pattern, "demands", route.Permission)
	}
	// Output:
	// GET /v1/devices demands devices:read
}
