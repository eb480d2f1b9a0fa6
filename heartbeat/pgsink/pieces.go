package pgsink

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/rls"
)

const (
	pieceLockWait = 25 * time.Millisecond // wait for a locked row while writing piece by piece
	// Waits per batch; then what is locked is left unwritten. A row in the way that was not seen to be locked, such as a
	// device without a heartbeat, takes log2(500) waits to find; rows that were are given one chance.
	waitsFree, waitsLocked = 24, 1
)

// pieces writes a batch of which some row cannot be written.
type pieces struct {
	sink    *Sink
	tx      pgx.Tx
	out     []heartbeat.Outcome
	waits   int // lock timeouts left
	letters []letter
}

// writePieces stores what can be stored of c, in one transaction: first the rows nobody else has locked, then the
// others, each group halved around the rows the database refuses.
func (s *Sink) writePieces(ctx context.Context, c *columns, letters []letter, out []heartbeat.Outcome) error {
	return s.db.System(ctx, Reason, func(ctx context.Context, tx *rls.Tx) error {
		p := &pieces{sink: s, tx: tx, out: out, waits: waitsFree, letters: letters[:len(letters):len(letters)]}
		locked, err := lockedRows(ctx, tx, c)
		if err != nil {
			return err
		}
		if err := p.write(ctx, c.where(func(row int) bool { return !locked[row] })); err != nil {
			return err
		}
		p.waits = waitsLocked
		if err := p.write(ctx, c.where(func(row int) bool { return locked[row] })); err != nil {
			return err
		}
		return noteLetters(ctx, tx, p.letters)
	})
}

// Both statements take the locks that writing takes anyway and pass over what somebody else holds: a tenant or device
// that is being deleted. A tenant deleted already is in neither result.
const (
	lockedTenantsSQL = `
WITH free AS (SELECT t.id FROM tomkit.tenants t WHERE t.id = ANY ($1::uuid[]) ORDER BY t.id FOR KEY SHARE SKIP LOCKED)
SELECT t.id FROM tomkit.tenants t WHERE t.id = ANY ($1::uuid[]) AND t.id NOT IN (SELECT id FROM free)`
	lockedDevicesSQL = `
WITH incoming AS MATERIALIZED (
	SELECT n, tenant_id, device_id FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS u(tenant_id, device_id, n)
), free AS (
	SELECT h.tenant_id, h.device_id FROM tomkit.heartbeats h JOIN incoming USING (tenant_id, device_id)
	ORDER BY h.tenant_id, h.device_id FOR NO KEY UPDATE OF h SKIP LOCKED
)
SELECT i.n FROM incoming i JOIN tomkit.heartbeats h USING (tenant_id, device_id)
WHERE NOT EXISTS (SELECT FROM free f WHERE f.tenant_id = i.tenant_id AND f.device_id = i.device_id)`
)

// lockedRows tells which rows of c somebody else has locked at this moment.
func lockedRows(ctx context.Context, tx pgx.Tx, c *columns) ([]bool, error) {
	rows, err := tx.Query(ctx, lockedTenantsSQL, c.tenants)
	if err != nil {
		return nil, err
	}
	tenants := map[pgtype.UUID]bool{}
	var id pgtype.UUID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { tenants[id] = true; return nil }); err != nil {
		return nil, err
	}
	locked := make([]bool, c.len())
	for row := range locked {
		locked[row] = tenants[c.tenants[row]]
	}
	rows, err = tx.Query(ctx, lockedDevicesSQL, c.tenants, c.devices)
	if err != nil {
		return nil, err
	}
	var n int
	_, err = pgx.ForEachRow(rows, []any{&n}, func() error { locked[n-1] = true; return nil })
	return locked, err
}

// write stores c as a whole, or its halves when the database refuses some row, down to the row at fault.
func (p *pieces) write(ctx context.Context, c *columns) error {
	if c.len() == 0 {
		return nil
	}
	fault, err := p.try(ctx, c)
	switch {
	case err != nil:
		return err
	case fault == "":
		return nil
	case fault == codeLock:
		if p.waits--; p.waits <= 0 || c.len() == 1 {
			p.settle(c, heartbeat.Unwritten)
			return nil
		}
	case c.len() == 1 && fault == codeForeignKey:
		p.settle(c, heartbeat.UnknownDevice)
		p.letters = append(p.letters, c.letter(0, reasonDevice, fault))
		return nil
	case c.len() == 1:
		p.settle(c, heartbeat.Refused)
		p.letters = append(p.letters, c.letter(0, reasonRefused, fault))
		return nil
	}
	half := c.len() / 2
	if err := p.write(ctx, c.slice(0, half)); err != nil {
		return err
	}
	return p.write(ctx, c.slice(half, c.len()))
}

// try stores c within a savepoint. It returns the SQLSTATE if a row is at fault, and an error if the transaction is.
func (p *pieces) try(ctx context.Context, c *columns) (fault string, err error) {
	sp, err := p.tx.Begin(ctx)
	if err != nil {
		return "", err
	}
	letters, err := p.sink.upsert(ctx, sp, c, pieceLockWait, p.out)
	if err == nil {
		p.letters = append(p.letters, letters...)
		return "", sp.Commit(ctx)
	}
	if !rowFault(err) {
		return "", err
	}
	return sqlState(err), sp.Rollback(ctx)
}

func (p *pieces) settle(c *columns, o heartbeat.Outcome) {
	for _, i := range c.at {
		p.out[i] = o
	}
}
