package abac_test

import (
	"testing"

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
		"a superadmin makes a superadmin":                   {granter(abac.Superadmin), to(abac.Superadmin), "", ""},
		"a superadmin makes a tenant admin":                 {granter(abac.Superadmin), to(abac.TenantAdmin), "", ""},
		"a tenant admin makes a superadmin":                 {granter(abac.TenantAdmin), to(abac.Superadmin), abac.RoleReserved, ""},
		"all rights do not make a superadmin":               {granter(abac.TenantAdmin, "*:*"), to(abac.Superadmin), abac.RoleReserved, ""},
		"a technician makes a tenant admin":                 {granter(abac.Technician), to(abac.TenantAdmin), abac.BeyondOwnRights, "monitoring:write"},
		"a technician makes a tenant user, who reads more":  {granter(abac.Technician), to(abac.TenantUser), abac.BeyondOwnRights, "devices:read"},
		"a tenant admin adds an operator's right":           {granter(abac.TenantAdmin), to(abac.Technician, "tenants:read"), abac.BeyondOwnRights, "tenants:read"},
		"a tenant admin adds everything":                    {granter(abac.TenantAdmin), to(abac.Technician, "*:*"), abac.BeyondOwnRights, "tenants:read"},
		"an added right that no route asks for yet":         {granter(abac.TenantAdmin), to(abac.Technician, "payroll:read"), abac.BeyondOwnRights, "payroll:read"},
		"an added right that only a future resource has":    {granter(abac.TenantAdmin), to(abac.Technician, "*:sign"), abac.BeyondOwnRights, "other:sign"},
		"the stand-in for any name is a name nobody uses":   {granter(abac.TenantAdmin, "other:sign"), to(abac.Technician, "*:sign"), abac.BeyondOwnRights, "other_:sign"},
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
		"a superadmin bound by a deny frees somebody of it": {granter(abac.Superadmin, "!cab:approve"), to(abac.Superadmin), abac.BeyondOwnRights, "cab:approve"},
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

// TestAGrantIsWithinTheGranter draws roles and grants and checks both directions: what is granted gives nothing the
// granter lacks for any permission drawn, and what is refused is refused for a permission that shows the breach.
func TestAGrantIsWithinTheGranter(t *testing.T) {
	u := universe(t, "devices:read", "devices.disk:write", "iam:read")
	roles, err := abac.NewRoles(u, 1, abac.Role{Name: "base", Policies: []string{"iam:read"}})
	require.NoError(t, err)
	tenant := uuid.New()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (policies []string) {
			for range rapid.IntRange(0, 6).Draw(t, label) {
				policies = append(policies, drawText(t, true))
			}
			return policies
		}
		mine, extra := draw("mine"), draw("extra")
		granted := append([]string{"iam:read"}, extra...)
		own, err := u.Compile(abac.Source{Policies: mine})
		require.NoError(t, err)
		granter := &abac.Subject{ID: uuid.New(), Tenant: tenant, Set: own}
		err = roles.CanGrant(granter, abac.Grant{To: uuid.New(), Tenant: tenant, Role: "base", Individual: extra})
		breach := func(permission string) bool {
			before, after := oracle(mine, permission), oracle(granted, permission)
			return after == abac.Allowed && before != abac.Allowed || before == abac.ExplicitDeny && after != abac.ExplicitDeny
		}
		if err == nil {
			for range 20 {
				permission := drawText(t, false)
				require.False(t, breach(permission), "%v granted by %v: %s", granted, mine, permission)
			}
			require.False(t, breach("elsewhere:something"))
			return
		}
		var refused *abac.EscalationError
		require.ErrorAs(t, err, &refused)
		require.True(t, breach(refused.Permission), "%v refused to %v for %s", granted, mine, refused.Permission)
	})
}
