package rls_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

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
