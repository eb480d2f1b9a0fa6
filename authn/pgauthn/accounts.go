package pgauthn

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// accountColumns are what [scanAccount] reads. The tenant stands in every condition although the policy adds it: the
// statement then says what it means, and costs nothing more.
const accountColumns = `u.id, u.email, coalesce(p.hash, ''), u.disabled_at IS NOT NULL, NOT (SELECT tomkit.tenant_active()),
	coalesce((SELECT a.mfa_required FROM tomkit.tenant_auth a WHERE a.tenant_id = $1), true),
	EXISTS (SELECT FROM tomkit.user_totp f WHERE f.tenant_id = $1 AND f.user_id = u.id),
	u.version, r.name, u.policy_version, ` + policiesOfUser

// policiesOfUser are the role's and the user's own policies, sorted bytewise.
const policiesOfUser = `ARRAY(SELECT DISTINCT q.policy COLLATE "C" FROM tomkit.policies q
	WHERE q.tenant_id = $1 AND (q.role_id = u.role_id OR q.user_id = u.id) ORDER BY 1)`

const accountTables = `tomkit.users u
	JOIN tomkit.roles r ON r.tenant_id = u.tenant_id AND r.id = u.role_id
	LEFT JOIN tomkit.user_passwords p ON p.tenant_id = u.tenant_id AND p.user_id = u.id`

// accountTargets are the places for accountColumns.
func accountTargets(a *authn.Account) []any {
	return []any{&a.User, &a.Email, &a.PasswordHash, &a.Disabled, &a.Suspended, &a.MFARequired, &a.HasTOTP,
		&a.Version, &a.Role, &a.PolicyVersion, &a.Policies}
}

// Account implements [authn.Accounts].
func (s *Store) Account(ctx context.Context, tenant uuid.UUID, email string) (authn.Account, error) {
	a := authn.Account{Tenant: tenant}
	err := s.cfg.DB.Tenant(tenant).QueryRow(ctx,
		`SELECT `+accountColumns+` FROM `+accountTables+` WHERE u.tenant_id = $1 AND u.email = $2`,
		tenant, email).Scan(accountTargets(&a)...)
	return a, found("account", err)
}

// Rehash implements [authn.Accounts].
func (s *Store) Rehash(ctx context.Context, tenant, user uuid.UUID, old, new string, events ...record.Event) error {
	err := s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE tomkit.user_passwords SET hash = $4
			WHERE tenant_id = $1 AND user_id = $2 AND hash = $3`, tenant, user, old, new)
		if err := one(tag.RowsAffected(), err, authn.ErrConflict); err != nil {
			return err
		}
		return s.record(ctx, tx, events...)
	})
	return conflict("rehash", err)
}

// Note implements [authn.Accounts].
func (s *Store) Note(ctx context.Context, tenant uuid.UUID, events ...record.Event) error {
	err := s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.record(ctx, tx, events...) })
	if err != nil {
		return wrap("note", err)
	}
	return nil
}

// conflict passes on what callers branch on and wraps everything else.
func conflict(op string, err error) error {
	if err == nil || errors.Is(err, authn.ErrConflict) || errors.Is(err, authn.ErrCode) {
		return err
	}
	return wrap(op, err)
}
