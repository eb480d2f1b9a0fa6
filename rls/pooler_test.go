package rls_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

// execModes are the names pgx has for the ways to send a statement.
var execModes = []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}

// pooledFixture is a fixture whose db goes through a pooler.
type pooledFixture struct {
	*fixture
	pooler *pgtest.PgBouncer
}

func newPooled(t *testing.T, settings map[string]string, cfg rls.Config) *pooledFixture {
	t.Helper()
	f := &pooledFixture{fixture: newFixture(t)}
	f.pooler = f.pg.PgBouncer(t, settings)
	f.db = f.pooler.OpenConfig(t, cfg)
	return f
}

// inMode returns the URLs of the three logins in a mode of pgx.
func inMode(db *pgtest.DB, mode string) rls.Config {
	return rls.Config{
		AppURL:    withOption(db.URL(rls.RoleApp), "default_query_exec_mode="+mode),
		MSPURL:    withOption(db.URL(rls.RoleMSP), "default_query_exec_mode="+mode),
		SystemURL: withOption(db.URL(rls.RoleSystem), "default_query_exec_mode="+mode),
	}
}

// TestEveryScopeInEveryExecMode is the whole surface, directly and through a pooler.
func TestEveryScopeInEveryExecMode(t *testing.T) {
	f := newFixture(t)
	pooler := f.pg.PgBouncer(t, nil)
	for way, pg := range map[string]*pgtest.DB{"directly": f.pg, "through a pooler": pooler.DB} {
		for _, mode := range execModes {
			t.Run(mode+" "+way, func(t *testing.T) {
				db := f.pg.OpenConfig(t, inMode(pg, mode))
				for range 3 { // the second time statements are known
					everyScope(t, f, db)
				}
			})
		}
	}
}

// everyScope runs what a scope can, as A, B, their MSP, the system and nobody.
func everyScope(t *testing.T, f *fixture, db *rls.DB) {
	t.Helper()
	ctx := t.Context()
	a, b := db.Tenant(f.a), db.Tenant(f.b)
	require.Equal(t, rowsA, count(t, a, countDevices+" WHERE id < $1", 50))
	require.Equal(t, rowsB, count(t, b, countDevices+" WHERE id > $1", 50))
	require.Zero(t, count(t, a, countDevices+" WHERE tenant_id = $1", f.b))
	require.Zero(t, count(t, db.Anonymous(), countDevices))
	require.Equal(t, rowsA+rowsB, count(t, db.MSP(f.msp), countDevices))
	require.Zero(t, count(t, db.MSP(uuid.New()), countDevices))

	rows, err := a.Query(ctx, "SELECT tenant_id, name FROM tomkit.devices WHERE name = ANY($1) ORDER BY id", []string{"a1", "a3", "b1"})
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (name string, err error) {
		var id uuid.UUID
		err = row.Scan(&id, &name)
		require.Equal(t, f.a, id)
		return name, err
	})
	require.NoError(t, err)
	require.Equal(t, []string{"a1", "a3"}, names)

	_, err = a.Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, 90, 'x')", f.b)
	requireCode(t, "42501", err)
	_, err = a.Exec(ctx, "SELECT 1/0")
	requireCode(t, "22012", err)

	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO tomkit.devices VALUES ($1, 7, $2)", f.a, "7")
	batch.Queue(countDevices)
	batch.Queue("DELETE FROM tomkit.devices WHERE id = $1", 7)
	results, err := a.Batch(ctx, batch)
	require.NoError(t, err)
	_, err = results.Exec()
	require.NoError(t, err)
	var n int
	require.NoError(t, results.QueryRow().Scan(&n))
	require.Equal(t, rowsA+1, n)
	require.NoError(t, results.Close())

	sealed := false
	require.NoError(t, b.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		require.NoError(t, tx.QueryRow(ctx, countDevices+" WHERE id > $1", 1).Scan(&n))
		require.Equal(t, rowsB, n)
		require.Error(t, pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT $1::int / 0", 1)
			return err
		}), "a savepoint")
		tx.Sealer(func() rls.Sealer {
			return sealFunc(func(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
				last := &pgx.Batch{}
				last.Queue(countDevices).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
				sealed = true
				return commit(last, nil)
			})
		})
		return nil
	}))
	require.True(t, sealed)
	require.Equal(t, rowsB, n)
	require.NoError(t, db.System(ctx, "test", func(ctx context.Context, tx *rls.Tx) error {
		require.NoError(t, tx.QueryRow(ctx, countDevices+" WHERE id > $1", 0).Scan(&n))
		require.Equal(t, rowsA+rowsB, n)
		return nil
	}))
}

