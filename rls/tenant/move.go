package tenant

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// Move puts a tenant under another MSP and returns the one it was under. tx is a System scope. From its commit on the old
// MSP sees nothing of the tenant and the new one everything; a statement of either sees the state before or after. Of
// moves at once the last one to get the tenant's row wins. Moving a tenant to where it is changes nothing.
//
// The operator is ErrOperator, an MSP that does not exist ErrNoParent, a suspended one ErrSuspended. A tenant may leave a
// suspended MSP: that is how it comes back.
func Move(ctx context.Context, tx *rls.Tx, id, to uuid.UUID) (from uuid.UUID, err error) {
	// Writers of the tenant's rows hold its key only, so a move neither waits for them nor stops them.
	from, err = lockTenant(ctx, tx, id)
	if err != nil {
		return uuid.Nil, err
	}
	// Shared: many moves to one MSP at once, but neither its suspension nor its deletion beside them.
	var status Status
	err = tx.QueryRow(ctx, `SELECT status FROM tomkit.msps WHERE id = $1 FOR SHARE`, to).Scan(&status)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return uuid.Nil, ErrNoParent
	case err != nil:
		return uuid.Nil, fmt.Errorf("tenant: move: %w", err)
	case status != Active:
		return uuid.Nil, ErrSuspended
	}
	return from, one(ctx, tx, ErrUnknown, `UPDATE tomkit.tenants SET msp_id = $2 WHERE id = $1`, id, to)
}

// lockTenant locks a tenant's row and returns its MSP. The operator is refused.
func lockTenant(ctx context.Context, tx *rls.Tx, id uuid.UUID) (msp uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT msp_id FROM tomkit.tenants WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&msp)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return uuid.Nil, ErrUnknown
	case err != nil:
		return uuid.Nil, fmt.Errorf("tenant: lock: %w", err)
	case msp == id:
		return uuid.Nil, ErrOperator
	}
	return msp, nil
}
