package rlstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATEs that mean something here.
const (
	stateDenied      = "42501" // insufficient_privilege, also a violated policy
	stateUnique      = "23505"
	stateForeignKey  = "23503"
	stateCheck       = "23514" // also: no partition for the row
	stateExclusion   = "23P01"
	stateUnsupported = "0A000"
)

// seeder fills tables with rows of tenants.
type seeder struct {
	cfg  *Config
	cat  *catalog
	r    random
	tx   pgx.Tx
	rows map[*table]map[uuid.UUID][]row // as the database shows them; uuid.Nil for tables without tenants
	// promised are keys that rows already refer to through deferred foreign keys.
	promised map[*table]map[uuid.UUID][]row
	late     []lateLink
	busy     map[*table]bool
}

// lateLink is a nullable foreign key left empty because its target had no rows yet.
type lateLink struct {
	table *table
	fk    *constraint
}

func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

func constraintOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.ConstraintName
	}
	return ""
}

// tenantTables are the tables to seed, parents before children where nothing else forces them. A partition comes after
// its table, and gets rows of its own.
func (s *seeder) order(tables []*table) ([]*table, error) {
	var done []*table
	rest := slices.Clone(tables)
	for len(rest) > 0 {
		i := -1
		for _, ready := range []func(*constraint, *table) bool{ready(false, false), ready(true, false), ready(true, true)} {
			i = slices.IndexFunc(rest, func(t *table) bool {
				return !slices.ContainsFunc(t.foreignKeys(), func(fk *constraint) bool {
					return fk.target != t && slices.Contains(rest, fk.target) && !(ready(fk, t) && reaches(fk.target, t, rest))
				})
			})
			if i >= 0 {
				break
			}
		}
		if i < 0 {
			return nil, fmt.Errorf("rlstest: seed: %s and others refer to each other by foreign keys that are neither nullable nor deferrable", rest[0])
		}
		done = append(done, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return done, nil
}

// ready tells whether a foreign key to a table without rows is no obstacle.
func ready(nullable, deferrable bool) func(*constraint, *table) bool {
	return func(fk *constraint, t *table) bool {
		return nullable && fk.nullable(t) || deferrable && fk.Deferrable
	}
}

// reaches tells whether foreign keys lead from one table to another over tables that are not filled yet: only a cycle is a
// reason to leave a reference for later.
func reaches(from, to *table, over []*table) bool {
	seen := []*table{from}
	for i := 0; i < len(seen); i++ {
		for _, fk := range seen[i].foreignKeys() {
			if fk.target == to {
				return true
			}
			if slices.Contains(over, fk.target) && !slices.Contains(seen, fk.target) {
				seen = append(seen, fk.target)
			}
		}
	}
	return false
}

// nullable tells whether the reference can be left empty without touching the tenant.
func (fk *constraint) nullable(t *table) bool {
	return slices.ContainsFunc(fk.Columns, func(c string) bool { return !t.column(c).NotNull })
}

// seed makes rows of both tenants in all tables.
func (s *seeder) seed(ctx context.Context, tables []*table) error {
	order, err := s.order(tables)
	if err != nil {
		return err
	}
	if _, err := s.tx.Exec(ctx, "SET CONSTRAINTS ALL DEFERRED"); err != nil {
		return err
	}
	for _, t := range order {
		for i, tenant := range s.cfg.Tenants {
			if err := s.fill(ctx, t, tenant, i); err != nil {
				return err
			}
		}
	}
	for _, l := range s.late {
		if err := s.link(ctx, l); err != nil {
			return err
		}
	}
	_, err = s.tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE")
	return err
}

// fill brings a tenant's rows in one table up to their number.
func (s *seeder) fill(ctx context.Context, t *table, tenant uuid.UUID, nth int) error {
	if err := s.load(ctx, t, tenant); err != nil {
		return err
	}
	want := max(s.cfg.RowsPerTenant, len(s.promised[t][tenant]))
	for len(s.rows[t][tenant]) == 0 || len(s.rows[t][tenant]) < want && !t.full {
		if err := s.add(ctx, t, tenant, demand{nth: nth}); err != nil {
			return err
		}
	}
	return nil
}

// load reads the rows that are there already.
func (s *seeder) load(ctx context.Context, t *table, tenant uuid.UUID) error {
	where := "true"
	if t.tenant != nil {
		where = fmt.Sprintf("%s = %s", quote(t.tenant.Name), literal(tenant.String()))
	}
	rows, err := s.query(ctx, t, fmt.Sprintf("SELECT %s FROM %s WHERE %s LIMIT %d", t.asText(), t.sql(), where, s.cfg.RowsPerTenant))
	if err != nil {
		return fmt.Errorf("rlstest: seed: %s: %w", t, err)
	}
	s.keep(t, tenant, rows...)
	return nil
}

func (s *seeder) keep(t *table, tenant uuid.UUID, rows ...row) {
	if s.rows[t] == nil {
		s.rows[t] = map[uuid.UUID][]row{}
	}
	s.rows[t][tenant] = append(s.rows[t][tenant], rows...)
}

// asText lists all columns as text.
func (t *table) asText() string {
	list := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		list[i] = quote(c.Name) + "::text"
	}
	return strings.Join(list, ", ")
}

// query reads rows of asText.
func (s *seeder) query(ctx context.Context, t *table, sql string) (all []row, err error) {
	rows, err := guarded(ctx, s.tx, sql, false)
	for _, r := range rows {
		all = append(all, t.rowOf(r))
	}
	return all, err
}

// rowOf reads the columns of asText.
func (t *table) rowOf(texts [][]byte) row {
	r := row{}
	for i, c := range t.Columns {
		r[c.Name] = value{kind: isNull}
		if texts[i] != nil {
			r[c.Name] = value{text: string(texts[i])}
		}
	}
	return r
}

// demand says what a new row needs.
type demand struct {
	nth   int         // which tenant: the second uses other rows of tables without tenants than the first
	fixed row         // values that must stand
	link  *constraint // a foreign key that must not be empty
	dry   bool        // undo the insert: the row is only known to be possible
}

// Attempts at a row before giving up, and after how many of them new parents are made.
const (
	maxAttempts     = 24
	parentsAttempts = 6
)

// errFull reports a table in which the tenant has all rows its keys allow.
var errFull = errors.New("rlstest: seed: the tenant has every row there can be")

// add inserts a row of a tenant.
func (s *seeder) add(ctx context.Context, t *table, tenant uuid.UUID, d demand) error {
	r, err := s.make(ctx, t, tenant, d)
	if errors.Is(err, errFull) && len(s.rows[t][tenant]) > 0 {
		t.full = true
		return nil
	}
	if err == nil {
		s.keep(t, tenant, r)
	}
	return err
}

// make finds a row that the database accepts and returns it as inserted.
func (s *seeder) make(ctx context.Context, t *table, tenant uuid.UUID, d demand) (row, error) {
	var last error
	for attempt := range maxAttempts {
		r, choices, err := s.draft(ctx, t, tenant, d, attempt)
		if err != nil {
			return nil, err
		}
		if last = solve(ctx, s.tx, t, r, choices); last != nil {
			if _, ok := errors.AsType[*unsatisfied](last); ok && attempt < parentsAttempts {
				continue
			}
			return nil, last
		}
		made, err := s.insert(ctx, t, r, d.dry)
		if err == nil {
			return made, nil
		}
		last = err
		switch stateOf(err) {
		case stateUnique:
			if s.onlyTenant(t, constraintOf(err)) {
				return nil, errFull
			}
			if attempt%parentsAttempts == parentsAttempts-1 {
				if err := s.widen(ctx, t, tenant, d, constraintOf(err)); err != nil {
					return nil, err
				}
			}
		case stateExclusion, stateCheck:
		default:
			return nil, s.explain(t, err)
		}
	}
	if stateOf(last) == stateUnique && len(s.rows[t][tenant]) > 0 { // there are no more keys
		return nil, errFull
	}
	return nil, s.explain(t, last)
}

func (s *seeder) explain(t *table, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return fmt.Errorf("rlstest: seed: %s: %s %s (constraint %q, column %q); give values in Config.Rows or Config.Values: %w",
			t, pg.Code, pg.Message, pg.ConstraintName, pg.ColumnName, err)
	}
	return fmt.Errorf("rlstest: seed: %s: %w", t, err)
}

