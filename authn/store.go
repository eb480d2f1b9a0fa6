package authn

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/record"
)

// A Store keeps accounts, step tokens, factors, sessions and failure counters. Every method acts inside one tenant and
// must see nothing of another; every method that takes events records them in the transaction of its change and
// changes nothing if that fails. Times are UTC in microseconds and come from the caller. authn/authntest holds the suite
// an implementation has to pass.
type Store interface {
	Accounts
	Steps
	Factors
	Sessions
	Counters
}

// Accounts are users as the sign-in needs them.
type Accounts interface {
	// Account returns the account with a normalised e-mail address, whatever its state, or [ErrNotFound].
	Account(ctx context.Context, tenant uuid.UUID, email string) (Account, error)
	// Rehash replaces the stored hash old by new, both of the same password, so the account's Version stays.
	// [ErrConflict] if old is no longer the stored one.
	Rehash(ctx context.Context, tenant, user uuid.UUID, old, new string, events ...record.Event) error
	// Note records events that go with no change.
	Note(ctx context.Context, tenant uuid.UUID, events ...record.Event) error
}

// Steps are the half-finished sign-ins.
type Steps interface {
	// CreateStep stores s.
	CreateStep(ctx context.Context, s Step, events ...record.Event) error
	// Step returns the step token with this hash, whatever its state, together with its account, or [ErrNotFound].
	Step(ctx context.Context, tenant uuid.UUID, hash [32]byte) (Step, Account, error)
	// SpendAttempt takes one attempt and returns how many are left, or [ErrConflict] if the step token does not exist, is
	// consumed, expired at now, or has none left. Of n concurrent calls never more than the remaining attempts succeed.
	SpendAttempt(ctx context.Context, tenant uuid.UUID, hash [32]byte, now time.Time) (left int, err error)
}

// Factors are the second factors.
type Factors interface {
	// TOTP returns the user's active TOTP factor, or [ErrNotFound].
	TOTP(ctx context.Context, tenant, user uuid.UUID) (TOTPFactor, error)
	// OfferSecret stores sealed as the secret a step token offers for enrolment, unless it already offers one, and returns
	// the one it offers. [ErrConflict] if the step token does not exist, is consumed, or expired at now.
	OfferSecret(ctx context.Context, tenant uuid.UUID, hash [32]byte, sealed string, now time.Time) (string, error)
}

// Sessions are finished sign-ins.
type Sessions interface {
	// Grant makes a session, all or nothing, as [Grant] describes.
	Grant(ctx context.Context, g Grant, events ...record.Event) error
	// Session returns a session that is live at now with its account's present state, or [ErrNotFound]. With a positive
	// idle it also moves the end of inactivity to now + idle, never beyond the absolute end.
	Session(ctx context.Context, tenant, id uuid.UUID, now time.Time, idle time.Duration) (Session, error)
	// EndSession revokes a live session of user. [ErrConflict] if there is none.
	EndSession(ctx context.Context, tenant, user, id uuid.UUID, now time.Time, events ...record.Event) error
	// Revoked reports whether the session is anything but live at now: unknown, revoked, over, idle, its user disabled
	// or its tenant suspended.
	Revoked(ctx context.Context, tenant, id uuid.UUID, now time.Time) (bool, error)
}

// Counters count failures for the back-off.
type Counters interface {
	// Count loads the counters of keys (absent ones are zero), calls fn once while no other Count can see or change them,
	// and stores what fn left in the slice. An error of fn is returned as it is and nothing is stored.
	Count(ctx context.Context, tenant uuid.UUID, keys []CounterKey, fn func([]Counter) error) error
}

