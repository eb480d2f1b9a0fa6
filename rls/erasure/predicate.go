package erasure

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// policy is what decides for one tenant at one instant which rows may go.
type policy struct {
	tenant  uuid.UUID
	now     time.Time
	cutoffs map[string]time.Time // by category
	held    bool                 // the tenant has a legal hold
}

// builder writes one statement. Values become arguments; names come from the catalog, quoted.
type builder struct {
	*policy
	args    []any
	aliases int
}

func (p *policy) builder() *builder { return &builder{policy: p} }

// arg adds an argument and returns its placeholder. Equal comparable values share one.
func (b *builder) arg(v any) string {
	if _, list := v.([]string); !list {
		if i := slices.IndexFunc(b.args, func(have any) bool {
			_, list := have.([]string)
			return !list && have == v
		}); i >= 0 {
			return "$" + strconv.Itoa(i+1)
		}
	}
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args))
}

func (b *builder) alias() string {
	b.aliases++
	return "t" + strconv.Itoa(b.aliases)
}

// mine names the tenant.
func (b *builder) mine(r *relation, alias string) string { return b.is(r, alias, r.tenant[0]) }

// is compares a tenant column, which in a table nobody protected may be of any type.
func (b *builder) is(r *relation, alias, name string) string {
	if c, _ := r.column(name); c.sqlType != "uuid" {
		return alias + "." + quote(name) + "::text = " + b.arg(b.tenant.String()) + "::text"
	}
	return alias + "." + quote(name) + " = " + b.arg(b.tenant) + "::uuid"
}

// aged is the condition under which a row is old enough to expire.
func (b *builder) aged(r *relation, alias string) string {
	t := r.table
	cutoff := b.arg(b.cutoffs[r.category.ID]) + "::timestamptz"
	old := alias + "." + quote(t.Time) + " <= " + cutoff
	if r.daily() {
		old = alias + "." + quote(t.Time) + " < (" + cutoff + " AT TIME ZONE 'UTC')::date" // the whole day is that old
	}
	terms := []string{b.mine(r, alias), old}
	for _, w := range t.Where {
		terms = append(terms, b.condition(w, alias))
	}
	if t.Anonymise != nil {
		terms = append(terms, b.unmarked(t.Anonymise, alias))
	}
	return strings.Join(terms, " AND ")
}

// due is the condition under which a row expires now: it is old enough, no hold keeps it, and nothing that stays references
// it. The same text selects, counts and deletes. path holds the relations on the way here.
func (b *builder) due(r *relation, alias string, path ...*relation) string {
	terms := []string{b.aged(r, alias)}
	if b.held {
		terms = append(terms, "NOT "+b.holding(r, alias))
	}
	if r.table.Anonymise == nil {
		terms = append(terms, b.unreferenced(r, alias, append(path, r))...)
	}
	return strings.Join(terms, " AND ")
}

func (b *builder) condition(w Condition, alias string) string {
	name := alias + "." + quote(w.Column)
	switch w.Test {
	case IsNull:
		return name + " IS NULL"
	case NotNull:
		return name + " IS NOT NULL"
	case OneOf:
		return name + "::text = ANY (" + b.arg(w.Values) + "::text[])"
	}
	return name + "::text <> ALL (" + b.arg(w.Values) + "::text[])"
}

