package session

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Claims is what a verified token says. Its fields are those of authn/token's Claims.
type Claims struct {
	Issuer        string    // who issued the token
	Audience      string    // whom it is for
	Subject       uuid.UUID // the user
	Tenant        uuid.UUID // the tenant the user belongs to
	Role          string    // the role's name
	Policies      []string  // resource:action, !resource:action
	PolicyVersion int64     // version of the policies
	Methods       []string  // how the user authenticated (RFC 8176)
	AuthTime      time.Time // when the user last presented a factor
	Session       uuid.UUID // what sign-out revokes
	ID            uuid.UUID // of the token
	IssuedAt      time.Time // when the token was issued
	NotBefore     time.Time // from when it is valid
	Expires       time.Time // when it ends
}

// Via says how a token came in.
type Via int

// The ways a token comes in. The zero Via is none.
const (
	ViaCookie Via = iota + 1 // in the access cookie
	ViaBearer                // in the Authorization header
)

// Session is a verified, unrevoked session. It is immutable: accessors return copies. The zero Session belongs to nobody.
type Session struct {
	claims Claims
	via    Via
}

// NewSession returns the session of claims, which it copies. Guard makes sessions of requests; this is for tests and for
// other ways in, whose caller must have verified the claims and asked for revocation.
func NewSession(c Claims, via Via) Session {
	c.Policies, c.Methods = slices.Clone(c.Policies), slices.Clone(c.Methods)
	return Session{claims: c, via: via}
}

// ID returns the id that sign-out revokes.
func (s Session) ID() uuid.UUID { return s.claims.Session }

// User returns the user's id.
func (s Session) User() uuid.UUID { return s.claims.Subject }

// Tenant returns the tenant's id.
func (s Session) Tenant() uuid.UUID { return s.claims.Tenant }

// Role returns the role's name.
func (s Session) Role() string { return s.claims.Role }

// Policies returns the policies the token carries.
func (s Session) Policies() []string { return slices.Clone(s.claims.Policies) }

// PolicyVersion returns the version of the policies the token carries.
func (s Session) PolicyVersion() int64 { return s.claims.PolicyVersion }

// Methods returns how the user authenticated (RFC 8176 names).
func (s Session) Methods() []string { return slices.Clone(s.claims.Methods) }

// HasMethod reports whether the user authenticated with method, for example "otp".
func (s Session) HasMethod(method string) bool { return slices.Contains(s.claims.Methods, method) }

// AuthTime returns when the user last presented a factor.
func (s Session) AuthTime() time.Time { return s.claims.AuthTime }

// Fresh reports whether the user presented a factor within maxAge before now. A future AuthTime is not fresh.
func (s Session) Fresh(now time.Time, maxAge time.Duration) bool {
	age := now.Sub(s.claims.AuthTime)
	return !s.claims.AuthTime.IsZero() && age >= 0 && age <= maxAge
}

// TokenID returns the id of the token that carried the session.
func (s Session) TokenID() uuid.UUID { return s.claims.ID }

// IssuedAt returns when the token was issued.
func (s Session) IssuedAt() time.Time { return s.claims.IssuedAt }

// Expires returns when the token ends; long-lived connections must end then too.
func (s Session) Expires() time.Time { return s.claims.Expires }

// Via returns how the token came in.
func (s Session) Via() Via { return s.via }

// LogValue implements [slog.LogValuer] with ids only.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", s.claims.Session.String()),
		slog.String("user", s.claims.Subject.String()),
		slog.String("tenant", s.claims.Tenant.String()),
	)
}

type contextKey struct{}

// NewContext returns ctx with s in it.
func NewContext(ctx context.Context, s Session) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the session of the request, if there is one.
func FromContext(ctx context.Context) (Session, bool) {
	s, ok := ctx.Value(contextKey{}).(Session)
	return s, ok
}
