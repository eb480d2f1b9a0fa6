package report_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	enrolToken  = "tk1_enrol_AAECAwQFBgcICQoLDA0ODw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	deviceToken = "tk1_device_AAECAwQFBgcICQoLDA0ODw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	secretPart  = "ODxAREhMUFRYXGBkaGxwdHh8"
)

func sample(uptime uint64) heartbeat.Sample {
	return heartbeat.Sample{
		Version: heartbeat.WireVersion, DeviceTime: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC), AgentVersion: "1", UptimeSeconds: uptime,
		OS:  heartbeat.OS{Family: "linux", Arch: "amd64"},
		CPU: heartbeat.CPU{Cores: 1}, Memory: heartbeat.Memory{Total: 1},
	}
}

// server answers with the next of its handlers, the last one for ever, and remembers the samples it accepted.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	handlers []http.HandlerFunc
	requests int
	got      []uint64 // uptime of the samples read by accept
	bad      error
}

func serve(t testing.TB, handlers ...http.HandlerFunc) *server {
	s := &server{handlers: handlers}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests++
		h := s.handlers[0]
		if len(s.handlers) > 1 {
			s.handlers = s.handlers[1:]
		}
		s.mu.Unlock()
		h(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) accept(next int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got, perr := heartbeat.ParseSample(body)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case err != nil || perr != nil:
			s.bad = errors.Join(err, perr)
		case r.Method != http.MethodPost || r.URL.Path != "/v1/heartbeats" || r.Header.Get("Authorization") != "Bearer "+deviceToken ||
			r.Header.Get("Content-Type") != "application/json":
			s.bad = fmt.Errorf("unexpected request %s %s", r.Method, r.URL.Path)
		}
		s.got = append(s.got, got.UptimeSeconds)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"accepted":true,"next_seconds":%d}`, next)
	}
}

func (s *server) accepted(t testing.TB) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NoError(t, s.bad)
	return s.got
}

func problem(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"type":"about:blank","title":"no\u001b[2J luck","status":503}`)
	}
}

// pauses replaces waiting: it notes how long would have been waited.
type pauses struct {
	mu sync.Mutex
	d  []time.Duration
}

func (p *pauses) wait(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.d = append(p.d, d)
	return ctx.Err()
}

func (s *server) config(p *pauses) report.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return report.Config{Server: s.URL, Roots: roots, Credential: deviceToken, Wait: p.wait}
}

func (s *server) reporter(t testing.TB, p *pauses, change ...func(*report.Config)) *report.Reporter {
	cfg := s.config(p)
	for _, c := range change {
		c(&cfg)
	}
	r, err := report.New(cfg)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

func TestSend(t *testing.T) {
	s := serve(t, nil)
	s.handlers = []http.HandlerFunc{s.accept(60)}
	r := s.reporter(t, &pauses{})
	require.NoError(t, r.Send(t.Context(), sample(7)))
	require.Equal(t, []uint64{7}, s.accepted(t))
	require.Zero(t, r.Pending())
	t.Run("an invalid sample is not sent", func(t *testing.T) {
		require.ErrorIs(t, r.Send(t.Context(), heartbeat.Sample{}), heartbeat.ErrInvalid)
		require.Equal(t, 1, s.requests)
	})
}

func TestSendRetries(t *testing.T) {
	t.Run("with growing jittered pauses", func(t *testing.T) {
		s := serve(t, nil)
		s.handlers = []http.HandlerFunc{problem(503), problem(502), s.accept(0)}
		p := &pauses{}
		r := s.reporter(t, p, func(c *report.Config) { c.Backoff = time.Second })
		require.NoError(t, r.Send(t.Context(), sample(1)))
		require.Len(t, p.d, 2)
		for i, longest := range []time.Duration{time.Second, 2 * time.Second} {
			require.GreaterOrEqual(t, p.d[i], longest/2)
			require.LessOrEqual(t, p.d[i], longest)
		}
		require.Equal(t, []uint64{1}, s.accepted(t))
	})
	t.Run("not more often than configured", func(t *testing.T) {
		s := serve(t, problem(503))
		p := &pauses{}
		r := s.reporter(t, p, func(c *report.Config) { c.Attempts = 4 })
		err := r.Send(t.Context(), sample(1))
		require.ErrorIs(t, err, report.ErrUnavailable)
		require.Equal(t, 4, s.requests)
		require.Len(t, p.d, 3)
		require.Equal(t, 1, r.Pending(), "the sample waits")
	})
	t.Run("a short Retry-After is waited for", func(t *testing.T) {
		s := serve(t, nil)
		s.handlers = []http.HandlerFunc{problem(429, "Retry-After", "3"), s.accept(0)}
		p := &pauses{}
		r := s.reporter(t, p)
		require.NoError(t, r.Send(t.Context(), sample(1)))
		require.Equal(t, []time.Duration{3 * time.Second}, p.d)
	})
	t.Run("a long Retry-After is honoured by later calls", func(t *testing.T) {
		s := serve(t, nil)
		s.handlers = []http.HandlerFunc{problem(503, "Retry-After", "120"), s.accept(0)}
		now := time.Now()
		r := s.reporter(t, &pauses{}, func(c *report.Config) { c.Now = func() time.Time { return now } })
		err := r.Send(t.Context(), sample(1))
		var e *report.AnswerError
		require.ErrorAs(t, err, &e)
		require.Equal(t, 2*time.Minute, e.RetryAfter)
		now = now.Add(119 * time.Second)
		require.ErrorIs(t, r.Send(t.Context(), sample(2)), report.ErrUnavailable)
		require.Equal(t, 1, s.requests, "nothing is sent before the time")
		now = now.Add(14 * time.Second) // a tenth of jitter
		require.NoError(t, r.Send(t.Context(), sample(3)))
		require.Equal(t, []uint64{1, 2, 3}, s.accepted(t))
	})
	t.Run("Retry-After as a date, absurd or unreadable", func(t *testing.T) {
		now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
		for value, want := range map[string]time.Duration{
			now.Add(10 * time.Minute).Format(http.TimeFormat): 10 * time.Minute,
			now.Add(-time.Minute).Format(http.TimeFormat):     0,
			"999999999": time.Hour, "-5": 0, "soon": 0, "99999999999999999999": 0,
		} {
			s := serve(t, problem(503, "Retry-After", value))
			r := s.reporter(t, &pauses{}, func(c *report.Config) { c.Now = func() time.Time { return now } })
			var e *report.AnswerError
			require.ErrorAs(t, r.Send(t.Context(), sample(1)), &e)
			require.Equal(t, want, e.RetryAfter, value)
		}
	})
	t.Run("an ended context ends the tries", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { cancel(); problem(503)(w, r) })
		r := s.reporter(t, &pauses{})
		require.Error(t, r.Send(ctx, sample(1)))
		require.Equal(t, 1, s.requests)
		require.Equal(t, 1, r.Pending())
	})
}

