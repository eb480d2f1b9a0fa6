package rlstest

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds that keep random statements small: sources per FROM, output columns, and rows of tables multiply.
const (
	maxSources = 3
	maxOutputs = 4
	maxLevel   = 2 // of nesting
)

// query is a SELECT with the classes of its columns, which are called c1, c2 and so on.
func (g *gen) query(level int, outer []field, ctes map[string]source) (sql string, out []class) {
	from, scope := g.from(level, ctes)
	for range 1 + g.IntN(maxOutputs) {
		out = append(out, class(g.IntN(int(classes))))
	}
	sql = g.block(from, scope, outer, out, level)
	g.maybe(2, func(g *gen) {
		other, inner := g.from(level-1, ctes)
		op := pick(g, "UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")
		sql = fmt.Sprintf("(%s) %s (%s)", sql, op, g.block(other, inner, outer, out, level-1))
	})
	g.maybe(3, func(g *gen) {
		sql = "SELECT * FROM (" + sql + ") o ORDER BY " + ordinals(len(out)) // over all columns, so that a limit is no choice
		g.maybe(7, func(g *gen) { sql += fmt.Sprintf(" LIMIT %d OFFSET %d", 1+g.IntN(6), g.IntN(3)) })
	})
	return sql, out
}

func ordinals(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(i+1))
	}
	return strings.Join(list, ", ")
}

// block is SELECT … FROM … WHERE … with or without groups.
func (g *gen) block(from string, inner, outer []field, out []class, level int) string {
	scope := slices.Concat(inner, outer)
	where := ""
	g.maybe(7, func(g *gen) { where = " WHERE " + g.predicate(scope, min(level, maxLevel)) })
	grouped := ""
	g.maybe(3, func(g *gen) { grouped = g.grouped(from, where, inner, out) })
	if grouped != "" {
		return grouped
	}
	distinct := ""
	g.maybe(2, func(*gen) { distinct = "DISTINCT " })
	var cols []string
	for i, k := range out {
		col := g.expr(k, scope, min(level, maxLevel))
		if k == number {
			g.maybe(2, func(g *gen) { col = g.window(scope) })
		}
		cols = append(cols, fmt.Sprintf("(%s)::%s AS c%d", col, k.sql(), i+1))
	}
	return "SELECT " + distinct + strings.Join(cols, ", ") + " FROM " + from + where
}

// window is a window function whose value does not depend on the order of equals.
func (g *gen) window(scope []field) string {
	fn := pick(g, "rank()", "dense_rank()", "count(*)", "sum("+g.leaf(number, scope)+")", "max("+g.leaf(number, scope)+")", "round(percent_rank()::numeric, 6)")
	over := "PARTITION BY " + g.leaf(text, scope) + " ORDER BY " + g.leaf(id, scope) + ", " + g.leaf(number, scope)
	if strings.HasPrefix(fn, "round") {
		return "round((percent_rank() OVER (" + over + "))::numeric, 6)"
	}
	return fn + " OVER (" + over + ")"
}

// grouped is a block with GROUP BY: the first column is the key. Aggregates are over columns of the block's own sources, since
// one over outer columns alone would belong to the query outside.
func (g *gen) grouped(from, where string, scope []field, out []class) string {
	key := g.leaf(out[0], scope)
	cols := []string{fmt.Sprintf("(%s)::%s AS c1", key, out[0].sql())}
	for i, k := range out[1:] {
		cols = append(cols, fmt.Sprintf("(%s)::%s AS c%d", g.aggregate(k, scope), k.sql(), i+2))
	}
	group := pick(g, "(%s)", "(%s)", "ROLLUP (%s)")
	sql := "SELECT " + strings.Join(cols, ", ") + " FROM " + from + where + " GROUP BY " + fmt.Sprintf(group, key+keyless(key))
	g.maybe(3, func(g *gen) { sql += " HAVING " + g.aggregate(number, scope) + " > " + fmt.Sprint(g.IntN(3)) })
	return sql
}

// keyless keeps a literal key from being read as the number of a column.
func keyless(key string) string {
	if strings.Contains(key, ".") {
		return ""
	}
	return " || ''"
}

