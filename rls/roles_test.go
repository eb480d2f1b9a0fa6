package rls_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
)

// cluster is a server of the test's own, since roles belong to the whole server.
func cluster(t *testing.T) *pglocal.Server {
	t.Helper()
	pgtest.NeedBinaries(t)
	srv, err := pglocal.Start(t.Context(), pglocal.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Stop(context.Background())) })
	return srv
}

func TestApplyRoles(t *testing.T) {
	srv := cluster(t)
	ctx := t.Context()
	super := connect(t, srv.URL("postgres", "postgres"))
	for _, db := range []string{"one", "two"} {
		_, err := super.Exec(ctx, "CREATE DATABASE "+db)
		require.NoError(t, err)
	}
	t.Run("16 processes at once, on two databases of one cluster, all succeed", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				if _, err := rls.ApplyRoles(ctx, srv.URL([]string{"one", "two"}[i%2], "postgres")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("the roles are what they must be", func(t *testing.T) {
		rows, err := super.Query(ctx, `SELECT format('%s login=%s bypass=%s of=%s', rolname, rolcanlogin, rolbypassrls,
			(SELECT string_agg(g.rolname, ',' ORDER BY g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid))
			FROM pg_roles r WHERE rolname LIKE 'tomkit%' AND NOT (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolinherit) ORDER BY 1`)
		require.NoError(t, err)
		have, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Equal(t, []string{
			"tomkit_app login=t bypass=f of=",
			"tomkit_backup login=t bypass=t of=",
			"tomkit_ledger login=f bypass=f of=",
			"tomkit_migrator login=t bypass=t of=tomkit_ledger,tomkit_owner",
			"tomkit_msp login=t bypass=f of=",
			"tomkit_owner login=f bypass=f of=",
			"tomkit_system login=t bypass=f of=",
		}, have)
	})
	t.Run("what somebody loosened is tightened", func(t *testing.T) {
		_, err := super.Exec(ctx, `ALTER ROLE tomkit_app SUPERUSER BYPASSRLS CREATEROLE INHERIT;
			GRANT tomkit_system, pg_read_all_data TO tomkit_app; ALTER ROLE tomkit_owner LOGIN`)
		require.NoError(t, err)
		logins, err := rls.ApplyRoles(ctx, srv.URL("one", "postgres"))
		require.NoError(t, err)
		_, err = migrate.Up(ctx, logins.Migrator, rls.Migrations())
		require.NoError(t, err)
		require.NoError(t, rls.InstallContextKey(ctx, logins.Migrator, pgtest.ContextKey()))
		db, err := rls.Open(ctx, rls.Config{AppURL: logins.App, MSPURL: logins.MSP, SystemURL: logins.System, ContextKey: pgtest.ContextKey()})
		require.NoError(t, err)
		db.Close()
		_, err = pgx.Connect(ctx, srv.URL("one", rls.RoleOwner))
		require.Error(t, err, "the owner cannot log in")
	})
	t.Run("the printed SQL does the same and twice", func(t *testing.T) {
		conn := connect(t, srv.URL("two", "postgres"))
		for range 2 {
			_, err := conn.Exec(ctx, rls.RolesSQL())
			require.NoError(t, err)
		}
		require.NotContains(t, strings.ToLower(rls.RolesSQL()), "password '")
	})
	t.Run("with the superuser's password all processes derive the same logins", func(t *testing.T) {
		_, err := super.Exec(ctx, "ALTER ROLE postgres PASSWORD 'it''s secret'")
		require.NoError(t, err)
		requirePasswords(t, super)
		dsn := withPassword(t, srv.URL("one", "postgres"), "it's secret")
		first, err := rls.ApplyRoles(ctx, dsn)
		require.NoError(t, err)
		second, err := rls.ApplyRoles(ctx, dsn)
		require.NoError(t, err)
		require.Equal(t, first, second)
		for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleMigrator, rls.RoleBackup} {
			var who string
			require.NoError(t, connect(t, first.URL(role)).QueryRow(ctx, "SELECT session_user").Scan(&who))
			require.Equal(t, role, who)
			_, err := pgx.Connect(ctx, withPassword(t, first.URL(role), "wrong"))
			requireCode(t, "28P01", err)
		}
		require.Empty(t, first.URL(rls.RoleOwner))
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", first, first, first), "postgres:")
	})
}

// requirePasswords makes the server ask for them.
func requirePasswords(t *testing.T, super *pgx.Conn) {
	var file string
	require.NoError(t, super.QueryRow(t.Context(), "SHOW hba_file").Scan(&file))
	_, err := super.Exec(t.Context(), "COPY (SELECT 'local all all scram-sha-256') TO '"+file+"'; SELECT pg_reload_conf()")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var scram bool
		err := super.QueryRow(t.Context(), "SELECT bool_and(auth_method = 'scram-sha-256') FROM pg_hba_file_rules").Scan(&scram)
		return err == nil && scram
	}, patience, tick)
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func withPassword(t *testing.T, dsn, password string) string {
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String()
}

func TestLoginURLs(t *testing.T) {
	for name, dsn := range map[string]string{
		"a URL":                             "postgres://root:p%40ss@db.example:5433/app?sslmode=disable&application_name=x",
		"a URL with the user as an option":  "postgresql://db.example:5433/app?user=root&password=x&sslmode=disable&application_name=x",
		"a list of keywords":                "host=db.example port=5433 dbname=app user=root password='a b' sslmode=disable application_name=x",
		"a URL without a password":          "postgres://root@db.example:5433/app?sslmode=disable&application_name=x",
		"a list of keywords without a user": "host=db.example port=5433 dbname=app sslmode=disable application_name=x",
	} {
		t.Run(name, func(t *testing.T) {
			for _, password := range []string{"", "s3cret"} {
				dsn, err := rls.AsLogin(dsn, rls.RoleApp, password)
				require.NoError(t, err)
				cfg, err := pgx.ParseConfig(dsn)
				require.NoError(t, err)
				require.Equal(t, "db.example:5433 app tomkit_app x "+password,
					fmt.Sprintf("%s:%d %s %s %s %s", cfg.Host, cfg.Port, cfg.Database, cfg.User, cfg.RuntimeParams["application_name"], cfg.Password))
			}
		})
	}
	_, err := rls.ApplyRoles(t.Context(), "postgres://u:secret@[")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}
