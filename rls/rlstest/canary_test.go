package rlstest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/rlstest"
)

// shop is a product that does not know tomkit: a login, a plain setting, policies of its own. It is as tight as such a product
// can be, and each canary breaks one thing in it.
const shop = `
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO %[1]s;
CREATE TABLE shop.customers (tenant_id uuid NOT NULL, id uuid NOT NULL, name text NOT NULL, slug text NOT NULL,
	PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, slug));
CREATE TABLE shop.orders (tenant_id uuid NOT NULL, id uuid NOT NULL, customer_id uuid NOT NULL, note text NOT NULL, made date NOT NULL,
	PRIMARY KEY (tenant_id, id, made), FOREIGN KEY (tenant_id, customer_id) REFERENCES shop.customers (tenant_id, id)) PARTITION BY RANGE (made);
CREATE TABLE shop.orders_all PARTITION OF shop.orders DEFAULT;
ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.customers USING (tenant_id = NULLIF(current_setting('shop.tenant', true), '')::uuid);
CREATE POLICY own ON shop.orders USING (tenant_id = NULLIF(current_setting('shop.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.customers, shop.orders TO %[1]s;
`

// canary is a way to break the shop, and the cells that must notice.
type canary struct {
	name, sql string
	cells     []string
}

var canaries = []canary{
	{"the login owns the table and FORCE is missing", "ALTER TABLE shop.customers OWNER TO %[1]s; ALTER TABLE shop.customers NO FORCE ROW LEVEL SECURITY",
		[]string{"shop.customers SELECT own", "shop.customers DELETE foreign", "shop.customers TRUNCATE own"}},
	{"row-level security is off", "ALTER TABLE shop.customers DISABLE ROW LEVEL SECURITY",
		[]string{"shop.customers SELECT no context", "shop.customers COPY FROM foreign", "shop.customers INSERT foreign", "shop.customers COPY TO own"}},
	{"a policy for one verb is missing", "DROP POLICY own ON shop.customers; CREATE POLICY s ON shop.customers FOR SELECT USING (tenant_id = NULLIF(current_setting('shop.tenant', true), '')::uuid); CREATE POLICY i ON shop.customers FOR INSERT WITH CHECK (tenant_id = NULLIF(current_setting('shop.tenant', true), '')::uuid)",
		[]string{"shop.customers UPDATE own", "shop.customers DELETE own"}},
	{"WITH CHECK is true", "ALTER POLICY own ON shop.customers WITH CHECK (true)",
		[]string{"shop.customers INSERT foreign", "shop.customers UPDATE of the tenant own", "shop.customers INSERT no context"}},
	{"a bypass stands behind OR", "ALTER POLICY own ON shop.customers USING (tenant_id = NULLIF(current_setting('shop.tenant', true), '')::uuid OR current_setting('app.bypass_rls', true) = 'on')",
		[]string{"shop.customers SELECT forged", "shop.customers DELETE forged"}},
	{"a second permissive policy shows everything", "CREATE POLICY everything ON shop.customers FOR SELECT USING (true)",
		[]string{"shop.customers SELECT own", "shop.customers COPY TO no context"}},
	{"a foreign key crosses tenants", "ALTER TABLE shop.customers ADD UNIQUE (id); ALTER TABLE shop.orders ADD CONSTRAINT crossing FOREIGN KEY (customer_id) REFERENCES shop.customers (id); ALTER TABLE shop.orders DROP CONSTRAINT orders_tenant_id_customer_id_fkey",
		[]string{"shop.orders FOREIGN KEY crossing foreign"}},
	{"a key is unique across tenants", "CREATE UNIQUE INDEX everywhere ON shop.customers (slug)",
		[]string{"shop.customers UNIQUE everywhere foreign", "shop.customers UNIQUE everywhere ON CONFLICT DO NOTHING"}},
	{"an expression is unique across tenants", "CREATE UNIQUE INDEX lowered ON shop.customers (lower(slug))", []string{"shop.customers UNIQUE lowered foreign"}},
	{"TRUNCATE is granted", "GRANT TRUNCATE ON shop.customers, shop.orders, shop.orders_all TO %[1]s", []string{"shop.customers TRUNCATE own", "shop.orders TRUNCATE no context"}},
	{"a partition is open", "GRANT SELECT, DELETE ON shop.orders_all TO %[1]s", []string{"shop.orders_all SELECT own", "shop.orders_all DELETE foreign"}},
	{"a view runs as its owner", "CREATE VIEW shop.v AS SELECT * FROM shop.customers; GRANT SELECT ON shop.v TO %[1]s", []string{"shop.v SELECT own", "shop.v SELECT no context"}},
	{"a view without tenant column runs as its owner", "CREATE VIEW shop.names AS SELECT name FROM shop.customers; GRANT SELECT ON shop.names TO %[1]s", []string{"shop.names SELECT own"}},
	{"a materialised view is readable", "CREATE MATERIALIZED VIEW shop.m AS SELECT * FROM shop.customers; GRANT SELECT ON shop.m TO %[1]s; CREATE FUNCTION shop.refresh() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN REFRESH MATERIALIZED VIEW shop.m; RETURN NULL; END'; CREATE TRIGGER r AFTER INSERT ON shop.customers EXECUTE FUNCTION shop.refresh()", []string{"shop.m SELECT own"}},
	{"a definer function shows foreign rows", "CREATE FUNCTION shop.customer(uuid) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT name FROM shop.customers WHERE tenant_id = $1'",
		[]string{"shop.customer(uuid) call 1 foreign"}},
	{"a definer function deletes foreign rows", "CREATE FUNCTION shop.forget(uuid) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM shop.orders WHERE tenant_id = $1'",
		[]string{"shop.forget(uuid) call 1 foreign"}},
	{"a default shows somebody's value", "CREATE FUNCTION shop.latest() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT string_agg(name, '','') FROM shop.customers'; ALTER TABLE shop.customers ADD hint text DEFAULT shop.latest()",
		[]string{"shop.latest() call 1"}},
	{"a trigger's error names foreign rows", "CREATE FUNCTION shop.tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RAISE EXCEPTION 'near %%', (SELECT string_agg(name, ',') FROM shop.customers); END $$; CREATE TRIGGER t BEFORE DELETE ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.tell()",
		[]string{"shop.customers DELETE own"}},
	{"a trigger touches foreign rows", "CREATE FUNCTION shop.spread() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN UPDATE shop.orders SET note = note || '!'; RETURN NEW; END $$; CREATE TRIGGER t BEFORE UPDATE ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.spread()",
		[]string{"shop.customers UPDATE own"}},
	{"a sequence is readable", "CREATE SEQUENCE shop.numbers; GRANT SELECT, UPDATE ON SEQUENCE shop.numbers TO %[1]s", []string{"shop.numbers read own", "shop.numbers setval own"}},
	{"a table under row-level security has no tenant column", "CREATE TABLE shop.odd (id int); ALTER TABLE shop.odd ENABLE ROW LEVEL SECURITY", []string{"shop.odd has a tenant column"}},
}

