package server

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/rls"
)

func (a *api) users() {
	protected(a, huma.Operation{OperationID: "set-role", Method: http.MethodPut, Path: "/v1/users/{id}/role", Summary: "Give a user another role; the user's sessions end", DefaultStatus: http.StatusNoContent, Tags: []string{"users"}}, abac.GrantPermission, a.setRole)
}

type setRoleInput struct {
	ID   uuid.UUID `path:"id"`
	Body struct {
		Role string `json:"role" minLength:"1" maxLength:"64" example:"technician"`
	}
}

// setRole gives a role within what the caller holds, see [abac.Roles.CanGrant]. There are no approvals here, so reserved roles are
// neither given nor taken. The user's sessions end: no token goes on with the old rights.
func (a *api) setRole(ctx context.Context, in *setRoleInput) (*struct{}, error) {
	s, by, err := a.actor(ctx)
	if err != nil {
		return nil, err
	}
	err = a.db.Tenant(s.Tenant()).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		held, err := a.people.HoldingsTx(ctx, tx, in.ID, in.Body.Role)
		if err != nil {
			return err
		}
		if err := a.mayGrant(httpabac.SubjectFrom(ctx), in.ID, in.Body.Role, held); err != nil || held.Role == in.Body.Role {
			return err
		}
		who := pgauthn.By{User: by.User, Email: by.Email}
		if err := a.people.SetRoleTx(ctx, tx, who, in.ID, in.Body.Role); err != nil {
			return err
		}
		return a.people.RevokeSessionsTx(ctx, tx, who, in.ID)
	})
	var refused *abac.EscalationError
	if errors.As(err, &refused) {
		a.log.WarnContext(ctx, "grant refused", "rule", string(refused.Rule), "user", s.User(), "tenant", s.Tenant(), "request_id", requestID(ctx))
	}
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	return nil, nil
}

// mayGrant asks about what the tenant's own role gives and what the catalogue says that it gives, should they differ.
func (a *api) mayGrant(granter *abac.Subject, to uuid.UUID, role string, held pgauthn.Holdings) error {
	if granter == nil {
		return &abac.EscalationError{Rule: abac.GranterInvalid}
	}
	catalogue := a.catalogue()
	grant := abac.Grant{
		To: to, Tenant: granter.Tenant, Role: role, Individual: slices.Concat(held.Own, held.Given),
		HoldsRole: held.Role, Holds: a.sets.Set(held.Role, held.All), Now: a.now(),
	}
	if _, listed := catalogue.Role(held.Role); !listed { // of an older policy set; what it gives is in Holds
		grant.HoldsRole = ""
	}
	return catalogue.CanGrant(granter, grant)
}
