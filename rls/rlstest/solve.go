package rlstest

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// condition is a CHECK of a table, of a column's domain, or the bounds of its partitions.
type condition struct {
	name    string
	expr    string
	columns []string
}

var domainValueRE = regexp.MustCompile(`\bVALUE\b`)

// conditions lists what a row must satisfy.
func (t *table) conditions() (all []condition) {
	for _, c := range t.Constraints {
		if c.Kind == "c" {
			all = append(all, condition{c.Name, c.Expr, c.Columns})
		}
	}
	for _, c := range t.Columns {
		for _, expr := range c.DomainChecks {
			all = append(all, condition{"domain of " + c.Name, domainValueRE.ReplaceAllLiteralString(expr, quote(c.Name)), []string{c.Name}})
		}
	}
	if len(t.Bounds) > 0 {
		cond := condition{name: "bounds of the partitions", expr: "(" + strings.Join(t.Bounds, ") OR (") + ")"}
		for _, c := range t.Columns {
			if regexp.MustCompile(`\b` + regexp.QuoteMeta(c.Name) + `\b`).MatchString(cond.expr) {
				cond.columns = append(cond.columns, c.Name)
			}
		}
		all = append(all, cond)
	}
	return all
}

// hintsFor collects what the conditions say about a column.
func hintsFor(all []condition, column string) (h hints) {
	for _, c := range all {
		if slices.Contains(c.columns, column) {
			h.read(c.expr)
		}
	}
	return h
}

// Bounds of the search for values that satisfy a condition.
const (
	maxCombinations = 3_000
	chunk           = 150 // rows tried in one statement
	maxRounds       = 24
)

// unsatisfied reports the condition that the generator could not meet.
type unsatisfied struct {
	table *table
	cond  condition
}

func (e *unsatisfied) Error() string {
	return fmt.Sprintf("rlstest: seed: %s: found no values for %s: %s; give them in Config.Rows or Config.Values",
		e.table, e.cond.name, e.cond.expr)
}