// onlyTenant tells whether a unique index allows each tenant one row, or all of them together.
func (s *seeder) onlyTenant(t *table, index string) bool {
	for _, u := range t.Uniques {
		if u.Name == index {
			return !slices.ContainsFunc(u.Columns, func(c string) bool { return t.tenant == nil || c != t.tenant.Name })
		}
	}
	return false
}

// widen makes a new parent for each foreign key in a unique index, since all parents there are may be taken.
func (s *seeder) widen(ctx context.Context, t *table, tenant uuid.UUID, d demand, index string) error {
	if s.busy[t] {
		return nil
	}
	s.busy[t] = true
	defer delete(s.busy, t)
	for _, u := range t.Uniques {
		for _, fk := range t.foreignKeys() {
			if u.Name != index || fk.target == t || fk.target.tenant == nil || !overlaps(fk.Columns, u.Columns, t.tenant) || fk.target.full {
				continue
			}
			if err := s.add(ctx, fk.target, tenant, demand{nth: d.nth}); err != nil {
				return err
			}
		}
	}
	return nil
}

// overlaps tells whether two lists share a column besides the tenant's.
func overlaps(a, b []string, tenant *column) bool {
	return slices.ContainsFunc(a, func(c string) bool { return (tenant == nil || c != tenant.Name) && slices.Contains(b, c) })
}

