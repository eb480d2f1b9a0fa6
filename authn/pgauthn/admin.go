package pgauthn

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/rls"
)

// What administration answers.
var (
	// ErrUser means the tenant has no such user.
	ErrUser = errors.New("pgauthn: user: not found")
	// ErrRole means the tenant has no such role, or that the name is not one.
	ErrRole = errors.New("pgauthn: role: not found")
	// ErrEmailTaken means the tenant has a user with this address.
	ErrEmailTaken = errors.New("pgauthn: user: e-mail address is taken")
	// ErrEnrolled means the user has a TOTP factor.
	ErrEnrolled = errors.New("pgauthn: totp: already enrolled")
	// ErrNotEnrolled means the user has no TOTP factor.
	ErrNotEnrolled = errors.New("pgauthn: totp: not enrolled")
	// ErrSession means the tenant has no such session, or that it is over.
	ErrSession = errors.New("pgauthn: session: not found")
	// ErrInput means a name or policy is too long or holds what it may not.
	ErrInput = errors.New("pgauthn: input: not valid")
	// ErrNoTenant means a transaction that is not one tenant's was handed in.
	ErrNoTenant = errors.New("pgauthn: transaction: not of one tenant")
)

// By is who orders a change: a user with the address for the ledger's sentence. The zero value is the system.
type By struct {
	User  uuid.UUID
	Email string
}

// NewUser describes a user to be created.
type NewUser struct {
	// Email is the address as typed; see [authn.NormalizeEmail].
	Email string
	// DisplayName is at most 256 bytes of UTF-8; it may be empty.
	DisplayName string
	// Password is the first password; empty means that the user cannot sign in until one is set.
	Password string
	// Role is the name of a role of the tenant.
	Role string
}

// tenantOf is the tenant a Tx method works in.
func tenantOf(tx *rls.Tx) (uuid.UUID, error) {
	tenant, ok := tx.Tenant()
	if !ok {
		return uuid.Nil, ErrNoTenant
	}
	return tenant, nil
}

// CreateUser creates a user and returns the id. The errors are [authn.ErrEmail], [ErrEmailTaken], [ErrRole], [ErrInput]
// and those of the hasher.
func (s *Store) CreateUser(ctx context.Context, by By, tenant uuid.UUID, u NewUser) (id uuid.UUID, err error) {
	hash, err := s.hash(ctx, u.Password) // before a connection is taken: it is slow
	if err != nil {
		return uuid.Nil, err
	}
	err = s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error {
		id, err = s.createUser(ctx, tx, by, u, hash)
		return err
	})
	if err != nil {
		return uuid.Nil, err
	}
	return id, nil
}

// CreateUserTx is CreateUser in the tenant of tx. The password is hashed while the transaction is open.
func (s *Store) CreateUserTx(ctx context.Context, tx *rls.Tx, by By, u NewUser) (uuid.UUID, error) {
	hash, err := s.hash(ctx, u.Password)
	if err != nil {
		return uuid.Nil, err
	}
	return s.createUser(ctx, tx, by, u, hash)
}

// hash is empty for an empty password.
func (s *Store) hash(ctx context.Context, password string) (string, error) {
	if password == "" {
		return "", nil
	}
	hash, err := s.cfg.Passwords.Hash(ctx, password)
	if err != nil {
		return "", wrap("hash", err)
	}
	return hash, nil
}

func (s *Store) createUser(ctx context.Context, tx *rls.Tx, by By, u NewUser, hash string) (uuid.UUID, error) {
	tenant, err := tenantOf(tx)
	if err != nil {
		return uuid.Nil, err
	}
	email, err := authn.NormalizeEmail(u.Email)
	if err != nil {
		return uuid.Nil, wrap("create user", err)
	}
	if len(u.DisplayName) > 256 || !printable(u.DisplayName) {
		return uuid.Nil, ErrInput
	}
	role, err := roleID(ctx, tx, tenant, u.Role)
	if err != nil {
		return uuid.Nil, err
	}
	id, now := uuid.New(), s.now()
	tag, err := tx.Exec(ctx, `INSERT INTO tomkit.users (tenant_id, id, email, display_name, role_id, created_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, email) DO NOTHING`, tenant, id, email, u.DisplayName, role, now)
	if err := one(tag.RowsAffected(), err, ErrEmailTaken); err != nil {
		return uuid.Nil, keep("create user", err)
	}
	if hash != "" {
		if err := putHash(ctx, tx, tenant, id, hash, now); err != nil {
			return uuid.Nil, wrap("create user", err)
		}
	}
	return id, s.record(ctx, tx, userCreated(tenant, by, id, email, u.Role, now))
}

// printable reports whether s is UTF-8 without control characters.
func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return false
		}
	}
	return true
}

func roleID(ctx context.Context, tx *rls.Tx, tenant uuid.UUID, name string) (id uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM tomkit.roles WHERE tenant_id = $1 AND name = $2`, tenant, name).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, ErrRole
	}
	if err != nil {
		return uuid.Nil, wrap("role", err)
	}
	return id, nil
}

// keep passes on the sentinels of this room and wraps everything else.
func keep(op string, err error) error {
	for _, known := range []error{ErrUser, ErrRole, ErrEmailTaken, ErrEnrolled, ErrNotEnrolled, ErrSession} {
		if errors.Is(err, known) {
			return err
		}
	}
	return wrap(op, err)
}

// person is a user to be changed, locked until the transaction ends.
type person struct {
	tenant, id uuid.UUID
	email      string
	role       string
	disabled   bool
}

// take locks the user's row.
func take(ctx context.Context, tx *rls.Tx, user uuid.UUID) (person, error) {
	tenant, err := tenantOf(tx)
	if err != nil {
		return person{}, err
	}
	p := person{tenant: tenant, id: user}
	err = tx.QueryRow(ctx, `SELECT u.email, r.name, u.disabled_at IS NOT NULL FROM tomkit.users u
		JOIN tomkit.roles r ON r.tenant_id = u.tenant_id AND r.id = u.role_id
		WHERE u.tenant_id = $1 AND u.id = $2 FOR NO KEY UPDATE OF u`, tenant, user).Scan(&p.email, &p.role, &p.disabled)
	if errors.Is(err, pgx.ErrNoRows) {
		return person{}, ErrUser
	}
	if err != nil {
		return person{}, wrap("user", err)
	}
	return p, nil
}
