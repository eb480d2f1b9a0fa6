package pgauthn

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// CreateStep implements [authn.Steps].
func (s *Store) CreateStep(ctx context.Context, st authn.Step, events ...record.Event) error {
	err := s.in(ctx, st.Tenant, func(ctx context.Context, tx *rls.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tomkit.step_tokens
			(tenant_id, token_hash, user_id, purpose, binding, user_version, attempts, offered, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			st.Tenant, st.Hash[:], st.User, st.Purpose, st.Binding[:], st.UserVersion, st.Attempts, st.Offered, st.CreatedAt, st.ExpiresAt)
		if err != nil {
			return err
		}
		return s.record(ctx, tx, events...)
	})
	if err != nil {
		return wrap("create step token", err)
	}
	return nil
}

// Step implements [authn.Steps].
func (s *Store) Step(ctx context.Context, tenant uuid.UUID, hash [32]byte) (authn.Step, authn.Account, error) {
	st, a := authn.Step{Tenant: tenant, Hash: hash}, authn.Account{Tenant: tenant}
	var binding []byte
	var consumed *time.Time
	err := s.cfg.DB.Tenant(tenant).QueryRow(ctx,
		`SELECT t.user_id, t.purpose, t.binding, t.user_version, t.attempts, t.offered, t.created_at, t.expires_at, t.consumed_at, `+
			accountColumns+` FROM tomkit.step_tokens t JOIN `+accountTables+` ON u.tenant_id = t.tenant_id AND u.id = t.user_id
			WHERE t.tenant_id = $1 AND t.token_hash = $2`, tenant, hash[:]).
		Scan(append([]any{&st.User, &st.Purpose, &binding, &st.UserVersion, &st.Attempts, &st.Offered, &st.CreatedAt, &st.ExpiresAt, &consumed},
			accountTargets(&a)...)...)
	if err != nil {
		return authn.Step{}, authn.Account{}, found("step token", err)
	}
	copy(st.Binding[:], binding)
	st.CreatedAt, st.ExpiresAt, st.ConsumedAt = st.CreatedAt.UTC(), st.ExpiresAt.UTC(), utc(consumed)
	return st, a, nil
}

// SpendAttempt implements [authn.Steps].
func (s *Store) SpendAttempt(ctx context.Context, tenant uuid.UUID, hash [32]byte, now time.Time) (int, error) {
	var left int
	err := s.cfg.DB.Tenant(tenant).QueryRow(ctx, `UPDATE tomkit.step_tokens SET attempts = attempts - 1
		WHERE tenant_id = $1 AND token_hash = $2 AND attempts > 0 AND consumed_at IS NULL AND expires_at > $3
		RETURNING attempts`, tenant, hash[:], now).Scan(&left)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, authn.ErrConflict
	}
	if err != nil {
		return 0, wrap("spend attempt", err)
	}
	return left, nil
}

// TOTP implements [authn.Factors].
func (s *Store) TOTP(ctx context.Context, tenant, user uuid.UUID) (authn.TOTPFactor, error) {
	var f authn.TOTPFactor
	err := s.cfg.DB.Tenant(tenant).QueryRow(ctx,
		`SELECT secret, last_step FROM tomkit.user_totp WHERE tenant_id = $1 AND user_id = $2`, tenant, user).
		Scan(&f.Sealed, &f.LastStep)
	return f, found("totp", err)
}

// OfferSecret implements [authn.Factors].
func (s *Store) OfferSecret(ctx context.Context, tenant uuid.UUID, hash [32]byte, sealed string, now time.Time) (string, error) {
	var offered string
	err := s.cfg.DB.Tenant(tenant).QueryRow(ctx, `UPDATE tomkit.step_tokens
		SET offered = CASE WHEN offered = '' THEN $3 ELSE offered END
		WHERE tenant_id = $1 AND token_hash = $2 AND consumed_at IS NULL AND expires_at > $4
		RETURNING offered`, tenant, hash[:], sealed, now).Scan(&offered)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", authn.ErrConflict
	}
	if err != nil {
		return "", wrap("offer secret", err)
	}
	return offered, nil
}

// utc is t in UTC, zero for NULL.
func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// null is t for a nullable column.
func null(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
