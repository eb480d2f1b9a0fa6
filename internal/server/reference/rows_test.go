package reference_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// rows is one row of each table of this room but msp_branding, parents first, as a product would write it. @tenant, @user and @device
// are the writer's; the other names are ids of this table's own rows.
var rows = []struct{ table, insert string }{
	{"api_keys", `(tenant_id, user_id, name, secret_hash, policies, expires_at) VALUES (@tenant, @user, 'Inventarabgleich', sha256('random'), '{device:read}', now() + interval '90 days')`},
	{"user_preferences", `(tenant_id, user_id, theme) VALUES (@tenant, @user, 'dark')`},
	{"installed_software", `(tenant_id, device_id, name, version, publisher, source, installed_at) VALUES (@tenant, @device, 'Mozilla Firefox ESR', '140.4.0', 'Mozilla', 'msi', now())`},
	{"hardware_info", `(tenant_id, device_id, manufacturer, model, serial_number, chassis, cpu_threads, memory_bytes, tpm) VALUES (@tenant, @device, 'Lenovo', 'T14', 'PF4X', 'laptop', 16, 34359738368, '2.0')`},
	{"device_services", `(tenant_id, device_id, name, display_name, state, startup) VALUES (@tenant, @device, 'Spooler', 'Druckwarteschlange', 'running', 'automatic')`},
	{"network_adapters", `(tenant_id, device_id, name, kind, mac, addresses, up) VALUES (@tenant, @device, 'Ethernet 1', 'ethernet', '00:00:5e:00:53:01', '{192.0.2.7,2001:db8::7}', true)`},
	{"device_snapshots", `(tenant_id, device_id, reason, state, digest) VALUES (@tenant, @device, 'before_command', '{"services": 212}', sha256('state'))`},
	{"device_groups", `(tenant_id, id, name) VALUES (@tenant, @group, 'Station 3')`},
	{"device_group_members", `(tenant_id, group_id, device_id) VALUES (@tenant, @group, @device)`},
	{"tags", `(tenant_id, id, name, colour) VALUES (@tenant, @tag, 'Medizinprodukt', 'red')`},
	{"device_tags", `(tenant_id, device_id, tag_id) VALUES (@tenant, @device, @tag)`},
	{"pending_commands", `(tenant_id, device_id, action, parameters, requested_by) VALUES (@tenant, @device, 'restart_service', '{"service": "Spooler"}', @user)`},
	{"software_packages", `(tenant_id, id, name, version, platform, sha256, size_bytes, approved_by, approved_at) VALUES (@tenant, @package, '7-Zip', '25.01', 'windows', sha256('zip'), 1600000, @user, now())`},
	{"package_deployments", `(tenant_id, package_id, device_id, requested_by) VALUES (@tenant, @package, @device, @user)`},
	{"device_patches", `(tenant_id, device_id, patch, severity, state) VALUES (@tenant, @device, 'KB5034441', 'high', 'missing')`},
	{"patch_approvals", `(tenant_id, patch, group_id, status, decided_by, decided_at) VALUES (@tenant, 'KB5034441', @group, 'approved', @user, now())`},
	{"maintenance_windows", `(tenant_id, name, group_id, recurrence, created_by) VALUES (@tenant, 'Nachtfenster', @group, 'weekly', @user)`},
	{"device_events", `(tenant_id, device_id, kind, severity, message, attributes) VALUES (@tenant, @device, 'service_crashed', 'error', 'Spooler', '{"count": 3}')`},
	{"dex_scores", `(tenant_id, device_id, day, score, startup) VALUES (@tenant, @device, current_date, 84, 71)`},
	{"alert_rules", `(tenant_id, id, name, metric, comparison, threshold, severity, group_id, created_by) VALUES (@tenant, @rule, 'Platte voll', 'disk', 'above', 0.9, 'warning', @group, @user)`},
	{"alert_history", `(tenant_id, id, rule_id, device_id, severity, value) VALUES (@tenant, @alert, @rule, @device, 'warning', 0.93)`},
	{"notification_channels", `(tenant_id, id, name, kind, target, secret) VALUES (@tenant, @channel, 'Bereitschaft', 'sms', '+49301234567', '$enc2$k-2026$YWJjZA==')`},
	{"alert_rule_channels", `(tenant_id, rule_id, channel_id) VALUES (@tenant, @rule, @channel)`},
	{"notifications", `(tenant_id, user_id, title) VALUES (@tenant, @user, 'Platte voll auf pc-1')`},
	{"capacity_forecasts", `(tenant_id, device_id, resource, used, per_day, exhausted_at) VALUES (@tenant, @device, 'disk', 0.93, 0.004, now() + interval '17 days')`},
	{"tickets", `(tenant_id, id, title, requester_id, device_id, alert_id) VALUES (@tenant, @ticket, 'Drucker druckt nicht', @user, @device, @alert)`},
	{"ticket_comments", `(tenant_id, ticket_id, author_id, body) VALUES (@tenant, @ticket, @user, 'Seit heute früh.')`},
	{"ticket_attachments", `(tenant_id, ticket_id, uploaded_by, file_name, media_type, size_bytes, sha256) VALUES (@tenant, @ticket, @user, 'foto.jpg', 'image/jpeg', 220114, sha256('jpg'))`},
	{"ticket_tags", `(tenant_id, ticket_id, tag_id) VALUES (@tenant, @ticket, @tag)`},
	{"solver_solutions", `(tenant_id, ticket_id, agent, title, steps, confidence) VALUES (@tenant, @ticket, 'ticket_triage', 'Spooler neu starten', '1. Dienst anhalten', 0.82)`},
	{"ai_knowledge_base", `(tenant_id, ticket_id, title, content, keywords) VALUES (@tenant, @ticket, 'Spooler', 'Nach Treiberwechsel …', '{drucker,spooler}')`},
	{"tenant_ai_memory", `(tenant_id, agent, key, value) VALUES (@tenant, 'lead_architect', 'roadmap', '{"windows10": "2026-03"}')`},
	{"qa_audit_log", `(tenant_id, subject_type, subject_id, check_name, outcome) VALUES (@tenant, 'solution', 'x', 'no_free_text_command', 'passed')`},
	{"webhook_configs", `(tenant_id, id, name, url, events, secret, created_by) VALUES (@tenant, @webhook, 'CMDB', 'https://cmdb.klinik.example/in', '{ticket_closed}', '$enc2$k-2026$YWJjZA==', @user)`},
	{"webhook_deliveries", `(tenant_id, webhook_id, event, payload) VALUES (@tenant, @webhook, 'ticket_closed', '{"ticket": "x"}')`},
	{"red_team_findings", `(tenant_id, device_id, technique, severity, title) VALUES (@tenant, @device, 'T1110.003', 'high', 'Password Spraying')`},
	{"device_vulnerabilities", `(tenant_id, device_id, cve, cvss) VALUES (@tenant, @device, 'CVE-2025-12345', 9.8)`},
	{"shadow_it_findings", `(tenant_id, device_id, kind, name) VALUES (@tenant, @device, 'software', 'TeamViewer')`},
	{"compliance_checks", `(tenant_id, framework, control, outcome) VALUES (@tenant, 'nis2', '21-2-b', 'met')`},
	{"report_schedules", `(tenant_id, id, name, report, cadence, recipients, created_by) VALUES (@tenant, @schedule, 'Monatsbericht', 'executive', 'monthly', '{leitung@klinik.example}', @user)`},
	{"report_runs", `(tenant_id, schedule_id) VALUES (@tenant, @schedule)`},
}

