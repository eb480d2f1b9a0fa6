package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// Reasons of the system scopes opened here.
const (
	reasonOnboard rls.Reason = "onboard"
)

// ErrBootstrapped says that the operator exists: the first superadmin can be made once.
var ErrBootstrapped = errors.New("server: bootstrap: the operator exists already")

// Person is a user to be made, with the TOTP secret enrolled for it where asked for.
type Person struct {
	Email, Name, Password, Role string
}

// Bootstrap makes the operator, its own tenant and the first superadmin with a TOTP factor, whose secret it returns once. It is for
// the command line of the host; every later superadmin is granted by one. It can be done once.
func (s *Server) Bootstrap(ctx context.Context, operator tenant.New, admin Person) (id uuid.UUID, secret []byte, err error) {
	err = s.DB.System(ctx, reasonOnboard, func(ctx context.Context, tx *rls.Tx) error {
		id, err = tenant.CreateOperator(ctx, tx, operator)
		if err != nil {
			return err
		}
		return s.Ledger.RecordTx(ctx, tx, s.created(id, operator.Name))
	})
	if errors.Is(err, tenant.ErrTaken) {
		return uuid.Nil, nil, ErrBootstrapped
	}
	if err != nil {
		return uuid.Nil, nil, fmt.Errorf("server: bootstrap: %w", err)
	}
	if err := s.defineRoles(ctx, id, abac.TOM6Roles()); err != nil {
		return uuid.Nil, nil, err
	}
	admin.Role = abac.Superadmin
	_, secret, err = s.AddPerson(ctx, id, admin)
	return id, secret, err
}

// CreateMSP makes a managed service provider under the operator.
func (s *Server) CreateMSP(ctx context.Context, n tenant.New) (id uuid.UUID, err error) {
	err = s.DB.System(ctx, reasonOnboard, func(ctx context.Context, tx *rls.Tx) error {
		id, err = tenant.CreateMSP(ctx, tx, n)
		return err
	})
	return id, err
}

// CreateTenant makes a tenant under an MSP, with its ledger and all roles but the operator's own.
func (s *Server) CreateTenant(ctx context.Context, msp uuid.UUID, n tenant.New) (id uuid.UUID, err error) {
	err = s.DB.System(ctx, reasonOnboard, func(ctx context.Context, tx *rls.Tx) error {
		id, err = tenant.Create(ctx, tx, msp, n)
		if err != nil {
			return err
		}
		return s.Ledger.RecordTx(ctx, tx, s.created(id, n.Name))
	})
	if err != nil {
		return uuid.Nil, err
	}
	var roles []abac.Role
	for _, role := range abac.TOM6Roles() {
		if !role.Reserved {
			roles = append(roles, role)
		}
	}
	return id, s.defineRoles(ctx, id, roles)
}

// AddPerson makes a user with a TOTP factor, whose secret it returns once.
func (s *Server) AddPerson(ctx context.Context, tenantID uuid.UUID, p Person) (id uuid.UUID, secret []byte, err error) {
	id, err = s.People.CreateUser(ctx, pgauthn.By{}, tenantID, pgauthn.NewUser{Email: p.Email, DisplayName: p.Name, Password: p.Password, Role: p.Role})
	if err != nil {
		return uuid.Nil, nil, err
	}
	secret, err = s.People.EnrolTOTP(ctx, pgauthn.By{}, tenantID, id)
	return id, secret, err
}

// defineRoles is idempotent: a tenant whose onboarding was interrupted gets the rest when it is done again.
func (s *Server) defineRoles(ctx context.Context, tenantID uuid.UUID, roles []abac.Role) error {
	for _, role := range roles {
		if err := s.People.DefineRole(ctx, pgauthn.By{}, tenantID, role.Name, role.Policies); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) created(id uuid.UUID, name string) record.Event {
	return record.Event{
		Tenant: id, Action: "tenant_created", EntityType: "tenant", EntityID: id.String(), Critical: true,
		Narrative: record.Narrative{Template: "tenant_created", Args: map[string]any{"tenant": name, "at": s.cfg.Now().UTC()}},
	}
}

// FindMSP returns the id of the provider with the given slug, or tenant.ErrUnknown.
func (s *Server) FindMSP(ctx context.Context, slug string) (id uuid.UUID, err error) {
	err = s.DB.System(ctx, reasonOnboard, func(ctx context.Context, tx *rls.Tx) error {
		return tx.QueryRow(ctx, `SELECT id FROM tomkit.msps WHERE slug = $1`, slug).Scan(&id)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, tenant.ErrUnknown
	}
	return id, err
}