// shopLogin makes a database with the shop, broken by sql, and a login of its own for it.
func shopLogin(t *testing.T, sql string) rlstest.Config {
	t.Helper()
	db := pgtest.New(t)
	ctx := context.Background()
	super, err := pgx.Connect(ctx, db.SuperuserURL())
	require.NoError(t, err)
	defer super.Close(ctx)
	role := "shop_" + strings.ReplaceAll(uuid.NewString()[:13], "-", "_")
	const password = "only-for-tests"
	for _, stmt := range []string{fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role, password), fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", db.Name(), role),
		fmt.Sprintf(shop, role), strings.ReplaceAll(strings.ReplaceAll(sql, "%[1]s", role), "%%", "%")} {
		_, err := super.Exec(ctx, stmt)
		require.NoError(t, err)
	}
	t.Cleanup(func() { dropRole(t, db, role) })
	return rlstest.Config{SuperuserURL: db.SuperuserURL(), AppURL: asLogin(t, db.URL(rls.RoleApp), role, password), Schemas: []string{"shop"}, Seed: 7, Setting: "shop.tenant",
		SetContext: func(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) error {
			_, err := tx.Exec(ctx, "SELECT set_config('shop.tenant', $1, true)", tenant.String())
			return err
		},
		ForgeContext: func(ctx context.Context, tx pgx.Tx, _ uuid.UUID) error { // a plain setting cannot tell a forged id from a real one
			_, err := tx.Exec(ctx, "SELECT set_config('shop.tenant', '', true), set_config('app.bypass_rls', 'on', true)")
			return err
		},
	}
}

