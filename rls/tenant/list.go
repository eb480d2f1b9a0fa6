package tenant

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Number of rows of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Page is a part of a list in the order of slugs. The zero value is the first page.
type Page struct {
	// After is the last slug of the page before. Empty means the first page.
	After string
	// Limit is the number of rows. Zero means 100; negative and more than 1,000 are errors.
	Limit int
}

func (p Page) limit() (int, error) {
	switch {
	case p.Limit < 0 || p.Limit > maxLimit:
		return 0, fmt.Errorf("%w: limit", ErrInvalid)
	case p.Limit == 0:
		return defaultLimit, nil
	}
	return p.Limit, nil
}

// List returns tenants q may see, suspended ones included, in the order of their slugs: an MSP's own in its scope, all in
// a System scope, there with msp only those of one MSP; uuid.Nil stands for all.
func List(ctx context.Context, q RowsQuerier, msp uuid.UUID, p Page) ([]Tenant, error) {
	const sql = `SELECT ` + tenantColumns + ` FROM tomkit.tenants WHERE slug > $1 AND ($3::uuid IS NULL OR msp_id = $3) ORDER BY slug LIMIT $2`
	tenants, err := page[Tenant](ctx, q, p, sql, uuid.NullUUID{UUID: msp, Valid: msp != uuid.Nil})
	for i := range tenants {
		tenants[i].CreatedAt = tenants[i].CreatedAt.UTC()
	}
	return tenants, err
}

// ListMSPs returns MSPs q may see, suspended ones included, in the order of their slugs: itself in an MSP's scope, all in
// a System scope.
func ListMSPs(ctx context.Context, q RowsQuerier, p Page) ([]MSP, error) {
	const sql = `SELECT ` + mspColumns + ` FROM tomkit.msps WHERE slug > $1 ORDER BY slug LIMIT $2`
	msps, err := page[MSP](ctx, q, p, sql)
	for i := range msps {
		msps[i].CreatedAt = msps[i].CreatedAt.UTC()
	}
	return msps, err
}

// page runs a statement whose first two arguments are the slug to begin after and the number of rows.
func page[T any](ctx context.Context, q RowsQuerier, p Page, sql string, args ...any) ([]T, error) {
	limit, err := p.limit()
	if err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, sql, append([]any{p.After, limit}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("tenant: list: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("tenant: list: %w", err)
	}
	return list, nil
}
