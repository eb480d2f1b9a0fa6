package pgtest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// notes is a room's migrations with one tenant table.
func notes(table string) rls.Source {
	sql := fmt.Sprintf(`-- +goose Up
CREATE TABLE tomkit.%[1]s (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id        uuid NOT NULL DEFAULT gen_random_uuid(),
    PRIMARY KEY (tenant_id, id)
);
SELECT tomkit.protect('tomkit.%[1]s');
`, table)
	return rls.Source{Name: "notes", FS: fstest.MapFS{"00001_notes.sql": {Data: []byte(sql)}}}
}

func newNotes(t *testing.T) *pgtest.DB {
	t.Helper()
	return pgtest.New(t, rls.Migrations(), tenant.Migrations(), notes("notes"))
}

func scan[T any](t *testing.T, db *pgtest.DB, sql string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, db.Superuser(t).QueryRow(t.Context(), sql, args...).Scan(&v))
	return v
}

func TestNew(t *testing.T) {
	db := newNotes(t)

	t.Run("connects each login as itself and none as superuser", func(t *testing.T) {
		for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleMigrator, rls.RoleBackup} {
			var user, super string
			err := db.Pool(t, role).QueryRow(t.Context(), `SELECT session_user, current_setting('is_superuser')`).Scan(&user, &super)
			require.NoError(t, err)
			require.Equal(t, role, user)
			require.Equal(t, "off", super)
		}
	})
	t.Run("opens scopes that the database accepts", func(t *testing.T) {
		scopes := db.Open(t)
		ward, lab := db.Tenant(t, "ward"), db.Tenant(t, "lab")
		_, err := scopes.Tenant(ward).Exec(t.Context(), `INSERT INTO tomkit.notes (tenant_id) VALUES ($1)`, ward)
		require.NoError(t, err)
		for scope, want := range map[rls.Scope]int{
			scopes.Tenant(ward):               1,
			scopes.Tenant(lab):                0,
			scopes.MSP(db.MSP(t, "test-msp")): 1,
			scopes.MSP(db.MSP(t, "another")):  0,
		} {
			var n int
			require.NoError(t, scope.QueryRow(t.Context(), `SELECT count(*) FROM tomkit.notes`).Scan(&n))
			require.Equal(t, want, n)
		}
	})
	t.Run("makes a tenant once and in its place", func(t *testing.T) {
		ward := db.Tenant(t, "ward")
		require.Equal(t, ward, db.Tenant(t, "ward"))
		require.NotEqual(t, ward, db.TenantUnder(t, "another", "clinic"))
		require.Equal(t, db.MSP(t, "test-msp"), scanID(t, db, `SELECT msp_id FROM tomkit.tenants WHERE slug = 'ward'`))
		require.Equal(t, db.MSP(t, "another"), scanID(t, db, `SELECT msp_id FROM tomkit.tenants WHERE slug = 'clinic'`))
		require.Equal(t, db.Operator(t), scanID(t, db, `SELECT id FROM tomkit.tenants WHERE kind = 'operator'`))
	})
}

func scanID(t *testing.T, db *pgtest.DB, sql string) (id uuid.UUID) {
	t.Helper()
	require.NoError(t, db.Superuser(t).QueryRow(t.Context(), sql).Scan(&id))
	return id
}

func TestDatabasesAreApart(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			db := newNotes(t)
			require.Zero(t, scan[int](t, db, `SELECT count(*) FROM tomkit.tenants`))
			db.Tenant(t, "ward")
			require.Equal(t, 2, scan[int](t, db, `SELECT count(*) FROM tomkit.tenants`), "operator and ward")
		})
	}
}

func TestDatabaseIsDroppedWithOpenConnections(t *testing.T) {
	var name string
	t.Run("test", func(t *testing.T) {
		db := newNotes(t)
		name = db.Name()
		_, err := pgx.Connect(t.Context(), db.URL(rls.RoleApp)) // and never closed
		require.NoError(t, err)
	})
	require.Zero(t, scan[int](t, pgtest.New(t), `SELECT count(*) FROM pg_database WHERE datname = $1`, name))
}

func TestTemplates(t *testing.T) {
	count := func() int {
		return scan[int](t, pgtest.New(t), `SELECT count(*) FROM pg_database WHERE datname LIKE 'tomkit_tpl_%'`)
	}
	use := func(sources ...rls.Source) {
		pgtest.New(t, append([]rls.Source{rls.Migrations(), tenant.Migrations()}, sources...)...)
	}
	before := count()
	use(notes("alpha"))
	require.Equal(t, before+1, count())
	use(notes("alpha"))
	require.Equal(t, before+1, count(), "the same migrations share a template")
	use(notes("beta"))
	require.Equal(t, before+2, count(), "other text is another template")
	renamed := notes("beta")
	renamed.Name = "other"
	use(renamed)
	require.Equal(t, before+3, count(), "another name is another template")
}

func TestNoGoroutineIsLeft(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t, append(pgtest.LeakOptions(), goleak.IgnoreCurrent())...) })
	t.Run("test", func(t *testing.T) {
		db := newNotes(t)
		db.Open(t)
		require.NoError(t, db.Superuser(t).Ping(context.Background()))
	})
}

func TestBrokenMigrationsFailTheTest(t *testing.T) {
	broken := rls.Source{Name: "broken", FS: fstest.MapFS{"00001_x.sql": {Data: []byte("-- +goose Up\nCREATE TABLE nonsense (")}}}
	rec := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		pgtest.New(rec, rls.Migrations(), broken)
	}()
	<-done
	require.Contains(t, rec.fatal, "broken")
}

func BenchmarkNew(b *testing.B) {
	sources := []rls.Source{rls.Migrations(), tenant.Migrations(), notes("notes")}
	pgtest.New(b, sources...)
	for b.Loop() {
		pgtest.New(b, sources...)
	}
}
