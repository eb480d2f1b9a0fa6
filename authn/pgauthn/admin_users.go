package pgauthn

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// User is a user as administration sees it.
type User struct {
	ID          uuid.UUID
	Email       string // personal
	DisplayName string // personal
	Role        string
	Disabled    bool
	HasPassword bool
	HasTOTP     bool
	CreatedAt   time.Time
}

// User returns a user of the tenant, or [ErrUser].
func (s *Store) User(ctx context.Context, tenant, user uuid.UUID) (User, error) {
	u := User{ID: user}
	err := s.cfg.DB.Tenant(tenant).QueryRow(ctx, `SELECT u.email, u.display_name, r.name, u.disabled_at IS NOT NULL, u.created_at,
			EXISTS (SELECT FROM tomkit.user_passwords p WHERE p.tenant_id = $1 AND p.user_id = u.id),
			EXISTS (SELECT FROM tomkit.user_totp f WHERE f.tenant_id = $1 AND f.user_id = u.id)
		FROM tomkit.users u JOIN tomkit.roles r ON r.tenant_id = u.tenant_id AND r.id = u.role_id
		WHERE u.tenant_id = $1 AND u.id = $2`, tenant, user).
		Scan(&u.Email, &u.DisplayName, &u.Role, &u.Disabled, &u.CreatedAt, &u.HasPassword, &u.HasTOTP)
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, ErrUser
	}
	if err != nil {
		return User{}, wrap("user", err)
	}
	u.CreatedAt = u.CreatedAt.UTC()
	return u, nil
}

// SetPassword gives the user another password and ends the user's sessions and pending sign-ins.
func (s *Store) SetPassword(ctx context.Context, by By, tenant, user uuid.UUID, password string) error {
	hash, err := s.cfg.Passwords.Hash(ctx, password)
	if err != nil {
		return wrap("hash", err)
	}
	return s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.setHash(ctx, tx, by, user, hash) })
}

// SetPasswordTx is SetPassword in the tenant of tx. The password is hashed while the transaction is open.
func (s *Store) SetPasswordTx(ctx context.Context, tx *rls.Tx, by By, user uuid.UUID, password string) error {
	hash, err := s.cfg.Passwords.Hash(ctx, password)
	if err != nil {
		return wrap("hash", err)
	}
	return s.setHash(ctx, tx, by, user, hash)
}

func (s *Store) setHash(ctx context.Context, tx *rls.Tx, by By, user uuid.UUID, hash string) error {
	p, err := take(ctx, tx, user)
	if err != nil {
		return err
	}
	now := s.now()
	if err := putHash(ctx, tx, p.tenant, user, hash, now); err != nil {
		return wrap("set password", err)
	}
	if err := p.endAll(ctx, tx, now); err != nil {
		return wrap("set password", err)
	}
	return s.record(ctx, tx, p.changed(by, "password_reset", now))
}

func putHash(ctx context.Context, tx *rls.Tx, tenant, user uuid.UUID, hash string, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO tomkit.user_passwords (tenant_id, user_id, hash, changed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at`, tenant, user, hash, now)
	return err
}

// endAll voids what the user has open: sessions now, step tokens by the account's version.
func (p person) endAll(ctx context.Context, tx *rls.Tx, now time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE tomkit.sessions SET ended_at = $3
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL`, p.tenant, p.id, now); err != nil {
		return err
	}
	return p.touch(ctx, tx)
}

// touch voids the user's pending step tokens.
func (p person) touch(ctx context.Context, tx *rls.Tx) error {
	_, err := tx.Exec(ctx, `UPDATE tomkit.users SET version = version + 1 WHERE tenant_id = $1 AND id = $2`, p.tenant, p.id)
	return err
}

// DisableUser keeps the user from signing in and ends the user's sessions. Disabling twice is no change and no entry.
func (s *Store) DisableUser(ctx context.Context, by By, tenant, user uuid.UUID) error {
	return s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.DisableUserTx(ctx, tx, by, user) })
}

