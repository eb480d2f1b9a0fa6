package pgtest_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

// recorder keeps what would end the test.
type recorder struct {
	testing.TB
	fatal string
}

func (r *recorder) Fatal(args ...any) {
	r.fatal = fmt.Sprint(args...)
	runtime.Goexit()
}

// childEnv makes TestChild the test of another process; without it TestChild is empty.
const childEnv = "TOMKIT_PGTEST_CHILD"

func TestChild(t *testing.T) {
	order := os.Getenv(childEnv)
	if order == "" {
		return
	}
	db := newNotes(t)
	db.Tenant(t, "ward")
	if order == "bounce" {
		host := db.PgBouncer(t, nil).URL(rls.RoleApp)
		u, err := url.Parse(host)
		require.NoError(t, err)
		fmt.Println("DIR=" + u.Query().Get("host"))
		time.Sleep(time.Hour)
	}
	fmt.Println("DIR=" + scan[string](t, db, `SHOW data_directory`))
	if order == "hang" {
		time.Sleep(time.Hour)
	}
}

// runChild runs TestChild in a process of its own.
func runChild(t *testing.T, env ...string) (output string, err error) {
	t.Helper()
	cmd := childCommand(t, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func childCommand(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestChild$", "-test.v")
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "TOMKIT_TEST_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(append(cmd.Env, childEnv+"=once"), env...)
	return cmd
}

func TestWithoutPostgreSQL(t *testing.T) {
	nothing := pglocal.BinEnv + "=" + t.TempDir()
	t.Run("a test is skipped with the reason", func(t *testing.T) {
		out, err := runChild(t, nothing)
		require.NoError(t, err, out)
		require.Contains(t, out, "--- SKIP: TestChild")
		require.Contains(t, out, "install one with")
	})
	t.Run("a test fails where PostgreSQL is required", func(t *testing.T) {
		out, err := runChild(t, nothing, pgtest.EnvRequire+"=1")
		require.Error(t, err)
		require.Contains(t, out, "--- FAIL: TestChild")
		require.Contains(t, out, "install one with")
	})
	t.Run("a server that is named and not there is a failure", func(t *testing.T) {
		out, err := runChild(t, nothing, pgtest.EnvURL+"=postgres://me:secret@127.0.0.1:1/x")
		require.Error(t, err)
		require.Contains(t, out, "--- FAIL: TestChild")
		require.NotContains(t, out, "secret")
	})
	t.Run("a connection string that is no URL is a failure", func(t *testing.T) {
		out, err := runChild(t, nothing, pgtest.EnvURL+"=host=localhost password=secret")
		require.Error(t, err)
		require.Contains(t, out, "no URL")
		require.NotContains(t, out, "secret")
	})
}

func TestPrivateServerEndsWithItsProcess(t *testing.T) {
	pgtest.NeedBinaries(t)
	dirLine := regexp.MustCompile(`DIR=(\S+)`)
	gone := func(t *testing.T, dir string) {
		t.Helper()
		require.Eventually(t, func() bool {
			_, err := os.Stat(dir)
			return os.IsNotExist(err)
		}, time.Minute, 10*time.Millisecond)
	}
	t.Run("that returns", func(t *testing.T) {
		out, err := runChild(t)
		require.NoError(t, err, out)
		gone(t, dirLine.FindStringSubmatch(out)[1])
	})
	t.Run("that is killed", func(t *testing.T) {
		cmd := childCommand(t, childEnv+"=hang")
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		var text string
		buf := make([]byte, 4096)
		for !strings.Contains(text, "DIR=") {
			n, err := stdout.Read(buf)
			require.NoError(t, err, text)
			text += string(buf[:n])
		}
		require.NoError(t, cmd.Process.Kill())
		cmd.Wait()
		gone(t, dirLine.FindStringSubmatch(text)[1])
	})
}

// shared is a server that several processes use through TOMKIT_TEST_DATABASE_URL.
func shared(t *testing.T) (env string, conn *pgx.Conn) {
	t.Helper()
	pgtest.NeedBinaries(t)
	srv, err := pglocal.Start(t.Context(), pglocal.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Stop(context.Background())) })
	text := srv.URL("postgres", pglocal.Superuser)
	conn, err = pgx.Connect(t.Context(), text)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	// With a password, as a server on a network has one; the socket does not ask for it.
	u, err := url.Parse(text)
	require.NoError(t, err)
	u.User = url.UserPassword(pglocal.Superuser, "superuser-secret")
	return pgtest.EnvURL + "=" + u.String(), conn
}

func names(t *testing.T, conn *pgx.Conn, prefix string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, prefix)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

func TestSharedServer(t *testing.T) {
	env, conn := shared(t)
	exec := func(t *testing.T, sql string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	t.Run("many processes make one template and leave no database", func(t *testing.T) {
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if out, err := runChild(t, env, pgtest.EnvRequire+"=1"); err != nil {
					t.Error(out)
				}
			})
		}
		all.Wait()
		require.Len(t, names(t, conn, "tomkit_tpl_"), 1)
		require.Empty(t, names(t, conn, "tomkit_t_"))
	})
	t.Run("a template that a killed process left half made is made anew", func(t *testing.T) {
		template := names(t, conn, "tomkit_tpl_")[0]
		exec(t, `ALTER DATABASE `+template+` IS_TEMPLATE false`)
		exec(t, `DROP DATABASE `+template)
		exec(t, `CREATE DATABASE `+template)
		out, err := runChild(t, env)
		require.NoError(t, err, out)
		require.Equal(t, []string{template}, names(t, conn, "tomkit_tpl_"))
	})
	t.Run("databases of killed processes are dropped after an hour, templates after a week", func(t *testing.T) {
		fresh := fmt.Sprintf("tomkit_t_%x_new", time.Now().Unix())
		exec(t, fmt.Sprintf(`CREATE DATABASE tomkit_t_%x_old`, time.Now().Add(-2*time.Hour).Unix()))
		exec(t, `CREATE DATABASE `+fresh)
		exec(t, `CREATE DATABASE tomkit_tpl_old IS_TEMPLATE true`)
		exec(t, fmt.Sprintf(`COMMENT ON DATABASE tomkit_tpl_old IS '%x'`, time.Now().Add(-8*24*time.Hour).Unix()))
		exec(t, `CREATE DATABASE tomkit_theirs`)
		out, err := runChild(t, env)
		require.NoError(t, err, out)
		require.Equal(t, []string{fresh}, names(t, conn, "tomkit_t_"))
		require.Len(t, names(t, conn, "tomkit_tpl_"), 1)
		require.Len(t, names(t, conn, "tomkit_theirs"), 1)
	})
	t.Run("roles that no test made are left alone", func(t *testing.T) {
		exec(t, `COMMENT ON ROLE `+rls.RoleApp+` IS NULL`)
		out, err := runChild(t, env)
		require.Error(t, err)
		require.Contains(t, out, "use a server of its own")
		require.NotContains(t, out, "superuser-secret")
	})
	t.Run("a login that is no superuser is refused", func(t *testing.T) {
		exec(t, `CREATE ROLE modest LOGIN`)
		u, err := url.Parse(strings.TrimPrefix(env, pgtest.EnvURL+"="))
		require.NoError(t, err)
		u.User = url.User("modest")
		out, err := runChild(t, pgtest.EnvURL+"="+u.String())
		require.Error(t, err)
		require.Contains(t, out, "must name a superuser")
	})
}
