package rls_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
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
			return sealFunc(func(_ context.Context, _ pgx.Tx, commit func(*pgx.Batch) error) error {
				last := &pgx.Batch{}
				last.Queue(countDevices).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
				sealed = true
				return commit(last)
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

// TestTenantsHammerAPooler has 64 connections of two tenants share four of the server, while some of them leave behind on
// those whatever a session can keep.
func TestTenantsHammerAPooler(t *testing.T) {
	const clients, rounds = 64, 30
	f := newPooled(t, nil, rls.Config{MaxConns: clients})
	var foreign, reads atomic.Int64
	var mu sync.Mutex
	served := map[int]map[uuid.UUID]bool{} // by server process
	stolen := rls.Context(f.db.Tenant(f.b))
	one := func(ctx context.Context, id uuid.UUID, n int) error {
		s := f.db.Tenant(id)
		seen := func(pid int, id uuid.UUID, others int) {
			reads.Add(1)
			foreign.Add(int64(others))
			mu.Lock()
			defer mu.Unlock()
			if served[pid] == nil {
				served[pid] = map[uuid.UUID]bool{}
			}
			served[pid][id] = true
		}
		const look = "SELECT pg_backend_pid(), count(*) FILTER (WHERE tenant_id <> $1) FROM tomkit.devices"
		var pid, others int
		switch n % 8 {
		case 0:
			if err := s.QueryRow(ctx, look, id).Scan(&pid, &others); err != nil {
				return err
			}
			seen(pid, id, others)
		case 1:
			return s.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				for range 3 {
					if err := tx.QueryRow(ctx, look, id).Scan(&pid, &others); err != nil {
						return err
					}
					seen(pid, id, others)
				}
				return nil
			})
		case 2:
			b := &pgx.Batch{}
			for range 5 {
				b.Queue(look, id).QueryRow(func(row pgx.Row) error {
					err := row.Scan(&pid, &others)
					seen(pid, id, others)
					return err
				})
			}
			br, err := s.Batch(ctx, b)
			if err != nil {
				return err
			}
			return br.Close()
		case 3: // nobody sees anything, whatever was left behind
			if err := f.db.Anonymous().QueryRow(ctx, look, uuid.Nil).Scan(&pid, &others); err != nil {
				return err
			}
			seen(pid, uuid.Nil, others)
		case 4: // a stolen context and one's own, left for the session
			_, err := s.Exec(ctx, "SELECT set_config('app.tenant_id', $1, false), set_config('app.bypass_rls', 'on', false)", stolen)
			return err
		case 5:
			_, err := s.Exec(ctx, "SELECT set_config('app.tenant_id', current_setting('app.tenant_id'), false)")
			return err
		case 6:
			_, err := s.Exec(ctx, "RESET ALL")
			return err
		case 7: // an error in the middle, after a setting for the session that it undoes
			_, err := s.Exec(ctx, "SELECT set_config('app.tenant_id', $1, false), 1/0", stolen)
			if err == nil {
				return errors.New("no error")
			}
		}
		return nil
	}
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			id := []uuid.UUID{f.a, f.b}[c%2]
			for n := range rounds {
				if err := one(t.Context(), id, c/2+n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	require.Zero(t, foreign.Load())
	require.Greater(t, reads.Load(), int64(clients*rounds/2))
	require.LessOrEqual(t, len(served), 4)
	shared := 0
	for _, who := range served {
		shared = max(shared, len(who))
	}
	require.Equal(t, 3, shared, "no process served A, B and nobody")
}

// left returns what a client without a scope finds in app.tenant_id, and how many rows it sees.
func left(t *testing.T, pool *pgxpool.Pool) (setting string, rows int) {
	t.Helper()
	err := pool.QueryRow(t.Context(), "SELECT COALESCE(current_setting('app.tenant_id', true), ''), count(*) FROM tomkit.devices",
		pgx.QueryExecModeExec).Scan(&setting, &rows)
	require.NoError(t, err)
	return setting, rows
}

func TestSettingsLeftInAPooler(t *testing.T) {
	one := map[string]string{"default_pool_size": "1"}
	t.Run("a stolen context that a client sets for its session reaches no scope", func(t *testing.T) {
		f := newPooled(t, one, rls.Config{})
		raw := f.pooler.Pool(t, rls.RoleApp)
		stolen := rls.Context(f.db.Tenant(f.b))
		for _, steal := range []string{"SET app.tenant_id = '" + stolen + "'", "SELECT set_config('app.tenant_id', '" + stolen + "', false)"} {
			_, err := raw.Exec(t.Context(), steal)
			require.NoError(t, err)
			setting, rows := left(t, raw)
			require.Equal(t, stolen, setting, "the next client without a scope has it: this is what the test is about")
			require.Equal(t, rowsB, rows)
			require.Equal(t, rowsA, count(t, f.db.Tenant(f.a), countDevices))
			require.Zero(t, count(t, f.db.Tenant(f.a), countDevices+" WHERE tenant_id = $1", f.b))
			require.Zero(t, count(t, f.db.Anonymous(), countDevices))
			require.Zero(t, count(t, f.db.Tenant(uuid.New()), countDevices))
			require.NoError(t, f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				var n int
				err := tx.Conn().QueryRow(ctx, countDevices).Scan(&n)
				require.Equal(t, rowsA, n, "on the bare connection of a transaction")
				return err
			}))
			setting, _ = left(t, raw)
			require.Equal(t, stolen, setting, "and it comes back when the scopes are gone")
			_, err = raw.Exec(t.Context(), "RESET app.tenant_id")
			require.NoError(t, err)
			setting, rows = left(t, raw)
			require.Empty(t, setting)
			require.Zero(t, rows)
		}
	})
	t.Run("a scope leaves nothing for a client without one", func(t *testing.T) {
		f := newPooled(t, one, rls.Config{})
		raw := f.pooler.Pool(t, rls.RoleApp)
		for range 3 {
			everyScope(t, f.fixture, f.db)
			setting, rows := left(t, raw)
			require.Empty(t, setting)
			require.Zero(t, rows)
		}
	})
	t.Run("the bypass that a client sets for its session is nothing on the request login", func(t *testing.T) {
		f := newPooled(t, one, rls.Config{})
		_, err := f.pooler.Pool(t, rls.RoleApp).Exec(t.Context(), "SET app.bypass_rls = 'on'")
		require.NoError(t, err)
		require.Equal(t, rowsA, count(t, f.db.Tenant(f.a), countDevices))
		require.Zero(t, count(t, f.db.Anonymous(), countDevices))
	})
	t.Run("server_reset_query_always takes it away after each transaction", func(t *testing.T) {
		f := newPooled(t, map[string]string{"default_pool_size": "1", "server_reset_query": "DISCARD ALL", "server_reset_query_always": "1"}, rls.Config{})
		raw := f.pooler.Pool(t, rls.RoleApp)
		_, err := raw.Exec(t.Context(), "SET app.tenant_id = '"+rls.Context(f.db.Tenant(f.b))+"'")
		require.NoError(t, err)
		setting, rows := left(t, raw)
		require.Empty(t, setting)
		require.Zero(t, rows)
		everyScope(t, f.fixture, f.db)
	})
	t.Run("DISCARD and RESET inside a scope end in no rows, not in others'", func(t *testing.T) {
		f := newPooled(t, one, rls.Config{})
		_, err := f.pooler.Pool(t, rls.RoleApp).Exec(t.Context(), "SET app.tenant_id = '"+rls.Context(f.db.Tenant(f.b))+"'")
		require.NoError(t, err)
		_, err = f.db.Tenant(f.a).Exec(t.Context(), "DISCARD ALL")
		requireCode(t, "25001", err)
		for _, reset := range []string{"RESET app.tenant_id", "RESET ALL", "SET app.tenant_id TO DEFAULT"} {
			require.NoError(t, f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, reset)
				require.NoError(t, err)
				var n int
				require.NoError(t, tx.QueryRow(ctx, countDevices).Scan(&n))
				require.Zero(t, n, reset)
				return nil
			}))
		}
		require.Equal(t, rowsA, count(t, f.db.Tenant(f.a), countDevices))
	})
}