// DisableUserTx is DisableUser in the tenant of tx.
func (s *Store) DisableUserTx(ctx context.Context, tx *rls.Tx, by By, user uuid.UUID) error {
	p, err := take(ctx, tx, user)
	if err != nil || p.disabled {
		return err
	}
	now := s.now()
	if err := p.setDisabled(ctx, tx, &now); err != nil {
		return wrap("disable user", err)
	}
	if err := p.endAll(ctx, tx, now); err != nil {
		return wrap("disable user", err)
	}
	return s.record(ctx, tx, p.changed(by, "user_disabled", now))
}

// EnableUser lets a disabled user sign in again. Enabling twice is no change and no entry.
func (s *Store) EnableUser(ctx context.Context, by By, tenant, user uuid.UUID) error {
	return s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.EnableUserTx(ctx, tx, by, user) })
}

// EnableUserTx is EnableUser in the tenant of tx.
func (s *Store) EnableUserTx(ctx context.Context, tx *rls.Tx, by By, user uuid.UUID) error {
	p, err := take(ctx, tx, user)
	if err != nil || !p.disabled {
		return err
	}
	if err := p.setDisabled(ctx, tx, nil); err != nil {
		return wrap("enable user", err)
	}
	return s.record(ctx, tx, p.changed(by, "user_enabled", s.now()))
}

func (p person) setDisabled(ctx context.Context, tx *rls.Tx, at *time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE tomkit.users SET disabled_at = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2`, p.tenant, p.id, at)
	return err
}

// EnrolTOTP gives the user a TOTP factor and returns its secret, for the first administrator and for demonstrations;
// users enrol themselves through [authn.Flow]. [ErrEnrolled] if there is one.
func (s *Store) EnrolTOTP(ctx context.Context, by By, tenant, user uuid.UUID) (secret []byte, err error) {
	err = s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error {
		secret, err = s.EnrolTOTPTx(ctx, tx, by, user)
		return err
	})
	if err != nil {
		return nil, err
	}
	return secret, nil
}

// EnrolTOTPTx is EnrolTOTP in the tenant of tx.
func (s *Store) EnrolTOTPTx(ctx context.Context, tx *rls.Tx, by By, user uuid.UUID) ([]byte, error) {
	p, err := take(ctx, tx, user)
	if err != nil {
		return nil, err
	}
	secret, sealed, err := s.newSecret(p)
	if err != nil {
		return nil, wrap("enrol totp", err)
	}
	now := s.now()
	tag, err := tx.Exec(ctx, `INSERT INTO tomkit.user_totp (tenant_id, user_id, secret, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, p.tenant, user, sealed, now)
	if err := one(tag.RowsAffected(), err, ErrEnrolled); err != nil {
		return nil, keep("enrol totp", err)
	}
	if err := p.touch(ctx, tx); err != nil {
		return nil, wrap("enrol totp", err)
	}
	return secret, s.record(ctx, tx, p.enrolled(by, now))
}

// ResetTOTP removes the user's TOTP factor and ends the user's sessions; where the tenant requires a factor the next
// sign-in enrols a new one. [ErrNotEnrolled] if there is none.
func (s *Store) ResetTOTP(ctx context.Context, by By, tenant, user uuid.UUID) error {
	return s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.ResetTOTPTx(ctx, tx, by, user) })
}

// ResetTOTPTx is ResetTOTP in the tenant of tx.
func (s *Store) ResetTOTPTx(ctx context.Context, tx *rls.Tx, by By, user uuid.UUID) error {
	p, err := take(ctx, tx, user)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `DELETE FROM tomkit.user_totp WHERE tenant_id = $1 AND user_id = $2`, p.tenant, user)
	if err := one(tag.RowsAffected(), err, ErrNotEnrolled); err != nil {
		return keep("reset totp", err)
	}
	now := s.now()
	if err := p.endAll(ctx, tx, now); err != nil {
		return wrap("reset totp", err)
	}
	return s.record(ctx, tx, p.unenrolled(by, now))
}
