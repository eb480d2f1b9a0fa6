package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/credential"
	"github.com/pioneerdesk/tomkit/authn/session"
	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// TestMain runs the command itself when a test starts this binary as one.
func TestMain(m *testing.M) {
	if os.Getenv("TOMKIT_SERVER_AS_COMMAND") == "1" {
		main()
	}
	os.Exit(m.Run())
}

// patience bounds every wait; a machine that needs longer is stuck.
const patience = 2 * time.Minute

// dataDir is a new data directory, in memory where there is room: what is killed here is a process, not the machine.
func dataDir(t *testing.T) string {
	t.Helper()
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "tomkit-crash-")
	if err != nil {
		dir = t.TempDir()
	}
	require.NoError(t, os.Chmod(dir, 0o711)) // the database's account passes through
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// child is the server as a process of its own.
type child struct {
	cmd    *exec.Cmd
	base   chan string // closed without a value if it ends before it listens
	stderr *bytes.Buffer
	ca     string
}

func start(t *testing.T, data string) *child {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	c := launch(t, nil, "--data="+data, "--write-ca="+ca, "--log-level=warn")
	c.ca = ca
	return c
}

// launch starts the server with more variables in its environment.
func launch(t *testing.T, env []string, args ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	c := &child{base: make(chan string, 1), stderr: &bytes.Buffer{}}
	c.cmd = exec.Command(exe, append(args, "--listen=localhost:0")...)
	c.cmd.Env = append(append(os.Environ(), "TOMKIT_SERVER_AS_COMMAND=1"), env...)
	c.cmd.Stderr = c.stderr
	stdout, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill() }) // a test that failed leaves nothing behind
	go func() {
		defer close(c.base)
		line, err := bufio.NewReader(stdout).ReadString('\n')
		if _, url, ok := strings.Cut(strings.TrimSpace(line), " listens on "); ok && err == nil {
			c.base <- url
		}
	}()
	return c
}

// listening waits until the server announces its address.
func (c *child) listening(t *testing.T) string {
	t.Helper()
	select {
	case base, ok := <-c.base:
		if !ok {
			_ = c.cmd.Wait() // its log is complete then
			require.Failf(t, "the server did not start", "%s", c.stderr)
		}
		return base
	case <-time.After(patience):
		require.Fail(t, "the server does not listen")
		return ""
	}
}

func (c *child) client(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(c.ca)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar, Timeout: patience}
}

// ask sends a JSON body and reads the answer. Errors of the connection are returned: the server may be dead.
func ask(c *http.Client, method, url, bearer, body string) (status int, answer []byte, err error) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	a, err := c.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	answer, err = io.ReadAll(a.Body)
	return a.StatusCode, answer, err
}

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

func requireNothingRemains(t *testing.T, dir string) {
	t.Helper()
	var left []string
	require.Eventuallyf(t, func() bool { left = remains(t, dir); return len(left) == 0 }, patience, 10*time.Millisecond, "left: %s", &left)
}

// world is a data directory with a tenant whose administrator is signed in.
type world struct {
	data, email, password string
	secret                []byte
	bearer                string
}

const wardSlug = "ward"

// populate fills a new data directory, in this process.
func populate(t *testing.T, data string) *world {
	t.Helper()
	w := &world{data: data, email: "head@ward.example", password: "a long enough passphrase 1"}
	s, err := server.Open(t.Context(), server.Config{DataDir: data})
	require.NoError(t, err)
	_, _, err = s.Bootstrap(t.Context(), tenant.New{Slug: "op", Name: "Op"}, server.Person{Email: "ops@op.example", Password: w.password})
	require.NoError(t, err)
	msp, err := s.CreateMSP(t.Context(), tenant.New{Slug: "house", Name: "House"})
	require.NoError(t, err)
	ward, err := s.CreateTenant(t.Context(), msp, tenant.New{Slug: wardSlug, Name: "Ward"})
	require.NoError(t, err)
	_, w.secret, err = s.AddFirstPerson(t.Context(), ward, server.Person{Email: w.email, Password: w.password, Role: abac.TenantAdmin})
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	requireNothingRemains(t, data)
	return w
}

