package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
)

func TestNobodyGrantsMoreThanTheyHold(t *testing.T) {
	k := open(t)
	ward, lab := k.tenant(t, "ward"), k.tenant(t, "lab")
	admin, second := k.somebody(t, ward, abac.TenantAdmin), k.somebody(t, ward, abac.TenantAdmin)
	clerk := k.somebody(t, ward, abac.Technician) // may change rights, and has few
	clerk.policies = append([]string{"iam:write"}, clerk.policies...)
	clerk.token = k.issue(t, clerk.claims(), time.Now)
	user, stranger := k.somebody(t, ward, abac.TenantUser), k.somebody(t, lab, abac.TenantUser)
	give := func(by *person, to uuid.UUID, role string) *answer {
		return k.do(t, http.MethodPut, "/v1/users/"+to.String()+"/role", map[string]string{"role": role}, as(by))
	}
	role := func(tenant, id uuid.UUID) string {
		u, err := k.People.User(t.Context(), tenant, id)
		require.NoError(t, err)
		return u.Role
	}
	for name, c := range map[string]struct {
		by   *person
		to   uuid.UUID
		role string
		want int
		code string
	}{
		"more than the granter holds":     {clerk, user.user, abac.TenantAdmin, http.StatusForbidden, "escalation"},
		"to somebody who holds more":      {clerk, admin.user, abac.Technician, http.StatusForbidden, "escalation"},
		"to oneself":                      {admin, admin.user, abac.TenantUser, http.StatusForbidden, "escalation"},
		"a role the tenant does not have": {admin, user.user, abac.Superadmin, http.StatusUnprocessableEntity, "unknown_role"},
		"to another tenant's user":        {admin, stranger.user, abac.Technician, http.StatusNotFound, "unknown_user"},
		"without the right to grant":      {user, second.user, abac.TenantUser, http.StatusForbidden, "explicit_deny"},
	} {
		t.Run(name, func(t *testing.T) {
			give(c.by, c.to, c.role).refused(t, c.want, c.code)
			require.Equal(t, []string{abac.TenantAdmin, abac.TenantUser}, []string{role(ward, admin.user), role(ward, user.user)})
			require.Equal(t, abac.TenantUser, role(lab, stranger.user))
		})
	}
	t.Run("a role that is larger in the tenant than in the catalogue", func(t *testing.T) {
		_, err := k.super.Exec(t.Context(), `INSERT INTO tomkit.policies (tenant_id, id, role_id, policy)
			SELECT tenant_id, gen_random_uuid(), id, 'tenants:write' FROM tomkit.roles WHERE tenant_id = $1 AND name = $2`, ward, abac.Technician)
		require.NoError(t, err)
		give(admin, user.user, abac.Technician).refused(t, http.StatusForbidden, "escalation")
		_, err = k.super.Exec(t.Context(), `DELETE FROM tomkit.policies WHERE tenant_id = $1 AND policy = 'tenants:write'`, ward)
		require.NoError(t, err)
	})
	t.Run("a reserved role, which takes two", func(t *testing.T) {
		require.NoError(t, k.People.DefineRole(t.Context(), pgauthn.By{}, ward, abac.Superadmin, []string{"*:*"}))
		give(k.somebody(t, ward, abac.Superadmin), user.user, abac.Superadmin).refused(t, http.StatusForbidden, "escalation")
		require.True(t, k.log.Has(`"rule":"dual_control"`))
	})
	t.Run("what the granter holds, at once", func(t *testing.T) {
		k.do(t, http.MethodGet, "/v1/me", nil, as(user)).into(t, http.StatusOK, nil)
		give(admin, user.user, abac.Technician).into(t, http.StatusNoContent, nil)
		require.Equal(t, abac.Technician, role(ward, user.user))
		k.do(t, http.MethodGet, "/v1/me", nil, as(user)).refused(t, http.StatusUnauthorized, "no_token")
		require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'role_changed' AND user_id = $2`, ward, admin.user))
	})
}
