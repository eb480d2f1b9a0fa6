package boot

import (
	"context"
	"errors"
	"time"

	"github.com/pioneerdesk/tomkit/vault/wire"
)

// cleanupPauses come between the tries to remove something.
var cleanupPauses = []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second}

// remove revokes the token and deletes the user, also when ctx is done. It returns why one of them is left.
func (l *login) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.CleanupTimeout)
	defer cancel()
	l.user.Password.Wipe()
	var revoked, deleted error
	if l.session != nil {
		revoked = l.step(ctx, StepRevoke, func(ctx context.Context) error { return l.insist(ctx, l.session.Revoke) })
		if errors.Is(revoked, wire.ErrPermission) { // it may only let tokens expire
			l.report.TokenUntil, revoked = l.session.Expires(), nil
		}
	}
	if l.user.ID != "" || l.uncertain {
		deleted = l.step(ctx, StepDelete, func(ctx context.Context) error { return l.insist(ctx, l.delete) })
	}
	return errors.Join(revoked, deleted)
}

// insist repeats fn while that can help.
func (l *login) insist(ctx context.Context, fn func(context.Context) error) error {
	for i := 0; ; i++ {
		err := fn(ctx)
		var refusal *wire.Error
		if err == nil || i == len(cleanupPauses) || !errors.As(err, &refusal) || !refusal.Retryable() {
			return err
		}
		if l.cfg.Wait(ctx, cleanupPauses[i]) != nil {
			return err
		}
	}
}

// delete removes the user, or all users that an unconfirmed creation has made.
func (l *login) delete(ctx context.Context) error {
	if l.user.ID != "" {
		return ignoreMissing(l.plane.DeleteUser(ctx, l.user))
	}
	users, err := l.plane.FindUsers(ctx, l.description)
	for _, u := range users {
		err = errors.Join(err, ignoreMissing(l.plane.DeleteUser(ctx, u)))
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, wire.ErrNotFound) {
		return nil
	}
	return err
}
