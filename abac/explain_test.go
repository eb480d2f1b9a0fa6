package abac_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/abac"
)

func TestExplainSaysWhatWouldHavePermitted(t *testing.T) {
	u, roles := tom6(t)
	constraints, err := abac.NewConstraints(u, roles, abac.Constraint{Policy: "commands:*", When: []abac.Condition{abac.MFA(abac.MultiFactor, time.Hour)}})
	require.NoError(t, err)
	need, err := u.Require("commands:execute", abac.SameTenant())
	require.NoError(t, err)
	now, home := at(t, "UTC", "2026-11-29 12:00:00"), uuid.New()
	req := abac.Request{Tenant: home, Now: now, MinVersion: 2, Constraints: constraints}

	t.Run("nothing, where it is permitted", func(t *testing.T) {
		sub := &abac.Subject{Tenant: home, Role: abac.Technician, Version: 2, Level: abac.MultiFactor, AuthTime: now, Set: roleSet(t, u, roles, abac.Technician)}
		e := need.Explain(sub, req, roles)
		require.True(t, e.Decision.Allowed)
		require.Zero(t, e.Remedy)
		require.Equal(t, "commands:execute", e.Rule.Policy.String())
	})
	t.Run("all of it at once", func(t *testing.T) {
		sub := &abac.Subject{Role: abac.TenantUser, Set: roleSet(t, u, roles, abac.TenantUser, "!commands:execute")}
		e := need.Explain(sub, req, roles)
		require.Equal(t, abac.StalePolicy, e.Decision.Reason)
		require.True(t, e.Remedy.Token)
		require.Equal(t, "commands:execute", e.Remedy.Allow)
		require.Equal(t, []abac.Rule{
			{Policy: abac.Policy{Deny: true, Resource: "*", Action: "execute"}, Role: abac.TenantUser},
			{Policy: abac.Policy{Deny: true, Resource: "commands", Action: "execute"}, Role: abac.Individual},
		}, e.Remedy.Denies)
		require.Equal(t, []string{abac.Superadmin, abac.TenantAdmin, abac.Technician}, e.Remedy.Roles)
		require.Equal(t, []abac.Unmet{
			{Condition: abac.SameTenant(), Reason: abac.TenantMismatch},
			{Condition: abac.MFA(abac.MultiFactor, time.Hour), Reason: abac.MFARequired, Constraint: "commands:*"},
		}, e.Remedy.Unmet)
	})
	t.Run("without a subject, a token", func(t *testing.T) {
		e := need.Explain(nil, req, nil)
		require.Equal(t, abac.NoToken, e.Decision.Reason)
		require.Equal(t, abac.Remedy{Token: true, Allow: "commands:execute"}, e.Remedy)
	})
	t.Run("with void policies, what voids them", func(t *testing.T) {
		void, err := u.Compile(abac.Source{Role: abac.Technician, Policies: []string{"*:*", "!"}})
		require.Error(t, err)
		e := need.Explain(&abac.Subject{Tenant: home, Version: 2, Set: void}, abac.Request{Tenant: home}, nil)
		require.Equal(t, abac.InvalidPolicy, e.Decision.Reason)
		require.Equal(t, err, e.Remedy.Compile)
	})
	t.Run("the zero requirement has no remedy but a permission", func(t *testing.T) {
		var zero abac.Requirement
		e := zero.Explain(&abac.Subject{Set: compile(t, u, "*:*")}, req, roles)
		require.False(t, e.Decision.Allowed)
		require.Empty(t, e.Remedy.Roles)
	})
}

// TestARemedyWorks draws policies and applies the remedy: the permission is then allowed, and with any part of it left out
// it is not.
func TestARemedyWorks(t *testing.T) {
	u := universe(t, "devices:read", "devices.disk:write")
	rapid.Check(t, func(t *rapid.T) {
		var policies []string
		for range rapid.IntRange(0, 6).Draw(t, "policies") {
			policies = append(policies, drawText(t, true))
		}
		permission := drawText(t, false)
		s, err := u.Compile(abac.Source{Policies: policies})
		require.NoError(t, err)
		e := s.Explain(permission)
		if e.Decision.Allowed {
			require.Zero(t, e.Remedy)
			return
		}
		var rest []string
		for _, p := range policies {
			taken := false
			for _, deny := range e.Remedy.Denies {
				taken = taken || deny.Policy.String() == p
			}
			if !taken {
				rest = append(rest, p)
			}
		}
		if e.Remedy.Allow != "" {
			require.NotEqual(t, abac.Allowed, oracle(rest, permission), "the allow is needed")
			rest = append(rest, e.Remedy.Allow)
		}
		require.Equal(t, abac.Allowed, oracle(rest, permission))
		for _, deny := range e.Remedy.Denies {
			require.Equal(t, abac.ExplicitDeny, oracle(append(rest, deny.Policy.String()), permission))
		}
	})
}
