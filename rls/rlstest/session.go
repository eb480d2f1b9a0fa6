package rlstest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// statement is SQL of the suite's own making; data goes to COPY FROM STDIN.
type statement struct {
	sql  string
	data string
	kind statementKind
}

type statementKind byte

const (
	plain statementKind = iota
	copyTo
	copyFrom
)

// outcome is what a statement did.
type outcome struct {
	rows int64
	err  *pgconn.PgError
	text string // everything the client has got to see: values, error fields
}

func (o outcome) state() string {
	if o.err == nil {
		return ""
	}
	return o.err.Code
}

func (o outcome) String() string {
	if o.err != nil {
		return fmt.Sprintf("SQLSTATE %s (%s)", o.err.Code, o.err.Message)
	}
	return fmt.Sprintf("%d rows", o.rows)
}

// execute runs one statement and, behind it, the deferred checks. Errors other than the database's own end the suite.
func execute(ctx context.Context, conn *pgx.Conn, st statement) (o outcome, err error) {
	switch st.kind {
	case copyTo:
		var b strings.Builder
		var tag pgconn.CommandTag
		tag, err = conn.PgConn().CopyTo(ctx, &b, st.sql)
		o.rows, o.text = tag.RowsAffected(), b.String()
	case copyFrom:
		var tag pgconn.CommandTag
		tag, err = conn.PgConn().CopyFrom(ctx, strings.NewReader(st.data), st.sql)
		o.rows = tag.RowsAffected()
	default:
		o, err = simple(ctx, conn, st.sql)
	}
	if err == nil {
		_, err = conn.PgConn().Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE").ReadAll()
	}
	return o.failed(err)
}

// failed moves an error of the database into the outcome.
func (o outcome) failed(err error) (outcome, error) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		o.err, o.rows = pg, 0
		o.text += strings.Join([]string{"", pg.Message, pg.Detail, pg.Hint, pg.Where, pg.InternalQuery}, "\n")
		return o, nil
	}
	return o, err
}

// simple runs statements in the simple protocol and counts the rows of the last one.
func simple(ctx context.Context, conn *pgx.Conn, sql string) (o outcome, err error) {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return o, err
	}
	last := results[len(results)-1]
	o.rows = last.CommandTag.RowsAffected()
	o.text = rowsText(last.Rows)
	return o, last.Err
}

// rowsText writes rows for comparison and search.
func rowsText(rows [][][]byte) string {
	var b strings.Builder
	for _, r := range rows {
		for i, v := range r {
			if i > 0 {
				b.WriteByte('\t')
			}
			if v == nil {
				b.WriteString(`\N`)
			}
			b.Write(v)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// inTx runs fn in a transaction that is rolled back.
func inTx(ctx context.Context, conn *pgx.Conn, fn func(tx pgx.Tx) error) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	err = fn(tx)
	if rerr := tx.Rollback(context.WithoutCancel(ctx)); err == nil {
		err = rerr
	}
	return err
}

// asLogin runs a statement in a rolled-back transaction of a login's own connection.
func asLogin(ctx context.Context, conn *pgx.Conn, set func(context.Context, pgx.Tx) error, st statement) (o outcome, err error) {
	err = inTx(ctx, conn, func(tx pgx.Tx) error {
		if err := set(ctx, tx); err != nil {
			return err
		}
		o, err = execute(ctx, conn, st)
		return err
	})
	return o, err
}

// asSuperuser runs a statement in a rolled-back transaction of the superuser, who takes the login's identity for it
// (unless login is empty) and has a look before the rollback, if the statement succeeded.
func (s *suite) asSuperuser(ctx context.Context, login string, set func(context.Context, pgx.Tx) error, st statement, look func() error) (o outcome, err error) {
	err = inTx(ctx, s.super, func(tx pgx.Tx) error {
		if login != "" {
			if _, err := tx.Exec(ctx, "SET LOCAL SESSION AUTHORIZATION "+literal(login)); err != nil {
				return err
			}
		}
		if err := set(ctx, tx); err != nil {
			return err
		}
		if o, err = execute(ctx, s.super, st); err != nil || o.err != nil || look == nil {
			return err // what failed has changed nothing
		}
		if _, err := simple(ctx, s.super, "SET LOCAL SESSION AUTHORIZATION DEFAULT"); err != nil {
			return err
		}
		return look()
	})
	return o, err
}

func noContext(context.Context, pgx.Tx) error { return nil }
