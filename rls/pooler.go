package rls

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrStatementPooling reports a pooler that refuses transactions, such as PgBouncer with pool_mode = statement. The modes
// transaction and session are supported, see [DB.Pooled].
var ErrStatementPooling = errors.New("rls: probe: the pooler refuses transactions; fix: set its pool_mode to transaction or session")

// protocolViolation is the SQLSTATE with which PgBouncer refuses BEGIN in the mode statement.
const protocolViolation = "08P01"

// Pooled reports whether a login, such as RoleApp, is reached through a connection pooler such as PgBouncer, as seen when
// the DB was opened.
//
// A pooler gives each transaction some connection to the server, so nothing may rest on one from a transaction to the
// next. Scopes need nothing of that kind: each sends its own context with its own transaction, and a setting that somebody
// else left on the connection is overridden by that. pgx does: it prepares statements by name. The default exec mode and
// describe_exec are therefore replaced by cache_describe, which keeps no statement on the server, takes every argument the
// default takes, and needs one round trip once a statement's types are known. The modes cache_describe and exec stay.
//
// What a session keeps does not work through a pooler in the mode transaction: LISTEN, session-level advisory locks,
// temporary tables and [pgx.Tx.Prepare]. Use a direct connection for those.
func (db *DB) Pooled(role string) bool { return db.pooled[role] }

// Stat returns the state of the pool of a login, such as RoleApp, and nil for a login that is not configured.
// EmptyAcquireCount and EmptyAcquireWaitTime grow when a scope has to wait for a connection.
func (db *DB) Stat(role string) *pgxpool.Stat {
	pool := map[string]*pgxpool.Pool{RoleApp: db.app, RoleMSP: db.msp, RoleSystem: db.system}[role]
	if pool == nil {
		return nil
	}
	return pool.Stat()
}

// execMode returns how statements are sent when the connection string asks for a mode. The simple protocol writes arguments,
// and the context is one, into the text of the statement; bound ones pass through poolers just as well.
func execMode(asked pgx.QueryExecMode, pooled bool) pgx.QueryExecMode {
	switch asked {
	case pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec:
		return asked
	case pgx.QueryExecModeSimpleProtocol:
		return pgx.QueryExecModeCacheDescribe
	}
	if pooled {
		return pgx.QueryExecModeCacheDescribe
	}
	return asked
}

// probePooler opens a connection of its own, before there is a pool, and reports whether a pooler answers it.
func probePooler(ctx context.Context, role string, cfg *pgx.ConnConfig) (pooled bool, err error) {
	conn, err := pgconn.ConnectConfig(ctx, &cfg.Config)
	if err != nil {
		return false, fmt.Errorf("rls: open: %s: connect: %w", role, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	pid, err := backend(ctx, conn)
	if err != nil {
		return false, fmt.Errorf("rls: probe: %s: %w", role, err)
	}
	if pid == conn.PID() {
		return false, nil
	}
	return true, probeTransaction(ctx, role, conn)
}

// backend returns the number of the server's process that runs the statement. The server itself gives the same number when
// a connection begins; a pooler gives one of its own. The simple protocol prepares nothing.
func backend(ctx context.Context, conn *pgconn.PgConn) (uint32, error) {
	results, err := conn.Exec(ctx, "SELECT pg_catalog.pg_backend_pid()").ReadAll()
	if err != nil {
		return 0, err
	}
	pid, err := strconv.ParseUint(string(results[0].Rows[0][0]), 10, 32)
	return uint32(pid), err
}

// probeTransaction begins one and ends it. PgBouncer in the mode statement lets single pipelines pass and closes the
// connection at BEGIN.
func probeTransaction(ctx context.Context, role string, conn *pgconn.PgConn) error {
	for _, sql := range []string{"BEGIN", "ROLLBACK"} {
		_, err := conn.Exec(ctx, sql).ReadAll()
		var pg *pgconn.PgError
		switch {
		case errors.As(err, &pg) && pg.Code == protocolViolation:
			return fmt.Errorf("%w: login %s: %w", ErrStatementPooling, role, err)
		case err != nil:
			return fmt.Errorf("rls: probe: %s: %w", role, err)
		}
	}
	return nil
}