// signIn keeps the access token, which goes on after a restart: keys and session are in the data directory.
func (w *world) signIn(t *testing.T, c *http.Client, base string) {
	t.Helper()
	status, answer, err := ask(c, http.MethodPost, base+"/v1/auth/password", "", fmt.Sprintf(`{"tenant":%q,"email":%q,"password":%q}`, wardSlug, w.email, w.password))
	require.NoError(t, err)
	require.Equalf(t, http.StatusOK, status, "%s", answer)
	var step struct {
		Token string `json:"step_token"`
	}
	require.NoError(t, json.Unmarshal(answer, &step))
	app, err := totp.New(totp.Config{})
	require.NoError(t, err)
	code, err := app.Code(w.secret, time.Now())
	require.NoError(t, err)
	r, err := http.NewRequest(http.MethodPost, base+"/v1/auth/totp", strings.NewReader(fmt.Sprintf(`{"step_token":%q,"code":%q}`, step.Token, code)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	a, err := c.Do(r)
	require.NoError(t, err)
	defer a.Body.Close()
	for _, cookie := range a.Cookies() {
		if cookie.Name == session.CookieName {
			w.bearer = cookie.Value
		}
	}
	require.NotEmpty(t, w.bearer)
}

// acknowledged are the entity ids of the entries whose changes the server confirmed.
type acknowledged struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (a *acknowledged) add(token string) error {
	parsed, err := credential.Parse(credential.Enrol, token)
	if err != nil {
		return err
	}
	hash := parsed.Hash()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids[fmt.Sprintf("%x", hash[:8])] = true
	return nil
}

func (a *acknowledged) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ids)
}

// write makes audited changes until the connection breaks, and notes what was confirmed.
func (w *world) write(c *http.Client, base string, acks *acknowledged) error {
	for {
		status, answer, err := ask(c, http.MethodPost, base+"/v1/devices/enrolments", w.bearer, "")
		if err != nil {
			return nil // killed
		}
		if status == http.StatusServiceUnavailable || status == http.StatusInternalServerError {
			continue // the database went first; nothing was confirmed
		}
		var made struct{ Token string }
		if status != http.StatusCreated || json.Unmarshal(answer, &made) != nil {
			return fmt.Errorf("status %d: %s", status, answer)
		}
		if err := acks.add(made.Token); err != nil {
			return err
		}
	}
}

// requireKept asks the restarted server for its verdict and for every entry that was confirmed.
func (w *world) requireKept(t *testing.T, c *http.Client, base string, acks *acknowledged) {
	t.Helper()
	status, answer, err := ask(c, http.MethodPost, base+"/v1/audit/verify", w.bearer, "")
	require.NoError(t, err)
	require.Equalf(t, http.StatusOK, status, "%s", answer)
	var report struct{ Verdict string }
	require.NoError(t, json.Unmarshal(answer, &report))
	require.Equalf(t, string(verify.Intact), report.Verdict, "%s", answer)

	kept, after := map[string]bool{}, -1
	for {
		status, answer, err := ask(c, http.MethodGet, fmt.Sprintf("%s/v1/audit?limit=1000&after=%d&action=enrol_token_created", base, after), w.bearer, "")
		require.NoError(t, err)
		require.Equalf(t, http.StatusOK, status, "%s", answer)
		var page struct {
			Entries []struct {
				Seq    int
				Entity string `json:"entity_id"`
			}
		}
		require.NoError(t, json.Unmarshal(answer, &page))
		for _, e := range page.Entries {
			kept[e.Entity], after = true, e.Seq
		}
		if len(page.Entries) < 1000 {
			break
		}
	}
	acks.mu.Lock()
	defer acks.mu.Unlock()
	for id := range acks.ids {
		require.Truef(t, kept[id], "a confirmed entry is gone")
	}
}

