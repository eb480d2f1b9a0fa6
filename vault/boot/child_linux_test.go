package boot_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Variables that tell a child process where its plane is.
const (
	childKey     = "TOMKIT_BOOT_CHILD_KEY"
	childCA      = "TOMKIT_BOOT_CHILD_CA"
	childPlane   = "TOMKIT_BOOT_CHILD_PLANE"
	childBooted  = "booted"
	childNoFiles = "TOMKIT_BOOT_CHILD_NO_FILES"
)

// child starts a process that boots from the plane.
func (p *plane) child(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), append(env,
		childKey+"="+base64.StdEncoding.EncodeToString(p.KeyFile()), childCA+"="+string(p.CA()),
		childPlane+"="+fmt.Sprint(p.URL(), " ", p.TokenEndpoint(), " ", p.Project(), " ", p.Instance()))...)
	return cmd
}

// TestChild is the process that the other tests start; by itself it boots from a plane of its own.
func TestChild(t *testing.T) {
	encoded := os.Getenv(childKey)
	if encoded == "" {
		out, err := newPlane(t, vaulttest.Config{}).child(t).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), childBooted)
		return
	}
	keyFile, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(os.Getenv(childCA))))
	cfg := new(plane).configOfChild(t, keyFile, roots)
	if os.Getenv(childNoFiles) != "" {
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{}))
	}
	secrets, _, err := boot.Run(t.Context(), cfg)
	require.NoError(t, err)
	requireSecrets(t, secrets)
	fmt.Println(childBooted)
}

func (p *plane) configOfChild(t *testing.T, keyFile []byte, roots *x509.CertPool) boot.Config {
	p.clock = vaulttest.NewClock(time.Now())
	p.Server = &vaulttest.Server{}
	cfg := p.configOf(t, keyFile, wire.Config{Roots: roots})
	s := &cfg.Stackit
	_, err := fmt.Sscan(os.Getenv(childPlane), &s.API, &s.TokenEndpoint, &s.Project, &s.Instance)
	require.NoError(t, err)
	cfg.Now, cfg.Wait = nil, nil
	return cfg
}

func TestABootWritesNoFile(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	dir := t.TempDir()
	cmd := p.child(t, childNoFiles+"=1", "TMPDIR="+dir, "HOME="+dir)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), childBooted)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestKilledAtAnyPointTheNextBootSweepsAll kills a boot before and after each call had its effect.
func TestKilledAtAnyPointTheNextBootSweepsAll(t *testing.T) {
	calls := []struct {
		step vaulttest.Step
		n    int
	}{
		{vaulttest.StepToken, 1}, {vaulttest.StepListUsers, 1}, {vaulttest.StepListUsers, 2}, {vaulttest.StepInstance, 1}, {vaulttest.StepCreateUser, 1}, {vaulttest.StepLogin, 1},
		{vaulttest.StepRead, 1}, {vaulttest.StepRead, 2}, {vaulttest.StepRead, 3}, {vaulttest.StepRevoke, 1}, {vaulttest.StepDeleteUser, 1},
	}
	left := 0
	for _, call := range calls {
		for name, fault := range map[string]vaulttest.Fault{"before": {Latency: time.Hour}, "after": {Slow: time.Hour}} {
			t.Run(fmt.Sprintf("%s the %d. %s", name, call.n, call.step), func(t *testing.T) {
				reached := make(chan struct{}, 16)
				p := newPlane(t, vaulttest.Config{Wait: func(ctx context.Context, _ time.Duration) error {
					reached <- struct{}{}
					<-ctx.Done()
					return ctx.Err()
				}})
				p.Inject(call.step, call.n, fault)
				cmd := p.child(t)
				stdout, err := cmd.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, cmd.Start())
				ended := make(chan struct{})
				go func() { // an answer without a document is not slowed down
					defer close(ended)
					for lines := bufio.NewScanner(stdout); lines.Scan(); {
					}
				}()
				select {
				case <-reached:
				case <-ended:
				}
				_ = cmd.Process.Kill()
				<-ended
				_ = cmd.Wait()
				left += len(p.boots())

				p.Heal()
				p.clock.Advance(16 * time.Minute)
				secrets, _, err := boot.Run(t.Context(), p.config(t))
				require.NoError(t, err)
				requireSecrets(t, secrets)
				require.Empty(t, p.boots())
				require.Empty(t, p.Tokens(), "tokens end with their life")
			})
		}
	}
	require.Greater(t, left, 8, "the kills are meant to leave users behind")
}
