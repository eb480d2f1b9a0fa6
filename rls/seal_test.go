package rls_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

// sealFunc is a sealer made of a function.
type sealFunc func(ctx context.Context, tx pgx.Tx, commit rls.Commit) error

func (f sealFunc) Seal(ctx context.Context, tx pgx.Tx, commit rls.Commit) error {
	return f(ctx, tx, commit)
}

func TestSealer(t *testing.T) {
	f := single(t)
	a := f.db.Tenant(f.a)
	insert := func(id int) *pgx.Batch {
		b := &pgx.Batch{}
		b.Queue("INSERT INTO tomkit.devices VALUES ($1, $2, 'sealed')", f.a, id)
		return b
	}
	sealed := func() int { return count(t, a, countDevices+" WHERE name = 'sealed'") }
	// in runs statements of the closure before the seal, or none.
	in := func(statements int, seal sealFunc) error {
		return a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			tx.Sealer(func() rls.Sealer { return seal })
			for range statements {
				if _, err := tx.Exec(ctx, "SELECT 1"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, statements := range []int{0, 1, 2} {
		t.Run([]string{"as the first statements", "after one statement", "after two statements"}[statements], func(t *testing.T) {
			t.Run("commits and hands out results", func(t *testing.T) {
				before := sealed()
				var n int
				require.NoError(t, in(statements, func(ctx context.Context, tx pgx.Tx, commit rls.Commit) error {
					b := insert(100 + 10*statements)
					b.Queue(countDevices).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
					require.NoError(t, commit(b, nil))
					require.ErrorIs(t, commit(insert(999), nil), pgx.ErrTxClosed)
					_, err := tx.Exec(ctx, "SELECT 1")
					require.ErrorIs(t, err, pgx.ErrTxClosed)
					return nil
				}))
				require.Equal(t, before+1, sealed())
				require.NotZero(t, n)
			})
			t.Run("retries after a statement failed, with its locks released", func(t *testing.T) {
				before := sealed()
				require.NoError(t, in(statements, func(ctx context.Context, tx pgx.Tx, commit rls.Commit) error {
					for range 3 {
						b := &pgx.Batch{}
						b.Queue("SELECT pg_advisory_xact_lock(4711)")
						b.Queue("INSERT INTO tomkit.devices VALUES ($1, 1, 'twice')", f.a)
						requireCode(t, "23505", commit(b, nil))
						var free bool
						require.NoError(t, f.super.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock(4711)").Scan(&free))
						require.True(t, free)
						var n int
						require.NoError(t, tx.QueryRow(ctx, countDevices).Scan(&n), "the transaction is open and has its context")
						require.NotZero(t, n)
					}
					return commit(insert(101+10*statements), nil)
				}))
				require.Equal(t, before+1, sealed())
			})
		})
	}
	t.Run("rolls back when it gives up", func(t *testing.T) {
		before := sealed()
		require.ErrorIs(t, in(1, func(ctx context.Context, tx pgx.Tx, commit rls.Commit) error {
			b := insert(200)
			b.Queue("SELECT 1/0")
			requireCode(t, "22012", commit(b, nil))
			return errNo
		}), errNo)
		require.Equal(t, before, sealed())
	})
	t.Run("rolls back when it returns without committing", func(t *testing.T) {
		before := sealed()
		require.ErrorIs(t, in(1, func(ctx context.Context, tx pgx.Tx, _ rls.Commit) error {
			_, err := tx.Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, 201, 'sealed')", f.a)
			return err
		}), rls.ErrNotSealed)
		require.Equal(t, before, sealed())
	})
	t.Run("rolls back when it panics", func(t *testing.T) {
		require.Panics(t, func() {
			_ = in(1, func(context.Context, pgx.Tx, rls.Commit) error { panic("boom") })
		})
		require.Equal(t, rowsA, count(t, a, countDevices+" WHERE name LIKE 'a%'"))
	})
	t.Run("says so when the commit is done and a callback failed", func(t *testing.T) {
		before := sealed()
		err := in(1, func(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
			b := insert(202)
			b.QueuedQueries[0].Exec(nil)
			b.QueuedQueries[0].Fn = func(pgx.BatchResults) error { return errNo }
			return commit(b, nil)
		})
		require.ErrorIs(t, err, rls.ErrCommitted)
		require.ErrorIs(t, err, errNo)
		require.Equal(t, before+1, sealed())
	})
	t.Run("reports a COMMIT that is refused", func(t *testing.T) {
		before := sealed()
		requireCode(t, "23503", in(1, func(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
			b := insert(203)
			b.Queue("INSERT INTO tomkit.notes (tenant_id, device_id, body) VALUES ($1, 55, 'x')", f.a)
			err := commit(b, nil)
			require.ErrorIs(t, commit(insert(204), nil), pgx.ErrTxClosed)
			return err
		}))
		require.Equal(t, before, sealed())
	})
	t.Run("knows that a statement that could not be encoded was not committed", func(t *testing.T) {
		err := in(1, func(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
			b := insert(205)
			b.Queue("SELECT $1::int", struct{}{})
			return commit(b, nil)
		})
		require.Error(t, err)
		require.NotErrorIs(t, err, rls.ErrCommitUnknown)
		require.Zero(t, count(t, a, countDevices+" WHERE id = 205"))
	})
	t.Run("does not run after an error and runs after the hooks", func(t *testing.T) {
		var order []string
		seal := sealFunc(func(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
			order = append(order, "seal")
			return commit(&pgx.Batch{}, nil)
		})
		require.NoError(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			one := tx.Sealer(func() rls.Sealer { return seal })
			two := tx.Sealer(func() rls.Sealer { t.Error("a second sealer"); return nil })
			require.NotNil(t, one)
			require.NotNil(t, two)
			tx.BeforeCommit(func(context.Context, pgx.Tx) error { order = append(order, "hook"); return nil })
			return nil
		}))
		require.Equal(t, []string{"hook", "seal"}, order)
		require.ErrorIs(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			tx.Sealer(func() rls.Sealer { return seal })
			return errNo
		}), errNo)
		require.Len(t, order, 2)
	})
}