func TestPooledTransactions(t *testing.T) {
	f := newPooled(t, map[string]string{"default_pool_size": "1"}, rls.Config{})
	a := f.db.Tenant(f.a)
	usable := func(t *testing.T) {
		t.Helper()
		require.Equal(t, rowsA, count(t, a, countDevices), "the only connection to the server must be back and in order")
		require.Zero(t, count(t, f.db.Anonymous(), countDevices))
	}
	t.Run("an error in the middle undoes what came before", func(t *testing.T) {
		err := a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, 50, 'x')", f.a)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "SELECT 1/0")
			requireCode(t, "22012", err)
			return nil
		})
		require.ErrorIs(t, err, pgx.ErrTxCommitRollback)
		usable(t)
	})
	t.Run("a savepoint undoes its own part", func(t *testing.T) {
		require.NoError(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			require.Error(t, pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, 51, 'x')", f.a)
				require.NoError(t, err)
				_, err = tx.Exec(ctx, "SELECT nothing")
				return err
			}))
			var n int
			require.NoError(t, tx.QueryRow(ctx, countDevices).Scan(&n))
			require.Equal(t, rowsA, n)
			return nil
		}))
		usable(t)
	})
	t.Run("a panic rolls back", func(t *testing.T) {
		require.Panics(t, func() {
			_ = a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, _ = tx.Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, 52, 'x')", f.a)
				panic("no")
			})
		})
		usable(t)
	})
	t.Run("COPY TO is filtered and COPY FROM refused", func(t *testing.T) {
		require.NoError(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			var out bytes.Buffer
			_, err := tx.Conn().PgConn().CopyTo(ctx, &out, "COPY tomkit.devices (name) TO STDOUT")
			require.NoError(t, err)
			require.Equal(t, "a1\na2\na3\n", out.String())
			_, err = tx.CopyFrom(ctx, pgx.Identifier{"tomkit", "devices"}, []string{"id"}, pgx.CopyFromRows(nil))
			require.ErrorIs(t, err, rls.ErrCopyUnderRLS)
			return nil
		}))
		err := a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Conn().PgConn().CopyFrom(ctx, strings.NewReader(f.b.String()+"\t60\tx\n"), "COPY tomkit.devices FROM STDIN")
			return err
		})
		requireCode(t, "0A000", err)
		usable(t)
	})
	t.Run("a batch of thousands with answers larger than any buffer", func(t *testing.T) {
		const many = 4000
		b := &pgx.Batch{}
		got := 0
		for i := range many {
			b.Queue("SELECT $1::int, repeat($2, 1000), count(*) FROM tomkit.devices", i, "x").QueryRow(func(row pgx.Row) error {
				var id, n int
				var text string
				err := row.Scan(&id, &text, &n)
				if err == nil && id == i && len(text) == 1000 && n == rowsA {
					got++
				}
				return err
			})
		}
		br, err := a.Batch(t.Context(), b)
		require.NoError(t, err)
		require.NoError(t, br.Close())
		require.Equal(t, many, got)
		large := strings.Repeat("é", 4<<20)
		require.Equal(t, len(large)/2, count(t, a, "SELECT char_length($1::text)", large))
		usable(t)
	})
	for name, run := range map[string]func(context.Context) error{
		"Exec": func(ctx context.Context) error { _, err := a.Exec(ctx, "SELECT pg_sleep(600)"); return err },
		"InTx": func(ctx context.Context) error {
			return a.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, "SELECT 1")
				require.NoError(t, err)
				_, err = tx.Exec(ctx, "SELECT pg_sleep(600)")
				return err
			})
		},
	} {
		t.Run(name+" that is cancelled gives the server back", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- run(ctx) }()
			sleeping := func() (n int) {
				require.NoError(t, f.super.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
					WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()`).Scan(&n))
				return n
			}
			require.Eventually(t, func() bool { return sleeping() == 1 }, patience, tick)
			cancel()
			require.ErrorIs(t, <-ended, context.Canceled)
			usable(t) // the pooler has one connection: it waits for the server to stop sleeping
			require.Zero(t, sleeping())
		})
	}
}

// loaded writes rows of two tenants while fn disturbs them and reports what was seen. Errors are expected, foreign rows
// and rows that nobody was told of are not.
type loaded struct {
	foreign, written, unknown, failed atomic.Int64
}

func underLoad(t *testing.T, f *fixture, db *rls.DB, disturb func()) *loaded {
	t.Helper()
	l := &loaded{}
	stop := make(chan struct{})
	var ids atomic.Int64
	ids.Store(1000)
	var all sync.WaitGroup
	for c := range 16 {
		all.Go(func() {
			tenant := []uuid.UUID{f.a, f.b}[c%2]
			for {
				select {
				case <-stop:
					return
				default:
				}
				l.count(l.write(db.Tenant(tenant), tenant, ids.Add(1)))
			}
		})
	}
	progress := func(n int64) {
		target := l.written.Load() + n
		require.Eventually(t, func() bool { return l.written.Load() >= target }, patience, tick)
	}
	progress(50)
	disturb()
	progress(50)
	close(stop)
	all.Wait()
	return l
}

func (l *loaded) write(s rls.Scope, tenant uuid.UUID, id int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		var others int
		err := tx.QueryRow(ctx, "SELECT count(*) FROM tomkit.devices WHERE tenant_id <> $1", tenant).Scan(&others)
		l.foreign.Add(int64(others))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, $2, 'load')", tenant, id)
		return err
	})
}

func (l *loaded) count(err error) {
	switch {
	case err == nil:
		l.written.Add(1)
	case errors.Is(err, rls.ErrCommitUnknown):
		l.unknown.Add(1)
	default:
		l.failed.Add(1)
		time.Sleep(rand.N(2 * time.Millisecond)) // the server is not there: let it come back
	}
}

// requireKept compares what the database holds with what the writers were told.
func (l *loaded) requireKept(t *testing.T, f *fixture) {
	t.Helper()
	require.Zero(t, l.foreign.Load())
	var rows int64
	require.NoError(t, f.super.QueryRow(t.Context(), "SELECT count(*) FROM tomkit.devices WHERE name = 'load'").Scan(&rows))
	require.GreaterOrEqual(t, rows, l.written.Load(), "nothing that was committed is lost")
	require.LessOrEqual(t, rows, l.written.Load()+l.unknown.Load(), "nothing that failed is there")
}

func TestRestartsUnderLoad(t *testing.T) {
	t.Run("of the pooler", func(t *testing.T) {
		f := newPooled(t, nil, rls.Config{MaxConns: 16})
		l := underLoad(t, f.fixture, f.db, func() { f.pooler.Restart(t) })
		require.Positive(t, l.failed.Load()+l.unknown.Load(), "it was noticed")
		l.requireKept(t, f.fixture)
	})
	t.Run("of all connections of the server", func(t *testing.T) {
		f := newPooled(t, nil, rls.Config{MaxConns: 16})
		l := underLoad(t, f.fixture, f.db, func() {
			for range 5 {
				_, err := f.super.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND datname = current_database()", rls.RoleApp)
				require.NoError(t, err)
			}
		})
		l.requireKept(t, f.fixture)
	})
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
