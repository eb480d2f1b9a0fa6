package pgsink

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Reasons of dead letters, as the table holds them.
const (
	reasonTenant  = "unknown_tenant"
	reasonDevice  = "unknown_device"
	reasonRefused = "refused"
)

// letter is a beat that could not be stored.
type letter struct {
	tenant, device   pgtype.UUID
	seen             time.Time
	reason, sqlState string
}

func (c *columns) letter(row int, reason, sqlState string) letter {
	return letter{c.tenants[row], c.devices[row], c.seen[row], reason, sqlState}
}

const lettersSQL = `
INSERT INTO tomkit.heartbeat_dead_letters AS d (tenant_id, device_id, reason, sqlstate, first_at, last_at)
SELECT u.tenant_id, u.device_id, u.reason, u.sqlstate, u.seen, u.seen
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[]) AS u(tenant_id, device_id, reason, sqlstate, seen)
ORDER BY 1, 2, 3
ON CONFLICT (tenant_id, device_id, reason) DO UPDATE SET
	beats = d.beats + 1, sqlstate = excluded.sqlstate,
	first_at = least(d.first_at, excluded.first_at), last_at = greatest(d.last_at, excluded.last_at)`

// noteLetters counts letters in the dead-letter table. One that cannot be counted is not worth the batch: it is dropped.
func noteLetters(ctx context.Context, tx pgx.Tx, letters []letter) error {
	if len(letters) == 0 {
		return nil
	}
	var tenants, devices []pgtype.UUID
	var reasons, states []string
	var seen []time.Time
	for _, l := range letters {
		tenants, devices, seen = append(tenants, l.tenant), append(devices, l.device), append(seen, l.seen)
		reasons, states = append(reasons, l.reason), append(states, l.sqlState)
	}
	sp, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := sp.Exec(ctx, lettersSQL, tenants, devices, reasons, states, seen); err != nil {
		if rerr := sp.Rollback(ctx); rerr != nil || !rowFault(err) {
			return err
		}
		return nil
	}
	return sp.Commit(ctx)
}
