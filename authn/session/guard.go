package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

var (
	// ErrRevoked says that the session was ended before its time.
	ErrRevoked = errors.New("session: revoked")
	// ErrUnavailable says that revocation could not be asked: the request is refused, not the session.
	ErrUnavailable = errors.New("session: revocation unknown")
)

// Verifier checks a token and returns its claims. authn/token's verifier fits through [VerifierFunc].
type Verifier interface {
	Verify(token string) (Claims, error)
}

// VerifierFunc is a function as a Verifier:
//
//	session.VerifierFunc(func(t string) (session.Claims, error) {
//		c, err := tokens.Verify(t)
//		return session.Claims(c), err
//	})
type VerifierFunc func(token string) (Claims, error)

// Verify implements Verifier.
func (f VerifierFunc) Verify(token string) (Claims, error) { return f(token) }

// Revocations knows which sessions were ended. It gets the whole session, since revocation may name the session, or
// everything of a user or a tenant issued before some time. An error refuses the request.
type Revocations interface {
	Revoked(ctx context.Context, s Session) (bool, error)
}

// ByID makes Revocations of a function that looks a session up by tenant and session id.
type ByID func(ctx context.Context, tenant, session uuid.UUID) (bool, error)

// Revoked implements Revocations.
func (f ByID) Revoked(ctx context.Context, s Session) (bool, error) {
	return f(ctx, s.Tenant(), s.ID())
}

// Config tunes a Guard.
type Config struct {
	// Verifier checks tokens. Required.
	Verifier Verifier
	// Revocations is asked at every request. Required.
	Revocations Revocations
	// RevocationTimeout bounds the question. Zero means 2s.
	RevocationTimeout time.Duration
	// OnError answers a refused request; err matches one of this package's errors. It must not call the handler's work.
	// Nil means a bare status from Status with a fixed text.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// Guard authenticates requests. It is immutable and safe for concurrent use.
type Guard struct{ cfg Config }

// New returns a Guard.
func New(cfg Config) (*Guard, error) {
	if cfg.Verifier == nil || cfg.Revocations == nil {
		return nil, errors.New("session: new: verifier and revocations are required")
	}
	if cfg.RevocationTimeout < 0 {
		return nil, errors.New("session: new: negative timeout")
	}
	if cfg.RevocationTimeout == 0 {
		cfg.RevocationTimeout = 2 * time.Second
	}
	if cfg.OnError == nil {
		cfg.OnError = bareError
	}
	return &Guard{cfg: cfg}, nil
}

// Authenticate returns the session of a request. Errors match ErrNone, ErrAmbiguous, ErrInvalid, ErrRevoked or
// ErrUnavailable; with any of them the session is the zero one.
func (g *Guard) Authenticate(r *http.Request) (Session, error) {
	token, via, err := Read(r)
	if err != nil {
		return Session{}, err
	}
	claims, err := g.cfg.Verifier.Verify(token)
	if err != nil {
		return Session{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	s := Session{claims: claims, via: via} // accessors copy, so shared slices stay untouched
	if s.User() == uuid.Nil || s.Tenant() == uuid.Nil || s.ID() == uuid.Nil {
		return Session{}, ErrInvalid
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.cfg.RevocationTimeout)
	defer cancel()
	revoked, err := g.cfg.Revocations.Revoked(ctx, s)
	switch {
	case err != nil:
		return Session{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case ctx.Err() != nil:
		return Session{}, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err()) // an answer after the limit may be stale
	case revoked:
		return Session{}, ErrRevoked
	}
	return s, nil
}

// Middleware calls next only for authenticated requests, with the session in their context.
func (g *Guard) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := g.Authenticate(r)
		if err != nil {
			g.cfg.OnError(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), s)))
	})
}

// Status returns the HTTP status for an error of Authenticate: 400 for ErrAmbiguous, 503 for ErrUnavailable, 401 for the
// rest.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrAmbiguous):
		return http.StatusBadRequest
	case errors.Is(err, ErrUnavailable):
		return http.StatusServiceUnavailable
	}
	return http.StatusUnauthorized
}

func bareError(w http.ResponseWriter, _ *http.Request, err error) {
	status := Status(err)
	w.Header().Set("Cache-Control", "no-store")
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, http.StatusText(status), status)
}
