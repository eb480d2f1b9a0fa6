package migrate_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// source returns a source of files by name.
func source(name string, files map[string]string) rls.Source {
	m := fstest.MapFS{}
	for file, sql := range files {
		m[file] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql)}
	}
	return rls.Source{Name: name, FS: m}
}

var counter = source("counter", map[string]string{
	"00001_counter.sql": "CREATE TABLE tomkit.counter (n int NOT NULL);",
	"00002_first.sql":   "INSERT INTO tomkit.counter VALUES (1);",
	"00003_second.sql":  "SELECT pg_sleep(0.01); INSERT INTO tomkit.counter VALUES (2);",
})

var all = []rls.Source{rls.Migrations(), tenant.Migrations(), counter}

func TestMain(m *testing.M) {
	if url := os.Getenv(racer); url != "" {
		os.Exit(race(url))
	}
	os.Exit(m.Run())
}

func TestUp(t *testing.T) {
	db := pgtest.New(t)
	url := db.URL(rls.RoleMigrator)
	t.Run("16 goroutines apply each migration once", func(t *testing.T) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		applied := map[string]int{}
		for range 16 {
			wg.Go(func() {
				rep, err := migrate.Up(t.Context(), url, all...)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, a := range rep.Applied {
					applied[a.Source+"/"+a.File]++
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, applied["counter/00003_second.sql"])
		for name, times := range applied {
			require.Equal(t, 1, times, name)
		}
	})
	t.Run("again there is nothing to do", func(t *testing.T) {
		rep, err := migrate.Up(t.Context(), url, all...)
		require.NoError(t, err)
		require.Empty(t, rep.Applied)
		require.NotZero(t, rep.Took)
	})
	t.Run("everything belongs to the owner", func(t *testing.T) {
		var foreign []string
		require.NoError(t, db.Superuser(t).QueryRow(t.Context(), `SELECT COALESCE(array_agg(relname::text), '{}') FROM pg_class
			WHERE relnamespace = 'tomkit'::regnamespace AND relowner <> 'tomkit_owner'::regrole`).Scan(&foreign))
		require.Empty(t, foreign)
	})
	t.Run("nobody but the owner and dumps reads the bookkeeping, and nobody runs functions unasked", func(t *testing.T) {
		for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
			for _, table := range []string{"migration_checksums", "migrations_rls", "counter"} {
				_, err := db.Pool(t, role).Exec(t.Context(), "SELECT * FROM tomkit."+table)
				require.ErrorContains(t, err, "permission denied")
			}
		}
		var open []string
		require.NoError(t, db.Superuser(t).QueryRow(t.Context(), `SELECT COALESCE(array_agg(proname::text), '{}') FROM pg_proc
			WHERE pronamespace = 'tomkit'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')`).Scan(&open))
		require.Empty(t, open)
		var unread []string // a dump stops at the first table it may not read; keys are for no dump
		require.NoError(t, db.Superuser(t).QueryRow(t.Context(), `SELECT COALESCE(array_agg(relname::text), '{}') FROM pg_class
			WHERE relnamespace = 'tomkit'::regnamespace AND CASE WHEN relkind = 'S' THEN NOT has_sequence_privilege('tomkit_backup', oid, 'SELECT')
			WHEN relkind IN ('r', 'p', 'v', 'm') THEN NOT has_table_privilege('tomkit_backup', oid, 'SELECT') END`).Scan(&unread))
		require.Equal(t, []string{"context_keys"}, unread)
		var n int
		require.NoError(t, db.Pool(t, rls.RoleBackup).QueryRow(t.Context(), "SELECT count(*) FROM tomkit.counter").Scan(&n))
		require.Equal(t, 2, n)
	})
}

func TestStatus(t *testing.T) {
	db := pgtest.New(t)
	url := db.URL(rls.RoleMigrator)
	one := source("one", map[string]string{"00001_a.sql": "SELECT 1;", "00010_b.sql": "SELECT 1;"})
	states, err := migrate.Status(t.Context(), url, one)
	require.NoError(t, err)
	require.Len(t, states, 2)
	require.True(t, states[0].Pending())
	_, err = migrate.Up(t.Context(), url, one)
	require.NoError(t, err)
	states, err = migrate.Status(t.Context(), url, one)
	require.NoError(t, err)
	require.False(t, states[1].Pending())
	require.Equal(t, migrate.State{Source: "one", File: "00010_b.sql", Version: 10, AppliedAt: states[1].AppliedAt}, states[1])
}

func TestUpRefuses(t *testing.T) {
	db := pgtest.New(t)
	url := db.URL(rls.RoleMigrator)
	up := func(sources ...rls.Source) error {
		_, err := migrate.Up(t.Context(), url, sources...)
		return err
	}
	ok := source("ok", map[string]string{"00001_a.sql": "CREATE TABLE tomkit.a ();", "00002_b.sql": "CREATE TABLE tomkit.b ();"})
	require.NoError(t, up(ok))
	t.Run("a file edited after it was applied", func(t *testing.T) {
		var edited *migrate.EditedError
		require.ErrorAs(t, up(source("ok", map[string]string{"00001_a.sql": "CREATE TABLE tomkit.x ();", "00002_b.sql": "CREATE TABLE tomkit.b ();"})), &edited)
		require.Equal(t, "00001_a.sql", edited.File)
	})
	t.Run("a database newer than the program", func(t *testing.T) {
		var missing *migrate.MissingError
		require.ErrorAs(t, up(source("ok", map[string]string{"00001_a.sql": "CREATE TABLE tomkit.a ();"})), &missing)
		require.EqualValues(t, 2, missing.Version)
	})
	t.Run("SQL that fails, keeping what came before it and nothing of itself", func(t *testing.T) {
		bad := source("bad", map[string]string{"00001_a.sql": "CREATE TABLE tomkit.c ();", "00002_b.sql": "CREATE TABLE tomkit.d (); SELECT 1/0;"})
		rep, err := migrate.Up(t.Context(), url, bad)
		var failed *migrate.FailedError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "00002_b.sql", failed.File)
		require.ErrorContains(t, err, "division by zero")
		require.Len(t, rep.Applied, 1)
		var c, d *string
		require.NoError(t, db.Superuser(t).QueryRow(t.Context(), "SELECT to_regclass('tomkit.c')::text, to_regclass('tomkit.d')::text").Scan(&c, &d))
		require.NotNil(t, c)
		require.Nil(t, d)
	})
	t.Run("names that would share a table, odd names, no files", func(t *testing.T) {
		require.Error(t, up(ok, ok))
		for _, name := range []string{"", "A", "a-b", `x"; DROP TABLE tomkit.a; --`, strings.Repeat("a", 41)} {
			require.Error(t, up(source(name, map[string]string{"00001_a.sql": "SELECT 1;"})), name)
		}
		require.Error(t, up(rls.Source{Name: "nofs"}))
		require.Error(t, up(source("empty", nil)))
		require.Error(t, up(source("unnumbered", map[string]string{"first.sql": "SELECT 1;"})))
	})
	t.Run("a login that is no member of the owner", func(t *testing.T) {
		_, err := migrate.Up(t.Context(), db.URL(rls.RoleApp), ok)
		require.ErrorContains(t, err, "tomkit_owner")
	})
	t.Run("a connection string with an error in it, which it keeps to itself", func(t *testing.T) {
		_, err := migrate.Up(t.Context(), "postgres://u:secret@[", ok)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
	})
}

