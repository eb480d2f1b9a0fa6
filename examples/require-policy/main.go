// Command require-policy guards the routes of a net/http mux: a route without a policy is not registered, and a caller without the
// permission never reaches the handler.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	universe, err := abac.NewUniverse("orders:read", "orders:write")
	if err != nil {
		return err
	}
	guard, err := httpabac.New(httpabac.Config{Universe: universe})
	if err != nil {
		return err
	}
	mux := httpabac.NewMux(guard)
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") }, httpabac.Policy("orders:read"))
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "made") }, httpabac.Policy("orders:write"))

	// Your authentication verifies a token and puts the subject into the request's context.
	reader, err := universe.Compile(abac.Source{Role: "reader", Policies: []string{"orders:*", "!orders:write"}})
	if err != nil {
		return err
	}
	subject := &abac.Subject{ID: uuid.New(), Tenant: uuid.New(), Role: "reader", Set: reader}
	for _, call := range []struct {
		method string
		as     *abac.Subject
	}{{http.MethodGet, subject}, {http.MethodPost, subject}, {http.MethodGet, nil}} {
		request := httptest.NewRequest(call.method, "/orders", nil)
		if call.as != nil {
			request = request.WithContext(httpabac.WithSubject(request.Context(), call.as))
		}
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, request)
		fmt.Fprintf(out, "%s signed in: %v → %d\n", call.method, call.as != nil, answer.Code)
	}
	return nil
}
