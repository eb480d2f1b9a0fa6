package audit_test

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
)

// mutation weakens a schema in one place.
type mutation struct{ sql, rule, object string }

// target is a protected table, with its tenant column and another one.
type target struct{ Name, Key, Other string }

// weakenings of a table. {t} is the table, {k} its tenant column, {o} another column, {c} the tenant's context.
var weakenings = []mutation{
	{"ALTER TABLE {t} DISABLE ROW LEVEL SECURITY", "RLS101", "table {t}"},
	{"ALTER TABLE {t} NO FORCE ROW LEVEL SECURITY", "RLS102", "table {t}"},
	{"CREATE POLICY leak ON {t} TO tomkit_app USING (true)", "RLS201", "policy leak on {t}"},
	{"CREATE POLICY leak ON {t} USING ({o} IS NOT DISTINCT FROM {o})", "RLS201", "policy leak on {t}"},
	{"CREATE POLICY leak ON {t} FOR SELECT TO tomkit_msp USING (1 = 1)", "RLS201", "policy leak on {t}"},
	{"CREATE POLICY leak ON {t} FOR INSERT TO tomkit_app WITH CHECK (true)", "RLS202", "policy leak on {t}"},
	{"ALTER POLICY tomkit_tenant ON {t} WITH CHECK ({o} IS NOT NULL)", "RLS202", "policy tomkit_tenant on {t}"},
	{"CREATE POLICY leak ON {t} TO PUBLIC USING (current_setting('app.bypass_rls', true) = 'on')", "RLS203", "policy leak on {t}"},
	{"ALTER POLICY tomkit_system ON {t} TO tomkit_system, tomkit_app", "RLS203", "policy tomkit_system on {t}"},
	{"ALTER POLICY tomkit_tenant ON {t} USING ({k} = {c} OR current_setting('app.bypass_rls', true) = 'on')", "RLS204", "policy tomkit_tenant on {t}"},
	{"ALTER POLICY tomkit_tenant ON {t} USING ({k} = {c} OR {o} IS NULL)", "RLS206", "policy tomkit_tenant on {t}"},
	{"ALTER POLICY tomkit_tenant ON {t} USING ({k} = COALESCE({c}, {k}))", "RLS206", "policy tomkit_tenant on {t}"},
	{"CREATE POLICY leak ON {t} TO tomkit_app USING ({k} = '6f1c2b0e-58a1-4f0a-9a39-3a1f0a6f2f11')", "RLS206", "policy leak on {t}"},
	{"ALTER POLICY tomkit_tenant ON {t} USING ({k} = current_setting('app.tenant_id', true)::uuid)", "RLS208", "policy tomkit_tenant on {t}"},
	{"ALTER POLICY tomkit_tenant ON {t} USING ({k} = NULLIF(current_setting('app.tenant_id'), '')::uuid)", "RLS209", "policy tomkit_tenant on {t}"},
	{"ALTER POLICY tomkit_tenant ON {t} USING ({k} = tomkit.current_tenant())", "RLS210", "policy tomkit_tenant on {t}"},
	{"ALTER POLICY tomkit_tenant ON {t} USING ({k}::text = (SELECT c.id::text FROM tomkit.tenant_context c))", "RLS211", "policy tomkit_tenant on {t}"},
	{"ALTER POLICY tomkit_system ON {t} USING (true)", "RLS213", "policy tomkit_system on {t}"},
	{"CREATE POLICY more ON {t} TO tomkit_app USING ({k} = {c})", "RLS214", "table {t}"},
	{"GRANT TRUNCATE ON {t} TO tomkit_app", "RLS301", "table {t}"},
	{"GRANT REFERENCES ON {t} TO tomkit_msp", "RLS302", "table {t}"},
	{"GRANT TRIGGER ON {t} TO tomkit_app", "RLS303", "table {t}"},
	{"GRANT SELECT ON {t} TO PUBLIC", "RLS304", "table {t}"},
	{"GRANT UPDATE ({o}) ON {t} TO PUBLIC", "RLS305", "table {t}"},
	{"GRANT SELECT ON {t} TO tomkit_app WITH GRANT OPTION", "RLS308", "table {t}"},
	{"CREATE VIEW shown AS SELECT * FROM {t}; GRANT SELECT ON shown TO tomkit_app", "RLS501", "view public.shown"},
	{"CREATE MATERIALIZED VIEW copied AS SELECT * FROM {t}; GRANT SELECT ON copied TO PUBLIC", "RLS502", "materialized view public.copied"},
	{"CREATE PUBLICATION out FOR TABLE {t}", "RLS602", `publication out`},
	{"CREATE RULE r AS ON UPDATE TO {t} DO ALSO NOTHING", "RLS114", "rule r on {t}"},
	{"CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION g()", "RLS115", "trigger g on {t}"},
	{"CREATE TABLE child () INHERITS ({t}); GRANT SELECT ON child TO tomkit_app", "RLS109", "table public.child"},
	{"DO $$ DECLARE p name; BEGIN FOR p IN SELECT polname FROM pg_policy WHERE polrelid = '{t}'::regclass LOOP EXECUTE format('DROP POLICY %I ON {t}', p); END LOOP; END $$", "RLS103", "table {t}"},
}