func TestSpill(t *testing.T) {
	t.Run("the newest are kept and sent oldest first", func(t *testing.T) {
		s := serve(t, problem(503))
		r := s.reporter(t, &pauses{}, func(c *report.Config) { c.Spill, c.Attempts = 3, 1 })
		for i := range 10 {
			require.ErrorIs(t, r.Send(t.Context(), sample(uint64(i))), report.ErrUnavailable)
		}
		require.Equal(t, 3, r.Pending())
		s.mu.Lock()
		s.handlers = []http.HandlerFunc{s.accept(0)}
		s.mu.Unlock()
		require.NoError(t, r.Send(t.Context(), sample(10)))
		require.Equal(t, []uint64{8, 9, 10}, s.accepted(t))
	})
	t.Run("a refused sample blocks no later one", func(t *testing.T) {
		s := serve(t, nil)
		s.handlers = []http.HandlerFunc{problem(503), problem(422), s.accept(0)}
		r := s.reporter(t, &pauses{}, func(c *report.Config) { c.Attempts = 1 })
		require.ErrorIs(t, r.Send(t.Context(), sample(1)), report.ErrUnavailable)
		require.ErrorIs(t, r.Send(t.Context(), sample(2)), report.ErrRefused)
		require.Equal(t, []uint64{2}, s.accepted(t))
		require.Zero(t, r.Pending())
	})
}

