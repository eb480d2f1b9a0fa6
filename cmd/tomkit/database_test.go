package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
)

func TestMigratePlan(t *testing.T) {
	plain(t)
	db := pgtest.New(t)
	t.Setenv("TOMKIT_DATABASE_MIGRATOR_URL", db.URL(rls.RoleMigrator))
	text := tomkit(t, "", "migrate", "--plan").done(t)
	require.Contains(t, text, "rls 00001_context.sql: ")
	var steps []migrate.Step
	require.NoError(t, json.Unmarshal([]byte(tomkit(t, "", "migrate", "--plan", "--json").done(t)), &steps))
	require.Equal(t, strings.Count(text, "\n")-1, len(steps))
	require.Contains(t, text, fmt.Sprintf("%d migration(s) to apply", len(steps)))
	require.NotZero(t, steps[0].Statements)
	applied := tomkit(t, "", "migrate", "--wait=1m").done(t)
	for _, s := range steps {
		require.Contains(t, applied, "applied "+s.Source+" "+s.File)
	}
	require.Equal(t, "0 migration(s) to apply\n", tomkit(t, "", "migrate", "--plan").done(t))
	require.Equal(t, "[]\n", tomkit(t, "", "migrate", "--plan", "--json").done(t))
}

func TestMigrateFlagsThatContradict(t *testing.T) {
	plain(t)
	for _, args := range [][]string{{"--plan", "--status"}, {"--plan", "--sql"}, {"--json"}, {"--sql", "--json"}, {"--plan"}, {"--wait=0s"}, {"--wait=-1s"}, {"--wait=soon"}} {
		tomkit(t, "", append([]string{"migrate"}, args...)...).failed(t, 2, "")
	}
}

func TestMigrateSQL(t *testing.T) {
	plain(t)
	file := filepath.Join(t.TempDir(), "migrations.sql")
	require.NoError(t, os.WriteFile(file, []byte(tomkit(t, "", "migrate", "--sql").done(t)), 0o600))
	up, db := pgtest.New(t, server.Migrations()...), pgtest.New(t)
	for range 2 {
		out, err := postgres(t, "psql", "-X", "-q", "-f", file, db.URL(rls.RoleMigrator))
		require.NoError(t, err, out)
	}
	require.Equal(t, schema(t, up), schema(t, db))
	t.Setenv("TOMKIT_DATABASE_MIGRATOR_URL", db.URL(rls.RoleMigrator))
	require.Contains(t, tomkit(t, "", "migrate").done(t), "up to date, 0 migration(s)")
}

// postgres runs one of its programs.
func postgres(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	bin, err := pglocal.Find(t.Context(), "")
	require.NoError(t, err)
	out, err := exec.Command(filepath.Join(bin.Dir, name), args...).CombinedOutput()
	return string(out), err
}

// schema is the dump of a schema without the random keys newer releases put around it.
func schema(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	out, err := postgres(t, "pg_dump", "--schema-only", db.SuperuserURL())
	require.NoError(t, err, out)
	lines := slices.DeleteFunc(strings.Split(out, "\n"), func(l string) bool {
		return strings.HasPrefix(l, `\restrict `) || strings.HasPrefix(l, `\unrestrict `)
	})
	return strings.Join(lines, "\n")
}

// upTo returns the first n migrations of all sources.
func upTo(t *testing.T, n int) (sources []rls.Source) {
	t.Helper()
	for _, src := range server.Migrations() {
		names, err := fs.Glob(src.FS, "*.sql")
		require.NoError(t, err)
		names = names[:min(n, len(names))]
		if len(names) == 0 {
			break
		}
		n -= len(names)
		some := fstest.MapFS{}
		for _, name := range names {
			text, err := fs.ReadFile(src.FS, name)
			require.NoError(t, err)
			some[name] = &fstest.MapFile{Data: text}
		}
		sources = append(sources, rls.Source{Name: src.Name, Owner: src.Owner, FS: some})
	}
	return sources
}

