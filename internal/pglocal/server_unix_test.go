//go:build unix && !aix && !solaris

package pglocal_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

func start(t *testing.T, cfg pglocal.Config) *pglocal.Server {
	t.Helper()
	srv, err := pglocal.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Stop(context.Background())) })
	return srv
}

func query[T any](t *testing.T, srv *pglocal.Server, sql string) (v T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), srv.URL("postgres", "postgres"))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&v))
	return v
}

func TestServer(t *testing.T) {
	pgtest.NeedBinaries(t)
	srv := start(t, pglocal.Config{Settings: map[string]string{"work_mem": "5MB", "tomkit.note": "a 'quoted' note"}})

	t.Run("listens on no network address", func(t *testing.T) {
		require.Empty(t, query[string](t, srv, `SHOW listen_addresses`))
	})
	t.Run("keeps its directories for one account", func(t *testing.T) {
		for _, dir := range []string{srv.Dir(), srv.SocketDir(), filepath.Join(srv.Dir(), "data")} {
			fi, err := os.Stat(dir)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o700), fi.Mode().Perm(), dir)
		}
	})
	t.Run("does not run as root", func(t *testing.T) {
		require.NotZero(t, ownerOf(t, filepath.Join(srv.Dir(), "data", "postmaster.pid")))
	})
	t.Run("takes settings", func(t *testing.T) {
		require.Equal(t, "5MB", query[string](t, srv, `SHOW work_mem`))
		require.Equal(t, "a 'quoted' note", query[string](t, srv, `SHOW tomkit.note`))
	})
	t.Run("knows letters beyond ASCII and sorts bytewise", func(t *testing.T) {
		require.True(t, query[bool](t, srv, `SELECT 'Z' < 'a'`))
		if hasDeathSignal { // Linux has the locale everywhere
			require.Equal(t, "äöü", query[string](t, srv, `SELECT lower('ÄÖÜ')`))
		}
	})
	t.Run("refuses every connection that is not local", func(t *testing.T) {
		require.Equal(t, int64(0), query[int64](t, srv, `SELECT count(*) FROM pg_hba_file_rules WHERE type <> 'local' AND auth_method <> 'reject'`))
	})
	t.Run("does not wait for the disk when it is temporary", func(t *testing.T) {
		require.Equal(t, "off", query[string](t, srv, `SHOW fsync`))
	})
	t.Run("reports its version", func(t *testing.T) {
		require.True(t, strings.HasPrefix(query[string](t, srv, `SHOW server_version`), strings.Fields(srv.Version())[0]))
	})
}

func TestServerSeesNothingOfOurEnvironment(t *testing.T) {
	pgtest.NeedBinaries(t)
	t.Setenv("TOMKIT_SOME_SECRET", "hunter2")
	t.Setenv("PGDATA", "/nonexistent")
	t.Setenv("PGPORT", "1")
	srv := start(t, pglocal.Config{})
	for _, pid := range pids(srv) {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if os.IsNotExist(err) && !hasDeathSignal {
			return // no /proc on this platform
		}
		require.NoError(t, err)
		require.NotContains(t, string(env), "hunter2")
		require.NotContains(t, string(env), "PGPORT")
	}
}

func pids(srv *pglocal.Server) []int {
	postmaster, watcher := srv.PIDs()
	return []int{postmaster, watcher}
}

func TestStop(t *testing.T) {
	pgtest.NeedBinaries(t)
	t.Run("leaves no process, file or goroutine, and may be called again", func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		srv, err := pglocal.Start(t.Context(), pglocal.Config{})
		require.NoError(t, err)
		dir, processes := srv.Dir(), pids(srv)
		require.NoError(t, srv.Stop(t.Context()))
		require.NoError(t, srv.Stop(t.Context()))
		for _, pid := range processes {
			require.False(t, running(pid))
		}
		require.NoDirExists(t, dir)
		goleak.VerifyNone(t, before)
	})
	t.Run("ends open sessions", func(t *testing.T) {
		srv := start(t, pglocal.Config{})
		conn, err := pgx.Connect(t.Context(), srv.URL("postgres", "postgres"))
		require.NoError(t, err)
		defer conn.Close(context.Background())
		require.NoError(t, srv.Stop(t.Context()))
		require.Error(t, conn.Ping(t.Context()))
	})
	t.Run("forces a server that does not obey when its context ends", func(t *testing.T) {
		dir := filepath.Join(reachableDir(t), "db")
		srv, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
		require.NoError(t, err)
		postmaster, _ := srv.PIDs()
		require.NoError(t, syscall.Kill(postmaster, syscall.SIGSTOP))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, srv.Stop(ctx), context.DeadlineExceeded)
		require.False(t, running(postmaster))

		require.NotPanics(t, func() { start(t, pglocal.Config{Dir: dir}) })
	})
}

