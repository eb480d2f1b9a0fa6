package server

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
	"github.com/pioneerdesk/tomkit/abac/humaabac"
	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/authn/session"
	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/server/fleet"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
)

// api holds what the endpoints need.
type api struct {
	db     *rls.DB
	flow   *authn.Flow
	people *pgauthn.Store
	guard  *session.Guard
	// policies are those in force; nil without a policy set.
	policies func() *abac.Policies
	// catalogue are the roles there are.
	catalogue func() *abac.Roles
	sets      *abac.Cache
	fleet     *fleet.Store
	beats     heartbeat.Acceptor
	ledger    *pgledger.Log
	metrics   *metrics
	log       *slog.Logger
	now       func() time.Time
	huma      huma.API
}

// handler builds the whole HTTP surface: the guarded routes, the probes and what stands in front of them.
func (a *api) handler(universe *abac.Universe, hsts bool, parts map[string]func(context.Context) error) (http.Handler, []httpabac.Route, error) {
	guard, err := httpabac.New(httpabac.Config{
		Universe: universe, Record: a.decision, RequestID: requestID, ProblemBase: problemType, Now: a.now, Policies: a.policies, Facts: facts,
	})
	if err != nil {
		return nil, nil, err
	}
	mux := httpabac.NewMux(guard)
	config := huma.DefaultConfig("tomkit", cli.Version())
	config.Info.Description = "Reference server of tomkit: sign-in, devices, heartbeats and the ledger of a multi-tenant platform."
	config.CreateHooks = nil // they would add $schema links to every body
	config.DocsPath = ""     // its page loads scripts from elsewhere
	config.RejectUnknownQueryParameters = true
	strict := strictJSON(config.Formats["application/json"])
	config.Formats = map[string]huma.Format{"application/json": strict, "json": strict} // "json": every …+json
	config.Transformers = append(config.Transformers, problems)
	a.huma = humaabac.NewAPI(mux, config, httpabac.Public("the description of the API holds no data"))
	a.signIn()
	a.devices()
	a.users()
	a.audit()

	probes := httpabac.Public("probes name parts, not data")
	mux.HandleFunc("GET /livez", live, probes)
	mux.HandleFunc("GET /readyz", ready(parts), probes)
	mux.HandleFunc("GET /startupz", live, probes) // the listener opens after start-up
	mux.HandleFunc("GET /docs", a.page, httpabac.Public("the description of the API holds no data"))

	sameOrigin, err := session.CrossOrigin(session.CrossOriginConfig{OnError: func(w http.ResponseWriter, r *http.Request, _ error) {
		writeProblem(w, r, newProblem(http.StatusForbidden, "cross_origin", "The request comes from another origin."))
	}})
	if err != nil {
		return nil, nil, err
	}
	var h http.Handler = mux
	for _, wrap := range []func(http.Handler) http.Handler{a.metrics.measured, worded, a.authenticated, sameOrigin, addressed, limited, hardened(hsts), recovered(a.log), identified} {
		h = wrap(h) // the last one stands in front
	}
	return h, mux.Routes(), nil
}

// protected registers an operation for holders of permission.
func protected[I, O any](a *api, op huma.Operation, permission string, handler func(context.Context, *I) (*O, error)) {
	op.MaxBodyBytes = maxBody
	humaabac.Register(a.huma, op, httpabac.Policy(permission, httpabac.MFA(abac.MultiFactor, 0)), handler)
}

// public registers an operation for everybody, for the reason given.
func public[I, O any](a *api, op huma.Operation, reason string, handler func(context.Context, *I) (*O, error)) {
	op.MaxBodyBytes = maxBody
	humaabac.Register(a.huma, op, httpabac.Public(reason), handler)
}

type authErrorKey struct{}

// Two reasons why there is no session that are not the client's lack of one.
var (
	unchecked = newProblem(http.StatusServiceUnavailable, "unavailable", "The session cannot be checked at the moment.")
	ambiguous = newProblem(http.StatusBadRequest, "ambiguous_credentials", "The request carries more than one credential.")
)

