package rls

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// rollbackTimeout bounds ROLLBACK, which runs even though the caller's context is done.
const rollbackTimeout = 5 * time.Second

// nestedKey is the context key of the transaction that is open on db.
type nestedKey struct{ db *DB }

// nested reports whether ctx belongs to a transaction of db that is still open.
func (db *DB) nested(ctx context.Context) bool {
	open, ok := ctx.Value(nestedKey{db}).(*atomic.Bool)
	return ok && open.Load()
}

// InTx runs fn in a transaction and commits it if fn returns nil; on an error, a panic or runtime.Goexit it rolls back.
// BEGIN and the context travel together with fn's first statement, so a transaction of one statement takes two round
// trips, and one without statements none. The transaction is READ COMMITTED.
//
// fn gets a context that refuses further scopes of the same DB with [ErrNested]; everything goes through tx, which is not
// safe for concurrent use and fails with pgx.ErrTxClosed once fn has returned. Rows must be closed before fn returns.
func (s Scope) InTx(ctx context.Context, fn func(context.Context, *Tx) error) error {
	conn, sql, value, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	open := &atomic.Bool{}
	open.Store(true)
	tx := &Tx{scope: s}
	lazy := &lazyTx{conn: conn.Conn(), sql: sql, value: value, level: s.db.levels[s.role()]}
	tx.Tx = lazy
	inner := context.WithValue(ctx, nestedKey{s.db}, open)
	lazy.ctx = inner
	defer func() { // also while panicking
		lazy.end(ctx)
		open.Store(false)
		release(conn)
	}()
	if err := fn(inner, tx); err != nil {
		return err
	}
	return tx.finish(inner)
}

// Tx is a scoped transaction, valid until the closure it was given to returns. It is not safe for concurrent use.
//
// Begin makes a savepoint. Commit and Rollback of the outermost transaction return ErrTransactionControl, since the
// closure's result decides. CopyFrom returns ErrCopyUnderRLS.
type Tx struct {
	pgx.Tx
	scope  Scope
	hooks  []func(context.Context, pgx.Tx) error
	sealer Sealer
}

// BeforeCommit runs fn as the last statements before COMMIT, in order of registration and after the closure returned
// nil; a hook may register further ones. An error aborts the transaction.
func (tx *Tx) BeforeCommit(fn func(context.Context, pgx.Tx) error) { tx.hooks = append(tx.hooks, fn) }

// finish runs the hooks and commits.
func (tx *Tx) finish(ctx context.Context) error {
	lazy := tx.Tx.(*lazyTx)
	for i := 0; i < len(tx.hooks); i++ {
		if err := lazy.usable(); err != nil {
			return err
		}
		if err := tx.hooks[i](ctx, lazy); err != nil {
			return err
		}
	}
	if tx.sealer != nil {
		return lazy.seal(ctx, tx.sealer)
	}
	return lazy.commit(ctx)
}

// commit ends a transaction without a sealer.
func (t *lazyTx) commit(ctx context.Context) error {
	if err := t.usable(); err != nil {
		return err
	}
	if !t.begun {
		return nil // nothing was sent
	}
	if t.conn.PgConn().TxStatus() == 'E' {
		return pgx.ErrTxCommitRollback
	}
	unsent := t.conn.IsClosed()
	tag, err := t.conn.Exec(ctx, "commit")
	if err != nil && unsent {
		return err
	}
	if err != nil {
		return commitError(t.conn, err)
	}
	t.done.Store(true)
	if tag.String() == "ROLLBACK" {
		return pgx.ErrTxCommitRollback
	}
	return nil
}

// commitError tells a COMMIT that was refused from one whose outcome nobody knows. That the connection is closed pgx calls
// safe to retry even if it ended while the answer was awaited.
func commitError(conn *pgx.Conn, err error) error {
	var pg *pgconn.PgError
	var unsent pgx.ErrPreprocessingBatch
	if errors.As(err, &pg) && !conn.IsClosed() || errors.As(err, &unsent) ||
		pgconn.SafeToRetry(err) && !errors.Is(err, pgconn.ErrConnClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCommitUnknown, err)
}

// end makes the transaction unusable and rolls back what was not committed.
func (t *lazyTx) end(ctx context.Context) {
	t.done.Store(true)
	if t.conn.IsClosed() || t.conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if _, err := t.conn.Exec(ctx, "rollback"); err != nil {
		t.conn.Close(ctx) // the server rolls back
	}
}