func TestDoneTellsOfADeadServer(t *testing.T) {
	pgtest.NeedBinaries(t)
	dir := filepath.Join(reachableDir(t), "db")
	srv, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
	require.NoError(t, err)
	postmaster, _ := srv.PIDs()
	require.NoError(t, syscall.Kill(postmaster, syscall.SIGKILL))
	select {
	case <-srv.Done():
	case <-time.After(time.Minute):
		t.Fatal("Done was not closed")
	}
	require.NoError(t, srv.Stop(t.Context()))
	start(t, pglocal.Config{Dir: dir})
}

func TestStartThatFailsLeavesNothing(t *testing.T) {
	pgtest.NeedBinaries(t)
	temp := reachableDir(t)
	require.NoError(t, os.Chmod(temp, 0o777))
	left := func() (names []string) {
		entries, err := os.ReadDir(temp)
		require.NoError(t, err)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	t.Run("a bad setting is reported with the server's own words", func(t *testing.T) {
		_, err := pglocal.Start(t.Context(), pglocal.Config{TempDir: temp, Settings: map[string]string{"shared_buffers": "many"}})
		var failed *pglocal.StartError
		require.ErrorAs(t, err, &failed)
		require.Contains(t, failed.Log, "shared_buffers")
		require.Empty(t, left())
	})
	t.Run("a cancelled start", func(t *testing.T) {
		for _, after := range []time.Duration{0, 20 * time.Millisecond, 80 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			srv, err := pglocal.Start(ctx, pglocal.Config{TempDir: temp})
			cancel()
			if err == nil { // a quick machine
				require.NoError(t, srv.Stop(t.Context()))
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			require.Empty(t, left())
		}
	})
	t.Run("a log that is asked for gets the server's words", func(t *testing.T) {
		var log bytes.Buffer
		_, err := pglocal.Start(t.Context(), pglocal.Config{TempDir: temp, Log: &log, Settings: map[string]string{"shared_buffers": "many"}})
		var failed *pglocal.StartError
		require.ErrorAs(t, err, &failed)
		require.Contains(t, failed.Log, "shared_buffers")
		require.Contains(t, log.String(), "shared_buffers")
	})
}

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]pglocal.Config{
		"an address to listen on": {Settings: map[string]string{"listen_addresses": "*"}},
		"another socket":          {Settings: map[string]string{"unix_socket_directories": "/tmp"}},
		"another access file":     {Settings: map[string]string{"hba_file": "/tmp/hba"}},
		"an argument as name":     {Settings: map[string]string{"-x": "1"}},
		"an assignment as name":   {Settings: map[string]string{"a=b": "1"}},
		"capitals":                {Settings: map[string]string{"LISTEN_ADDRESSES": "*"}},
		"a zero byte":             {Settings: map[string]string{"work_mem": "1\x00"}},
		"a negative timeout":      {StartTimeout: -1},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, err := pglocal.Start(t.Context(), cfg)
			require.ErrorContains(t, err, "pglocal: start: ")
		})
	}
}

func BenchmarkStart(b *testing.B) {
	pgtest.NeedBinaries(b)
	dir := filepath.Join(reachableDir(b), "db")
	for name, cfg := range map[string]pglocal.Config{"temporary": {}, "persistent": {Dir: dir}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				srv, err := pglocal.Start(b.Context(), cfg)
				require.NoError(b, err)
				require.NoError(b, srv.Stop(b.Context()))
			}
		})
	}
}
