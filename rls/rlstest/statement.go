package rlstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// key are the columns of the primary key, or of the first plain unique index, or all.
func (t *table) key() []string {
	for _, c := range t.Constraints {
		if c.Kind == "p" {
			return c.Columns
		}
	}
	for _, u := range t.Uniques {
		if u.Plain {
			return u.Columns
		}
	}
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// match is a condition that finds a row again.
func (t *table) match(r row) string {
	var parts []string
	for _, name := range t.key() {
		parts = append(parts, fmt.Sprintf("%s::text IS NOT DISTINCT FROM %s", quote(name), r[name].sql("text")))
	}
	return strings.Join(parts, " AND ")
}

// assignments is the SET list of an UPDATE.
func assignments(t *table, set row) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		parts = append(parts, quote(name)+" = "+set[name].sql(t.column(name).Type))
	}
	return strings.Join(parts, ", ")
}

// equals is a condition on the tenant column.
func (t *table) equals(tenant fmt.Stringer) string {
	return quote(t.tenant.Name) + " = " + literal(tenant.String())
}

// readable are the columns the login may read.
func (t *table) readable() []*column {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c *column) bool { return !c.Select })
}

// changeable is a column to update without consequences: outside keys if there is one.
func (t *table) changeable() *column {
	var best *column
	for _, c := range t.Columns {
		if !c.Update || c.Generated != "" || c.Identity == "a" || c == t.tenant {
			continue
		}
		if !t.inKey(c.Name) {
			return c
		}
		best = c
	}
	return best
}

// inKey tells whether a column is part of a unique index or of a foreign key.
func (t *table) inKey(name string) bool {
	return slices.ContainsFunc(t.Uniques, func(u *unique) bool { return slices.Contains(u.Columns, name) }) ||
		slices.ContainsFunc(t.Constraints, func(c *constraint) bool { return strings.Contains("fx", c.Kind) && slices.Contains(c.Columns, name) })
}

// references tells whether a column is part of a foreign key.
func (t *table) references(name string) bool {
	return slices.ContainsFunc(t.Constraints, func(c *constraint) bool { return c.Kind == "f" && slices.Contains(c.Columns, name) })
}

func columnNames(columns []*column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}
