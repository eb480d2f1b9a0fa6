package rls_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

func TestScopeIsolates(t *testing.T) {
	f := newFixture(t)
	a, b := f.db.Tenant(f.a), f.db.Tenant(f.b)
	t.Run("a query without WHERE sees own rows only", func(t *testing.T) {
		require.Equal(t, rowsA, count(t, a, countDevices))
		require.Equal(t, rowsB, count(t, b, countDevices))
	})
	t.Run("a query for the other tenant's id sees nothing", func(t *testing.T) {
		require.Zero(t, count(t, a, countDevices+" WHERE tenant_id = $1", f.b))
		require.Zero(t, count(t, a, countDevices+" WHERE id > 100"))
	})
	t.Run("nobody sees nothing", func(t *testing.T) {
		require.Zero(t, count(t, f.db.Anonymous(), countDevices))
	})
	t.Run("an unknown tenant sees nothing", func(t *testing.T) {
		require.Zero(t, count(t, f.db.Tenant(uuid.New()), countDevices))
	})
	t.Run("an MSP sees the rows of its tenants and no others", func(t *testing.T) {
		require.Equal(t, rowsA+rowsB, count(t, f.db.MSP(f.msp), countDevices))
		require.Zero(t, count(t, f.db.MSP(uuid.New()), countDevices))
	})
	t.Run("a tenant's id is no MSP and an MSP's id is no tenant", func(t *testing.T) {
		require.Zero(t, count(t, f.db.MSP(f.a), countDevices))
		require.Zero(t, count(t, f.db.Tenant(f.msp), countDevices))
	})
	t.Run("the system sees all rows", func(t *testing.T) {
		require.NoError(t, f.db.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error {
			var n int
			require.NoError(t, tx.QueryRow(ctx, countDevices).Scan(&n))
			require.Equal(t, rowsA+rowsB, n)
			return nil
		}))
	})
	t.Run("many tenants at once stay apart", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 50 {
					s, want := a, rowsA
					if i%2 == 1 {
						s, want = b, rowsB
					}
					var n int
					if err := s.QueryRow(t.Context(), countDevices).Scan(&n); err != nil || n != want {
						t.Errorf("have %d rows, want %d: %v", n, want, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestScopeRefusesWritesAcrossTenants(t *testing.T) {
	f := newFixture(t)
	a := f.db.Tenant(f.a)
	const violation = "42501" // insufficient_privilege, which is also what WITH CHECK answers
	for name, sql := range map[string]string{
		"inserting another tenant's row": "INSERT INTO tomkit.devices VALUES ($1, 9, 'x')",
		"moving a row to another tenant": "UPDATE tomkit.devices SET tenant_id = $1 WHERE id = 1",
		"upserting over another tenant's row": `INSERT INTO tomkit.devices VALUES ($1, 101, 'x')
			ON CONFLICT (tenant_id, id) DO UPDATE SET name = 'x'`,
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := a.Exec(t.Context(), sql, f.b)
			requireCode(t, violation, err)
		})
	}
	t.Run("updates and deletes do not reach the other tenant", func(t *testing.T) {
		tag, err := a.Exec(t.Context(), "UPDATE tomkit.devices SET name = 'x' WHERE tenant_id = $1", f.b)
		require.NoError(t, err)
		require.Zero(t, tag.RowsAffected())
		tag, err = a.Exec(t.Context(), "DELETE FROM tomkit.devices WHERE id > 100")
		require.NoError(t, err)
		require.Zero(t, tag.RowsAffected())
	})
	t.Run("a foreign key cannot name another tenant's row", func(t *testing.T) {
		_, err := a.Exec(t.Context(), "INSERT INTO tomkit.notes (tenant_id, device_id, body) VALUES ($1, 101, 'x')", f.a)
		requireCode(t, "23503", err)
	})
	t.Run("an MSP writes nothing", func(t *testing.T) {
		for _, sql := range []string{"DELETE FROM tomkit.devices", "UPDATE tomkit.devices SET name = 'x'",
			"INSERT INTO tomkit.devices SELECT tenant_id, 50, 'x' FROM tomkit.devices LIMIT 1"} {
			_, err := f.db.MSP(f.msp).Exec(t.Context(), sql)
			requireCode(t, violation, err)
		}
	})
	t.Run("TRUNCATE is refused to every login", func(t *testing.T) {
		_, err := a.Exec(t.Context(), "TRUNCATE tomkit.devices CASCADE")
		requireCode(t, violation, err)
		err = f.db.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "TRUNCATE tomkit.devices CASCADE")
			return err
		})
		requireCode(t, violation, err)
	})
	require.Equal(t, rowsB, count(t, f.db.Tenant(f.b), countDevices+" WHERE name LIKE 'b%'"))
}

