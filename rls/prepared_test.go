package rls_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

// prepared counts the statements that scoped queries prepared on the only connection of the app login.
func prepared(t *testing.T, f *fixture) (n int) {
	t.Helper()
	const sql = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'rls\\_%'"
	require.NoError(t, rls.RawConn(t, f.db, rls.RoleApp).QueryRow(t.Context(), sql).Scan(&n))
	return n
}

func TestPreparedQueries(t *testing.T) {
	f := single(t)
	ctx := t.Context()
	a := f.db.Tenant(f.a)
	t.Run("a query again is the same two statements", func(t *testing.T) {
		for range 10 {
			require.Equal(t, 1, count(t, a, countDevices+" WHERE id = $1", 1))
		}
		require.Equal(t, 2, prepared(t, f), "the context's and the query")
	})
	t.Run("each tenant sees its own rows through one plan", func(t *testing.T) {
		for range 10 { // beyond the custom plans
			require.Equal(t, rowsA, count(t, a, countDevices))
			require.Equal(t, rowsB, count(t, f.db.Tenant(f.b), countDevices))
			require.Zero(t, count(t, f.db.Anonymous(), countDevices))
			require.Zero(t, count(t, f.db.Tenant(uuid.New()), countDevices))
		}
	})
	t.Run("a changed table costs one error", func(t *testing.T) {
		const sql = "SELECT * FROM tomkit.devices WHERE id = 1"
		read := func() (n int, err error) {
			rows, err := a.Query(ctx, sql)
			if err != nil {
				return 0, err
			}
			_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (int, error) {
				n = len(row.FieldDescriptions())
				return n, nil
			})
			return n, err
		}
		before, err := read()
		require.NoError(t, err)
		_, err = f.super.Exec(ctx, "ALTER TABLE tomkit.devices ADD COLUMN extra text")
		require.NoError(t, err)
		_, err = read()
		requireCode(t, "0A000", err)
		after, err := read()
		require.NoError(t, err)
		require.Equal(t, before+1, after)
	})
	t.Run("an error of the data keeps the statements", func(t *testing.T) {
		const sql = "SELECT 1 / $1::int"
		var n int
		require.NoError(t, a.QueryRow(ctx, sql, 1).Scan(&n))
		before := prepared(t, f)
		requireCode(t, "22012", a.QueryRow(ctx, sql, 0).Scan(&n))
		require.Equal(t, before, prepared(t, f))
		require.NoError(t, a.QueryRow(ctx, sql, 1).Scan(&n))
	})
	t.Run("named arguments, wrong ones and none", func(t *testing.T) {
		require.Equal(t, 1, count(t, a, countDevices+" WHERE id = @id", pgx.NamedArgs{"id": 1}))
		var n int
		for _, args := range [][]any{nil, {1, 2}, {"x"}, {struct{}{}}} {
			require.Error(t, a.QueryRow(ctx, countDevices+" WHERE id = $1", args...).Scan(&n), args)
			require.Equal(t, rowsA, count(t, a, countDevices), "the only connection must be back and in order")
		}
	})
	t.Run("what is no query", func(t *testing.T) {
		var n int
		for _, sql := range []string{"COPY tomkit.devices FROM STDIN", "COPY tomkit.devices TO STDOUT", "/* */ COPY tomkit.devices TO STDOUT"} {
			require.Error(t, a.QueryRow(ctx, sql).Scan(&n), sql)
		}
		for _, sql := range []string{"-- nothing", "UPDATE tomkit.devices SET name = name", "SELECT"} {
			rows, err := a.Query(ctx, sql)
			require.NoError(t, err, sql)
			rows.Close()
			require.NoError(t, rows.Err(), sql)
		}
		_, err := a.Query(ctx, "")
		require.Error(t, err)
		require.Equal(t, rowsA, count(t, a, countDevices))
	})
	t.Run("statements that are gone are prepared again", func(t *testing.T) {
		for _, sql := range []string{"DEALLOCATE ALL", "DISCARD ALL"} {
			require.Equal(t, rowsA, count(t, a, countDevices))
			_, err := rls.RawConn(t, f.db, rls.RoleApp).Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
			require.NoError(t, err)
			var n int
			requireCode(t, "26000", a.QueryRow(ctx, countDevices).Scan(&n))
			require.Equal(t, rowsA, count(t, a, countDevices))
		}
	})
}

func TestPreparedQueriesAreBounded(t *testing.T) {
	f := single(t)
	for capacity, most := range map[int]int{0: 0, 1: 0, 2: 2, 3: 3, 10: 10} {
		t.Run(fmt.Sprintf("%d at most", capacity), func(t *testing.T) {
			db, err := rls.Open(t.Context(), rls.Config{MaxConns: 1, ContextKey: pgtest.ContextKey(),
				AppURL: withOption(f.pg.URL(rls.RoleApp), fmt.Sprintf("statement_cache_capacity=%d default_query_exec_mode=%s",
					max(capacity, 1), map[bool]string{true: "exec", false: "cache_statement"}[capacity == 0]))})
			require.NoError(t, err)
			defer db.Close()
			for i := range 30 {
				require.Equal(t, 1, count(t, db.Tenant(f.a), fmt.Sprintf("%s WHERE id = 1 AND %d = %[2]d", countDevices, i)))
			}
			g := *f
			g.db = db
			require.Equal(t, most, prepared(t, &g))
		})
	}
}

// TestPreparedQueriesAreNoWayOut replaces the statement that sets the context, on a connection that stays in use.
func TestPreparedQueriesAreNoWayOut(t *testing.T) {
	f := single(t)
	ctx := t.Context()
	require.Equal(t, rowsA, count(t, f.db.Tenant(f.a), countDevices))
	var set string
	require.NoError(t, f.db.Tenant(f.a).QueryRow(ctx, "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%set\\_config%' AND name LIKE 'rls\\_%'").Scan(&set))
	conn := rls.RawConn(t, f.db, rls.RoleApp)                                                                                  // a scope would close it behind such statements
	for _, sql := range []string{"DEALLOCATE " + set, fmt.Sprintf("PREPARE %s (text) AS SELECT true WHERE $1 IS NULL", set)} { // one that sets nothing
		_, err := conn.Exec(ctx, sql)
		require.NoError(t, err)
	}
	require.Zero(t, count(t, f.db.Tenant(f.b), countDevices), "a context that was not set opens nothing")
}
