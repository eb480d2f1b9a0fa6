package rlstest

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// referenceCells refer to rows by each foreign key. A reference to a foreign row must fail exactly as one to a row that is
// nowhere, since the check behind foreign keys knows no policies.
func (s *suite) referenceCells(ctx context.Context, t *table) error {
	for _, fk := range t.foreignKeys() {
		if fk.target.tenant == nil || len(s.rows[fk.target][s.foreign]) == 0 {
			continue
		}
		base := s.linked[fk]
		foreign := s.rows[fk.target][s.foreign][0]
		stolen, missing := maps.Clone(base), maps.Clone(base)
		probes := 0
		for i, name := range fk.Columns {
			c := t.column(name)
			if c == t.tenant {
				continue
			}
			probes++
			stolen[name] = foreign[fk.TargetCols[i]]
			missing[name] = s.nowhere(t, c, fk.target, fk.TargetCols[i])
		}
		if probes == 0 {
			continue
		}
		if err := s.probeReference(ctx, t, fk, base, stolen, missing); err != nil {
			return err
		}
	}
	return nil
}

// nowhere is a value of a column's kind that no row has.
func (s *suite) nowhere(t *table, c *column, target *table, name string) value {
	for _, v := range s.r.candidates(c, hintsFor(t.conditions(), c.Name)) {
		used := slices.ContainsFunc(slices.Concat(s.rows[target][s.own], s.rows[target][s.foreign]), func(r row) bool { return r[name] == v })
		if v.kind == isText && !used {
			return v
		}
	}
	return value{kind: isNull}
}

func (s *suite) probeReference(ctx context.Context, t *table, fk *constraint, base, stolen, missing row) error {
	verb := "FOREIGN KEY " + fk.Name
	good, allowed := insertInto(t, base)
	w := want{state: stateDenied}
	var err error
	if allowed {
		if w, err = s.oracle(ctx, good); err != nil {
			return err
		}
	}
	if err := s.check(ctx, cell{t, verb, ctxOwn, statement{sql: good}, w}); err != nil {
		return err
	}
	bad, _ := insertInto(t, stolen)
	for _, where := range []string{ctxNone, ctxForged} {
		if err := s.check(ctx, cell{t, verb, where, statement{sql: bad}, denied(allowed, s.refusedWrite(where))}); err != nil {
			return err
		}
	}
	if !allowed {
		return s.check(ctx, cell{t, verb, ctxForeign, statement{sql: bad}, want{state: stateDenied}})
	}
	absent, _ := insertInto(t, missing)
	return s.alike(ctx, t, verb+" foreign fails as for a row that is nowhere", bad, absent, stateForeignKey)
}

