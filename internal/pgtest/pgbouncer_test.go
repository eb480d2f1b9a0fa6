package pgtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

func TestPgBouncer(t *testing.T) {
	db := newNotes(t)
	pooler := db.PgBouncer(t, map[string]string{"default_pool_size": "1"})
	backend := func(t *testing.T) (pid uint32) {
		conn, err := pgx.Connect(t.Context(), pooler.URL(rls.RoleApp))
		require.NoError(t, err)
		defer conn.Close(t.Context())
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT pg_backend_pid()`, pgx.QueryExecModeExec).Scan(&pid))
		require.NotEqual(t, conn.PgConn().PID(), pid, "a pooler is in between")
		return pid
	}
	first := backend(t)
	require.Equal(t, first, backend(t), "two connections share one of the server's")
	pooler.Restart(t)
	require.NotEqual(t, first, backend(t))
	require.Contains(t, pooler.Log(t), "process up")
	require.Equal(t, db.SuperuserURL(), pooler.SuperuserURL(), "the superuser needs no pooler")
}

func TestWithoutPgBouncer(t *testing.T) {
	pgtest.NeedBinaries(t)
	nothing := pgtest.EnvBouncer + "=" + filepath.Join(t.TempDir(), "none")
	out, err := runChild(t, childEnv+"=bounce", nothing)
	require.NoError(t, err, out)
	require.Contains(t, out, "--- SKIP: TestChild")
	require.Contains(t, out, "apt-get install pgbouncer")
	out, err = runChild(t, childEnv+"=bounce", nothing, pgtest.EnvRequire+"=1")
	require.Error(t, err)
	require.Contains(t, out, "--- FAIL: TestChild")
}

func TestPgBouncerEndsWithItsProcess(t *testing.T) {
	newNotes(t).PgBouncer(t, nil) // skips without the program
	cmd := childCommand(t, childEnv+"=bounce")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var text string
	for buf := make([]byte, 4096); !strings.Contains(text, "DIR="); {
		n, err := stdout.Read(buf)
		require.NoError(t, err, text)
		text += string(buf[:n])
	}
	dir := regexp.MustCompile(`DIR=(\S+)`).FindStringSubmatch(text)[1]
	require.DirExists(t, dir)
	require.NoError(t, cmd.Process.Kill())
	cmd.Wait()
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, time.Minute, 10*time.Millisecond)
}

func TestNewPrivate(t *testing.T) {
	db := pgtest.NewPrivate(t, map[string]string{"log_statement": "all", "log_min_messages": "log"}, rls.Migrations())
	_, err := db.Superuser(t).Exec(t.Context(), `CREATE TABLE kept AS SELECT 1 AS n`)
	require.NoError(t, err)
	require.Contains(t, db.Log(t), "CREATE TABLE kept")
	db.Stop(t)
	_, err = pgx.Connect(t.Context(), db.URL(rls.RoleApp))
	require.Error(t, err)
	db.Start(t)
	require.Equal(t, 1, scan[int](t, db.DB, `SELECT n FROM kept`))
}
