package abac_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

func TestRequirement(t *testing.T) {
	u := universe(t, "devices:read", "commands:execute", "audit:read")
	now := time.Date(2026, 3, 16, 12, 0, 0, 0, time.UTC)
	home, other := uuid.New(), uuid.New()
	void, err := u.Compile(abac.Source{Policies: []string{"*:*", "!audit"}})
	require.Error(t, err)

	good := abac.Subject{
		ID: uuid.New(), Tenant: home, Role: abac.Technician, Set: compile(t, u, "*:*", "!audit:read"), Version: 3,
		Level: abac.MultiFactor, AuthTime: now.Add(-5 * time.Minute),
	}
	request := abac.Request{Tenant: home, Now: now, MinVersion: 3}
	conditions := []abac.Condition{abac.SameTenant(), abac.MFA(abac.MultiFactor, 5*time.Minute)}

	for name, tc := range map[string]struct {
		change     func(*abac.Subject, *abac.Request)
		permission string
		want       abac.Reason
	}{
		"everything holds, at the very limit":   {func(*abac.Subject, *abac.Request) {}, "devices:read", abac.Allowed},
		"the policies deny":                     {func(*abac.Subject, *abac.Request) {}, "audit:read", abac.ExplicitDeny},
		"no set":                                {func(s *abac.Subject, _ *abac.Request) { s.Set = nil }, "devices:read", abac.NoMatch},
		"a void set":                            {func(s *abac.Subject, _ *abac.Request) { s.Set = void }, "devices:read", abac.InvalidPolicy},
		"the version is too old":                {func(s *abac.Subject, _ *abac.Request) { s.Version = 2 }, "devices:read", abac.StalePolicy},
		"the version is newer":                  {func(s *abac.Subject, _ *abac.Request) { s.Version = 4 }, "devices:read", abac.Allowed},
		"another tenant's resource":             {func(_ *abac.Subject, r *abac.Request) { r.Tenant = other }, "devices:read", abac.TenantMismatch},
		"a resource of no known tenant":         {func(_ *abac.Subject, r *abac.Request) { r.Tenant = uuid.Nil }, "devices:read", abac.TenantMismatch},
		"neither tenant known":                  {func(s *abac.Subject, r *abac.Request) { s.Tenant, r.Tenant = uuid.Nil, uuid.Nil }, "devices:read", abac.TenantMismatch},
		"a superadmin outside the scope":        {func(s *abac.Subject, r *abac.Request) { s.Role, r.Tenant = abac.Superadmin, other }, "devices:read", abac.TenantMismatch},
		"a single factor":                       {func(s *abac.Subject, _ *abac.Request) { s.Level = abac.SingleFactor }, "devices:read", abac.MFARequired},
		"a stronger factor":                     {func(s *abac.Subject, _ *abac.Request) { s.Level = abac.PhishingResistant }, "devices:read", abac.Allowed},
		"a proof a microsecond too old":         {func(s *abac.Subject, _ *abac.Request) { s.AuthTime = s.AuthTime.Add(-time.Microsecond) }, "devices:read", abac.MFARequired},
		"a proof without a date":                {func(s *abac.Subject, _ *abac.Request) { s.AuthTime = time.Time{} }, "devices:read", abac.MFARequired},
		"a proof from a clock slightly ahead":   {func(s *abac.Subject, _ *abac.Request) { s.AuthTime = now.Add(time.Minute) }, "devices:read", abac.Allowed},
		"a proof from the future":               {func(s *abac.Subject, _ *abac.Request) { s.AuthTime = now.Add(time.Minute + 1) }, "devices:read", abac.MFARequired},
		"a request without a time":              {func(_ *abac.Subject, r *abac.Request) { r.Now = time.Time{} }, "devices:read", abac.MFARequired},
		"policies come before conditions":       {func(_ *abac.Subject, r *abac.Request) { r.Tenant = other }, "audit:read", abac.ExplicitDeny},
		"the version comes before the policies": {func(s *abac.Subject, _ *abac.Request) { s.Version = 0 }, "audit:read", abac.StalePolicy},
	} {
		t.Run(name, func(t *testing.T) {
			need, err := u.Require(tc.permission, conditions...)
			require.NoError(t, err)
			sub, req := good, request
			tc.change(&sub, &req)
			require.Equal(t, abac.Decision{Allowed: tc.want == abac.Allowed, Reason: tc.want}, need.Decide(&sub, req))
			require.Equal(t, abac.NoToken, need.Decide(nil, req).Reason, "without a subject nothing else is looked at")
		})
	}
	t.Run("MFA without an age ignores the date", func(t *testing.T) {
		need, err := u.Require("devices:read", abac.MFA(abac.MultiFactor, 0))
		require.NoError(t, err)
		sub := good
		sub.AuthTime = time.Time{}
		require.True(t, need.Decide(&sub, request).Allowed)
	})
	t.Run("the strongest level can be demanded", func(t *testing.T) {
		need, err := u.Require("devices:read", abac.MFA(abac.PhishingResistant, 0))
		require.NoError(t, err)
		sub := good
		require.Equal(t, abac.MFARequired, need.Decide(&sub, request).Reason)
		sub.Level = abac.PhishingResistant
		require.True(t, need.Decide(&sub, request).Allowed)
	})
	t.Run("the zero Requirement denies", func(t *testing.T) {
		var need abac.Requirement
		require.False(t, need.Decide(&good, request).Allowed)
		require.False(t, need.Decide(&abac.Subject{Set: new(abac.Set)}, abac.Request{}).Allowed)
	})
	t.Run("an unregistered permission, the zero condition and a negative age are refused", func(t *testing.T) {
		for _, make := range []func() error{
			func() error { _, err := u.Require("devices:raed"); return err },
			func() error { _, err := u.Require("devices:*"); return err },
			func() error { _, err := u.Require("devices:read", abac.Condition{}); return err },
			func() error { _, err := u.Require("devices:read", abac.MFA(abac.MultiFactor, -1)); return err },
			func() error { _, err := u.Require("devices:read", abac.MFA(abac.PhishingResistant+1, 0)); return err },
		} {
			require.Error(t, make())
		}
	})
	t.Run("does not allocate", func(t *testing.T) {
		need, err := u.Require("devices:read", conditions...)
		require.NoError(t, err)
		require.Zero(t, testing.AllocsPerRun(100, func() { need.Decide(&good, request) }))
		require.Equal(t, "devices:read", need.Permission())
	})
}

func TestReasonsHaveStableCodes(t *testing.T) {
	for reason, code := range map[abac.Reason]string{
		abac.NoDecision: "no_decision", abac.Allowed: "allowed", abac.NoMatch: "no_match", abac.ExplicitDeny: "explicit_deny",
		abac.NoToken: "no_token", abac.InvalidPolicy: "invalid_policy", abac.InvalidPermission: "invalid_permission",
		abac.StalePolicy: "stale_policy", abac.TenantMismatch: "tenant_mismatch", abac.MFARequired: "mfa_required",
		abac.OutsideTimeWindow: "outside_time_window", abac.NetworkNotAllowed: "network_not_allowed",
		abac.DevicePosture: "device_posture", abac.LabelTooLow: "label_too_low",
		abac.DualControlRequired: "dual_control_required", abac.InvalidCondition: "invalid_condition",
		abac.Reason(200): "no_decision",
	} {
		text, err := reason.MarshalText()
		require.NoError(t, err)
		require.Equal(t, code, string(text))
	}
	seen := map[string]bool{}
	for r := range 256 {
		seen[abac.Reason(r).String()] = true
	}
	require.Len(t, seen, 16, "no number is without a code")
}
