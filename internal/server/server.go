package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/authn/session"
	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
	"github.com/pioneerdesk/tomkit/internal/server/fleet"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
	"github.com/pioneerdesk/tomkit/rls/erasure"
	"github.com/pioneerdesk/tomkit/rls/tenant"
	"github.com/pioneerdesk/tomkit/vault/boot"
)

// Limits of a connection. A client that is slower than these is not one of ours.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 5 * time.Minute // exports stream
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10 // bytes
	shutdownLimit = 10 * time.Second
)

// Audience is the aud claim of access tokens.
const Audience = "tomkit"

// Server is the reference server: every control of the kit behind one HTTPS address. [Open] one, let it
// [Server.Listen] and [Server.Run], and [Server.Close] it.
type Server struct {
	// Logins are the connection strings in use, Superuser the private PostgreSQL's own one or the configured one, if any.
	Logins    rls.Logins
	Superuser string
	// DB, Ledger and People are the parts, for programs that compose the server.
	DB     *rls.DB
	Ledger *pgledger.Log
	People *pgauthn.Store
	// Issuer is the iss claim of access tokens.
	Issuer string
	// Authority signed the certificate, nil if it was given.
	Authority *Authority

	cfg      Config
	log      *slog.Logger
	metrics  *metrics
	lag      *ledgerLag
	accounts *rls.Accountant
	beats    *pgsink.Sink
	// retention is led by one process at a time.
	retention *erasure.Runner
	boot      *boot.Report // nil without a secrets manager
	handler   http.Handler
	routes    []httpabac.Route
	live      *abac.Live // nil without a policy set
	http      *http.Server
	listener  net.Listener
	// metricsListener is nil unless metrics are served.
	metricsListener net.Listener
	closers         []func(context.Context) error // in the order of opening
}

// Open starts the database if there is none, brings its schema up to date, checks every login and puts the controls together. It
// serves nothing yet: see [Server.Listen]. On an error everything that was started is stopped again.
func Open(ctx context.Context, cfg Config) (_ *Server, err error) {
	cfg, err = cfg.resolve()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log, metrics: newMetrics(), Issuer: "https://" + cfg.Host}
	defer func() {
		if err != nil {
			_ = s.Close(context.WithoutCancel(ctx)) // the first error is the one to report
		}
	}()
	keys, err := s.loadSecrets(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, keys); err != nil {
		return nil, err
	}
	if s.handler, s.routes, err = s.compose(keys); err != nil {
		return nil, err
	}
	if err := s.recordBoot(ctx); err != nil {
		return nil, err
	}
	resealed, err := s.People.MigrateSecrets(ctx) // TOM 1.2.1: at every start
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "TOTP secrets are sealed under the present key", "resealed", resealed.Resealed)
	return s, nil
}

// Routes lists every route with the permission it demands or the reason why it is public, for reviewers and tests.
func (s *Server) Routes() []httpabac.Route { return slices.Clone(s.routes) }

// open brings up the database and everything that lives in it.
func (s *Server) open(ctx context.Context, keys *secrets) error {
	logins, superuser, stop, err := Logins(ctx, s.cfg)
	if err != nil {
		return err
	}
	s.Logins, s.Superuser = logins, superuser
	s.closers = append(s.closers, stop)
	report, err := prepare(ctx, logins, keys.context)
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "schema is up to date", "applied", len(report.Applied))
	s.accounts, err = rls.NewAccountant(rls.AccountantConfig{Store: s.storeAccounts, Now: s.cfg.Now, Logger: s.log})
	if err != nil {
		return err
	}
	s.DB, err = rls.Open(ctx, rls.Config{
		AppURL: logins.App, MSPURL: logins.MSP, SystemURL: logins.System, ContextKey: keys.context, Account: s.account, Now: s.cfg.Now,
		Check: audit.Gate(audit.Options{}),
	})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func(context.Context) error { s.DB.Close(); return nil })
	s.metrics.pools(s.DB)
	if s.DB.Pooled(rls.RoleApp) {
		s.log.InfoContext(ctx, "the database is reached through a pooler")
	}
	if err := s.openLedger(ctx, keys); err != nil {
		return err
	}
	eraser, err := s.Eraser(nil)
	if err != nil {
		return err
	}
	s.retention, err = erasure.NewRunner(erasure.RunnerConfig{Eraser: eraser, Interval: s.cfg.RetentionEvery, Log: s.log})
	return err
}

