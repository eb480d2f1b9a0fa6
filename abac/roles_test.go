package abac_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

func tom6(t testing.TB) (*abac.Universe, *abac.Roles) {
	t.Helper()
	u := universe(t, abac.TOM6Permissions()...)
	roles, err := abac.NewRoles(u, 6, abac.TOM6Roles()...)
	require.NoError(t, err)
	return u, roles
}

func roleSet(t testing.TB, u *abac.Universe, roles *abac.Roles, name string, individual ...string) *abac.Set {
	t.Helper()
	role, ok := roles.Role(name)
	require.True(t, ok)
	s, err := u.Compile(abac.Source{Role: name, Policies: role.Policies}, abac.Source{Role: abac.Individual, Policies: individual})
	require.NoError(t, err)
	return s
}

// tenModules is the list of the table in TOM 1.3.1, row Tenant-Admin, in its order.
var tenModules = []string{"monitoring", "alerting", "devices", "cmdb", "itsm", "commands", "audit", "settings", "iam", "msp"}

// TestTheTableOfTOM131 states the table as the exact list of permissions each role has.
func TestTheTableOfTOM131(t *testing.T) {
	u, roles := tom6(t)
	require.Equal(t, []string{abac.Superadmin, abac.TenantAdmin, abac.Technician, abac.TenantUser}, roles.Names())
	require.EqualValues(t, 6, roles.Version())
	of := func(wanted func(resource, action string) bool) (permissions []string) {
		for _, p := range u.Permissions() {
			if resource, action, _ := strings.Cut(p, ":"); wanted(resource, action) {
				permissions = append(permissions, p)
			}
		}
		return permissions
	}
	for role, want := range map[string][]string{
		abac.Superadmin: u.Permissions(),
		abac.TenantAdmin: of(func(resource, _ string) bool {
			return slices.Contains(tenModules, resource) || resource == "cab"
		}),
		abac.Technician: {
			"monitoring:read", "alerting:read", "alerting:write", "itsm:read", "itsm:write", "commands:read", "commands:execute",
			"audit:read",
		},
		abac.TenantUser: of(func(resource, action string) bool {
			return slices.Contains(tenModules, resource) && action == "read"
		}),
	} {
		t.Run(role+" has exactly its permissions", func(t *testing.T) {
			s := roleSet(t, u, roles, role)
			require.ElementsMatch(t, want, of(func(resource, action string) bool {
				return s.DecideString(resource + ":" + action).Allowed
			}))
		})
	}
	t.Run("tenant_user cannot be given what the table rules out", func(t *testing.T) {
		s := roleSet(t, u, roles, abac.TenantUser, "*:*", "devices:write", "commands:execute")
		for _, p := range []string{"devices:write", "devices:delete", "commands:execute", "tenants:write"} {
			require.Equal(t, abac.ExplicitDeny, s.DecideString(p).Reason, p)
		}
	})
	t.Run("nobody but the operator has the operator's resources", func(t *testing.T) {
		for _, role := range []string{abac.TenantAdmin, abac.Technician, abac.TenantUser} {
			for _, p := range []string{"tenants:read", "tenants:write", "tenants:delete", "platform:read", "platform:write"} {
				require.False(t, roleSet(t, u, roles, role).DecideString(p).Allowed, "%s %s", role, p)
			}
		}
	})
	t.Run("there is no permission to change the ledger", func(t *testing.T) {
		for _, p := range []string{"audit:write", "audit:delete"} {
			_, registered := u.ID(p)
			require.False(t, registered)
		}
	})
}

func TestNewRolesIsStrict(t *testing.T) {
	u := universe(t, "devices:read", "devices:write")
	good := abac.Role{Name: "reader", Policies: []string{"devices:read"}}
	for name, roles := range map[string][]abac.Role{
		"a malformed policy":            {{Name: "r", Policies: []string{"devices"}}},
		"a repeated policy":             {{Name: "r", Policies: []string{"devices:read", "devices:*", "devices:read"}}},
		"a policy that covers nothing":  {{Name: "r", Policies: []string{"device:read"}}},
		"a deny that covers nothing":    {{Name: "r", Policies: []string{"devices:read", "!devices:raed"}}},
		"a role without policies":       {{Name: "r"}},
		"a name twice":                  {good, good},
		"no name":                       {{Policies: good.Policies}},
		"a wildcard for a name":         {{Name: "*", Policies: good.Policies}},
		"a name outside the alphabet":   {{Name: "Reader", Policies: good.Policies}},
		"a name that holds a separator": {{Name: "a.b", Policies: good.Policies}},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, err := abac.NewRoles(u, 1, roles...)
			require.ErrorIs(t, err, abac.ErrRole)
		})
	}
	t.Run("refuses a nil universe and a negative version", func(t *testing.T) {
		_, err := abac.NewRoles(nil, 1, good)
		require.Error(t, err)
		_, err = abac.NewRoles(u, -1, good)
		require.Error(t, err)
		_, err = abac.NewRoles(u, 0, good)
		require.NoError(t, err)
	})
	t.Run("takes as many policies as a set, and not one more", func(t *testing.T) {
		names := make([]string, abac.MaxPolicies+1)
		for i := range names {
			names[i] = fmt.Sprintf("resource%d:read", i)
		}
		many := universe(t, names...)
		require.NoError(t, many.Check(names[1:]))
		require.Error(t, many.Check(names))
	})
	t.Run("keeps its own copy", func(t *testing.T) {
		policies := []string{"devices:read"}
		roles, err := abac.NewRoles(u, 1, abac.Role{Name: "reader", Policies: policies})
		require.NoError(t, err)
		policies[0] = "*:*"
		role, _ := roles.Role("reader")
		role.Policies[0] = "*:*"
		role, _ = roles.Role("reader")
		require.Equal(t, []string{"devices:read"}, role.Policies)
		_, ok := roles.Role("writer")
		require.False(t, ok)
	})
}
