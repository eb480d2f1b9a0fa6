//go:build unix && !aix && !solaris

package pglocal_test

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

// deaths are the ways in which a process can end without calling Stop.
var deaths = []struct {
	name string
	kill func(t *testing.T, f *family)
}{
	{"SIGINT", sendSignal(syscall.SIGINT)},
	{"SIGTERM", sendSignal(syscall.SIGTERM)},
	{"SIGKILL", sendSignal(syscall.SIGKILL)},
	{"a panic", func(t *testing.T, f *family) {
		_, err := io.WriteString(f.stdin, "panic\n")
		require.NoError(t, err)
	}},
}

func sendSignal(sig syscall.Signal) func(*testing.T, *family) {
	return func(t *testing.T, f *family) { require.NoError(t, f.cmd.Process.Signal(sig)) }
}

func TestNothingSurvivesTheParent(t *testing.T) {
	t.Parallel()
	pgtest.NeedBinaries(t)
	for _, death := range deaths {
		t.Run("a temporary server is gone with its files after "+death.name, func(t *testing.T) {
			t.Parallel()
			f := startChild(t, order{}, 0)
			require.DirExists(t, f.Dir)
			death.kill(t, f)
			require.Error(t, f.cmd.Wait())
			requireGone(t, f.Postmaster, f.Watcher)
			require.NoDirExists(t, f.Dir)
		})
		t.Run("a persistent server is gone and starts again after "+death.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(reachableDir(t), "db")
			for round := 1; round <= 2; round++ {
				f := startChild(t, order{Dir: dir}, 0)
				require.Equal(t, round, countRows(t, f.URL))
				death.kill(t, f)
				require.Error(t, f.cmd.Wait())
				if round == 1 {
					continue // the next start does not wait for us
				}
				requireGone(t, f.Postmaster, f.Watcher)
			}
			srv, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
			require.NoError(t, err)
			require.Equal(t, 2, countRows(t, srv.URL("postgres", "postgres")))
			require.NoError(t, srv.Stop(t.Context()))
		})
	}
}

func TestEachLineHoldsAlone(t *testing.T) {
	t.Parallel()
	pgtest.NeedBinaries(t)
	t.Run("the watcher ends the server without the kernel's signal", func(t *testing.T) {
		t.Parallel()
		f := startChild(t, order{WatcherOnly: true}, 0)
		require.NoError(t, f.cmd.Process.Kill())
		f.cmd.Wait()
		requireGone(t, f.Postmaster, f.Watcher)
		require.NoDirExists(t, f.Dir)
	})
	t.Run("the kernel's signal ends the server without the watcher", func(t *testing.T) {
		t.Parallel()
		if !hasDeathSignal {
			return // the platform has one line only
		}
		f := startChild(t, order{}, 0)
		t.Cleanup(func() { os.RemoveAll(f.Dir) })
		require.NoError(t, syscall.Kill(f.Watcher, syscall.SIGKILL))
		requireGone(t, f.Watcher)
		require.NoError(t, f.cmd.Process.Kill())
		f.cmd.Wait()
		requireGone(t, f.Postmaster)
	})
	t.Run("the watcher forces a server that does not obey", func(t *testing.T) {
		t.Parallel()
		f := startChild(t, order{WatcherOnly: true}, 0)
		require.NoError(t, syscall.Kill(f.Postmaster, syscall.SIGSTOP)) // only SIGKILL ends it now
		require.NoError(t, f.cmd.Process.Kill())
		f.cmd.Wait()
		requireGone(t, f.Postmaster, f.Watcher)
		require.NoDirExists(t, f.Dir)
	})
}

func TestATerminalsSignalDoesNotReachTheServer(t *testing.T) {
	pgtest.NeedBinaries(t)
	f := startChild(t, order{IgnoreInt: true}, 0)
	// What a terminal does at Ctrl-C: the signal goes to the whole process group.
	require.NoError(t, syscall.Kill(-f.cmd.Process.Pid, syscall.SIGINT))
	time.Sleep(50 * time.Millisecond)
	require.Equal(t, 1, countRows(t, f.URL))
	_, err := io.WriteString(f.stdin, "stop\n")
	require.NoError(t, err)
	require.NoError(t, f.cmd.Wait())
	requireGone(t, f.Postmaster, f.Watcher)
	require.NoDirExists(t, f.Dir)
}

func TestAnOrdinaryUserRunsAServer(t *testing.T) {
	pgtest.NeedBinaries(t)
	if os.Geteuid() != 0 {
		return // every other test has just shown it
	}
	const uid = 65534 // nobody: initdb wants an account of that number
	t.Run("in a temporary directory, without a home", func(t *testing.T) {
		f := startChild(t, order{}, uid)
		require.NoError(t, f.cmd.Process.Kill())
		f.cmd.Wait()
		requireGone(t, f.Postmaster, f.Watcher)
		require.NoDirExists(t, f.Dir)
	})
	t.Run("in a directory of the user", func(t *testing.T) {
		parent := reachableDir(t)
		require.NoError(t, os.Chown(parent, uid, uid))
		f := startChild(t, order{Dir: filepath.Join(parent, "db")}, uid)
		require.Equal(t, uint32(uid), ownerOf(t, f.Dir))
		_, err := io.WriteString(f.stdin, "stop\n")
		require.NoError(t, err)
		require.NoError(t, f.cmd.Wait())
		requireGone(t, f.Postmaster, f.Watcher)

		_, err = pglocal.Start(t.Context(), pglocal.Config{Dir: f.Dir})
		require.ErrorIs(t, err, pglocal.ErrForeignDir, "root must not take over a user's database")
	})
}

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	fi, err := os.Stat(path)
	require.NoError(t, err)
	return fi.Sys().(*syscall.Stat_t).Uid
}

func countRows(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM deaths`).Scan(&n))
	return n
}
