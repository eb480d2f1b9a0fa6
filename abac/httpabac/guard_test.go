package httpabac_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

var (
	noon   = time.Date(2026, 3, 16, 12, 0, 0, 0, time.UTC)
	tenant = uuid.MustParse("0b4e0d2c-5f0a-4b43-9d0e-0f7d8b1a2c3d")
)

// fixture holds a guard with everything around it visible.
type fixture struct {
	universe *abac.Universe
	guard    *httpabac.Guard
	records  []httpabac.Record
	fail     error // what the recorder answers
	min      int64
	ran      int // calls of the handler
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	u, err := abac.NewUniverse(abac.TOM6Permissions()...)
	require.NoError(t, err)
	f := &fixture{universe: u}
	f.guard, err = httpabac.New(httpabac.Config{
		Universe:   u,
		Record:     func(_ context.Context, rec httpabac.Record) error { f.records = append(f.records, rec); return f.fail },
		MinVersion: func() int64 { return f.min },
		RequestID:  func(context.Context) string { return "req-1" },
		Now:        func() time.Time { return noon },
	})
	require.NoError(t, err)
	return f
}

func (f *fixture) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.ran++
		_, _ = io.Copy(w, r.Body)
	})
}

func (f *fixture) subject(policies ...string) *abac.Subject {
	set, _ := f.universe.Compile(abac.Source{Role: "secret_role", Policies: policies})
	return &abac.Subject{
		ID: uuid.New(), Tenant: tenant, Role: "secret_role", Set: set, Level: abac.MultiFactor, AuthTime: noon.Add(-time.Minute),
	}
}

// body fails the test if it is read.
type body struct{ t *testing.T }

func (b body) Read([]byte) (int, error) {
	b.t.Error("the body of a refused request was read")
	return 0, io.EOF
}

func call(h http.Handler, method, target string, sub *abac.Subject, in io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, in)
	if sub != nil {
		r = r.WithContext(httpabac.WithSubject(r.Context(), sub))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRequirePolicy(t *testing.T) {
	for name, tc := range map[string]struct {
		permission string
		options    []httpabac.Option
		change     func(*fixture, *abac.Subject) *abac.Subject
		policies   []string
		status     int
		code       string
	}{
		"no subject": {"devices:read", nil, func(*fixture, *abac.Subject) *abac.Subject { return nil }, nil,
			http.StatusUnauthorized, "no_token"},
		"no policy":            {"devices:read", nil, nil, nil, http.StatusForbidden, "no_match"},
		"another permission":   {"devices:read", nil, nil, []string{"devices:write", "audit:*"}, http.StatusForbidden, "no_match"},
		"an explicit deny":     {"devices:read", nil, nil, []string{"*:*", "!devices:*"}, http.StatusForbidden, "explicit_deny"},
		"an unparsable policy": {"devices:read", nil, nil, []string{"*:*", "!"}, http.StatusForbidden, "invalid_policy"},
		"no set": {"devices:read", nil, func(_ *fixture, s *abac.Subject) *abac.Subject { s.Set = nil; return s }, nil,
			http.StatusForbidden, "no_match"},
		"an old policy version": {"devices:read", nil, func(f *fixture, s *abac.Subject) *abac.Subject { f.min = 1; return s },
			[]string{"*:*"}, http.StatusUnauthorized, "stale_policy"},
		"too weak a factor": {"devices:read", []httpabac.Option{httpabac.MFA(abac.PhishingResistant, 0)}, nil, []string{"*:*"},
			http.StatusForbidden, "mfa_required"},
		"too old a proof": {"devices:read", []httpabac.Option{httpabac.MFA(abac.MultiFactor, 30*time.Second)}, nil,
			[]string{"*:*"}, http.StatusForbidden, "mfa_required"},
		"no tenant in the path": {"devices:read", []httpabac.Option{httpabac.TenantParam("tenant")}, nil, []string{"*:*"},
			http.StatusForbidden, "tenant_mismatch"},
		"a privileged allow that cannot be recorded": {"commands:execute", nil,
			func(f *fixture, s *abac.Subject) *abac.Subject { f.fail = errors.New("disk full"); return s }, []string{"*:*"},
			http.StatusServiceUnavailable, "not_recorded"},
		"a route declared privileged that cannot be recorded": {"iam:write", []httpabac.Option{httpabac.Privileged()},
			func(f *fixture, s *abac.Subject) *abac.Subject { f.fail = errors.New("disk full"); return s }, []string{"*:*"},
			http.StatusServiceUnavailable, "not_recorded"},
		"a deny that cannot be recorded stays a deny": {"devices:read", nil,
			func(f *fixture, s *abac.Subject) *abac.Subject { f.fail = errors.New("disk full"); return s }, nil,
			http.StatusForbidden, "no_match"},
	} {
		t.Run("refuses "+name+", and the handler never runs", func(t *testing.T) {
			f := newFixture(t)
			sub := f.subject(tc.policies...)
			if tc.change != nil {
				sub = tc.change(f, sub)
			}
			w := call(f.guard.RequirePolicy(tc.permission, tc.options...)(f.handler()), "POST", "/x?q=personal", sub, body{t})

			require.Zero(t, f.ran)
			require.Equal(t, tc.status, w.Code)
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Equal(t, tc.status == http.StatusUnauthorized, w.Header().Get("WWW-Authenticate") != "")
			var problem map[string]any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &problem))
			require.Equal(t, "urn:tomkit:problem:"+tc.code, problem["type"])
			require.Equal(t, tc.code, problem["code"])
			require.EqualValues(t, tc.status, problem["status"])
			require.Equal(t, "req-1", problem["request_id"])
			require.NotEmpty(t, problem["title"])
			for _, secret := range []string{tc.permission, "*:*", "secret_role", "disk full", "personal", tenant.String()} {
				require.NotContains(t, w.Body.String(), secret)
			}
			require.Len(t, f.records, 1, "every refusal is recorded")
			require.Equal(t, sub, f.records[0].Subject)
			require.Equal(t, tc.permission, f.records[0].Permission)
		})
	}
	t.Run("lets through who holds the permission, with the body whole", func(t *testing.T) {
		f := newFixture(t)
		w := call(f.guard.RequirePolicy("devices:write")(f.handler()), "POST", "/x", f.subject("devices:*"), strings.NewReader("hello"))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "hello", w.Body.String())
		require.Equal(t, 1, f.ran)
		require.Empty(t, f.records, "an ordinary allow is not recorded")
	})
	t.Run("a nil subject in the context is nobody", func(t *testing.T) {
		f := newFixture(t)
		h := f.guard.RequirePolicy("devices:read")(f.handler())
		r := httptest.NewRequest("GET", "/", nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(httpabac.WithSubject(r.Context(), nil)))
		require.Equal(t, http.StatusUnauthorized, w.Code)
	})
	t.Run("panics while wiring if the permission is not registered or an option is not valid", func(t *testing.T) {
		f := newFixture(t)
		require.Panics(t, func() { f.guard.RequirePolicy("devices:raed") })
		require.Panics(t, func() { f.guard.RequirePolicy("") })
		require.Panics(t, func() { f.guard.RequirePolicy("*:*") })
		require.Panics(t, func() { f.guard.RequirePolicy("devices:read", httpabac.MFA(abac.SingleFactor, 0)) })
		require.Panics(t, func() { f.guard.RequirePolicy("devices:read", httpabac.MFA(abac.MultiFactor, -1)) })
		require.Panics(t, func() { f.guard.RequirePolicy("devices:read", httpabac.TenantParam("")) })
		require.Panics(t, func() { f.guard.RequirePolicy("devices:read")(nil) })
	})
}

