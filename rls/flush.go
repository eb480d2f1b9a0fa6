package rls

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A sealed transaction gives its locks back before the disk is waited for. PostgreSQL itself holds them until the commit
// record is flushed, and with synchronous replication until the standby has answered, so transactions that need the same
// lock would wait for one flush after the other. Here the transaction commits with synchronous_commit off, and behind it,
// in the same pipeline, a second one that consists of a message in the log (pg_logical_emit_message, which nobody reads)
// commits with the level that was in force before. Nothing is acknowledged before that one is done.
//
// An acknowledged transaction is as durable as ever: both records are written by one session, so the second lies behind
// the first, and the log is flushed, sent and replayed in its order, never with a gap. Whatever level the second waits for
// holds for the first as well. The same is true of whoever took the lock next: its record lies behind ours, so after a
// crash there is no later transaction without the earlier ones. If the connection or the second transaction fails in
// between, the outcome is ErrCommitUnknown: the crash of that moment decides.
//
// Others may read the rows up to one flush before they are durable, as always with synchronous_commit off; what they then
// commit themselves is again behind it.
const (
	earlySQL = "SELECT true WHERE CASE WHEN pg_catalog.current_setting('synchronous_commit') = $1" +
		" THEN pg_catalog.set_config('synchronous_commit', 'off', true) IS NULL END"
	flushSQL = "SELECT pg_catalog.pg_logical_emit_message(true, 'tomkit', '')" +
		" WHERE pg_catalog.set_config('synchronous_commit', $1, true) IS NOT NULL"
)

// flushLevel returns the login's synchronous_commit, or "" if sealed transactions commit in the ordinary way: because
// nothing is waited for anyway, or because the function is not for this login. A transaction that sets another level for
// itself also commits in the ordinary way.
func flushLevel(ctx context.Context, conn *pgx.Conn, role string) (level string, err error) {
	err = conn.QueryRow(ctx, `SELECT CASE WHEN s.level <> 'off' AND (
		SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = 'pg_logical_emit_message') THEN s.level ELSE '' END
		FROM (SELECT pg_catalog.current_setting('synchronous_commit') AS level) s`).Scan(&level)
	if err != nil {
		return "", fmt.Errorf("rls: open: %s: flush level: %w", role, err)
	}
	return level, nil
}

// ending is what a sealed transaction ends with.
type ending struct {
	before, after []*pgx.QueuedQuery // the sealer's statements
	committed     bool               // COMMIT was answered
}

func newEnding(level string) *ending {
	e := &ending{}
	commit := &pgx.QueuedQuery{SQL: "commit"}
	commit.Exec(func(tag pgconn.CommandTag) error {
		e.committed = tag.String() == "COMMIT"
		return nil
	})
	e.before = []*pgx.QueuedQuery{{SQL: "savepoint " + sealSavepoint}}
	e.after = []*pgx.QueuedQuery{commit}
	if level != "" {
		e.before = append(e.before, &pgx.QueuedQuery{SQL: earlySQL, Arguments: []any{level}})
		e.after = append(e.after, &pgx.QueuedQuery{SQL: flushSQL, Arguments: []any{level}})
	}
	return e
}