func TestKilledAtAnyMomentNothingConfirmedIsLost(t *testing.T) {
	plain(t)
	pgtest.NeedBinaries(t)
	w := populate(t, dataDir(t))
	acks := &acknowledged{ids: map[string]bool{}}
	const rounds, writers = 5, 4
	for round := range rounds + 1 {
		proc := start(t, w.data)
		base := proc.listening(t)
		c := proc.client(t)
		if w.bearer == "" {
			w.signIn(t, proc.client(t), base)
		}
		w.requireKept(t, c, base, acks)
		if round == rounds {
			require.NoError(t, proc.cmd.Process.Signal(syscall.SIGTERM))
			require.NoErrorf(t, proc.cmd.Wait(), "SIGTERM is an orderly end: %s", proc.stderr)
			requireNothingRemains(t, w.data)
			break
		}
		var wg sync.WaitGroup
		errs := make([]error, writers)
		for i := range writers {
			wg.Go(func() { errs[i] = w.write(c, base, acks) })
		}
		enough := acks.count() + 1 + rand.IntN(40)
		require.Eventually(t, func() bool { return acks.count() >= enough }, patience, time.Millisecond)
		require.NoError(t, proc.cmd.Process.Kill())
		require.Error(t, proc.cmd.Wait())
		wg.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		requireNothingRemains(t, w.data)
	}
	require.GreaterOrEqual(t, acks.count(), rounds)
	w.requireWhole(t)
}

// requireWhole looks from behind: every change has its entry and every entry its change, and the ledger verifies on its own.
func (w *world) requireWhole(t *testing.T) {
	t.Helper()
	s, err := server.Open(t.Context(), server.Config{DataDir: w.data})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close(context.Background())) }()
	super, err := pgx.Connect(t.Context(), s.Superuser)
	require.NoError(t, err)
	defer super.Close(context.Background())
	var changes, entries, common int
	require.NoError(t, super.QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM tomkit.enrol_tokens), (SELECT count(*) FROM tomkit.audit_logs WHERE action = 'enrol_token_created'),
		(SELECT count(*) FROM tomkit.enrol_tokens t JOIN tomkit.audit_logs a ON a.tenant_id = t.tenant_id AND a.action = 'enrol_token_created'
			AND a.entity_id = encode(substr(t.secret_hash, 1, 8), 'hex'))`).Scan(&changes, &entries, &common))
	require.Equal(t, []int{changes, changes}, []int{entries, common})
	id, err := tenant.BySlug(t.Context(), s.DB.Anonymous(), wardSlug)
	require.NoError(t, err)
	report, err := s.Ledger.VerifyChain(t.Context(), id, pgledger.VerifyOptions{})
	require.NoError(t, err)
	require.Equal(t, verify.Intact, report.Verdict)
}

func TestKilledWhileStartingItStartsAgain(t *testing.T) {
	plain(t)
	pgtest.NeedBinaries(t)
	data := dataDir(t)
	exists := func(name string) func() bool {
		return func() bool {
			found, err := filepath.Glob(filepath.Join(data, name))
			return err == nil && len(found) > 0
		}
	}
	for _, moment := range []struct {
		name string
		come func() bool
	}{
		{"keys are made", exists("keys")},
		{"a database is being made", exists("postgres")},
		{"the database comes up", func() bool {
			return strings.Contains(strings.Join(remains(t, data), "\n"), "checkpointer") || exists("postgres/*/postmaster.pid")() || exists("postgres/postmaster.pid")()
		}},
	} {
		proc := start(t, data)
		require.Eventuallyf(t, moment.come, patience, time.Millisecond, "before %s", moment.name)
		require.NoError(t, proc.cmd.Process.Kill())
		require.Error(t, proc.cmd.Wait())
		requireNothingRemains(t, data)
	}
	proc := start(t, data)
	base := proc.listening(t)
	status, answer, err := ask(proc.client(t), http.MethodGet, base+"/readyz", "", "")
	require.NoError(t, err)
	require.Equalf(t, http.StatusOK, status, "%s", answer)
	require.NoError(t, proc.cmd.Process.Signal(os.Interrupt))
	require.NoErrorf(t, proc.cmd.Wait(), "SIGINT is an orderly end: %s", proc.stderr)
	requireNothingRemains(t, data)
}
