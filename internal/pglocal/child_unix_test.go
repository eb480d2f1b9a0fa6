//go:build unix && !aix && !solaris

package pglocal_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
)

// The test binary is also the program that owns a server and dies: with childEnv set it
// runs child instead of the tests.
const childEnv = "TOMKIT_PGLOCAL_CHILD"

func TestMain(m *testing.M) {
	if order := os.Getenv(childEnv); order != "" {
		if err := child(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	// Starting and removing dozens of clusters is quicker in memory.
	if f, err := os.CreateTemp("/dev/shm", "tomkit-test-"); err == nil {
		f.Close()
		os.Remove(f.Name())
		os.Setenv("TMPDIR", "/dev/shm")
	}
	code := m.Run()
	if path, err := copyOnce(); err == nil && strings.HasPrefix(path, childCopy) {
		os.Remove(path)
	}
	os.Exit(code)
}

// order tells a child what to do.
type order struct {
	Dir         string
	WatcherOnly bool
	IgnoreInt   bool // go on after SIGINT
}

// report is what a child says when its server runs.
type report struct {
	Dir, URL            string
	Postmaster, Watcher int
}

// child starts a server, writes a row, reports, and then obeys the lines on its standard
// input: "panic" or "stop".
func child(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	if o.IgnoreInt {
		signal.Ignore(syscall.SIGINT)
	}
	cfg := pglocal.Config{Dir: o.Dir}
	if o.WatcherOnly {
		cfg = cfg.WatcherOnly()
	}
	ctx := context.Background()
	srv, err := pglocal.Start(ctx, cfg)
	if err != nil {
		return err
	}
	if err := writeRow(ctx, srv.URL("postgres", "postgres")); err != nil {
		return err
	}
	postmaster, watcher := srv.PIDs()
	err = json.NewEncoder(os.Stdout).Encode(report{srv.Dir(), srv.URL("postgres", "postgres"), postmaster, watcher})
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "panic":
			panic("as ordered")
		case "stop":
			return srv.Stop(ctx)
		}
	}
	select {} // the test sends a signal
}

func writeRow(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS deaths (at timestamptz DEFAULT now()); INSERT INTO deaths DEFAULT VALUES`)
	return err
}

// family is a running child with its server.
type family struct {
	report
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

// startChild runs the test binary as a child, as another user if uid is not zero.
func startChild(t *testing.T, o order, uid int) *family {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	cmd := exec.Command(childBinary(t))
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = &strings.Builder{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
		cmd.Env = append(cmd.Env, "HOME=/nonexistent", "XDG_CACHE_HOME=")
	}
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	f := &family{cmd: cmd, stdin: stdin}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	if err := json.NewDecoder(stdout).Decode(&f.report); err != nil {
		cmd.Wait()
		t.Fatalf("child did not report: %v: %s", err, cmd.Stderr)
	}
	return f
}

// childBinary is a copy of the test binary where every user may run it.
func childBinary(t *testing.T) string {
	t.Helper()
	path, err := copyOnce()
	require.NoError(t, err)
	return path
}

var copyOnce = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil || os.Geteuid() != 0 {
		return self, err
	}
	data, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp("/tmp", filepath.Base(childCopy)+"*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	return f.Name(), errors.Join(err, f.Chmod(0o755), f.Close())
})

// childCopy begins the name of the copy that TestMain removes.
const childCopy = "/tmp/tomkit-pglocal-child-"

// running reports whether the process exists and is not a zombie.
func running(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// requireGone waits until the processes have ended.
func requireGone(t *testing.T, pids ...int) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, pid := range pids {
			if running(pid) {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond, "still running: one of %v", pids)
}

// reachableDir is a new directory that the server's account can enter when the test runs as root.
func reachableDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tomkit-test-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}
