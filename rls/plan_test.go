package rls_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

// catalogue is the version of every row that DDL and grants leave behind.
const catalogue = `SELECT md5(string_agg(v, ',' ORDER BY v)) FROM (
	SELECT 'c' || oid || xmin FROM pg_class UNION ALL SELECT 'p' || oid || xmin FROM pg_policy UNION ALL
	SELECT 'a' || attrelid || '.' || attnum || xmin FROM pg_attribute UNION ALL SELECT 'd' || classid || '.' || objid || '.' || refobjid || '.' || refobjsubid || xmin FROM pg_depend
	UNION ALL SELECT 's' || classid || '.' || objid || '.' || refobjid || xmin FROM pg_shdepend UNION ALL SELECT 'f' || oid || xmin FROM pg_default_acl) x (v)`

// requirePlan returns the plan for table and finds that Protect is exactly running it, and that the next plan is empty.
func requirePlan(t *testing.T, tx pgx.Tx, table string, p rls.Protection) rls.Plan {
	t.Helper()
	var before, planned, run, byHand string
	read := func(into *string) {
		t.Helper()
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT (SELECT string_agg(format('%s %s %s %s %s', polname, polcmd, polroles, pg_get_expr(polqual, polrelid),
			pg_get_expr(polwithcheck, polrelid)), ';' ORDER BY polrelid, polname) FROM pg_policy) ||
			(SELECT string_agg(format('%s %s %s %s', oid, relacl, relrowsecurity, relforcerowsecurity), ';' ORDER BY oid) FROM pg_class) ||
			(SELECT coalesce(string_agg(format('%s %s %s', attrelid, attname, attacl), ';' ORDER BY attrelid, attnum), '') FROM pg_attribute WHERE attacl IS NOT NULL)`).Scan(into))
	}
	exec := func(sql string) {
		t.Helper()
		_, err := tx.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	read(&before)
	plan, err := rls.PlanProtect(t.Context(), tx, table, p)
	require.NoError(t, err)
	read(&planned)
	require.Equal(t, before, planned, "a plan changes nothing")
	exec("SAVEPOINT by_hand")
	exec(strings.Join(plan.Statements, "\n"))
	read(&byHand)
	exec("ROLLBACK TO by_hand")
	require.NoError(t, rls.Protect(t.Context(), tx, table, p))
	read(&run)
	require.Equal(t, run, byHand)
	again, err := rls.PlanProtect(t.Context(), tx, table, p)
	require.NoError(t, err)
	require.Empty(t, again.Statements)
	return plan
}

func TestPlanOfANewTable(t *testing.T) {
	f := newFixture(t)
	asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
		_, err := tx.Exec(ctx, "CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)")
		require.NoError(t, err)
		plan := requirePlan(t, tx, "tomkit.x", rls.Protection{App: []rls.Privilege{rls.Select}})
		require.Equal(t, []string{
			`ALTER TABLE tomkit.x ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;`,
			`CREATE POLICY tomkit_migration ON tomkit.x TO tomkit_owner USING (pg_catalog.current_setting('tomkit.migration', true) = 'on' AND SESSION_USER <> 'tomkit_owner' AND (SELECT pg_catalog.pg_has_role(SESSION_USER, 'tomkit_owner', 'MEMBER'))) WITH CHECK (pg_catalog.current_setting('tomkit.migration', true) = 'on' AND SESSION_USER <> 'tomkit_owner' AND (SELECT pg_catalog.pg_has_role(SESSION_USER, 'tomkit_owner', 'MEMBER')));`,
			`CREATE POLICY tomkit_msp ON tomkit.x FOR SELECT TO tomkit_msp USING (tenant_id = ANY ((SELECT tomkit.visible_tenants())::pg_catalog.uuid[]));`,
			`CREATE POLICY tomkit_system ON tomkit.x TO tomkit_system USING ((SELECT pg_catalog.current_setting('app.bypass_rls', true) = 'on')) WITH CHECK ((SELECT pg_catalog.current_setting('app.bypass_rls', true) = 'on'));`,
			`CREATE POLICY tomkit_tenant ON tomkit.x TO tomkit_app USING (tenant_id = (SELECT c.id FROM tomkit.tenant_context c)) WITH CHECK (tenant_id = (SELECT c.id FROM tomkit.tenant_context c));`,
			`GRANT SELECT ON TABLE tomkit.x TO tomkit_app;`,
			`GRANT SELECT ON TABLE tomkit.x TO tomkit_msp;`,
			`GRANT SELECT,INSERT,UPDATE,DELETE ON TABLE tomkit.x TO tomkit_system;`,
		}, normalGrants(plan.Statements))
		require.Empty(t, plan.Notes)
	})
}

// normalGrants takes the blanks out of lists of privileges.
func normalGrants(statements []string) []string {
	out := make([]string, len(statements))
	for i, s := range statements {
		out[i] = s
		if strings.HasPrefix(s, "GRANT") {
			out[i] = strings.ReplaceAll(s, ", ", ",")
		}
	}
	return out
}

// TestPlanOfOneChange breaks a protected table in one way: the plan is the statements that mend it and nothing else.
func TestPlanOfOneChange(t *testing.T) {
	f := newFixture(t)
	const both = "DROP POLICY\nCREATE POLICY"
	for name, c := range map[string]struct{ ddl, starts string }{
		"row-level security switched off":               {"ALTER TABLE tomkit.x DISABLE ROW LEVEL SECURITY", "ALTER TABLE"},
		"the owner let out":                             {"ALTER TABLE tomkit.x NO FORCE ROW LEVEL SECURITY", "ALTER TABLE"},
		"a policy dropped":                              {"DROP POLICY tomkit_system ON tomkit.x", "CREATE POLICY"},
		"the tenant's policy widened":                   {"ALTER POLICY tomkit_tenant ON tomkit.x USING (true)", both},
		"its check widened":                             {"ALTER POLICY tomkit_tenant ON tomkit.x WITH CHECK (true)", both},
		"an OR added to it":                             {"ALTER POLICY tomkit_tenant ON tomkit.x USING (tenant_id = (SELECT c.id FROM tomkit.tenant_context c) OR id = 0)", both},
		"another column compared":                       {"ALTER POLICY tomkit_tenant ON tomkit.x USING (other = (SELECT c.id FROM tomkit.tenant_context c)) WITH CHECK (other = (SELECT c.id FROM tomkit.tenant_context c))", both},
		"another view asked":                            {"CREATE VIEW tomkit.c AS SELECT NULL::uuid AS id; ALTER POLICY tomkit_tenant ON tomkit.x USING (tenant_id = (SELECT c.id FROM tomkit.c))", both},
		"another operator":                              {"CREATE FUNCTION tomkit.yes(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR tomkit.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = tomkit.yes); ALTER POLICY tomkit_tenant ON tomkit.x USING (tenant_id OPERATOR(tomkit.=) (SELECT c.id FROM tomkit.tenant_context c))", both},
		"a function of the same name":                   {"CREATE FUNCTION tomkit.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$SELECT 'on'$$; ALTER POLICY tomkit_system ON tomkit.x USING ((SELECT tomkit.current_setting('app.bypass_rls', true) = 'on'))", both},
		"a policy for somebody else too":                {"ALTER POLICY tomkit_system ON tomkit.x TO tomkit_system, tomkit_app", both},
		"a policy for another command":                  {"DROP POLICY tomkit_tenant ON tomkit.x; CREATE POLICY tomkit_tenant ON tomkit.x FOR SELECT TO tomkit_app USING (tenant_id = (SELECT c.id FROM tomkit.tenant_context c))", both},
		"a policy made restrictive":                     {"DROP POLICY tomkit_msp ON tomkit.x; CREATE POLICY tomkit_msp ON tomkit.x AS RESTRICTIVE FOR SELECT TO tomkit_msp USING (tenant_id = ANY ((SELECT tomkit.visible_tenants())::uuid[]))", both},
		"the MSP's setting of the same shape":           {"ALTER POLICY tomkit_system ON tomkit.x USING ((SELECT current_setting('app.bypass', true) = 'on'))", both},
		"a grant to PUBLIC":                             {"GRANT SELECT ON tomkit.x TO PUBLIC", "REVOKE ALL ON TABLE tomkit.x FROM PUBLIC"},
		"a grant on a column":                           {"GRANT UPDATE (id) ON tomkit.x TO tomkit_msp", "REVOKE ALL ON TABLE tomkit.x FROM tomkit_msp\nGRANT SELECT"},
		"a grant past the policies":                     {"GRANT TRUNCATE ON tomkit.x TO tomkit_system", "REVOKE ALL\nGRANT"},
		"a grant option":                                {"GRANT SELECT ON tomkit.x TO tomkit_app WITH GRANT OPTION", "REVOKE ALL ON TABLE tomkit.x FROM tomkit_app CASCADE\nGRANT"},
		"a grant made with a grant option":              {"GRANT ALL ON tomkit.x TO tomkit_app WITH GRANT OPTION; SET LOCAL ROLE none; SET LOCAL ROLE tomkit_ledger; SET LOCAL ROLE tomkit_owner; GRANT SELECT ON tomkit.x TO tomkit_ledger WITH GRANT OPTION; SET LOCAL ROLE tomkit_ledger; GRANT SELECT ON tomkit.x TO PUBLIC; SET LOCAL ROLE tomkit_owner", "REVOKE GRANT OPTION FOR ALL PRIVILEGES ON TABLE tomkit.x FROM tomkit_ledger CASCADE\nREVOKE ALL\nGRANT"},
		"a wanted grant that somebody else made":        {"REVOKE SELECT ON tomkit.x FROM tomkit_msp; GRANT SELECT ON tomkit.x TO tomkit_ledger WITH GRANT OPTION; SET LOCAL ROLE tomkit_ledger; GRANT SELECT ON tomkit.x TO tomkit_msp; SET LOCAL ROLE tomkit_owner", "REVOKE GRANT OPTION\nGRANT SELECT ON TABLE tomkit.x TO tomkit_msp"},
		"a grant missing":                               {"REVOKE SELECT ON tomkit.x FROM tomkit_msp", "GRANT SELECT ON TABLE tomkit.x TO tomkit_msp"},
		"the dump's grant missing":                      {"REVOKE SELECT ON tomkit.x FROM tomkit_backup", "GRANT SELECT ON TABLE tomkit.x TO tomkit_backup"},
		"the serial's sequence opened":                  {"GRANT UPDATE ON SEQUENCE tomkit.x_id_seq TO tomkit_app", "REVOKE ALL ON SEQUENCE tomkit.x_id_seq FROM tomkit_app\nGRANT USAGE ON SEQUENCE"},
		"the serial's sequence shut":                    {"REVOKE ALL ON SEQUENCE tomkit.x_id_seq FROM tomkit_system", "GRANT USAGE ON SEQUENCE"},
		"an identity's sequence opened":                 {"GRANT ALL ON SEQUENCE tomkit.x_nr_seq TO PUBLIC", "REVOKE ALL ON SEQUENCE tomkit.x_nr_seq FROM PUBLIC"},
		"another name":                                  {"DROP TABLE tomkit.x; CREATE TABLE tomkit.z (tenant_id uuid, id serial, PRIMARY KEY (tenant_id, id)); SELECT tomkit.protect('tomkit.z'); ALTER TABLE tomkit.z RENAME TO x", ""},
		"another name of the tenant column":             {"DROP TABLE tomkit.x; CREATE TABLE tomkit.x (t uuid PRIMARY KEY); SELECT tomkit.protect('tomkit.x', tenant_column => 't'); ALTER TABLE tomkit.x RENAME t TO tenant_id", ""},
		"a policy for the owner, which is a room's own": {"CREATE POLICY own ON tomkit.x FOR SELECT TO tomkit_owner USING (true)", ""},
		"a grant to a stranger, which no policy serves": {"GRANT SELECT ON tomkit.x TO tomkit_ledger", ""},
	} {
		t.Run(name, func(t *testing.T) {
			asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
				_, err := tx.Exec(ctx, `CREATE TABLE tomkit.x (tenant_id uuid, other uuid, id serial, nr int GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (tenant_id, id)); SELECT tomkit.protect('tomkit.x')`)
				require.NoError(t, err)
				_, err = tx.Exec(ctx, c.ddl)
				require.NoError(t, err)
				plan := requirePlan(t, tx, "tomkit.x", rls.Protection{})
				if c.starts == "" {
					require.Empty(t, plan.Statements)
					return
				}
				starts := strings.Split(c.starts, "\n")
				require.Len(t, plan.Statements, len(starts), "%q", plan.Statements)
				for i, s := range plan.Statements {
					require.True(t, strings.HasPrefix(s, starts[i]), s)
				}
			})
		})
	}
}

func TestPlanAfterAChangeOfOwner(t *testing.T) {
	f := newFixture(t)
	_, err := f.super.Exec(t.Context(), `CREATE ROLE product; CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY, id serial); ALTER TABLE tomkit.x OWNER TO tomkit_owner;
		SELECT tomkit.protect('tomkit.x'); ALTER TABLE tomkit.x OWNER TO product`)
	require.NoError(t, err)
	tx, err := f.super.Begin(t.Context())
	require.NoError(t, err)
	plan := requirePlan(t, tx, "tomkit.x", rls.Protection{})
	require.Len(t, plan.Statements, 2)
	require.Equal(t, "DROP POLICY tomkit_migration ON tomkit.x;", plan.Statements[0])
	require.Contains(t, plan.Statements[1], "CREATE POLICY tomkit_migration ON tomkit.x TO product USING")
	require.Contains(t, plan.Statements[1], "pg_has_role(SESSION_USER, 'product', 'MEMBER')")
	require.NoError(t, tx.Rollback(t.Context()))
	_, err = f.super.Exec(t.Context(), "DROP TABLE tomkit.x; DROP ROLE product")
	require.NoError(t, err)
}

func TestProtectWithNothingToDo(t *testing.T) {
	f := newFixture(t)
	var before, after string
	require.NoError(t, f.super.QueryRow(t.Context(), catalogue).Scan(&before))
	// A reader that holds on to the table would block every DDL statement on it.
	require.NoError(t, f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		_, err := tx.Exec(ctx, "SELECT FROM tomkit.devices")
		require.NoError(t, err)
		asOwner(t, f, true, func(ctx context.Context, owner pgx.Tx) {
			_, err := owner.Exec(ctx, "SET LOCAL lock_timeout = '1ms'")
			require.NoError(t, err)
			require.NoError(t, rls.Protect(ctx, owner, "tomkit.devices", rls.Protection{}))
			var locks int
			require.NoError(t, owner.QueryRow(ctx, `SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND (locktype = 'advisory'
				OR relation = 'tomkit.devices'::regclass AND mode <> 'AccessShareLock')`).Scan(&locks))
			require.Zero(t, locks)
			var wrote bool
			require.NoError(t, owner.QueryRow(ctx, "SELECT pg_current_xact_id_if_assigned() IS NOT NULL").Scan(&wrote))
			require.False(t, wrote)
		})
		return nil
	}))
	require.NoError(t, f.super.QueryRow(t.Context(), catalogue).Scan(&after))
	require.Equal(t, before, after)
	asOwner(t, f, true, func(ctx context.Context, tx pgx.Tx) { // the measure measures
		require.NoError(t, rls.Protect(ctx, tx, "tomkit.devices", rls.Protection{App: []rls.Privilege{rls.Select}}))
	})
	require.NoError(t, f.super.QueryRow(t.Context(), catalogue).Scan(&after))
	require.NotEqual(t, before, after)
}

func TestProtectFromManyConnections(t *testing.T) {
	f := newFixture(t)
	_, err := f.super.Exec(t.Context(), "CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); ALTER TABLE tomkit.x OWNER TO tomkit_owner")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			conn, err := pgx.Connect(t.Context(), f.pg.URL(rls.RoleMigrator))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(context.Background())
			for range 5 {
				if _, err := conn.Exec(t.Context(), "SET ROLE tomkit_owner; SELECT tomkit.protect('tomkit.x')"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
		require.Empty(t, requirePlan(t, tx, "tomkit.x", rls.Protection{}).Statements)
	})
}

func TestProtectOddNames(t *testing.T) {
	f := newFixture(t)
	_, err := f.super.Exec(t.Context(), `CREATE SCHEMA "My App" AUTHORIZATION tomkit_owner`)
	require.NoError(t, err)
	long := strings.Repeat("ä", 31) + "x" // 63 bytes
	for _, c := range []struct{ table, column string }{
		{`"My App"."Weird ""table"`, "Mandant"},
		{`"My App"."` + long + `"`, long},
		{`"My App"."drop table x; --"`, `a"; DROP TABLE tomkit.devices; --`},
		{`"My App"."select"`, "user"},
		{`"My App"."%I %s $1"`, "%1$I ( AS x)"},
	} {
		t.Run(c.table, func(t *testing.T) {
			quoted := pgx.Identifier{c.column}.Sanitize()
			asOwner(t, f, true, func(ctx context.Context, tx pgx.Tx) {
				_, err := tx.Exec(ctx, `CREATE TABLE `+c.table+` (`+quoted+` uuid, "N r" serial, "Text" text, PRIMARY KEY (`+quoted+`, "N r"))`)
				require.NoError(t, err)
				p := rls.Protection{TenantColumn: c.column, System: rls.OnColumns(rls.Select, c.column, "Text"), App: append(rls.OnColumns(rls.Update, "Text"), rls.Select, rls.Insert)}
				plan := requirePlan(t, tx, c.table, p)
				require.NotEmpty(t, plan.Statements)
				for _, n := range plan.Notes {
					require.Equal(t, "schema_usage", n.Code)
					_, err = tx.Exec(ctx, n.Fix)
					require.NoError(t, err)
				}
				tables, err := rls.Protected(ctx, tx)
				require.NoError(t, err)
				var columns []string
				for _, tb := range tables {
					columns = append(columns, strings.Trim(tb.TenantColumn, `"`))
				}
				require.Contains(t, columns, strings.ReplaceAll(c.column, `"`, `""`))
			})
			a := f.db.Tenant(f.a)
			_, err := a.Exec(t.Context(), `INSERT INTO `+c.table+` (`+quoted+`, "Text") VALUES ($1, 'a')`, f.a)
			require.NoError(t, err)
			_, err = a.Exec(t.Context(), `UPDATE `+c.table+` SET "Text" = 'b'`)
			require.NoError(t, err)
			_, err = a.Exec(t.Context(), `UPDATE `+c.table+` SET "N r" = 7`)
			requireCode(t, "42501", err)
			require.Zero(t, count(t, f.db.Tenant(f.b), `SELECT count(*) FROM `+c.table))
		})
	}
}

