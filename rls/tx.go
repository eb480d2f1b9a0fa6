package rls

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Tenant reports the tenant of the scope; false in MSP, Anonymous and System scopes.
func (tx *Tx) Tenant() (uuid.UUID, bool) { return tx.scope.id, tx.scope.kind == scopeTenant }

// lazyTx is a transaction whose BEGIN and context travel with its first statement.
type lazyTx struct {
	conn       *pgx.Conn
	ctx        context.Context // of the closure, only for Conn, which has none of its own
	sql, value string          // the statement that sets the context
	level      string          // what a sealed transaction is flushed with, see flush.go
	begun      bool            // BEGIN was executed
	failed     error           // the first statement was refused before BEGIN could be
	done       atomic.Bool     // closed: the only field another goroutine may meet
	savepoints int
}

// usable says why no statement may be sent.
func (t *lazyTx) usable() error {
	switch {
	case t.done.Load():
		return pgx.ErrTxClosed
	case t.failed != nil:
		return t.failed
	case t.begun && !t.conn.IsClosed() && !t.conn.PgConn().IsBusy() && t.conn.PgConn().TxStatus() == 'I':
		return ErrTransactionControl // a statement ended it: what follows would run without a context
	}
	return nil
}

// start sends BEGIN, the context and queries as one pipeline and reads the first two results.
func (t *lazyTx) start(ctx context.Context, queries ...*pgx.QueuedQuery) (pgx.BatchResults, error) {
	return t.startSent(ctx, func() {}, queries...)
}

// startSent is start, and calls sent when everything was written.
func (t *lazyTx) startSent(ctx context.Context, sent func(), queries ...*pgx.QueuedQuery) (pgx.BatchResults, error) {
	if err := refuseEmpty(queries); err != nil {
		return nil, err
	}
	b := &pgx.Batch{QueuedQueries: make([]*pgx.QueuedQuery, 0, 2+len(queries))}
	b.Queue("begin")
	b.Queue(t.sql, t.value)
	b.QueuedQueries = append(b.QueuedQueries, queries...)
	br := t.conn.SendBatch(ctx, b)
	sent()
	_, err := br.Exec()
	if err == nil {
		t.begun = true
		_, err = br.Exec()
	}
	if err == nil {
		return br, nil
	}
	br.Close()
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		t.failed = pgx.ErrTxCommitRollback // as if the statement had aborted a transaction
	}
	return nil, err
}

// Begin makes a savepoint.
func (t *lazyTx) Begin(ctx context.Context) (pgx.Tx, error) {
	t.savepoints++
	sp := &savepoint{lazyTx: t, name: savepointName(t.savepoints)}
	if _, err := t.Exec(ctx, "savepoint "+sp.name); err != nil {
		return nil, err
	}
	return sp, nil
}

// Commit is refused: the closure's result decides.
func (t *lazyTx) Commit(context.Context) error { return ErrTransactionControl }

// Rollback is refused: the closure's result decides.
func (t *lazyTx) Rollback(context.Context) error { return ErrTransactionControl }

// CopyFrom is refused.
func (t *lazyTx) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, ErrCopyUnderRLS
}

func (t *lazyTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if err := t.usable(); err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	if err := refuseEmpty(b.QueuedQueries); err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	if t.begun || b.Len() == 0 {
		return t.conn.SendBatch(ctx, b)
	}
	br, err := t.start(ctx, b.QueuedQueries...)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return br
}

// LargeObjects returns large objects that fail with pgx.ErrTxClosed: row-level security does not cover them, so they
// would be shared by all tenants.
func (t *lazyTx) LargeObjects() pgx.LargeObjects {
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	return pgx.FailedBatchResults(b, pgx.ErrTxClosed).Tx().LargeObjects()
}

func (t *lazyTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t.conn.Prepare(ctx, name, sql)
}

// begin sends BEGIN and the context alone.
func (t *lazyTx) begin(ctx context.Context) error {
	if t.begun {
		return nil
	}
	br, err := t.start(ctx)
	if err != nil {
		return err
	}
	return br.Close()
}

func (t *lazyTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.usable(); err != nil {
		return pgconn.CommandTag{}, err
	}
	if t.begun {
		return execOne(ctx, t.conn, sql, args)
	}
	br, err := t.start(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := br.Exec()
	if cerr := br.Close(); err == nil {
		err = cerr
	}
	return tag, err
}

// execOne runs one statement. Without arguments pgx would use the simple protocol, in which one text may hold several: what
// SQL injection stacks behind the first.
func execOne(ctx context.Context, conn *pgx.Conn, sql string, args []any) (pgconn.CommandTag, error) {
	if len(args) > 0 {
		return conn.Exec(ctx, sql, args...)
	}
	rows, err := conn.Query(ctx, sql, pgx.QueryExecModeExec)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

func (t *lazyTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.usable(); err != nil {
		return failedRows{err: err}, err
	}
	if t.begun {
		return t.conn.Query(ctx, sql, args...)
	}
	br, err := t.start(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	if err != nil {
		return failedRows{err: err}, err
	}
	rows, err := br.Query()
	if err != nil {
		br.Close()
		return rows, err
	}
	return &scopedRows{Rows: rows, end: &pipeline{results: br}}, nil
}

func (t *lazyTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.usable(); err != nil {
		return failedRows{err: err}
	}
	if t.begun {
		return t.conn.QueryRow(ctx, sql, args...)
	}
	rows, err := t.Query(ctx, sql, args...)
	if err != nil {
		return failedRows{err: err}
	}
	return scopedRow{rows.(*scopedRows)}
}

// Conn returns the connection inside the transaction, for drivers that want it, and nil once the closure has returned or if
// the transaction cannot begin. It must not be kept: it goes back to the pool.
func (t *lazyTx) Conn() *pgx.Conn {
	if t.done.Load() {
		return nil
	}
	if t.usable() == nil && t.begin(t.ctx) != nil {
		return nil // what ran on it would run outside a transaction
	}
	return t.conn
}
