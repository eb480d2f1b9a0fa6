package rlstest

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// sessionSQL describes a session but for its transaction: identity, settings, and whatever else outlives a commit.
//
//go:embed sql/session.sql
var sessionSQL string

func sessionState(ctx context.Context, conn *pgx.Conn) (string, error) {
	o, err := simple(ctx, conn, sessionSQL)
	return o.text, err
}

// next is the next user of the connection, the foreign tenant: it must be itself, see its rows and no others. What the payload
// has left on the session besides is noted, and the session thrown away.
func (in *injector) next(ctx context.Context, sql string) (fault string, err error) {
	var left string
	err = in.scope(ctx, in.foreign, func(ctx context.Context, conn *pgx.Conn) error {
		if left, err = sessionState(ctx, conn); err != nil {
			return err
		}
		var login string
		var rows, theirs int64
		query := fmt.Sprintf("SELECT session_user::text || current_user, count(*), count(*) FILTER (WHERE %s) FROM %s", in.main.equals(in.foreign), in.main.sql())
		err := conn.QueryRow(ctx, query, pgx.QueryExecModeExec).Scan(&login, &rows, &theirs)
		if err == nil && (login != in.login+in.login || rows != in.ownRows || theirs != in.ownRows) {
			fault = fmt.Sprintf("the next user of the connection is %s and sees %d rows, %d of them its own", login, rows, theirs)
		}
		return err
	})
	if err != nil { // such as a session left without a right time limit: the next user fails, but learns nothing
		in.leftover(sql, err.Error())
		return fault, in.renew(ctx)
	}
	if nobody, err := in.withoutContext(ctx); err != nil || nobody != "" {
		fault = nobody
	}
	if left != in.session {
		in.leftover(sql, strings.TrimSpace(difference(in.session, left)))
		return fault, in.renew(ctx)
	}
	return fault, nil
}

// withoutContext looks at the table as nobody on the same connection.
func (in *injector) withoutContext(ctx context.Context) (fault string, err error) {
	var rows int64
	count := "SELECT count(*) FROM " + in.main.sql()
	if in.signed != nil {
		err = in.scopes.Anonymous().InTx(ctx, func(ctx context.Context, tx *rls.Tx) error { return tx.QueryRow(ctx, count).Scan(&rows) })
	} else {
		err = in.conn.QueryRow(ctx, count, pgx.QueryExecModeExec).Scan(&rows)
	}
	if stateOf(err) != "" { // an error of the product's policies is as good
		return "", nil
	}
	if rows != 0 {
		fault = fmt.Sprintf("without a context the connection sees %d rows afterwards", rows)
	}
	return fault, err
}

// difference lists the lines that are new.
func difference(before, after string) string {
	var b strings.Builder
	for line := range strings.Lines(after) {
		if !strings.Contains(before, line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// maxLeftover bounds a note.
const maxLeftover = 160

func (in *injector) leftover(sql, what string) {
	what = strings.ReplaceAll(what, "\n", "; ")
	in.report.note("left on the session: %.*s by %.*s", maxLeftover, what, maxLeftover, sql)
}

// renew replaces the connection, and behind a pooler the sessions it keeps: on one that a payload has spoilt, such as by SET
// row_security = off, all payloads after it would fail and prove nothing.
func (in *injector) renew(ctx context.Context) (err error) {
	if in.signed == nil {
		_ = in.conn.Close(ctx) // it is not used again
		if err := in.endPooled(ctx); err != nil {
			return err
		}
		in.conn, err = connect(ctx, in.cfg.AppURL)
		return err
	}
	in.scopes.Close()
	if err := in.endPooled(ctx); err != nil {
		return err
	}
	in.scopes, err = in.openScopes(ctx)
	in.signed.db = in.scopes
	return err
}

// endPooled ends the login's sessions if a pooler keeps them: then the server's process is not the one the client was told of.
func (in *injector) endPooled(ctx context.Context) error {
	o, err := simple(ctx, in.bare, "SELECT pg_catalog.pg_backend_pid()")
	if err != nil || strings.TrimSpace(o.text) == fmt.Sprint(in.bare.PgConn().PID()) {
		return err
	}
	_, err = in.super.Exec(ctx, `SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity WHERE usename = $1 AND datname = current_database()`,
		in.login, attemptTimeout.Milliseconds())
	return err
}
