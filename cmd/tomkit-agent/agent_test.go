package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

const (
	enrolToken  = "tk1_enrol_AAECAwQFBgcICQoLDA0ODw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	deviceToken = "tk1_device_AAECAwQFBgcICQoLDA0ODw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	secretPart  = "ODxAREhMUFRYXGBkaGxwdHh8"
)

// TestMain runs the command itself when a test starts this binary as one.
func TestMain(m *testing.M) {
	if os.Getenv("TOMKIT_AGENT_AS_COMMAND") == "1" {
		main()
	}
	os.Exit(m.Run())
}

// backend is the server's side of the wire.
type backend struct {
	*httptest.Server
	ca     string // PEM file
	tenant uuid.UUID
	device uuid.UUID

	mu      sync.Mutex
	enrols  []heartbeat.EnrolRequest
	samples []heartbeat.Sample
	status  int           // answer to heartbeats
	beat    chan struct{} // one for each heartbeat
}

func newBackend(t *testing.T) *backend {
	b := &backend{tenant: uuid.New(), device: uuid.New(), status: http.StatusAccepted, beat: make(chan struct{}, 100)}
	b.Server = httptest.NewUnstartedServer(b)
	b.Config.ErrorLog = log.New(io.Discard, "", 0)
	b.StartTLS()
	t.Cleanup(b.Close)
	b.ca = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(b.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Certificate().Raw}), 0o600))
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/v1/enrol":
		req, err := heartbeat.ParseEnrolRequest(body)
		if err != nil || len(b.enrols) > 0 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		b.enrols = append(b.enrols, req)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"tenant":%q,"device":%q,"credential":%q}`, b.tenant, b.device, deviceToken)
	case "/v1/heartbeats":
		sample, err := heartbeat.ParseSample(body)
		if err != nil || r.Header.Get("Authorization") != "Bearer "+deviceToken {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		b.samples = append(b.samples, sample)
		w.WriteHeader(b.status)
		fmt.Fprint(w, `{"accepted":true,"next_seconds":60}`)
		b.beat <- struct{}{}
	}
}

// agent runs one command line.
func agent(ctx context.Context, stdin string, env []string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, env, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// enrolled returns a backend and a state directory after a successful enrolment.
func enrolled(t *testing.T) (*backend, string) {
	b, dir := newBackend(t), filepath.Join(t.TempDir(), "state")
	code, out, errs := agent(t.Context(), enrolToken+"\n", nil, "enrol", "--server", b.URL, "--ca", b.ca, "--token-file", "-", "--state-dir", dir, "--name", "ward-3-pc")
	require.Zero(t, code, errs)
	require.Contains(t, out, b.device.String())
	require.NotContains(t, out+errs, secretPart)
	return b, dir
}

func TestEnrol(t *testing.T) {
	b, dir := enrolled(t)
	require.Equal(t, "ward-3-pc", b.enrols[0].Name)
	require.Equal(t, enrolToken, b.enrols[0].Token.Reveal())

	t.Run("the credential is readable by this user alone", func(t *testing.T) {
		for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, stateFile): 0o600} {
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, want, info.Mode().Perm(), path)
		}
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, files, 1, "nothing else is left")
	})
	t.Run("a second enrolment needs to be asked for, and spends no token", func(t *testing.T) {
		before, err := os.ReadFile(filepath.Join(dir, stateFile))
		require.NoError(t, err)
		fresh := newBackend(t)
		args := []string{"enrol", "--server", fresh.URL, "--ca", fresh.ca, "--state-dir", dir, "--token-file", "-"}
		code, _, errs := agent(t.Context(), enrolToken, nil, args...)
		require.Equal(t, 1, code)
		require.Contains(t, errs, "--replace")
		require.Empty(t, fresh.enrols)
		after, err := os.ReadFile(filepath.Join(dir, stateFile))
		require.NoError(t, err)
		require.Equal(t, before, after)

		code, _, errs = agent(t.Context(), enrolToken, nil, append(args, "--replace")...)
		require.Zero(t, code, errs)
		st, err := load(dir)
		require.NoError(t, err)
		require.Equal(t, fresh.device, st.Device)
	})
	t.Run("a refused token leaves the state as it was", func(t *testing.T) {
		code, _, errs := agent(t.Context(), enrolToken, nil, "enrol", "--server", b.URL, "--ca", b.ca, "--state-dir", dir, "--token-file", "-", "--replace")
		require.Equal(t, 1, code)
		require.Contains(t, errs, "401")
		require.NotContains(t, errs, secretPart)
		_, err := load(dir)
		require.NoError(t, err)
	})
}

func TestEnrolTakesTheTokenFrom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(enrolToken+"\r\n"), 0o600))
	for name, tc := range map[string]struct {
		env  []string
		args []string
	}{
		"a file":          {nil, []string{"--token-file", file}},
		"the environment": {[]string{"TOMKIT_ENROL_TOKEN=" + enrolToken}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			env := append(tc.env, "TOMKIT_SERVER="+b.URL, "TOMKIT_CA="+b.ca, "TOMKIT_STATE_DIR="+filepath.Join(t.TempDir(), "state"))
			code, _, errs := agent(t.Context(), "", env, append([]string{"enrol"}, tc.args...)...)
			require.Zero(t, code, errs)
			require.Equal(t, enrolToken, b.enrols[0].Token.Reveal())
			host, err := os.Hostname()
			require.NoError(t, err)
			require.Equal(t, heartbeat.Clip(host, heartbeat.MaxName), b.enrols[0].Name)
		})
	}
}

func TestWrongUsage(t *testing.T) {
	b := newBackend(t)
	notPEM := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(notPEM, []byte("hello"), 0o600))
	huge := filepath.Join(t.TempDir(), "huge")
	require.NoError(t, os.WriteFile(huge, make([]byte, maxCA+1), 0o600))
	enrol := func(args ...string) []string {
		return append([]string{"enrol", "--state-dir", t.TempDir()}, args...)
	}
	for name, tc := range map[string]struct {
		args  []string
		stdin string
		says  string
	}{
		"an unknown command":           {[]string{"dance"}, "", "dance"},
		"an unknown flag":              {[]string{"run", "--fast"}, "", "--fast"},
		"a token as an argument":       {enrol("--server", b.URL, "--token", enrolToken), "", "--token"},
		"an enrolment without server":  {enrol(), "", "--server"},
		"an enrolment without token":   {enrol("--server", b.URL), "", "TOMKIT_ENROL_TOKEN"},
		"a token that is none":         {enrol("--server", b.URL, "--token-file", "-"), "secret-" + secretPart, "not an enrolment token"},
		"a device credential":          {enrol("--server", b.URL, "--token-file", "-"), deviceToken, "not an enrolment token"},
		"a token file that is missing": {enrol("--server", b.URL, "--token-file", "/nonexistent/"+secretPart), "", "no such file"},
		"plain HTTP":                   {enrol("--server", "http://127.0.0.1", "--token-file", "-"), enrolToken, "https"},
		"authorities that are none":    {enrol("--server", b.URL, "--token-file", "-", "--ca", notPEM), enrolToken, "no certificate"},
		"authorities that are huge":    {enrol("--server", b.URL, "--token-file", "-", "--ca", huge), enrolToken, "too large"},
		"a name with control bytes":    {enrol("--server", b.URL, "--token-file", "-", "--name", "a\x1b[2J"), enrolToken, "name"},
		"a hasty interval":             {[]string{"run", "--interval", "1s"}, "", "5s"},
		"an interval that is none":     {[]string{"run", "--interval", "often"}, "", "interval"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := agent(t.Context(), tc.stdin, nil, tc.args...)
			require.Equal(t, 2, code, errs)
			require.Empty(t, out)
			require.Equal(t, 1, strings.Count(errs, "\n"), "one line: %q", errs)
			require.Contains(t, errs, tc.says)
			require.NotContains(t, errs, secretPart)
		})
	}
	require.Empty(t, b.enrols, "no token was spent")
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"enrol", "--help"}, {"run", "--help"}, {"once", "--help"}, {"--version"}} {
		code, out, errs := agent(t.Context(), "", nil, args...)
		require.Zero(t, code)
		require.NotEmpty(t, out)
		require.Empty(t, errs)
	}
}

func TestOnce(t *testing.T) {
	code, out, errs := agent(t.Context(), "", nil, "once")
	require.Zero(t, code, errs)
	sample, err := heartbeat.ParseSample([]byte(out))
	require.NoError(t, err)
	require.Positive(t, sample.Memory.Total)
}

func TestRun(t *testing.T) {
	t.Run("sends this machine's samples until stopped", func(t *testing.T) {
		b, dir := enrolled(t)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-b.beat; cancel() }()
		code, out, errs := agent(ctx, "", nil, "run", "--state-dir", dir)
		require.Zero(t, code, errs)
		require.Empty(t, out)
		require.Contains(t, errs, "stopped")
		require.NotContains(t, errs, secretPart)
		require.NotEmpty(t, b.samples)
		require.Positive(t, b.samples[0].Memory.Used)
	})
	t.Run("ends when the credential is not accepted any more", func(t *testing.T) {
		b, dir := enrolled(t)
		b.status = http.StatusUnauthorized
		code, _, errs := agent(t.Context(), "", nil, "run", "--state-dir", dir)
		require.Equal(t, 1, code)
		require.Contains(t, errs, "--replace")
		require.NotContains(t, errs, secretPart)
	})
	t.Run("trusts the authorities of the enrolment and no others", func(t *testing.T) {
		b, dir := enrolled(t)
		raw, err := os.ReadFile(filepath.Join(dir, stateFile))
		require.NoError(t, err)
		var st map[string]any
		require.NoError(t, json.Unmarshal(raw, &st))
		delete(st, "ca")
		raw, err = json.Marshal(st)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, stateFile), raw, 0o600))
		loaded, err := load(dir)
		require.NoError(t, err)
		require.Empty(t, loaded.CA)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stop := writerFunc(func(p []byte) {
			if bytes.Contains(p, []byte("not delivered")) {
				cancel()
			}
		})
		require.Zero(t, run(ctx, []string{"run", "--state-dir", dir}, nil, nil, io.Discard, stop))
		require.Empty(t, b.samples)
	})
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
