package httpabac_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

// BenchmarkRequirePolicy measures the whole middleware around an empty handler.
func BenchmarkRequirePolicy(b *testing.B) {
	f := newFixture(b)
	guard, err := httpabac.New(httpabac.Config{
		Universe: f.universe, Record: func(context.Context, httpabac.Record) error { return nil },
	})
	require.NoError(b, err)
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r := httptest.NewRequest("GET", "/v1/devices", nil)
	sub := f.subject("devices:*", "audit:read", "!devices:delete")
	sub.AuthTime = time.Now()
	allowed := r.WithContext(httpabac.WithSubject(context.Background(), sub))

	run := func(name string, h http.Handler, r *http.Request) {
		b.Run(name, func(b *testing.B) {
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
				if w.Body != nil {
					w.Body.Reset()
				}
			}
		})
	}
	run("no guard", nothing, allowed)
	run("allowed", guard.RequirePolicy("devices:read")(nothing), allowed)
	run("allowed with MFA", guard.RequirePolicy("devices:read", httpabac.MFA(abac.MultiFactor, time.Hour))(nothing), allowed)
	run("allowed privileged", guard.RequirePolicy("devices:read", httpabac.Privileged())(nothing), allowed)
	run("refused", guard.RequirePolicy("devices:delete")(nothing), allowed)

	mux := httpabac.NewMux(guard)
	mux.Handle("GET /v1/devices", nothing, httpabac.Policy("devices:read"))
	run("mux, allowed", mux, allowed)
}