func requireCode(t testing.TB, code string, err error) {
	t.Helper()
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	require.Equal(t, code, pg.Code, pg.Message)
}

func TestScopeReportsErrors(t *testing.T) {
	f := single(t)
	a := f.db.Tenant(f.a)
	ctx := t.Context()
	usable := func(t *testing.T) {
		t.Helper()
		require.Equal(t, rowsA, count(t, a, countDevices), "the only connection must be back and in order")
	}
	t.Run("a statement that fails", func(t *testing.T) {
		_, err := a.Exec(ctx, "SELECT 1/0")
		requireCode(t, "22012", err)
		usable(t)
		rows, err := a.Query(ctx, "SELECT 1/(id-2) FROM tomkit.devices ORDER BY id")
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
		}
		requireCode(t, "22012", err)
		usable(t)
		var n int
		requireCode(t, "22012", a.QueryRow(ctx, "SELECT 1/0").Scan(&n))
		usable(t)
	})
	t.Run("a statement that cannot be parsed", func(t *testing.T) {
		_, err := a.Exec(ctx, "SELEC 1")
		requireCode(t, "42601", err)
		_, err = a.Query(ctx, "SELECT * FROM nowhere")
		requireCode(t, "42P01", err)
		usable(t)
	})
	t.Run("two statements in one text", func(t *testing.T) {
		_, err := a.Exec(ctx, "SELECT 1; SELECT 2")
		requireCode(t, "42601", err)
		usable(t)
	})
	t.Run("no row, a wrong destination, a wrong argument", func(t *testing.T) {
		var n int
		require.ErrorIs(t, a.QueryRow(ctx, "SELECT id FROM tomkit.devices WHERE id = 77").Scan(&n), pgx.ErrNoRows)
		usable(t)
		require.Error(t, a.QueryRow(ctx, "SELECT 'x'").Scan(&n))
		usable(t)
		_, err := a.Exec(ctx, "SELECT $1::int", "x", "y")
		require.Error(t, err)
		usable(t)
	})
	t.Run("a deferred constraint, which only the commit violates", func(t *testing.T) {
		const sql = "INSERT INTO tomkit.notes (tenant_id, device_id, body) VALUES ($1, 55, 'x') RETURNING id"
		rows, err := a.Query(ctx, sql, f.a)
		require.NoError(t, err)
		for rows.Next() {
		}
		requireCode(t, "23503", rows.Err())
		var n int
		requireCode(t, "23503", a.QueryRow(ctx, sql, f.a).Scan(&n))
		_, err = a.Exec(ctx, sql, f.a)
		requireCode(t, "23503", err)
		usable(t)
	})
	t.Run("rows closed before their end", func(t *testing.T) {
		rows, err := a.Query(ctx, "SELECT generate_series(1, 100000)")
		require.NoError(t, err)
		require.True(t, rows.Next())
		rows.Close()
		rows.Close()
		require.NoError(t, rows.Err())
		usable(t)
	})
	t.Run("a statement that begins a transaction", func(t *testing.T) {
		_, err := a.Exec(ctx, "BEGIN")
		require.ErrorIs(t, err, rls.ErrTransactionControl)
		usable(t)
		b := &pgx.Batch{}
		b.BeginTx(pgx.TxOptions{})
		b.Queue("SELECT 1")
		br, err := a.Batch(ctx, b)
		require.NoError(t, err)
		require.Nil(t, br.Tx())
		require.ErrorIs(t, br.Close(), rls.ErrTransactionControl)
		usable(t)
	})
	t.Run("the zero scope, the zero tenant and a missing login", func(t *testing.T) {
		_, err := rls.Scope{}.Exec(ctx, "SELECT 1")
		require.ErrorIs(t, err, rls.ErrNoLogin)
		_, err = f.db.Tenant(uuid.Nil).Exec(ctx, "SELECT 1")
		require.ErrorIs(t, err, rls.ErrNoTenant)
		_, err = f.db.MSP(uuid.Nil).Query(ctx, "SELECT 1")
		require.ErrorIs(t, err, rls.ErrNoTenant)
		only := f.pg.OpenConfig(t, rls.Config{SystemURL: f.pg.URL(rls.RoleSystem)})
		_, err = only.Tenant(f.a).Batch(ctx, &pgx.Batch{})
		require.ErrorIs(t, err, rls.ErrNoLogin)
	})
}

