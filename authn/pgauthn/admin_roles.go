package pgauthn

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// Shapes of names and policies; the grammar of policies is abac's.
var (
	roleName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
	policyText = regexp.MustCompile(`^[!-~]{1,128}$`)
)

// maxPolicies bounds a role; more do not fit into an access token in a cookie.
const maxPolicies = 512

// DefineRole makes the role or replaces its policies; the policies of everybody who has it change at the next renewal.
// Defining what is already so is no change and no entry. [ErrInput] for a name or policy that cannot be one.
func (s *Store) DefineRole(ctx context.Context, by By, tenant uuid.UUID, name string, policies []string) error {
	return s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.DefineRoleTx(ctx, tx, by, name, policies) })
}

// DefineRoleTx is DefineRole in the tenant of tx.
func (s *Store) DefineRoleTx(ctx context.Context, tx *rls.Tx, by By, name string, policies []string) error {
	tenant, err := tenantOf(tx)
	if err != nil {
		return err
	}
	want := append([]string{}, slices.Compact(slices.Sorted(slices.Values(policies)))...) // never nil: NULL would match no row
	if !roleName.MatchString(name) || len(want) > maxPolicies || slices.ContainsFunc(want, func(p string) bool { return !policyText.MatchString(p) }) {
		return ErrInput
	}
	now := s.now()
	var role uuid.UUID
	var made bool
	// DO UPDATE locks the row, so that two definitions follow each other. xmax is 0 in a row that was just inserted.
	err = tx.QueryRow(ctx, `INSERT INTO tomkit.roles AS r (tenant_id, id, name, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, name) DO UPDATE SET name = r.name RETURNING r.id, r.xmax = 0`, tenant, uuid.New(), name, now).Scan(&role, &made)
	if err != nil {
		return wrap("define role", err)
	}
	granted, revoked, err := replacePolicies(ctx, tx, tenant, role, want)
	if err != nil {
		return wrap("define role", err)
	}
	if !made && len(granted) == 0 && len(revoked) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `UPDATE tomkit.users SET policy_version = policy_version + 1 WHERE tenant_id = $1 AND role_id = $2`, tenant, role); err != nil {
		return wrap("define role", err)
	}
	return s.record(ctx, tx, roleDefined(tenant, by, role, name, granted, revoked, now))
}

// replacePolicies makes want the role's policies and returns what was added and what removed.
func replacePolicies(ctx context.Context, tx *rls.Tx, tenant, role uuid.UUID, want []string) (granted, revoked []string, err error) {
	rows, err := tx.Query(ctx, `DELETE FROM tomkit.policies WHERE tenant_id = $1 AND role_id = $2 AND policy <> ALL ($3) RETURNING policy`, tenant, role, want)
	if err != nil {
		return nil, nil, err
	}
	if revoked, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, nil, err
	}
	rows, err = tx.Query(ctx, `INSERT INTO tomkit.policies (tenant_id, id, role_id, policy)
		SELECT $1, gen_random_uuid(), $2, p FROM unnest($3::text[]) p
		ON CONFLICT (tenant_id, role_id, user_id, policy) DO NOTHING RETURNING policy`, tenant, role, want)
	if err != nil {
		return nil, nil, err
	}
	if granted, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, nil, err
	}
	slices.Sort(revoked)
	slices.Sort(granted)
	return granted, revoked, nil
}

// SetRole gives the user another role and voids pending sign-ins. Sessions go on and take the new role up when they are
// renewed. Setting the present role is no change and no entry.
func (s *Store) SetRole(ctx context.Context, by By, tenant, user uuid.UUID, role string) error {
	return s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.SetRoleTx(ctx, tx, by, user, role) })
}

// SetRoleTx is SetRole in the tenant of tx.
func (s *Store) SetRoleTx(ctx context.Context, tx *rls.Tx, by By, user uuid.UUID, role string) error {
	p, err := take(ctx, tx, user)
	if err != nil {
		return err
	}
	id, err := roleID(ctx, tx, p.tenant, role)
	if err != nil || p.role == role {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE tomkit.users SET role_id = $3, version = version + 1, policy_version = policy_version + 1
		WHERE tenant_id = $1 AND id = $2`, p.tenant, user, id); err != nil {
		return wrap("set role", err)
	}
	return s.record(ctx, tx, p.permissions(by, "role_changed", "Rolle "+role, "Rolle "+p.role, s.now()))
}

// Holdings are the rights of a user, and those of a role beside them, to be compared before the role is given.
type Holdings struct {
	// Role is the user's role, All what the user may do by it and by Own.
	Role     string
	All, Own []string
	// Given are the policies of the role to be given.
	Given []string
}

// HoldingsTx returns what a user of the tenant of tx holds, and the policies of a role. Both are locked until tx ends: what was compared
// is what [Store.SetRoleTx] gives. The errors are [ErrUser] and [ErrRole].
func (s *Store) HoldingsTx(ctx context.Context, tx *rls.Tx, user uuid.UUID, role string) (h Holdings, err error) {
	p, err := take(ctx, tx, user)
	if err != nil {
		return h, err
	}
	h.Role = p.role
	var id uuid.UUID
	err = tx.QueryRow(ctx, `SELECT id FROM tomkit.roles WHERE tenant_id = $1 AND name = $2 FOR SHARE`, p.tenant, role).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return h, ErrRole
	}
	if err != nil {
		return h, wrap("holdings", err)
	}
	err = tx.QueryRow(ctx, `SELECT `+policiesOfUser+`,
			ARRAY(SELECT q.policy FROM tomkit.policies q WHERE q.tenant_id = $1 AND q.user_id = u.id),
			ARRAY(SELECT q.policy FROM tomkit.policies q WHERE q.tenant_id = $1 AND q.role_id = $3)
		FROM tomkit.users u WHERE u.tenant_id = $1 AND u.id = $2`, p.tenant, user, id).Scan(&h.All, &h.Own, &h.Given)
	if err != nil {
		return h, wrap("holdings", err)
	}
	return h, nil
}

// RequireMFA says whether the tenant demands a second factor. Saying what is already so is no change and no entry.
func (s *Store) RequireMFA(ctx context.Context, by By, tenant uuid.UUID, required bool) error {
	return s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.RequireMFATx(ctx, tx, by, required) })
}

// RequireMFATx is RequireMFA in the tenant of tx.
func (s *Store) RequireMFATx(ctx context.Context, tx *rls.Tx, by By, required bool) error {
	tenant, err := tenantOf(tx)
	if err != nil {
		return err
	}
	now := s.now()
	// The row is made with the default first, so that a tenant without one changes only if it asks for something else.
	if _, err := tx.Exec(ctx, `INSERT INTO tomkit.tenant_auth (tenant_id, updated_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, tenant, now); err != nil {
		return wrap("require mfa", err)
	}
	tag, err := tx.Exec(ctx, `UPDATE tomkit.tenant_auth SET mfa_required = $2, updated_at = $3
		WHERE tenant_id = $1 AND mfa_required <> $2`, tenant, required, now)
	if err != nil {
		return wrap("require mfa", err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	return s.record(ctx, tx, mfaRule(tenant, by, required, now))
}

// list is names as a sentence shows them.
func list(names []string) string {
	const most = 2000 // bytes; a narrative holds 4,096, the details hold all
	text := strings.Join(names, ", ")
	switch {
	case text == "":
		return nothing
	case len(text) > most:
		return text[:most] + " …"
	}
	return text
}