// uniqueCells insert own rows whose keys a foreign row has. That must not behave differently from keys nobody has.
func (s *suite) uniqueCells(ctx context.Context, t *table) error {
	if !t.tenant.Insert || t.full {
		return nil
	}
	for _, u := range t.Uniques {
		taken, free, ok := s.keys(t, u, s.spare[t][0][0])
		if !ok {
			continue
		}
		a, allowed := insertInto(t, taken)
		b, _ := insertInto(t, free)
		if !allowed {
			continue
		}
		for _, tail := range []string{"", " ON CONFLICT DO NOTHING"} {
			name := fmt.Sprintf("UNIQUE %s%s foreign behaves as a key that is free", u.Name, tail)
			if err := s.alike(ctx, t, name, a+tail, b+tail, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// keys makes two rows of fresh: one with a foreign row's key, one with a key nobody has. Foreign keys within the key point
// nowhere in both.
func (s *suite) keys(t *table, u *unique, fresh row) (taken, free row, ok bool) {
	for _, foreign := range s.rows[t][s.foreign] {
		taken, free = maps.Clone(fresh), maps.Clone(fresh)
		changed := false
		for _, name := range t.bound(u.Columns) { // what a CHECK ties to the key comes along
			if c := t.column(name); c != t.tenant && c.Generated == "" && c.Insert && !t.references(name) {
				taken[name] = foreign[name]
			}
		}
		for _, name := range u.Columns {
			c := t.column(name)
			if c == t.tenant || c.Generated != "" || !c.Insert && c.Identity == "" {
				continue
			}
			taken[name] = foreign[name]
			changed = true
			if foreign[name].kind == isNull {
				free[name] = foreign[name]
			} else if t.references(name) {
				free[name] = s.nowhere(t, c, t, name)
			}
		}
		mine := slices.ContainsFunc(s.rows[t][s.own], func(r row) bool {
			return !slices.ContainsFunc(u.Columns, func(name string) bool { return name != t.tenant.Name && r[name] != taken[name] })
		})
		if changed && !mine {
			return taken, free, true
		}
	}
	return nil, nil, false
}

// bound are columns with all those that conditions compare them with.
func (t *table) bound(columns []string) []string {
	all := slices.Clone(columns)
	conditions := t.conditions()
	for i := 0; i < len(all); i++ {
		for _, c := range conditions {
			for _, name := range c.columns {
				if slices.Contains(c.columns, all[i]) && !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
		}
	}
	return all
}

var valuesRE = regexp.MustCompile(`=\(.*\)`)

// shape is an error without the values of its key.
func (o outcome) shape() string {
	if o.err == nil {
		return fmt.Sprintf("%d rows", o.rows)
	}
	return strings.Join([]string{o.err.Code, o.err.Message, o.err.ConstraintName, valuesRE.ReplaceAllString(o.err.Detail, "=(…)")}, " ")
}

// alike runs two statements in the own scope and finds out whether they can be told apart.
func (s *suite) alike(ctx context.Context, t *table, name, probe, control, state string) error {
	full := t.String() + " " + name
	if reason, ok := s.skipped(full); ok {
		s.report.Skipped[full] = reason
		return nil
	}
	o, err := asLogin(ctx, s.app, s.as(s.own), statement{sql: probe})
	if err != nil {
		return err
	}
	c, err := asLogin(ctx, s.app, s.as(s.own), statement{sql: control})
	if err != nil {
		return err
	}
	fault := ""
	switch w := s.foreigns.in(o.text, probe); {
	case o.shape() != c.shape():
		fault = fmt.Sprintf("an existence oracle: %q for the foreign key, %q for one that is free\n%s", o.shape(), c.shape(), probe)
	case state != "" && o.state() != state:
		fault = fmt.Sprintf("got %s instead of %s\n%s", o, state, probe)
	case w != "":
		fault = fmt.Sprintf("shows the foreign value %q\n%s", w, probe)
	}
	s.report.add(Matrix, t.String(), name, fault)
	return nil
}

// viewCells read a view that has a tenant column.
func (s *suite) viewCells(ctx context.Context, t *table) error {
	for _, where := range allContexts {
		st, w, err := s.selectCell(ctx, t, where)
		if err == nil {
			err = s.check(ctx, cell{t, "SELECT", where, st, w})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// views reads the views without a tenant column, which must not show foreign values.
func (s *suite) views(ctx context.Context) error {
	for _, t := range s.cat.tables {
		if !t.isView() || t.tenant != nil || len(t.readable()) == 0 {
			continue
		}
		if _, skip := s.skipped(t.String()); skip {
			continue
		}
		for _, where := range []string{ctxNone, ctxOwn, ctxForged} {
			if where == ctxForged && s.forge == nil {
				continue
			}
			set, conn := s.setter(where)
			st := statement{sql: fmt.Sprintf("SELECT %s FROM %s", quoteAll(columnNames(t.readable())), t.sql())}
			if err := s.shows(ctx, conn, set, t.String(), "SELECT "+where+" shows nothing foreign", st); err != nil {
				return err
			}
		}
	}
	return nil
}

// shows files a fault if a statement's outcome has foreign values.
func (s *suite) shows(ctx context.Context, conn *pgx.Conn, set func(context.Context, pgx.Tx) error, table, name string, st statement) error {
	o, err := asLogin(ctx, conn, set, st)
	if err != nil {
		return err
	}
	fault := ""
	if w := s.foreigns.in(o.text, st.sql); w != "" {
		fault = fmt.Sprintf("shows the foreign value %q\n%s", w, st.sql)
	}
	s.report.add(Matrix, table, name, fault)
	return nil
}
