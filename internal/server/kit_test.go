package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/vault"
)

// kit is a server over a database of its own, with what a test wants to look at from behind.
type kit struct {
	*server.Server
	db    *pgtest.DB
	super *pgxpool.Pool
	log   *safeBuffer
	dir   string
	key   *token.Key
}

// safeBuffer collects what the server logs.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Has reports whether the server has logged text.
func (s *safeBuffer) Has(text string) bool { return strings.Contains(s.String(), text) }

// open starts a server that is asked through its handler. Each change of the configuration is applied before it opens.
func open(t *testing.T, changes ...func(*server.Config)) *kit {
	t.Helper()
	k := &kit{db: pgtest.New(t, server.Migrations()...), log: &safeBuffer{}, dir: t.TempDir()}
	cfg := server.Config{
		AppURL: k.db.URL(rls.RoleApp), MSPURL: k.db.URL(rls.RoleMSP), SystemURL: k.db.URL(rls.RoleSystem), MigratorURL: k.db.URL(rls.RoleMigrator),
		DataDir: k.dir, Listen: "localhost:0", Operator: "test.example", CheckpointEvery: 50 * time.Millisecond,
		Log: slog.New(slog.NewJSONHandler(k.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, change := range changes {
		change(&cfg)
	}
	var err error
	k.Server, err = server.Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Close(context.Background())) })
	k.super = k.db.Superuser(t)
	k.key = signingKey(t, k.dir)
	return k
}

