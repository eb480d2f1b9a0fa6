package rlstest

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// class is the kind of an expression's value; whatever is none of the others is handled as text.
type class byte

const (
	number class = iota
	text
	id
	truth
	moment
	classes
)

// field is a column of a source, as an expression of its class.
type field struct {
	sql   string
	class class
}

// source is something in FROM.
type source struct{ fields []field }

// grammar is what statements are made from: tables with their columns, and literals both tenants' rows contain.
type grammar struct {
	tables   []*table
	fields   map[*table][]field // sql is a format with the alias
	literals [classes][]string
}

// gen writes one statement. Each optional clause has a generator of its own with a path, so that dropping one clause
// leaves all others as they are.
type gen struct {
	*grammar
	random
	path    string
	next    int
	aliases *int
	dropped map[string]bool // paths of clauses to leave out
	taken   *[]string       // paths of clauses that were written
}

func newGen(g *grammar, seed, n uint64, dropped map[string]bool) *gen {
	return &gen{grammar: g, random: newRandom(seed, n), aliases: new(int), dropped: dropped, taken: new([]string)}
}

// part is the generator of a clause.
func (g *gen) part() *gen {
	g.next++
	sub := *g
	sub.random = random{rand.New(rand.NewPCG(g.Uint64(), g.Uint64()))}
	sub.path, sub.next = fmt.Sprintf("%s.%d", g.path, g.next), 0
	return &sub
}

// maybe calls fn for a clause that is there n times out of ten.
func (g *gen) maybe(n int, fn func(*gen)) {
	sub := g.part()
	if sub.IntN(10) >= n || g.dropped[sub.path] {
		return
	}
	*g.taken = append(*g.taken, sub.path)
	fn(sub)
}

func (g *gen) alias() string {
	*g.aliases++
	return fmt.Sprintf("s%d", *g.aliases)
}

func pick[T any](g *gen, of ...T) T { return of[g.IntN(len(of))] }

// classOf sorts a column's type; the expression casts it to the one type of its class.
func classOf(c *column) (class, string) {
	switch {
	case c.Base == "uuid":
		return id, "%s.%s"
	case c.Base == "boolean":
		return truth, "%s.%s"
	case c.Category == "N":
		return number, "%s.%s::numeric"
	case c.Category == "D" && strings.HasPrefix(c.Base, "timestamp"), c.Base == "date":
		return moment, "%s.%s::timestamptz"
	}
	return text, "%s.%s::text"
}

// tableRef is replaced by the table's name on either side.
func tableRef(t *table) string { return fmt.Sprintf("«%d»", t.OID) }

func (g *gen) fieldsOf(t *table, alias string) (out []field) {
	for _, f := range g.fields[t] {
		out = append(out, field{strings.Replace(f.sql, "%", alias, 1), f.class})
	}
	return out
}

// literal is a value of the class, one of the own tenant, the foreign tenant, or made up.
func (g *gen) literal(k class) string {
	if k == truth {
		return pick(g, "true", "false")
	}
	if k == number && g.IntN(3) == 0 || len(g.literals[k]) == 0 && k == number {
		return fmt.Sprint(g.IntN(20)) + "::numeric"
	}
	if len(g.literals[k]) == 0 {
		return "NULL::" + k.sql()
	}
	return g.literals[k][g.IntN(len(g.literals[k]))] + "::" + k.sql()
}

func (k class) sql() string {
	return [...]string{"numeric", "text", "uuid", "boolean", "timestamptz"}[k]
}

// leaf is a column of the class in sight, or a literal.
func (g *gen) leaf(k class, scope []field) string {
	have := slices.DeleteFunc(slices.Clone(scope), func(f field) bool { return f.class != k })
	if len(have) > 0 && g.IntN(10) < 8 {
		return have[g.IntN(len(have))].sql
	}
	return g.literal(k)
}

// operandRE finds the operands in the form of an expression, by class.
var operandRE = regexp.MustCompile(`%[ntum]`)