func TestScopeBatch(t *testing.T) {
	f := single(t)
	a := f.db.Tenant(f.a)
	ctx := t.Context()
	t.Run("gives the statements' results and none of its own", func(t *testing.T) {
		b := &pgx.Batch{}
		b.Queue("SELECT count(*) FROM tomkit.devices").QueryRow(func(row pgx.Row) error {
			var n int
			require.NoError(t, row.Scan(&n))
			require.Equal(t, rowsA, n)
			return nil
		})
		b.Queue("INSERT INTO tomkit.devices VALUES ($1, 10, 'x')", f.a)
		br, err := a.Batch(ctx, b)
		require.NoError(t, err)
		require.NoError(t, br.Close())
		require.NoError(t, br.Close())
		require.Equal(t, rowsA+1, count(t, a, countDevices))
	})
	t.Run("undoes everything when a statement in the middle fails", func(t *testing.T) {
		b := &pgx.Batch{}
		b.Queue("INSERT INTO tomkit.devices VALUES ($1, 11, 'x')", f.a)
		b.Queue("SELECT 1/0")
		b.Queue("INSERT INTO tomkit.devices VALUES ($1, 12, 'x')", f.a)
		br, err := a.Batch(ctx, b)
		require.NoError(t, err)
		requireCode(t, "22012", br.Close())
		require.Equal(t, rowsA+1, count(t, a, countDevices))
	})
	t.Run("loses the context after a COMMIT in its middle", func(t *testing.T) {
		var n int
		b := &pgx.Batch{}
		b.Queue("COMMIT")
		b.Queue(countDevices).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
		br, err := a.Batch(ctx, b)
		require.NoError(t, err)
		require.NoError(t, br.Close())
		require.Zero(t, n)
	})
	t.Run("may be empty", func(t *testing.T) {
		br, err := a.Batch(ctx, &pgx.Batch{})
		require.NoError(t, err)
		require.NoError(t, br.Close())
	})
}

func TestScopeCancellation(t *testing.T) {
	f := single(t)
	a := f.db.Tenant(f.a)
	for name, run := range map[string]func(context.Context) error{
		"Exec": func(ctx context.Context) error { _, err := a.Exec(ctx, "SELECT pg_sleep(30)"); return err },
		"QueryRow": func(ctx context.Context) error {
			var s string
			return a.QueryRow(ctx, "SELECT pg_sleep(30)::text").Scan(&s)
		},
		"InTx": func(ctx context.Context) error {
			return a.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, "SELECT pg_sleep(30)")
				return err
			})
		},
	} {
		t.Run(name+" returns and the pool recovers without a context", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, run(ctx), context.DeadlineExceeded)
			require.Equal(t, rowsA, count(t, a, countDevices))
			require.Zero(t, count(t, f.db.Anonymous(), countDevices))
		})
	}
	t.Run("a context done before the call", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := a.Exec(ctx, "SELECT 1")
		require.ErrorIs(t, err, context.Canceled)
	})
}