// compose puts the controls together behind one handler.
func (s *Server) compose(keys *secrets) (http.Handler, []httpabac.Route, error) {
	codes, err := totp.New(totp.Config{})
	if err != nil {
		return nil, nil, err
	}
	s.People, err = pgauthn.New(pgauthn.Config{
		DB: s.DB, Record: s.Ledger, Seal: keys.mfa, Passwords: keys.passwords, Codes: codes, Now: s.cfg.Now,
	})
	if err != nil {
		return nil, nil, err
	}
	tokens, err := token.NewIssuer(keys.tokens, token.IssuerConfig{Issuer: s.Issuer, Audience: Audience, Now: s.cfg.Now})
	if err != nil {
		return nil, nil, err
	}
	flow, err := authn.New(authn.Config{
		Store: versioned{s.People, s.policyVersion}, Passwords: keys.passwords, Codes: codes, Seal: keys.mfa, Tokens: tokens, Now: s.cfg.Now,
		Stranger: func(ctx context.Context, _ authn.StrangerAttempt) {
			s.log.WarnContext(ctx, "sign-in at an unknown tenant")
		},
	})
	if err != nil {
		return nil, nil, err
	}
	verifier, err := token.NewVerifier([]token.PublicKey{keys.tokens.Public()}, token.VerifierConfig{Issuer: s.Issuer, Audience: Audience, CacheEntries: 4096, Now: s.cfg.Now})
	if err != nil {
		return nil, nil, err
	}
	guard, err := session.New(session.Config{
		Verifier: session.VerifierFunc(func(t string) (session.Claims, error) {
			c, err := verifier.Verify(t)
			return session.Claims(c), err
		}),
		Revocations: session.ByID(func(ctx context.Context, tenant, id uuid.UUID) (bool, error) { return flow.Revoked(ctx, tenant, id) }),
	})
	if err != nil {
		return nil, nil, err
	}
	universe, err := abac.NewUniverse(abac.TOM6Permissions()...)
	if err != nil {
		return nil, nil, err
	}
	sets, err := abac.NewCache(universe, abac.CacheConfig{})
	if err != nil {
		return nil, nil, err
	}
	if s.live, err = s.policies(context.Background(), universe); err != nil {
		return nil, nil, err
	}
	if s.beats, err = pgsink.New(s.DB, pgsink.Config{}); err != nil {
		return nil, nil, err
	}
	s.metrics.beats(s.beats.Stats)
	a := &api{
		db: s.DB, flow: flow, people: s.People, guard: guard, sets: sets, fleet: fleet.New(s.DB, s.Ledger, s.cfg.Now),
		beats: s.beats, ledger: s.Ledger, metrics: s.metrics, log: s.log, now: s.cfg.Now,
	}
	documented, err := abac.NewRoles(universe, 1, abac.TOM6Roles()...)
	if err != nil {
		return nil, nil, err
	}
	a.catalogue = func() *abac.Roles { return documented }
	if s.live != nil {
		a.policies = s.live.Policies
		a.catalogue = func() *abac.Roles { return s.live.Policies().Roles }
	}
	return a.handler(universe, s.cfg.Host != "localhost", map[string]func(context.Context) error{"database": s.ping, "ledger": s.checkLedger})
}

// ping asks the database through the request login.
func (s *Server) ping(ctx context.Context) error {
	var one int
	return s.DB.Anonymous().QueryRow(ctx, "SELECT 1").Scan(&one)
}

// Listen opens the HTTPS listener. Requests are answered once [Server.Run] runs.
func (s *Server) Listen(ctx context.Context) error {
	if s.cfg.Offline {
		return fmt.Errorf("%w: opened for administration, not to listen", ErrConfig)
	}
	certificate := s.cfg.TLS
	if certificate == nil {
		authority, err := NewAuthority(s.cfg.Now(), s.cfg.Host, "localhost", "127.0.0.1", "::1")
		if err != nil {
			return err
		}
		leaf := authority.ServerCertificate()
		s.Authority, certificate = authority, &leaf
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("server: listen: %w", err)
	}
	s.listener = listener
	s.closers = append(s.closers, func(context.Context) error { return ignoreClosed(listener.Close()) })
	if s.cfg.MetricsListen != "" {
		if s.metricsListener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.MetricsListen); err != nil {
			return fmt.Errorf("server: listen for metrics: %w", err)
		}
		s.closers = append(s.closers, func(context.Context) error { return ignoreClosed(s.metricsListener.Close()) })
	}
	s.http = &http.Server{
		Handler: s.handler, TLSConfig: tlsConfig(*certificate), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // handshakes of scanners
	}
	return nil
}

// URL is the address clients use, once the server listens.
func (s *Server) URL() string {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	return "https://" + net.JoinHostPort(s.cfg.Host, port)
}

// Run serves what [Server.Listen] opened until ctx ends, then finishes what is under way for up to ten seconds. It returns nil after an orderly end.
func (s *Server) Run(ctx context.Context) error {
	accounting, stop := context.WithCancel(context.WithoutCancel(ctx))
	accounted := make(chan error, 1)
	go func() { accounted <- s.accounts.Run(accounting) }()
	err := s.serve(ctx)
	stop() // the last accounts are those of the last parts
	if lost := <-accounted; lost != nil && !errors.Is(lost, tenant.ErrUnknown) {
		err = errors.Join(err, s.part("accounts", lost))
	}
	return err
}

// serve is Run without the accounting.
func (s *Server) serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := s.http.ServeTLS(s.listener, "", "")
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("server: serve: %w", err)
	})
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	if s.metricsListener != nil {
		exposed := &http.Server{Handler: s.metrics.handler(), ReadHeaderTimeout: headerTimeout}
		g.Go(func() error {
			if err := exposed.Serve(s.metricsListener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("server: metrics: %w", err)
			}
			return nil
		})
		g.Go(func() error { <-ctx.Done(); return exposed.Close() })
	}
	g.Go(func() error { return s.part("heartbeats", s.beats.Run(background)) })
	g.Go(func() error { return s.part("checkpoints", s.Ledger.Run(background)) })
	g.Go(func() error { s.sweep(background); return nil })
	if s.live != nil {
		g.Go(func() error { return s.part("policies", s.live.Run(background)) })
	}
	g.Go(func() error {
		defer stop() // the parts outlive the last request
		<-ctx.Done()
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
		defer cancel()
		if err := s.http.Shutdown(limited); err != nil {
			_ = s.http.Close() // the requests still under way are cut off
			return fmt.Errorf("server: shut down: %w", err)
		}
		return nil
	})
	return g.Wait()
}

// part names the background part that failed. Being told to stop is no failure.
func (s *Server) part(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("server: %s: %w", name, err)
}

// Close releases everything in reverse order, the private PostgreSQL last.
func (s *Server) Close(ctx context.Context) error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		if s.closers[i] != nil {
			errs = append(errs, s.closers[i](ctx))
		}
	}
	s.closers = nil
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
