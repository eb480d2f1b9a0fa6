package audit_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
)

// breach is a fixture that breaks one rule.
type breach struct {
	rule, object string
	sql          string
	edit         func(*audit.Snapshot)
	options      audit.Options
	also         []string // rules that it cannot but break too
	because      string   // why
}

// own runs statements as the owner of the product's tables.
func own(sql string) string { return "SET LOCAL ROLE tomkit_owner; " + sql + "; RESET ROLE;" }

// guarded makes a table of the owner's with a tenant policy and all four privileges for requests.
func guarded(name, columns string) string {
	return own("CREATE TABLE " + name + " (" + columns + "); ALTER TABLE " + name + " ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; " +
		"CREATE POLICY own ON " + name + " TO tomkit_app USING (tenant_id = " + current + "); GRANT SELECT, INSERT, UPDATE, DELETE ON " + name + " TO tomkit_app")
}

const (
	current  = "(SELECT c.id FROM tomkit.tenant_context c)"
	wrapper  = "CREATE FOREIGN DATA WRAPPER dummy; CREATE SERVER other FOREIGN DATA WRAPPER dummy; "
	onApp    = "DO $$ BEGIN EXECUTE format('GRANT %s ON DATABASE %I TO tomkit_app', '"
	onAppEnd = "', current_database()); END $$;"
)

func tenantPolicy(using, check string) string {
	sql := "ALTER POLICY tomkit_tenant ON shop.orders"
	if using != "" {
		sql += " USING (" + using + ")"
	}
	if check != "" {
		sql += " WITH CHECK (" + check + ")"
	}
	return sql
}

func setting(name, value string) func(*audit.Snapshot) {
	return func(s *audit.Snapshot) { s.Set(name, value) }
}

const (
	app     = "role tomkit_app"
	orders  = "table shop.orders"
	own1    = "policy tomkit_tenant on shop.orders"
	leakOn  = "policy leak on shop.orders"
	members = "CREATE ROLE audit_helper; "
)

