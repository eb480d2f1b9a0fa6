package httpabac_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

func Example() {
	universe, err := abac.NewUniverse("devices:read", "devices:write")
	if err != nil {
		panic(err)
	}
	guard, err := httpabac.New(httpabac.Config{Universe: universe})
	if err != nil {
		panic(err)
	}
	mux := httpabac.NewMux(guard)
	mux.HandleFunc("GET /v1/devices", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "ward-3-pc")
	}, httpabac.Policy("devices:read"))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "ok")
	}, httpabac.Public("probe: tells nothing but that the process runs"))

	// The server's authentication verifies a token here and puts its subject into the context.
	reader, err := universe.Compile(abac.Source{Role: "reader", Policies: []string{"devices:read"}})
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest("GET", "/v1/devices", nil)
	r = r.WithContext(httpabac.WithSubject(r.Context(), &abac.Subject{ID: uuid.New(), Role: "reader", Set: reader}))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/livez", nil))
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 ward-3-pc
	// 200 ok
}

// A log that is slow rather than incomplete stands between the guard and where decisions are kept.
func ExampleLog() {
	universe, err := abac.NewUniverse("devices:delete")
	if err != nil {
		panic(err)
	}
	decisions, err := httpabac.NewLog(httpabac.LogConfig{Write: func(_ context.Context, records []httpabac.Record) error {
		for _, rec := range records { // a database would keep all of them or none
			fmt.Println(rec.Permission, rec.Decision.Reason)
		}
		return nil
	}})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- decisions.Run(ctx) }()

	guard, err := httpabac.New(httpabac.Config{Universe: universe, Record: decisions.Record})
	if err != nil {
		panic(err)
	}
	remove := guard.RequirePolicy("devices:delete")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	remove.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("DELETE", "/v1/devices/1", nil))

	stop() // after the HTTP server
	fmt.Println(<-done)
	// Output:
	// devices:delete no_token
	// <nil>
}