func TestTooOld(t *testing.T) {
	require.EqualError(t, &migrate.TooOldError{Version: 140011}, "migrate: server version 14.11 is older than PostgreSQL 15")
}

// TestMigrationsAndRowLevelSecurity is what FORCE ROW LEVEL SECURITY would break without the runner's help, and what that
// help must not open.
func TestMigrationsAndRowLevelSecurity(t *testing.T) {
	db := pgtest.New(t)
	url := db.URL(rls.RoleMigrator)
	files := map[string]string{}
	up := func(file, sql string) error {
		files["00001_table.sql"] = "CREATE TABLE tomkit.rows (tenant_id uuid, n int, ref int, PRIMARY KEY (tenant_id, n)); SELECT tomkit.protect('tomkit.rows');\nGRANT SELECT ON tomkit.rows TO tomkit_app;"
		files[file] = sql
		_, err := migrate.Up(t.Context(), url, rls.Migrations(), source("data", files))
		if err != nil {
			delete(files, file)
		}
		return err
	}
	super := db.Superuser(t)
	count := func(where string) (n int) {
		require.NoError(t, super.QueryRow(t.Context(), "SELECT count(*) FROM tomkit.rows WHERE "+where).Scan(&n))
		return n
	}
	t.Run("a migration of data moves the rows of all tenants", func(t *testing.T) {
		require.NoError(t, up("00002_rows.sql", "INSERT INTO tomkit.rows SELECT gen_random_uuid(), 1 FROM generate_series(1, 5);"))
		require.NoError(t, up("00003_move.sql", "UPDATE tomkit.rows SET ref = 4711;"))
		require.Equal(t, 5, count("ref = 4711"))
	})
	t.Run("a foreign key is validated against them", func(t *testing.T) {
		const key = "ALTER TABLE tomkit.rows ADD CONSTRAINT k FOREIGN KEY (tenant_id, ref) REFERENCES tomkit.rows;"
		var pg *pgconn.PgError
		require.ErrorAs(t, up("00004_key.sql", key), &pg)
		require.Equal(t, "23503", pg.Code)
		require.ErrorAs(t, up("00004_late.sql", "ALTER TABLE tomkit.rows ADD CONSTRAINT k FOREIGN KEY (tenant_id, ref) REFERENCES tomkit.rows NOT VALID;\nALTER TABLE tomkit.rows VALIDATE CONSTRAINT k;"), &pg)
		require.Equal(t, "23503", pg.Code)
		require.NoError(t, up("00004_mend.sql", "UPDATE tomkit.rows SET ref = 1;"))
		require.NoError(t, up("00005_key.sql", key))
	})
	t.Run("the setting opens nothing to a login of the running system", func(t *testing.T) {
		for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
			conn, err := pgx.Connect(t.Context(), db.URL(role))
			require.NoError(t, err)
			_, err = conn.Exec(t.Context(), "SET tomkit.migration = 'on'")
			require.NoError(t, err)
			var n int
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM tomkit.rows").Scan(&n))
			require.Zero(t, n, role)
			for _, owner := range []string{rls.RoleOwner, rls.RoleMigrator} {
				_, err = conn.Exec(t.Context(), "SET ROLE "+owner)
				require.Error(t, err)
			}
			require.NoError(t, conn.Close(t.Context()))
		}
	})
	t.Run("nor to the owner without it", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		defer conn.Close(context.Background())
		var n int
		_, err = conn.Exec(t.Context(), "SET ROLE tomkit_owner")
		require.NoError(t, err)
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM tomkit.rows").Scan(&n))
		require.Zero(t, n)
	})
}