func (g *gen) aggregate(k class, scope []field) (sql string) {
	e := func(k class) string { return g.expr(k, scope, 1) }
	switch k {
	case number:
		x := e(text)
		sql = pick(g, "count(*)", "count("+x+")", "count(DISTINCT "+x+")", "sum("+e(number)+")", "max("+e(number)+")", "avg("+e(number)+")")
	case text:
		x := e(text)
		sql = pick(g, "max("+x+")", "string_agg("+x+", ',' ORDER BY "+x+")", "min("+x+")")
	case id:
		return "max(" + e(id) + "::text)::uuid"
	case truth:
		sql = pick(g, "bool_or", "bool_and") + "(" + e(truth) + ")"
	default:
		sql = pick(g, "max", "min") + "(" + e(moment) + ")"
	}
	g.maybe(2, func(g *gen) { sql += " FILTER (WHERE " + g.predicate(scope, 1) + ")" })
	return sql
}

// from is a FROM list with the columns it puts in sight.
func (g *gen) from(level int, ctes map[string]source) (sql string, scope []field) {
	sql, scope = g.source(level, ctes, nil)
	for range maxSources - 1 {
		g.maybe(3, func(g *gen) {
			kind := pick(g, "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "LATERAL")
			if kind == "LATERAL" && level > 0 {
				inner, more := g.source(level-1, nil, scope)
				sql, scope = sql+" CROSS JOIN "+inner, append(scope, more...)
				return
			}
			inner, more := g.source(level-1, ctes, nil)
			on := ""
			if kind != "CROSS JOIN" && kind != "LATERAL" {
				on = g.joined(scope, more)
			}
			sql, scope = sql+" "+strings.Replace(kind, "LATERAL", "CROSS JOIN", 1)+" "+inner+on, append(scope, more...)
		})
	}
	return sql, scope
}

// joined compares a column of either side, since FULL JOIN wants just that.
func (g *gen) joined(left, right []field) string {
	for _, k := range []class{pick(g, id, text, number), id, text, number} {
		for _, a := range left {
			for _, b := range right {
				if a.class == k && b.class == k && g.IntN(3) > 0 {
					return " ON " + a.sql + " = " + b.sql
				}
			}
		}
	}
	return " ON " + left[0].sql + "::text = " + right[0].sql + "::text"
}

// source is a table, a subquery, a common table expression or a function. With outer columns it is LATERAL.
func (g *gen) source(level int, ctes map[string]source, outer []field) (string, []field) {
	a := g.alias()
	if len(ctes) > 0 && g.IntN(3) == 0 {
		for name, s := range ctes {
			return name + " " + a, renamed(s, a)
		}
	}
	switch n := g.IntN(10); {
	case (n < 2 || outer != nil) && level > 0:
		sql, out := g.query(level-1, outer, nil)
		lateral := ""
		if outer != nil {
			lateral = "LATERAL "
		}
		return lateral + "(" + sql + ") " + a, outputs(a, out)
	case n == 2:
		return fmt.Sprintf("generate_series(1, %d) %s (c1)", 1+g.IntN(3), a), []field{{a + ".c1::numeric", number}}
	case n == 3:
		k := pick(g, id, text)
		return fmt.Sprintf("(VALUES (%s), (%s)) %s (c1)", g.literal(k), g.literal(k), a), []field{{a + ".c1", k}}
	}
	t := pick(g, g.tables...)
	sample := ""
	if g.IntN(20) == 0 {
		sample = " TABLESAMPLE BERNOULLI (100)"
	}
	return tableRef(t) + " " + a + sample, g.fieldsOf(t, a)
}

func outputs(alias string, out []class) (fields []field) {
	for i, k := range out {
		fields = append(fields, field{fmt.Sprintf("%s.c%d", alias, i+1), k})
	}
	return fields
}

func renamed(s source, alias string) (fields []field) {
	for i, f := range s.fields {
		fields = append(fields, field{fmt.Sprintf("%s.c%d", alias, i+1), f.class})
	}
	return fields
}

// selects is a whole SELECT, with common table expressions or without.
func (g *gen) selects() string {
	with := ""
	var ctes map[string]source
	g.maybe(3, func(g *gen) {
		sql, out := g.query(1, nil, nil)
		ctes = map[string]source{"w1": {outputs("w1", out)}}
		with = "WITH w1 AS " + pick(g, "", "MATERIALIZED ", "NOT MATERIALIZED ") + "(" + sql + ") "
	})
	sql, _ := g.query(maxLevel, nil, ctes)
	return with + sql
}
