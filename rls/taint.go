package rls

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A statement may leave something behind on its connection that the next tenant meets: whoever can run DEALLOCATE and PREPARE
// replaces a prepared statement, and the next scope that uses it runs foreign SQL as its own. So a connection goes back to
// the pool only if all its statements were of the kinds below, which leave nothing of that sort; otherwise it is closed. The
// kind is the server's answer, the command tag, and not a reading of the statement. DO and CALL may hide anything.
var harmless = map[string]bool{
	"SELECT": true, "INSERT": true, "UPDATE": true, "DELETE": true, "MERGE": true, "COPY": true, "FETCH": true, "MOVE": true, "EXPLAIN": true, "SHOW": true,
	"CLOSE": true, "NOTIFY": true,
	"BEGIN": true, "COMMIT": true, "ROLLBACK": true, "SAVEPOINT": true, "RELEASE": true, "LOCK": true,
	"": true, // nothing ran: the statement failed, or was empty
}

const taintKey = "rls: tainted" // in the connection's custom data

func tainted(conn *pgx.Conn) bool {
	_, yes := conn.PgConn().CustomData()[taintKey]
	return yes
}

// taint marks the connection if the kind of statement may have left something behind.
func taint(conn *pgx.Conn, tag pgconn.CommandTag) {
	kind, _, _ := strings.Cut(tag.String(), " ")
	if !harmless[kind] {
		conn.PgConn().CustomData()[taintKey] = true
	}
}

// release returns a connection to its pool, which destroys it if it is closed.
func release(conn *pgxpool.Conn) {
	if tainted(conn.Conn()) {
		ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
		defer cancel()
		_ = conn.Conn().Close(ctx) // whatever it says, it is closed
	}
	conn.Release()
}

// tagTracer tells of the command tags that pgx reads, whoever asked.
type tagTracer struct{}

// TraceQueryStart implements pgx.QueryTracer.
func (tagTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (tagTracer) TraceQueryEnd(_ context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	taint(conn, data.CommandTag)
}

// TraceBatchStart implements pgx.BatchTracer.
func (tagTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery implements pgx.BatchTracer.
func (tagTracer) TraceBatchQuery(_ context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	taint(conn, data.CommandTag)
}

// TraceBatchEnd implements pgx.BatchTracer.
func (tagTracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
