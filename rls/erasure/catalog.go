package erasure

import (
	"context"
	_ "embed"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

//go:embed catalog.sql
var catalogSQL string

//go:embed references.sql
var referencesSQL string

// Querier is what reading the catalog needs: an rls.Scope, or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// column is one column as the catalog has it.
type column struct {
	name, sqlType                      string
	nullable                           bool
	appSelect, appUpdate, systemUpdate bool
}

// relation is a table as the catalog has it, with its place in the register. Names become SQL only through quoting what the
// catalog returned.
type relation struct {
	schema, name           string
	kind                   string   // pg_class.relkind: r, p, f, m
	tenant                 []string // tenant columns, the policy's first
	readable, systemDelete bool
	appDelete              bool
	columns                []column
	children               []reference // foreign keys that point here
	category               *Category   // nil: exempt, or unknown to the register
	table                  *Table      // nil with category
	exempt                 *Exemption
	sql, tag               string
}

// reference is a foreign key from a relation to the one that lists it.
type reference struct {
	from          *relation
	columns, keys []string
	onDelete      string // pg_constraint.confdeltype: a, r, c, n, d
}

// cascades reports whether deleting a row changes or deletes the rows that reference it.
func (r reference) cascades() bool {
	return r.onDelete == "c" || r.onDelete == "n" || r.onDelete == "d"
}

// column returns the named column.
func (r *relation) column(name string) (column, bool) {
	for _, c := range r.columns {
		if c.name == name {
			return c, true
		}
	}
	return column{}, false
}

// stored reports whether rows can be deleted from the relation as such.
func (r *relation) stored() bool { return r.kind == "r" || r.kind == "p" }

// catalog is the database as this package sees it.
type catalog struct {
	relations []*relation // referencing tables before the referenced
	byName    map[string]*relation
}

// readCatalog reads the catalog and lays the register over it. It reads nothing but system catalogs, so any login may.
func readCatalog(ctx context.Context, q Querier, r *Register) (*catalog, error) {
	c := &catalog{byName: map[string]*relation{}}
	rows, err := q.Query(ctx, catalogSQL)
	if err != nil {
		return nil, fmt.Errorf("erasure: catalog: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanRelation)
	if err != nil {
		return nil, fmt.Errorf("erasure: catalog: %w", err)
	}
	for _, rel := range all {
		c.byName[rel.tag] = rel
	}
	if err := c.readReferences(ctx, q); err != nil {
		return nil, err
	}
	c.order(all)
	c.place(r)
	return c, nil
}

func scanRelation(row pgx.CollectableRow) (*relation, error) {
	r := &relation{}
	var names, types []string
	var nullable, appSelect, appUpdate, systemUpdate []bool
	err := row.Scan(&r.schema, &r.name, &r.kind, &r.tenant, &r.readable, &r.systemDelete, &r.appDelete,
		&names, &types, &nullable, &appSelect, &appUpdate, &systemUpdate)
	for i, name := range names {
		r.columns = append(r.columns, column{name, types[i], nullable[i], appSelect[i], appUpdate[i], systemUpdate[i]})
	}
	r.tag = r.schema + "." + r.name
	r.sql = pgx.Identifier{r.schema, r.name}.Sanitize()
	return r, err
}

// quote makes SQL of a name from the catalog.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func (c *catalog) readReferences(ctx context.Context, q Querier) error {
	rows, err := q.Query(ctx, referencesSQL)
	if err != nil {
		return fmt.Errorf("erasure: catalog: %w", err)
	}
	var from, to string
	var ref reference
	_, err = pgx.ForEachRow(rows, []any{&from, &to, &ref.onDelete, &ref.columns, &ref.keys}, func() error {
		child, parent := c.byName[from], c.byName[to]
		if child != nil && parent != nil {
			ref.from = child
			parent.children = append(parent.children, ref)
		}
		ref = reference{}
		return nil
	})
	if err != nil {
		return fmt.Errorf("erasure: catalog: %w", err)
	}
	return nil
}

// order puts referencing tables before the referenced, as far as they are no circle.
func (c *catalog) order(all []*relation) {
	seen := map[*relation]bool{}
	var visit func(*relation)
	visit = func(r *relation) {
		if seen[r] {
			return
		}
		seen[r] = true
		for _, child := range r.children {
			visit(child.from)
		}
		c.relations = append(c.relations, r)
	}
	for _, r := range all {
		visit(r)
	}
}

// place notes which category or exemption a relation has.
func (c *catalog) place(r *Register) {
	for i := range r.Categories {
		cat := &r.Categories[i]
		for j := range cat.Tables {
			if rel := c.byName[cat.Tables[j].Name]; rel != nil {
				rel.category, rel.table = cat, &cat.Tables[j]
			}
		}
	}
	exempt := append(own(), r.Exempt...)
	for i := range exempt {
		if rel := c.byName[exempt[i].Table]; rel != nil {
			rel.exempt = &exempt[i]
		}
	}
}

// tenants are the relations that hold tenants' rows.
func (c *catalog) tenants() []*relation {
	return slices.DeleteFunc(slices.Clone(c.relations), func(r *relation) bool { return len(r.tenant) == 0 })
}

// expiring are the relations whose rows expire by themselves.
func (c *catalog) expiring() []*relation {
	return slices.DeleteFunc(c.tenants(), func(r *relation) bool { return !r.expires() })
}

func (r *relation) expires() bool {
	return r.category != nil && r.table.Time != "" && !r.category.Retention.Period.Zero()
}

// daily reports whether the relation's rows age by days (UTC) and not by instants.
func (r *relation) daily() bool {
	c, _ := r.column(r.table.Time)
	return c.sqlType == "date"
}

// locking passes over rows that somebody else has locked, where the system login may lock rows: that takes the right to
// update. Elsewhere a batch waits.
func (r *relation) locking() string {
	if slices.ContainsFunc(r.columns, func(c column) bool { return c.systemUpdate }) {
		return " FOR UPDATE OF t SKIP LOCKED"
	}
	return ""
}
