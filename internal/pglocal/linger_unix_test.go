//go:build unix && !aix && !solaris

package pglocal_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

// A session that is stopped cannot notice that its postmaster was killed, and keeps the shared memory.
func TestStartWaitsForSessionsOfAKilledServer(t *testing.T) {
	pgtest.NeedBinaries(t)
	dir := filepath.Join(reachableDir(t), "db")
	srv, err := pglocal.Start(t.Context(), pglocal.Config{Dir: dir})
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), srv.URL("postgres", pglocal.Superuser))
	require.NoError(t, err)
	session := int(conn.PgConn().PID())
	require.NoError(t, syscall.Kill(session, syscall.SIGSTOP))
	postmaster, _ := srv.PIDs()
	require.NoError(t, syscall.Kill(postmaster, syscall.SIGKILL))
	<-srv.Done()
	require.NoError(t, srv.Stop(t.Context()))
	go func() {
		time.Sleep(3 * time.Second / 10)
		syscall.Kill(session, syscall.SIGCONT)
	}()
	start(t, pglocal.Config{Dir: dir})
}
