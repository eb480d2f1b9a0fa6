package erasure

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Problem is one reason why a register does not fit the database.
type Problem struct {
	// Table is schema and table.
	Table string
	// Column is empty where the table itself is meant.
	Column string
	// What says what is wrong.
	What string
}

// String returns the problem on one line.
func (p Problem) String() string {
	if p.Column == "" {
		return fmt.Sprintf("%q: %s", p.Table, p.What)
	}
	return fmt.Sprintf("%q column %q: %s", p.Table, p.Column, p.What)
}

// CatalogError lists everything that does not fit. It wraps [ErrCatalog].
type CatalogError struct {
	Problems []Problem
}

// Error implements error.
func (e *CatalogError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return ErrCatalog.Error() + ": " + strings.Join(lines, "; ")
}

// Unwrap returns [ErrCatalog].
func (e *CatalogError) Unwrap() error { return ErrCatalog }

// Check compares the register with the database: every table with a tenant column is in one category or exempt, every table
// and column it names exists with a type that fits, every foreign key to the people's table is declared, and the logins may
// do what the register wants of them. q may be any scope. Errors are a [CatalogError] or the database's.
func Check(ctx context.Context, q Querier, r *Register) error {
	if err := r.Validate(); err != nil {
		return err
	}
	_, err := bind(ctx, q, r)
	return err
}

// bind reads the catalog and refuses a register that does not fit it.
func bind(ctx context.Context, q Querier, r *Register) (*catalog, error) {
	cat, err := readCatalog(ctx, q, r)
	if err != nil {
		return nil, err
	}
	k := &checker{catalog: cat}
	k.names(r)
	k.people(r)
	for _, rel := range cat.tenants() {
		k.relation(rel)
	}
	if len(k.problems) > 0 {
		return nil, &CatalogError{k.problems}
	}
	return cat, nil
}

type checker struct {
	*catalog
	problems []Problem
}

func (k *checker) add(table, column, what string) {
	k.problems = append(k.problems, Problem{table, column, what})
}

// names finds what the register names and the database does not have.
func (k *checker) names(r *Register) {
	need := func(table string) {
		switch rel := k.byName[table]; {
		case rel == nil:
			k.add(table, "", "does not exist")
		case len(rel.tenant) == 0:
			k.add(table, "", "has no tenant column")
		}
	}
	for _, c := range r.Categories {
		for _, t := range c.Tables {
			need(t.Name)
		}
	}
	for _, e := range append(own(), r.Exempt...) {
		need(e.Table)
	}
}

// people finds foreign keys to the people's table that no Person declares.
func (k *checker) people(r *Register) {
	if r.People == "" {
		return
	}
	home := k.byName[r.People]
	if home == nil {
		k.add(r.People, "", "does not exist")
		return
	}
	for _, ref := range home.children {
		for i, column := range ref.columns {
			rel := ref.from
			if slices.Contains(home.tenant, ref.keys[i]) || rel.table == nil {
				continue
			}
			if !slices.ContainsFunc(rel.table.People, func(p Person) bool { return p.Column == column }) {
				k.add(rel.tag, column, "references the people's table and is not declared as a person")
			}
		}
	}
}

func (k *checker) relation(rel *relation) {
	if rel.category == nil && rel.exempt == nil {
		k.add(rel.tag, "", "has a tenant column and is neither in a category nor exempt")
		return
	}
	if rel.stored() && (rel.exempt == nil || !rel.exempt.Stays) && (!rel.readable || !rel.systemDelete) {
		k.add(rel.tag, "", "tomkit_system cannot read and delete its rows; tomkit.protect grants it")
	}
	if rel.table == nil {
		return
	}
	if !rel.stored() {
		k.add(rel.tag, "", "is not a table")
		return
	}
	k.expiry(rel)
	for _, secret := range rel.table.Secret {
		k.column(rel, secret)
	}
	for i := range rel.table.People {
		k.person(rel, &rel.table.People[i])
	}
}

func (k *checker) column(rel *relation, name string, types ...string) (column, bool) {
	c, ok := rel.column(name)
	switch {
	case !ok:
		k.add(rel.tag, name, "does not exist")
		return c, false
	case len(types) > 0 && !slices.Contains(types, c.sqlType):
		k.add(rel.tag, name, "is of type "+c.sqlType+", not "+strings.Join(types, " or "))
		return c, false
	}
	return c, true
}

