package authn

import (
	"context"
	"errors"

	"github.com/pioneerdesk/tomkit/authn/credential"
	"github.com/pioneerdesk/tomkit/authn/totp"
)

// TOTP is the second step: it consumes the step token of a [Challenge] and one code. The errors are [ErrStepToken],
// [ErrCode] (a *[CodeError]), a *[ThrottledError], and wrapped errors of the store.
func (f *Flow) TOTP(ctx context.Context, r CodeRequest) (*Granted, error) {
	t, err := f.take(ctx, r, PurposeTOTP)
	if err != nil {
		return nil, err
	}
	factor, err := f.cfg.Store.TOTP(ctx, t.account.Tenant, t.account.User)
	if errors.Is(err, ErrNotFound) {
		return nil, f.reject(ctx, t.account, factorGone, t.visit)
	}
	if err != nil {
		return nil, wrap("totp", err)
	}
	return f.match(ctx, t, r.Code, factor)
}

// taken is a step token that one attempt was paid for.
type taken struct {
	step    Step
	account Account
	left    int
	visit   visit
}

// take finds the step token, pays for the attempt, and checks that this request may use it. Paying comes first, so that
// neither parallel guesses nor requests from another browser are free.
func (f *Flow) take(ctx context.Context, r CodeRequest, p Purpose) (taken, error) {
	t := taken{visit: visit{binding: r.Binding, from: r.Address, now: f.now()}}
	var err error
	if t.step, t.account, err = f.find(ctx, r.StepToken, t.visit); err != nil {
		return t, err
	}
	key := []CounterKey{codeKey(t.account)}
	err = f.cfg.Store.Count(ctx, t.step.Tenant, key, func(c []Counter) error {
		return throttled(f.cfg.Throttle.Code.take(&c[0], t.visit.now))
	})
	if err != nil {
		return t, wrap("step token", err)
	}
	t.left, err = f.cfg.Store.SpendAttempt(ctx, t.step.Tenant, t.step.Hash, t.visit.now)
	if errors.Is(err, ErrConflict) {
		return t, ErrStepToken
	}
	if err != nil {
		return t, wrap("step token", err)
	}
	if why := t.step.objection(t.account, r.Binding, p); why != passed {
		return t, f.reject(ctx, t.account, why, t.visit)
	}
	return t, nil
}

// codeKey counts wrong codes of one account over all its step tokens.
func codeKey(a Account) CounterKey { return counterKey("code", a.Tenant[:], a.User[:]) }

// find reads the step token named by text and sorts out the dead ones.
func (f *Flow) find(ctx context.Context, text string, v visit) (Step, Account, error) {
	token, err := credential.Parse(credential.Step, text)
	if err != nil {
		return Step{}, Account{}, ErrStepToken
	}
	s, a, err := f.cfg.Store.Step(ctx, token.Tenant(), token.Hash())
	switch {
	case errors.Is(err, ErrNotFound):
		return s, a, ErrStepToken
	case err != nil:
		return s, a, wrap("step token", err)
	case !s.ConsumedAt.IsZero():
		return s, a, f.reused(ctx, s, a, v)
	case !v.now.Before(s.ExpiresAt):
		return s, a, ErrStepToken
	}
	return s, a, nil
}

// reused records that a consumed step token came back, a few times: its holder must not be able to fill the log.
func (f *Flow) reused(ctx context.Context, s Step, a Account, v visit) error {
	key := []CounterKey{counterKey("reuse", s.Tenant[:], s.Hash[:])}
	err := f.cfg.Store.Count(ctx, s.Tenant, key, func(c []Counter) error {
		return throttled(f.cfg.Throttle.Pair.take(&c[0], v.now))
	})
	if errors.Is(err, ErrThrottled) {
		return ErrStepToken
	}
	if err == nil {
		err = f.cfg.Store.Note(ctx, s.Tenant, stepReused(a, v))
	}
	if err != nil {
		return wrap("step token", err)
	}
	return ErrStepToken
}

// objection says why a live step token is not good for this use.
func (s Step) objection(a Account, b Binding, p Purpose) reason {
	switch {
	case !s.Binding.equal(b):
		return otherBrowser
	case s.Purpose != p:
		return otherPurpose
	case a.Suspended:
		return tenantSuspended
	case a.Disabled:
		return userDisabled
	case a.Version != s.UserVersion:
		return accountChanged
	}
	return passed
}

// reject records why a step token is refused.
func (f *Flow) reject(ctx context.Context, a Account, why reason, v visit) error {
	if err := f.cfg.Store.Note(ctx, a.Tenant, mfaFailed(a, why, v)); err != nil {
		return wrap("step token", err)
	}
	return ErrStepToken
}

// match checks the code against factor and grants the session.
func (f *Flow) match(ctx context.Context, t taken, code string, factor TOTPFactor) (*Granted, error) {
	secret, err := f.cfg.Seal.Open(factor.Sealed, SecretAAD(t.account.Tenant, t.account.User))
	if err != nil {
		return nil, wrap("totp: secret", err)
	}
	step, err := f.cfg.Codes.Match(secret, code, t.visit.now, factor.LastStep)
	clear(secret)
	switch {
	case errors.Is(err, totp.ErrReused):
		return nil, f.badCode(ctx, t, usedCode)
	case errors.Is(err, totp.ErrMismatch):
		return nil, f.badCode(ctx, t, wrongCode)
	case err != nil:
		return nil, wrap("totp", err)
	}
	g := Grant{Purpose: t.step.Purpose, Step: t.step.Hash, Version: t.step.UserVersion, TOTPStep: step, Settle: codeKey(t.account)}
	if g.Purpose == PurposeEnrolTOTP {
		g.Sealed = factor.Sealed
	}
	granted, err := f.grant(ctx, t.account, g, t.visit)
	switch {
	case errors.Is(err, ErrCode):
		return nil, f.badCode(ctx, t, usedCode)
	case errors.Is(err, ErrConflict):
		return nil, f.reject(ctx, t.account, lostRace, t.visit)
	case err != nil:
		return nil, wrap("totp", err)
	}
	return granted, nil
}

// badCode records a wrong or used code.
func (f *Flow) badCode(ctx context.Context, t taken, why reason) error {
	if err := f.cfg.Store.Note(ctx, t.account.Tenant, mfaFailed(t.account, why, t.visit)); err != nil {
		return wrap("totp", err)
	}
	return &CodeError{AttemptsLeft: t.left}
}