// unmarked is true of rows that are not anonymised yet.
func (b *builder) unmarked(replace map[string]Replacement, alias string) string {
	var terms []string
	columns := markers(replace)
	slices.Sort(columns)
	for _, name := range columns {
		column := alias + "." + quote(name)
		if r := replace[name]; r.text {
			terms = append(terms, column+" IS DISTINCT FROM "+b.arg(r.value)+"::text")
		} else {
			terms = append(terms, column+" IS NOT NULL")
		}
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

// unreferenced refuses rows that others reference by a foreign key without an action, unless those expire themselves: they
// go first.
func (b *builder) unreferenced(r *relation, alias string, path []*relation) (terms []string) {
	for _, ref := range r.children {
		if ref.cascades() {
			continue
		}
		child := b.alias()
		stays := ""
		if ref.from.expires() && ref.from.table.Anonymise == nil && !slices.Contains(path, ref.from) {
			stays = " AND (" + b.due(ref.from, child, path...) + ") IS NOT TRUE"
		}
		terms = append(terms, "NOT EXISTS (SELECT FROM "+ref.from.sql+" "+child+" WHERE "+joined(ref, child, alias)+stays+")")
	}
	return terms
}

// joined links a referencing row to the referenced one.
func joined(ref reference, child, parent string) string {
	terms := make([]string, len(ref.columns))
	for i := range ref.columns {
		terms[i] = child + "." + quote(ref.columns[i]) + " = " + parent + "." + quote(ref.keys[i])
	}
	return strings.Join(terms, " AND ")
}

// holding is true of rows that a hold keeps: one on their category, on a person they name, or on rows that would go with them.
func (b *builder) holding(r *relation, alias string, path ...*relation) string {
	var terms []string
	if r.category != nil {
		terms = append(terms, "EXISTS (SELECT FROM tomkit.legal_holds h WHERE "+b.activeHold()+
			" AND (h.category IS NULL OR h.category = "+b.arg(r.category.ID)+"::text)"+
			" AND ("+strings.Join(b.subjects(r, alias), " OR ")+"))")
	}
	path = append(path, r)
	for _, ref := range r.children {
		if !ref.cascades() || slices.Contains(path, ref.from) {
			continue
		}
		child := b.alias()
		if deeper := b.holding(ref.from, child, path...); deeper != "FALSE" {
			terms = append(terms, "EXISTS (SELECT FROM "+ref.from.sql+" "+child+" WHERE "+joined(ref, child, alias)+" AND "+deeper+")")
		}
	}
	if len(terms) == 0 {
		return "FALSE"
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

// activeHold is true of the tenant's holds h that are in force.
func (b *builder) activeHold() string {
	return "h.tenant_id = " + b.arg(b.tenant) + "::uuid AND h.released_at IS NULL AND (h.until IS NULL OR h.until > " + b.arg(b.now) + "::timestamptz)"
}

// subjects are the ways in which a hold h may mean the row.
func (b *builder) subjects(r *relation, alias string) []string {
	terms := []string{"h.subject IS NULL"}
	for _, p := range r.table.People {
		column := alias + "." + quote(p.Column)
		if c, _ := r.column(p.Column); c.sqlType == "uuid" {
			terms = append(terms, "h.subject = "+column)
		} else {
			terms = append(terms, "h.subject::text = "+column)
		}
	}
	return terms
}

// named is true of rows whose column names the subject.
func (b *builder) named(r *relation, p *Person, alias string, subject uuid.UUID) string {
	column := alias + "." + quote(p.Column)
	if c, _ := r.column(p.Column); c.sqlType == "uuid" {
		return column + " = " + b.arg(subject) + "::uuid"
	}
	return column + " = " + b.arg(subject.String()) + "::text"
}

// assignments are the SET list that replaces columns. A nil pseudonym draws one for each row.
func (b *builder) assignments(replace map[string]Replacement, pseudonym *uuid.UUID) string {
	names := make([]string, 0, len(replace))
	for name := range replace {
		names = append(names, name)
	}
	slices.Sort(names)
	terms := make([]string, len(names))
	for i, name := range names {
		value := "NULL"
		switch r := replace[name]; {
		case r.text:
			value = b.arg(r.value) + "::text"
		case r.pseudonym && pseudonym == nil:
			value = "gen_random_uuid()"
		case r.pseudonym:
			value = b.arg(*pseudonym) + "::uuid"
		}
		terms[i] = quote(name) + " = " + value
	}
	return strings.Join(terms, ", ")
}
