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
// the command line of the host; every later superadmin is granted by one. It can be done once; after an interruption that left nobody
// who could sign in it can be done again, with the same slug.
func (s *Server) Bootstrap(ctx context.Context, operator tenant.New, admin Person) (id uuid.UUID, secret []byte, err error) {
	err = s.DB.System(ctx, reasonOnboard, func(ctx context.Context, tx *rls.Tx) error {
		id, err = tenant.CreateOperator(ctx, tx, operator)
		if errors.Is(err, tenant.ErrTaken) {
			id, err = deserted(ctx, tx, uuid.NullUUID{}, operator.Slug)
			return err
		}
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
	if err := s.defineRoles(ctx, id, s.roles()); err != nil {
		return uuid.Nil, nil, err
	}
	admin.Role = abac.Superadmin
	_, secret, err = s.AddFirstPerson(ctx, id, admin)
	if errors.Is(err, tenant.ErrTaken) {
		return uuid.Nil, nil, ErrBootstrapped // somebody was faster
	}
	return id, secret, err
}

// deserted returns the tenant of an MSP, or the operator's own one for no MSP, that has that slug and no people: its onboarding was
// interrupted. For all others it is tenant.ErrTaken.
func deserted(ctx context.Context, tx *rls.Tx, msp uuid.NullUUID, slug string) (id uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT t.id FROM tomkit.tenants t WHERE t.slug = $1 AND t.msp_id = coalesce($2, t.id)
		AND NOT EXISTS (SELECT FROM tomkit.users u WHERE u.tenant_id = t.id)`, slug, msp).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, tenant.ErrTaken
	}
	return id, err
}

// CreateMSP makes a managed service provider under the operator, with an entry in the operator's ledger.
func (s *Server) CreateMSP(ctx context.Context, n tenant.New) (id uuid.UUID, err error) {
	err = s.DB.System(ctx, reasonOnboard, func(ctx context.Context, tx *rls.Tx) error {
		id, err = tenant.CreateMSP(ctx, tx, n)
		if err != nil {
			return err
		}
		operator, err := tenant.OperatorID(ctx, tx)
		if err != nil {
			return err
		}
		return s.Ledger.RecordTx(ctx, tx, record.Event{
			Tenant: operator, Action: "msp_created", EntityType: "msp", EntityID: id.String(), Critical: true,
			Narrative: record.Narrative{Template: "msp_created", Args: map[string]any{"msp": n.Name, "at": s.cfg.Now().UTC()}},
		})
	})
	if err != nil {
		return uuid.Nil, err
	}
	return id, nil
}

// CreateTenant makes a tenant under an MSP, with its ledger and all roles but the operator's own. A tenant of that MSP that has the
// slug and no people yet is completed in place of being made.
func (s *Server) CreateTenant(ctx context.Context, msp uuid.UUID, n tenant.New) (id uuid.UUID, err error) {
	err = s.DB.System(ctx, reasonOnboard, func(ctx context.Context, tx *rls.Tx) error {
		id, err = tenant.Create(ctx, tx, msp, n)
		if errors.Is(err, tenant.ErrTaken) {
			id, err = deserted(ctx, tx, uuid.NullUUID{UUID: msp, Valid: true}, n.Slug)
			return err
		}
		if err != nil {
			return err
		}
		return s.Ledger.RecordTx(ctx, tx, s.created(id, n.Name))
	})
	if err != nil {
		return uuid.Nil, err
	}
	var roles []abac.Role
	for _, role := range s.roles() {
		if !role.Reserved {
			roles = append(roles, role)
		}
	}
	return id, s.defineRoles(ctx, id, roles)
}

// AddPerson makes a user with a TOTP factor, whose secret it returns once: both or neither.
func (s *Server) AddPerson(ctx context.Context, tenantID uuid.UUID, p Person) (id uuid.UUID, secret []byte, err error) {
	return s.addPerson(ctx, tenantID, p, func(context.Context, *rls.Tx) error { return nil })
}

// AddFirstPerson is AddPerson for a tenant without people. It is tenant.ErrTaken where there is somebody, be it since a moment ago.
func (s *Server) AddFirstPerson(ctx context.Context, tenantID uuid.UUID, p Person) (id uuid.UUID, secret []byte, err error) {
	return s.addPerson(ctx, tenantID, p, func(ctx context.Context, tx *rls.Tx) error {
		// The lock on the role lets one in at a time.
		if _, err := tx.Exec(ctx, `SELECT FROM tomkit.roles WHERE tenant_id = $1 AND name = $2 FOR NO KEY UPDATE`, tenantID, p.Role); err != nil {
			return err
		}
		var people bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tomkit.users WHERE tenant_id = $1)`, tenantID).Scan(&people)
		if err == nil && people {
			return tenant.ErrTaken
		}
		return err
	})
}

func (s *Server) addPerson(ctx context.Context, tenantID uuid.UUID, p Person, allowed func(context.Context, *rls.Tx) error) (id uuid.UUID, secret []byte, err error) {
	err = s.DB.Tenant(tenantID).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		if err := allowed(ctx, tx); err != nil {
			return err
		}
		id, err = s.People.CreateUserTx(ctx, tx, pgauthn.By{}, pgauthn.NewUser{Email: p.Email, DisplayName: p.Name, Password: p.Password, Role: p.Role})
		if err != nil {
			return err
		}
		secret, err = s.People.EnrolTOTPTx(ctx, tx, pgauthn.By{}, id)
		return err
	})
	if err != nil {
		return uuid.Nil, nil, err
	}
	return id, secret, nil
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
