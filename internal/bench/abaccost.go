package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

// abacCosts are the comparisons around the bare decision: under five conditions, the compilation of a token's policies, a hit
// in the cache, and the whole middleware, which is set beside the bare decisions of the peers.
func abacCosts(qs []question, cedarPeer, cachedPeer candidate) ([]comparison, error) {
	ours, peer, err := conditioned(qs)
	if err != nil {
		return nil, err
	}
	u, err := abacUniverse()
	if err != nil {
		return nil, err
	}
	policies := abacPolicies()
	cache, err := abac.NewCache(u, abac.CacheConfig{})
	if err != nil {
		return nil, err
	}
	hit, err := asking("tomkit", qs, func(i int) (bool, error) {
		return cache.Set("role-0", policies).DecideString(qs[i].permission).Allowed, nil
	})
	if err != nil {
		return nil, err
	}
	whole, err := middleware(u, policies, qs)
	if err != nil {
		return nil, err
	}
	compile := candidate{"tomkit", func(n int) error {
		for range n {
			if _, err := u.Compile(abac.Source{Role: "role-0", Policies: policies}); err != nil {
				return err
			}
		}
		return nil
	}}
	return []comparison{
		{"abac-5-conditions", ours, peer, atLeast(80)},
		{"abac-compile", compile, cedarParse(policies), target{}},
		{"abac-cache-hit", hit, cachedPeer, target{}},
		{"abac-middleware", whole, cedarPeer, atLeast(10)},
	}, nil
}

// abacLimits are the times a million decisions may take.
func abacLimits(r *reporter) error {
	u, err := abacUniverse()
	if err != nil {
		return err
	}
	set, err := u.Compile(abac.Source{Role: "role-0", Policies: abacPolicies()})
	if err != nil {
		return err
	}
	var ids [decideQueries]abac.ID
	var texts [decideQueries]string
	for i, q := range questions() {
		texts[i] = q.permission
		ids[i], _ = u.ID(q.permission)
	}
	const million = 1_000_000
	allowed := 0
	if err := r.limit("abac-million-by-id", func() error {
		for i := range million {
			if set.Decide(ids[i&(decideQueries-1)]).Allowed {
				allowed++
			}
		}
		return nil
	}, 2*time.Millisecond); err != nil {
		return err
	}
	if err := r.limit("abac-million-by-string", func() error {
		for i := range million {
			if set.DecideString(texts[i&(decideQueries-1)]).Allowed {
				allowed++
			}
		}
		return nil
	}, 25*time.Millisecond); err != nil {
		return err
	}
	if allowed == 0 {
		return errors.New("nothing was allowed")
	}
	return nil
}

// conditioned decides under five conditions that hold: tenant, MFA level and age, network, time of the day, posture of the device.
func conditioned(qs []question) (ours, peer candidate, err error) {
	u, err := abacUniverse()
	if err != nil {
		return ours, peer, err
	}
	set, err := u.Compile(abac.Source{Role: "role-0", Policies: abacPolicies()})
	if err != nil {
		return ours, peer, err
	}
	now, tenant := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), uuid.New()
	needs := make([]abac.Requirement, len(qs))
	for i, q := range qs {
		needs[i], err = u.Require(q.permission, abac.SameTenant(), abac.MFA(abac.MultiFactor, 5*time.Minute), abac.From(netip.MustParsePrefix("10.0.0.0/8")),
			abac.During(abac.Window{Zone: "UTC", From: 8 * time.Hour, To: 18 * time.Hour}), abac.Device(abac.Managed, 0))
		if err != nil {
			return ours, peer, err
		}
	}
	sub := &abac.Subject{ID: uuid.New(), Tenant: tenant, Set: set, Level: abac.MultiFactor, AuthTime: now, Posture: abac.Managed}
	req := abac.Request{Tenant: tenant, Now: now, Addr: netip.MustParseAddr("10.1.2.3")}
	if ours, err = asking("tomkit", qs, func(i int) (bool, error) { return needs[i].Decide(sub, req).Allowed, nil }); err != nil {
		return ours, peer, err
	}
	addr, err := types.ParseIPAddr("10.1.2.3")
	if err != nil {
		return ours, peer, err
	}
	context := cedar.NewRecord(cedar.RecordMap{
		"tenant": cedar.String(tenant.String()), "owner": cedar.String(tenant.String()), "level": cedar.Long(1), "age": cedar.Long(0),
		"addr": addr, "minute": cedar.Long(720), "shows": cedar.NewSet(cedar.String("managed")),
	})
	peer, err = cedarDecideIn(qs, context, `unless { context.tenant == context.owner && context.level >= 1 && context.age <= 300 &&
		context.addr.isInRange(ip("10.0.0.0/8")) && context.minute >= 480 && context.minute < 1080 && context.shows.contains("managed") }`)
	return ours, peer, err
}

// cedarParse is what cedar-go does where tomkit compiles.
func cedarParse(policies []string) candidate {
	var texts [][]byte
	for i, p := range policies {
		texts = append(texts, fmt.Appendf(nil, `permit (principal in Role::"role-0", action == Action::"a%d", resource == Resource::%q);`, i, p))
	}
	return candidate{"cedar-go", func(n int) error {
		for range n {
			set := cedar.NewPolicySet()
			for i, text := range texts {
				var p cedar.Policy
				if err := p.UnmarshalCedar(text); err != nil {
					return err
				}
				set.Add(cedar.PolicyID(fmt.Sprint(i)), &p)
			}
		}
		return nil
	}}
}

// discard is a response nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// middleware sends allowed requests through RequirePolicy to a handler that does nothing.
func middleware(u *abac.Universe, policies []string, qs []question) (candidate, error) {
	set, err := u.Compile(abac.Source{Role: "role-0", Policies: policies})
	if err != nil {
		return candidate{}, err
	}
	guard, err := httpabac.New(httpabac.Config{Universe: u})
	if err != nil {
		return candidate{}, err
	}
	served := 0
	var handlers []http.Handler
	for _, q := range qs {
		if q.want {
			handlers = append(handlers, guard.RequirePolicy(q.permission)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ })))
		}
	}
	r, err := http.NewRequest(http.MethodGet, "/", http.NoBody)
	if err != nil {
		return candidate{}, err
	}
	r = r.WithContext(httpabac.WithSubject(r.Context(), &abac.Subject{ID: uuid.New(), Set: set}))
	w := discard{http.Header{}}
	return candidate{"tomkit", func(n int) error {
		served = 0
		for i := range n {
			handlers[i%len(handlers)].ServeHTTP(w, r)
		}
		if served != n {
			return fmt.Errorf("%d of %d requests were served", served, n)
		}
		return nil
	}}, nil
}