// TestLostConnections loses the connection at each stage. A deferred trigger stands for what happens during COMMIT.
func TestLostConnections(t *testing.T) {
	f := single(t)
	a := f.db.Tenant(f.a)
	_, err := f.super.Exec(t.Context(), `
		CREATE FUNCTION tomkit.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.body = 'sleep' THEN PERFORM pg_sleep(30); END IF;
			IF NEW.body = 'die' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
			RETURN NULL;
		END $$;
		CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON tomkit.notes DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION tomkit.at_commit()`)
	require.NoError(t, err)
	const note = "INSERT INTO tomkit.notes (tenant_id, device_id, body) VALUES ($1, 1, $2)"
	kill := func(ctx context.Context, tx pgx.Tx) {
		t.Helper()
		var pid int
		require.NoError(t, tx.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid))
		_, err := f.super.Exec(ctx, "SELECT pg_terminate_backend($1, 5000)", pid)
		require.NoError(t, err)
	}
	for _, how := range []string{"die", "sleep"} {
		during := func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), time.Second)
		}
		t.Run("during COMMIT the outcome is unknown: "+how, func(t *testing.T) {
			ctx, cancel := during()
			defer cancel()
			require.ErrorIs(t, a.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, note, f.a, how)
				return err
			}), rls.ErrCommitUnknown)
		})
		t.Run("during a sealer's commit the outcome is unknown: "+how, func(t *testing.T) {
			ctx, cancel := during()
			defer cancel()
			require.ErrorIs(t, a.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				tx.Sealer(func() rls.Sealer {
					return sealFunc(func(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
						b := &pgx.Batch{}
						b.Queue(note, f.a, how)
						err := commit(b, nil)
						require.ErrorIs(t, commit(&pgx.Batch{}, nil), pgx.ErrTxClosed)
						return err
					})
				})
				return nil
			}), rls.ErrCommitUnknown)
		})
	}
	t.Run("before COMMIT nothing is committed and nothing unknown", func(t *testing.T) {
		err := a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			kill(ctx, tx)
			return nil
		})
		require.Error(t, err)
		if strings.Contains(f.pg.URL(rls.RoleApp), "host=%2F") { // over TCP the server's farewell may pass for the answer to COMMIT
			require.NotErrorIs(t, err, rls.ErrCommitUnknown)
		}
	})
	t.Run("in a statement", func(t *testing.T) {
		require.Error(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			kill(ctx, tx)
			_, err := tx.Exec(ctx, "SELECT 1")
			require.Error(t, err)
			return nil
		}))
	})
	require.Equal(t, rowsA, count(t, a, countDevices))
	require.Zero(t, count(t, a, "SELECT count(*) FROM tomkit.notes"))
}