func TestAPrivilegedAllowIsRecordedBeforeTheHandlerRuns(t *testing.T) {
	f := newFixture(t)
	var seen int
	h := f.guard.RequirePolicy("commands:execute")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		seen = len(f.records)
	}))
	sub := f.subject("commands:execute")
	call(h, "POST", "/v1/commands/4711", sub, nil)
	require.Equal(t, 1, seen)
	require.Equal(t, httpabac.Record{
		Decision: abac.Decision{Allowed: true, Reason: abac.Allowed}, Permission: "commands:execute", Method: "POST",
		Subject: sub, Privileged: true, RequestID: "req-1", Time: noon,
	}, f.records[0])
}

func TestARecorderThatPanicsDoesNotLetTheHandlerRun(t *testing.T) {
	f := newFixture(t)
	guard, err := httpabac.New(httpabac.Config{
		Universe: f.universe, Record: func(context.Context, httpabac.Record) error { panic("recorder") },
	})
	require.NoError(t, err)
	require.Panics(t, func() {
		call(guard.RequirePolicy("commands:execute")(f.handler()), "POST", "/", f.subject("*:*"), nil)
	})
	require.Zero(t, f.ran)
}

func TestPrivilegedActions(t *testing.T) {
	f := newFixture(t)
	for _, permission := range []string{"commands:execute", "cab:approve", "devices:delete", "audit:export"} {
		call(f.guard.RequirePolicy(permission)(f.handler()), "GET", "/", f.subject("*:*"), nil)
	}
	require.Len(t, f.records, 4)
	call(f.guard.RequirePolicy("devices:write")(f.handler()), "GET", "/", f.subject("*:*"), nil)
	require.Len(t, f.records, 4)

	none, err := httpabac.New(httpabac.Config{
		Universe: f.universe, PrivilegedActions: []string{},
		Record: func(context.Context, httpabac.Record) error { return errors.New("unreachable") },
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, call(none.RequirePolicy("devices:delete")(f.handler()), "GET", "/", f.subject("*:*"), nil).Code)
}

func TestTheDefaultRecordLogsIdsOnly(t *testing.T) {
	f := newFixture(t)
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	defer slog.SetDefault(before)
	guard, err := httpabac.New(httpabac.Config{Universe: f.universe})
	require.NoError(t, err)
	sub := f.subject("audit:read")
	call(guard.RequirePolicy("devices:read")(f.handler()), "GET", "/v1/devices/miller?q=personal", sub, nil)
	call(guard.RequirePolicy("devices:read")(f.handler()), "GET", "/", nil, nil)
	require.Contains(t, log.String(), `"reason":"no_match"`)
	require.Contains(t, log.String(), `"reason":"no_token"`)
	require.Contains(t, log.String(), sub.ID.String())
	for _, secret := range []string{"audit:read", "miller", "personal", "secret_role"} {
		require.NotContains(t, log.String(), secret)
	}
}

func TestNewNeedsAUniverse(t *testing.T) {
	_, err := httpabac.New(httpabac.Config{})
	require.Error(t, err)
}

func TestAnAllowDoesNotAllocate(t *testing.T) {
	f := newFixture(t)
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(httpabac.WithSubject(r.Context(), f.subject("devices:read")))
	h := f.guard.RequirePolicy("devices:read", httpabac.MFA(abac.MultiFactor, time.Hour))(nothing)
	w := httptest.NewRecorder()
	require.Zero(t, testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }))
}

func TestAPanicOfTheHandlerIsLeftToTheServer(t *testing.T) {
	f := newFixture(t)
	h := f.guard.RequirePolicy("commands:execute")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { call(h, "POST", "/", f.subject("*:*"), nil) })
	require.Len(t, f.records, 1, "the allow was recorded before")
}
