package reference_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/server/reference"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func TestATicketWithItsComments(t *testing.T) {
	k := newKit(t)
	const open = `INSERT INTO tomkit.tickets (tenant_id, title, requester_id, device_id) VALUES (@tenant, 'Kein WLAN', @user, @device)`
	mine, theirs := k.ward.add(t, open, nil), k.lab.add(t, open, nil)
	const comment = `INSERT INTO tomkit.ticket_comments (tenant_id, ticket_id, author_id, body) VALUES (@tenant, @ticket, @user, 'x')`
	k.ward.do(t, comment, pgx.NamedArgs{"ticket": mine})
	t.Run("nobody comments on another's ticket, or in another's name", func(t *testing.T) {
		k.ward.refused(t, noParent, comment, pgx.NamedArgs{"ticket": theirs})
		k.ward.refused(t, noParent, comment, pgx.NamedArgs{"ticket": mine, "user": k.lab.user})
		k.ward.refused(t, denied, comment, pgx.NamedArgs{"ticket": theirs, "tenant": k.lab.tenant, "user": k.lab.user})
		k.ward.refused(t, noParent, "UPDATE tomkit.tickets SET device_id = @device", pgx.NamedArgs{"device": k.lab.device})
		k.ward.refused(t, denied, "UPDATE tomkit.tickets SET tenant_id = @tenant", pgx.NamedArgs{"tenant": k.lab.tenant})
	})
	t.Run("closing it starts its age, and nothing else does", func(t *testing.T) {
		k.ward.refused(t, notAllowed, "UPDATE tomkit.tickets SET status = 'closed'", nil)
		k.ward.refused(t, notAllowed, "UPDATE tomkit.tickets SET closed_at = now()", nil)
		k.ward.refused(t, notAllowed, "UPDATE tomkit.tickets SET status = 'closed', closed_at = created_at - interval '1 day'", nil)
		require.EqualValues(t, 1, k.ward.do(t, "UPDATE tomkit.tickets SET status = 'closed', closed_at = now()", nil), "only its own")
		require.Equal(t, 1, k.lab.count(t, "tickets WHERE status = 'open'", nil))
	})
	t.Run("a person who goes leaves the ticket", func(t *testing.T) {
		k.ward.do(t, "DELETE FROM tomkit.users WHERE id = @user", nil)
		require.Equal(t, 1, k.ward.count(t, "tickets WHERE requester_id IS NULL AND tenant_id = @tenant", nil))
		require.Equal(t, 1, k.ward.count(t, "ticket_comments WHERE author_id IS NULL", nil))
		require.Equal(t, 1, k.lab.count(t, "tickets WHERE requester_id = @user", nil))
	})
	t.Run("retention takes the comments with the ticket", func(t *testing.T) {
		require.NoError(t, k.system(t, func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM tomkit.tickets WHERE tenant_id = $1 AND closed_at <= now()", k.ward.tenant)
			return err
		}))
		require.Zero(t, k.ward.count(t, "ticket_comments", nil))
		require.Equal(t, 1, k.lab.count(t, "tickets", nil))
	})
}