func TestPlanNotes(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		ddl string
		n   rls.Note
	}{
		"a materialized view that only its owner reads": {"CREATE MATERIALIZED VIEW tomkit.m AS SELECT * FROM tomkit.x; REVOKE ALL ON tomkit.m FROM tomkit_backup", rls.Note{Code: "materialized_view", Object: "tomkit.m"}},
		"a view of a role past the policies":            {"SET LOCAL ROLE none; CREATE TEMP VIEW v AS SELECT 1; CREATE VIEW pg_temp.w AS SELECT * FROM tomkit.x; SET LOCAL ROLE tomkit_owner", rls.Note{Code: "view_past_policies"}},
		"a rule":                                        {`CREATE RULE "r 1" AS ON DELETE TO tomkit.x DO INSTEAD NOTHING`, rls.Note{Code: "rule", Object: `"r 1"`}},
		"a foreign key never validated":                 {"ALTER TABLE tomkit.x ADD CONSTRAINT k FOREIGN KEY (tenant_id, id) REFERENCES tomkit.devices (tenant_id, id) NOT VALID", rls.Note{Code: "unvalidated_key", Object: "k"}},
		"open default privileges":                       {"ALTER DEFAULT PRIVILEGES IN SCHEMA tomkit GRANT SELECT ON TABLES TO tomkit_app", rls.Note{Code: "default_privileges", Object: "tomkit_owner"}},
	} {
		t.Run(name, func(t *testing.T) {
			asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
				_, err := tx.Exec(ctx, "CREATE TABLE tomkit.x (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id)); SELECT tomkit.protect('tomkit.x')")
				require.NoError(t, err)
				_, err = tx.Exec(ctx, c.ddl)
				require.NoError(t, err)
				plan, err := rls.PlanProtect(ctx, tx, "tomkit.x", rls.Protection{})
				require.NoError(t, err)
				require.Empty(t, plan.Statements)
				require.Len(t, plan.Notes, 1)
				require.Equal(t, c.n.Code, plan.Notes[0].Code)
				require.NotEmpty(t, plan.Notes[0].Fact)
				if c.n.Object == "" {
					return
				}
				require.Equal(t, c.n.Object, plan.Notes[0].Object)
				_, err = tx.Exec(ctx, plan.Notes[0].Fix)
				require.NoError(t, err)
				plan, err = rls.PlanProtect(ctx, tx, "tomkit.x", rls.Protection{})
				require.NoError(t, err)
				require.Empty(t, plan.Notes)
			})
		})
	}
}

