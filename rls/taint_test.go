package rls_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

// backendOf returns the server process that a scope's statement runs on.
func backendOf(t *testing.T, s rls.Scope) int { return count(t, s, "SELECT pg_backend_pid()") }

func TestAPlantedStatementDoesNotReachTheNextTenant(t *testing.T) {
	const query = "SELECT name FROM tomkit.devices WHERE id = $1"
	plant := []string{
		"DEALLOCATE ALL",
		"PREPARE rls_2 (int) AS SELECT set_config('app.stolen', (SELECT string_agg(name, ',') FROM tomkit.devices), false)",
	}
	for name, attack := range map[string]func(f *fixture) error{
		"by single statements": func(f *fixture) error {
			for _, sql := range plant {
				if _, err := f.db.Tenant(f.a).Exec(t.Context(), sql); err != nil {
					return err
				}
			}
			return nil
		},
		"by a batch": func(f *fixture) error {
			b := &pgx.Batch{}
			b.Queue(plant[0])
			b.Queue(plant[1])
			br, err := f.db.Tenant(f.a).Batch(t.Context(), b)
			if err != nil {
				return err
			}
			_ = br.Close() // pgx's own statements are gone too, so the second fails
			return nil
		},
		"in a transaction": func(f *fixture) error {
			return f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				for _, sql := range plant {
					if _, err := tx.Exec(ctx, sql); err != nil {
						return err
					}
				}
				return nil
			})
		},
		"hidden in a block": func(f *fixture) error {
			_, err := f.db.Tenant(f.a).Exec(t.Context(), "DO $do$ BEGIN EXECUTE $q$"+plant[0]+"$q$; EXECUTE $q$"+plant[1]+"$q$; END $do$")
			return err
		},
		"and undone in name only": func(f *fixture) error {
			err := f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				if _, err := tx.Exec(ctx, plant[0]); err != nil {
					return err
				}
				return context.Canceled // a rollback brings no prepared statement back
			})
			if err == context.Canceled {
				return nil
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := single(t)
			var device string
			require.NoError(t, f.db.Tenant(f.a).QueryRow(t.Context(), query, 1).Scan(&device))
			before := backendOf(t, f.db.Tenant(f.a))
			require.NoError(t, attack(f))
			require.NotEqual(t, before, backendOf(t, f.db.Tenant(f.b)), "the connection is still in use")
			require.NoError(t, f.db.Tenant(f.b).QueryRow(t.Context(), query, 101).Scan(&device))
			require.Equal(t, "b1", device)
			require.Zero(t, count(t, f.db.Tenant(f.a), "SELECT count(*) FROM pg_prepared_statements WHERE from_sql"))
			require.Zero(t, count(t, f.db.Tenant(f.a), "SELECT count(*) WHERE current_setting('app.stolen', true) <> ''"))
		})
	}
}

func TestOrdinaryStatementsKeepTheirConnection(t *testing.T) {
	f := single(t)
	before := backendOf(t, f.db.Tenant(f.a))
	require.NoError(t, f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		for _, sql := range []string{
			"INSERT INTO tomkit.devices VALUES ((SELECT id FROM tomkit.tenant_context), 9, 'x')", "UPDATE tomkit.devices SET name = 'y' WHERE id = 9",
			"LOCK TABLE tomkit.devices IN ROW SHARE MODE", "DELETE FROM tomkit.devices WHERE id = 9", "SHOW server_version", "EXPLAIN SELECT 1",
			"MERGE INTO tomkit.devices d USING (SELECT 1 AS id) s ON d.id = s.id WHEN MATCHED THEN UPDATE SET name = d.name",
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		sp, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		return sp.Rollback(ctx)
	}))
	_, err := f.db.Tenant(f.a).Exec(t.Context(), "SELECT 1/0")
	require.Error(t, err)
	require.Equal(t, before, backendOf(t, f.db.Tenant(f.a)))
}

func TestStackedStatementsAreRefused(t *testing.T) {
	f := single(t)
	const stacked = "SELECT 1; UPDATE tomkit.devices SET name = 'stacked'"
	requireStacked := func(err error) {
		t.Helper()
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg)
		require.Equal(t, "42601", pg.Code)
	}
	_, err := f.db.Tenant(f.a).Exec(t.Context(), stacked)
	requireStacked(err)
	requireStacked(f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		_, err := tx.Exec(ctx, stacked)
		return err
	}))
	requireStacked(f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT 1"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, stacked)
		return err
	}))
	require.Zero(t, count(t, f.db.Tenant(f.a), "SELECT count(*) FROM tomkit.devices WHERE name = 'stacked'"))
}

func TestEmptyStatementsAreRefused(t *testing.T) {
	f := single(t)
	b := &pgx.Batch{}
	b.Queue("SELECT 1")
	b.Queue("")
	_, err := f.db.Tenant(f.a).Batch(t.Context(), b)
	require.ErrorContains(t, err, "empty statement")
	for _, first := range []string{"", "SELECT 1"} {
		err := f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			if first != "" {
				if _, err := tx.Exec(ctx, first); err != nil {
					return err
				}
			}
			return tx.SendBatch(ctx, b).Close()
		})
		require.ErrorContains(t, err, "empty statement")
	}
	require.Equal(t, rowsA, count(t, f.db.Tenant(f.a), countDevices), "the connection is in order")
}

func TestALoginCannotSwitchItsLaterSessionsOff(t *testing.T) {
	f := newFixture(t)
	_, err := f.db.Tenant(f.a).Exec(t.Context(), "ALTER ROLE CURRENT_USER IN DATABASE "+f.pg.Name()+" SET row_security = off")
	require.NoError(t, err)
	later := f.pg.OpenConfig(t, rls.Config{})
	require.Equal(t, rowsA, count(t, later.Tenant(f.a), countDevices))
}