// rows puts a row into each of these tables that exists already.
var rows = []struct{ table, sql string }{
	{"tomkit.roles", "INSERT INTO tomkit.roles SELECT id, id, 'Nurse', now() FROM tomkit.tenants"},
	{"tomkit.users", "INSERT INTO tomkit.users (tenant_id, id, email, role_id, created_at) SELECT id, id, 'a@b.example', id, now() FROM tomkit.tenants"},
	{"tomkit.sessions", "INSERT INTO tomkit.sessions SELECT id, id, id, '{pwd}', now(), sha256('a'), now(), now(), now() FROM tomkit.tenants"},
	{"tomkit.devices", "INSERT INTO tomkit.devices SELECT id, id, 'ward-3-pc', 'linux', 'amd64', 'm', now() FROM tomkit.tenants"},
}

// census is a digest of each table's rows, by the columns it has now.
func census(t *testing.T, conn *pgx.Conn) map[string]string {
	t.Helper()
	found, err := conn.Query(t.Context(), `SELECT c.oid::regclass::text, string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = to_regnamespace('tomkit') AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE 'migration%' GROUP BY 1`)
	require.NoError(t, err)
	digests := map[string]string{}
	var table, columns string
	_, err = pgx.ForEachRow(found, []any{&table, &columns}, func() error { digests[table+" "+columns] = ""; return nil })
	require.NoError(t, err)
	for key := range digests {
		table, columns, _ := strings.Cut(key, " ")
		digests[key] = digest(t, conn, table, columns)
	}
	return digests
}

func digest(t *testing.T, conn *pgx.Conn, table, columns string) (d string) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) || ' ' || coalesce(string_agg(x::text, ';' ORDER BY x::text), '') FROM (SELECT "+columns+" FROM "+table+") x").Scan(&d))
	return d
}

// TestEveryOlderDatabaseIsUpgraded stops after each migration, fills what tables there are, and migrates to the end: after
// every sixth one, or with TOMKIT_SOAK=1 after every one.
func TestEveryOlderDatabaseIsUpgraded(t *testing.T) {
	plain(t)
	all := 0
	for _, src := range server.Migrations() {
		names, err := fs.Glob(src.FS, "*.sql")
		require.NoError(t, err)
		all += len(names)
	}
	want := schema(t, pgtest.New(t, server.Migrations()...))
	step := 6
	if os.Getenv("TOMKIT_SOAK") == "1" {
		step = 1
	}
	for n := 0; n < all; n += step {
		db := pgtest.New(t)
		_, err := migrate.Up(t.Context(), db.URL(rls.RoleMigrator), upTo(t, n)...)
		require.NoError(t, err)
		conn, err := pgx.Connect(t.Context(), db.SuperuserURL())
		require.NoError(t, err)
		before := filled(t, db, conn)
		rep, err := migrate.Up(t.Context(), db.URL(rls.RoleMigrator), server.Migrations()...)
		require.NoError(t, err, "after %d migrations", n)
		require.Len(t, rep.Applied, all-n)
		for _, key := range slices.Sorted(maps.Keys(before)) {
			table, columns, _ := strings.Cut(key, " ")
			require.Equal(t, before[key], digest(t, conn, table, columns), "%s after %d migrations", table, n)
		}
		require.NoError(t, conn.Close(t.Context()))
		require.Equal(t, want, schema(t, db), "after %d migrations", n)
	}
}

// filled puts rows of two tenants into db and returns the census.
func filled(t *testing.T, db *pgtest.DB, conn *pgx.Conn) map[string]string {
	t.Helper()
	exists := func(table string) (yes bool) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT to_regclass($1) IS NOT NULL", table).Scan(&yes))
		return yes
	}
	if exists("tomkit.tenants") {
		db.Tenant(t, "a")
		db.Tenant(t, "b")
	}
	for _, r := range rows {
		if exists(r.table) {
			_, err := conn.Exec(t.Context(), r.sql)
			require.NoError(t, err)
		}
	}
	return census(t, conn)
}
