package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/internal/server"
)

// client trusts the server's throw-away authority and follows no redirects.
func (k *kit) client(t *testing.T, change func(*tls.Config)) *http.Client {
	t.Helper()
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	require.True(t, cfg.RootCAs.AppendCertsFromPEM(k.Authority.CertificatePEM))
	if change != nil {
		change(cfg)
	}
	transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (k *kit) fetch(t *testing.T, c *http.Client, method, path string, body io.Reader, headers ...string) *answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, k.URL()+path, body)
	require.NoError(t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	a := &answer{Response: response, body: content}
	requirePromises(t, a, method)
	return a
}

func TestOverTheWire(t *testing.T) {
	k := open(t)
	k.serve(t)
	admin := k.somebody(t, k.tenant(t, "ward"), abac.TenantAdmin)
	c := k.client(t, nil)

	t.Run("every kind of answer keeps the promises of every answer", func(t *testing.T) {
		long := strings.NewReader(strings.Repeat(" ", 1<<20))
		for _, ask := range []struct {
			method, path string
			body         io.Reader
			status       int
		}{
			{http.MethodGet, "/livez", nil, http.StatusOK},
			{http.MethodGet, "/readyz", nil, http.StatusOK},
			{http.MethodGet, "/startupz", nil, http.StatusOK},
			{http.MethodGet, "/docs", nil, http.StatusOK},
			{http.MethodGet, "/openapi.json", nil, http.StatusOK},
			{http.MethodGet, "/v1/devices", nil, http.StatusUnauthorized},
			{http.MethodGet, "/nothing", nil, http.StatusNotFound},
			{http.MethodDelete, "/v1/devices", nil, http.StatusMethodNotAllowed},
			{http.MethodPost, "/v1/auth/password", strings.NewReader("{"), http.StatusBadRequest},
			{http.MethodPost, "/v1/enrol", long, http.StatusRequestEntityTooLarge},
			{http.MethodPost, "/v1/heartbeats", io.LimitReader(spaces{}, 1<<20), http.StatusRequestEntityTooLarge}, // chunked
		} {
			a := k.fetch(t, c, ask.method, ask.path, ask.body, "Content-Type", "application/json")
			require.Equalf(t, ask.status, a.StatusCode, "%s %s", ask.method, ask.path)
			require.Emptyf(t, a.Header.Get("Strict-Transport-Security"), "localhost would bind every service of this machine")
			require.Empty(t, a.Header.Get("Server"))
		}
	})
	t.Run("a cleaned path is redirected, with the headers, to this host", func(t *testing.T) {
		a := k.fetch(t, c, http.MethodGet, "//evil.example/..//livez", nil)
		require.Contains(t, []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}, a.StatusCode)
		to, err := url.Parse(a.Header.Get("Location"))
		require.NoError(t, err)
		require.Empty(t, to.Host)
	})
	t.Run("a session works over HTTP/2 and HTTP/1.1", func(t *testing.T) {
		a := k.fetch(t, c, http.MethodGet, "/v1/me", nil, "Authorization", "Bearer "+admin.token)
		require.Equal(t, []any{http.StatusOK, 2}, []any{a.StatusCode, a.ProtoMajor})
		old := k.client(t, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
		old.Transport.(*http.Transport).ForceAttemptHTTP2 = false
		a = k.fetch(t, old, http.MethodGet, "/v1/me", nil, "Authorization", "Bearer "+admin.token)
		require.Equal(t, []any{http.StatusOK, 1}, []any{a.StatusCode, a.ProtoMajor})
	})
	t.Run("TLS is 1.2 at least, with authenticated encryption and forward secrecy", func(t *testing.T) {
		a := k.fetch(t, c, http.MethodGet, "/livez", nil)
		require.EqualValues(t, tls.VersionTLS13, a.TLS.Version)
		require.Equal(t, tls.X25519MLKEM768, a.TLS.CurveID)
		for name, change := range map[string]func(*tls.Config){
			"TLS 1.1": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
			"CBC": func(c *tls.Config) {
				c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
			},
			"RSA key exchange": func(c *tls.Config) {
				c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
			},
			"another name":          func(c *tls.Config) { c.ServerName = "evil.example" },
			"without the authority": func(c *tls.Config) { c.RootCAs = x509.NewCertPool() },
		} {
			_, err := k.client(t, change).Get(k.URL() + "/livez")
			require.Errorf(t, err, name)
		}
	})
	t.Run("an export comes whole", func(t *testing.T) {
		a := k.fetch(t, c, http.MethodGet, "/v1/audit/export", nil, "Authorization", "Bearer "+admin.token)
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Equal(t, "PK", string(a.body[:2]))
	})
}

func TestTransportSecurityIsPromisedWhereTheHostIsOurs(t *testing.T) {
	k := open(t, func(c *server.Config) { c.Host = "tomkit.example" })
	a := k.do(t, http.MethodGet, "/livez", nil)
	require.Equal(t, "max-age=31536000; includeSubDomains", a.Header.Get("Strict-Transport-Security"))
	require.Equal(t, "https://tomkit.example", k.Issuer)
}

// TestStoppingFinishesWhatIsUnderWay holds a request inside the database while the server is told to stop.
func TestStoppingFinishesWhatIsUnderWay(t *testing.T) {
	k := open(t)
	admin := k.somebody(t, k.tenant(t, "ward"), abac.TenantAdmin)
	require.NoError(t, k.Listen(t.Context()))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()

	tx, err := k.super.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE tomkit.enrol_tokens IN ACCESS EXCLUSIVE MODE`)
	require.NoError(t, err)
	answers := make(chan error, 1)
	c := k.client(t, nil)
	go func() {
		r, err := http.NewRequest(http.MethodPost, k.URL()+"/v1/devices/enrolments", nil)
		if err != nil {
			answers <- err
			return
		}
		r.Header.Set("Authorization", "Bearer "+admin.token)
		a, err := c.Do(r)
		if err == nil {
			defer a.Body.Close()
			_, err = io.Copy(io.Discard, a.Body)
			if err == nil && a.StatusCode != http.StatusCreated {
				err = fmt.Errorf("status %d", a.StatusCode)
			}
		}
		answers <- err
	}()
	waiting := func() bool {
		return k.count(t, `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'tomkit.enrol_tokens'::regclass`) == 1
	}
	require.Eventually(t, waiting, time.Minute, 5*time.Millisecond)
	address := strings.TrimPrefix(k.URL(), "https://")
	stop()
	require.Eventually(t, func() bool { // nobody new is let in
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, time.Minute, 5*time.Millisecond)
	select {
	case err := <-ended:
		t.Fatalf("the server ended (%v) with a request under way", err)
	case err := <-answers:
		t.Fatalf("the request was cut off: %v", err)
	default:
	}
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-answers)
	require.NoError(t, <-ended)
	require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.enrol_tokens`))
}

func TestAPortInUseIsAnError(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer taken.Close()
	k := open(t, func(c *server.Config) { c.Listen = taken.Addr().String() })
	err = k.Listen(t.Context())
	require.ErrorContains(t, err, "address already in use")
	require.False(t, server.IsConfiguration(err))
	require.NotContains(t, err.Error(), "\n")
}
