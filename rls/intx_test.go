package rls_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

var errNo = errors.New("no")

func TestInTx(t *testing.T) {
	f := single(t)
	a := f.db.Tenant(f.a)
	devices := func() int { return count(t, a, countDevices) }
	insert := func(ctx context.Context, tx pgx.Tx, id int) error {
		_, err := tx.Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, $2, 'x')", f.a, id)
		return err
	}
	in := func(fn func(context.Context, *rls.Tx) error) error { return a.InTx(t.Context(), fn) }

	t.Run("commits when the closure returns nil", func(t *testing.T) {
		require.NoError(t, in(func(ctx context.Context, tx *rls.Tx) error {
			id, ok := tx.Tenant()
			require.True(t, ok)
			require.Equal(t, f.a, id)
			return insert(ctx, tx, 10)
		}))
		require.Equal(t, rowsA+1, devices())
	})
	t.Run("rolls back on an error", func(t *testing.T) {
		require.ErrorIs(t, in(func(ctx context.Context, tx *rls.Tx) error {
			require.NoError(t, insert(ctx, tx, 11))
			return errNo
		}), errNo)
		require.Equal(t, rowsA+1, devices())
	})
	t.Run("rolls back on a panic and hands it on", func(t *testing.T) {
		require.PanicsWithValue(t, "boom", func() {
			_ = in(func(ctx context.Context, tx *rls.Tx) error {
				require.NoError(t, insert(ctx, tx, 11))
				panic("boom")
			})
		})
		require.Equal(t, rowsA+1, devices())
	})
	t.Run("rolls back when the goroutine exits", func(t *testing.T) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = in(func(ctx context.Context, tx *rls.Tx) error {
				_ = insert(ctx, tx, 11)
				runtime.Goexit()
				return nil
			})
		}()
		<-done
		require.Equal(t, rowsA+1, devices())
	})
	t.Run("does nothing when nothing was sent", func(t *testing.T) {
		require.NoError(t, in(func(context.Context, *rls.Tx) error { return nil }))
	})
	t.Run("does not commit what an ignored error aborted", func(t *testing.T) {
		for _, first := range []string{"SELECT 1/0", "SELEC"} {
			require.ErrorIs(t, in(func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, first)
				require.Error(t, err)
				require.Error(t, insert(ctx, tx, 11))
				return nil
			}), pgx.ErrTxCommitRollback)
		}
		require.Equal(t, rowsA+1, devices())
	})
	t.Run("every way to send the first statement has the context", func(t *testing.T) {
		for name, first := range map[string]func(context.Context, *rls.Tx) (int, error){
			"QueryRow": func(ctx context.Context, tx *rls.Tx) (n int, err error) {
				return n, tx.QueryRow(ctx, countDevices).Scan(&n)
			},
			"Query": func(ctx context.Context, tx *rls.Tx) (int, error) {
				rows, err := tx.Query(ctx, countDevices)
				require.NoError(t, err)
				return pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
			},
			"SendBatch": func(ctx context.Context, tx *rls.Tx) (n int, err error) {
				b := &pgx.Batch{}
				b.Queue(countDevices).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
				return n, tx.SendBatch(ctx, b).Close()
			},
			"Prepare": func(ctx context.Context, tx *rls.Tx) (n int, err error) {
				_, err = tx.Prepare(ctx, "", countDevices)
				require.NoError(t, err)
				return n, tx.QueryRow(ctx, countDevices).Scan(&n)
			},
			"Conn": func(ctx context.Context, tx *rls.Tx) (n int, err error) {
				return n, tx.Conn().QueryRow(ctx, countDevices).Scan(&n)
			},
			"Begin": func(ctx context.Context, tx *rls.Tx) (n int, err error) {
				sp, err := tx.Begin(ctx)
				require.NoError(t, err)
				return n, sp.QueryRow(ctx, countDevices).Scan(&n)
			},
		} {
			require.NoError(t, in(func(ctx context.Context, tx *rls.Tx) error {
				n, err := first(ctx, tx)
				require.Equal(t, rowsA+1, n, name)
				return err
			}), name)
		}
	})
	t.Run("a savepoint undoes its part", func(t *testing.T) {
		require.NoError(t, in(func(ctx context.Context, tx *rls.Tx) error {
			sp, err := tx.Begin(ctx)
			require.NoError(t, err)
			require.NoError(t, insert(ctx, sp, 20))
			require.Error(t, insert(ctx, sp, 20))
			require.NoError(t, sp.Rollback(ctx))
			require.ErrorIs(t, sp.Rollback(ctx), pgx.ErrTxClosed)
			require.ErrorIs(t, insert(ctx, sp, 21), pgx.ErrTxClosed)
			sp, err = tx.Begin(ctx)
			require.NoError(t, err)
			inner, err := sp.Begin(ctx)
			require.NoError(t, err)
			require.NoError(t, insert(ctx, inner, 22))
			require.NoError(t, inner.Commit(ctx))
			require.NoError(t, sp.Commit(ctx))
			return nil
		}))
		require.Equal(t, 1, count(t, a, countDevices+" WHERE id BETWEEN 20 AND 29"))
	})
	t.Run("Commit and Rollback are the closure's business", func(t *testing.T) {
		require.NoError(t, in(func(ctx context.Context, tx *rls.Tx) error {
			require.ErrorIs(t, tx.Commit(ctx), rls.ErrTransactionControl)
			require.ErrorIs(t, tx.Rollback(ctx), rls.ErrTransactionControl)
			return nil
		}))
	})
	t.Run("a COMMIT in SQL ends everything", func(t *testing.T) {
		require.ErrorIs(t, in(func(ctx context.Context, tx *rls.Tx) error {
			require.NoError(t, insert(ctx, tx, 30))
			_, err := tx.Exec(ctx, "COMMIT")
			require.NoError(t, err)
			require.ErrorIs(t, insert(ctx, tx, 31), rls.ErrTransactionControl)
			return nil
		}), rls.ErrTransactionControl)
		require.Zero(t, count(t, a, countDevices+" WHERE id = 31"))
	})
	t.Run("large objects are not for tenants", func(t *testing.T) {
		require.NoError(t, in(func(ctx context.Context, tx *rls.Tx) error {
			lo := tx.LargeObjects()
			_, err := lo.Create(ctx, 0)
			require.ErrorIs(t, err, pgx.ErrTxClosed)
			return nil
		}))
	})
	t.Run("after the closure the transaction is closed", func(t *testing.T) {
		var kept *rls.Tx
		var keptCtx context.Context
		require.NoError(t, in(func(ctx context.Context, tx *rls.Tx) error {
			kept, keptCtx = tx, ctx
			return insert(ctx, tx, 40)
		}))
		ctx := t.Context()
		_, err := kept.Exec(ctx, "SELECT 1")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		_, err = kept.Query(ctx, "SELECT 1")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		require.ErrorIs(t, kept.QueryRow(ctx, "SELECT 1").Scan(), pgx.ErrTxClosed)
		_, err = kept.Begin(ctx)
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		_, err = kept.Prepare(ctx, "", "SELECT 1")
		require.ErrorIs(t, err, pgx.ErrTxClosed)
		b := &pgx.Batch{}
		b.Queue("SELECT 1")
		require.ErrorIs(t, kept.SendBatch(ctx, b).Close(), pgx.ErrTxClosed)
		require.Nil(t, kept.Conn())
		_, err = a.Exec(keptCtx, "SELECT 1")
		require.NoError(t, err, "its context opens scopes again")
	})
}

