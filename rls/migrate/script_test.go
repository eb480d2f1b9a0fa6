package migrate_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// hard is what a reader of goose's files may get wrong.
var hard = rls.Source{Name: "hard", FS: fstest.MapFS{
	"00001_statements.sql": {Data: []byte(`-- +goose Up
-- A comment; with a semicolon.
CREATE TABLE tomkit.hard (n int NOT NULL, -- a column; not the end
    s text);
INSERT INTO tomkit.hard VALUES (1, 'a;b -- no comment'), (2, E'\\n\'x'), (3, $q$
; $q$); -- the end
-- +goose StatementBegin
CREATE FUNCTION tomkit.hard_n() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    -- +not an annotation
    PERFORM 1;
    RETURN (SELECT n FROM hard LIMIT 1); -- an unqualified name
END $$
-- +goose StatementEnd
INSERT INTO hard VALUES (array_length((ARRAY[1,2,3])[1:2], 1), ':n :''n'' \q');
-- +goose Down
DROP TABLE tomkit.hard;
`)},
	"00002_outside.sql": {Data: []byte(`-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY hard_n ON tomkit.hard (n);
INSERT INTO tomkit.hard SELECT 4, current_user || current_setting('search_path') || current_setting('tomkit.migration') || current_setting('timezone');
`)},
	"00010_empty.sql": {Data: []byte("-- +goose Up\n")},
	"00011_last.sql":  {Data: []byte("-- +goose Up\nINSERT INTO tomkit.hard SELECT 5, current_user || current_setting('search_path') || current_setting('tomkit.migration') || current_setting('timezone');\n")},
}}

var every = []rls.Source{rls.Migrations(), tenant.Migrations(), pgledger.Migrations(), hard}

// program runs one of PostgreSQL's programs.
func program(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	bin, err := pglocal.Find(t.Context(), "")
	require.NoError(t, err)
	cmd := exec.Command(filepath.Join(bin.Dir, name), args...)
	cmd.Env = append(os.Environ(), "PGOPTIONS=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// psql runs a script as the migrator.
func psql(t *testing.T, db *pgtest.DB, script string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "migrations.sql")
	require.NoError(t, os.WriteFile(file, []byte(script), 0o600))
	return program(t, "psql", "-X", "-q", "-f", file, db.URL(rls.RoleMigrator))
}

func script(t *testing.T, sources ...rls.Source) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, migrate.SQL(&b, sources...))
	return b.String()
}

// columnVersion is an internal mark of columns that servers since 15.20 keep and that a pg_dump of an older minor release
// prints. It differs from database to database.
var columnVersion = regexp.MustCompile(`(?m)^ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \(pg_attver=\d+\);\n`)

// contents is the whole schema, and all rows but the times.
func contents(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	schema, err := program(t, "pg_dump", "--schema-only", "--restrict-key=x", db.SuperuserURL())
	if err != nil { // older minor releases do not know the key, and need none
		schema, err = program(t, "pg_dump", "--schema-only", db.SuperuserURL())
	}
	require.NoError(t, err, schema)
	schema = columnVersion.ReplaceAllString(schema, "")
	var rows string
	require.NoError(t, db.Superuser(t).QueryRow(t.Context(), `SELECT coalesce(string_agg(query_to_xml(
		format('SELECT %s FROM %s x ORDER BY x::text', (SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum) FROM pg_attribute
			WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND atttypid NOT IN ('timestamp'::regtype, 'timestamptz'::regtype)), c.oid::regclass),
		true, true, '')::text, '' ORDER BY relname), '') FROM pg_class c WHERE relnamespace = to_regnamespace('tomkit') AND relkind = 'r' AND relnatts > 0`).Scan(&rows))
	return schema + rows
}

func TestSQL(t *testing.T) {
	a, b := pgtest.New(t), pgtest.New(t)
	_, err := migrate.Up(t.Context(), a.URL(rls.RoleMigrator), every...)
	require.NoError(t, err)
	out, err := psql(t, b, script(t, every...))
	require.NoError(t, err, out)
	t.Run("leaves the database as Up does, version tables and checksums included", func(t *testing.T) {
		want := contents(t, a)
		require.Equal(t, want, contents(t, b))
		require.Contains(t, want, "tomkit_ownertomkit, pg_temponUTC")
		require.Contains(t, want, "<version_id>11</version_id>")
		require.Contains(t, want, "<sha256>")
	})
	t.Run("leaves nothing for Up", func(t *testing.T) {
		rep, err := migrate.Up(t.Context(), b.URL(rls.RoleMigrator), every...)
		require.NoError(t, err)
		require.Empty(t, rep.Applied)
		plan, err := migrate.Plan(t.Context(), b.URL(rls.RoleMigrator), every...)
		require.NoError(t, err)
		require.Empty(t, plan)
	})
	t.Run("changes nothing the second time, wherever the first came from", func(t *testing.T) {
		for _, db := range []*pgtest.DB{a, b} {
			before := contents(t, db)
			out, err := psql(t, db, script(t, every...))
			require.NoError(t, err, out)
			require.Equal(t, before, contents(t, db))
		}
	})
	t.Run("goes on from where Up was", func(t *testing.T) {
		c := pgtest.New(t)
		_, err := migrate.Up(t.Context(), c.URL(rls.RoleMigrator), rls.Migrations())
		require.NoError(t, err)
		out, err := psql(t, c, script(t, every...))
		require.NoError(t, err, out)
		require.Equal(t, contents(t, a), contents(t, c))
	})
	t.Run("waits for a run that is under way", func(t *testing.T) {
		c := pgtest.New(t)
		holder, err := pgx.Connect(t.Context(), c.URL(rls.RoleMigrator))
		require.NoError(t, err)
		defer holder.Close(context.Background())
		_, err = holder.Exec(t.Context(), "SELECT pg_advisory_lock($1)", migrate.LockID)
		require.NoError(t, err)
		out, err := psql(t, c, "SET lock_timeout = '100ms';\n"+script(t, every...))
		require.Error(t, err)
		require.Contains(t, out, "lock timeout")
	})
}

