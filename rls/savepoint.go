package rls

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func savepointName(n int) string { return "rls_sp_" + strconv.Itoa(n) }

// savepoint is a transaction inside a transaction.
type savepoint struct {
	*lazyTx
	name   string
	closed bool
}

// Commit releases the savepoint.
func (sp *savepoint) Commit(ctx context.Context) error {
	return sp.close(ctx, "release savepoint "+sp.name)
}

// Rollback undoes what was done since the savepoint.
func (sp *savepoint) Rollback(ctx context.Context) error {
	return sp.close(ctx, "rollback to savepoint "+sp.name+"; release savepoint "+sp.name)
}

func (sp *savepoint) close(ctx context.Context, sql string) error {
	if sp.closed {
		return pgx.ErrTxClosed
	}
	sp.closed = true
	if err := sp.usable(); err != nil {
		return err
	}
	_, err := sp.conn.Exec(ctx, sql)
	return err
}

func (sp *savepoint) Begin(ctx context.Context) (pgx.Tx, error) {
	if sp.closed {
		return nil, pgx.ErrTxClosed
	}
	return sp.lazyTx.Begin(ctx)
}

func (sp *savepoint) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if sp.closed {
		return pgconn.CommandTag{}, pgx.ErrTxClosed
	}
	return sp.lazyTx.Exec(ctx, sql, args...)
}

func (sp *savepoint) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if sp.closed {
		return failedRows{err: pgx.ErrTxClosed}, pgx.ErrTxClosed
	}
	return sp.lazyTx.Query(ctx, sql, args...)
}

func (sp *savepoint) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if sp.closed {
		return failedRows{err: pgx.ErrTxClosed}
	}
	return sp.lazyTx.QueryRow(ctx, sql, args...)
}

func (sp *savepoint) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if sp.closed {
		return pgx.FailedBatchResults(b, pgx.ErrTxClosed)
	}
	return sp.lazyTx.SendBatch(ctx, b)
}

func (sp *savepoint) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if sp.closed {
		return nil, pgx.ErrTxClosed
	}
	return sp.lazyTx.Prepare(ctx, name, sql)
}
