package rls

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pipeline is what was sent and not yet read. Closing it reads the rest, among it the outcome of the commit, and returns the
// connection if the pipeline owns one.
type pipeline struct {
	results interface{ Close() error }
	conn    *pgxpool.Conn        // nil inside InTx
	forget  func(*pgconn.PgConn) // drops the prepared statements, if they are our own
	closed  bool
	err     error
}

// Close may be called several times and returns the same error each time.
func (p *pipeline) Close() error {
	if p.closed {
		return p.err
	}
	p.closed = true
	p.err = p.results.Close()
	if p.conn == nil {
		return p.err
	}
	server := p.conn.Conn().PgConn()
	switch {
	case p.err == nil && server.TxStatus() != 'I':
		p.err = ErrTransactionControl // the pool closes the connection, which undoes the transaction
	case p.forget != nil && stale(p.err):
		p.forget(server)
	}
	release(p.conn)
	return p.err
}

// scopedBatch are the results of a batch.
type scopedBatch struct {
	pgx.BatchResults
	pipeline
}

func newBatch(results pgx.BatchResults, conn *pgxpool.Conn) *scopedBatch {
	return &scopedBatch{BatchResults: results, pipeline: pipeline{results: results, conn: conn}}
}

// Close closes the results and ends the pipeline.
func (br *scopedBatch) Close() error { return br.pipeline.Close() }

// Tx returns nil: the pipeline is a transaction of its own.
func (br *scopedBatch) Tx() pgx.Tx { return nil }

// readPrepared reads up to the rows of a query that was sent behind the context.
func readPrepared(conn *pgxpool.Conn, results *pgconn.MultiResultReader, by *statements, set, sql string) (*scopedRows, error) {
	p := &pipeline{results: results, conn: conn, forget: func(server *pgconn.PgConn) { by.forget(server, set, sql) }}
	if !results.NextResult() { // the context's, which has no rows
		return nil, p.unread()
	}
	if !results.NextResult() {
		return nil, p.unread()
	}
	return &scopedRows{Rows: pgx.RowsFromResultReader(conn.Conn().TypeMap(), results.ResultReader()), end: p}, nil
}

// unread ends a pipeline that lacks a result and says why.
func (p *pipeline) unread() error {
	if err := p.Close(); err != nil {
		return err
	}
	return errors.New("rls: scope: the server sent no result") // cannot happen: every statement has a result or an error
}

// scopedRows return the connection when closed.
type scopedRows struct {
	pgx.Rows
	end *pipeline
	err error
}

func (r *scopedRows) Close() {
	r.Rows.Close()
	if err := r.end.Close(); r.err == nil {
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

// Conn returns the connection while the rows hold one: rows of a prepared query know none of their own.
func (r *scopedRows) Conn() *pgx.Conn {
	if r.end.conn == nil || r.end.closed {
		return r.Rows.Conn()
	}
	return r.end.conn.Conn()
}

// scopedRow is the first of some rows. It returns the connection when scanned.
type scopedRow struct{ rows *scopedRows }

func (r scopedRow) Scan(dest ...any) error {
	defer r.rows.Close() // a destination may panic
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			return errors.New("rls: scope: QueryRow cannot scan into *pgtype.DriverBytes, which does not outlive the row")
		}
	}
	found := r.rows.Next()
	if found {
		_ = r.rows.Scan(dest...) // Err has it
	}
	r.rows.Close()
	if err := r.rows.Err(); err != nil {
		return err
	}
	if !found {
		return pgx.ErrNoRows
	}
	return nil
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
