package authntest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

// Grant implements [authn.Sessions].
func (m *Memory) Grant(ctx context.Context, g authn.Grant, events ...record.Event) error {
	t, leave, err := m.enter(ctx, g.Session.Tenant)
	if err != nil {
		return err
	}
	defer leave()
	u := t.users[g.Session.User]
	if u == nil || u.account.Disabled || u.account.Version != g.Version || t.suspended {
		return authn.ErrConflict
	}
	var step *authn.Step
	if g.Purpose != "" {
		if step = t.live(g.Step, g.Now); step == nil || step.User != g.Session.User || step.Purpose != g.Purpose {
			return authn.ErrConflict
		}
	}
	if err := t.allowed(u, g, step); err != nil {
		return err
	}
	if err := m.record(t, events); err != nil {
		return err
	}
	t.apply(u, g, step)
	return nil
}

// allowed checks what the purpose demands.
func (t *memTenant) allowed(u *memUser, g authn.Grant, step *authn.Step) error {
	switch g.Purpose {
	case authn.PurposeTOTP:
		if u.totp == nil {
			return authn.ErrConflict
		}
		if u.totp.LastStep >= g.TOTPStep {
			return authn.ErrCode
		}
	case authn.PurposeEnrolTOTP:
		if u.totp != nil {
			return authn.ErrConflict
		}
	case "":
		if u.totp != nil || !t.mfaFree {
			return authn.ErrConflict
		}
	default:
		return authn.ErrConflict
	}
	return nil
}

// apply makes the changes of a grant that was checked and recorded.
func (t *memTenant) apply(u *memUser, g authn.Grant, step *authn.Step) {
	if step != nil {
		step.ConsumedAt = g.Now
	}
	switch g.Purpose {
	case authn.PurposeTOTP:
		u.totp.LastStep = g.TOTPStep
	case authn.PurposeEnrolTOTP:
		u.totp = &authn.TOTPFactor{Sealed: g.Sealed, LastStep: g.TOTPStep}
		u.account.Version++
	}
	if g.Settle != (authn.CounterKey{}) {
		delete(t.counters, g.Settle)
	}
	t.sessions[g.Session.ID] = &memSession{Session: g.Session}
}

// alive finds a live session.
func (t *memTenant) alive(id uuid.UUID, now time.Time) *memSession {
	s := t.sessions[id]
	if s == nil || s.ended || t.suspended || !now.Before(s.IdleAt) || !now.Before(s.EndsAt) || t.users[s.User].account.Disabled {
		return nil
	}
	return s
}

// Session implements [authn.Sessions].
func (m *Memory) Session(ctx context.Context, tenant, id uuid.UUID, now time.Time, idle time.Duration) (authn.Session, error) {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return authn.Session{}, err
	}
	defer leave()
	s := t.alive(id, now)
	if s == nil {
		return authn.Session{}, authn.ErrNotFound
	}
	if idle > 0 {
		s.IdleAt = now.Add(idle)
		if s.IdleAt.After(s.EndsAt) {
			s.IdleAt = s.EndsAt
		}
	}
	out, a := s.Session, t.view(t.users[s.User])
	out.Email, out.Role, out.Policies, out.PolicyVersion = a.Email, a.Role, a.Policies, a.PolicyVersion
	return out, nil
}

// EndSession implements [authn.Sessions].
func (m *Memory) EndSession(ctx context.Context, tenant, user, id uuid.UUID, now time.Time, events ...record.Event) error {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return err
	}
	defer leave()
	s := t.alive(id, now)
	if s == nil || s.User != user {
		return authn.ErrConflict
	}
	if err := m.record(t, events); err != nil {
		return err
	}
	s.ended = true
	return nil
}

// Revoked implements [authn.Sessions].
func (m *Memory) Revoked(ctx context.Context, tenant, id uuid.UUID, now time.Time) (bool, error) {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return true, err
	}
	defer leave()
	return t.alive(id, now) == nil, nil
}
