package abac_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/abac"
)

func TestCanGrant(t *testing.T) {
	u, roles := tom6(t)
	home, other := uuid.New(), uuid.New()
	self, someone := uuid.New(), uuid.New()
	granter := func(role string, individual ...string) *abac.Subject {
		return &abac.Subject{ID: self, Tenant: home, Role: role, Set: roleSet(t, u, roles, role, individual...)}
	}
	to := func(role string, individual ...string) abac.Grant {
		return abac.Grant{To: someone, Tenant: home, Role: role, Individual: individual}
	}
	now := at(t, "UTC", "2026-11-29 12:00:00")
	// approved has a second superadmin approve a grant.
	approved := func(g abac.Grant, change func(*abac.Approval, *abac.Subject)) abac.Grant {
		by := &abac.Subject{ID: uuid.New(), Tenant: home, Role: abac.Superadmin, Set: roleSet(t, u, roles, abac.Superadmin)}
		g.Now, g.Approval = now, &abac.Approval{By: by, For: self, Permission: "iam:write", Object: g.To, At: now.Add(-15 * time.Minute)}
		if change != nil {
			change(g.Approval, by)
		}
		return g
	}
	holding := func(g abac.Grant, role string, individual ...string) abac.Grant {
		g.HoldsRole, g.Holds = role, roleSet(t, u, roles, role, individual...)
		return g
	}
	void, err := u.Compile(abac.Source{Policies: []string{"*:*", "!"}})
	require.Error(t, err)

	for name, tc := range map[string]struct {
		granter *abac.Subject
		grant   abac.Grant
		want    abac.EscalationRule // "" means granted
		proof   string
	}{
		"a tenant admin makes a technician":                 {granter(abac.TenantAdmin), to(abac.Technician), "", ""},
		"a tenant admin makes a tenant user":                {granter(abac.TenantAdmin), to(abac.TenantUser), "", ""},
		"a tenant admin makes an equal":                     {granter(abac.TenantAdmin), to(abac.TenantAdmin), "", ""},
		"a tenant admin adds a right of their own":          {granter(abac.TenantAdmin), to(abac.Technician, "devices:read"), "", ""},
		"a tenant admin takes rights away":                  {granter(abac.TenantAdmin), to(abac.Technician, "!commands:execute"), "", ""},
		"two superadmins make a third":                      {granter(abac.Superadmin), approved(to(abac.Superadmin), nil), "", ""},
		"a superadmin alone makes none":                     {granter(abac.Superadmin), to(abac.Superadmin), abac.DualControlled, ""},
		"nor with somebody who approved it for another":     {granter(abac.Superadmin), approved(to(abac.Superadmin), func(a *abac.Approval, _ *abac.Subject) { a.For = someone }), abac.DualControlled, ""},
		"nor with the approval of another user":             {granter(abac.Superadmin), approved(to(abac.Superadmin), func(a *abac.Approval, _ *abac.Subject) { a.Object = uuid.New() }), abac.DualControlled, ""},
		"nor with an approval of something else":            {granter(abac.Superadmin), approved(to(abac.Superadmin), func(a *abac.Approval, _ *abac.Subject) { a.Permission = "iam:read" }), abac.DualControlled, ""},
		"nor with a stale approval":                         {granter(abac.Superadmin), approved(to(abac.Superadmin), func(a *abac.Approval, _ *abac.Subject) { a.At = a.At.Add(-1) }), abac.DualControlled, ""},
		"nor with their own":                                {granter(abac.Superadmin), approved(to(abac.Superadmin), func(_ *abac.Approval, by *abac.Subject) { by.ID = self }), abac.DualControlled, ""},
		"nor with that of who is to become one":             {granter(abac.Superadmin), approved(to(abac.Superadmin), func(_ *abac.Approval, by *abac.Subject) { by.ID = someone }), abac.DualControlled, ""},
		"nor with a tenant admin's":                         {granter(abac.Superadmin), approved(to(abac.Superadmin), func(_ *abac.Approval, by *abac.Subject) { by.Role = abac.TenantAdmin }), abac.DualControlled, ""},
		"nor with one from another tenant":                  {granter(abac.Superadmin), approved(to(abac.Superadmin), func(_ *abac.Approval, by *abac.Subject) { by.Tenant = other }), abac.DualControlled, ""},
		"two tenant admins make no superadmin":              {granter(abac.TenantAdmin), approved(to(abac.Superadmin), func(_ *abac.Approval, by *abac.Subject) { by.Role = abac.TenantAdmin }), abac.RoleReserved, ""},
		"two superadmins take the role from a third":        {granter(abac.Superadmin), approved(holding(to(abac.TenantUser), abac.Superadmin), nil), "", ""},
		"a superadmin alone takes it from nobody":           {granter(abac.Superadmin), holding(to(abac.TenantUser), abac.Superadmin), abac.DualControlled, ""},
		"a tenant admin takes it from nobody":               {granter(abac.TenantAdmin), holding(to(abac.TenantUser), abac.Superadmin), abac.RoleReserved, ""},
		"a tenant admin takes a technician's rights":        {granter(abac.TenantAdmin), holding(to(abac.TenantUser), abac.Technician), "", ""},
		"a technician takes no tenant admin's rights":       {granter(abac.Technician), holding(to(abac.Technician), abac.TenantAdmin), abac.TargetBeyond, "alerting:execute"},
		"nor does an equal who was given more":              {granter(abac.TenantAdmin), holding(to(abac.TenantUser), abac.TenantAdmin, "tenants:read"), abac.TargetBeyond, "tenants:read"},
		"holding an unknown role":                           {granter(abac.TenantAdmin), abac.Grant{To: someone, Tenant: home, Role: abac.TenantUser, HoldsRole: "root"}, abac.GrantInvalid, ""},
		"a superadmin makes a tenant admin":                 {granter(abac.Superadmin), to(abac.TenantAdmin), "", ""},
		"a tenant admin makes a superadmin":                 {granter(abac.TenantAdmin), to(abac.Superadmin), abac.RoleReserved, ""},
		"all rights do not make a superadmin":               {granter(abac.TenantAdmin, "*:*"), to(abac.Superadmin), abac.RoleReserved, ""},
		"a technician makes a tenant admin":                 {granter(abac.Technician), to(abac.TenantAdmin), abac.BeyondOwnRights, "monitoring:write"},
		"a technician makes a tenant user, who reads more":  {granter(abac.Technician), to(abac.TenantUser), abac.BeyondOwnRights, "devices:read"},
		"a tenant admin adds an operator's right":           {granter(abac.TenantAdmin), to(abac.Technician, "tenants:read"), abac.BeyondOwnRights, "tenants:read"},
		"a tenant admin adds everything":                    {granter(abac.TenantAdmin), to(abac.Technician, "*:*"), abac.BeyondOwnRights, "tenants:read"},
		"an added right that no route asks for yet":         {granter(abac.TenantAdmin), to(abac.Technician, "payroll:read"), abac.BeyondOwnRights, "payroll:read"},
		"an added right that only a future resource has":    {granter(abac.TenantAdmin), to(abac.Technician, "*:sign"), abac.BeyondOwnRights, "other:sign"},
		"the stand-in for any name is a name nobody uses":   {granter(abac.TenantAdmin, "other:sign"), to(abac.Technician, "*:sign"), abac.BeyondOwnRights, "other2:sign"},
		"a right the granter was denied":                    {granter(abac.TenantAdmin, "!commands:execute"), to(abac.Technician), abac.BeyondOwnRights, "commands:execute"},
		"a deny is handed on by the role itself":            {granter(abac.TenantAdmin, "!commands:execute"), to(abac.TenantUser, "!itsm:write"), "", ""},
		"a deny that binds the granter is dropped":          {granter(abac.TenantAdmin, "!cab:approve"), to(abac.Technician), abac.DenyDropped, "cab:approve"},
		"a deny about nothing registered is dropped":        {granter(abac.TenantAdmin, "!payroll:read"), to(abac.Technician), abac.DenyDropped, "payroll:read"},
		"a deny below a resource is dropped":                {granter(abac.TenantAdmin, "!devices.ward3:read"), to(abac.Technician), abac.DenyDropped, "devices.ward3:read"},
		"a deny is handed on":                               {granter(abac.TenantAdmin, "!cab:approve"), to(abac.Technician, "!cab:*"), "", ""},
		"another tenant":                                    {granter(abac.TenantAdmin), abac.Grant{To: someone, Tenant: other, Role: abac.TenantUser}, abac.OtherTenant, ""},
		"no tenant":                                         {granter(abac.TenantAdmin), abac.Grant{To: someone, Role: abac.TenantUser}, abac.OtherTenant, ""},
		"a superadmin outside the scope they took":          {granter(abac.Superadmin), abac.Grant{To: someone, Tenant: other, Role: abac.TenantUser}, abac.OtherTenant, ""},
		"a granter working in no tenant":                    {&abac.Subject{ID: self, Set: granter(abac.TenantAdmin).Set}, abac.Grant{To: someone, Role: abac.TenantUser}, abac.OtherTenant, ""},
		"to oneself, even the same rights":                  {granter(abac.TenantAdmin), abac.Grant{To: self, Tenant: home, Role: abac.TenantAdmin}, abac.NotToSelf, ""},
		"to nobody":                                         {granter(abac.TenantAdmin), abac.Grant{Tenant: home, Role: abac.TenantUser}, abac.GrantInvalid, ""},
		"an unknown role":                                   {granter(abac.Superadmin), to("root"), abac.GrantInvalid, ""},
		"a role in another spelling":                        {granter(abac.Superadmin), to("Superadmin"), abac.GrantInvalid, ""},
		"a malformed policy":                                {granter(abac.Superadmin), to(abac.Technician, "devices"), abac.GrantInvalid, ""},
		"by nobody":                                         {nil, to(abac.TenantUser), abac.GranterInvalid, ""},
		"by a granter without policies":                     {&abac.Subject{ID: self, Tenant: home}, to(abac.TenantUser), abac.GranterInvalid, ""},
		"by a granter with the zero set":                    {&abac.Subject{ID: self, Tenant: home, Set: new(abac.Set)}, to(abac.TenantUser), abac.GranterInvalid, ""},
		"by a granter with void policies":                   {&abac.Subject{ID: self, Tenant: home, Role: abac.Superadmin, Set: void}, to(abac.TenantUser), abac.GranterInvalid, ""},
		"by a granter without an id":                        {&abac.Subject{Tenant: home, Set: granter(abac.TenantAdmin).Set}, to(abac.TenantUser), abac.GranterInvalid, ""},
		"a superadmin bound by a deny frees somebody of it": {granter(abac.Superadmin, "!cab:approve"), approved(to(abac.Superadmin), nil), abac.BeyondOwnRights, "cab:approve"},
	} {
		t.Run(name, func(t *testing.T) {
			err := roles.CanGrant(tc.granter, tc.grant)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			var refused *abac.EscalationError
			require.ErrorAs(t, err, &refused)
			require.ErrorIs(t, err, abac.ErrEscalation)
			require.Equal(t, tc.want, refused.Rule)
			require.Equal(t, tc.proof, refused.Permission)
		})
	}
}

