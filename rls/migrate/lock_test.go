package migrate_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
)

// Environment variables that make this test binary one process of a race: a URL and the sources to apply there.
const (
	racer   = "TOMKIT_MIGRATE_RACER"
	racerOf = "TOMKIT_MIGRATE_RACER_OF"
)

// slow waits in the middle of its second migration for a lock that the test holds.
var slow = source("slow", map[string]string{
	"00001_table.sql": "CREATE TABLE tomkit.slow (n int NOT NULL);",
	"00002_wait.sql":  "INSERT INTO tomkit.slow VALUES (1); SELECT pg_advisory_xact_lock(4711);\nINSERT INTO tomkit.slow VALUES (2);",
	"00003_more.sql":  "INSERT INTO tomkit.slow VALUES (3);",
})

var races = map[string][]rls.Source{"all": all, "slow": {slow}}

// race is what a process of the race does: it prints what it applied.
func race(url string) int {
	cfg := migrate.Config{Progress: func(a migrate.Applied) { os.Stdout.WriteString(a.Source + "/" + a.File + "\n") }}
	if _, err := cfg.Up(context.Background(), url, races[os.Getenv(racerOf)]...); err != nil {
		os.Stderr.WriteString(err.Error())
		return 1
	}
	return 0
}

// process starts one.
func process(t *testing.T, url, sources string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), racer+"="+url, racerOf+"="+sources)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

func TestSixteenProcesses(t *testing.T) {
	db := pgtest.New(t)
	applied := map[string]int{}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 16 {
		cmd, out := process(t, db.URL(rls.RoleMigrator), "all")
		wg.Go(func() {
			for out.Scan() {
				mu.Lock()
				applied[out.Text()]++
				mu.Unlock()
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for name, times := range applied {
		require.Equal(t, 1, times, name)
	}
	plan, err := migrate.Plan(t.Context(), db.URL(rls.RoleMigrator), all...)
	require.NoError(t, err)
	require.Empty(t, plan)
	var versions int
	require.NoError(t, db.Superuser(t).QueryRow(t.Context(), `SELECT (SELECT count(*) FROM tomkit.migrations_rls WHERE version_id > 0)
		+ (SELECT count(*) FROM tomkit.migrations_tenant WHERE version_id > 0) + (SELECT count(*) FROM tomkit.migrations_counter WHERE version_id > 0)`).Scan(&versions))
	require.Len(t, applied, versions)
	var rows []int
	require.NoError(t, db.Superuser(t).QueryRow(t.Context(), "SELECT array_agg(n ORDER BY n) FROM tomkit.counter").Scan(&rows))
	require.Equal(t, []int{1, 2}, rows)
}

// waiting waits until n sessions wait for an advisory lock.
func waiting(t *testing.T, super *pgxpool.Pool, id int64, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var have int
		err := super.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND classid::bigint = $1::bigint >> 32 AND objid::bigint = $1::bigint & 4294967295 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, id).Scan(&have)
		return err == nil && have == n
	}, 30*time.Second, 10*time.Millisecond)
}

func hold(t *testing.T, url string, id int64) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	_, err = conn.Exec(t.Context(), "SELECT pg_advisory_lock($1)", id)
	require.NoError(t, err)
	return conn
}

func TestAProcessIsKilledInTheMiddle(t *testing.T) {
	db := pgtest.New(t)
	url, super := db.URL(rls.RoleMigrator), db.Superuser(t)
	gate := hold(t, url, 4711)
	cmd, _ := process(t, url, "slow")
	waiting(t, super, 4711, 1)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	// The server does not know yet: it still runs the killed process's statement. The next run must wait for that.
	done := make(chan error)
	var rep migrate.Report
	go func() { var err error; rep, err = migrate.Up(t.Context(), url, slow); done <- err }()
	waiting(t, super, migrate.WorkLockID, 1)
	plan, err := migrate.Plan(t.Context(), url, slow)
	require.NoError(t, err)
	require.Len(t, plan, 2)
	require.NoError(t, gate.Close(t.Context()))
	require.NoError(t, <-done)
	require.Len(t, rep.Applied, 2)
	var rows []int
	require.NoError(t, super.QueryRow(t.Context(), "SELECT array_agg(n ORDER BY n) FROM tomkit.slow").Scan(&rows))
	require.Equal(t, []int{1, 2, 3}, rows)
}

func TestLockHeldTooLong(t *testing.T) {
	db := pgtest.New(t)
	url := db.URL(rls.RoleMigrator)
	holder := hold(t, url, migrate.LockID)
	_, err := holder.Exec(t.Context(), "SET application_name = 'deploy-7'")
	require.NoError(t, err)
	t.Run("the error names the holder", func(t *testing.T) {
		var locked *migrate.LockedError
		_, err := migrate.Config{LockTimeout: 20 * time.Millisecond}.Up(t.Context(), url, counter)
		require.ErrorAs(t, err, &locked)
		require.Equal(t, &migrate.LockedError{PID: holder.PgConn().PID(), User: rls.RoleMigrator, Application: "deploy-7", Waited: 20 * time.Millisecond}, locked)
		require.ErrorContains(t, err, "deploy-7")
	})
	t.Run("a context that is done ends the waiting", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := migrate.Up(ctx, url, counter); done <- err }()
		waiting(t, db.Superuser(t), migrate.LockID, 1)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	t.Run("a deadline, too", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := migrate.Up(ctx, url, counter)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("of the connection that applies migrations", func(t *testing.T) {
		require.NoError(t, holder.Close(t.Context()))
		hold(t, url, migrate.WorkLockID)
		var locked *migrate.LockedError
		_, err := migrate.Config{LockTimeout: 20 * time.Millisecond}.Up(t.Context(), url, counter)
		require.ErrorAs(t, err, &locked)
		require.NotZero(t, locked.PID)
	})
	t.Run("a negative timeout", func(t *testing.T) {
		_, err := migrate.Config{LockTimeout: -1}.Up(t.Context(), url, counter)
		require.ErrorContains(t, err, "negative")
	})
}

func TestProgress(t *testing.T) {
	db := pgtest.New(t)
	var seen []migrate.Applied
	cfg := migrate.Config{Progress: func(a migrate.Applied) {
		var n int // it is told when the migration is committed, not before
		require.NoError(t, db.Superuser(t).QueryRow(t.Context(), "SELECT count(*) FROM tomkit.migrations_counter WHERE version_id > 0").Scan(&n))
		require.EqualValues(t, a.Version, n)
		seen = append(seen, a)
	}}
	rep, err := cfg.Up(t.Context(), db.URL(rls.RoleMigrator), counter)
	require.NoError(t, err)
	require.Equal(t, rep.Applied, seen)
	require.Len(t, seen, 3)
}
