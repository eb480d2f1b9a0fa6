package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func TestAdminLooksAfterTenants(t *testing.T) {
	plain(t)
	db, _ := installation(t)
	scopes, operator := db.Open(t), db.Operator(t)
	ward, lab := db.TenantUnder(t, "north", "ward"), db.TenantUnder(t, "south", "lab")
	admin := func(args ...string) outcome { return tomkit(t, "", append([]string{"admin", "tenant"}, args...)...) }
	list := func(args ...string) string { return admin(append([]string{"list"}, args...)...).done(t) }

	t.Run("list", func(t *testing.T) {
		require.Equal(t, 3, strings.Count(list(), "\n"))
		require.Regexp(t, `(?m)^ward +active +north +active +`+ward.String()+` +"ward"$`, list())
		south := list("--msp=south")
		require.Contains(t, south, lab.String())
		require.NotContains(t, south, ward.String())
		admin("list", "--msp=nobody").failed(t, 2, "unknown")
	})
	t.Run("host", func(t *testing.T) {
		require.Contains(t, admin("host", "add", "--slug=ward", "--name=ward.example").done(t), "[ward.example]")
		admin("host", "add", "--slug=lab", "--name=ward.example").failed(t, 2, "exists already")
		for _, bad := range []string{"ward.example:443", "w\u0430rd.example"} {
			admin("host", "add", "--slug=ward", "--name="+bad).failed(t, 2, "host")
		}
		id, err := tenant.ByHost(t.Context(), scopes.Anonymous(), "ward.example")
		require.NoError(t, err)
		require.Equal(t, ward, id)
		admin("host", "remove", "--slug=lab", "--name=ward.example").failed(t, 2, "unknown")
		require.Contains(t, admin("host", "remove", "--slug=ward", "--name=ward.example").done(t), "0 host(s)")
	})
	t.Run("move", func(t *testing.T) {
		require.Contains(t, admin("move", "--slug=ward", "--to=south").done(t), "under south")
		require.Contains(t, list("--msp=south"), ward.String())
		admin("move", "--slug=ward", "--to=nobody").failed(t, 2, "unknown")
		admin("move", "--slug=nobody", "--to=north").failed(t, 2, "unknown")
		admin("move", "--slug=test-operator", "--to=north").failed(t, 2, "operator")
	})
	t.Run("suspend and activate", func(t *testing.T) {
		require.Contains(t, admin("suspend", "--slug=ward").done(t), "suspended")
		require.Regexp(t, `(?m)^ward +suspended`, list())
		require.Contains(t, admin("activate", "--slug=ward").done(t), "active")
		require.Regexp(t, `(?m)^ward +active`, list())
		admin("suspend", "--slug=test-operator").failed(t, 2, "operator")
	})
	t.Run("delete", func(t *testing.T) {
		admin("delete", "--slug=ward", "--confirm=lab").failed(t, 2, "--confirm")
		admin("delete", "--slug=test-operator", "--confirm=test-operator").failed(t, 2, "operator")
		require.Contains(t, list(), ward.String())
		require.Regexp(t, `(?m)^tomkit\.tenants +1$`, admin("delete", "--slug=ward", "--confirm=ward").done(t))
		require.NotContains(t, list(), ward.String())
		admin("delete", "--slug=ward", "--confirm=ward").failed(t, 2, "unknown")
	})
	t.Run("each change stands in the tenant's ledger and the operator's, also after the tenant", func(t *testing.T) {
		want := []string{"tenant_host_added", "tenant_host_removed", "tenant_moved", "tenant_suspended", "tenant_activated", "tenant_deleted"}
		for _, log := range []uuid.UUID{ward, operator} {
			rows, err := db.Superuser(t).Query(t.Context(), `SELECT action FROM tomkit.audit_logs WHERE tenant_id = $1 AND action LIKE 'tenant\_%' AND entity_id = $2 ORDER BY seq`, log, ward.String())
			require.NoError(t, err)
			have, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			require.Equal(t, want, have)
		}
	})
}
