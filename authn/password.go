package authn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn/credential"
	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

// Password is the first step: it checks an e-mail address and a password and returns the next state. The errors are
// [ErrSignIn], a *[ThrottledError], and wrapped errors of the store or the hasher.
func (f *Flow) Password(ctx context.Context, r PasswordRequest) (State, error) {
	if r.Binding.isZero() {
		return nil, errors.New("authn: password: no binding")
	}
	v := visit{binding: r.Binding, from: r.Address, now: f.now()}
	email, err := NormalizeEmail(r.Email)
	if err != nil {
		email = "" // nobody's address: the same way as an unknown one
	}
	g, count := newGuess(r.Tenant, email, r.Address), f.counting(r.Tenant)
	if err := f.cfg.Throttle.admit(ctx, count, g, v.now); err != nil {
		return nil, wrap("password", err)
	}
	c, err := f.verify(ctx, r, email)
	if err != nil {
		return nil, wrap("password", err)
	}
	if c.why != passed {
		return nil, f.refuse(ctx, r.Tenant, c, v)
	}
	if c.rehash {
		if err := f.rehash(ctx, c.account, r.Password, v); err != nil {
			return nil, wrap("password: rehash", err)
		}
	}
	if err := f.cfg.Throttle.forgive(ctx, count, g, v.now); err != nil {
		return nil, wrap("password", err)
	}
	return f.advance(ctx, c.account, v)
}

// counting is where attempts at the tenant are counted.
func (f *Flow) counting(tenant uuid.UUID) counting {
	if tenant == uuid.Nil {
		return f.strangers.count
	}
	return func(ctx context.Context, keys []CounterKey, fn func([]Counter) error) error {
		return f.cfg.Store.Count(ctx, tenant, keys, fn)
	}
}

// checked is the outcome of the first step.
type checked struct {
	account Account
	why     reason
	// broken is why the stored hash could not be used, if that was it.
	broken error
	rehash bool
}

// verify looks the account up and checks the password. Whatever is wrong, it costs one lookup and one hash. An error
// means that it could not be decided.
func (f *Flow) verify(ctx context.Context, r PasswordRequest, email string) (checked, error) {
	tenant := r.Tenant
	if tenant == uuid.Nil {
		tenant = f.nowhere
	}
	a, err := f.cfg.Store.Account(ctx, tenant, email)
	if errors.Is(err, ErrNotFound) || err == nil && r.Tenant == uuid.Nil {
		return f.dummy(ctx, r, checked{account: Account{Tenant: r.Tenant}, why: unknownAccount})
	}
	if err != nil {
		return checked{}, err
	}
	if a.PasswordHash == "" {
		return f.dummy(ctx, r, checked{account: a, why: noPassword})
	}
	c := checked{account: a}
	res, err := f.cfg.Passwords.Verify(ctx, a.PasswordHash, r.Password)
	c.rehash = res.NeedsRehash
	switch {
	case errors.Is(err, password.ErrMismatch):
		c.why = wrongPassword
	case errors.Is(err, password.ErrFormat), errors.Is(err, password.ErrCost), errors.Is(err, password.ErrPepper):
		c.why, c.broken = hashUnusable, err
	case err != nil:
		return checked{}, err
	case a.Suspended:
		c.why = tenantSuspended
	case a.Disabled:
		c.why = userDisabled
	}
	return c, nil
}

// dummy spends the work of a password check that cannot succeed.
func (f *Flow) dummy(ctx context.Context, r PasswordRequest, c checked) (checked, error) {
	err := f.cfg.Passwords.VerifyDummy(ctx, r.Password)
	if errors.Is(err, password.ErrMismatch) {
		return c, nil
	}
	if err == nil {
		err = errors.New("a dummy hash was accepted")
	}
	return checked{}, err
}

