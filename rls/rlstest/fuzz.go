package rlstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

const (
	perTransaction = 200  // statements that share a context
	maxFaults      = 10   // after which the fuzzer stops
	maxShrinks     = 60   // statements tried to make a fault smaller
	patience       = "5s" // statement_timeout; what takes longer is not compared
	stateTimeout   = "57014"
)

// fuzzer compares statements in the own scope with the same on the shadow.
type fuzzer struct {
	*suite
	g        *grammar
	w        *writer
	shadow   *pgx.Conn
	names    *strings.Replacer // of the real tables
	shadows  *strings.Replacer
	app, imp pgx.Tx // of the login, and of the superuser with its identity
	sh       pgx.Tx
	own      map[*table]string // checks by target: own rows, others, shadow, and what went astray in the shadow
	others   map[*table]string
	copies   map[*table]string
	strays   map[*table]string
	baseline map[*table]string // what others shows before
	kinds    map[string]int
	faults   int
}

// fuzz runs random statements.
func (s *suite) fuzz(ctx context.Context) (err error) {
	if err := s.makeShadow(ctx); err != nil {
		return err
	}
	f := s.newFuzzer()
	if len(f.g.tables) == 0 {
		return errors.New("rlstest: fuzzer: the login may read no table")
	}
	if f.shadow, err = connect(ctx, s.cfg.SuperuserURL); err != nil {
		return fmt.Errorf("rlstest: fuzzer: connect: %w", err)
	}
	defer f.shadow.Close(context.WithoutCancel(ctx))
	for n := 0; n < s.cfg.Statements && f.faults < maxFaults; n += perTransaction {
		if err := f.batch(ctx, n, min(n+perTransaction, s.cfg.Statements)); err != nil {
			return fmt.Errorf("rlstest: fuzzer: seed %d, from statement %d: %w", s.cfg.Seed, n, err)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(f.kinds)) {
		s.report.Cells = append(s.report.Cells, Cell{Part: Fuzzer, Table: kind, Name: "agrees with the oracle", Checks: f.kinds[kind]})
	}
	s.report.Kinds = f.kinds
	if s.report.Valid*10 < s.report.Statements*8 {
		s.report.add(Fuzzer, "statements", "are mostly valid", fmt.Sprintf("only %d of %d ran without an error", s.report.Valid, s.report.Statements))
	}
	return s.dropShadow(ctx)
}

func (s *suite) newFuzzer() *fuzzer {
	g := &grammar{fields: map[*table][]field{}}
	f := &fuzzer{suite: s, g: g, w: &writer{grammar: g, spare: s.spare, pool: map[*table][]row{}}, kinds: map[string]int{},
		own: map[*table]string{}, others: map[*table]string{}, copies: map[*table]string{}, strays: map[*table]string{}, baseline: map[*table]string{}}
	var names, shadows []string
	for _, t := range s.shadowed() {
		names = append(names, tableRef(t), t.sql())
		shadows = append(shadows, tableRef(t), shadowOf(t))
		f.learn(t)
	}
	f.names, f.shadows = strings.NewReplacer(names...), strings.NewReplacer(shadows...)
	return f
}

// learn takes a table into the grammar, with what the login may do to it.
func (f *fuzzer) learn(t *table) {
	if len(t.readable()) == 0 || !t.tenant.Select {
		return
	}
	f.g.tables = append(f.g.tables, t)
	f.w.pool[t] = slices.Concat(f.rows[t][f.suite.own], f.rows[t][f.foreign])
	for _, c := range t.readable() {
		k, format := classOf(c)
		f.g.fields[t] = append(f.g.fields[t], field{strings.Replace(strings.Replace(format, "%s", "%", 1), "%s", quote(c.Name), 1), k})
		for _, r := range f.w.pool[t] {
			if v := r[c.Name]; v.kind == isText && len(v.text) < 200 {
				f.g.literals[k] = append(f.g.literals[k], v.sql("text"))
			}
		}
	}
	if t.Triggers { // the shadow has none
		return
	}
	everything := len(t.readable()) == len(t.Columns)
	if everything && !t.full && !slices.ContainsFunc(t.insertable(), func(c *column) bool { return !c.Insert }) {
		f.w.inserts = append(f.w.inserts, t)
	}
	if everything && t.changeable() != nil {
		f.w.updates = append(f.w.updates, t)
	}
	if everything && t.Delete {
		f.w.deletes = append(f.w.deletes, t)
	}
	touched := f.touched(t)
	mine := func(t *table) string { return t.equals(f.suite.own) }
	f.own[t] = contents(touched, (*table).sql, mine)
	notMine := func(t *table) string { return "(" + mine(t) + ") IS NOT TRUE" }
	f.others[t] = contents(touched, (*table).sql, notMine)
	f.copies[t] = contents(touched, shadowOf, func(*table) string { return "true" })
	f.strays[t] = contents(touched, shadowOf, notMine)
}

// batch runs statements from to end in one transaction per side.
func (f *fuzzer) batch(ctx context.Context, from, end int) error {
	var err error
	if f.app, err = f.begin(ctx, f.suite.app, false); err != nil {
		return err
	}
	defer f.app.Rollback(context.WithoutCancel(ctx))
	if f.sh, err = f.shadow.Begin(ctx); err != nil {
		return err
	}
	defer f.sh.Rollback(context.WithoutCancel(ctx))
	if _, err := simple(ctx, f.shadow, "SET LOCAL statement_timeout = '"+patience+"'; SAVEPOINT s"); err != nil {
		return err
	}
	for _, t := range f.g.tables {
		if sql := f.others[t]; sql != "" && from == 0 {
			var sum string
			if err := f.super.QueryRow(ctx, sql).Scan(&sum); err != nil {
				return err
			}
			f.baseline[t] = sum
		}
	}
	if f.imp, err = f.begin(ctx, f.super, true); err != nil {
		return err
	}
	defer f.imp.Rollback(context.WithoutCancel(ctx))
	for n := from; n < end && f.faults < maxFaults; n++ {
		if err := f.one(ctx, uint64(n)); err != nil {
			return err
		}
	}
	return nil
}

// begin opens a transaction in the own scope.
func (f *fuzzer) begin(ctx context.Context, conn *pgx.Conn, impersonate bool) (pgx.Tx, error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return nil, err
	}
	if _, err = tx.Exec(ctx, "SET LOCAL statement_timeout = '"+patience+"'"); err == nil && impersonate {
		_, err = tx.Exec(ctx, "SET LOCAL SESSION AUTHORIZATION "+literal(f.login))
	}
	if err == nil {
		err = f.set(ctx, tx, f.suite.own)
	}
	if err == nil {
		_, err = tx.Exec(ctx, "SAVEPOINT s")
	}
	if err != nil {
		_ = tx.Rollback(context.WithoutCancel(ctx)) // the first error is the one to report
	}
	return tx, err
}

