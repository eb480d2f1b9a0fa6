package rls

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const sealSavepoint = "rls_seal"

// A Sealer ends a transaction: it writes its last statements together with COMMIT.
//
// Seal reads what it needs through tx and then calls commit with its last statements.
type Sealer interface {
	Seal(ctx context.Context, tx pgx.Tx, commit Commit) error
}

// Commit sends SAVEPOINT, the statements of b and COMMIT as one pipeline, one round trip; results are read by the
// callbacks of the queued queries. If a statement fails, Commit returns its error with the transaction still open and
// undone to the savepoint, so locks taken by the statements are released and the sealer may look again and retry. If Commit
// returns nil the transaction is committed and durable. Its locks are released as soon as it is committed; that it is
// durable is awaited without them.
//
// sent, unless nil, is called when everything was written to the connection and the answer is awaited.
//
// Three errors end the transaction: one matching [ErrCommitUnknown], one matching [ErrCommitted] (a callback
// failed after the commit), and a refusal of COMMIT itself, such as a deferred constraint; further calls then return
// pgx.ErrTxClosed. Seal returning nil without a successful commit rolls back with [ErrNotSealed].
type Commit func(b *pgx.Batch, sent func()) error

// Sealer returns tx's sealer, calling create for it the first time. A transaction has at most one, which runs after all
// [Tx.BeforeCommit] hooks.
func (tx *Tx) Sealer(create func() Sealer) Sealer {
	if tx.sealer == nil {
		tx.sealer = create()
	}
	return tx.sealer
}

// seal lets s commit.
func (t *lazyTx) seal(ctx context.Context, s Sealer) error {
	committed := false
	err := s.Seal(ctx, t, func(b *pgx.Batch, sent func()) error {
		err := t.sealBatch(ctx, b, sent)
		committed = committed || err == nil
		return err
	})
	if err == nil && !committed {
		return ErrNotSealed
	}
	return err
}

// sealBatch is the commit function of a sealer.
func (t *lazyTx) sealBatch(ctx context.Context, b *pgx.Batch, sent func()) error {
	if err := t.usable(); err != nil {
		return err
	}
	e := newEnding(t.level)
	err := t.sendSeal(ctx, slices.Concat(e.before, b.QueuedQueries, e.after), sent)
	status := t.conn.PgConn().TxStatus()
	switch {
	case err == nil && status == 'I':
		t.done.Store(true)
		return nil
	case err == nil: // a statement of b changed what COMMIT ended
		return ErrTransactionControl
	case t.conn.IsClosed():
		t.done.Store(true)
		return commitError(t.conn, err)
	case status == 'I' && t.begun:
		t.done.Store(true)
		return e.ended(err)
	case status == 'E':
		return t.undoSeal(ctx, err)
	}
	return err // nothing was sent
}

// sendSeal sends the pipeline, with BEGIN in front if nothing was sent before.
func (t *lazyTx) sendSeal(ctx context.Context, queries []*pgx.QueuedQuery, sent func()) error {
	if sent == nil {
		sent = func() {}
	}
	if !t.begun {
		br, err := t.startSent(ctx, sent, queries...)
		if err != nil {
			return err
		}
		return br.Close()
	}
	br := t.conn.SendBatch(ctx, &pgx.Batch{QueuedQueries: queries})
	sent()
	return br.Close()
}

// ended explains an error of a pipeline after which no transaction is open: COMMIT was refused, or it succeeded and the
// flush or a callback failed.
func (e *ending) ended(err error) error {
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && e.committed:
		return fmt.Errorf("%w: %w", ErrCommitUnknown, err)
	case errors.As(err, &pg):
		return err
	}
	return fmt.Errorf("%w: %w", ErrCommitted, err)
}

// undoSeal goes back to the savepoint, which also releases the locks taken since.
func (t *lazyTx) undoSeal(ctx context.Context, cause error) error {
	_, err := t.conn.Exec(ctx, "rollback to savepoint "+sealSavepoint+"; release savepoint "+sealSavepoint)
	if err != nil {
		t.failed = pgx.ErrTxCommitRollback // there is no way back, only the rollback at the end
	}
	return cause
}
