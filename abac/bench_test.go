package abac_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// benchUniverse has 1,024 permissions: 64 resources with 16 actions.
func benchUniverse(tb testing.TB) *abac.Universe {
	tb.Helper()
	names := make([]string, 0, 1024)
	for r := range 64 {
		for a := range 16 {
			names = append(names, fmt.Sprintf("resource-%02d:action-%02d", r, a))
		}
	}
	u, err := abac.NewUniverse(names...)
	require.NoError(tb, err)
	return u
}

// benchPolicies are 60 allows and 4 denies, the size of a rich token.
func benchPolicies() []string {
	policies := make([]string, 0, 64)
	for i := range 52 {
		policies = append(policies, fmt.Sprintf("resource-%02d:action-%02d", i, i%16))
	}
	for i := 52; i < 60; i++ {
		policies = append(policies, fmt.Sprintf("resource-%02d:*", i))
	}
	return append(policies, "!resource-10:action-10", "!resource-55:action-03", "!*:action-15", "!resource-63:*")
}

func benchSet(b *testing.B) (*abac.Universe, *abac.Set) {
	u := benchUniverse(b)
	s, err := u.Compile(abac.Source{Policies: benchPolicies()})
	require.NoError(b, err)
	return u, s
}

var sink abac.Decision

func BenchmarkDecide(b *testing.B) {
	u, s := benchSet(b)
	for name, permission := range map[string]string{
		"allowed": "resource-20:action-04", "denied": "resource-55:action-03", "no match": "resource-01:action-00",
	} {
		id, ok := u.ID(permission)
		require.True(b, ok)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = s.Decide(id)
			}
		})
	}
	b.Run("mixed 256", func(b *testing.B) {
		var ids [256]abac.ID
		for i := range ids {
			ids[i], _ = u.ID(u.Permissions()[i*4])
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			sink = s.Decide(ids[i&255])
			i++
		}
	})
}

func BenchmarkDecideString(b *testing.B) {
	u, s := benchSet(b)
	for name, permission := range map[string]string{
		"registered": "resource-20:action-04", "unregistered": "resource-55:action-99",
		"unregistered, no match": "elsewhere:action-99", "unregistered, dotted": "resource-55.part.piece:action-01",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = s.DecideString(permission)
			}
		})
	}
	b.Run("mixed 256", func(b *testing.B) {
		var names [256]string
		for i := range names {
			names[i] = u.Permissions()[i*4]
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			sink = s.DecideString(names[i&255])
			i++
		}
	})
}

func BenchmarkRequirement(b *testing.B) {
	u, s := benchSet(b)
	now := time.Now()
	tenant := uuid.New()
	sub := &abac.Subject{ID: uuid.New(), Tenant: tenant, Set: s, Version: 3, Level: abac.MultiFactor, AuthTime: now}
	req := abac.Request{Tenant: tenant, Now: now, MinVersion: 2}
	need, err := u.Require("resource-20:action-04", abac.SameTenant(), abac.MFA(abac.MultiFactor, 5*time.Minute))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		sink = need.Decide(sub, req)
	}
}

func BenchmarkFiveConditions(b *testing.B) {
	u, s := benchSet(b)
	now, tenant := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), uuid.New()
	sub := &abac.Subject{
		ID: uuid.New(), Tenant: tenant, Set: s, Level: abac.MultiFactor, AuthTime: now, Posture: abac.Managed, PostureTime: now,
	}
	req := abac.Request{Tenant: tenant, Now: now, Addr: prefixes("10.1.2.3/32")[0].Addr()}
	conditions := []abac.Condition{
		abac.SameTenant(), abac.MFA(abac.MultiFactor, 5*time.Minute), abac.From(prefixes("10.0.0.0/8")...), abac.Device(abac.Managed, time.Hour),
		abac.During(abac.Window{Zone: "Europe/Berlin", From: 8 * time.Hour, To: 18 * time.Hour}),
	}
	need, err := u.Require("resource-20:action-04", conditions...)
	require.NoError(b, err)
	require.True(b, need.Decide(sub, req).Allowed)
	b.ReportAllocs()
	for b.Loop() {
		sink = need.Decide(sub, req)
	}
}

func BenchmarkDecideAll(b *testing.B) {
	_, s := benchSet(b)
	b.ReportAllocs()
	for b.Loop() {
		if s.DecideAll().Len() == 0 {
			b.Fatal("nothing is allowed")
		}
	}
}

func BenchmarkImplies(b *testing.B) {
	u, s := benchSet(b)
	all, err := u.Compile(abac.Source{Policies: []string{"*:*"}})
	require.NoError(b, err)
	mine, other := abac.Rights{Set: s}, abac.Rights{Set: all}
	b.ReportAllocs()
	for b.Loop() {
		if mine.Implies(other).Answer != abac.Yes {
			b.Fatal("a part is not implied")
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	u, policies := benchUniverse(b), benchPolicies()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.Compile(abac.Source{Policies: policies}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCache(b *testing.B) {
	u, policies := benchUniverse(b), benchPolicies()
	c, err := abac.NewCache(u, abac.CacheConfig{})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		sink = c.Set("technician", policies).DecideString("resource-20:action-04")
	}
}

func BenchmarkParsePolicy(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := abac.ParsePolicy("!resource-10:action-10"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanGrant(b *testing.B) {
	u, err := abac.NewUniverse(abac.TOM6Permissions()...)
	require.NoError(b, err)
	roles, err := abac.NewRoles(u, 1, abac.TOM6Roles()...)
	require.NoError(b, err)
	admin, _ := roles.Role(abac.TenantAdmin)
	set, err := u.Compile(abac.Source{Policies: admin.Policies})
	require.NoError(b, err)
	tenant := uuid.New()
	granter := &abac.Subject{ID: uuid.New(), Tenant: tenant, Role: abac.TenantAdmin, Set: set}
	grant := abac.Grant{To: uuid.New(), Tenant: tenant, Role: abac.Technician, Individual: []string{"devices:read"}}
	b.ReportAllocs()
	for b.Loop() {
		if err := roles.CanGrant(granter, grant); err != nil {
			b.Fatal(err)
		}
	}
}