// generate makes statement n.
func (f *fuzzer) generate(n uint64, dropped map[string]bool) (dml, []string) {
	g := newGen(f.g, f.cfg.Seed, n+1, dropped)
	if g.IntN(10) < 4 {
		if st, ok := f.w.write(g); ok {
			return st, *g.taken
		}
	}
	return dml{kind: "select", sql: g.selects()}, *g.taken
}

// one generates, runs and compares one statement.
func (f *fuzzer) one(ctx context.Context, n uint64) error {
	st, clauses := f.generate(n, nil)
	fault, real, err := f.compare(ctx, st)
	if err != nil {
		return fmt.Errorf("statement %d: %w: %s", n, err, f.names.Replace(st.sql))
	}
	f.report.Statements++
	f.kinds[st.kind]++
	if real.state == "" {
		f.report.Valid++
	}
	if real.affected > 0 {
		f.report.Found++
	}
	if fault == "" {
		f.report.Agreed++
		return nil
	}
	f.faults++
	st, fault, err = f.shrink(ctx, n, st, fault, clauses)
	f.report.add(Fuzzer, st.kind, fmt.Sprintf("statement %d of seed %d", n, f.cfg.Seed), fault+"\n"+f.names.Replace(st.sql))
	return err
}

// shrink drops clauses one by one as long as the fault stays.
func (f *fuzzer) shrink(ctx context.Context, n uint64, st dml, fault string, clauses []string) (dml, string, error) {
	dropped := map[string]bool{}
	for _, c := range clauses[:min(len(clauses), maxShrinks)] {
		dropped[c] = true
		smaller, _ := f.generate(n, dropped)
		still, _, err := f.compare(ctx, smaller)
		if err != nil {
			return st, fault, err
		}
		if still == "" {
			delete(dropped, c)
			continue
		}
		st, fault = smaller, still
	}
	return st, fault, nil
}