func TestAnAlertFromItsRuleToItsEnd(t *testing.T) {
	k := newKit(t)
	const group = `INSERT INTO tomkit.device_groups (tenant_id, name) VALUES (@tenant, 'Server')`
	const rule = `INSERT INTO tomkit.alert_rules (tenant_id, name, metric, comparison, threshold, severity, group_id) VALUES (@tenant, 'CPU', 'cpu', 'above', 0.95, 'critical', @group)`
	const alert = `INSERT INTO tomkit.alert_history (tenant_id, rule_id, device_id, severity, value) VALUES (@tenant, @rule, @device, 'critical', 0.99)`
	mine := pgx.NamedArgs{"group": k.ward.add(t, group, nil)}
	theirs := pgx.NamedArgs{"group": k.lab.add(t, group, nil)}
	k.ward.refused(t, noParent, rule, theirs)
	mine["rule"], theirs["rule"] = k.ward.add(t, rule, mine), k.lab.add(t, rule, theirs)
	k.ward.refused(t, duplicate, rule, mine)
	k.ward.refused(t, noParent, alert, theirs)
	k.ward.refused(t, noParent, alert, pgx.NamedArgs{"rule": mine["rule"], "device": k.lab.device})
	mine["alert"] = k.ward.add(t, alert, mine)
	t.Run("it is acknowledged with a time, resolved with a time, and open without", func(t *testing.T) {
		k.ward.refused(t, notAllowed, "UPDATE tomkit.alert_history SET status = 'acknowledged'", nil)
		k.ward.refused(t, notAllowed, "UPDATE tomkit.alert_history SET status = 'resolved'", nil)
		k.ward.refused(t, notAllowed, "UPDATE tomkit.alert_history SET status = 'muted'", nil)
		k.ward.refused(t, noParent, "UPDATE tomkit.alert_history SET status = 'acknowledged', acknowledged_at = now(), acknowledged_by = @user", pgx.NamedArgs{"user": k.lab.user})
		k.ward.do(t, "UPDATE tomkit.alert_history SET status = 'acknowledged', acknowledged_at = now(), acknowledged_by = @user", nil)
		k.ward.do(t, "UPDATE tomkit.alert_history SET status = 'resolved', resolved_at = now()", nil)
		require.Zero(t, k.lab.do(t, "UPDATE tomkit.alert_history SET status = 'open', resolved_at = NULL WHERE id = @alert", mine))
	})
	t.Run("a group stays while a rule watches it alone", func(t *testing.T) {
		k.ward.refused(t, noParent, "DELETE FROM tomkit.device_groups", nil)
	})
	t.Run("the alert outlives the rule", func(t *testing.T) {
		require.EqualValues(t, 1, k.ward.do(t, "DELETE FROM tomkit.alert_rules", nil))
		require.Equal(t, 1, k.ward.count(t, "alert_history WHERE rule_id IS NULL", nil))
		require.EqualValues(t, 1, k.ward.do(t, "DELETE FROM tomkit.device_groups", nil))
		require.Equal(t, 1, k.lab.count(t, "alert_rules", nil))
	})
}

func TestACommandFromItsOrderToItsEnd(t *testing.T) {
	k := newKit(t)
	const order = `INSERT INTO tomkit.pending_commands (tenant_id, device_id, action, parameters, requested_by, status, finished_at)
		VALUES (@tenant, @device, @action, '{}', @user, @status, @finished)`
	args := func(more pgx.NamedArgs) pgx.NamedArgs {
		return merge(pgx.NamedArgs{"action": "clear_temp", "status": "pending", "finished": nil}, more)
	}
	t.Run("only the eight actions, on an own device, of an own user", func(t *testing.T) {
		for _, action := range []string{"run_script", "powershell", "", "clear_temp; rm"} {
			k.ward.refused(t, notAllowed, order, args(pgx.NamedArgs{"action": action}))
		}
		k.ward.refused(t, noParent, order, args(pgx.NamedArgs{"device": k.lab.device}))
		k.ward.refused(t, noParent, order, args(pgx.NamedArgs{"user": k.lab.user}))
		k.ward.refused(t, denied, order, args(pgx.NamedArgs{"tenant": k.lab.tenant, "device": k.lab.device, "user": k.lab.user}))
		for _, action := range []string{"restart_service", "set_service_startup", "clear_temp", "flush_network_stack", "install_patch", "restart_device", "block_port", "isolate_device"} {
			k.ward.add(t, order, args(pgx.NamedArgs{"action": action}))
		}
		require.Equal(t, 8, k.ward.count(t, "pending_commands", nil))
	})
	id := k.ward.add(t, order, args(nil))
	step := func(set string) string { return "UPDATE tomkit.pending_commands SET " + set + " WHERE id = @id" }
	own := pgx.NamedArgs{"id": id}
	t.Run("its way has an end with a time", func(t *testing.T) {
		k.ward.do(t, step("status = 'delivered', delivered_at = now()"), own)
		k.ward.do(t, step("status = 'running'"), own)
		k.ward.refused(t, notAllowed, step("status = 'succeeded'"), own)
		k.ward.refused(t, notAllowed, step("status = 'done', finished_at = now()"), own)
		k.ward.do(t, step(`status = 'succeeded', finished_at = now(), result = '{"freed": 1048576}'`), own)
		k.ward.refused(t, notAllowed, step("status = 'pending'"), own)
		k.ward.refused(t, notAllowed, step("result = jsonb_build_object('x', repeat('x', 20000))"), own)
	})
	t.Run("another tenant neither sees it nor moves it on", func(t *testing.T) {
		require.Zero(t, k.lab.count(t, "pending_commands", nil))
		require.Zero(t, k.lab.do(t, step("status = 'cancelled'"), own))
		require.Zero(t, k.lab.do(t, "UPDATE tomkit.pending_commands SET status = 'cancelled', finished_at = now()", nil))
	})
	t.Run("it goes with its device", func(t *testing.T) {
		_, err := k.super.Exec(t.Context(), "DELETE FROM tomkit.devices WHERE id = $1", k.ward.device)
		require.NoError(t, err)
		require.Zero(t, k.ward.count(t, "pending_commands", nil))
	})
}