// expr writes an expression over the columns in scope.
func (g *gen) expr(k class, scope []field, depth int) string {
	if depth <= 0 || g.IntN(3) == 0 {
		return g.leaf(k, scope)
	}
	sub := func(k class) string { return g.expr(k, scope, depth-1) }
	if k == truth {
		return g.predicate(scope, depth)
	}
	switch g.IntN(9) {
	case 0:
		return fmt.Sprintf("coalesce(%s, %s)", sub(k), sub(k))
	case 1:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.predicate(scope, depth-1), sub(k), sub(k))
	case 2:
		return g.scalar(k, scope, depth-1)
	case 3:
		return fmt.Sprintf("nullif(%s, %s)", sub(k), sub(k))
	}
	forms := map[class][]string{
		number: {"(%n + %n)", "(%n - %n)", "abs(%n)", "length(%t)::numeric", "round(%n / 7, 3)", "greatest(%n, %n)"},
		text:   {"lower(%t)", "upper(%t)", "left(%t, 5)", "md5(%t)", "(%t || %t)", "%u::text", "%m::text", "replace(%t, 'a', 'b')"},
		moment: {"(%m + interval '1 day')", "date_trunc('day', %m)", "least(%m, %m)"},
	}[k]
	if len(forms) == 0 {
		return g.leaf(k, scope)
	}
	return operandRE.ReplaceAllStringFunc(pick(g, forms...), func(m string) string {
		return sub(map[string]class{"%n": number, "%t": text, "%u": id, "%m": moment}[m])
	})
}

// scalar is a subquery with one value.
func (g *gen) scalar(k class, scope []field, depth int) string {
	from, inner := g.from(depth, nil)
	where := g.predicate(slices.Concat(inner, scope), depth)
	value := map[class]string{number: "count(*)::numeric", text: "max(" + g.leaf(text, inner) + ")", moment: "min(" + g.leaf(moment, inner) + ")",
		id: "max(" + g.leaf(id, inner) + "::text)::uuid", truth: "bool_or(" + g.leaf(truth, inner) + ")"}[k]
	return fmt.Sprintf("(SELECT %s FROM %s WHERE %s)", value, from, where)
}

// predicate is a condition over the columns in scope.
func (g *gen) predicate(scope []field, depth int) string {
	return "(" + g.condition(scope, depth) + ")"
}

func (g *gen) condition(scope []field, depth int) string {
	k := class(g.IntN(int(classes)))
	a := func() string { return g.expr(k, scope, depth-1) }
	if depth <= 0 {
		return fmt.Sprintf("%s %s %s", g.leaf(k, scope), pick(g, "=", "<>", "<=", ">"), g.leaf(k, scope))
	}
	switch g.IntN(11) {
	case 0:
		return fmt.Sprintf("%s AND %s", g.predicate(scope, depth-1), g.predicate(scope, depth-1))
	case 1:
		return fmt.Sprintf("%s OR %s", g.predicate(scope, depth-1), g.predicate(scope, depth-1))
	case 2:
		return fmt.Sprintf("NOT %s", g.predicate(scope, depth-1))
	case 3:
		return fmt.Sprintf("%s IS %sNULL", a(), pick(g, "", "NOT "))
	case 4:
		return fmt.Sprintf("%s %sIN (%s, %s, %s)", a(), pick(g, "", "NOT "), g.leaf(k, scope), g.literal(k), g.literal(k))
	case 5, 6:
		from, inner := g.from(depth-1, nil)
		return fmt.Sprintf("%sEXISTS (SELECT 1 FROM %s WHERE %s)", pick(g, "", "NOT "), from, g.predicate(slices.Concat(inner, scope), depth-1))
	case 7:
		from, inner := g.from(depth-1, nil)
		return fmt.Sprintf("%s %s (SELECT %s FROM %s WHERE %s)", a(), pick(g, "IN", "= ANY", "<> ALL"), g.expr(k, inner, 0), from,
			g.predicate(slices.Concat(inner, scope), depth-1))
	case 8:
		return fmt.Sprintf("%s LIKE %s", g.expr(text, scope, depth-1), pick(g, "'%a%'", "'%'", "'b_%'"))
	}
	return fmt.Sprintf("%s %s %s", a(), pick(g, "=", "=", "<>", "<", ">=", "IS DISTINCT FROM"), a())
}