// solve changes r, within the choices per column, until every condition holds.
func solve(ctx context.Context, tx pgx.Tx, t *table, r row, choices map[string][]value) error {
	all := t.conditions()
	if len(all) == 0 {
		return nil
	}
	for range maxRounds {
		broken, err := evaluate(ctx, tx, t, all, []row{r})
		if err != nil {
			return err
		}
		if broken[0] == nil { // an expression failed: vary the columns of all conditions in turn
			broken[0] = indexes(len(all))
		}
		if len(broken[0]) == 0 {
			return nil
		}
		cond := all[broken[0][0]]
		better, err := improve(ctx, tx, t, all, broken[0][0], r, choices)
		if err != nil {
			return err
		}
		if better == nil {
			return &unsatisfied{t, cond}
		}
		for _, c := range cond.columns {
			r[c] = better[c]
		}
	}
	return &unsatisfied{t, all[0]}
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// improve looks for values of one condition's columns with which it holds and the fewest others are broken.
func improve(ctx context.Context, tx pgx.Tx, t *table, all []condition, which int, r row, choices map[string][]value) (row, error) {
	var best row
	least := len(all) + 1
	combos := combinations(t, all[which].columns, r, choices)
	for part := range slices.Chunk(combos, chunk) {
		broken, err := evaluate(ctx, tx, t, all, part)
		if err != nil {
			return nil, err
		}
		for i, b := range broken {
			if b != nil && !slices.Contains(b, which) && len(b) < least {
				best, least = part[i], len(b)
			}
		}
		if least == 0 {
			break
		}
	}
	return best, nil
}

// combinations are copies of r with other values in the given columns, those with likelier values first.
func combinations(t *table, columns []string, r row, choices map[string][]value) []row {
	type combo struct {
		values []value
		cost   int
	}
	combos := []combo{{}}
	for _, name := range columns {
		options := choices[name]
		if c := t.column(name); c == nil || c.Generated != "" || len(options) == 0 {
			options = []value{r[name]}
		}
		var next []combo
		for _, base := range combos {
			for cost, v := range options {
				next = append(next, combo{append(slices.Clone(base.values), v), base.cost + cost})
			}
		}
		slices.SortStableFunc(next, func(a, b combo) int { return a.cost - b.cost })
		combos = next[:min(len(next), maxCombinations)]
	}
	rows := make([]row, len(combos))
	for i, c := range combos {
		rows[i] = row{}
		for k, v := range r {
			rows[i][k] = v
		}
		for j, name := range columns {
			rows[i][name] = c.values[j]
		}
	}
	return rows
}

// evaluate lists for each row the conditions it breaks; nil where they cannot be evaluated.
func evaluate(ctx context.Context, tx pgx.Tx, t *table, all []condition, rows []row) ([][]int, error) {
	answer, err := guarded(ctx, tx, evaluation(t, all, rows), false)
	broken := make([][]int, len(rows))
	for i, r := range answer {
		broken[i] = []int{}
		for field := range strings.FieldsFuncSeq(string(r[0]), func(c rune) bool { return c == '{' || c == '}' || c == ',' }) {
			n, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			broken[i] = append(broken[i], n)
		}
	}
	if err == nil || stateOf(err) == "" {
		return broken, err
	}
	if len(rows) == 1 {
		return [][]int{nil}, nil // some value cannot be cast, or an expression fails on it
	}
	half := len(rows) / 2
	left, err := evaluate(ctx, tx, t, all, rows[:half])
	if err != nil {
		return nil, err
	}
	right, err := evaluate(ctx, tx, t, all, rows[half:])
	return append(left, right...), err
}

// guarded runs one statement within a savepoint, in one round trip, and undoes it if it fails or if undo says so.
func guarded(ctx context.Context, tx pgx.Tx, sql string, undo bool) (rows [][][]byte, err error) {
	const back = "ROLLBACK TO rlstest; RELEASE rlstest"
	end := "RELEASE rlstest"
	if undo {
		end = back
	}
	results, err := tx.Conn().PgConn().Exec(ctx, "SAVEPOINT rlstest; "+sql+"; "+end).ReadAll()
	if err == nil {
		return results[1].Rows, nil
	}
	if stateOf(err) != "" {
		if _, err := simple(ctx, tx.Conn(), back); err != nil {
			return nil, err
		}
	}
	return nil, err
}

// evaluation is the query behind evaluate: rows as values, generated columns on top, conditions over both.
func evaluation(t *table, all []condition, rows []row) string {
	var values []string
	cols := t.insertable()
	for i, r := range rows {
		fields := []string{fmt.Sprint(i)}
		for _, c := range cols {
			fields = append(fields, r[c.Name].evaluated(c))
		}
		values = append(values, "("+strings.Join(fields, ", ")+")")
	}
	names, generated := []string{`"rlstest n"`}, []string{"v.*"}
	for _, c := range cols {
		names = append(names, quote(c.Name))
	}
	for _, c := range t.Columns {
		if c.Generated != "" {
			generated = append(generated, fmt.Sprintf("(%s) AS %s", c.Default, quote(c.Name)))
		}
	}
	var checks []string
	for i, c := range all {
		checks = append(checks, fmt.Sprintf("CASE WHEN (%s) IS FALSE THEN %d END", c.expr, i))
	}
	return fmt.Sprintf(`SELECT array_remove(ARRAY[%s]::int[], NULL) FROM (SELECT %s FROM (VALUES %s) AS v (%s)) AS %s ORDER BY "rlstest n"`,
		strings.Join(checks, ", "), strings.Join(generated, ", "), strings.Join(values, ", "), strings.Join(names, ", "), quote(t.Name))
}

// evaluated writes the value for a query that is no INSERT, without the domain, whose conditions are tested apart.
func (v value) evaluated(c *column) string {
	switch {
	case v.kind == isDefault && c.Default != "" && !strings.Contains(c.Default, "nextval("):
		return "CAST((" + c.Default + ") AS " + c.Base + ")"
	case v.kind == isDefault:
		return "CAST(NULL AS " + c.Base + ")"
	}
	return v.sql(c.Base)
}