func TestSendDistrustsTheServer(t *testing.T) {
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	var elsewhere int
	trap := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere++ })
	for name, h := range map[string]http.HandlerFunc{
		"a redirect is not followed": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, trap.URL, http.StatusTemporaryRedirect)
		},
		"200 is not accepted":                   text(200, `{"accepted":true,"next_seconds":60}`),
		"accepted without an answer is not":     text(202, ``),
		"accepted false is not":                 text(202, `{"accepted":false,"next_seconds":60}`),
		"an answer with more than asked is not": text(202, `{"accepted":true,"next_seconds":60,"run":"rm"}`),
		"an endless answer is not read":         text(202, strings.Repeat(" ", 1<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, h)
			r := s.reporter(t, &pauses{}, func(c *report.Config) { c.Attempts = 1 })
			err := r.Send(t.Context(), sample(1))
			require.ErrorIs(t, err, report.ErrUnavailable)
			require.NotContains(t, err.Error(), secretPart)
			require.Equal(t, 1, r.Pending())
		})
	}
	require.Zero(t, elsewhere, "the credential went nowhere else")

	t.Run("another authority's certificate", func(t *testing.T) {
		s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
		p := &pauses{}
		r := s.reporter(t, p, func(c *report.Config) { c.Roots = x509.NewCertPool() })
		err := r.Send(t.Context(), sample(1))
		require.Equal(t, 1, r.Pending())
		require.ErrorIs(t, err, report.ErrUnavailable)
		require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
		require.Empty(t, p.d, "not tried again at once")
	})
	t.Run("another host's certificate", func(t *testing.T) {
		s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
		r := s.reporter(t, &pauses{}, func(c *report.Config) {
			c.Server, c.Attempts = strings.Replace(s.URL, "127.0.0.1", "localhost", 1), 1
		})
		require.ErrorAs(t, r.Send(t.Context(), sample(1)), new(x509.HostnameError))
	})
	t.Run("TLS 1.1", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		s.StartTLS()
		defer s.Close()
		r := (&server{Server: s}).reporter(t, &pauses{}, func(c *report.Config) { c.Attempts = 1 })
		require.ErrorIs(t, r.Send(t.Context(), sample(1)), report.ErrUnavailable)
	})
	t.Run("a proxy from the environment", func(t *testing.T) {
		proxy := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("proxied") })
		t.Setenv("HTTPS_PROXY", proxy.URL)
		t.Setenv("https_proxy", proxy.URL)
		s := serve(t, nil)
		s.handlers = []http.HandlerFunc{s.accept(0)}
		require.NoError(t, s.reporter(t, &pauses{}).Send(t.Context(), sample(1)))
	})
	t.Run("control characters in a problem", func(t *testing.T) {
		s := serve(t, problem(400))
		err := s.reporter(t, &pauses{}).Send(t.Context(), sample(1))
		require.ErrorIs(t, err, report.ErrRefused)
		require.EqualError(t, err, "report: refused: status 400: no[2J luck")
	})
	t.Run("a server that does not answer", func(t *testing.T) {
		hang := make(chan struct{})
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-hang })
		defer close(hang)
		r := s.reporter(t, &pauses{}, func(c *report.Config) { c.Timeout, c.Attempts = 50*time.Millisecond, 1 })
		require.ErrorIs(t, r.Send(t.Context(), sample(1)), report.ErrUnavailable)
	})
}

func TestRevoked(t *testing.T) {
	s := serve(t, problem(401))
	r := s.reporter(t, &pauses{})
	require.ErrorIs(t, r.Send(t.Context(), sample(1)), report.ErrRevoked)
	require.Equal(t, 1, s.requests, "not tried again")
	require.Zero(t, r.Pending())
	require.ErrorIs(t, r.Run(t.Context(), samples(0)), report.ErrRevoked)
}

type samples uint64

func (n samples) Sample(context.Context) (heartbeat.Sample, error) { return sample(uint64(n)), nil }

type broken struct{}

func (broken) Sample(context.Context) (heartbeat.Sample, error) {
	return heartbeat.Sample{}, errors.New("no /proc")
}

func TestRun(t *testing.T) {
	run := func(t *testing.T, s *server, sampler report.Sampler, rounds int) (*pauses, []error) {
		p := &pauses{}
		ctx, cancel := context.WithCancel(t.Context())
		var told []error
		r := s.reporter(t, p, func(c *report.Config) {
			c.Attempts = 1
			c.Report = func(err error) {
				if told = append(told, err); len(told) == rounds {
					cancel()
				}
			}
		})
		require.NoError(t, r.Run(ctx, sampler), "the end of the context is no error")
		return p, told
	}
	t.Run("the interval is jittered by a tenth", func(t *testing.T) {
		s := serve(t, nil)
		s.handlers = []http.HandlerFunc{s.accept(0)}
		p, told := run(t, s, samples(1), 20)
		require.Len(t, told, 20)
		for _, d := range p.d {
			require.GreaterOrEqual(t, d, 54*time.Second)
			require.LessOrEqual(t, d, 66*time.Second)
		}
	})
	t.Run("the server's wish counts, and not below the least", func(t *testing.T) {
		s := serve(t, nil)
		s.handlers = []http.HandlerFunc{s.accept(600), s.accept(1)}
		p, _ := run(t, s, samples(1), 2)
		require.Greater(t, p.d[0], 9*time.Minute-time.Second)
		require.Equal(t, report.MinInterval, p.d[1])
	})
	t.Run("an outage is told and survived", func(t *testing.T) {
		s := serve(t, nil)
		s.handlers = []http.HandlerFunc{problem(503), s.accept(0)}
		_, told := run(t, s, samples(1), 2)
		require.ErrorIs(t, told[0], report.ErrUnavailable)
		require.NoError(t, told[1])
		require.Len(t, s.accepted(t), 2)
	})
	t.Run("a sampler that fails is told and asked again", func(t *testing.T) {
		_, told := run(t, serve(t, problem(500)), broken{}, 3)
		require.ErrorContains(t, told[2], "no /proc")
	})
}

func BenchmarkSend(b *testing.B) {
	s := serve(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"accepted":true,"next_seconds":60}`)
	})
	r := s.reporter(b, &pauses{})
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Send(b.Context(), sample(1)); err != nil {
			b.Fatal(err)
		}
	}
}
