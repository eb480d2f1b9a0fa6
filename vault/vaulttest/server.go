package vaulttest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/pioneerdesk/tomkit/internal/wait"
)

// Config tunes a Server. The zero value serves an empty instance.
type Config struct {
	// Listen is the address to listen on. Empty means a free port of 127.0.0.1.
	Listen string
	// Hosts are names and addresses the certificate is for besides those of this machine. The first is used in URL; without
	// one it is localhost.
	Hosts []string
	// Secrets are the secrets at start: path → field → value.
	Secrets map[string]map[string]string
	// Project and Instance are UUIDs. Empty means random ones.
	Project, Instance string
	// TokenTTL is the life of a Vault token. Zero means 15 minutes; negative is an error.
	TokenTTL time.Duration
	// AccessTTL is the life of an access token of the management plane. Zero means 10 minutes; negative is an error.
	AccessTTL time.Duration
	// MaxAssertion is the longest life of an assertion. Zero means an hour; negative is an error.
	MaxAssertion time.Duration
	// LoginGrace is how long the Vault does not know a new user yet. Zero means not at all; negative is an error.
	LoginGrace time.Duration
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
	// Wait waits for d or until ctx ends, then with ctx's error, for faults that are slow. Nil means a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

func (c Config) withDefaults() (Config, error) {
	for _, d := range []*time.Duration{&c.TokenTTL, &c.AccessTTL, &c.MaxAssertion, &c.LoginGrace} {
		if *d < 0 {
			return c, errors.New("vaulttest: config: negative value")
		}
	}
	c.Listen = orDefault(c.Listen, "127.0.0.1:0")
	c.Project = orDefault(c.Project, randomUUID())
	c.Instance = orDefault(c.Instance, randomUUID())
	c.TokenTTL = orDefault(c.TokenTTL, 15*time.Minute)
	c.AccessTTL = orDefault(c.AccessTTL, 10*time.Minute)
	c.MaxAssertion = orDefault(c.MaxAssertion, time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = wait.For
	}
	return c, nil
}

func orDefault[T string | time.Duration](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// State is what the Vault's node is.
type State int

// States. All but Active refuse everything except health and seal status.
const (
	Active State = iota
	Standby
	Sealed
	Uninitialized
)

// Server is the fake. It is safe for concurrent use.
type Server struct {
	cfg    Config
	url    string
	ca     *authority
	certs  map[Certificate]*tls.Certificate
	http   *http.Server
	served chan struct{}

	mu           sync.Mutex
	rules        []*rule
	journal      []Call
	certificate  Certificate
	state        State
	forbidRevoke bool
	root         string

	account accountKey
	used    map[string]bool      // ids of assertions
	access  map[string]time.Time // access tokens and their ends
	users   []*user
	acls    []acl
	roles   []role
	tokens  map[string]*token
	secrets map[string]*secret
}

// TB is the part of testing.TB that New needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// New starts a Server for a test and closes it with it.
func New(t TB, cfg Config) *Server {
	t.Helper()
	s, err := Start(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start listens and serves until Close.
func Start(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, served: make(chan struct{}), used: map[string]bool{}, access: map[string]time.Time{},
		tokens: map[string]*token{}, secrets: map[string]*secret{},
	}
	if s.account, err = newAccountKey(); err != nil {
		return nil, err
	}
	for path, fields := range cfg.Secrets {
		if err := s.Put(path, fields); err != nil {
			return nil, err
		}
	}
	s.root = s.issue([]string{"root"}, "root", "auth/token/root", 0).id
	hosts := append(append([]string{}, cfg.Hosts...), "localhost", "127.0.0.1", "::1")
	now := cfg.Now()
	if s.ca, err = newAuthority(now); err != nil {
		return nil, err
	}
	if s.certs, err = certificates(s.ca, now, hosts); err != nil {
		return nil, err
	}
	return s, s.listen(hosts[0])
}

func (s *Server) listen(host string) error {
	listener, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("vaulttest: listen: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.url = "https://" + net.JoinHostPort(host, port)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // faults are meant
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			Time:       s.cfg.Now,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.certs[s.certificate], nil
			},
		},
	}
	go func() {
		defer close(s.served)
		_ = s.http.ServeTLS(listener, "", "")
	}()
	return nil
}

// Close ends all connections and the server.
func (s *Server) Close() {
	_ = s.http.Close()
	<-s.served
}

// URL is the address of the Vault and of the management API, without a path.
func (s *Server) URL() string { return s.url }

// TokenEndpoint is the address where assertions are exchanged.
func (s *Server) TokenEndpoint() string { return s.url + "/token" }

// Project is the id of the project.
func (s *Server) Project() string { return s.cfg.Project }

// Instance is the id of the instance, which is the mount of its KV engine too.
func (s *Server) Instance() string { return s.cfg.Instance }

// Roots returns a pool with the authority the server's certificate leads to.
func (s *Server) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	return pool
}