// insert sends the row; dry takes it back.
func (s *seeder) insert(ctx context.Context, t *table, r row, dry bool) (made row, err error) {
	rows, err := guarded(ctx, s.tx, insertSQL(t, r, nil)+" RETURNING "+t.asText(), dry)
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("rlstest: seed: %s: an INSERT made %d rows", t, len(rows))
	}
	if err == nil {
		made = t.rowOf(rows[0])
	}
	if err != nil && t.Triggers && !s.busy[nil] {
		return s.untriggered(ctx, t, func() (row, error) { return s.insert(ctx, t, r, dry) })
	}
	return made, err
}

// untriggered does fn with the product's triggers on t switched off, and then restores them as they were: a trigger may
// refuse everybody but a function of the product.
func (s *seeder) untriggered(ctx context.Context, t *table, fn func() (row, error)) (made row, err error) {
	s.busy[nil] = true
	defer delete(s.busy, nil)
	rows, err := s.tx.Query(ctx, `SELECT format('ALTER TABLE %s %s TRIGGER %I', tgrelid::regclass, CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS'
		WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE' END, tgname) FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal`, t.OID)
	if err != nil {
		return nil, err
	}
	restore, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.tx, func(pgx.Tx) error {
		// Deferred checks that are pending would forbid to alter the table.
		if _, err := s.tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE "+t.sql()+" DISABLE TRIGGER USER"); err != nil {
			return err
		}
		if made, err = fn(); err != nil {
			return err
		}
		_, err := s.tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE; "+strings.Join(restore, "; ")+"; SET CONSTRAINTS ALL DEFERRED")
		return err
	})
	return made, err
}

// insertSQL writes an INSERT of the row's columns, those in only if given.
func insertSQL(t *table, r row, only func(*column) bool) string {
	var names, values []string
	override := ""
	for _, c := range t.insertable() {
		v, ok := r[c.Name]
		if !ok || v.kind == isDefault || only != nil && !only(c) {
			continue
		}
		if c.Identity == "a" {
			override = " OVERRIDING SYSTEM VALUE"
		}
		names, values = append(names, c.Name), append(values, v.sql(c.Type))
	}
	if len(names) == 0 {
		return "INSERT INTO " + t.sql() + " DEFAULT VALUES"
	}
	return fmt.Sprintf("INSERT INTO %s (%s)%s VALUES (%s)", t.sql(), quoteAll(names), override, strings.Join(values, ", "))
}
