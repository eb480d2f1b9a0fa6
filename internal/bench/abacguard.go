package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

// benchGuard measures the whole middleware around an empty handler: over the handler or the mux alone, and beside middlewares that ask
// the peers the same question. Every candidate has let the request through to its handler before anything is measured.
func benchGuard(ctx context.Context, r *reporter) error {
	bare := &counter{}
	plain, err := serving("bare handler", bare, bare, httptest.NewRequest(http.MethodGet, "/", nil))
	if err != nil {
		return err
	}
	ours, request, count, err := guarded()
	if err != nil {
		return err
	}
	routed := http.NewServeMux()
	routed.Handle("GET /v1/things/{id}", bare)
	mux, err := serving("http.ServeMux", routed, bare, request)
	if err != nil {
		return err
	}
	for _, line := range []struct {
		name string
		over candidate
	}{{"abac-guard", plain}, {"abac-guard-mfa", plain}, {"abac-guard-recorded", plain}, {"abac-guard-mux", mux}} {
		candidate, err := serving("tomkit", ours[line.name], count, request)
		if err != nil {
			return err
		}
		if err := r.cost(line.name+"-allowed", candidate, line.over, target{}); err != nil {
			return err
		}
		if err := r.allocations(line.name+"-allocations", candidate, line.over); err != nil {
			return err
		}
	}
	return guardPeers(ctx, r, ours["abac-guard"], request, count)
}

// allocations compares the allocations of one operation: ours makes no more than the peer.
func (r *reporter) allocations(name string, ours, peer candidate) (err error) {
	count := func(c candidate) float64 {
		return testing.AllocsPerRun(1000, func() { err = errors.Join(err, c.op(1)) })
	}
	mine, theirs := count(ours), count(peer)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	verdict := "short"
	if mine <= theirs {
		verdict = "ok"
	}
	_, err = fmt.Fprintf(r.out, "bench: %s ours=%g peer=%s:%g ratio=%+g target=<=+0 %s\n", name, mine, peer.name, theirs, mine-theirs, verdict)
	return err
}

// counter is a handler that counts.
type counter struct{ n int }

func (c *counter) ServeHTTP(http.ResponseWriter, *http.Request) { c.n++ }

// serving is a candidate that serves one request again and again, and fails unless each reaches the counter.
func serving(name string, h http.Handler, reached *counter, request *http.Request) (candidate, error) {
	w := httptest.NewRecorder()
	c := candidate{name, func(n int) error {
		before := reached.n
		for range n {
			h.ServeHTTP(w, request)
		}
		if reached.n != before+n {
			return fmt.Errorf("%s: a request was refused", name)
		}
		return nil
	}}
	return c, c.op(1)
}

// guarded are the forms of our middleware around a counter, with a request of the caller of the comparison.
func guarded() (handlers map[string]http.Handler, request *http.Request, reached *counter, err error) {
	qs := questions()
	var permission string
	for _, q := range qs {
		if q.want {
			permission = q.permission
		}
	}
	universe, err := abacUniverse()
	if err != nil {
		return nil, nil, nil, err
	}
	set, err := universe.Compile(abac.Source{Role: "role-0", Policies: abacPolicies()})
	if err != nil {
		return nil, nil, nil, err
	}
	guard, err := httpabac.New(httpabac.Config{Universe: universe, Record: func(context.Context, httpabac.Record) error { return nil }})
	if err != nil {
		return nil, nil, nil, err
	}
	reached = &counter{}
	mux := httpabac.NewMux(guard)
	mux.Handle("GET /v1/things/{id}", reached, httpabac.Policy(permission))
	subject := &abac.Subject{
		ID: uuid.New(), Tenant: uuid.New(), Role: "role-0", Set: set, Level: abac.MultiFactor, AuthTime: time.Now(),
	}
	request = httptest.NewRequest(http.MethodGet, "/v1/things/4711", nil)
	request = request.WithContext(httpabac.WithSubject(request.Context(), subject))
	return map[string]http.Handler{
		"abac-guard":          guard.RequirePolicy(permission)(reached),
		"abac-guard-mfa":      guard.RequirePolicy(permission, httpabac.MFA(abac.MultiFactor, time.Hour))(reached),
		"abac-guard-recorded": guard.RequirePolicy(permission, httpabac.Privileged())(reached),
		"abac-guard-mux":      mux,
	}, request, reached, nil
}

// guardPeers compares our middleware with the few lines that people write around the peers.
func guardPeers(ctx context.Context, r *reporter, ours http.Handler, request *http.Request, reached *counter) error {
	var allowed []question
	for _, q := range questions() {
		if q.want {
			allowed = append(allowed, q)
		}
	}
	for len(allowed) < decideQueries { // candidates take their questions by turns
		allowed = append(allowed, allowed[:min(len(allowed), decideQueries-len(allowed))]...)
	}
	cedarPeer, err := cedarDecide(allowed)
	if err != nil {
		return err
	}
	opaPeer, err := opaDecide(ctx, allowed)
	if err != nil {
		return err
	}
	casbinPeer, err := casbinDecide(allowed, true)
	if err != nil {
		return err
	}
	mine, err := serving("tomkit", ours, reached, request)
	if err != nil {
		return err
	}
	for _, engine := range []candidate{casbinPeer, cedarPeer, opaPeer} {
		goal := atLeast(80)
		if engine.name == casbinPeer.name { // its cache is a map
			goal = atLeast(2)
		}
		behind := &counter{}
		peer, err := serving(engine.name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if engine.op(1) != nil { // its first question, which is allowed
				http.Error(w, "forbidden", http.StatusForbidden)
				return
			}
			behind.ServeHTTP(w, r)
		}), behind, request)
		if err != nil {
			return err
		}
		if err := r.cost("abac-guard-allowed", mine, peer, goal); err != nil {
			return err
		}
	}
	return nil
}