func TestAnInventoryIsUpserted(t *testing.T) {
	k := newKit(t)
	const report = `INSERT INTO tomkit.installed_software (tenant_id, device_id, name, version)
		SELECT @tenant, @device, name, version FROM unnest(@names::text[], @versions::text[]) s(name, version)
		ON CONFLICT (tenant_id, device_id, name, version) DO UPDATE SET last_seen = clock_timestamp()`
	inventory := func(names, versions []string) pgx.NamedArgs {
		return pgx.NamedArgs{"names": names, "versions": versions}
	}
	first := inventory([]string{"7-Zip", "Firefox", "Outlook"}, []string{"24.08", "140.3", "16.0"})
	require.EqualValues(t, 3, k.ward.do(t, report, first))
	require.EqualValues(t, 3, k.lab.do(t, report, first), "another's rows are no conflict")
	require.EqualValues(t, 3, k.ward.do(t, report, inventory([]string{"7-Zip", "Firefox", "Outlook"}, []string{"24.08", "140.4", "16.0"})))
	require.Equal(t, 4, k.ward.count(t, "installed_software", nil))
	t.Run("what was not reported again can be swept", func(t *testing.T) {
		require.EqualValues(t, 1, k.ward.do(t, `DELETE FROM tomkit.installed_software s WHERE device_id = @device AND last_seen <
			(SELECT max(last_seen) FROM tomkit.installed_software) AND version = '140.3'`, nil))
		require.Equal(t, 3, k.lab.count(t, "installed_software", nil))
	})
	t.Run("not for another's device", func(t *testing.T) {
		k.ward.refused(t, noParent, report, merge(inventory([]string{"x"}, []string{"1"}), pgx.NamedArgs{"device": k.lab.device}))
		k.ward.refused(t, denied, report, merge(first, pgx.NamedArgs{"tenant": k.lab.tenant, "device": k.lab.device}))
	})
}

func TestDeletingATenantLeavesNothingButTheLedger(t *testing.T) {
	k := newKit(t)
	k.ward.fill(t, ids())
	k.lab.fill(t, ids())
	_, err := k.super.Exec(t.Context(), `INSERT INTO tomkit.heartbeat_dead_letters (tenant_id, device_id, reason, first_at, last_at) VALUES ($1, $2, 'refused', now(), now())`,
		k.ward.tenant, k.ward.device)
	require.NoError(t, err)
	tables := k.list(t, "SELECT name FROM ("+tenantTables+") t")
	before := k.totals(t, tables, k.lab.tenant)
	require.NoError(t, k.system(t, func(ctx context.Context, tx *rls.Tx) error {
		return tenant.AddHost(ctx, tx, k.ward.tenant, "ward.example")
	}))
	eraser, err := erasure.New(erasure.Config{DB: k.db, Record: unrecorded{}, Register: reference.Processing()})
	require.NoError(t, err)
	job, err := eraser.DeleteTenant(t.Context(), erasure.Deletion{Tenant: k.ward.tenant, Confirm: "ward", Reason: "contract_ended"})
	require.NoError(t, err)
	require.EqualValues(t, 1, job.Counts["tomkit.device_events"])
	require.EqualValues(t, 1, job.Counts["tomkit.heartbeat_dead_letters"])
	require.Len(t, job.Counts, len(rows)+len([]string{"tenants", "tenant_hosts", "users", "roles", "devices", "heartbeat_dead_letters"}))
	for table, n := range k.totals(t, tables, k.ward.tenant) {
		require.Equal(t, table == "erasure_jobs", n != 0, table)
	}
	require.Equal(t, before, k.totals(t, tables, k.lab.tenant), "the neighbour is whole")
}

// unrecorded stands for a ledger, whose entries are no matter here.
type unrecorded struct{}

func (unrecorded) RecordTx(context.Context, *rls.Tx, record.Event) error { return nil }

// totals counts a tenant's rows in each table, past all policies.
func (k *kit) totals(t *testing.T, tables []string, id uuid.UUID) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, table := range tables {
		var n int
		require.NoError(t, k.super.QueryRow(t.Context(), "SELECT count(*) FROM tomkit."+pgx.Identifier{table}.Sanitize()+" WHERE tenant_id = $1", id).Scan(&n))
		all[table] = n
	}
	return all
}
