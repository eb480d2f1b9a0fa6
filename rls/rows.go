package rls

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// scopedBatch are the results of a pipeline. Closing it reads the rest, among it the outcome of the commit, and returns
// the connection if the pipeline owns one.
type scopedBatch struct {
	pgx.BatchResults
	conn   *pgxpool.Conn // nil inside InTx
	closed bool
	err    error
}

// Close may be called several times and returns the same error each time.
func (br *scopedBatch) Close() error {
	if br.closed {
		return br.err
	}
	br.closed = true
	br.err = br.BatchResults.Close()
	if br.conn == nil {
		return br.err
	}
	if br.err == nil && br.conn.Conn().PgConn().TxStatus() != 'I' {
		br.err = ErrTransactionControl // the pool closes the connection, which undoes the transaction
	}
	br.conn.Release()
	return br.err
}

// Tx returns nil: the pipeline is a transaction of its own.
func (br *scopedBatch) Tx() pgx.Tx { return nil }

// scopedRows return the connection when closed.
type scopedRows struct {
	pgx.Rows
	br  *scopedBatch
	err error
}

func (r *scopedRows) Close() {
	r.Rows.Close()
	if err := r.br.Close(); r.err == nil {
		r.err = err
	}
}

func (r *scopedRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

func (r *scopedRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *scopedRows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

func (r *scopedRows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}
	return values, err
}

// scopedRow returns the connection when scanned.
type scopedRow struct {
	pgx.Row
	br *scopedBatch
}

func (r *scopedRow) Scan(dest ...any) error {
	defer r.br.Close() // a destination may panic
	err := r.Row.Scan(dest...)
	if cerr := r.br.Close(); err == nil {
		err = cerr
	}
	return err
}

// failedRows stand for rows, or a row, that never came to be.
type failedRows struct{ err error }

func (failedRows) Close()                                       {}
func (r failedRows) Err() error                                 { return r.err }
func (failedRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (failedRows) Next() bool                                   { return false }
func (r failedRows) Scan(...any) error                          { return r.err }
func (r failedRows) Values() ([]any, error)                     { return nil, r.err }
func (failedRows) RawValues() [][]byte                          { return nil }
func (failedRows) Conn() *pgx.Conn                              { return nil }
func (failedRows) TypeMap() *pgtype.Map                         { return nil }