func TestPlanAsSQL(t *testing.T) {
	f := newFixture(t)
	_, err := f.super.Exec(t.Context(), "CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); ALTER TABLE tomkit.x OWNER TO tomkit_owner")
	require.NoError(t, err)
	rows, err := f.super.Query(t.Context(), "SELECT tomkit.protection_plan(tomkit.protection('tomkit.x', app_privileges => '{SELECT}'))")
	require.NoError(t, err)
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, s := range statements { // one by one, each committed alone, with another search_path
		_, err := f.super.Exec(t.Context(), "SET search_path = public")
		require.NoError(t, err)
		_, err = f.super.Exec(t.Context(), s)
		require.NoError(t, err)
	}
	asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
		require.Empty(t, requirePlan(t, tx, "tomkit.x", rls.Protection{App: []rls.Privilege{rls.Select}}).Statements)
	})
	t.Run("nobody at run time may ask", func(t *testing.T) {
		for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
			for _, sql := range []string{"SELECT tomkit.protect('tomkit.x')", "SELECT tomkit.protection('tomkit.x')", "SELECT tomkit.protected()", "SELECT tomkit.protection_tree('tomkit.x')"} {
				_, err := f.pg.Pool(t, role).Exec(t.Context(), sql)
				requireCode(t, "42501", err)
			}
		}
	})
}