// TestAGrantIsWithinTheGranter draws granters, targets and grants from a world small enough to try every permission, and
// compares the verdict with an oracle that says what granting means in the plainest words.
func TestAGrantIsWithinTheGranter(t *testing.T) {
	u := universe(t, "devices:read", "devices.disk:write", "iam:read")
	catalogue := map[string][]string{"base": {"iam:read"}, "wide": {"*:*"}, "root": {"devices:*", "iam:*"}}
	roles, err := abac.NewRoles(u, 1, abac.Role{Name: "base", Policies: catalogue["base"]},
		abac.Role{Name: "wide", Policies: catalogue["wide"]}, abac.Role{Name: "root", Policies: catalogue["root"], Reserved: true})
	require.NoError(t, err)
	people := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	tenants := []uuid.UUID{uuid.New(), uuid.New()}
	world := crossed([]string{""}, []string{"devices", "devices.disk", "devices.disk.part", "device", "audit", "iam", "iam.x", "z"}, []string{"read", "write", "reads", "z"})
	now := at(t, "UTC", "2026-11-29 12:00:00")
	seen := map[abac.EscalationRule]int{}
	check := func(t *rapid.T) {
		draw := func(label string) (policies []string) {
			for range rapid.IntRange(0, 4).Draw(t, label) {
				policies = append(policies, drawText(t, true))
			}
			return policies
		}
		set := func(policies []string) *abac.Set {
			s, err := u.Compile(abac.Source{Policies: policies})
			require.NoError(t, err)
			return s
		}
		role := rapid.SampledFrom([]string{"base", "base", "wide", "root"})
		subject := func(label string) (*abac.Subject, []string) {
			name := role.Draw(t, label)
			policies := append(draw(label), catalogue[name]...)
			if rapid.Bool().Draw(t, label+" wide") {
				policies = append(policies, "*:*")
			}
			return &abac.Subject{
				ID: rapid.SampledFrom(people).Draw(t, label), Tenant: rapid.SampledFrom(tenants).Draw(t, label), Role: name, Set: set(policies),
			}, policies
		}
		granter, mine := subject("granter")
		second, seconds := subject("second")
		extra := draw("extra")
		g := abac.Grant{
			To: rapid.SampledFrom(people).Draw(t, "to"), Tenant: rapid.SampledFrom(tenants).Draw(t, "tenant"), Role: role.Draw(t, "role"),
			Individual: extra, Now: now,
		}
		granted := append(append([]string{}, catalogue[g.Role]...), extra...)
		var holds []string
		if rapid.Bool().Draw(t, "known") {
			g.HoldsRole = role.Draw(t, "holds")
			holds = append(draw("holds"), catalogue[g.HoldsRole]...)
			g.Holds = set(holds)
		}
		if rapid.IntRange(0, 3).Draw(t, "approved") > 0 {
			g.Approval = &abac.Approval{By: second, For: granter.ID, Permission: "iam:write", Object: g.To, At: now}
		}
		every := func(holds func(permission string) bool) bool {
			for _, permission := range world {
				if !holds(permission) {
					return false
				}
			}
			return true
		}
		may := func(policies []string, permission string) bool { return oracle(policies, permission) == abac.Allowed }
		reserved := g.Role == "root" || g.HoldsRole == "root"
		rules := []struct {
			rule abac.EscalationRule
			kept bool
		}{
			{abac.NotToSelf, granter.ID != g.To},
			{abac.OtherTenant, granter.Tenant == g.Tenant},
			{abac.RoleReserved, !reserved || granter.Role == "root"},
			{abac.DualControlled, !reserved || g.Approval != nil && second.ID != granter.ID && second.ID != g.To && second.Role == "root" &&
				second.Tenant == granter.Tenant && may(seconds, "iam:write")},
			{abac.TargetBeyond, every(func(p string) bool { return !may(holds, p) || may(mine, p) })},
			{abac.BeyondOwnRights, every(func(p string) bool { return !may(granted, p) || may(mine, p) })},
			{abac.DenyDropped, every(func(p string) bool {
				return oracle(mine, p) != abac.ExplicitDeny || oracle(granted, p) == abac.ExplicitDeny
			})},
		}
		broken := map[abac.EscalationRule]bool{}
		for _, r := range rules {
			if !r.kept {
				broken[r.rule] = true
			}
		}
		err := roles.CanGrant(granter, g)
		if len(broken) == 0 {
			require.NoError(t, err)
			seen[""]++
			return
		}
		var refused *abac.EscalationError
		require.ErrorAs(t, err, &refused)
		require.True(t, broken[refused.Rule], "refused for %s, which is kept; broken are %v", refused.Rule, broken)
		seen[refused.Rule]++
		switch p := refused.Permission; refused.Rule {
		case abac.TargetBeyond:
			require.True(t, may(holds, p) && !may(mine, p), p)
		case abac.BeyondOwnRights:
			require.True(t, may(granted, p) && !may(mine, p), p)
		case abac.DenyDropped:
			require.True(t, oracle(mine, p) == abac.ExplicitDeny && oracle(granted, p) != abac.ExplicitDeny, p)
		}
	}
	for range 20 {
		rapid.Check(t, check)
	}
	t.Log(seen)
	require.Len(t, seen, 8, "every rule was broken, and every rule kept")
}
