package main

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
)

// buildTomkit builds the command line that has the fake of a secrets manager.
func buildTomkit(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tomkit")
	out, err := exec.Command("go", "build", "-o", path, "../tomkit").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// fakeVault is tomkit vault-fake as a process of its own.
type fakeVault struct {
	env    map[string]string // what it printed
	values []string          // all its secrets, as they are used and kept
	plane  *stackit.Client
}

func startVault(t *testing.T, tomkit string, args ...string) *fakeVault {
	t.Helper()
	v := &fakeVault{env: map[string]string{}}
	secrets := map[string]string{}
	for _, r := range vault.DefaultManifest() {
		raw := (rand.Text() + rand.Text())[:32] // text, so that a log shows it as it is
		secrets[string(r.Key)] = base64.StdEncoding.EncodeToString([]byte(raw))
		v.values = append(v.values, raw, secrets[string(r.Key)])
	}
	text, err := json.Marshal(secrets)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "secrets.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	cmd := exec.Command(tomkit, append([]string{"vault-fake", "--listen=127.0.0.1:0", "--dir=" + t.TempDir(), "--secrets=" + file}, args...)...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	})
	for lines := bufio.NewScanner(stdout); len(v.env) < 6 && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		v.env[name] = value
	}
	cfg, err := boot.FromEnvironment(func(name string) string { return v.env[name] })
	require.NoError(t, err)
	v.plane, err = stackit.New(cfg.Stackit)
	require.NoError(t, err)
	t.Cleanup(v.plane.Close)
	return v
}

// users lists the boots' users that are alive.
func (v *fakeVault) users(t *testing.T) []stackit.User {
	t.Helper()
	users, err := v.plane.Users(t.Context())
	require.NoError(t, err)
	return users
}

// production is an environment in which the server has everything that production needs.
func (v *fakeVault) production(t *testing.T, authority *server.Authority) []string {
	t.Helper()
	db := pgtest.New(t, server.Migrations()...)
	pair := authority.ServerCertificate()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	env := []string{
		"TOMKIT_ENV=production", "TOMKIT_LOG_LEVEL=debug", "TOMKIT_LEDGER_JOURNAL=" + filepath.Join(dir, "ledger", "erasures.jsonl"),
		"TOMKIT_TLS_CERT=" + write("cert.pem", "CERTIFICATE", pair.Certificate[0]), "TOMKIT_TLS_KEY=" + write("key.pem", "PRIVATE KEY", key),
		"TOMKIT_DATABASE_URL=" + db.URL(rls.RoleApp), "TOMKIT_DATABASE_MSP_URL=" + db.URL(rls.RoleMSP),
		"TOMKIT_DATABASE_SYSTEM_URL=" + db.URL(rls.RoleSystem), "TOMKIT_DATABASE_MIGRATOR_URL=" + db.URL(rls.RoleMigrator),
	}
	for name, value := range v.env {
		env = append(env, name+"="+value)
	}
	return env
}

// ends waits for the process and returns its exit code and log, which must not hold any secret.
func (v *fakeVault) ends(t *testing.T, c *child) (code int, log string) {
	t.Helper()
	_ = c.cmd.Wait()
	for _, value := range v.values {
		require.NotContains(t, c.stderr.String(), value)
	}
	require.NotContains(t, c.stderr.String(), "PRIVATE KEY")
	return c.cmd.ProcessState.ExitCode(), c.stderr.String()
}

func TestProductionStartsFromASecretsManager(t *testing.T) {
	plain(t)
	v := startVault(t, buildTomkit(t))
	authority, err := server.NewAuthority(time.Now(), "localhost")
	require.NoError(t, err)
	env := v.production(t, authority)
	c := launch(t, env)
	base := c.listening(t)
	require.Empty(t, v.users(t), "the boot's user is gone before the first request")
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(base + "/readyz")
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode, string(body))
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", c.cmd.Process.Pid))
	require.NoError(t, err)
	require.Regexp(t, `Max core file size +0 +0 `, string(limits))
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	code, log := v.ends(t, c)
	require.Zero(t, code, log)
	require.Contains(t, log, "no_core_dump=true not_dumpable=true")
	require.Contains(t, log, "secrets are loaded")

	t.Run("a service account that is refused ends it with 1", func(t *testing.T) {
		stranger := filepath.Join(t.TempDir(), "key.json")
		require.NoError(t, os.WriteFile(stranger, vaulttest.New(t, vaulttest.Config{}).KeyFile(), 0o600))
		code, log := v.ends(t, launch(t, append(env, boot.EnvKeyFile+"="+stranger)))
		require.Equal(t, 1, code, log)
		require.Contains(t, log, "tomkit-server: server: secrets: boot: try 1: stackit: ")
	})
	t.Run("a key file that others may read ends it with 2", func(t *testing.T) {
		require.NoError(t, os.Chmod(v.env[boot.EnvKeyFile], 0o644))
		code, log := v.ends(t, launch(t, env))
		require.Equal(t, 2, code, log)
		require.Contains(t, log, boot.EnvKeyFile)
		require.Contains(t, log, "mode 0600")
	})
}

func TestAServerThatIsStoppedWhileItBootsLeavesNoUser(t *testing.T) {
	plain(t)
	v := startVault(t, buildTomkit(t), "--login-grace=1h") // the boot waits with a user it has made
	authority, err := server.NewAuthority(time.Now(), "localhost")
	require.NoError(t, err)
	c := launch(t, v.production(t, authority))
	require.Eventually(t, func() bool { return len(v.users(t)) == 1 }, patience, 10*time.Millisecond)
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	code, log := v.ends(t, c)
	require.Zero(t, code, log)
	require.Empty(t, v.users(t))
	require.NotContains(t, log, "secrets are loaded")
}
