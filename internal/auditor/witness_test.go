package auditor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

// newWitness makes a witness with the command and returns its files and public keys.
func newWitness(t *testing.T) (key, state string, keys []*sign.WitnessPublicKey) {
	t.Helper()
	dir := t.TempDir()
	key, state = filepath.Join(dir, "witness.key"), filepath.Join(dir, "state")
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), []string{"witness", "keygen", "--name", "witness.example/w1", "--key", key, "--state", state}, &stdout, &stderr)
	require.Zero(t, code, stderr.String())
	for line := range strings.Lines(stdout.String()) {
		k, err := sign.ParseWitnessPublicKey(strings.TrimSpace(line))
		require.NoError(t, err)
		keys = append(keys, k)
	}
	require.Len(t, keys, 2)
	return key, state, keys
}

// runWitness serves until stop is called, which returns the exit code and what was logged.
func runWitness(t *testing.T, args ...string) (url string, lines <-chan string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		code := Run(ctx, append([]string{"witness", "serve", "--listen", "127.0.0.1:0"}, args...), io.Discard, w)
		w.Close()
		done <- code
	}()
	all := make(chan string, 100) // more than any test logs: the witness never waits for its reader
	go func() {
		defer close(all)
		for scan := bufio.NewScanner(r); scan.Scan(); {
			all <- scan.Text()
		}
	}()
	lines = all
	url = "http://" + waitFor(t, lines, "witness: listening")["address"].(string)
	return url, lines, func() int {
		cancel()
		return <-done
	}
}

func waitFor(t *testing.T, lines <-chan string, message string) map[string]any {
	t.Helper()
	for line := range lines {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record), line)
		if record["msg"] == message {
			return record
		}
	}
	require.Failf(t, "ended", "without %q", message)
	return nil
}

func TestAWitnessServesRemembersAndEnds(t *testing.T) {
	key, state, keys := newWitness(t)
	info, err := os.Stat(key)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	one, two, three := ledgertest.NewAnchorLog(t, 1, 9), ledgertest.NewAnchorLog(t, 2, 9), ledgertest.NewAnchorLog(t, 3, 9)
	history, err := one.Keys.Marshal()
	require.NoError(t, err)
	logs := []string{"--logs", file(t, history), "--logs", file(t, []byte("# two logs\n\n"+two.VerifierKey(t)+"\n"+three.VerifierKey(t)+" "+three.Origin+"\n"))}
	args := append([]string{"--key", key, "--state", state}, logs...)

	url, lines, stop := runWitness(t, args...)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client, err := witness.NewClient(witness.ClientConfig{Name: "w", URL: url, Keys: keys, Transport: transport})
	require.NoError(t, err)
	for _, l := range []*ledgertest.AnchorLog{one, two, three} {
		_, err = client.Submit(t.Context(), l.Submission(t, 9))
		require.NoError(t, err)
		require.Equal(t, l.Origin, waitFor(t, lines, "witness: cosigned")["origin"])
	}
	_, err = client.Submit(t.Context(), ledgertest.NewAnchorLog(t, 4, 9).Submission(t, 9))
	require.ErrorIs(t, err, witness.ErrRefused)

	var stderr bytes.Buffer
	require.Equal(t, 2, Run(t.Context(), append([]string{"witness", "serve", "--listen", "127.0.0.1:0"}, args...), io.Discard, &stderr))
	require.Contains(t, stderr.String(), "in use by another process")
	require.Zero(t, stop())

	url, _, stop = runWitness(t, args...)
	defer stop()
	client, err = witness.NewClient(witness.ClientConfig{Name: "w", URL: url, Keys: keys, Transport: transport})
	require.NoError(t, err)
	_, err = client.Submit(t.Context(), one.Fork(3, 9).Submission(t, 9))
	var rollback *ledger.RollbackError
	require.True(t, errors.As(err, &rollback) && rollback.Fork, "the memory outlives the process: %v", err)
}

func TestWitnessesThatDoNotStart(t *testing.T) {
	key, state, _ := newWitness(t)
	history, err := ledgertest.NewAnchorLog(t, 1, 9).Keys.Marshal()
	require.NoError(t, err)
	logs := file(t, history)
	open := file(t, readAll(t, key))
	require.NoError(t, os.Chmod(open, 0o640))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a key others can read":   {[]string{"--key", open, "--state", state, "--logs", logs}, "key file"},
		"no key":                  {[]string{"--key", file(t, nil), "--state", state, "--logs", logs}, "no key"},
		"something else as a key": {[]string{"--key", file(t, []byte("secret\n")), "--state", state, "--logs", logs}, "key file"},
		"a state that is gone":    {[]string{"--key", key, "--state", t.TempDir(), "--logs", logs}, "must not go on"},
		"no logs":                 {[]string{"--key", key, "--state", state}, "--logs"},
		"a log twice":             {[]string{"--key", key, "--state", state, "--logs", logs, "--logs", logs}, "twice"},
		"a log without a key":     {[]string{"--key", key, "--state", state, "--logs", file(t, []byte("log.example\n"))}, "verifier key"},
		"a certificate alone":     {[]string{"--key", key, "--state", state, "--logs", logs, "--tls-cert", logs}, "--tls-key"},
		"a TLS key of somebody":   {[]string{"--key", key, "--state", state, "--logs", logs, "--tls-cert", logs, "--tls-key", open}, "TLS key"},
		"a negative rate":         {[]string{"--key", key, "--state", state, "--logs", logs, "--rate=-1"}, "negative"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			code := Run(t.Context(), append([]string{"witness", "serve", "--listen", "127.0.0.1:0"}, c.args...), io.Discard, &stderr)
			require.Equal(t, 2, code, stderr.String())
			require.Contains(t, stderr.String(), c.want)
			require.NotContains(t, stderr.String(), "PRIVATE")
		})
	}
	for name, args := range map[string][]string{
		"over a key":   {"--name", "w", "--key", key, "--state", filepath.Join(t.TempDir(), "s")},
		"over a state": {"--name", "w", "--key", filepath.Join(t.TempDir(), "k"), "--state", state},
		"a bad name":   {"--name", "a b", "--key", filepath.Join(t.TempDir(), "k"), "--state", filepath.Join(t.TempDir(), "s")},
	} {
		var stdout, stderr bytes.Buffer
		require.NotZero(t, Run(t.Context(), append([]string{"witness", "keygen"}, args...), &stdout, &stderr), name)
		require.Empty(t, stdout.String())
	}
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

func TestAWitnessOfNoLogIsAMistake(t *testing.T) {
	_, _, err := readLogs([]string{file(t, []byte("# none\n"))})
	require.ErrorContains(t, err, "no log")
}
