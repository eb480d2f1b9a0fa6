package rls

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The context travels as a bound parameter and holds until the end of the transaction, which for a pipeline without
// BEGIN is the pipeline. The result has no row, which spares both sides one, and the context does not travel back; it has
// a column, since pgx asks the server to describe a result without columns each time.
const (
	setContextSQL = "SELECT true WHERE pg_catalog.set_config('app.tenant_id', $1, true) IS NULL"
	setBypassSQL  = "SELECT true WHERE pg_catalog.set_config('app.bypass_rls', $1, true) IS NULL"
)

type scopeKind byte

const (
	scopeNone scopeKind = iota // the zero Scope is unusable
	scopeTenant
	scopeMSP
	scopeAnonymous
	scopeSystem
)

// Scope runs statements as one tenant, one MSP or nobody. It is a cheap value without resources of its own and safe
// for concurrent use; the zero Scope fails with ErrNoLogin.
//
// Query, QueryRow, Exec and Batch take one round trip: context and statements travel as one pipeline, which PostgreSQL
// runs as one transaction. The first time a connection meets a statement, preparing it takes one or two more; besides
// pgx's own cache, each connection keeps as many prepared statements again for Query and QueryRow. The options pgx takes
// before the arguments (pgx.QueryExecMode, pgx.QueryResultFormats) are not supported, except pgx.NamedArgs and other
// rewriters. All four fail with ErrNested inside InTx or System.
type Scope struct {
	db   *DB
	kind scopeKind
	id   uuid.UUID
}

// login returns the pool and the statement that sets the context.
func (s Scope) login() (pool *pgxpool.Pool, sql, value string, err error) {
	if s.db == nil {
		return nil, "", "", ErrNoLogin
	}
	if s.id == uuid.Nil && (s.kind == scopeTenant || s.kind == scopeMSP) {
		return nil, "", "", ErrNoTenant
	}
	switch s.kind {
	case scopeTenant:
		pool, sql, value = s.db.app, setContextSQL, s.db.sign.context(kindTenant, s.id)
	case scopeMSP:
		pool, sql, value = s.db.msp, setContextSQL, s.db.sign.context(kindMSP, s.id)
	case scopeAnonymous:
		// Set and not merely absent: an injected session-level setting must not reach the next caller.
		pool, sql, value = s.db.app, setContextSQL, ""
	case scopeSystem:
		pool, sql, value = s.db.system, setBypassSQL, "on"
	}
	if pool == nil {
		return nil, "", "", ErrNoLogin
	}
	return pool, sql, value, nil
}

// role returns the role of the scope's login.
func (s Scope) role() string {
	switch s.kind {
	case scopeMSP:
		return RoleMSP
	case scopeSystem:
		return RoleSystem
	}
	return RoleApp
}

// acquire takes a connection from the scope's login.
func (s Scope) acquire(ctx context.Context) (conn *pgxpool.Conn, sql, value string, err error) {
	if s.db != nil && s.db.nested(ctx) {
		return nil, "", "", ErrNested
	}
	pool, sql, value, err := s.login()
	if err != nil {
		return nil, "", "", err
	}
	conn, err = pool.Acquire(ctx)
	return conn, sql, value, err
}

// send puts the context in front of queries and reads its result, so that what follows are the queries' own results.
func (s Scope) send(ctx context.Context, queries ...*pgx.QueuedQuery) (*scopedBatch, error) {
	conn, sql, value, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return sendOn(ctx, conn, sql, value, queries...)
}

// sendOn does it on a connection, which it returns if it fails.
func sendOn(ctx context.Context, conn *pgxpool.Conn, sql, value string, queries ...*pgx.QueuedQuery) (*scopedBatch, error) {
	if err := refuseEmpty(queries); err != nil {
		release(conn)
		return nil, err
	}
	b := &pgx.Batch{QueuedQueries: make([]*pgx.QueuedQuery, 0, 1+len(queries))}
	b.Queue(sql, value)
	b.QueuedQueries = append(b.QueuedQueries, queries...)
	br := newBatch(conn.SendBatch(ctx, b), conn)
	if _, err := br.BatchResults.Exec(); err != nil {
		br.Close()
		return nil, err
	}
	return br, nil
}

// refuseEmpty keeps texts from pgx that make it panic in the middle of a pipeline.
func refuseEmpty(queries []*pgx.QueuedQuery) error {
	for _, q := range queries {
		if q.SQL == "" {
			return errors.New("rls: scope: empty statement")
		}
	}
	return nil
}

// query sends the context and one statement and reads up to the statement's rows.
func (s Scope) query(ctx context.Context, sql string, args []any) (*scopedRows, error) {
	conn, set, value, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	prepared := statementsOf(conn.Conn())
	results, err := prepared.execute(ctx, conn.Conn(), set, value, sql, args)
	if err != nil {
		release(conn)
		return nil, err
	}
	if results != nil {
		return readPrepared(conn, results, prepared, set, sql)
	}
	br, err := sendOn(ctx, conn, set, value, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	if err != nil {
		return nil, err
	}
	rows, err := br.BatchResults.Query()
	if err != nil {
		br.Close()
		return nil, err
	}
	return &scopedRows{Rows: rows, end: &br.pipeline}, nil
}

// Query runs one statement that returns rows. The rows hold a connection until they are closed or read to the end, and
// their Err must be checked: it also reports a failed commit.
func (s Scope) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := s.query(ctx, sql, args)
	if err != nil {
		return failedRows{err: err}, err
	}
	return rows, nil
}

// QueryRow runs one statement and returns its first row. Errors, pgx.ErrNoRows among them, come from Scan, which must be
// called.
func (s Scope) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := s.query(ctx, sql, args)
	if err != nil {
		return failedRows{err: err}
	}
	return scopedRow{rows}
}

// Exec runs one statement that returns no rows.
func (s Scope) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	br, err := s.send(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := br.BatchResults.Exec()
	if cerr := br.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return tag, nil
}

// Batch runs the statements of b as one transaction in one round trip. The results must be closed. A statement that
// fails undoes those before it. Do not use [pgx.Batch.BeginTx]: it ends in ErrTransactionControl.
func (s Scope) Batch(ctx context.Context, b *pgx.Batch) (pgx.BatchResults, error) {
	br, err := s.send(ctx, b.QueuedQueries...)
	if err != nil {
		return pgx.FailedBatchResults(&pgx.Batch{}, err), err
	}
	return br, nil
}