// Account is a user as the sign-in sees it.
type Account struct {
	Tenant, User uuid.UUID
	// Email is normalised; see [NormalizeEmail].
	Email string
	// PasswordHash is a PHC or legacy string, empty if the user has no password.
	PasswordHash string
	// Disabled means an administrator disabled the user.
	Disabled bool
	// Suspended means the tenant is not active.
	Suspended bool
	// MFARequired means the tenant demands a second factor.
	MFARequired bool
	// HasTOTP means the user has an active TOTP factor.
	HasTOTP bool
	// Version changes with the password, the role, the factors and the disabled flag. A step token is only good for the
	// version it was issued for.
	Version int64
	// Role is the name of the user's role, Policies the user's own and the role's policies, sorted.
	Role     string
	Policies []string
	// PolicyVersion changes with Role and Policies.
	PolicyVersion int64
}

// Purpose is what a step token may be used for.
type Purpose string

// The purposes.
const (
	// PurposeTOTP: present a code of the user's factor.
	PurposeTOTP Purpose = "totp"
	// PurposeEnrolTOTP: enrol a first TOTP factor.
	PurposeEnrolTOTP Purpose = "enrol_totp"
)

// Step is a step token as it is stored.
type Step struct {
	Tenant, User uuid.UUID
	// Hash is the SHA-256 of the token's random part.
	Hash    [32]byte
	Purpose Purpose
	Binding Binding
	// UserVersion is the account's Version at issue.
	UserVersion int64
	CreatedAt   time.Time
	ExpiresAt   time.Time
	// Attempts is how many attempts are left.
	Attempts int
	// Offered is the sealed TOTP secret of an enrolment, empty before it began.
	Offered string
	// ConsumedAt is zero until the step token is used up.
	ConsumedAt time.Time
}

// TOTPFactor is an active TOTP factor.
type TOTPFactor struct {
	// Sealed is the secret, sealed for tenant and user; see [SecretAAD].
	Sealed string
	// LastStep is the time step of the last accepted code, −1 if none.
	LastStep int64
}

// Grant describes a new session and everything that must still be true for it, and change with it.
//
// The store checks in one transaction: the user exists, is not disabled, has version Version, and the tenant is active
// ([ErrConflict]); then, if Purpose is not empty, that the step token Step is this user's, for this purpose, unconsumed and
// unexpired at Now, and consumes it ([ErrConflict]); then by Purpose:
//   - PurposeTOTP: the factor's last step is below TOTPStep, and becomes it ([ErrCode] otherwise);
//   - PurposeEnrolTOTP: the user has no TOTP factor, and gets one with Sealed and TOTPStep ([ErrConflict] otherwise);
//   - empty: the tenant requires no second factor and the user has none ([ErrConflict] otherwise).
type Grant struct {
	Session  Session
	Purpose  Purpose
	Step     [32]byte
	Version  int64
	TOTPStep int64
	Sealed   string
	// Settle is a counter that starts again at zero, if not zero itself.
	Settle CounterKey
	Now    time.Time
}

// Session is a finished sign-in.
type Session struct {
	ID, Tenant, User uuid.UUID
	// Email is the user's present address.
	Email string
	// Role, Policies and PolicyVersion are the account's when the session was read.
	Role          string
	Policies      []string
	PolicyVersion int64
	// AMR is how the user was authenticated (RFC 8176): pwd, otp.
	AMR []string
	// AuthTime is when the user last presented a factor.
	AuthTime time.Time
	Binding  Binding
	// IdleAt ends the session unless it is renewed; EndsAt ends it in any case.
	IdleAt, EndsAt time.Time
}

// CounterKey names a failure counter: a hash over what is counted.
type CounterKey [32]byte

// Counter is the state of one failure counter. The zero value has counted nothing.
type Counter struct {
	// Failures counted since the counter was last quiet for the policy's Forget.
	Failures int
	// BlockedUntil is when the next attempt is looked at.
	BlockedUntil time.Time
	// LastAt is the time of the last attempt.
	LastAt time.Time
	// TrustedUntil: the account signed in from this address before; it is then not subject to the account-wide counter.
	TrustedUntil time.Time
}
