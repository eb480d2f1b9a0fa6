package rlstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// nothing is what a statement without a valid context does: no row, or the error the product's policies end in.
func (s *suite) nothing(where string) want {
	if where == ctxNone {
		return want{state: s.cfg.NoContextState}
	}
	return want{}
}

// refusedWrite is what a new row without a valid context ends in.
func (s *suite) refusedWrite(where string) want {
	if where == ctxNone && s.cfg.NoContextState != "" {
		return want{state: s.cfg.NoContextState}
	}
	return want{state: stateDenied}
}

// oracle runs a statement that names the own tenant as superuser, whom no policy binds.
func (s *suite) oracle(ctx context.Context, sql string) (want, error) {
	o, err := s.asSuperuser(ctx, "", noContext, statement{sql: sql}, nil)
	return want{rows: o.rows, state: o.state()}, err
}

func denied(allowed bool, otherwise want) want {
	if !allowed {
		return want{state: stateDenied}
	}
	return otherwise
}

func (s *suite) selectCell(ctx context.Context, t *table, where string) (statement, want, error) {
	cols, w := t.readable(), want{}
	allowed := len(cols) > 0
	if !allowed {
		cols = t.Columns
	}
	sql := fmt.Sprintf("SELECT %s FROM %s", quoteAll(columnNames(cols)), t.sql())
	var err error
	switch where {
	case ctxOwn:
		w.rows, err = s.count(ctx, t, t.equals(s.own))
	case ctxForeign:
		sql += " WHERE " + t.equals(s.foreign)
		allowed = allowed && t.tenant.Select
	default:
		w = s.nothing(where)
	}
	return statement{sql: sql}, denied(allowed, w), err
}

// insertInto writes the INSERT a login with these privileges can write.
func insertInto(t *table, r row) (sql string, allowed bool) {
	granted := func(c *column) bool { return c.Insert }
	allowed = t.tenant.Insert
	if !slices.ContainsFunc(t.insertable(), granted) {
		return insertSQL(t, r, nil), false
	}
	return insertSQL(t, r, func(c *column) bool { return c.Insert || c == t.tenant }), allowed
}

// whose is the tenant a new row names: own only in the own context.
func whose(where string) int {
	if where == ctxOwn {
		return 0
	}
	return 1
}

func (s *suite) insertCell(ctx context.Context, t *table, where string) (statement, want, error) {
	sql, allowed := insertInto(t, s.spare[t][whose(where)][0])
	w := s.refusedWrite(where)
	var err error
	if where == ctxOwn && allowed {
		w, err = s.oracle(ctx, sql)
	}
	return statement{sql: sql}, denied(allowed, w), err
}

// touch is an UPDATE that changes nothing, and whether the login may run it.
func (s *suite) touch(t *table) (set string, allowed bool) {
	c := t.changeable()
	if c == nil {
		c = t.tenant
	}
	if c.Select || !c.Update {
		return fmt.Sprintf("%s = %[1]s", quote(c.Name)), c.Update && c.Select
	}
	return quote(c.Name) + " = " + s.rows[t][s.own][0][c.Name].sql(c.Type), true
}

func (s *suite) updateCell(ctx context.Context, t *table, where string) (statement, want, error) {
	set, allowed := s.touch(t)
	return s.change(ctx, t, where, fmt.Sprintf("UPDATE %s SET %s", t.sql(), set), allowed)
}

func (s *suite) deleteCell(ctx context.Context, t *table, where string) (statement, want, error) {
	return s.change(ctx, t, where, "DELETE FROM "+t.sql(), t.Delete)
}

// change is an UPDATE or DELETE of everything in sight, or of the foreign rows.
func (s *suite) change(ctx context.Context, t *table, where, sql string, allowed bool) (statement, want, error) {
	w := s.nothing(where)
	var err error
	switch where {
	case ctxOwn:
		if allowed {
			w, err = s.oracle(ctx, sql+" WHERE "+t.equals(s.own))
		}
	case ctxForeign:
		sql += " WHERE " + t.equals(s.foreign)
		allowed = allowed && t.tenant.Select
	}
	return statement{sql: sql}, denied(allowed, w), err
}