var breaches = []breach{
	{rule: "RLS001", object: app, sql: "ALTER ROLE tomkit_app SUPERUSER"},
	{rule: "RLS002", object: app, sql: "ALTER ROLE tomkit_app BYPASSRLS"},
	{rule: "RLS003", object: app, sql: "CREATE ROLE audit_strong BYPASSRLS; GRANT audit_strong TO tomkit_app"},
	{rule: "RLS003", object: app, sql: members + "CREATE ROLE audit_strong SUPERUSER; GRANT audit_strong TO audit_helper; GRANT audit_helper TO tomkit_app",
		also: []string{"RLS020"}, because: "the role in between is a membership of its own"},
	{rule: "RLS004", object: app, sql: "ALTER ROLE tomkit_app INHERIT; CREATE ROLE audit_sys; CREATE POLICY x ON shop.orders TO audit_sys USING (true); GRANT audit_sys TO tomkit_app"},
	{rule: "RLS005", object: app, sql: "CREATE ROLE audit_sys; CREATE POLICY x ON shop.orders TO audit_sys USING (true); GRANT audit_sys TO tomkit_app"},
	{rule: "RLS005", object: app, sql: "GRANT tomkit_system TO tomkit_app"},
	{rule: "RLS006", object: app, sql: "GRANT tomkit_owner TO tomkit_app"},
	{rule: "RLS008", object: app, sql: "ALTER ROLE tomkit_app CREATEROLE"},
	{rule: "RLS009", object: app, sql: "ALTER ROLE tomkit_app REPLICATION"},
	{rule: "RLS010", object: app, sql: "ALTER ROLE tomkit_app CREATEDB"},
	{rule: "RLS011", object: app, sql: "CREATE TABLE shop.plain (id int); ALTER TABLE shop.plain OWNER TO tomkit_app"},
	{rule: "RLS012", object: app, sql: "ALTER FUNCTION shop.is_auditor() OWNER TO tomkit_app"},
	{rule: "RLS012", object: app, sql: "CREATE SCHEMA own AUTHORIZATION tomkit_app"},
	{rule: "RLS013", object: "schema shop", sql: "GRANT CREATE ON SCHEMA shop TO tomkit_app"},
	{rule: "RLS013", object: "schema public", sql: "GRANT CREATE ON SCHEMA public TO PUBLIC"},
	{rule: "RLS014", object: "database", sql: onApp + "CREATE" + onAppEnd},
	{rule: "RLS015", object: "database", sql: onApp + "TEMPORARY" + onAppEnd},
	{rule: "RLS016", object: app, sql: "GRANT pg_read_server_files TO tomkit_app"},
	{rule: "RLS017", object: app, sql: "GRANT pg_read_all_data TO tomkit_app"},
	{rule: "RLS018", object: app, sql: "GRANT pg_monitor TO tomkit_app"},
	{rule: "RLS019", object: app, sql: members + "GRANT audit_helper TO tomkit_app WITH ADMIN OPTION"},
	{rule: "RLS020", object: app, sql: members + "GRANT audit_helper TO tomkit_app"},
	{rule: "RLS021", object: app, sql: "CREATE ROLE audit_maker CREATEROLE; GRANT audit_maker TO tomkit_app"},
	{rule: "RLS022", object: "role tomkit_owner", sql: "ALTER ROLE tomkit_owner LOGIN"},
	{rule: "RLS023", object: "role audit_peeker", sql: "CREATE ROLE audit_peeker LOGIN BYPASSRLS"},
	{rule: "RLS024", object: "role audit_boss", sql: "CREATE ROLE audit_boss LOGIN SUPERUSER"},
	{rule: "RLS025", object: "role shop_web", sql: "CREATE ROLE shop_web LOGIN; REVOKE ALL ON pg_catalog.pg_stat_activity FROM PUBLIC",
		options: audit.Options{RequestRoles: []string{"shop_web"}}},
	{rule: "RLS026", object: "setting row_security", sql: "ALTER ROLE tomkit_app SET row_security = off"},
	{rule: "RLS026", object: "setting app.tenant_id", sql: "ALTER POLICY tomkit_tenant ON shop.orders WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid); ALTER ROLE ALL SET app.tenant_id = 'x'"},
	{rule: "RLS026", object: "setting role", edit: func(s *audit.Snapshot) { s.SetForRole("tomkit_app", "role=tomkit_system") }},
	{rule: "RLS027", object: "role audit_dump", sql: "CREATE ROLE audit_dump LOGIN CONNECTION LIMIT 2; REVOKE ALL ON pg_catalog.pg_stat_activity FROM PUBLIC",
		options: audit.Options{RequestRoles: []string{rls.RoleApp, "audit_dump"}, Backup: "audit_dump", Accept: []audit.Exception{{Rule: "RLS023", Object: "role tomkit_backup", Reason: "the other one"}}},
		also:    []string{"RLS028"}, because: "a backup login has BYPASSRLS, which in a request role is RLS002, or misses it"},
	{rule: "RLS028", object: "role tomkit_backup", sql: "ALTER ROLE tomkit_backup NOBYPASSRLS"},
	{rule: "RLS007", object: "role ", sql: "SET LOCAL ROLE tomkit_app"},

	{rule: "RLS101", object: orders, sql: "ALTER TABLE shop.orders DISABLE ROW LEVEL SECURITY"},
	{rule: "RLS101", object: "table tomkit.operators", sql: "ALTER TABLE tomkit.operators DISABLE ROW LEVEL SECURITY"},
	{rule: "RLS102", object: orders, sql: "ALTER TABLE shop.orders NO FORCE ROW LEVEL SECURITY"},
	{rule: "RLS103", object: orders, sql: "DROP POLICY tomkit_tenant ON shop.orders; DROP POLICY tomkit_msp ON shop.orders; DROP POLICY tomkit_system ON shop.orders; DROP POLICY tomkit_migration ON shop.orders"},
	{rule: "RLS104", object: orders, sql: "DROP POLICY tomkit_msp ON shop.orders"},
	{rule: "RLS105", object: "table shop.t", sql: guarded("shop.t", "tenant_id uuid NOT NULL, id uuid PRIMARY KEY")},
	{rule: "RLS106", object: "table shop.t", sql: guarded("shop.t", "tenant_id uuid, id uuid PRIMARY KEY, UNIQUE (tenant_id, id)")},
	{rule: "RLS107", object: "table shop.t", sql: own("CREATE TABLE shop.t (tenant_id bigint PRIMARY KEY); ALTER TABLE shop.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON shop.t TO tomkit_app USING (tenant_id = (SELECT length(c.id::text)::bigint FROM tomkit.tenant_context c))")},
	{rule: "RLS108", object: "table shop.tags", sql: own("CREATE TABLE shop.tags (t uuid, o uuid, tag text, FOREIGN KEY (t, o) REFERENCES shop.orders (tenant_id, id)); GRANT SELECT ON shop.tags TO tomkit_app")},
	{rule: "RLS109", object: "table shop.events_2026", sql: "ALTER TABLE shop.events_2026 DISABLE ROW LEVEL SECURITY; GRANT SELECT ON shop.events_2026 TO tomkit_app"},
	{rule: "RLS110", object: "table shop.events_2026", sql: "ALTER TABLE shop.events_2026 DISABLE ROW LEVEL SECURITY"},
	{rule: "RLS110", object: "table shop.old_orders", sql: own("CREATE TABLE shop.old_orders () INHERITS (shop.orders)")},
	{rule: "RLS109", object: "table public.child", sql: "CREATE TABLE child () INHERITS (tomkit.tenants); ALTER TABLE child OWNER TO tomkit_owner; GRANT SELECT ON child TO tomkit_app"},
	{rule: "RLS111", object: "table shop.t", sql: strings.Replace(guarded("shop.t", "tenant_id uuid PRIMARY KEY"), "CREATE TABLE", "CREATE UNLOGGED TABLE", 1)},
	{rule: "RLS112", object: "table pg_temp_", sql: "CREATE TEMP TABLE scratch (tenant_id uuid)"},
	{rule: "RLS113", object: "table shop.far", sql: wrapper + "CREATE FOREIGN TABLE shop.far (tenant_id uuid NOT NULL) SERVER other; ALTER FOREIGN TABLE shop.far OWNER TO tomkit_owner"},
	{rule: "RLS114", object: "rule r on shop.orders", sql: "CREATE RULE r AS ON DELETE TO shop.orders DO ALSO NOTHING"},
	{rule: "RLS115", object: "trigger g on shop.orders", sql: own("CREATE FUNCTION shop.g() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.g()")},

	{rule: "RLS201", object: leakOn, sql: "CREATE POLICY leak ON shop.orders TO tomkit_app USING (true)"},
	{rule: "RLS201", object: leakOn, sql: "CREATE POLICY leak ON shop.orders FOR SELECT TO tomkit_app USING (1 = 1 OR state = 'x')"},
	{rule: "RLS201", object: leakOn, sql: "CREATE POLICY leak ON shop.orders FOR DELETE TO tomkit_app USING (tenant_id = tenant_id)"},
	{rule: "RLS201", object: leakOn, sql: "CREATE POLICY leak ON shop.orders FOR SELECT TO tomkit_app USING ((SELECT NOT false))"},
	{rule: "RLS202", object: own1, sql: tenantPolicy("", "true")},
	{rule: "RLS202", object: leakOn, sql: "CREATE POLICY leak ON shop.orders FOR INSERT TO tomkit_app WITH CHECK (number > 0)"},
	{rule: "RLS202", object: own1, sql: tenantPolicy("", "tenant_id = "+current+" OR current_setting('app.import', true) = 'on'")},
	{rule: "RLS203", object: leakOn, sql: "CREATE POLICY leak ON shop.orders TO tomkit_app USING (current_setting('app.bypass_rls', true) = 'on')"},
	{rule: "RLS203", object: leakOn, sql: "CREATE POLICY leak ON shop.orders TO tomkit_app USING ((SELECT COALESCE(NULLIF(current_setting('app.admin', true), ''), 'off')::boolean))"},
	{rule: "RLS204", object: own1, sql: tenantPolicy("tenant_id = "+current+" OR current_setting('app.bypass_rls', true) = 'on'", "")},
	{rule: "RLS204", object: own1, sql: tenantPolicy("state <> 'x' AND (current_setting('app.role', true) = 'admin' OR tenant_id = "+current+")", "")},
	{rule: "RLS205", object: own1, sql: tenantPolicy("tenant_id = "+current+" OR (SELECT shop.is_auditor())", "")},
	{rule: "RLS206", object: leakOn, sql: "CREATE POLICY leak ON shop.orders FOR SELECT TO tomkit_app USING (state = 'public')"},
	{rule: "RLS206", object: leakOn, sql: "CREATE POLICY leak ON shop.orders FOR SELECT TO tomkit_app USING (tenant_id = '6f1c2b0e-58a1-4f0a-9a39-3a1f0a6f2f11')"},
	{rule: "RLS206", object: own1, sql: tenantPolicy("tenant_id = COALESCE("+current+", tenant_id)", "")},
	{rule: "RLS206", object: own1, sql: tenantPolicy("tenant_id = "+current+" OR state = 'shared'", "")},
	{rule: "RLS206", object: own1, sql: tenantPolicy("tenant_id <> "+current, "")},
	{rule: "RLS207", object: leakOn, sql: "CREATE POLICY leak ON shop.orders FOR SELECT TO tomkit_app USING (EXISTS (SELECT FROM shop.customers c WHERE c.id = customer_id))"},
	{rule: "RLS207", object: own1, sql: tenantPolicy("", "(SELECT shop.is_auditor())")},
	{rule: "RLS208", object: own1, sql: tenantPolicy("", "tenant_id = current_setting('app.tenant_id', true)::uuid")},
	{rule: "RLS209", object: own1, sql: tenantPolicy("", "tenant_id = NULLIF(current_setting('app.tenant_id'), '')::uuid")},
	{rule: "RLS210", object: own1, sql: tenantPolicy("", "tenant_id = shop.my_tenant()")},
	{rule: "RLS211", object: own1, sql: tenantPolicy("", "tenant_id::text = (SELECT c.id::text FROM tomkit.tenant_context c)")},
	{rule: "RLS212", object: "setting app.tenant_id", sql: tenantPolicy("tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid", "")},
	{rule: "RLS213", object: "policy tomkit_system on shop.orders", sql: "ALTER POLICY tomkit_system ON shop.orders USING (true)"},
	{rule: "RLS214", object: orders, sql: "CREATE POLICY second ON shop.orders FOR SELECT TO tomkit_app USING (tenant_id = " + current + ")"},
	{rule: "RLS215", object: own1, sql: "DROP POLICY tomkit_msp ON shop.orders; ALTER POLICY tomkit_tenant ON shop.orders TO PUBLIC"},

	{rule: "RLS301", object: orders, sql: "GRANT TRUNCATE ON shop.orders TO tomkit_app"},
	{rule: "RLS301", object: orders, sql: "GRANT TRUNCATE ON shop.orders TO PUBLIC"},
	{rule: "RLS302", object: orders, sql: "GRANT REFERENCES (id) ON shop.orders TO tomkit_app"},
	{rule: "RLS303", object: orders, sql: "GRANT TRIGGER ON shop.orders TO tomkit_msp"},
	{rule: "RLS304", object: orders, sql: "GRANT SELECT ON shop.orders TO PUBLIC"},
	{rule: "RLS305", object: orders, sql: "GRANT SELECT (state) ON shop.orders TO PUBLIC"},
	{rule: "RLS305", object: "table shop.invoices", sql: "GRANT UPDATE (tenant_id) ON shop.invoices TO tomkit_app"},
	{rule: "RLS306", object: "default privileges of tomkit_owner on tables", sql: "ALTER DEFAULT PRIVILEGES FOR ROLE tomkit_owner GRANT SELECT ON TABLES TO PUBLIC"},
	{rule: "RLS307", object: "default privileges of tomkit_owner in schema shop on tables", sql: "ALTER DEFAULT PRIVILEGES FOR ROLE tomkit_owner IN SCHEMA shop GRANT SELECT ON TABLES TO tomkit_app"},
	{rule: "RLS308", object: orders, sql: "GRANT SELECT ON shop.orders TO tomkit_app WITH GRANT OPTION"},

	{rule: "RLS401", object: "constraint far on shop.orders", sql: "CREATE UNIQUE INDEX ON shop.customers (id); ALTER TABLE shop.orders ADD CONSTRAINT far FOREIGN KEY (customer_id) REFERENCES shop.customers (id)"},
	{rule: "RLS401", object: "constraint far on shop.invoices", sql: "CREATE UNIQUE INDEX ON shop.orders (id); ALTER TABLE shop.invoices ADD CONSTRAINT far FOREIGN KEY (order_id) REFERENCES shop.orders (id) ON DELETE CASCADE"},
	{rule: "RLS402", object: "constraint far on shop.invoices", sql: "CREATE UNIQUE INDEX ON shop.orders (id); ALTER TABLE shop.invoices ADD CONSTRAINT far FOREIGN KEY (order_id) REFERENCES shop.orders (id)"},
	{rule: "RLS403", object: "index shop.orders_number", sql: "CREATE UNIQUE INDEX orders_number ON shop.orders (number)"},
	{rule: "RLS403", object: "index shop.customers_email", sql: "CREATE UNIQUE INDEX customers_email ON shop.customers (lower(email))"},
	{rule: "RLS404", object: "index shop.booked", sql: "ALTER TABLE shop.orders ADD CONSTRAINT booked EXCLUDE USING gist (during WITH &&)"},
	{rule: "RLS405", object: "constraint late on shop.invoices", sql: "ALTER TABLE shop.invoices ADD CONSTRAINT late FOREIGN KEY (tenant_id, order_id) REFERENCES shop.orders (tenant_id, id) NOT VALID"},
	{rule: "RLS406", object: "sequence shop.orders_number_seq", sql: "GRANT SELECT ON SEQUENCE shop.orders_number_seq TO tomkit_app"},
	{rule: "RLS407", object: "sequence shop.orders_number_seq", sql: "GRANT UPDATE ON SEQUENCE shop.orders_number_seq TO tomkit_app"},

	{rule: "RLS501", object: "view shop.all_orders", sql: "CREATE VIEW shop.all_orders AS SELECT * FROM shop.orders; GRANT SELECT ON shop.all_orders TO tomkit_app"},
	{rule: "RLS501", object: "view tomkit.slugs", sql: own("CREATE VIEW tomkit.slugs AS SELECT slug FROM tomkit.tenants; GRANT SELECT ON tomkit.slugs TO tomkit_app")},
	{rule: "RLS501", object: "view shop.outermost", sql: "CREATE VIEW shop.inner AS SELECT * FROM shop.orders; " + "ALTER VIEW shop.inner OWNER TO tomkit_migrator; CREATE VIEW shop.outermost AS SELECT * FROM shop.inner; ALTER VIEW shop.outermost OWNER TO tomkit_owner; GRANT SELECT ON shop.outermost TO tomkit_app"},
	{rule: "RLS502", object: "materialized view shop.copy", sql: own("CREATE MATERIALIZED VIEW shop.copy AS SELECT * FROM shop.orders; GRANT SELECT ON shop.copy TO tomkit_msp")},
	{rule: "RLS503", object: "view shop.mine", sql: own("CREATE VIEW shop.mine AS SELECT * FROM shop.orders; GRANT SELECT ON shop.mine TO tomkit_app")},
	{rule: "RLS504", object: "function shop.f()", sql: definer("f", "SET search_path = ''", "SELECT 1")},
	{rule: "RLS505", object: "function shop.f()", sql: definer("f", "", "SELECT count(*)::pg_catalog.int4 FROM shop.orders") + "ALTER FUNCTION shop.f() OWNER TO tomkit_owner"},
	{rule: "RLS506", object: "function shop.customer_count()", sql: "GRANT EXECUTE ON FUNCTION shop.customer_count() TO PUBLIC"},
	{rule: "RLS507", object: "function shop.f()", sql: "CREATE SCHEMA free; GRANT CREATE ON SCHEMA free TO tomkit_app; " + definer("f", "SET search_path = free, pg_temp", "SELECT 1") + "ALTER FUNCTION shop.f() OWNER TO tomkit_owner",
		also: []string{"RLS013"}, because: "the schema must be one that requests write to"},
	{rule: "RLS508", object: "function shop.is_auditor()", sql: "ALTER FUNCTION shop.is_auditor() LEAKPROOF"},
	{rule: "RLS509", object: "function shop.low(text)", sql: "CREATE FUNCTION shop.low(text) RETURNS text LANGUAGE internal IMMUTABLE STRICT AS 'lower'"},
	{rule: "RLS510", object: "event trigger e", sql: "CREATE FUNCTION shop.e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION shop.e()"},

	{rule: "RLS601", object: "role audit_replica", sql: "CREATE ROLE audit_replica LOGIN REPLICATION"},
	{rule: "RLS602", object: "publication p", sql: "CREATE PUBLICATION p FOR TABLE shop.orders"},
	{rule: "RLS602", object: "publication p", sql: "CREATE PUBLICATION p FOR ALL TABLES"},
	{rule: "RLS602", object: "publication p", sql: "CREATE PUBLICATION p FOR TABLES IN SCHEMA shop"},
	{rule: "RLS603", object: "replication slot s", edit: func(s *audit.Snapshot) { s.Slots = append(s.Slots, "s") }},
	{rule: "RLS604", object: "database", sql: "SELECT lo_create(0)"},
	{rule: "RLS605", object: "extension dblink", sql: "CREATE EXTENSION dblink SCHEMA public"},
	{rule: "RLS606", object: "server other", sql: wrapper + "CREATE USER MAPPING FOR PUBLIC SERVER other"},
	{rule: "RLS607", object: "server other", sql: wrapper + "GRANT USAGE ON FOREIGN SERVER other TO tomkit_app"},
	{rule: "RLS608", object: "function pg_catalog.pg_read_file(text)", sql: "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO tomkit_app"},
	{rule: "RLS609", object: "table pg_catalog.pg_statistic", sql: "GRANT SELECT ON pg_catalog.pg_statistic TO tomkit_app"},

	{rule: "RLS701", object: "view pg_catalog.pg_stat_activity", options: audit.Options{RequestRoles: []string{rls.RoleApp, rls.RoleMSP}}},
	{rule: "RLS702", object: "view public.pg_stat_statements", sql: "CREATE EXTENSION pg_stat_statements SCHEMA public"},
	{rule: "RLS703", object: "statistics shop.s", sql: "CREATE STATISTICS shop.s ON state, number FROM shop.orders"},
	{rule: "RLS711", object: "server", edit: func(s *audit.Snapshot) { s.Server.Version = 140025 }},
	{rule: "RLS712", object: "server", edit: func(s *audit.Snapshot) { s.Server.Version = 150019 }},
	{rule: "RLS713", object: "setting row_security", edit: setting("row_security", "off")},
	{rule: "RLS714", object: "setting log_parameter_max_length_on_error", edit: setting("log_parameter_max_length_on_error", "-1")},
	{rule: "RLS714", object: "setting log_parameter_max_length", edit: func(s *audit.Snapshot) {
		s.Set("log_statement", "mod")
		s.Set("log_parameter_max_length", "-1")
	}},
	{rule: "RLS715", object: "setting password_encryption", edit: setting("password_encryption", "md5")},
	{rule: "RLS716", object: "setting ssl", edit: func(s *audit.Snapshot) {
		s.Set("ssl", "off")
		s.Set("listen_addresses", "localhost, 10.0.0.5")
	}},
	{rule: "RLS717", object: "pg_hba.conf line 7", edit: func(s *audit.Snapshot) { s.Listen("host", "trust") }},
	{rule: "RLS718", object: "setting session_preload_libraries", edit: setting("session_preload_libraries", "auto_explain")},
	{rule: "RLS719", object: "setting lo_compat_privileges", edit: setting("lo_compat_privileges", "on")},
	{rule: "RLS720", object: "pg_hba.conf line 7", edit: func(s *audit.Snapshot) { s.Listen("hostnossl", "password") }},
	{rule: "RLS721", object: "setting session_replication_role", edit: setting("session_replication_role", "replica")},

	{rule: "RLS901", object: "role nobody", options: audit.Options{RequestRoles: []string{"nobody"}}},
	{rule: "RLS902", object: "exception RLS101 table shop.gone", options: audit.Options{Accept: []audit.Exception{{Rule: "RLS101", Object: "table shop.gone", Reason: "dropped"}}}},
	{rule: "RLS903", object: "database", options: audit.Options{TenantColumns: []string{"mandant"}}, edit: func(s *audit.Snapshot) { s.Policies = nil }},
}

