package server_test

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/session"
	"github.com/pioneerdesk/tomkit/internal/server"
)

// cutOff makes the server's database refuse connections, the ones it has included, until the returned function is called.
func (k *kit) cutOff(t *testing.T) (restore func()) {
	t.Helper()
	other := strings.Replace(k.db.SuperuserURL(), "/"+k.db.Name(), "/postgres", 1)
	conn, err := pgx.Connect(t.Context(), other)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	exec := func(sql string, args ...any) {
		_, err := conn.Exec(context.Background(), sql, args...)
		require.NoError(t, err)
	}
	exec(`ALTER DATABASE ` + k.db.Name() + ` ALLOW_CONNECTIONS false`)
	exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, k.db.Name())
	return func() { exec(`ALTER DATABASE ` + k.db.Name() + ` ALLOW_CONNECTIONS true`) }
}

func TestWithoutADatabaseNothingIsGrantedAndNothingIsTold(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	admin := k.somebody(t, ward, abac.TenantAdmin)
	device := k.enrol(t, admin, 1)
	token := k.enrolToken(t, admin)
	restore := k.cutOff(t)
	defer restore()
	quiet := func(t *testing.T, a *answer) {
		t.Helper()
		for _, text := range []string{k.db.Name(), "tomkit_app", "SQLSTATE", "pgx", "socket", "connect", "FATAL", "127.0.0.1"} {
			require.NotContains(t, string(a.body), text)
		}
	}
	t.Run("readyz names the part and nothing else", func(t *testing.T) {
		a := k.do(t, http.MethodGet, "/readyz", nil)
		require.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
		require.Regexp(t, `^{"status":"unavailable","parts":{"database":"unavailable","ledger":"(ok|unknown)"}}\n$`, string(a.body))
	})
	t.Run("livez is about the process", func(t *testing.T) {
		k.do(t, http.MethodGet, "/livez", nil, cookie(session.CookieName, admin.token)).into(t, http.StatusOK, nil)
	})
	for name, ask := range map[string]func() *answer{
		"a list":   func() *answer { return k.do(t, http.MethodGet, "/v1/devices", nil, as(admin)) },
		"a change": func() *answer { return k.do(t, http.MethodPost, "/v1/devices/enrolments", nil, as(admin)) },
		"who am I": func() *answer { return k.do(t, http.MethodGet, "/v1/me", nil, as(admin)) },
		"a sign-in": func() *answer {
			return k.do(t, http.MethodPost, "/v1/auth/password", passwordBody("ward", "a@b.example", "x"))
		},
		"a sign-out":   func() *answer { return k.do(t, http.MethodPost, "/v1/auth/sign-out", nil, as(admin)) },
		"an enrolment": func() *answer { return k.do(t, http.MethodPost, "/v1/enrol", machine(token, 2)) },
		"a heartbeat":  func() *answer { return k.beat(t, device.Credential, sample(t)) },
		"an export":    func() *answer { return k.do(t, http.MethodGet, "/v1/audit/export", nil, as(admin)) },
		"a session cookie": func() *answer {
			return k.do(t, http.MethodGet, "/v1/audit", nil, cookie(session.CookieName, admin.token))
		},
	} {
		t.Run(name+" is answered 503 and to be tried again", func(t *testing.T) {
			a := ask()
			a.refused(t, http.StatusServiceUnavailable, "unavailable")
			require.NotEmpty(t, a.Header.Get("Retry-After"))
			quiet(t, a)
		})
	}
	restore()
	require.Eventually(t, func() bool { return k.do(t, http.MethodGet, "/readyz", nil).StatusCode == http.StatusOK }, time.Minute, 10*time.Millisecond)
	k.do(t, http.MethodGet, "/v1/devices", nil, as(admin)).into(t, http.StatusOK, nil)
}

func TestASlowPartIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probe := server.Ready(map[string]func(context.Context) error{
			"database": func(ctx context.Context) error {
				<-ctx.Done()
				return errors.New("postgres://tomkit_app:secret@db/tomkit: too slow")
			},
			"cache": func(context.Context) error { return nil },
		})
		w := httptest.NewRecorder()
		probe(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.JSONEq(t, `{"status":"unavailable","parts":{"database":"unavailable","cache":"ok"}}`, w.Body.String())
	})
}

func TestASessionThatCannotBeCheckedInTimeIsNotAccepted(t *testing.T) {
	k := open(t)
	admin := k.somebody(t, k.tenant(t, "ward"), abac.TenantAdmin)
	tx, err := k.super.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE tomkit.sessions IN ACCESS EXCLUSIVE MODE`)
	require.NoError(t, err)
	a := k.do(t, http.MethodGet, "/v1/devices", nil, as(admin))
	a.refused(t, http.StatusServiceUnavailable, "unavailable")
	require.Equal(t, "1", a.Header.Get("Retry-After"))
	require.NoError(t, tx.Rollback(t.Context()))
	k.do(t, http.MethodGet, "/v1/devices", nil, as(admin)).into(t, http.StatusOK, nil)
}

func TestAPanicIsAnsweredAndTheServerGoesOn(t *testing.T) {
	var armed atomic.Bool
	k := open(t, func(c *server.Config) {
		c.Now = func() time.Time {
			if armed.CompareAndSwap(true, false) { // the first thing a heartbeat's handler asks for
				panic("secret of the handler")
			}
			return time.Now()
		}
	})
	armed.Store(true)
	a := k.beat(t, "x", "{}")
	require.False(t, armed.Load())
	a.refused(t, http.StatusInternalServerError, "internal")
	require.NotContains(t, string(a.body), "secret of the handler")
	require.NotContains(t, string(a.body), ".go:")
	require.Contains(t, k.log.String(), "handler panicked")
	require.Contains(t, k.log.String(), a.problem.RequestID)
	require.NotContains(t, k.log.String(), "secret of the handler")
	k.do(t, http.MethodGet, "/readyz", nil).into(t, http.StatusOK, nil)
}

func TestAPanicInTheMiddleOfAnAnswerBreaksItOff(t *testing.T) {
	s := httptest.NewUnstartedServer(server.Recovered(slog.New(slog.DiscardHandler))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, "the first half")
		require.NoError(t, err)
		require.NoError(t, http.NewResponseController(w).Flush())
		panic("the second half")
	})))
	defer s.Close()
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	answer, err := s.Client().Get(s.URL)
	require.NoError(t, err)
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the client takes a part for the whole")
	require.Equal(t, "the first half", string(got))
}