func TestOpenThroughAPooler(t *testing.T) {
	f := newFixture(t)
	t.Run("finds the pooler, and none where there is none", func(t *testing.T) {
		for _, mode := range []string{"transaction", "session"} {
			db := f.pg.PgBouncer(t, map[string]string{"pool_mode": mode}).Open(t)
			for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
				require.True(t, db.Pooled(role), mode)
			}
			require.False(t, db.Pooled(rls.RoleBackup))
			require.Equal(t, rowsA, count(t, db.Tenant(f.a), countDevices))
		}
		require.False(t, f.db.Pooled(rls.RoleApp))
	})
	t.Run("finds it by login", func(t *testing.T) {
		pooler := f.pg.PgBouncer(t, nil)
		db := f.pg.OpenConfig(t, rls.Config{AppURL: pooler.URL(rls.RoleApp), SystemURL: f.pg.URL(rls.RoleSystem)})
		require.True(t, db.Pooled(rls.RoleApp))
		require.False(t, db.Pooled(rls.RoleSystem))
	})
	t.Run("refuses a pooler that refuses transactions", func(t *testing.T) {
		pooler := f.pg.PgBouncer(t, map[string]string{"pool_mode": "statement"})
		for _, mode := range execModes {
			cfg := inMode(pooler.DB, mode)
			cfg.ContextKey = pgtest.ContextKey()
			_, err := rls.Open(t.Context(), cfg)
			require.ErrorIs(t, err, rls.ErrStatementPooling)
			require.ErrorContains(t, err, "pool_mode")
			require.ErrorContains(t, err, rls.RoleApp)
		}
	})
	t.Run("checks logins and key through it as without it", func(t *testing.T) {
		pooler := f.pg.PgBouncer(t, nil)
		_, err := rls.Open(t.Context(), rls.Config{AppURL: pooler.URL(rls.RoleSystem), ContextKey: pgtest.ContextKey()})
		require.ErrorIs(t, err, rls.ErrUnsafeLogin)
		var refused *rls.ContextRefusedError
		_, err = rls.Open(t.Context(), rls.Config{AppURL: pooler.URL(rls.RoleApp), ContextKey: rls.ContextKey{ID: "new", Key: make([]byte, 32)}})
		require.ErrorAs(t, err, &refused)
	})
	t.Run("leaves no statement on the server", func(t *testing.T) {
		pooler := f.pg.PgBouncer(t, map[string]string{"default_pool_size": "1"})
		for _, mode := range execModes {
			db := f.pg.OpenConfig(t, inMode(pooler.DB, mode))
			everyScope(t, f, db)
			require.Zero(t, count(t, db.Anonymous(), "SELECT count(*) FROM pg_catalog.pg_prepared_statements"), mode)
		}
	})
}

func TestStat(t *testing.T) {
	f := newFixtureConfig(t, rls.Config{MaxConns: 2})
	require.EqualValues(t, 2, f.db.Stat(rls.RoleApp).MaxConns())
	require.Nil(t, f.db.Stat(rls.RoleOwner))
	require.Nil(t, f.pg.OpenConfig(t, rls.Config{SystemURL: f.pg.URL(rls.RoleSystem)}).Stat(rls.RoleApp))
	waited := f.db.Stat(rls.RoleApp).EmptyAcquireCount()
	holding, done := make(chan struct{}), make(chan struct{})
	var held sync.WaitGroup
	for range 2 {
		held.Go(func() {
			err := f.db.Tenant(f.a).InTx(context.Background(), func(ctx context.Context, tx *rls.Tx) error {
				holding <- struct{}{}
				<-done
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-holding
	}
	require.EqualValues(t, 2, f.db.Stat(rls.RoleApp).AcquiredConns())
	waiter := make(chan error)
	go func() { _, err := f.db.Tenant(f.a).Exec(context.Background(), "SELECT 1"); waiter <- err }()
	close(done)
	require.NoError(t, <-waiter)
	held.Wait()
	require.GreaterOrEqual(t, f.db.Stat(rls.RoleApp).EmptyAcquireCount(), waited)
}

// A connection string with a password must not reach an error, however the connection fails.
func TestOpenErrorsHideThePassword(t *testing.T) {
	f := newFixture(t)
	const password = "pass-w0rd-of-the-login"
	host := func(pg *pgtest.DB) string {
		cfg, err := pgx.ParseConfig(pg.URL(rls.RoleApp))
		require.NoError(t, err)
		return fmt.Sprintf("host='%s' port=%d dbname='%s'", cfg.Host, cfg.Port, cfg.Database)
	}
	pooler := f.pg.PgBouncer(t, map[string]string{"auth_type": "scram-sha-256"})
	for name, url := range map[string]string{
		"a port that nobody listens at":       "postgres://tomkit_app:" + password + "@127.0.0.1:1/x?sslmode=disable",
		"a socket that is not there":          "host=/nonexistent user=tomkit_app password=" + password,
		"a host name that does not resolve":   "postgres://tomkit_app:" + password + "@nowhere.invalid/x",
		"several hosts, none of them there":   "postgres://tomkit_app:" + password + "@127.0.0.1:1,127.0.0.1:2/x?sslmode=disable",
		"a database that does not exist":      host(f.pg) + "-not user=tomkit_app password=" + password,
		"a login that does not exist":         host(f.pg) + " user=nobody_of_that_name password=" + password,
		"a pooler that refuses the password":  host(pooler.DB) + " sslmode=disable user=tomkit_app password=" + password,
		"a host that speaks no TLS":           host(f.pg) + " sslmode=require user=nobody_of_that_name password=" + password,
		"a percent sign that escapes nothing": "postgres://tomkit_app:" + password + "%zz@127.0.0.1:1/x",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rls.Open(t.Context(), rls.Config{AppURL: url, ContextKey: pgtest.ContextKey()})
			require.ErrorContains(t, err, "rls: ")
			for e := err; e != nil; e = errors.Unwrap(e) {
				require.NotContains(t, fmt.Sprintf("%v %+v %s %q", e, e, e, e), password)
			}
		})
	}
}
