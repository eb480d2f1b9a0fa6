package rlstest

import (
	"fmt"
	"slices"
	"strings"
)

// writer knows how to change each table: which columns a login may set to which values without breaking a key.
type writer struct {
	*grammar
	spare   map[*table][2][]row
	pool    map[*table][]row // rows of both tenants
	inserts []*table
	updates []*table
	deletes []*table
}

// dml is a data-modifying statement.
type dml struct {
	kind    string
	target  *table
	sql     string
	crosses bool // it would write into another tenant: refused unless it finds no row
}

// write makes a statement that changes data, or false if no table may be changed that way.
func (w *writer) write(g *gen) (dml, bool) {
	kinds := map[string]struct {
		on []*table
		fn func(*gen, *table) dml
	}{
		"insert": {w.inserts, w.insert}, "upsert": {w.inserts, w.upsert}, "insert select": {w.inserts, w.insertSelect},
		"update": {w.updates, w.update}, "delete": {w.deletes, w.delete}, "merge": {both(w.updates, w.inserts), w.merge},
		"cte": {w.updates, w.cte}, "lock": {w.updates, w.lock},
	}
	names := []string{"insert", "upsert", "insert select", "update", "update", "delete", "merge", "cte", "lock"}
	kind := kinds[names[g.IntN(len(names))]]
	if len(kind.on) == 0 {
		return dml{}, false
	}
	t := pick(g, kind.on...)
	return kind.fn(g, t), true
}

func both(a, b []*table) []*table {
	return slices.DeleteFunc(slices.Clone(a), func(t *table) bool { return !slices.Contains(b, t) })
}

// values writes a spare row, now and then the foreign tenant's.
func (w *writer) values(g *gen, t *table) (names, values []string, crosses bool) {
	tenant := 0
	if g.IntN(12) == 0 {
		tenant = 1
	}
	r := pick(g, w.spare[t][tenant]...)
	for _, c := range t.insertable() {
		names = append(names, quote(c.Name))
		v := r[c.Name]
		if pool := w.pool[t]; !t.inKey(c.Name) && c != t.tenant && g.IntN(3) == 0 {
			v = pool[g.IntN(len(pool))][c.Name]
		} else if c != t.tenant && !t.references(c.Name) && g.IntN(6) == 0 { // a key the foreign tenant has
			v = pool[len(pool)-1][c.Name]
		}
		values = append(values, v.sql(c.Type))
	}
	return names, values, tenant == 1
}

func into(t *table, names []string) string {
	return fmt.Sprintf("INSERT INTO %s AS s0 (%s) OVERRIDING SYSTEM VALUE ", tableRef(t), strings.Join(names, ", "))
}

func (w *writer) insert(g *gen, t *table) dml {
	names, values, crosses := w.values(g, t)
	return dml{"insert", t, into(t, names) + "VALUES (" + strings.Join(values, ", ") + ")" + w.returning(g, t), crosses}
}

// insertSelect takes the row from another table, if that has any the condition finds.
func (w *writer) insertSelect(g *gen, t *table) dml {
	names, values, crosses := w.values(g, t)
	from, scope := g.from(1, nil)
	sql := fmt.Sprintf("%sSELECT DISTINCT %s FROM %s WHERE %s", into(t, names), strings.Join(values, ", "), from, g.predicate(scope, 2))
	if slices.ContainsFunc(t.insertable(), func(c *column) bool { return !comparable(c) }) {
		sql = strings.Replace(sql, "SELECT DISTINCT", "SELECT", 1) + " LIMIT 1"
	}
	return dml{"insert select", t, sql, crosses}
}

// comparable tells whether DISTINCT can handle the type.
func comparable(c *column) bool {
	return !slices.Contains([]string{"json", "xml", "point", "box", "polygon", "line", "lseg", "path", "circle"}, c.Base)
}

// upsert inserts a row that is there, or one that is not.
func (w *writer) upsert(g *gen, t *table) dml {
	names, values, crosses := w.values(g, t)
	if g.IntN(2) == 0 && !crosses {
		r := w.pool[t][0] // the own tenant's
		for i, c := range t.insertable() {
			values[i] = r[c.Name].sql(c.Type)
		}
	}
	sql := into(t, names) + "VALUES (" + strings.Join(values, ", ") + ") ON CONFLICT "
	arbiter := slices.IndexFunc(t.Uniques, func(u *unique) bool { return u.Plain && u.Immediate })
	c := t.changeable()
	if arbiter < 0 || c == nil || !c.Select || g.IntN(3) == 0 {
		return dml{"upsert", t, sql + "DO NOTHING" + w.returning(g, t), crosses}
	}
	sql += fmt.Sprintf("(%s) DO UPDATE SET %s = %s", quoteAll(t.Uniques[arbiter].Columns), quote(c.Name), pick(g, "excluded."+quote(c.Name), w.valueFor(g, t, c)))
	g.maybe(3, func(g *gen) { sql += " WHERE " + g.predicate(g.fieldsOf(t, "s0"), 1) })
	return dml{"upsert", t, sql + w.returning(g, t), crosses}
}