func definer(name, path, body string) string {
	return "CREATE FUNCTION shop." + name + "() RETURNS integer LANGUAGE sql STABLE SECURITY DEFINER " + path + " AS '" + body + "'; " +
		"REVOKE ALL ON FUNCTION shop." + name + "() FROM PUBLIC; GRANT EXECUTE ON FUNCTION shop." + name + "() TO tomkit_app; "
}

func TestTheShopIsClean(t *testing.T) {
	r := newShop(t).changed(t, "", nil, audit.Options{})
	require.Empty(t, found(r))
	var objects []string
	for _, f := range r.Accepted() {
		objects = append(objects, f.Object)
	}
	require.Equal(t, []string{"role tomkit_backup", "role tomkit_migrator", app, "role tomkit_msp", "view pg_catalog.pg_stat_activity"}, objects)
}

func TestEachFixtureBreaksItsRuleAndNoOther(t *testing.T) {
	db := newShop(t)
	for _, b := range breaches {
		t.Run(b.rule+" "+b.object, func(t *testing.T) {
			r := db.changed(t, b.sql, b.edit, b.options)
			var rules, objects []string
			for _, f := range r.Findings {
				require.NotRegexp(t, `\{\d\}`, f.SQL)
			}
			for _, f := range found(r) {
				rules = append(rules, f[0])
				if f[0] == b.rule {
					objects = append(objects, f[1])
				}
			}
			slices.Sort(rules)
			want := append([]string{b.rule}, b.also...)
			slices.Sort(want)
			require.Equalf(t, want, slices.Compact(rules), "%v", r.AtLeast(audit.Info))
			require.Equal(t, len(b.also) > 0, b.because != "")
			require.Truef(t, slices.ContainsFunc(objects, func(o string) bool { return o == b.object || strings.HasPrefix(o, b.object) }), "%v", objects)
		})
	}
}

func TestEveryRuleHasAFixtureAndEveryTextIsThere(t *testing.T) {
	require.GreaterOrEqual(t, len(audit.Rules()), 45)
	ids := map[string]bool{}
	for _, rule := range audit.Rules() {
		t.Run(rule.ID, func(t *testing.T) {
			require.Truef(t, slices.ContainsFunc(breaches, func(b breach) bool { return b.rule == rule.ID }), "no fixture")
			require.False(t, ids[rule.ID])
			ids[rule.ID] = true
			require.Regexp(t, `^RLS\d{3}$`, rule.ID)
			require.Regexp(t, `^[a-z0-9-]+$`, rule.Name)
			require.True(t, rule.Severity >= audit.Info && rule.Severity <= audit.Fatal)
			require.NotEmpty(t, rule.References)
			for _, text := range []audit.Text{rule.Title, rule.Why, rule.Fix} {
				require.NotEmpty(t, text.In(audit.English))
				require.NotEmpty(t, text.In(audit.German))
			}
			require.Equal(t, rule.ID, audit.Explain(strings.ToLower(rule.ID)).ID)
		})
	}
	require.Nil(t, audit.Explain("RLS000"))
}
