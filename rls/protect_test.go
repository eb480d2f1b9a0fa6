package rls_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

// asOwner runs fn in a transaction as RoleOwner, the way a product's migration would, and rolls it back unless keep.
func asOwner(t *testing.T, f *fixture, keep bool, fn func(ctx context.Context, tx pgx.Tx)) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.pg.URL(rls.RoleMigrator))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SET LOCAL ROLE tomkit_owner")
	require.NoError(t, err)
	fn(t.Context(), tx)
	if keep {
		require.NoError(t, tx.Commit(t.Context()))
		return
	}
	require.NoError(t, tx.Rollback(t.Context()))
}

func TestProtectRefuses(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		ddl, table string
		p          rls.Protection
		code       string
	}{
		"a privilege past the policies":    {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)", "tomkit.x", rls.Protection{App: []rls.Privilege{rls.Select, "TRUNCATE"}}, "22023"},
		"a privilege with SQL in it":       {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)", "tomkit.x", rls.Protection{App: []rls.Privilege{"SELECT ON tomkit.context_keys TO PUBLIC; --"}}, "22023"},
		"a column with SQL in it":          {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)", "tomkit.x", rls.Protection{App: rls.OnColumns(rls.Select, `tenant_id") ON tomkit.context_keys TO PUBLIC; --`)}, "22023"},
		"a column the table does not have": {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)", "tomkit.x", rls.Protection{App: rls.OnColumns(rls.Update, "gone")}, "22023"},
		"DELETE on a column":               {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)", "tomkit.x", rls.Protection{System: rls.OnColumns(rls.Delete, "tenant_id")}, "22023"},
		"an MSP that writes":               {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)", "tomkit.x", rls.Protection{MSP: []rls.Privilege{rls.Select, rls.Update}}, "22023"},
		"a table that does not exist":      {"SELECT 1", "tomkit.nowhere", rls.Protection{}, "42P01"},
		"a name with SQL in it":            {"SELECT 1", "tomkit.devices; DROP TABLE tomkit.devices", rls.Protection{}, "42602"},
		"a number that is no table's":      {"SELECT 1", "4294967290", rls.Protection{}, "42P01"},
		"somebody else's table":            {"SET LOCAL ROLE tomkit_ledger; CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); SET LOCAL ROLE tomkit_owner", "tomkit.x", rls.Protection{}, "42501"},
	} {
		t.Run(name, func(t *testing.T) {
			asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
				_, err := tx.Exec(ctx, c.ddl)
				require.NoError(t, err)
				requireCode(t, c.code, rls.Protect(ctx, tx, c.table, c.p))
			})
		})
	}
	t.Run("no table", func(t *testing.T) {
		require.Error(t, rls.Protect(t.Context(), nil, "", rls.Protection{}))
		_, err := rls.PlanProtect(t.Context(), nil, "", rls.Protection{})
		require.Error(t, err)
	})
}

func TestProtect(t *testing.T) {
	f := newFixture(t)
	// A product's table: other schema, odd names, other column, granted to everybody, with a serial key.
	_, err := f.super.Exec(t.Context(), `CREATE SCHEMA "Shop" AUTHORIZATION tomkit_owner; GRANT USAGE ON SCHEMA "Shop" TO PUBLIC`)
	require.NoError(t, err)
	const table = `"Shop"."Or""ders"`
	asOwner(t, f, true, func(ctx context.Context, tx pgx.Tx) {
		_, err := tx.Exec(ctx, `CREATE TABLE `+table+` ("the tenant" uuid NOT NULL, id serial, PRIMARY KEY ("the tenant", id));
			GRANT ALL ON `+table+` TO PUBLIC, tomkit_app, tomkit_msp, tomkit_backup`)
		require.NoError(t, err)
		for range 2 { // the second time changes nothing
			require.NoError(t, rls.Protect(ctx, tx, table, rls.Protection{TenantColumn: "the tenant", App: []rls.Privilege{rls.Select, rls.Insert}}))
		}
	})
	a, b := f.db.Tenant(f.a), f.db.Tenant(f.b)
	t.Run("isolates", func(t *testing.T) {
		_, err := a.Exec(t.Context(), `INSERT INTO `+table+` VALUES ($1)`, f.a)
		require.NoError(t, err)
		_, err = a.Exec(t.Context(), `INSERT INTO `+table+` VALUES ($1)`, f.b)
		requireCode(t, "42501", err)
		require.Equal(t, 1, count(t, a, "SELECT count(*) FROM "+table))
		require.Zero(t, count(t, b, "SELECT count(*) FROM "+table))
		require.Equal(t, 1, count(t, f.db.MSP(f.msp), "SELECT count(*) FROM "+table))
	})
	t.Run("grants what was asked for and nothing else", func(t *testing.T) {
		rows, err := f.super.Query(t.Context(), `SELECT grantee || ' ' || string_agg(privilege_type, ',' ORDER BY privilege_type)
			FROM information_schema.role_table_grants WHERE table_schema = 'Shop' AND grantee <> 'tomkit_owner' GROUP BY grantee ORDER BY 1`)
		require.NoError(t, err)
		grants, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Equal(t, []string{"tomkit_app INSERT,SELECT", "tomkit_backup SELECT", "tomkit_msp SELECT", "tomkit_system DELETE,INSERT,SELECT,UPDATE"}, grants)
	})
	t.Run("FORCE binds the owner", func(t *testing.T) {
		asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
			var n int
			require.NoError(t, tx.QueryRow(ctx, countDevices).Scan(&n))
			require.Zero(t, n)
		})
	})
	t.Run("no OR stands in front of the tenant's index", func(t *testing.T) {
		rows, err := f.super.Query(t.Context(), "SELECT qual FROM pg_policies WHERE roles && '{tomkit_app}'")
		require.NoError(t, err)
		quals, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		for _, q := range quals {
			require.NotContains(t, q, " OR ")
		}
	})
	t.Run("the plan of a scoped query uses the tenant's index", func(t *testing.T) {
		require.NoError(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "SET LOCAL enable_seqscan = off")
			require.NoError(t, err)
			rows, err := tx.Query(ctx, "EXPLAIN SELECT * FROM tomkit.devices")
			require.NoError(t, err)
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			var plan string
			for _, l := range lines {
				plan += l + "\n"
			}
			require.Contains(t, plan, "InitPlan")
			require.Contains(t, plan, "Index Cond: (tenant_id = $0)")
			return nil
		}))
	})
}

// TestMigrationsSeeRows shows the way round FORCE that only members of the owner have.
func TestMigrationsSeeRows(t *testing.T) {
	f := newFixture(t)
	t.Run("a member of the owner with the runner's setting", func(t *testing.T) {
		asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
			_, err := tx.Exec(ctx, "SET LOCAL tomkit.migration = 'on'")
			require.NoError(t, err)
			tag, err := tx.Exec(ctx, "UPDATE tomkit.devices SET name = upper(name)")
			require.NoError(t, err)
			require.EqualValues(t, rowsA+rowsB, tag.RowsAffected())
		})
	})
	t.Run("a new foreign key is checked against all rows", func(t *testing.T) {
		asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
			_, err := tx.Exec(ctx, "SET LOCAL tomkit.migration = 'on'; ALTER TABLE tomkit.devices ADD COLUMN ref int; UPDATE tomkit.devices SET ref = 4711")
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "ALTER TABLE tomkit.devices ADD FOREIGN KEY (tenant_id, ref) REFERENCES tomkit.devices (tenant_id, id)")
			requireCode(t, "23503", err)
		})
	})
	t.Run("a definer function of the owner, called by another login with the setting, is blind", func(t *testing.T) {
		asOwner(t, f, true, func(ctx context.Context, tx pgx.Tx) {
			_, err := tx.Exec(ctx, `CREATE FUNCTION tomkit.leak() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT count(*) FROM tomkit.devices $$;
				GRANT EXECUTE ON FUNCTION tomkit.leak() TO tomkit_app`)
			require.NoError(t, err)
		})
		require.Zero(t, count(t, f.db.Tenant(f.a), `WITH x AS MATERIALIZED (SELECT set_config('tomkit.migration', 'on', true) y,
			set_config('app.bypass_rls', 'on', true)) SELECT tomkit.leak() FROM x WHERE y IS NOT NULL`))
	})
}
