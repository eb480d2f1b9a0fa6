package rlstest

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The contexts of the matrix. Own and foreign both run in the first tenant's scope: own over all rows in sight, foreign
// aims at the second tenant's. The others aim at the second tenant's rows with no context and with a forged one.
const (
	ctxNone    = "no context"
	ctxOwn     = "own"
	ctxForeign = "foreign"
	ctxForged  = "forged"
)

var allContexts = []string{ctxNone, ctxOwn, ctxForeign, ctxForged}

// want is what a cell must end with: a number of rows, or a SQLSTATE.
type want struct {
	rows  int64
	state string
}

func (w want) String() string {
	switch {
	case w.state == stateDenied:
		return "is refused"
	case w.state != "":
		return "fails with " + w.state
	case w.rows == 0:
		return "touches no row"
	}
	return fmt.Sprintf("touches %d rows", w.rows)
}

// cell is one statement in one context.
type cell struct {
	table   *table
	verb    string
	context string
	st      statement
	want    want
}

func (c cell) name() string { return fmt.Sprintf("%s %s %s", c.verb, c.context, c.want) }

// matrix runs every verb on every table in every context.
func (s *suite) matrix(ctx context.Context) error {
	s.before = map[uuid.UUID][]string{}
	for _, keeps := range []uuid.UUID{uuid.Nil, s.own} {
		before, err := s.state(ctx, keeps)
		if err != nil {
			return err
		}
		s.before[keeps] = before
	}
	for _, t := range s.tables {
		if err := s.matrixOf(ctx, t); err != nil {
			return fmt.Errorf("rlstest: matrix: %s: %w", t, err)
		}
	}
	for _, part := range []func(context.Context) error{s.views, s.functions, s.sequences, s.msp, s.system} {
		if err := part(ctx); err != nil {
			return fmt.Errorf("rlstest: matrix: %w", err)
		}
	}
	after, err := s.state(ctx, uuid.Nil)
	if err != nil {
		return err
	}
	s.report.add(Matrix, "all tables", "hold after the run what they held before", differences(s.before[uuid.Nil], after))
	return nil
}

// verbs are the rows of the matrix; each makes the statement for a context and says what must come of it.
var verbs = []struct {
	name string
	make func(*suite, context.Context, *table, string) (statement, want, error)
}{
	{"SELECT", (*suite).selectCell},
	{"INSERT", (*suite).insertCell},
	{"UPDATE", (*suite).updateCell},
	{"DELETE", (*suite).deleteCell},
	{"UPDATE of the tenant", (*suite).moveCell},
	{"UPSERT", (*suite).upsertCell},
	{"COPY TO", (*suite).copyToCell},
	{"COPY FROM", (*suite).copyFromCell},
	{"TRUNCATE", (*suite).truncateCell},
}

func (s *suite) matrixOf(ctx context.Context, t *table) error {
	if t.isView() {
		return s.viewCells(ctx, t)
	}
	if err := s.notVacuous(ctx, t); err != nil {
		return err
	}
	for _, v := range verbs {
		for _, where := range allContexts {
			st, w, err := v.make(s, ctx, t, where)
			if err != nil {
				return fmt.Errorf("%s %s: %w", v.name, where, err)
			}
			if err := s.check(ctx, cell{t, v.name, where, st, w}); err != nil {
				return fmt.Errorf("%s %s: %w", v.name, where, err)
			}
		}
	}
	if err := s.referenceCells(ctx, t); err != nil {
		return err
	}
	return s.uniqueCells(ctx, t)
}

// notVacuous makes sure that there is something to leak and something to see.
func (s *suite) notVacuous(ctx context.Context, t *table) error {
	for _, tenant := range s.cfg.Tenants {
		n, err := s.count(ctx, t, t.equals(tenant))
		if err != nil {
			return err
		}
		if n == 0 {
			s.report.add(Matrix, t.String(), "has rows of both tenants", fmt.Sprintf("tenant %s has none: nothing could leak", tenant))
			return nil
		}
	}
	s.report.add(Matrix, t.String(), "has rows of both tenants", "")
	return nil
}

func (s *suite) count(ctx context.Context, t *table, where string) (n int64, err error) {
	err = s.super.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s", t.sql(), where)).Scan(&n)
	return n, err
}