// ids gives each of a side's own rows an id.
func ids() pgx.NamedArgs {
	args := pgx.NamedArgs{}
	for _, name := range []string{"group", "tag", "package", "rule", "alert", "channel", "ticket", "webhook", "schedule"} {
		args[name] = uuid.New()
	}
	return args
}

func (s side) fill(t *testing.T, args pgx.NamedArgs) {
	t.Helper()
	for _, row := range rows {
		require.EqualValues(t, 1, s.do(t, "INSERT INTO tomkit."+row.table+" "+row.insert, args), row.table)
	}
}

func TestEveryTableTakesItsTenantsRowsAndNoOthers(t *testing.T) {
	k := newKit(t)
	want := created(t)
	for _, row := range rows {
		want = slices.DeleteFunc(want, func(name string) bool { return name == row.table })
	}
	require.Equal(t, []string{"msp_branding"}, want, "a row for every table")

	mine, stranger := ids(), k.side(t, "south", "stranger")
	k.ward.fill(t, mine)
	for _, row := range rows {
		insert := "INSERT INTO tomkit." + row.table + " " + row.insert
		t.Run(row.table, func(t *testing.T) {
			require.Equal(t, 1, k.ward.count(t, row.table, nil), "its own")
			require.Zero(t, k.lab.count(t, row.table, nil), "another's")
			_, err := k.lab.Exec(t.Context(), insert, k.ward.named(mine))
			requireCode(t, denied, err, "for another tenant")
			require.Zero(t, side{Scope: k.db.Anonymous()}.count(t, row.table, nil), "nobody's")
			if strings.Contains(row.insert, "@device") || strings.Contains(row.insert, "@user") {
				theirs := k.lab.named(mine)
				theirs["tenant"] = stranger.tenant
				_, err := stranger.Exec(t.Context(), insert, theirs)
				requireCode(t, noParent, err, "about another's device or user")
			}
		})
	}
	t.Run("the neighbour has the same names without noticing", func(t *testing.T) { k.lab.fill(t, ids()) })
}

