package wire_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/wire"
)

// token stands for everything a client sends that must not come back in an error.
const token = "hvs.N33dle-In-The-Haystack"

// serve starts a TLS server and returns a client that trusts it.
func serve(t *testing.T, h http.HandlerFunc, change ...func(*wire.Config)) *wire.Client {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return client(t, server, change...)
}

func client(t *testing.T, server *httptest.Server, change ...func(*wire.Config)) *wire.Client {
	t.Helper()
	cfg := wire.Config{Roots: x509.NewCertPool()}
	cfg.Roots.AddCert(server.Certificate())
	for _, c := range change {
		c(&cfg)
	}
	c, err := wire.New(server.URL, cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func request() wire.Request {
	return wire.Request{
		Op: "test: call", Method: http.MethodPost, Path: []string{"v1", "x"}, Header: map[string]string{"X-Vault-Token": token},
		Body: []byte(`{"password":"` + token + `"}`), ContentType: "application/json",
	}
}

// fails makes a call and returns its error, which must be of the class and repeat nothing.
func fails(t *testing.T, c *wire.Client, class error) *wire.Error {
	t.Helper()
	_, err := c.Do(t.Context(), request())
	require.ErrorIs(t, err, class)
	var e *wire.Error
	require.ErrorAs(t, err, &e)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %q", err, err, e, err), fmt.Sprint(errors.Unwrap(err))} {
		require.NotContains(t, text, token)
		require.NotContains(t, text, "Haystack")
	}
	return e
}

func document(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, body)
}

func TestARedirectIsNotFollowedAndTheTokenDoesNotTravel(t *testing.T) {
	var reached atomic.Int64
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", elsewhere.URL+"/"+token)
				w.WriteHeader(status)
			})
			require.False(t, fails(t, c, wire.ErrRedirect).Retryable())
		})
	}
	require.Zero(t, reached.Load())
}

func TestAnAnswerThatIsNotWhatItMustBeIsRefused(t *testing.T) {
	bomb := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(bytes.Repeat([]byte(" "), 4<<20))
		_ = z.Close()
		return b.Bytes()
	}()
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		reason  error
	}{
		"a huge body with its length":  {func(w http.ResponseWriter, _ *http.Request) { document(w, strings.Repeat(" ", 2<<20)) }, wire.ErrTooLarge},
		"an endless body":              {endless, wire.ErrTooLarge},
		"deep JSON":                    {func(w http.ResponseWriter, _ *http.Request) { document(w, nested(17)) }, wire.ErrDepth},
		"JSON deep enough for a stack": {func(w http.ResponseWriter, _ *http.Request) { document(w, nested(400_000)) }, wire.ErrSyntax},
		"very many values": {func(w http.ResponseWriter, _ *http.Request) {
			document(w, `{"a":[`+strings.Repeat("1,", 10_000)+`1]}`)
		}, wire.ErrCount},
		"a name given twice":             {func(w http.ResponseWriter, _ *http.Request) { document(w, `{"a":1,"a":2}`) }, wire.ErrDuplicate},
		"a name given twice in disguise": {func(w http.ResponseWriter, _ *http.Request) { document(w, `{"a":1,"\u0061":2}`) }, wire.ErrDuplicate},
		"text behind the document":       {func(w http.ResponseWriter, _ *http.Request) { document(w, `{} {}`) }, wire.ErrSyntax},
		"an array":                       {func(w http.ResponseWriter, _ *http.Request) { document(w, `[]`) }, wire.ErrSyntax},
		"half a document":                {func(w http.ResponseWriter, _ *http.Request) { document(w, `{"a":`) }, wire.ErrSyntax},
		"half a surrogate pair":          {func(w http.ResponseWriter, _ *http.Request) { document(w, `{"a":"\ud800"}`) }, wire.ErrSyntax},
		"text that is not UTF-8":         {func(w http.ResponseWriter, _ *http.Request) { document(w, "{\"a\":\"\xff\"}") }, wire.ErrSyntax},
		"a web page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `{}`)
		}, wire.ErrContentType},
		"no content type": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, wire.ErrContentType},
		"a compressed bomb": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			document(w, string(bomb))
		}, wire.ErrEncoding},
	} {
		t.Run(name, func(t *testing.T) {
			e := fails(t, serve(t, tc.handler), wire.ErrMalformed)
			require.ErrorIs(t, e, tc.reason)
			require.False(t, e.Retryable())
		})
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for block := bytes.Repeat([]byte(" "), 64<<10); ; {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func nested(depth int) string {
	return `{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`
}

func TestNothingAsksForCompression(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			w.WriteHeader(http.StatusTeapot)
		}
		document(w, `{}`)
	})
	_, err := c.Do(t.Context(), request())
	require.NoError(t, err)
}

