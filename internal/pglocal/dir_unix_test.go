//go:build unix && !aix && !solaris

package pglocal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

func TestPersistentDirectory(t *testing.T) {
	pgtest.NeedBinaries(t)
	dir := filepath.Join(reachableDir(t), "deep", "db")
	srv, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
	require.NoError(t, err)
	require.Equal(t, "on", query[string](t, srv, `SHOW fsync`))
	require.NoError(t, writeRow(t.Context(), srv.URL("postgres", "postgres")))

	t.Run("refuses a second server in this process", func(t *testing.T) {
		_, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
		require.ErrorIs(t, err, pglocal.ErrInUse)
		require.ErrorContains(t, err, fmt.Sprintf("process %d", os.Getpid()))
	})
	require.NoError(t, srv.Stop(t.Context()))

	t.Run("refuses a second server while another process runs one", func(t *testing.T) {
		f := startChild(t, order{Dir: dir}, 0)
		_, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
		require.ErrorIs(t, err, pglocal.ErrInUse)
		require.ErrorContains(t, err, fmt.Sprintf("process %d", f.cmd.Process.Pid))
		require.Equal(t, 2, countRows(t, f.URL), "the running server is not disturbed")
		require.NoError(t, f.cmd.Process.Kill())
		f.cmd.Wait()
	})
	t.Run("keeps rows", func(t *testing.T) {
		srv := start(t, pglocal.Config{Dir: dir})
		require.Equal(t, 2, countRows(t, srv.URL("postgres", "postgres")))
	})
	t.Run("starts over a leftover pid file whose number another process has", func(t *testing.T) {
		pidFile := filepath.Join(dir, "data", "postmaster.pid")
		require.NoFileExists(t, pidFile)
		fi, err := os.Stat(filepath.Join(dir, "data"))
		require.NoError(t, err)
		text := fmt.Sprintf("%d\n%s\n1700000000\n5432\n%s\n\n  1234567      9999\nready   \n", os.Getppid(), filepath.Join(dir, "data"), dir)
		require.NoError(t, os.WriteFile(pidFile, []byte(text), 0o600))
		st := fi.Sys().(*syscall.Stat_t)
		require.NoError(t, os.Chown(pidFile, int(st.Uid), int(st.Gid)))
		srv := start(t, pglocal.Config{Dir: dir})
		require.Equal(t, 2, countRows(t, srv.URL("postgres", "postgres")))
	})
	t.Run("refuses data of another version and leaves it alone", func(t *testing.T) {
		version := filepath.Join(dir, "data", "PG_VERSION")
		right, err := os.ReadFile(version)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(version, []byte("9\n"), 0o600))
		_, err = pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
		var wrong *pglocal.VersionError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, "9", wrong.Data)
		require.NoError(t, os.WriteFile(version, right, 0o600))
		start(t, pglocal.Config{Dir: dir})
	})
	t.Run("refuses a directory that was opened to others", func(t *testing.T) {
		require.NoError(t, os.Chmod(dir, 0o755))
		_, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
		require.ErrorIs(t, err, pglocal.ErrForeignDir)
		require.NoError(t, os.Chmod(dir, 0o700))
	})
}

func TestForeignDirectories(t *testing.T) {
	pgtest.NeedBinaries(t)
	parent := reachableDir(t)
	file := filepath.Join(parent, "file")
	require.NoError(t, os.WriteFile(file, []byte("precious"), 0o644))
	t.Run("a file is refused", func(t *testing.T) {
		_, err := pglocal.Start(t.Context(), pglocal.Config{Dir: file})
		require.ErrorIs(t, err, pglocal.ErrForeignDir)
	})
	t.Run("a directory with other content is refused and not touched", func(t *testing.T) {
		before, err := os.Stat(parent)
		require.NoError(t, err)
		_, err = pglocal.Start(t.Context(), pglocal.Config{Dir: parent})
		require.ErrorIs(t, err, pglocal.ErrForeignDir)
		after, err := os.Stat(parent)
		require.NoError(t, err)
		require.Equal(t, before.Mode(), after.Mode())
		require.Equal(t, before.Sys().(*syscall.Stat_t).Uid, after.Sys().(*syscall.Stat_t).Uid)
	})
	t.Run("an empty directory is taken and closed to others", func(t *testing.T) {
		dir := filepath.Join(parent, "empty")
		require.NoError(t, os.Mkdir(dir, 0o755))
		start(t, pglocal.Config{Dir: dir})
		fi, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), fi.Mode().Perm())
	})
	t.Run("root is told when the server's account cannot reach the place", func(t *testing.T) {
		if os.Geteuid() != 0 {
			return // only root gives the server to another account
		}
		closed := filepath.Join(parent, "closed")
		require.NoError(t, os.Mkdir(closed, 0o700))
		_, err := pglocal.Start(t.Context(), pglocal.Config{Dir: filepath.Join(closed, "db")})
		require.ErrorContains(t, err, "cannot reach")
	})
	t.Run("root follows no link out of the directory", func(t *testing.T) {
		dir := filepath.Join(parent, "linked")
		srv, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
		require.NoError(t, err)
		require.NoError(t, srv.Stop(t.Context()))
		log := filepath.Join(dir, "server.log")
		require.NoError(t, os.Remove(log))
		require.NoError(t, os.Symlink(file, log)) // as the server's account could
		_, err = pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
		require.Error(t, err)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "precious", string(text))
	})
}

func TestLongAndOddPaths(t *testing.T) {
	pgtest.NeedBinaries(t)
	for _, name := range []string{strings.Repeat("long", 40), "blank, comma 'quote' Ü%20?&"} {
		t.Run(name, func(t *testing.T) {
			srv, err := pglocal.Start(t.Context(), pglocal.Config{Dir: filepath.Join(reachableDir(t), name)})
			require.NoError(t, err)
			require.Equal(t, 1, query[int](t, srv, `SELECT 1`))
			fi, err := os.Stat(srv.SocketDir())
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o700), fi.Mode().Perm())
			require.NoError(t, srv.Stop(t.Context()))
			if !strings.HasPrefix(srv.SocketDir(), srv.Dir()) {
				require.NoDirExists(t, srv.SocketDir())
			}
			require.DirExists(t, srv.Dir())
		})
	}
}
