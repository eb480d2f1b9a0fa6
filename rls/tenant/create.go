package tenant

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// CreateOperator creates the operator, and with it its MSP and its tenant under the same id. tx is a System scope. There
// is one operator per database; a second one is ErrTaken.
func CreateOperator(ctx context.Context, tx *rls.Tx, n New) (uuid.UUID, error) {
	if err := n.check(); err != nil {
		return uuid.Nil, err
	}
	const operator = `INSERT INTO tomkit.operators (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	const msp = `INSERT INTO tomkit.msps (id, operator_id, slug, name) VALUES ($1, $1, $2, $3) ON CONFLICT DO NOTHING`
	const own = `INSERT INTO tomkit.tenants (id, msp_id, kind, slug, name) VALUES ($1, $1, 'operator', $2, $3) ON CONFLICT DO NOTHING`
	err := pgx.BeginFunc(ctx, tx, func(sp pgx.Tx) error { // all three or none
		if err := one(ctx, sp, ErrTaken, operator, n.ID, n.Name); err != nil {
			return err
		}
		if err := one(ctx, sp, ErrTaken, msp, n.ID, n.Slug, n.Name); err != nil {
			return err
		}
		return one(ctx, sp, ErrTaken, own, n.ID, n.Slug, n.Name)
	})
	return created(n.ID, err)
}

// CreateMSP creates an MSP under the operator. tx is a System scope.
func CreateMSP(ctx context.Context, tx *rls.Tx, n New) (uuid.UUID, error) {
	if err := n.check(); err != nil {
		return uuid.Nil, err
	}
	const exists = `SELECT FROM tomkit.operators`
	const insert = `INSERT INTO tomkit.msps (id, operator_id, slug, name)
		SELECT $1, id, $2, $3 FROM tomkit.operators ON CONFLICT DO NOTHING`
	if err := one(ctx, tx, ErrNoParent, exists); err != nil {
		return uuid.Nil, err
	}
	return created(n.ID, one(ctx, tx, ErrTaken, insert, n.ID, n.Slug, n.Name))
}

// Create creates a tenant of an MSP. tx is a System scope.
func Create(ctx context.Context, tx *rls.Tx, msp uuid.UUID, n New) (uuid.UUID, error) {
	if err := n.check(); err != nil {
		return uuid.Nil, err
	}
	const exists = `SELECT FROM tomkit.msps WHERE id = $1 FOR KEY SHARE`
	const insert = `INSERT INTO tomkit.tenants (id, msp_id, slug, name) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	if err := one(ctx, tx, ErrNoParent, exists, msp); err != nil {
		return uuid.Nil, err
	}
	return created(n.ID, one(ctx, tx, ErrTaken, insert, n.ID, msp, n.Slug, n.Name))
}

// SetStatus suspends a tenant or makes it active again. tx is a System scope. The operator cannot be suspended.
func SetStatus(ctx context.Context, tx *rls.Tx, id uuid.UUID, s Status) error {
	return setStatus(ctx, tx, `UPDATE tomkit.tenants SET status = $2 WHERE id = $1 AND id <> msp_id`, id, s)
}

// SetMSPStatus suspends an MSP and so all its tenants, or makes it active again. tx is a System scope. The operator's own
// MSP cannot be suspended.
func SetMSPStatus(ctx context.Context, tx *rls.Tx, id uuid.UUID, s Status) error {
	return setStatus(ctx, tx, `UPDATE tomkit.msps SET status = $2 WHERE id = $1 AND id <> operator_id`, id, s)
}

func setStatus(ctx context.Context, tx *rls.Tx, sql string, id uuid.UUID, s Status) error {
	if s != Active && s != Suspended {
		return fmt.Errorf("%w: status", ErrInvalid)
	}
	return one(ctx, tx, ErrUnknown, sql, id, string(s))
}

// created keeps the id of what was not created from the caller.
func created(id uuid.UUID, err error) (uuid.UUID, error) {
	if err != nil {
		return uuid.Nil, err
	}
	return id, nil
}

// one runs a statement that must touch one row, and otherwise returns none.
func one(ctx context.Context, tx pgx.Tx, none error, sql string, args ...any) error {
	tag, err := tx.Exec(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("tenant: write: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return none
	}
	return nil
}
