package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls/audit"
)

// product begins each schema of a product without tomkit: an owner who cannot log in and a login that owns nothing.
const product = `CREATE ROLE acme_owner NOLOGIN; CREATE ROLE acme_web LOGIN CONNECTION LIMIT 50; CREATE SCHEMA acme AUTHORIZATION acme_owner;
GRANT USAGE ON SCHEMA acme TO acme_web; SET LOCAL ROLE acme_owner; `

// acmePolicy protects a table of the product by a bare setting.
func acmePolicy(name, column string) string {
	return "ALTER TABLE " + name + " ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON " + name +
		" TO acme_web USING (" + column + " = NULLIF(current_setting('acme.tenant', true), '')::uuid);" +
		" GRANT SELECT, INSERT, UPDATE, DELETE ON " + name + " TO acme_web; "
}

// info are the findings that products with a bare setting have, rightly: it is a bare setting, and the view of running
// statements is open.
var info = [][2]string{{"RLS212", "setting acme.tenant"}, {"RLS701", "view pg_catalog.pg_stat_activity"}}

func TestCleanSchemasHaveNoFinding(t *testing.T) {
	web := audit.Options{RequestRoles: []string{"acme_web"}}
	db := newDatabase(t)
	for _, c := range []struct {
		name    string
		sql     string
		options audit.Options
		tables  int
		want    [][2]string
	}{
		{"a product of two tables, a table for all tenants and a restrictive policy", product + `
			CREATE TABLE acme.users (tenant_id uuid NOT NULL, id uuid NOT NULL, name text, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, name));
			CREATE TABLE acme.notes (tenant_id uuid NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, user_id uuid, hidden boolean NOT NULL,
				PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, user_id) REFERENCES acme.users ON DELETE CASCADE);
			CREATE TABLE acme.units (code text PRIMARY KEY); GRANT SELECT ON acme.units TO acme_web; ` +
			acmePolicy("acme.users", "tenant_id") + acmePolicy("acme.notes", "tenant_id") +
			`CREATE POLICY visible ON acme.notes AS RESTRICTIVE FOR SELECT TO acme_web USING (NOT hidden OR current_setting('acme.role', true) = 'lead');`, web, 2, info},
		{"partitions of two levels, and policies that split the verbs", product + `
			CREATE TABLE acme.events (tenant_id uuid NOT NULL, at date NOT NULL, kind text NOT NULL, PRIMARY KEY (tenant_id, at, kind)) PARTITION BY RANGE (at);
			CREATE TABLE acme.events_26 PARTITION OF acme.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (kind);
			CREATE TABLE acme.events_26_a PARTITION OF acme.events_26 FOR VALUES IN ('a');
			ALTER TABLE acme.events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
			ALTER TABLE acme.events_26 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
			ALTER TABLE acme.events_26_a ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
			CREATE POLICY r ON acme.events FOR SELECT TO acme_web USING (tenant_id = (SELECT NULLIF(current_setting('acme.tenant', true), '')::uuid));
			CREATE POLICY a ON acme.events FOR INSERT TO acme_web WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('acme.tenant', true), '')::uuid));
			CREATE POLICY w ON acme.events FOR UPDATE TO acme_web USING (tenant_id = (SELECT NULLIF(current_setting('acme.tenant', true), '')::uuid));
			CREATE POLICY d ON acme.events FOR DELETE TO acme_web USING (tenant_id = (SELECT NULLIF(current_setting('acme.tenant', true), '')::uuid));
			GRANT SELECT, INSERT, UPDATE, DELETE ON acme.events TO acme_web;`, web, 3, info},
		{"views and definer functions done right", product + `
			CREATE TABLE acme.users (tenant_id uuid NOT NULL, id uuid NOT NULL, mail text NOT NULL, PRIMARY KEY (tenant_id, id)); ` + acmePolicy("acme.users", "tenant_id") + `
			CREATE VIEW acme.mails WITH (security_invoker) AS SELECT mail FROM acme.users;
			CREATE VIEW acme.short WITH (security_invoker) AS SELECT left(mail, 3) FROM acme.mails;
			CREATE MATERIALIZED VIEW acme.totals AS SELECT tenant_id, count(*) FROM acme.users GROUP BY 1;
			GRANT SELECT ON acme.mails, acme.short TO acme_web;
			CREATE FUNCTION acme.path() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT count(*) FROM acme.users';
			CREATE FUNCTION acme.body() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN (SELECT count(*) FROM acme.users);
			CREATE FUNCTION acme.full() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS
				'BEGIN RETURN EXISTS (SELECT FROM acme.users u WHERE u.id OPERATOR(pg_catalog.=) pg_catalog.gen_random_uuid()); END';
			REVOKE ALL ON FUNCTION acme.path(), acme.body(), acme.full() FROM PUBLIC;
			GRANT EXECUTE ON FUNCTION acme.path(), acme.body(), acme.full() TO acme_web;
			CREATE FUNCTION acme.lower_mail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.mail := lower(NEW.mail); RETURN NEW; END';
			CREATE TRIGGER low BEFORE INSERT ON acme.users FOR EACH ROW EXECUTE FUNCTION acme.lower_mail();`, web, 1, info},
		{"organisations under resellers, a group role, another column and a helper function", product + `
			CREATE TABLE acme.orgs (org_id uuid PRIMARY KEY, reseller uuid NOT NULL);
			CREATE TABLE acme.assets (org_id uuid NOT NULL REFERENCES acme.orgs, id uuid NOT NULL, parent uuid, PRIMARY KEY (org_id, id),
				FOREIGN KEY (org_id, parent) REFERENCES acme.assets);
			CREATE TABLE acme.links (org_id uuid NOT NULL, a uuid NOT NULL, b uuid NOT NULL, PRIMARY KEY (org_id, a, b),
				FOREIGN KEY (org_id, a) REFERENCES acme.assets, FOREIGN KEY (org_id, b) REFERENCES acme.assets);
			CREATE FUNCTION acme.org() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT NULLIF(current_setting('acme.tenant', true), '')::uuid $$;
			CREATE FUNCTION acme.resold() RETURNS uuid[] LANGUAGE sql STABLE AS $$ SELECT ARRAY[acme.org()] $$; RESET ROLE;
			CREATE ROLE acme_group NOLOGIN; CREATE ROLE acme_reseller LOGIN CONNECTION LIMIT 5; GRANT acme_group TO acme_web; SET LOCAL ROLE acme_owner; ` +
			orgs("acme.orgs") + orgs("acme.assets") + orgs("acme.links"),
			audit.Options{RequestRoles: []string{"acme_web", "acme_reseller"}, TenantColumns: []string{"org_id"}}, 3,
			[][2]string{{"RLS020", "role acme_web"}, {"RLS701", "view pg_catalog.pg_stat_activity"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := db.changed(t, c.sql+" RESET ROLE;", nil, c.options)
			require.Equal(t, c.tables, r.Tables)
			require.Equalf(t, c.want, found(r), "%v", r.Findings)
		})
	}
	t.Run("the reference schema", func(t *testing.T) {
		r := newDatabase(t, server.Migrations()...).changed(t, "", nil, audit.Options{})
		require.Greater(t, r.Tables, 30)
		require.Emptyf(t, found(r), "%v", r.AtLeast(audit.Info))
		require.Equal(t, []string{"tomkit_app", "tomkit_msp"}, r.RequestRoles)
	})
}

// orgs protects a table for organisations and for resellers.
func orgs(name string) string {
	return "ALTER TABLE " + name + " ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; " +
		"CREATE POLICY org ON " + name + " TO acme_group USING (org_id = (SELECT acme.org())); " +
		"CREATE POLICY reseller ON " + name + " FOR SELECT TO acme_reseller USING (org_id = ANY ((SELECT acme.resold())::uuid[])); " +
		"GRANT SELECT, INSERT, UPDATE, DELETE ON " + name + " TO acme_group; GRANT SELECT ON " + name + " TO acme_reseller; "
}