func dropRole(t *testing.T, db *pgtest.DB, role string) {
	super, err := pgx.Connect(context.Background(), db.SuperuserURL())
	require.NoError(t, err)
	defer super.Close(context.Background())
	_, err = super.Exec(context.Background(), fmt.Sprintf("REASSIGN OWNED BY %s TO CURRENT_USER; DROP OWNED BY %[1]s; DROP ROLE %[1]s", role))
	require.NoError(t, err)
}

// asLogin puts another user into a connection string.
func asLogin(t *testing.T, url, role, password string) string {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	return fmt.Sprintf("host=%s port=%d dbname=%s user=%s password=%s", cfg.Host, cfg.Port, cfg.Database, role, password)
}

func faults(report rlstest.Report) (names []string) {
	for _, c := range report.Faults() {
		names = append(names, c.String())
	}
	return names
}

func TestTheMatrixPassesATightProduct(t *testing.T) {
	t.Parallel()
	cfg := shopLogin(t, "")
	cfg.Parts = []rlstest.Part{rlstest.Matrix, rlstest.Fuzzer}
	cfg.Statements = 400
	report, err := rlstest.Check(t.Context(), cfg)
	require.NoError(t, err)
	require.Empty(t, report.Faults())
	require.Equal(t, 3, report.Tables)
	require.GreaterOrEqual(t, report.Checks(rlstest.Matrix), checksPerTable*report.Tables)
}

func TestTheMatrixNotices(t *testing.T) {
	t.Parallel()
	for _, c := range canaries {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := shopLogin(t, c.sql)
			cfg.Parts = []rlstest.Part{rlstest.Matrix}
			report, err := rlstest.Check(t.Context(), cfg)
			require.NoError(t, err)
			for _, cell := range c.cells {
				require.Truef(t, slices.ContainsFunc(faults(report), func(f string) bool { return strings.HasPrefix(f, cell) }),
					"%s is not among %q", cell, faults(report))
			}
		})
	}
}

// noticedBy names the canaries whose fault statements alone can show.
func noticedBy(names ...string) (some []canary) {
	for _, c := range canaries {
		if slices.Contains(names, c.name) {
			some = append(some, c)
		}
	}
	return some
}

func TestTheFuzzerNotices(t *testing.T) {
	t.Parallel()
	for _, c := range noticedBy("the login owns the table and FORCE is missing", "row-level security is off", "a policy for one verb is missing", "WITH CHECK is true",
		"a second permissive policy shows everything", "a key is unique across tenants") {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := shopLogin(t, c.sql)
			cfg.Parts = []rlstest.Part{rlstest.Fuzzer}
			cfg.Statements = 1_500
			report, err := rlstest.Check(t.Context(), cfg)
			require.NoError(t, err)
			require.NotEmpty(t, report.Faults())
			for _, f := range report.Faults() {
				require.Contains(t, f.Name, "of seed 7")
			}
		})
	}
}

func TestTheCorpusNotices(t *testing.T) {
	t.Parallel()
	for _, c := range []canary{
		{"nothing is broken but the context is plain", "", []string{"context set the tenant to a bare context for the transaction"}},
		{"a bypass stands behind OR", canaries[4].sql, []string{"settings set_config of app.bypass_rls to on"}},
		{"row-level security is off", canaries[1].sql, []string{"predicate an always true condition", "copy COPY", "write UPDATE", "plain TABLE", "cursor"}},
		{"the login may become a stronger one", "GRANT tomkit_backup TO %[1]s; GRANT USAGE ON SCHEMA shop TO tomkit_backup; GRANT SELECT ON shop.customers, shop.orders TO tomkit_backup",
			[]string{"do every role the login may become"}},
		{"the login bypasses policies", "ALTER ROLE %[1]s BYPASSRLS", []string{"plain", "subquery the rows as JSON", "functions query_to_xml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := shopLogin(t, c.sql)
			cfg.Parts = []rlstest.Part{rlstest.Corpus}
			for _, p := range rlstest.Payloads() {
				name := p.Category + " " + p.Comment
				if slices.ContainsFunc(c.cells, func(cell string) bool { return strings.HasPrefix(name, cell) }) {
					cfg.Payloads = append(cfg.Payloads, p)
				}
			}
			report, err := rlstest.Check(t.Context(), cfg)
			require.NoError(t, err)
			for _, cell := range c.cells {
				require.Truef(t, slices.ContainsFunc(faults(report), func(f string) bool { return strings.HasPrefix(f, cell) }),
					"%s is not among %q", cell, faults(report))
			}
		})
	}
}