func TestATokenInAnAnswerDoesNotReachAnError(t *testing.T) {
	for _, status := range []int{200, 204, 302, 400, 401, 403, 404, 408, 409, 412, 418, 429, 500, 502, 503, 504, 599} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				sent := r.Header.Get("X-Vault-Token")
				w.Header().Set("Retry-After", sent)
				w.Header().Set("Location", "https://"+sent+"/")
				w.Header().Set("Content-Type", "text/"+sent)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"errors":["`+sent+`"],"message":"`+sent+`"}`)
			})
			_, err := c.Do(t.Context(), request())
			require.Error(t, err)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "Haystack")
		})
	}
	t.Run("in a header line that is none", func(t *testing.T) {
		fails(t, raw(t, "HTTP/1.1 200 OK\r\n"+token+"\r\n\r\n"), wire.ErrUnavailable)
	})
	t.Run("in a status line", func(t *testing.T) {
		require.ErrorIs(t, fails(t, raw(t, token+" "+token+"\r\n\r\n"), wire.ErrUnavailable), wire.ErrProtocol)
	})
	t.Run("as a name in the document", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { document(w, `{"`+token+`":1}`) })
		res, err := c.Do(t.Context(), request())
		require.NoError(t, err)
		res.Text("wanted")
		require.ErrorIs(t, res.Check(), wire.ErrMalformed)
		require.NotContains(t, res.Check().Error(), token)
	})
}

// raw serves bytes over plain TCP, whatever is asked.
func raw(t *testing.T, answer string) *wire.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body) // what is left unread would turn the end into a reset
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	c, err := wire.New("http://"+listener.Addr().String(), wire.Config{AllowPlainHTTPUnsafe: true})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestABodyThatEndsEarlyIsUnavailable(t *testing.T) {
	e := fails(t, raw(t, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"a\":"), wire.ErrUnavailable)
	require.ErrorIs(t, e, wire.ErrClosed)
	require.True(t, e.Retryable())
}

func TestAHeaderWithoutEndIsUnavailable(t *testing.T) {
	fails(t, raw(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n"), wire.ErrUnavailable)
}

func TestASlowServerIsLeftInTime(t *testing.T) {
	hold := func(stage string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // a server sees that the client has left only behind the body
			if stage == "body" {
				document(w, `{"a":`)
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		}
	}
	for _, stage := range []string{"header", "body"} {
		t.Run("in the "+stage, func(t *testing.T) {
			c := serve(t, hold(stage), func(cfg *wire.Config) { cfg.Timeout = 200 * time.Millisecond })
			e := fails(t, c, wire.ErrUnavailable)
			require.ErrorIs(t, e, wire.ErrTimeout)
			require.True(t, e.Retryable())
		})
	}
	t.Run("in the handshake", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel and says nothing
		require.NoError(t, err)
		defer listener.Close()
		c, err := wire.New("https://"+listener.Addr().String(), wire.Config{Roots: x509.NewCertPool(), Timeout: 200 * time.Millisecond})
		require.NoError(t, err)
		require.ErrorIs(t, fails(t, c, wire.ErrUnavailable), wire.ErrTimeout)
	})
	t.Run("and at once when the caller's context ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		})
		_, err := c.Do(ctx, request())
		var e *wire.Error
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, e.Retryable())
	})
}

func TestNobodyListening(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	c, err := wire.New("https://"+address, wire.Config{Roots: x509.NewCertPool()})
	require.NoError(t, err)
	e := fails(t, c, wire.ErrUnavailable)
	require.ErrorIs(t, e, syscall.ECONNREFUSED)
	require.True(t, e.Retryable())
	c, err = wire.New("https://"+token+".invalid", wire.Config{Roots: x509.NewCertPool()})
	require.NoError(t, err)
	require.ErrorIs(t, fails(t, c, wire.ErrUnavailable), wire.ErrUnresolved)
}

func TestAServerThatIsNotProvenIsRefused(t *testing.T) {
	ok := func(w http.ResponseWriter, _ *http.Request) { document(w, `{}`) }
	good := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	good.Config.ErrorLog = log.New(io.Discard, "", 0)
	good.StartTLS()
	defer good.Close()
	for name, tc := range map[string]struct {
		change func(*wire.Config)
		reason error
	}{
		"by roots that do not know it": {func(c *wire.Config) { c.Roots = x509.NewCertPool() }, wire.ErrAuthority},
		"after its certificate's end":  {func(c *wire.Config) { c.Now = func() time.Time { return time.Now().AddDate(100, 0, 0) } }, wire.ErrPeriod},
		"before its certificate's day": {func(c *wire.Config) { c.Now = func() time.Time { return time.Unix(-1, 0) } }, wire.ErrPeriod},
		"by a pin of another key":      {func(c *wire.Config) { c.Pins = []wire.Pin{{1}} }, wire.ErrPin},
	} {
		t.Run(name, func(t *testing.T) {
			e := fails(t, client(t, good, tc.change), wire.ErrUntrusted)
			require.ErrorIs(t, e, tc.reason)
			require.False(t, e.Retryable())
		})
	}
	t.Run("under another name", func(t *testing.T) {
		roots := x509.NewCertPool()
		roots.AddCert(good.Certificate())
		_, port, err := net.SplitHostPort(strings.TrimPrefix(good.URL, "https://"))
		require.NoError(t, err)
		c, err := wire.New("https://localhost:"+port, wire.Config{Roots: roots}) // the certificate says 127.0.0.1 and example.com
		require.NoError(t, err)
		require.ErrorIs(t, fails(t, c, wire.ErrUntrusted), wire.ErrHost)
	})
	t.Run("and accepted with a pin of its own", func(t *testing.T) {
		c := client(t, good, func(c *wire.Config) { c.Pins = []wire.Pin{{1}, wire.PinOf(good.Certificate())} })
		_, err := c.Do(t.Context(), request())
		require.NoError(t, err)
	})
}

func TestWeakTLSIsRefused(t *testing.T) {
	for name, settings := range map[string]*tls.Config{
		"TLS 1.0":        {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"TLS 1.1":        {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"CBC in TLS 1.2": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
		"RSA key exchange in TLS 1.2": {
			MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.TLS, server.Config.ErrorLog = settings, log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			require.ErrorIs(t, fails(t, client(t, server), wire.ErrUntrusted), wire.ErrHandshake)
		})
	}
	t.Run("and no TLS at all", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		c, err := wire.New(strings.Replace(server.URL, "http:", "https:", 1), wire.Config{Roots: x509.NewCertPool()})
		require.NoError(t, err)
		fails(t, c, wire.ErrUntrusted)
	})
}

// TestTheEnvironmentMovesNothing runs itself in a process of its own, since net/http reads its proxies once, with every name
// set that makes other clients turn elsewhere.
func TestTheEnvironmentMovesNothing(t *testing.T) {
	const child = "TOMKIT_WIRE_CHILD"
	if os.Getenv(child) != "" {
		callWithTheEnvironmentOfOthers(t)
		return
	}
	var reached atomic.Int64
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer trap.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestTheEnvironmentMovesNothing$")
	cmd.Env = append(os.Environ(), child+"=1", "VAULT_SKIP_VERIFY=true", "BAO_SKIP_VERIFY=true", "NO_PROXY=", "no_proxy=")
	for _, name := range []string{
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
		"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY", "BAO_ADDR", "BAO_AGENT_ADDR", "BAO_PROXY_ADDR",
	} {
		cmd.Env = append(cmd.Env, name+"="+trap.URL)
	}
	for _, name := range []string{"VAULT_TOKEN", "BAO_TOKEN", "VAULT_NAMESPACE", "BAO_NAMESPACE", "VAULT_HEADERS", "BAO_HEADERS"} {
		cmd.Env = append(cmd.Env, name+"="+token)
	}
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	require.Zero(t, reached.Load())
}

func callWithTheEnvironmentOfOthers(t *testing.T) {
	var seen http.Header
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone(); document(w, `{}`) })
	_, err := c.Do(t.Context(), wire.Request{Op: "test: call", Method: http.MethodGet})
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprint(seen), token)
	// A name that is not resolved here would be sent to a proxy all the same.
	c, err = wire.New("https://vault.invalid", wire.Config{Roots: x509.NewCertPool()})
	require.NoError(t, err)
	require.ErrorIs(t, fails(t, c, wire.ErrUnavailable), wire.ErrUnresolved)
}

func TestAHeaderCannotBeInjected(t *testing.T) {
	var calls atomic.Int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); document(w, `{}`) })
	for _, value := range []string{"", "a\r\nX-Vault-Token: b", "a\nb", "a\x00b", "ä", "a\x7f"} {
		r := request()
		r.Header = map[string]string{"X-Vault-Namespace": value}
		_, err := c.Do(t.Context(), r)
		require.ErrorIs(t, err, wire.ErrRefused)
	}
	require.Zero(t, calls.Load())
}

func TestAPathSegmentStaysOne(t *testing.T) {
	var path string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { path = r.RequestURI; document(w, `{}`) })
	r := request()
	r.Path = []string{"v1", "a/../b?c#d e%2F"}
	_, err := c.Do(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "/v1/a%2F..%2Fb%3Fc%23d%20e%252F", path)
}

func TestTheBodyOfARequestIsZeroed(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		document(w, `{"a":"b"}`)
	})
	r := request()
	res, err := c.Do(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, make([]byte, len(r.Body)), r.Body)
	require.Equal(t, "b", string(res.Bytes("a")))
	held := res.Bytes("a")
	res.Wipe()
	require.Equal(t, []byte{0}, held)
	require.Equal(t, make([]byte, len(res.Body)), res.Body)
}