// TestConnectionsCarryNoContext looks at the pool's connection from inside a scope that sets none of its own: the raw
// connection of a transaction whose BEGIN is still to come.
func TestConnectionsCarryNoContext(t *testing.T) {
	f := single(t)
	a := f.db.Tenant(f.a)
	for name, poison := range map[string]func(ctx context.Context) error{
		"Exec":          func(ctx context.Context) error { _, err := a.Exec(ctx, "SELECT 1"); return err },
		"a failed Exec": func(ctx context.Context) error { _, _ = a.Exec(ctx, "SELECT 1/0"); return nil },
		"Query": func(ctx context.Context) error {
			rows, err := a.Query(ctx, "SELECT 1")
			rows.Close()
			return err
		},
		"InTx": func(ctx context.Context) error {
			return a.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error { _, err := tx.Exec(ctx, "SELECT 1"); return err })
		},
		"a rolled back InTx": func(ctx context.Context) error {
			_ = a.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				_, _ = tx.Exec(ctx, "SELECT 1")
				return errors.New("no")
			})
			return nil
		},
		"MSP": func(ctx context.Context) error { _, err := f.db.MSP(f.msp).Exec(ctx, "SELECT 1"); return err },
	} {
		t.Run("after "+name, func(t *testing.T) {
			require.NoError(t, poison(t.Context()))
			for login, conn := range map[string]*pgx.Conn{"app": rls.RawConn(t, f.db, rls.RoleApp), "msp": rls.RawConn(t, f.db, rls.RoleMSP)} {
				var left string
				var n int
				require.NoError(t, conn.QueryRow(t.Context(), "SELECT COALESCE(current_setting('app.tenant_id', true), '')").Scan(&left))
				require.Empty(t, left, login)
				require.NoError(t, conn.QueryRow(t.Context(), countDevices).Scan(&n))
				require.Zero(t, n, login)
			}
		})
	}
	t.Run("a context injected for the session does not reach the next caller", func(t *testing.T) {
		_, err := a.Exec(t.Context(), "SELECT set_config('app.tenant_id', current_setting('app.tenant_id'), false)")
		require.NoError(t, err)
		require.Zero(t, count(t, f.db.Anonymous(), countDevices))
		require.Equal(t, rowsB, count(t, f.db.Tenant(f.b), countDevices))
	})
	t.Run("System leaves no bypass", func(t *testing.T) {
		require.NoError(t, f.db.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "SELECT 1")
			return err
		}))
		var n int
		require.NoError(t, rls.RawConn(t, f.db, rls.RoleSystem).QueryRow(t.Context(), countDevices).Scan(&n))
		require.Zero(t, n)
	})
}

func TestScopeAcrossExecModes(t *testing.T) {
	f := newFixture(t)
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec"} {
		t.Run(mode, func(t *testing.T) {
			db := f.pg.OpenConfig(t, rls.Config{AppURL: withOption(f.pg.URL(rls.RoleApp), "default_query_exec_mode="+mode)})
			for range 3 {
				require.Equal(t, rowsA, count(t, db.Tenant(f.a), countDevices+" WHERE id < $1", 50))
				require.Equal(t, rowsB, count(t, db.Tenant(f.b), countDevices+" WHERE id > $1", 50))
				require.NoError(t, db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
					var n int
					require.NoError(t, tx.QueryRow(ctx, countDevices).Scan(&n))
					require.Equal(t, rowsA, n)
					return nil
				}))
			}
			_, err := db.Tenant(f.a).Exec(t.Context(), "SELECT 1/0")
			requireCode(t, "22012", err)
			require.Zero(t, count(t, db.Anonymous(), countDevices))
		})
	}
}

// withOption adds an option to a connection string of either form.
func withOption(dsn, option string) string {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("host='%s' port=%d user=%s password='%s' dbname='%s' %s", cfg.Host, cfg.Port, cfg.User, cfg.Password, cfg.Database, option)
}
