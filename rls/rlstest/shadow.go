package rlstest

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// shadowSchema holds a copy of each table with the own tenant's rows alone, without row-level security: what statements do
// there as superuser is what they should do in the tenant's scope.
const shadowSchema = "rlstest_shadow"

func shadowOf(t *table) string { return pgx.Identifier{shadowSchema, t.String()}.Sanitize() }

// shadowed are the tables with a shadow: not views, and not partitions, which are reached through their table.
func (s *suite) shadowed() []*table {
	return slices.DeleteFunc(slices.Clone(s.tables), func(t *table) bool { return t.isView() || t.Partition })
}

// makeShadow copies tables, rows, and the foreign keys between them. Triggers are not copied.
func (s *suite) makeShadow(ctx context.Context) error {
	sql := []string{"DROP SCHEMA IF EXISTS " + shadowSchema + " CASCADE", "CREATE SCHEMA " + shadowSchema}
	for _, t := range s.shadowed() {
		cols := quoteAll(columnNames(t.insertable()))
		sql = append(sql, fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING STATISTICS)", shadowOf(t), t.sql()))
		if len(t.Bounds) > 0 {
			sql = append(sql, fmt.Sprintf("ALTER TABLE %s ADD CHECK ((%s))", shadowOf(t), strings.Join(t.Bounds, ") OR (")))
		}
		sql = append(sql, fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %[2]s FROM %s WHERE %s", shadowOf(t), cols, t.sql(), t.equals(s.own)))
	}
	for _, t := range s.shadowed() {
		for _, c := range t.Constraints {
			if c.Kind == "f" && !c.SubPartition {
				sql = append(sql, fmt.Sprintf("ALTER TABLE %s ADD %s", shadowOf(t), s.shadowReference(c)))
			}
		}
	}
	for _, stmt := range sql {
		if _, err := s.super.Exec(ctx, stmt); err != nil {
			return fmt.Errorf("rlstest: shadow: %w: %s", err, stmt)
		}
	}
	return nil
}

var referencesRE = regexp.MustCompile(`REFERENCES [^(]+\(`)

// shadowReference makes a foreign key point at the shadow of its target, if that has one.
func (s *suite) shadowReference(c *constraint) string {
	if !slices.Contains(s.shadowed(), c.target) {
		return c.Definition
	}
	return referencesRE.ReplaceAllLiteralString(c.Definition, "REFERENCES "+shadowOf(c.target)+" (")
}

func (s *suite) dropShadow(ctx context.Context) error {
	_, err := s.super.Exec(ctx, "DROP SCHEMA IF EXISTS "+shadowSchema+" CASCADE")
	return err
}

// touched are the table and all whose rows go or change with its own.
func (s *suite) touched(t *table) []*table {
	all := []*table{t}
	for i := 0; i < len(all); i++ {
		for _, child := range s.shadowed() {
			if slices.Contains(all, child) {
				continue
			}
			if slices.ContainsFunc(child.foreignKeys(), func(fk *constraint) bool { return fk.target == all[i] }) {
				all = append(all, child)
			}
		}
	}
	return all
}

// noContents is the checksum of no rows.
const noContents = "d41d8cd98f00b204e9800998ecf8427e0" // MD5 of nothing, and their number

// contents is a query for one checksum over the rows of several tables that a condition selects.
func contents(tables []*table, name func(*table) string, where func(*table) string) string {
	var parts []string
	for _, t := range tables {
		parts = append(parts, fmt.Sprintf("SELECT %s || md5(t::text) AS h FROM %s t WHERE %s", literal(t.Name), name(t), where(t)))
	}
	return "SELECT md5(coalesce(string_agg(h, '' ORDER BY h), '')) || count(*) FROM (" + strings.Join(parts, " UNION ALL ") + ") x"
}
