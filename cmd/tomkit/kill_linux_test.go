package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// TestMain runs the command itself when a test starts this binary as one.
func TestMain(m *testing.M) {
	if os.Getenv("TOMKIT_AS_COMMAND") == "1" {
		main()
	}
	os.Exit(m.Run())
}

// patience bounds every wait; a machine that needs longer is stuck.
const patience = 2 * time.Minute

// remains lists the processes that have to do with dir.
func remains(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() == fmt.Sprint(os.Getpid()) || strings.Trim(e.Name(), "0123456789") != "" {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")) // it may end meanwhile
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if strings.Contains(string(line), dir) || strings.HasPrefix(cwd, dir) {
			list = append(list, e.Name()+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return list
}

// TestADemoThatIsKilledLeavesNoDatabaseAndAnIntactLedger kills the demonstration when it announces a part, before the superuser's
// attacks, which break the ledger on purpose.
func TestADemoThatIsKilledLeavesNoDatabaseAndAnIntactLedger(t *testing.T) {
	plain(t)
	pgtest.NeedBinaries(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	for _, moment := range []string{"people in four roles", "Attack: the ledger, from every login"} {
		t.Run("killed at: "+moment, func(t *testing.T) {
			tmp, err := os.MkdirTemp("/dev/shm", "tomkit-kill-")
			if err != nil {
				tmp, err = os.MkdirTemp("", "tomkit-kill-")
			}
			require.NoError(t, err)
			require.NoError(t, os.Chmod(tmp, 0o711)) // the database's account passes through
			t.Cleanup(func() { require.NoError(t, os.RemoveAll(tmp)) })
			cmd := exec.Command(exe, "demo", "--once", "--json")
			cmd.Env = append(os.Environ(), "TOMKIT_AS_COMMAND=1", "TMPDIR="+tmp)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			lines, seen := bufio.NewScanner(stdout), ""
			for lines.Scan() && !strings.Contains(seen, moment) {
				seen = lines.Text()
			}
			require.Contains(t, seen, moment)
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, cmd.Wait())
			var left []string
			require.Eventuallyf(t, func() bool { left = remains(t, tmp); return len(left) == 0 }, patience, 10*time.Millisecond, "left: %s", &left)
			data, err := filepath.Glob(filepath.Join(tmp, "tomkit-demo-*"))
			require.NoError(t, err)
			require.Len(t, data, 1)
			requireIntact(t, data[0])
		})
	}
}

// requireIntact starts a server on what was left and verifies every tenant's ledger.
func requireIntact(t *testing.T, data string) {
	t.Helper()
	s, err := server.Open(t.Context(), server.Config{DataDir: data, Operator: "demo.example"})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close(context.Background())) }()
	super, err := pgx.Connect(t.Context(), s.Superuser)
	require.NoError(t, err)
	defer super.Close(context.Background())
	rows, err := super.Query(t.Context(), `SELECT DISTINCT tenant_id FROM tomkit.audit_logs`)
	require.NoError(t, err)
	tenants, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	require.NoError(t, err)
	for _, id := range tenants {
		report, err := s.Ledger.VerifyChain(t.Context(), id, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.Equalf(t, verify.Intact, report.Verdict, "%+v", report.Findings)
	}
}