// check runs a cell twice and files the fault, if any.
func (s *suite) check(ctx context.Context, c cell) error {
	if where := c.context; where == ctxForged && s.forge == nil {
		return nil
	}
	full := c.table.String() + " " + c.verb + " " + c.context
	if reason, ok := s.skipped(full); ok {
		s.report.Skipped[full] = reason
		return nil
	}
	for prefix, state := range s.cfg.Expect {
		if strings.HasPrefix(full, prefix) {
			c.want = want{state: state}
		}
	}
	fault, err := s.faultOf(ctx, c)
	if err == nil {
		s.report.add(Matrix, c.table.String(), c.name(), fault)
	}
	return err
}

// setter is how a cell's context is set, and the connection that has never had another.
func (s *suite) setter(where string) (func(context.Context, pgx.Tx) error, *pgx.Conn) {
	switch where {
	case ctxNone:
		return noContext, s.bare
	case ctxForged:
		return func(ctx context.Context, tx pgx.Tx) error { return s.forge(ctx, tx, s.foreign) }, s.app
	}
	return s.as(s.own), s.app
}

// faultOf runs the cell over the login's own connection, and again in a superuser's transaction under the login's
// identity, where it is seen before the rollback what became of everybody's rows.
func (s *suite) faultOf(ctx context.Context, c cell) (string, error) {
	set, conn := s.setter(c.context)
	keeps := s.own // whose rows may change
	if c.context == ctxNone || c.context == ctxForged {
		keeps = uuid.Nil
	}
	o, err := asLogin(ctx, conn, set, c.st)
	if err != nil {
		return "", err
	}
	look, changed := s.look(ctx, c.table, keeps)
	if c.verb == "SELECT" || c.st.kind == copyTo {
		look = nil
	}
	o2, err := s.asSuperuser(ctx, s.login, set, c.st, look)
	if err != nil {
		return "", err
	}
	return s.judge(c, o, o2, *changed), nil
}

// look compares the rows of all tenants but one with what they were before the matrix: those of the table and of whatever refers
// to it, or of all tables if t is nil.
func (s *suite) look(ctx context.Context, t *table, keeps uuid.UUID) (look func() error, changed *string) {
	changed = new(string)
	tables := s.shadowed()
	if t != nil && !t.Triggers {
		tables = s.touched(t)
	}
	return func() error {
		after, err := s.stateOf(ctx, tables, keeps)
		if err == nil {
			*changed = differences(s.before[keeps], after)
		}
		return err
	}, changed
}

// judge compares a cell's outcomes with what it must end with.
func (s *suite) judge(c cell, o, o2 outcome, changed string) string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if o.state() != c.want.state || o.rows != c.want.rows && c.want.state == "" {
		fault("got %s instead of %s", o, c.want)
	}
	loose := c.context == ctxNone && s.cfg.NoContextState != "" // after the first context the setting is '', which fails in its own way
	if same := o.state() == o2.state() && o.rows == o2.rows; !same && !loose {
		fault("the login gets %s, its identity in another session %s", o, o2)
	}
	for _, got := range []outcome{o, o2} {
		if w := s.foreigns.in(got.text, c.st.sql+c.st.data); w != "" {
			fault("shows the foreign value %q", w)
			break
		}
	}
	if changed != "" {
		fault("changes rows that are not the tenant's: %s", changed)
	}
	if len(faults) == 0 {
		return ""
	}
	return strings.Join(faults, "; ") + "\n" + c.st.sql
}

// state is a checksum per table over all rows but the given tenant's.
func (s *suite) state(ctx context.Context, but uuid.UUID) ([]string, error) {
	return s.stateOf(ctx, s.shadowed(), but)
}

func (s *suite) stateOf(ctx context.Context, tables []*table, but uuid.UUID) ([]string, error) {
	var parts []string // the same text each time, so that it is prepared once
	for _, t := range tables {
		parts = append(parts, fmt.Sprintf(`SELECT %s || ' ' || count(*) || ' ' || md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), ''))
			FROM %s t WHERE %s <> $1::uuid`, literal(t.String()), t.sql(), quote(t.tenant.Name)))
	}
	rows, err := s.super.Query(ctx, strings.Join(parts, " UNION ALL "), but)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// differences names the tables whose rows changed.
func differences(before, after []string) string {
	was := map[string]bool{}
	for _, b := range before {
		was[b] = true
	}
	var changed []string
	for _, a := range after {
		if !was[a] {
			name, _, _ := strings.Cut(a, " ")
			changed = append(changed, name)
		}
	}
	return strings.Join(changed, ", ")
}