func TestNestedScopesAreRefused(t *testing.T) {
	f := single(t)
	other := f.pg.Open(t)
	a := f.db.Tenant(f.a)
	inside := func(ctx context.Context, _ *rls.Tx) error {
		_, err := a.Exec(ctx, "SELECT 1")
		require.ErrorIs(t, err, rls.ErrNested)
		_, err = f.db.Anonymous().Query(ctx, "SELECT 1")
		require.ErrorIs(t, err, rls.ErrNested)
		require.ErrorIs(t, f.db.MSP(f.msp).QueryRow(ctx, "SELECT 1").Scan(), rls.ErrNested)
		_, err = a.Batch(ctx, &pgx.Batch{})
		require.ErrorIs(t, err, rls.ErrNested)
		require.ErrorIs(t, a.InTx(ctx, func(context.Context, *rls.Tx) error { return nil }), rls.ErrNested)
		require.ErrorIs(t, f.db.System(ctx, "test", func(context.Context, *rls.Tx) error { return nil }), rls.ErrNested)
		_, err = other.Tenant(f.a).Exec(ctx, "SELECT 1")
		require.NoError(t, err, "another DB is another matter")
		return nil
	}
	require.NoError(t, a.InTx(t.Context(), inside))
	require.NoError(t, f.db.System(t.Context(), "test", inside))
}