// moveCell gives own rows away, or takes foreign ones.
func (s *suite) moveCell(ctx context.Context, t *table, where string) (statement, want, error) {
	sql := "UPDATE " + t.sql() + " SET "
	allowed := t.tenant.Update && t.tenant.Select
	if where == ctxOwn {
		// Without WHERE: an UPDATE that reads columns is held to the SELECT policies too, which would hide a loose WITH CHECK.
		sql += t.equals(s.foreign)
		return statement{sql: sql}, want{state: stateDenied}, nil
	}
	sql += t.equals(s.own) + " WHERE " + t.equals(s.foreign)
	return statement{sql: sql}, denied(allowed, s.nothing(where)), nil
}

// upsertCell inserts a row that is there already: an own one, or the foreign tenant's.
func (s *suite) upsertCell(ctx context.Context, t *table, where string) (statement, want, error) {
	r := s.rows[t][s.cfg.Tenants[whose(where)]][0]
	sql, allowed := insertInto(t, r)
	arbiter := slices.IndexFunc(t.Uniques, func(u *unique) bool { return u.Plain && u.Immediate })
	if arbiter < 0 {
		sql += " ON CONFLICT DO NOTHING"
	} else {
		set, may := s.touch(t)
		if c := t.changeable(); c != nil && c.Select {
			set = fmt.Sprintf("%s = excluded.%[1]s", quote(c.Name))
		} else if !strings.Contains(set, "CAST(") {
			set = fmt.Sprintf("%s = %s.%[1]s", quote(t.tenant.Name), quote(t.Name))
		}
		for _, name := range t.Uniques[arbiter].Columns {
			may = may && t.column(name).Select
		}
		allowed = allowed && may
		sql += fmt.Sprintf(" ON CONFLICT (%s) DO UPDATE SET %s", quoteAll(t.Uniques[arbiter].Columns), set)
	}
	w := s.refusedWrite(where)
	var err error
	if where == ctxOwn && allowed {
		w, err = s.oracle(ctx, sql)
	}
	return statement{sql: sql}, denied(allowed, w), err
}

func (s *suite) copyToCell(ctx context.Context, t *table, where string) (statement, want, error) {
	st, w, err := s.selectCell(ctx, t, where)
	switch {
	case where == ctxForeign || t.Kind == "p": // COPY of a partitioned table itself is refused by PostgreSQL
		st.sql = "COPY (" + st.sql + ") TO STDOUT"
	default:
		cols := slices.DeleteFunc(t.readable(), func(c *column) bool { return c.Generated != "" })
		if len(cols) == 0 {
			cols = t.insertable()
		}
		st.sql = fmt.Sprintf("COPY %s (%s) TO STDOUT", t.sql(), quoteAll(columnNames(cols)))
	}
	st.kind = copyTo
	return st, w, err
}

// copyFromCell loads a foreign row: PostgreSQL refuses that on a table under row-level security.
func (s *suite) copyFromCell(_ context.Context, t *table, where string) (statement, want, error) {
	r := s.rows[t][s.cfg.Tenants[whose(where)]][0]
	var names, fields []string
	allowed := true
	for _, c := range t.insertable() {
		names = append(names, c.Name)
		allowed = allowed && c.Insert
		if r[c.Name].kind == isNull {
			fields = append(fields, `\N`)
			continue
		}
		fields = append(fields, strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(r[c.Name].text))
	}
	st := statement{kind: copyFrom, data: strings.Join(fields, "\t") + "\n",
		sql: fmt.Sprintf("COPY %s (%s) FROM STDIN", t.sql(), quoteAll(names))}
	return st, denied(allowed, want{state: stateUnsupported}), nil
}

// truncateCell is refused in every context: no policy covers TRUNCATE. There is no CASCADE, since that would ask
// for the privilege on other tables too.
func (s *suite) truncateCell(_ context.Context, t *table, _ string) (statement, want, error) {
	return statement{sql: "TRUNCATE " + t.sql()}, want{state: stateDenied}, nil
}
