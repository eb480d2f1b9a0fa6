package migrate

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// Script is one migration as SQL, for whoever applies migrations with a tool of their own.
type Script struct {
	// Name orders the scripts, such as "0002_rls_00001_context.sql".
	Name string
	// SQL does what [Up] would, the rows that say it was applied included, so that a later Up finds it done. A second run
	// fails and changes nothing. It is plain SQL without BEGIN and COMMIT.
	SQL string
	// Transactional says that SQL must run in one transaction, since it uses SET LOCAL. Otherwise it must run outside of
	// any, statement by statement.
	Transactional bool

	owner, pending string // SQL that is true while the script is to be run, asked as owner
	check          string // what psql checks after it
}

// Scripts returns the migrations of sources as SQL files, in the order in which they must run. The first of each owner and
// source prepare what Up needs to find.
func Scripts(sources ...rls.Source) ([]Script, error) {
	sources, err := checkSources(sources)
	if err != nil {
		return nil, err
	}
	var scripts []Script
	add := func(name string, s Script) {
		s.Name = fmt.Sprintf("%04d_%s.sql", len(scripts), strings.TrimSuffix(name, ".sql"))
		scripts = append(scripts, s)
	}
	for _, s := range steps(sources) {
		add("prepare_"+s.owner, Script{SQL: transaction(s.owner, s.sql), Transactional: true, owner: s.owner, pending: "NOT " + s.done})
	}
	for _, src := range sources {
		files, err := readFiles(src)
		if err != nil {
			return nil, err
		}
		rec, err := record(context.Background(), src, files) // nothing is waited for
		if err != nil {
			return nil, err
		}
		table := "migrations_" + src.Name
		add(src.Name+"_versions", Script{SQL: transaction(src.Owner, rec.versionTable), Transactional: true, owner: src.Owner,
			pending: "NOT " + tableExists("'"+table+"'"), check: historyGuard(src, files)})
		for _, m := range rec.migrations {
			add(src.Name+"_"+m.name, m.script(src))
		}
	}
	return scripts, nil
}

// script guards the migration against a second run.
func (m recorded) script(src rls.Source) Script {
	applied := fmt.Sprintf("EXISTS (SELECT FROM %s WHERE version_id = %d AND is_applied)", versionTable(src), m.version)
	guard := fmt.Sprintf("DO $guard$ BEGIN IF %s THEN RAISE EXCEPTION 'migrate: %s: version %d was applied already'; END IF; END $guard$", applied, src.Name, m.version)
	s := Script{Transactional: m.transactional, owner: src.Owner, pending: "NOT " + applied}
	statements := append([]string{guard}, m.statements...)
	if m.transactional {
		s.SQL = transaction(src.Owner, statements)
		return s
	}
	var b strings.Builder
	b.WriteString(statement("SET ROLE " + pgx.Identifier{src.Owner}.Sanitize()))
	for _, set := range settings {
		b.WriteString(statement("SET " + set))
	}
	for _, sql := range statements {
		b.WriteString(statement(sql))
	}
	for _, set := range settings {
		b.WriteString(statement("RESET " + strings.Fields(set)[0]))
	}
	b.WriteString(statement("RESET ROLE"))
	s.SQL = b.String()
	return s
}

// transaction is the inside of one.
func transaction(owner string, statements []string) string {
	var b strings.Builder
	b.WriteString(statement("SET LOCAL ROLE " + pgx.Identifier{owner}.Sanitize()))
	for _, set := range settings {
		b.WriteString(statement("SET LOCAL " + set))
	}
	for _, sql := range statements {
		b.WriteString(statement(sql))
	}
	return b.String()
}

// statement ends a statement, which may end with a comment.
func statement(sql string) string {
	if strings.HasSuffix(sql, ";") {
		return sql + "\n"
	}
	if last := sql[strings.LastIndexByte(sql, '\n')+1:]; strings.Contains(last, "--") {
		return sql + "\n;\n"
	}
	return sql + ";\n"
}

// SQL writes the migrations of sources as one script for psql, to be run as rls.RoleMigrator or another member of the
// owners, with all of a database's sources:
//
//	psql -X -q -f migrations.sql "$TOMKIT_DATABASE_MIGRATOR_URL"
//
// It takes the lock that [Up] takes, skips what was applied, and stops at the first error, also at a history that is not
// what the files tell. It can be run any number of times.
func SQL(w io.Writer, sources ...rls.Source) error {
	scripts, err := Scripts(sources...)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- Migrations for psql. Running them again applies what is missing.\n\\set ON_ERROR_STOP on\n"+
		"DO $$ BEGIN PERFORM pg_catalog.pg_advisory_lock(%d), pg_catalog.pg_advisory_lock(%d); END $$;\n", lockID, workLockID)
	for _, script := range scripts {
		script.guarded(&b)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("migrate: write script: %w", err)
	}
	return nil
}

// guarded writes the script so that psql runs it if it is pending.
func (s Script) guarded(b *strings.Builder) {
	fmt.Fprintf(b, "\n-- %s\nBEGIN;\nSET LOCAL ROLE %s;\nSELECT %s AS tomkit_pending \\gset\nCOMMIT;\n\\if :tomkit_pending\n", s.Name,
		pgx.Identifier{s.owner}.Sanitize(), s.pending)
	if s.Transactional {
		fmt.Fprintf(b, "BEGIN;\n%sCOMMIT;\n", s.SQL)
	} else {
		b.WriteString(s.SQL)
	}
	b.WriteString("\\endif\n" + s.check)
}

// historyGuard is checkedHistory in SQL.
func historyGuard(src rls.Source, files []file) string {
	var versions, sums []string
	for _, f := range files {
		versions = append(versions, fmt.Sprint(f.version))
		sums = append(sums, fmt.Sprintf("(%d, '\\x%x'::bytea)", f.version, f.sum))
	}
	return fmt.Sprintf(`
BEGIN;
SET LOCAL ROLE %[1]s;
DO $guard$ BEGIN
    IF EXISTS (SELECT FROM tomkit.migration_checksums c JOIN (VALUES %[2]s) f (version, sha256) USING (version)
               WHERE c.source = '%[3]s' AND c.sha256 <> f.sha256) THEN
        RAISE EXCEPTION 'migrate: %[3]s: a migration was edited after it was applied';
    END IF;
END $guard$;
SET LOCAL ROLE %[4]s;
DO $guard$ BEGIN
    IF EXISTS (SELECT FROM %[5]s WHERE is_applied AND version_id > 0 AND version_id <> ALL ('{%[6]s}')) THEN
        RAISE EXCEPTION 'migrate: %[3]s: a version was applied that is unknown here';
    END IF;
    IF EXISTS (SELECT FROM unnest('{%[6]s}'::bigint[]) v WHERE v NOT IN (SELECT version_id FROM %[5]s WHERE is_applied)
               AND v < (SELECT max(version_id) FROM %[5]s WHERE is_applied)) THEN
        RAISE EXCEPTION 'migrate: %[3]s: a migration was never applied and is older than one that was';
    END IF;
END $guard$;
COMMIT;
`, pgx.Identifier{rls.RoleOwner}.Sanitize(), strings.Join(sums, ", "), src.Name, pgx.Identifier{src.Owner}.Sanitize(), versionTable(src),
		strings.Join(versions, ","))
}