func (k *checker) expiry(rel *relation) {
	t := rel.table
	if t.Time == "" {
		return
	}
	k.column(rel, t.Time, "timestamp with time zone", "date")
	for _, w := range t.Where {
		k.column(rel, w.Column)
	}
	for name, r := range t.Anonymise {
		if c, ok := k.replace(rel, name, r); ok && !c.systemUpdate {
			k.add(rel.tag, name, "tomkit_system may not update it")
		}
	}
	if t.Anonymise != nil {
		return
	}
	for _, ref := range rel.children {
		child := ref.from.category
		if ref.onDelete == "c" && child != nil && child != rel.category && ref.from.expires() &&
			child.Retention.Period.longer(rel.category.Retention.Period, comparison) {
			k.add(ref.from.tag, "", "is kept longer than "+rel.tag+", with whose rows a foreign key removes its own")
		}
	}
}

// replace checks that a column takes its replacement.
func (k *checker) replace(rel *relation, name string, r Replacement) (column, bool) {
	var types []string
	switch {
	case r.pseudonym:
		types = []string{"uuid", "text"}
	case r.text:
		types = []string{"text", "character varying"}
	}
	c, ok := k.column(rel, name, types...)
	if !ok {
		return c, false
	}
	if !r.pseudonym && !r.text && !c.nullable {
		k.add(rel.tag, name, "is NOT NULL and cannot be replaced by NULL")
	}
	if slices.Contains(rel.tenant, name) {
		k.add(rel.tag, name, "is the tenant and cannot be replaced")
	}
	if r.pseudonym && k.foreign(rel, name) {
		k.add(rel.tag, name, "is a foreign key and cannot hold a pseudonym")
	}
	return c, true
}

// foreign reports whether the column is part of a foreign key.
func (k *checker) foreign(rel *relation, name string) bool {
	for _, parent := range k.relations {
		for _, ref := range parent.children {
			if ref.from == rel && slices.Contains(ref.columns, name) {
				return true
			}
		}
	}
	return false
}

func (k *checker) person(rel *relation, p *Person) {
	if c, ok := k.column(rel, p.Column, "uuid", "text"); !ok {
		return
	} else if !c.appSelect {
		k.add(rel.tag, p.Column, "tomkit_app may not read it")
	}
	switch p.Erase {
	case Delete:
		if !rel.appDelete {
			k.add(rel.tag, "", "tomkit_app may not delete its rows")
		}
	case Cascade:
		if !k.goesWith(rel, p.Column) {
			k.add(rel.tag, p.Column, "no foreign key deletes the rows, or clears the column, with rows that a person's erasure deletes")
		}
	case Anonymise:
		for name, r := range p.replacements() {
			if c, ok := k.replace(rel, name, r); ok && !c.appUpdate {
				k.add(rel.tag, name, "tomkit_app may not update it")
			}
		}
	}
}

// goesWith reports whether foreign keys see to the person's rows: one that deletes them, or clears the column, with rows that
// a person's erasure deletes, be it through further ones that delete.
func (k *checker) goesWith(rel *relation, column string) bool {
	for _, parent := range k.relations {
		for _, ref := range parent.children {
			clears := ref.onDelete == "n" && slices.Contains(ref.columns, column)
			if ref.from == rel && (clears || ref.onDelete == "c") && k.deleted(parent, map[*relation]bool{rel: true}) {
				return true
			}
		}
	}
	return false
}

// deleted reports whether a person's erasure deletes rows of the relation, itself or through foreign keys.
func (k *checker) deleted(rel *relation, seen map[*relation]bool) bool {
	if rel.table != nil && slices.ContainsFunc(rel.table.People, func(p Person) bool { return p.Erase == Delete }) {
		return true
	}
	seen[rel] = true
	for _, parent := range k.relations {
		for _, ref := range parent.children {
			if ref.from == rel && ref.onDelete == "c" && !seen[parent] && k.deleted(parent, seen) {
				return true
			}
		}
	}
	return false
}