// valueFor is a value the column has somewhere.
func (w *writer) valueFor(g *gen, t *table, c *column) string {
	pool := w.pool[t]
	return pool[g.IntN(len(pool))][c.Name].sql(c.Type)
}

// set is a SET list over columns outside keys, or the tenant's itself.
func (w *writer) set(g *gen, t *table) (sql string, crosses bool) {
	if t.tenant.Update && g.IntN(12) == 0 {
		foreign := w.spare[t][1][0][t.tenant.Name]
		return quote(t.tenant.Name) + " = " + foreign.sql("uuid"), true
	}
	var parts []string
	for _, c := range t.Columns {
		if c.Update && c.Generated == "" && c.Identity != "a" && !t.inKey(c.Name) && c != t.tenant && (len(parts) == 0 || g.IntN(3) == 0) {
			parts = append(parts, quote(c.Name)+" = "+w.valueFor(g, t, c))
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%s = s0.%[1]s", quote(t.changeable().Name)), false
	}
	return strings.Join(parts, ", "), false
}

func (w *writer) update(g *gen, t *table) dml {
	set, crosses := w.set(g, t)
	sql := fmt.Sprintf("UPDATE %s s0 SET %s", tableRef(t), set)
	scope := g.fieldsOf(t, "s0")
	kind := "update"
	g.maybe(4, func(g *gen) {
		kind = "update from"
		from, more := g.from(1, nil)
		sql, scope = sql+" FROM "+from, append(scope, more...)
	})
	g.maybe(8, func(g *gen) { sql += " WHERE " + g.predicate(scope, 2) })
	return dml{kind, t, sql + w.returning(g, t), crosses}
}

func (w *writer) delete(g *gen, t *table) dml {
	sql := "DELETE FROM " + tableRef(t) + " s0"
	scope := g.fieldsOf(t, "s0")
	kind := "delete"
	g.maybe(4, func(g *gen) {
		kind = "delete using"
		from, more := g.from(1, nil)
		sql, scope = sql+" USING "+from, append(scope, more...)
	})
	g.maybe(8, func(g *gen) { sql += " WHERE " + g.predicate(scope, 2) })
	return dml{kind, t, sql + w.returning(g, t), false}
}

// merge joins the table with itself by its key, and with one row that is new.
func (w *writer) merge(g *gen, t *table) dml {
	names, values, crosses := w.values(g, t)
	set, moves := w.set(g, t)
	var on []string
	for _, k := range t.key() {
		on = append(on, fmt.Sprintf("s0.%s = s9.%[1]s", quote(k)))
	}
	sql := fmt.Sprintf("MERGE INTO %s s0 USING (SELECT * FROM %[1]s s8 WHERE %s) s9 ON %s", tableRef(t), g.predicate(g.fieldsOf(t, "s8"), 1), strings.Join(on, " AND "))
	if g.IntN(3) == 0 {
		row := make([]string, len(values))
		for i := range values {
			row[i] = values[i] + " AS " + names[i]
		}
		sql = fmt.Sprintf("MERGE INTO %s s0 USING (SELECT %s) s9 ON %s WHEN NOT MATCHED THEN INSERT (%s) OVERRIDING SYSTEM VALUE VALUES (%s)", tableRef(t),
			strings.Join(row, ", "), strings.Join(on, " AND "), strings.Join(names, ", "), strings.Join(values, ", "))
		return dml{"merge", t, sql, crosses}
	}
	sql += " WHEN MATCHED AND " + g.predicate(g.fieldsOf(t, "s0"), 1) + " THEN UPDATE SET " + set
	if t.Delete && g.IntN(2) == 0 {
		sql += " WHEN MATCHED THEN DELETE"
	}
	return dml{"merge", t, sql, moves}
}

// cte reads what a statement in WITH has changed.
func (w *writer) cte(g *gen, t *table) dml {
	set, crosses := w.set(g, t)
	scope := g.fieldsOf(t, "s0")
	from, more := g.from(1, nil)
	sql := fmt.Sprintf("WITH changed AS (UPDATE %s s0 SET %s WHERE %s RETURNING %s AS c1) SELECT changed.c1, count(*) FROM changed, %s WHERE %s GROUP BY 1",
		tableRef(t), set, g.predicate(scope, 1), g.leaf(text, scope), from, g.predicate(more, 1))
	return dml{"cte", t, sql, crosses}
}

func (w *writer) lock(g *gen, t *table) dml {
	return dml{"lock", t, fmt.Sprintf("SELECT %s FROM %s s0 WHERE %s FOR %s", g.leaf(text, g.fieldsOf(t, "s0")), tableRef(t),
		g.predicate(g.fieldsOf(t, "s0"), 2), pick(g, "UPDATE", "SHARE", "NO KEY UPDATE", "KEY SHARE")), false}
}

func (w *writer) returning(g *gen, t *table) (sql string) {
	g.maybe(5, func(g *gen) {
		var list []string
		for _, f := range g.fieldsOf(t, "s0") {
			list = append(list, f.sql)
		}
		sql = " RETURNING " + strings.Join(list, ", ")
	})
	return sql
}
