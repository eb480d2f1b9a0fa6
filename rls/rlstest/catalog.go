package rlstest

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// table is a table, partition or view as the catalogue has it.
type table struct {
	OID                uint32
	Schema, Name, Kind string // Kind as in pg_class.relkind
	Partition          bool
	Secured            bool // relrowsecurity
	Select, Insert     bool // privileges of the login on the whole table
	Update, Delete     bool
	Triggers           bool     // it has triggers of the product's own
	Bounds             []string // partition constraints of the leaves, or the own one
	Columns            []*column
	Constraints        []*constraint
	Uniques            []*unique

	tenant *column // nil: no tenant's table
	full   bool    // a tenant has one row here at most
}

// column is one column; Type is what a literal is cast to, Base the same without domains.
type column struct {
	Name, Type, Base    string
	Category, Kind      string // as in pg_type, of the base type
	Element             string // type of an array's elements
	Labels              []string
	NotNull             bool
	Default             string // of generated columns the expression
	Identity, Generated string
	DomainChecks        []string
	Select              bool
	Insert, Update      bool
}

type constraint struct {
	Name, Kind   string // Kind as in pg_constraint.contype
	Columns      []string
	Target       uint32
	TargetCols   []string
	Deferrable   bool
	Deferred     bool
	Expr         string
	Definition   string
	target       *table
	SubPartition bool
}

// unique is a unique index: the columns it depends on, and whether it is what ON CONFLICT can name.
type unique struct {
	Name      string
	Columns   []string
	Plain     bool // no expression, no predicate
	Immediate bool
}

// catalog is the part of the database under test.
type catalog struct {
	tables []*table // all of the schemas
	byOID  map[uint32]*table
}

func (t *table) String() string { return t.Schema + "." + t.Name }

// sql is the quoted name.
func (t *table) sql() string { return pgx.Identifier{t.Schema, t.Name}.Sanitize() }

func (t *table) isView() bool { return t.Kind == "v" || t.Kind == "m" }

func (t *table) column(name string) *column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// insertable are the columns a row consists of.
func (t *table) insertable() []*column {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c *column) bool { return c.Generated != "" })
}

// foreignKeys are those that point at tables with tenants, if tenants, or at others.
func (t *table) foreignKeys() (fks []*constraint) {
	for _, c := range t.Constraints {
		if c.Kind == "f" && c.target != nil && !c.SubPartition {
			fks = append(fks, c)
		}
	}
	return fks
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ")
}

var (
	//go:embed sql/tables.sql
	tablesSQL string
	//go:embed sql/columns.sql
	columnsSQL string
	//go:embed sql/constraints.sql
	constraintsSQL string
	//go:embed sql/uniques.sql
	uniquesSQL string
)

// loadCatalog reads everything about the schemas, with privileges as the login has them.
func loadCatalog(ctx context.Context, conn *pgx.Conn, cfg *Config, login string) (*catalog, error) {
	cat := &catalog{byOID: map[uint32]*table{}}
	rows, err := conn.Query(ctx, tablesSQL, login, cfg.Schemas)
	if err != nil {
		return nil, fmt.Errorf("rlstest: read catalogue: %w", err)
	}
	t := &table{}
	_, err = pgx.ForEachRow(rows, []any{&t.OID, &t.Schema, &t.Name, &t.Kind, &t.Partition, &t.Secured, &t.Select, &t.Insert,
		&t.Update, &t.Delete, &t.Triggers, &t.Bounds}, func() error {
		kept := *t
		cat.tables = append(cat.tables, &kept)
		cat.byOID[kept.OID] = &kept
		t.Bounds = nil
		return nil
	})
	if err == nil {
		err = cat.loadColumns(ctx, conn, login)
	}
	if err == nil {
		err = cat.loadConstraints(ctx, conn)
	}
	if err == nil {
		err = cat.loadUniques(ctx, conn)
	}
	if err != nil {
		return nil, fmt.Errorf("rlstest: read catalogue: %w", err)
	}
	for _, t := range cat.tables {
		t.tenant = t.tenantColumn(cfg)
	}
	return cat, nil
}

func (cat *catalog) oids() []uint32 {
	oids := make([]uint32, len(cat.tables))
	for i, t := range cat.tables {
		oids[i] = t.OID
	}
	return oids
}

func (cat *catalog) loadColumns(ctx context.Context, conn *pgx.Conn, login string) error {
	rows, err := conn.Query(ctx, columnsSQL, login, cat.oids())
	if err != nil {
		return err
	}
	var oid uint32
	var c column
	_, err = pgx.ForEachRow(rows, []any{&oid, &c.Name, &c.Type, &c.Base, &c.Category, &c.Kind, &c.Element, &c.Labels, &c.NotNull,
		&c.Default, &c.Identity, &c.Generated, &c.DomainChecks, &c.Select, &c.Insert, &c.Update}, func() error {
		kept := c
		c.Labels, c.DomainChecks = nil, nil
		cat.byOID[oid].Columns = append(cat.byOID[oid].Columns, &kept)
		return nil
	})
	return err
}

func (cat *catalog) loadConstraints(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, constraintsSQL, cat.oids())
	if err != nil {
		return err
	}
	var oid uint32
	var c constraint
	_, err = pgx.ForEachRow(rows, []any{&oid, &c.Name, &c.Kind, &c.Columns, &c.Target, &c.TargetCols, &c.Deferrable, &c.Deferred,
		&c.Expr, &c.Definition, &c.SubPartition}, func() error {
		kept := c
		c.Columns, c.TargetCols = nil, nil
		kept.target = cat.byOID[kept.Target]
		cat.byOID[oid].Constraints = append(cat.byOID[oid].Constraints, &kept)
		return nil
	})
	return err
}

func (cat *catalog) loadUniques(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, uniquesSQL, cat.oids())
	if err != nil {
		return err
	}
	var oid uint32
	var u unique
	_, err = pgx.ForEachRow(rows, []any{&oid, &u.Name, &u.Columns, &u.Plain, &u.Immediate}, func() error {
		kept := u
		u.Columns = nil
		cat.byOID[oid].Uniques = append(cat.byOID[oid].Uniques, &kept)
		return nil
	})
	return err
}

// tenantColumn finds the column that names a row's tenant.
func (t *table) tenantColumn(cfg *Config) *column {
	name, ok := cfg.TenantColumns[t.String()]
	if !ok {
		name = cfg.TenantColumn
	}
	if c := t.column(name); c != nil && c.Base == "uuid" {
		return c
	}
	return nil
}