// refuse records why and answers the one answer.
func (f *Flow) refuse(ctx context.Context, tenant uuid.UUID, c checked, v visit) error {
	if tenant == uuid.Nil {
		if f.cfg.Stranger != nil {
			f.cfg.Stranger(ctx, StrangerAttempt{At: v.now, Address: v.from})
		}
		return ErrSignIn
	}
	if err := f.cfg.Store.Note(ctx, tenant, loginFailed(c.account, c.why, v)); err != nil {
		return wrap("password", err)
	}
	if c.broken != nil {
		return fmt.Errorf("%w: %w", ErrSignIn, c.broken) // the answer of all others, and a hint for the operator's log
	}
	return ErrSignIn
}

// rehash brings the hash up to the active profile. Neither overload nor somebody else having changed the hash meanwhile
// is a reason to refuse: the next sign-in tries again.
func (f *Flow) rehash(ctx context.Context, a Account, given string, v visit) error {
	encoded, err := f.cfg.Passwords.Hash(ctx, given)
	if err != nil {
		return ctx.Err()
	}
	err = f.cfg.Store.Rehash(ctx, a.Tenant, a.User, a.PasswordHash, encoded, rehashed(a, v))
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// advance makes the next state of an account whose password was right.
func (f *Flow) advance(ctx context.Context, a Account, v visit) (State, error) {
	switch {
	case a.HasTOTP:
		token, ends, err := f.step(ctx, a, PurposeTOTP, v)
		if err != nil {
			return nil, err
		}
		return &Challenge{StepToken: token, Factors: []Purpose{PurposeTOTP}, ExpiresAt: ends}, nil
	case a.MFARequired:
		token, ends, err := f.step(ctx, a, PurposeEnrolTOTP, v)
		if err != nil {
			return nil, err
		}
		return &Enrolment{StepToken: token, Factors: []Purpose{PurposeEnrolTOTP}, ExpiresAt: ends}, nil
	}
	granted, err := f.grant(ctx, a, Grant{Version: a.Version}, v)
	if errors.Is(err, ErrConflict) {
		// The account or the tenant's rules changed since the password was checked.
		return nil, ErrSignIn
	}
	if err != nil {
		return nil, wrap("password", err)
	}
	return granted, nil
}

// step issues a step token.
func (f *Flow) step(ctx context.Context, a Account, p Purpose, v visit) (credential.Credential, time.Time, error) {
	token, err := credential.New(credential.Step, a.Tenant)
	if err != nil {
		return token, time.Time{}, wrap("step token", err)
	}
	s := Step{
		Tenant: a.Tenant, User: a.User, Hash: token.Hash(), Purpose: p, Binding: v.binding, UserVersion: a.Version,
		CreatedAt: v.now, ExpiresAt: v.now.Add(f.cfg.StepTTL), Attempts: f.cfg.Attempts,
	}
	if err := f.cfg.Store.CreateStep(ctx, s, firstStep(a, p, v)); err != nil {
		return token, time.Time{}, wrap("step token", err)
	}
	return token, s.ExpiresAt, nil
}

// grant completes g, makes the session and its access token. The token is signed first: it is worth nothing without
// the session, a session whose token could not be made would be a loose end.
func (f *Flow) grant(ctx context.Context, a Account, g Grant, v visit) (*Granted, error) {
	s := Session{
		ID: uuid.New(), Tenant: a.Tenant, User: a.User, Email: a.Email,
		Role: a.Role, Policies: a.Policies, PolicyVersion: a.PolicyVersion,
		AMR: []string{"pwd"}, AuthTime: v.now, Binding: v.binding,
		IdleAt: v.now.Add(f.cfg.Idle), EndsAt: v.now.Add(f.cfg.Absolute),
	}
	var events []record.Event
	if g.Purpose != "" {
		s.AMR = append(s.AMR, "otp")
	}
	if g.Purpose == PurposeEnrolTOTP {
		events = append(events, mfaEnabled(s, v))
	}
	access, ends, err := f.access(s)
	if err != nil {
		return nil, err
	}
	g.Session, g.Now = s, v.now
	if err := f.cfg.Store.Grant(ctx, g, append(events, login(s, v))...); err != nil {
		return nil, err
	}
	return &Granted{Session: s, Access: access, ExpiresAt: ends}, nil
}
