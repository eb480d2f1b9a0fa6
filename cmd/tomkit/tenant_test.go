package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func TestAdminLooksAfterTenants(t *testing.T) {
	plain(t)
	db, _ := installed(t)
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
		admin("delete", "--confirm=test-operator").failed(t, 2, "operator")
		admin("delete", "--confirm=nobody").failed(t, 2, "unknown")
		plan := admin("delete", "--confirm=ward", "--dry-run").done(t)
		require.Regexp(t, `(?m)^tomkit\.tenants +1$`, plan)
		require.Regexp(t, `(?m)^tomkit\.audit_logs +[1-9][0-9]* +stays$`, plan)
		require.Contains(t, plan, "nothing was changed")
		require.Contains(t, list(), ward.String())
		hold := strings.Fields(tomkit(t, "", "erasure", "hold", "set", "--tenant=ward", "--reason=litigation").done(t))[1]
		require.Contains(t, admin("delete", "--confirm=ward", "--dry-run").done(t), "forbids")
		admin("delete", "--confirm=ward").failed(t, 1, "legal hold")
		tomkit(t, "", "erasure", "hold", "release", "--tenant=ward", "--id="+hold).done(t)
		gone := admin("delete", "--confirm=ward").done(t)
		require.Regexp(t, `(?m)^tomkit\.tenants +1$`, gone)
		require.Regexp(t, `(?m)^`+ward.String()+` +ward +done`, gone)
		require.NotContains(t, list(), ward.String())
		admin("delete", "--confirm=ward").failed(t, 2, "unknown")
		require.Equal(t, 1, strings.Count(tomkit(t, "", "erasure", "jobs").done(t), "ward"))
		require.NotContains(t, tomkit(t, "", "erasure", "jobs", "--resume").done(t), "ward")
	})
	t.Run("each change stands in the tenant's ledger and the operator's, also after the tenant, in its own words", func(t *testing.T) {
		changes := []string{"tenant_host_added", "tenant_host_removed", "tenant_moved", "tenant_suspended", "tenant_activated"}
		for log, end := range map[uuid.UUID][]string{ward: {"tenant_deleted"}, operator: {"tenant_erasure_started", "tenant_erased"}} {
			rows, err := db.Superuser(t).Query(t.Context(), `SELECT action, nis2_narrative FROM tomkit.audit_logs WHERE tenant_id = $1 AND action LIKE 'tenant\_%' AND entity_id = $2 ORDER BY seq`, log, ward.String())
			require.NoError(t, err)
			var have []string
			var action, sentence string
			_, err = pgx.ForEachRow(rows, []any{&action, &sentence}, func() error {
				have = append(have, action)
				require.Contains(t, sentence, "ward ", action)
				require.NotContains(t, sentence, "Systemzugriff")
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, slices.Concat(changes, end), have)
		}
	})
}