func TestBeforeCommit(t *testing.T) {
	f := newFixture(t)
	a := f.db.Tenant(f.a)
	t.Run("runs hooks in order, also those registered by hooks, and not before the closure returned", func(t *testing.T) {
		var order []int
		hook := func(i int) func(context.Context, pgx.Tx) error {
			return func(ctx context.Context, tx pgx.Tx) error {
				order = append(order, i)
				_, err := tx.Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, $2, 'hook')", f.a, 10+i)
				return err
			}
		}
		require.NoError(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			tx.BeforeCommit(hook(1))
			tx.BeforeCommit(func(ctx context.Context, inner pgx.Tx) error {
				tx.BeforeCommit(hook(3))
				return hook(2)(ctx, inner)
			})
			require.Empty(t, order)
			return nil
		}))
		require.Equal(t, []int{1, 2, 3}, order)
		require.Equal(t, 3, count(t, a, countDevices+" WHERE name = 'hook'"))
	})
	t.Run("aborts on a hook's error", func(t *testing.T) {
		require.ErrorIs(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			tx.BeforeCommit(func(context.Context, pgx.Tx) error { return errNo })
			tx.BeforeCommit(func(context.Context, pgx.Tx) error { t.Error("must not run"); return nil })
			_, err := tx.Exec(ctx, "DELETE FROM tomkit.devices")
			return err
		}), errNo)
		require.Equal(t, rowsA+3, count(t, a, countDevices))
	})
	t.Run("does not run hooks after the closure failed, or after SQL ended the transaction", func(t *testing.T) {
		never := func(context.Context, pgx.Tx) error { t.Error("must not run"); return nil }
		require.ErrorIs(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			tx.BeforeCommit(never)
			return errNo
		}), errNo)
		require.ErrorIs(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			tx.BeforeCommit(never)
			_, err := tx.Exec(ctx, "ROLLBACK")
			return err
		}), rls.ErrTransactionControl)
	})
}

func TestSystem(t *testing.T) {
	var uses []rls.SystemUse
	f := newFixtureConfig(t, rls.Config{MaxConns: 1, Account: func(_ context.Context, u rls.SystemUse) { uses = append(uses, u) }})
	run := func(r rls.Reason, fn func(context.Context, *rls.Tx) error) error {
		return f.db.System(t.Context(), r, fn)
	}
	t.Run("accounts for each use", func(t *testing.T) {
		require.NoError(t, run("heartbeat_flush", func(ctx context.Context, tx *rls.Tx) error {
			_, ok := tx.Tenant()
			require.False(t, ok)
			_, err := tx.Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, 70, 'x'), ($2, 70, 'x')", f.a, f.b)
			return err
		}))
		require.ErrorIs(t, run("second", func(context.Context, *rls.Tx) error { return errNo }), errNo)
		require.Panics(t, func() { _ = run("third", func(context.Context, *rls.Tx) error { panic("boom") }) })
		require.Len(t, uses, 3)
		require.Equal(t, rls.Reason("heartbeat_flush"), uses[0].Reason)
		require.NoError(t, uses[0].Err)
		require.ErrorIs(t, uses[1].Err, errNo)
		require.Error(t, uses[2].Err)
	})
	t.Run("wants a reason that is a code", func(t *testing.T) {
		for _, r := range []rls.Reason{"", "Because", "a b", "ü", rls.Reason(make([]byte, 65))} {
			require.ErrorIs(t, run(r, func(context.Context, *rls.Tx) error { t.Error("must not run"); return nil }), rls.ErrReason)
		}
	})
}