func TestSQLStopsAtTheFirstError(t *testing.T) {
	db := pgtest.New(t)
	bad := source("bad", map[string]string{"00001_a.sql": "CREATE TABLE tomkit.a ();", "00002_b.sql": "CREATE TABLE tomkit.b (); SELECT 1/0;", "00003_c.sql": "CREATE TABLE tomkit.c ();"})
	out, err := psql(t, db, script(t, bad))
	require.Error(t, err)
	require.Contains(t, out, "division by zero")
	text := contents(t, db)
	require.Contains(t, text, "CREATE TABLE tomkit.a")
	require.NotContains(t, text, "CREATE TABLE tomkit.b")
	require.NotContains(t, text, "CREATE TABLE tomkit.c")
	require.Contains(t, text, "<version_id>1</version_id>")
	require.NotContains(t, text, "<version_id>2</version_id>")
	one := source("bad", map[string]string{"00001_a.sql": "CREATE TABLE tomkit.a ();"})
	for name, c := range map[string]struct {
		src rls.Source
		say string
	}{
		"a file that was edited":           {source("bad", map[string]string{"00001_a.sql": "CREATE TABLE tomkit.z ();"}), "was edited"},
		"a version that is unknown":        {source("bad", map[string]string{"00002_b.sql": "SELECT 1;"}), "is unknown here"},
		"a file that is older than others": {source("bad", map[string]string{"00000_z.sql": "SELECT 1;", "00001_a.sql": "CREATE TABLE tomkit.a ();"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.say == "" {
				require.Error(t, migrate.SQL(&bytes.Buffer{}, c.src)) // goose has no version 0
				return
			}
			out, err := psql(t, db, script(t, c.src))
			require.Error(t, err)
			require.Contains(t, out, c.say)
			require.Equal(t, text, contents(t, db))
		})
	}
	out, err = psql(t, db, script(t, one))
	require.NoError(t, err, out)
}

func TestScripts(t *testing.T) {
	db, up := pgtest.New(t), pgtest.New(t)
	scripts, err := migrate.Scripts(every...)
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), db.URL(rls.RoleMigrator))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	apply := func(s migrate.Script) error {
		if s.Transactional {
			return pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error { _, err := tx.Exec(t.Context(), s.SQL); return err })
		}
		for _, statement := range strings.SplitAfter(s.SQL, ";\n") { // which suits the one there is
			if _, err := conn.Exec(t.Context(), statement); err != nil {
				_, _ = conn.Exec(t.Context(), "RESET ALL")
				return err
			}
		}
		return nil
	}
	outside := 0
	for i, s := range scripts {
		require.True(t, strings.HasPrefix(s.Name, fmt.Sprintf("%04d_", i)))
		require.NoError(t, apply(s), s.Name)
		if !s.Transactional {
			outside++
		}
	}
	require.Equal(t, 1, outside)
	_, err = migrate.Up(t.Context(), up.URL(rls.RoleMigrator), every...)
	require.NoError(t, err)
	want := contents(t, up)
	require.Equal(t, want, contents(t, db))
	t.Run("each fails the second time and changes nothing", func(t *testing.T) {
		for _, s := range scripts {
			if !strings.Contains(s.Name, "_prepare_tomkit_ledger") && strings.Count(s.Name, "_prepare_tomkit_owner") == 0 {
				require.Error(t, apply(s), s.Name)
			}
		}
		require.Equal(t, want, contents(t, db))
	})
	t.Run("names that would share a table, and files that are none", func(t *testing.T) {
		for _, bad := range [][]rls.Source{{hard, hard}, {{Name: "A"}}, {source("x", nil)}, {source("x", map[string]string{"00001_a.sql": "-- +goose StatementBegin\nSELECT 1;"})},
			{source("x", map[string]string{"00001_a.sql": "SELECT 1"})}} {
			_, err := migrate.Scripts(bad...)
			require.Error(t, err)
			require.Error(t, migrate.SQL(&bytes.Buffer{}, bad...))
		}
	})
}
