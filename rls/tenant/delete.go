package tenant

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/rls"
)

// DeleteMSP deletes an MSP without tenants. tx is a System scope. One with tenants is ErrNotEmpty: [Move] them or delete
// them (rls/erasure) first. The operator's own is ErrOperator.
func DeleteMSP(ctx context.Context, tx *rls.Tx, id uuid.UUID) error {
	const state = `SELECT id = operator_id, EXISTS (SELECT FROM tomkit.tenants t WHERE t.msp_id = m.id) FROM tomkit.msps m WHERE id = $1`
	if err := one(ctx, tx, ErrUnknown, `SELECT FROM tomkit.msps WHERE id = $1 FOR UPDATE`, id); err != nil {
		return err
	}
	var operator, tenants bool
	if err := tx.QueryRow(ctx, state, id).Scan(&operator, &tenants); err != nil {
		return fmt.Errorf("tenant: delete: %w", err)
	}
	switch {
	case operator:
		return ErrOperator
	case tenants:
		return ErrNotEmpty
	}
	return one(ctx, tx, ErrUnknown, `DELETE FROM tomkit.msps WHERE id = $1`, id)
}