// signingKey is the server's own, for tokens that it did not hand out.
func signingKey(t *testing.T, dir string) *token.Key {
	t.Helper()
	source, err := vault.DevelopmentFileUnsafe(filepath.Join(dir, server.KeyFile), vault.DevelopmentConfig{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	keys, err := vault.Manifest{{Key: vault.JWTSeed}}.Load(t.Context(), source)
	require.NoError(t, err)
	seed, _ := keys.Secret(vault.JWTSeed)
	key, err := token.NewKey(seed.Reveal())
	require.NoError(t, err)
	return key
}

// serve listens and runs until the test ends.
func (k *kit) serve(t *testing.T) {
	t.Helper()
	require.NoError(t, k.Listen(t.Context()))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
}

// person is a user with a live session that no sign-in was needed for.
type person struct {
	tenant, user, session uuid.UUID
	role                  string
	policies              []string
	token                 string
}

// tenant makes a tenant with the roles of TOM 1.3.1 and its own ledger.
func (k *kit) tenant(t *testing.T, slug string) uuid.UUID {
	t.Helper()
	id := k.db.Tenant(t, slug)
	for _, role := range abac.TOM6Roles() {
		if !role.Reserved {
			require.NoError(t, k.People.DefineRole(t.Context(), pgauthn.By{}, id, role.Name, role.Policies))
		}
	}
	return id
}

// somebody makes a user of tenant and a live session, without the cost of a password.
func (k *kit) somebody(t *testing.T, tenant uuid.UUID, role string) *person {
	t.Helper()
	p := &person{tenant: tenant, session: uuid.New(), role: role}
	var err error
	p.user, err = k.People.CreateUser(t.Context(), pgauthn.By{}, tenant, pgauthn.NewUser{Email: uuid.NewString() + "@ward.example", Role: role})
	require.NoError(t, err)
	for _, r := range abac.TOM6Roles() {
		if r.Name == role {
			p.policies = r.Policies
		}
	}
	_, err = k.super.Exec(t.Context(), `INSERT INTO tomkit.sessions (tenant_id, id, user_id, amr, auth_time, binding, idle_at, ends_at, created_at)
		VALUES ($1, $2, $3, '{pwd,otp}', now(), $4, now() + interval '1 hour', now() + interval '1 hour', now())`, tenant, p.session, p.user, make([]byte, 32))
	require.NoError(t, err)
	p.token = k.issue(t, p.claims(), time.Now)
	return p
}

func (p *person) claims() token.Claims {
	return token.Claims{
		Subject: p.user, Tenant: p.tenant, Session: p.session, Role: p.role, Policies: p.policies,
		Methods: []string{"pwd", "otp"}, AuthTime: time.Now().Add(-time.Minute),
	}
}

// issue signs claims with the server's key at a time of the test's choice.
func (k *kit) issue(t *testing.T, c token.Claims, now func() time.Time) string {
	t.Helper()
	issuer, err := token.NewIssuer(k.key, token.IssuerConfig{Issuer: k.Issuer, Audience: server.Audience, Now: now})
	require.NoError(t, err)
	c.AuthTime = now().Add(-time.Second)
	text, _, err := issuer.Issue(c)
	require.NoError(t, err)
	return text
}

// option changes a request.
type option func(*http.Request)

func as(p *person) option { return header("Authorization", "Bearer "+p.token) }

func header(name, value string) option {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func cookie(name, value string) option {
	return func(r *http.Request) { r.Header.Add("Cookie", name+"="+value) }
}

func from(addr string) option { return func(r *http.Request) { r.RemoteAddr = addr } }

// answer is what came back.
type answer struct {
	*http.Response
	body    []byte
	problem server.Problem
}

// do asks the handler. Body is nil, a string sent as it is, or a value sent as JSON. Whatever the answer, it must keep what every answer
// promises.
func (k *kit) do(t *testing.T, method, target string, body any, options ...option) *answer {
	t.Helper()
	var reader io.Reader = http.NoBody
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case io.Reader:
		reader = b
	default:
		text, err := json.Marshal(b)
		require.NoError(t, err)
		reader = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, target, reader).WithContext(t.Context())
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, o := range options {
		o(r)
	}
	w := httptest.NewRecorder()
	k.Handler().ServeHTTP(w, r)
	content := w.Body.Bytes()
	a := &answer{Response: w.Result(), body: content}
	requirePromises(t, a, method)
	return a
}

// requirePromises checks what holds for every answer: security headers, a request id of ours, and a problem document where it is an error.
func requirePromises(t *testing.T, a *answer, method string) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "strict-origin-when-cross-origin",
		"Permissions-Policy":           "camera=(), microphone=(), geolocation=()",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	} {
		require.Equalf(t, []string{want}, a.Header.Values(name), "%s of a %d", name, a.StatusCode)
	}
	id := a.Header.Get("X-Request-Id")
	require.NoError(t, uuid.Validate(id))
	if a.StatusCode < 400 || method == http.MethodHead || a.Header.Get("Content-Type") == "application/json" && a.StatusCode == http.StatusServiceUnavailable {
		return // readyz answers its 503 to a machine that wants the parts
	}
	require.Equalf(t, "application/problem+json", a.Header.Get("Content-Type"), "status %d: %s", a.StatusCode, a.body)
	require.NoErrorf(t, json.Unmarshal(a.body, &a.problem), "%s", a.body)
	require.Equal(t, a.StatusCode, a.problem.Status)
	require.NotEmpty(t, a.problem.Code)
	require.True(t, strings.HasSuffix(a.problem.Type, "PROBLEMS.md#"+a.problem.Code), a.problem.Type)
	require.Equal(t, id, a.problem.RequestID)
}

// refused asserts an error's status and code.
func (a *answer) refused(t *testing.T, status int, code string) {
	t.Helper()
	require.Equalf(t, []any{status, code}, []any{a.StatusCode, a.problem.Code}, "%s", a.body)
}

// into reads the body of a success.
func (a *answer) into(t *testing.T, status int, v any) {
	t.Helper()
	require.Equalf(t, status, a.StatusCode, "%s", a.body)
	if v != nil {
		require.NoErrorf(t, json.Unmarshal(a.body, v), "%s", a.body)
	}
}

// count asks the database as the superuser.
func (k *kit) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, k.super.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}
