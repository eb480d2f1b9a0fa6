package rls_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

// sealing is a closure whose sealer runs the statements.
func sealing(statements ...*pgx.QueuedQuery) func(context.Context, *rls.Tx) error {
	return func(_ context.Context, tx *rls.Tx) error {
		tx.Sealer(func() rls.Sealer {
			return sealFunc(func(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
				return commit(&pgx.Batch{QueuedQueries: statements}, nil)
			})
		})
		return nil
	}
}

func insertDevice(f *fixture, id int) *pgx.QueuedQuery {
	return &pgx.QueuedQuery{SQL: "INSERT INTO tomkit.devices VALUES ($1, $2, 'sealed')", Arguments: []any{f.a, id}}
}

func TestASealedCommitIsFlushedWhenItIsAcknowledged(t *testing.T) {
	f := fixtureOn(t, pgtest.NewPrivate(t, map[string]string{"wal_writer_delay": "10s"}, fixtureSources()...).DB)
	a := f.pg.OpenConfig(t, rls.Config{MaxConns: 1}).Tenant(f.a)
	flushed := func(fn func(context.Context, *rls.Tx) error) bool {
		require.NoError(t, a.InTx(t.Context(), fn))
		var yes bool
		// pg_current_wal_insert_lsn never lies behind the commit record; nothing else writes here.
		require.NoError(t, f.super.QueryRow(t.Context(), "SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()").Scan(&yes))
		return yes
	}
	off := func(id int) func(context.Context, *rls.Tx) error {
		return func(ctx context.Context, tx *rls.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT set_config('synchronous_commit', 'off', true)"); err != nil {
				return err
			}
			return sealing(insertDevice(f, id))(ctx, tx)
		}
	}
	for i := range 10 {
		require.True(t, flushed(sealing(insertDevice(f, 100+i))))
	}
	var level string
	require.NoError(t, a.QueryRow(t.Context(), "SELECT current_setting('synchronous_commit')").Scan(&level))
	require.Equal(t, "on", level, "nothing stays on the connection")
	require.True(t, flushed(off(200)), "a level that the transaction chose for itself is not less")
}

func TestLocksAreFreeWhileTheFlushIsAwaited(t *testing.T) {
	f := fixtureOn(t, pgtest.NewPrivate(t, map[string]string{"max_wal_senders": "1", "wal_level": "replica"}, fixtureSources()...).DB)
	// Only the request login waits for a standby, and there is none: its flush lasts until somebody ends it.
	for _, sql := range []string{
		"ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
		"ALTER ROLE tomkit_app SET synchronous_commit = 'remote_apply'",
		"ALTER SYSTEM SET synchronous_commit = 'local'",
		"SELECT pg_reload_conf()",
	} {
		_, err := f.super.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	waiting := func() (pid int) {
		err := f.super.QueryRow(t.Context(), "SELECT pid FROM pg_stat_activity WHERE usename = 'tomkit_app' AND wait_event = 'SyncRep'").Scan(&pid)
		if err != nil {
			require.ErrorIs(t, err, pgx.ErrNoRows)
		}
		return pid
	}
	for name, c := range map[string]struct {
		end  string
		want error
	}{
		"cancelled, it is done here":    {"SELECT pg_cancel_backend($1)", nil}, // PostgreSQL warns, as with any commit
		"terminated, it is in the dark": {"SELECT pg_terminate_backend($1)", rls.ErrCommitUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.pg.OpenConfig(t, rls.Config{MaxConns: 1}).Tenant(f.a)
			id := 1000 * len(name)
			lock := &pgx.QueuedQuery{SQL: "SELECT pg_advisory_xact_lock(4711)"}
			result := make(chan error, 1)
			begin := func() {
				go func() { result <- a.InTx(context.Background(), sealing(lock, insertDevice(f, id))) }()
			}
			begin()
			require.Eventually(t, func() bool {
				select {
				case err := <-result: // the server has not taken notice of its settings yet
					require.NoError(t, err)
					id++
					begin()
				default:
				}
				return waiting() != 0
			}, patience, tick)
			var free bool
			require.NoError(t, f.super.QueryRow(t.Context(), "SELECT pg_try_advisory_xact_lock(4711)").Scan(&free))
			require.True(t, free)
			var n int
			require.NoError(t, f.super.QueryRow(t.Context(), "SELECT count(*) FROM tomkit.devices WHERE id = $1", id).Scan(&n))
			require.Equal(t, 1, n, "committed")
			select {
			case err := <-result:
				t.Fatalf("acknowledged before the standby answered: %v", err)
			default:
			}
			_, err := f.super.Exec(t.Context(), c.end, waiting())
			require.NoError(t, err)
			require.ErrorIs(t, <-result, c.want)
		})
	}
}