func merge(a, b pgx.NamedArgs) pgx.NamedArgs {
	for name, value := range b {
		a[name] = value
	}
	return a
}

// TestWhatALoginMayChange spells out where the document or the product forbids a request to write.
func TestWhatALoginMayChange(t *testing.T) {
	k := newKit(t)
	args := ids()
	k.ward.fill(t, args)
	for _, sql := range []string{
		"UPDATE tomkit.qa_audit_log SET outcome = 'passed'",
		"DELETE FROM tomkit.qa_audit_log",
		"UPDATE tomkit.device_events SET message = ''",
		"DELETE FROM tomkit.device_events",
		"UPDATE tomkit.pending_commands SET action = 'isolate_device'",
		"UPDATE tomkit.pending_commands SET parameters = '{}'",
		"UPDATE tomkit.pending_commands SET device_id = device_id",
		"DELETE FROM tomkit.pending_commands",
		"UPDATE tomkit.api_keys SET policies = '{*:*}'",
		"UPDATE tomkit.api_keys SET expires_at = 'infinity'",
		"UPDATE tomkit.api_keys SET secret_hash = sha256('x')",
		"UPDATE tomkit.solver_solutions SET steps = 'format c:'",
		"UPDATE tomkit.alert_history SET severity = 'info'",
		"UPDATE tomkit.compliance_checks SET outcome = 'met'",
		"UPDATE tomkit.msp_branding SET product_name = 'x'",
		"SELECT * FROM tomkit." + k.list(t, "SELECT min(relname::text) FROM pg_class WHERE relname LIKE 'device\\_events\\_20%' AND relkind = 'r'")[0],
		"SELECT tomkit.device_events_prepare(current_date, 1)",
		"SELECT tomkit.device_events_drop('2020-01-01')",
	} {
		t.Run(sql, func(t *testing.T) { k.ward.refused(t, denied, sql, nil) })
	}
	t.Run("an MSP reads no secret", func(t *testing.T) {
		for _, sql := range []string{"SELECT * FROM tomkit.api_keys", "SELECT secret FROM tomkit.webhook_configs", "SELECT secret FROM tomkit.notification_channels"} {
			_, err := k.db.MSP(k.ward.msp).Exec(t.Context(), sql)
			requireCode(t, denied, err)
		}
		var url string
		require.NoError(t, k.db.MSP(k.ward.msp).QueryRow(t.Context(), "SELECT url FROM tomkit.webhook_configs").Scan(&url))
	})
	t.Run("not even background work rewrites the QA log", func(t *testing.T) {
		_, err := k.pg.Pool(t, "tomkit_system").Exec(t.Context(), "UPDATE tomkit.qa_audit_log SET outcome = 'passed'")
		requireCode(t, denied, err)
	})
	t.Run("a secret in plain is refused", func(t *testing.T) {
		for _, secret := range []string{"hunter2", "$enc$YWJj", "$enc2$$YWJj", "$enc2$k$", "$enc2$k$YWJj hunter2"} {
			k.ward.refused(t, notAllowed, "UPDATE tomkit.webhook_configs SET secret = @secret", pgx.NamedArgs{"secret": secret})
			k.ward.refused(t, notAllowed, "UPDATE tomkit.notification_channels SET secret = @secret", pgx.NamedArgs{"secret": secret})
		}
		k.ward.refused(t, notAllowed, "UPDATE tomkit.webhook_configs SET url = 'http://cmdb.klinik.example'", nil)
	})
}