// authenticated puts the session and its subject into the request's context. A request without a usable credential goes on without:
// the guard of its route decides. A device's credential is not a session's and is left to the endpoints that know it. Outside /v1/,
// for probes and documentation, nobody looks at credentials.
func (a *api) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") || strings.HasPrefix(r.Header.Get("Authorization"), "Bearer tk1_") {
			next.ServeHTTP(w, r)
			return
		}
		s, err := a.guard.Authenticate(r)
		signingIn := strings.HasPrefix(r.URL.Path, "/v1/auth/")
		switch {
		case err == nil:
			ctx := httpabac.WithSubject(session.NewContext(r.Context(), s), a.subject(s))
			r = r.WithContext(ctx)
		case errors.Is(err, session.ErrUnavailable) && !signingIn:
			w.Header().Set("Retry-After", "1")
			writeProblem(w, r, unchecked)
			return
		case errors.Is(err, session.ErrAmbiguous) && !signingIn:
			writeProblem(w, r, ambiguous)
			return
		default:
			r = r.WithContext(context.WithValue(r.Context(), authErrorKey{}, err))
		}
		next.ServeHTTP(w, r)
	})
}

func (a *api) subject(s session.Session) *abac.Subject {
	level := abac.SingleFactor
	if s.HasMethod("otp") {
		level = abac.MultiFactor
	}
	return &abac.Subject{
		ID: s.User(), Tenant: s.Tenant(), Session: s.ID(), Role: s.Role(), Set: a.sets.Set(s.Role(), s.Policies()),
		Version: s.PolicyVersion(), Level: level, AuthTime: s.AuthTime(),
	}
}

// session returns the caller's session for operations that need one but no permission.
func (a *api) session(ctx context.Context) (session.Session, error) {
	s, ok := session.FromContext(ctx)
	if ok {
		return s, nil
	}
	switch err, _ := ctx.Value(authErrorKey{}).(error); {
	case errors.Is(err, session.ErrUnavailable):
		return s, huma.ErrorWithHeaders(unchecked, http.Header{"Retry-After": {"1"}})
	case errors.Is(err, session.ErrAmbiguous):
		return s, ambiguous
	}
	return s, newProblem(http.StatusUnauthorized, "no_token", "Sign in first.")
}

// actor returns the session and the person behind it, for changes that name who made them.
func (a *api) actor(ctx context.Context) (session.Session, fleet.Actor, error) {
	s, err := a.session(ctx)
	if err != nil {
		return s, fleet.Actor{}, err
	}
	live, err := a.people.Session(ctx, s.Tenant(), s.ID(), a.now().UTC(), 0)
	if err != nil {
		return s, fleet.Actor{}, a.fault(ctx, err)
	}
	return s, fleet.Actor{User: s.User(), Email: live.Email}, nil
}

// decision logs refused requests and privileged ones. It holds ids only.
func (a *api) decision(ctx context.Context, rec httpabac.Record) error {
	attrs := []any{
		"allowed", rec.Decision.Allowed, "reason", rec.Decision.Reason.String(), "permission", rec.Permission,
		"method", rec.Method, "route", rec.Route, "request_id", rec.RequestID,
	}
	if rec.Subject != nil {
		attrs = append(attrs, "user", rec.Subject.ID, "tenant", rec.Subject.Tenant)
	}
	if !rec.Decision.Allowed {
		a.metrics.denies.WithLabelValues(rec.Decision.Reason.String()).Inc()
	}
	a.log.InfoContext(ctx, "decision", attrs...)
	return nil
}

// facts is what constraints of a policy set can look at here: the client's address, and the tenant the session works in, whose every
// resource is in this server.
func facts(r *http.Request, req *abac.Request) {
	req.Addr, _ = r.Context().Value(clientKey{}).(netip.Addr)
	if sub := httpabac.SubjectFrom(r.Context()); sub != nil {
		req.Tenant = sub.Tenant
	}
}

// addressed puts the client's address into the context.
func addressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, addr.Addr().Unmap())))
	})
}

func hexHash(h [32]byte) string { return hex.EncodeToString(h[:]) }
