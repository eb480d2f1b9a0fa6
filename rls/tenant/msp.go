package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// MSP is one row of tomkit.msps.
type MSP struct {
	// ID is the MSP, OperatorID who runs the installation. They are equal for the operator's own MSP.
	ID, OperatorID uuid.UUID
	// Slug is unique among MSPs. Name is for people.
	Slug, Name string
	// Status suspended locks all its tenants out.
	Status Status
	// CreatedAt is UTC, microseconds.
	CreatedAt time.Time
}

// Operator reports whether it is the operator's own MSP.
func (m MSP) Operator() bool { return m.ID == m.OperatorID }

const mspColumns = `id, operator_id, slug, name, status, created_at`

// GetMSP returns an MSP q may see, suspended or not: itself in an MSP's scope, any in a System scope. Otherwise ErrUnknown.
func GetMSP(ctx context.Context, q Querier, id uuid.UUID) (MSP, error) {
	return getMSP(q.QueryRow(ctx, `SELECT `+mspColumns+` FROM tomkit.msps WHERE id = $1`, id))
}

// GetMSPBySlug is GetMSP by the slug.
func GetMSPBySlug(ctx context.Context, q Querier, slug string) (MSP, error) {
	if !validSlug(slug) {
		return MSP{}, ErrUnknown
	}
	return getMSP(q.QueryRow(ctx, `SELECT `+mspColumns+` FROM tomkit.msps WHERE slug = $1`, slug))
}

func getMSP(row pgx.Row) (m MSP, err error) {
	err = row.Scan(&m.ID, &m.OperatorID, &m.Slug, &m.Name, &m.Status, &m.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return MSP{}, ErrUnknown
	}
	if err != nil {
		return MSP{}, fmt.Errorf("tenant: get MSP: %w", err)
	}
	m.CreatedAt = m.CreatedAt.UTC()
	return m, nil
}