// promotions of a request role. {r} is the role.
var promotions = []mutation{
	{"ALTER ROLE {r} SUPERUSER", "RLS001", "role {r}"},
	{"ALTER ROLE {r} BYPASSRLS", "RLS002", "role {r}"},
	{"GRANT tomkit_migrator TO {r}", "RLS003", "role {r}"},
	{"CREATE ROLE a; CREATE ROLE b BYPASSRLS; GRANT b TO a; GRANT a TO {r}", "RLS003", "role {r}"},
	{"ALTER ROLE {r} INHERIT; GRANT tomkit_system TO {r}", "RLS004", "role {r}"},
	{"GRANT tomkit_system TO {r}", "RLS005", "role {r}"},
	{"GRANT tomkit_owner TO {r}", "RLS006", "role {r}"},
	{"GRANT tomkit_ledger TO {r}", "RLS006", "role {r}"},
	{"ALTER ROLE {r} CREATEROLE", "RLS008", "role {r}"},
	{"ALTER ROLE {r} REPLICATION", "RLS009", "role {r}"},
	{"ALTER ROLE {r} CREATEDB", "RLS010", "role {r}"},
	{"ALTER TABLE tomkit.tenants OWNER TO {r}", "RLS011", "role {r}"},
	{"ALTER FUNCTION tomkit.tenant_by_slug(text) OWNER TO {r}", "RLS012", "role {r}"},
	{"GRANT CREATE ON SCHEMA tomkit TO {r}", "RLS013", "schema tomkit"},
	{"GRANT pg_execute_server_program TO {r}", "RLS016", "role {r}"},
	{"GRANT pg_write_all_data TO {r}", "RLS017", "role {r}"},
	{"GRANT pg_read_all_stats TO {r}", "RLS018", "role {r}"},
	{"CREATE ROLE a; GRANT a TO {r} WITH ADMIN OPTION", "RLS019", "role {r}"},
	{"CREATE ROLE a REPLICATION; GRANT a TO {r}", "RLS021", "role {r}"},
	{"ALTER ROLE {r} SET session_replication_role = replica", "RLS026", "setting session_replication_role"},
	{"GRANT EXECUTE ON FUNCTION pg_catalog.lo_export(oid, text) TO {r}", "RLS608", "function pg_catalog.lo_export(oid, text)"},
	{"GRANT SELECT ON pg_catalog.pg_authid TO {r}", "RLS609", "table pg_catalog.pg_authid"},
}

// mutations of the reference schema: every promotion of both roles, and of each table some weakenings, in the long form all.
func mutations(targets []target) (all []mutation) {
	for _, role := range []string{rls.RoleApp, rls.RoleMSP} {
		for _, p := range promotions {
			all = append(all, p.with("{r}", role))
		}
	}
	each := 3
	if os.Getenv("TOMKIT_SOAK") == "1" {
		each = len(weakenings)
	}
	random := rand.New(rand.NewPCG(1, 2))
	next := 0
	for _, i := range random.Perm(len(targets)) {
		t := targets[i]
		for range each { // in turn, so that every kind comes up
			w := weakenings[next%len(weakenings)]
			next++
			all = append(all, w.with("{t}", t.Name, "{k}", t.Key, "{o}", t.Other, "{c}", current))
		}
	}
	return all
}

func (m mutation) with(pairs ...string) mutation {
	r := strings.NewReplacer(pairs...)
	return mutation{r.Replace(m.sql), m.rule, r.Replace(m.object)}
}

// TestEveryMutationIsDetected weakens the reference schema in one place after the other and expects rule and object.
func TestEveryMutationIsDetected(t *testing.T) {
	db := newDatabase(t, server.Migrations()...)
	rows, err := db.conn.Query(context.Background(), `SELECT DISTINCT ON (c.oid) p.polrelid::regclass::text, quote_ident(k.attname), quote_ident(o.attname)
		FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
		JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refobjid = c.oid AND d.refobjsubid > 0
		JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = d.refobjsubid
		JOIN pg_attribute o ON o.attrelid = c.oid AND o.attnum > 0 AND NOT o.attisdropped AND o.attnum <> k.attnum AND o.attname <> 'tenant_id'
		WHERE p.polname = 'tomkit_tenant' AND c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_policy x WHERE x.polrelid = c.oid AND x.polname IN ('branding_tenant'))
		AND has_table_privilege('tomkit_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE')
		ORDER BY c.oid, o.attnum`)
	require.NoError(t, err)
	targets, err := pgx.CollectRows(rows, pgx.RowToStructByPos[target])
	require.NoError(t, err)
	all := mutations(targets)
	require.GreaterOrEqual(t, len(all), 200)
	missed := 0
	for _, m := range all {
		r := db.changed(t, m.sql, nil, audit.Options{})
		if !slices.Contains(found(r), [2]string{m.rule, m.object}) {
			missed++
			t.Errorf("%s: want %s on %s, have %v", m.sql, m.rule, m.object, found(r))
		}
	}
	t.Logf("%d of %d mutations of %d tables and 2 roles detected", len(all)-missed, len(all), len(targets))
}