// CA returns the authority's certificate as PEM.
func (s *Server) CA() []byte { return s.ca.pem() }

// PublicKey returns the certificate the server shows, for pins.
func (s *Server) PublicKey() (*x509.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return x509.ParseCertificate(s.certs[s.certificate].Certificate[0])
}

// RootToken returns a token that may do everything with secrets.
func (s *Server) RootToken() string { return s.root }

// Show makes the server show another certificate on new connections.
func (s *Server) Show(c Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certificate = c
}

// SetState makes the Vault's node active, standby, sealed or uninitialised.
func (s *Server) SetState(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// ForbidRevoke makes the Vault refuse that tokens revoke themselves, with 403, or allow it again.
func (s *Server) ForbidRevoke(forbid bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forbidRevoke = forbid
}

// Call is an entry of the journal.
type Call struct {
	Step      Step
	Method    string
	Path      string      // escaped, with the query
	Header    http.Header // without tokens
	Status    int         // answered; 0 if the connection was reset
	Happened  bool        // the call had its effect, whatever was answered
	RequestID string      // the client's X-Request-Id
	At        time.Time
}

// Journal returns the calls so far, in the order in which they were handled.
func (s *Server) Journal() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.journal...)
}

// Steps returns the steps of the journal.
func (s *Server) Steps() []Step {
	var steps []Step
	for _, c := range s.Journal() {
		steps = append(steps, c.Step)
	}
	return steps
}

// answer is what a handler wants sent.
type answer struct {
	status int
	body   []byte
}

// reply is an answer with v as its document.
func reply(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // v is made here
	}
	return answer{status, append(body, '\n')}
}

const maxRequest = 1 << 20 // bytes

// serve handles one call of either plane.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	step, handle := s.route(r)
	header := r.Header.Clone()
	header.Del("Authorization")
	header.Del("X-Vault-Token")
	call := Call{
		Step: step, Method: r.Method, Path: r.URL.RequestURI(), Header: header, RequestID: r.Header.Get("X-Request-Id"), At: s.cfg.Now(),
	}
	s.mu.Lock()
	f := s.fault(step)
	s.mu.Unlock()
	if f.Latency > 0 && s.cfg.Wait(r.Context(), f.Latency) != nil {
		panic(http.ErrAbortHandler)
	}
	a := s.handle(&call, f, func() answer { return handle(&request{Request: r, body: body}) })
	if call.Status == 0 {
		reset(w)
		return
	}
	f.send(r.Context(), w, a, s.cfg.Wait)
}

// handle runs a handler under the lock, unless the fault keeps the call from happening, and writes the journal.
func (s *Server) handle(call *Call, f Fault, handler func() answer) (a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case f.Reset:
	case f.Status != 0:
		a = reply(f.Status, map[string]any{"errors": []string{"injected"}, "message": "injected"})
	default:
		a, call.Happened = handler(), true
		if f.Body != nil {
			a.status = http.StatusOK
		}
	}
	if !f.Reset && !f.LoseAnswer {
		call.Status = a.status
	}
	s.journal = append(s.journal, *call)
	return a
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // does not fail
	return hex.EncodeToString(b)
}

func randomUUID() string {
	u := make([]byte, 16)
	_, _ = rand.Read(u) // does not fail
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// shared is one RSA key for all servers of a process, since making one takes long. It is worth nothing.
var shared = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// HTTPClient returns a client of the standard library that trusts s and uses no proxy.
func HTTPClient(s *Server) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Roots(), Time: s.cfg.Now}, DisableKeepAlives: true}}
}