// compare runs the statement on both sides and says how they differ, and what came of it on the real one.
func (f *fuzzer) compare(ctx context.Context, st dml) (fault string, real side, err error) {
	var shadow side
	if st.kind == "select" {
		real, err = run(ctx, f.suite.app, f.names.Replace(st.sql))
	} else {
		real, err = run(ctx, f.super, f.names.Replace(st.sql), "SET LOCAL SESSION AUTHORIZATION DEFAULT", f.own[st.target], f.others[st.target])
	}
	if err != nil {
		return "", real, err
	}
	if st.kind == "select" {
		shadow, err = run(ctx, f.shadow, f.shadows.Replace(st.sql))
	} else {
		shadow, err = run(ctx, f.shadow, f.shadows.Replace(st.sql), f.copies[st.target], f.strays[st.target])
	}
	if err != nil {
		return "", real, err
	}
	return f.difference(st, real, shadow), real, nil
}

// side is what came of a statement on one side.
type side struct {
	state, message string
	rows           []string // sorted
	affected       int64
	checks         []string
}

// run sends the statement and what looks at its traces as one message, and undoes it.
func run(ctx context.Context, conn *pgx.Conn, sql string, looks ...string) (o side, err error) {
	message := sql
	for _, look := range looks {
		message += "; " + look
	}
	results, err := conn.PgConn().Exec(ctx, message+"; ROLLBACK TO s").ReadAll()
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		o.state, o.message = pg.Code, pg.Message+"\n"+pg.Detail+"\n"+pg.Where
		_, err = conn.PgConn().Exec(ctx, "ROLLBACK TO s").ReadAll()
		return o, err
	}
	if err != nil || len(results) == 0 {
		return o, err
	}
	o.affected = results[0].CommandTag.RowsAffected()
	for _, r := range results[0].Rows {
		trimScale(results[0].FieldDescriptions, r)
		o.rows = append(o.rows, rowsText([][][]byte{r}))
	}
	slices.Sort(o.rows)
	for _, r := range results[1:] {
		if len(r.Rows) == 1 {
			o.checks = append(o.checks, string(r.Rows[0][0]))
		}
	}
	return o, nil
}

// trimScale writes equal numbers alike: 1.0 and 1.00 are one value to INTERSECT and its like, and either may come out.
func trimScale(fields []pgconn.FieldDescription, row [][]byte) {
	for i, f := range fields {
		if f.DataTypeOID == pgtype.NumericOID && bytes.IndexByte(row[i], '.') >= 0 {
			row[i] = bytes.TrimRight(bytes.TrimRight(row[i], "0"), ".")
		}
	}
}

// difference says what is wrong. A row written into another tenant shows as a change of the foreign rows. What leaves such a row
// in the shadow, which lets it through, must be refused; a statement that might have and did not is compared like any other.
func (f *fuzzer) difference(st dml, real, shadow side) string {
	if real.state == stateTimeout || shadow.state == stateTimeout {
		return ""
	}
	if w := f.foreigns.in(real.message, st.sql); w != "" {
		return fmt.Sprintf("the error shows the foreign value %q: %s", w, real.message)
	}
	if len(real.checks) == 2 && real.checks[1] != f.baseline[st.target] {
		return "foreign rows have changed"
	}
	if st.crosses && real.state == stateDenied && (shadow.state != "" || shadow.strayed()) {
		return ""
	}
	switch {
	case shadow.strayed():
		return fmt.Sprintf("SQLSTATE %q (%s) for a row of another tenant", real.state, real.message)
	case real.state != shadow.state:
		return fmt.Sprintf("SQLSTATE %q (%s) instead of %q (%s)", real.state, real.message, shadow.state, shadow.message)
	case real.affected != shadow.affected:
		return fmt.Sprintf("%d rows instead of %d", real.affected, shadow.affected)
	case !slices.Equal(real.rows, shadow.rows):
		return "other rows than the oracle: " + firstOther(real.rows, shadow.rows)
	case len(real.checks) == 2 && real.checks[0] != shadow.checks[0]:
		return "own rows differ from the oracle's afterwards"
	}
	return ""
}

// strayed tells whether the shadow holds rows of another tenant afterwards.
func (o side) strayed() bool { return len(o.checks) == 2 && o.checks[1] != noContents }

func firstOther(a, b []string) string {
	for _, r := range a {
		if !slices.Contains(b, r) {
			return strings.TrimSpace(r)
		}
	}
	return fmt.Sprintf("%d of them, differently often", len(a))
}
