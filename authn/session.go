package authn

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Renew makes a new access token for a live session, with the account's present role and policies, and moves the end of
// inactivity. The time of authentication stays. Routes that poll on their own must not call it: they are no activity.
// [ErrSession] if the session is over, unknown, or bound to another browser.
func (f *Flow) Renew(ctx context.Context, tenant, session uuid.UUID, b Binding) (*Granted, error) {
	now := f.now()
	s, err := f.cfg.Store.Session(ctx, tenant, session, now, 0)
	if err == nil && !s.Binding.equal(b) {
		return nil, ErrSession
	}
	if err == nil {
		s, err = f.cfg.Store.Session(ctx, tenant, session, now, f.cfg.Idle)
	}
	if errors.Is(err, ErrNotFound) {
		return nil, ErrSession
	}
	if err != nil {
		return nil, wrap("renew", err)
	}
	access, ends, err := f.access(s)
	if err != nil {
		return nil, wrap("renew", err)
	}
	return &Granted{Session: s, Access: access, ExpiresAt: ends}, nil
}

// SignOut ends a session at once and for good. Ending one that is over or unknown is no error and leaves no entry.
func (f *Flow) SignOut(ctx context.Context, tenant, session uuid.UUID) error {
	now := f.now()
	s, err := f.cfg.Store.Session(ctx, tenant, session, now, 0)
	if err == nil {
		err = f.cfg.Store.EndSession(ctx, tenant, s.User, session, now, logout(s, visit{now: now}))
	}
	if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		return nil
	}
	return wrap("sign out", err)
}

// Revoked reports whether an access token of this session must be refused: the session is unknown, signed out, over,
// idle, its user disabled or its tenant suspended. With an error it is always true.
func (f *Flow) Revoked(ctx context.Context, tenant, session uuid.UUID) (bool, error) {
	revoked, err := f.cfg.Store.Revoked(ctx, tenant, session, f.now())
	if err != nil {
		return true, wrap("revoked", err)
	}
	return revoked, nil
}
