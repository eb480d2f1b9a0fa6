package pgsink

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/rls"
)

// attempts is how often a batch is tried when the connection is lost or the transaction is a deadlock's victim.
const attempts = 3

// retryPause is the longest pause before the second try; it doubles with each further one.
const retryPause = 50 * time.Millisecond

// Write implements [heartbeat.Sink]. Batches larger than a few thousand beats gain nothing. An error is always a
// [*WriteError], except for a batch that names a device twice.
func (s *Sink) Write(ctx context.Context, beats []heartbeat.Beat) ([]heartbeat.Outcome, error) {
	out := make([]heartbeat.Outcome, len(beats))
	c, letters, err := columnsOf(beats, out)
	if err != nil {
		return nil, err
	}
	for n := range attempts {
		if err = s.write(ctx, c, letters, out); err == nil {
			return out, nil
		}
		if n == attempts-1 || !transient(ctx, err) || !pause(ctx, rand.N(retryPause<<n)) {
			break
		}
	}
	return nil, &WriteError{SQLState: sqlState(err), cause: err}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// write stores one batch in one transaction: as a whole, or piece by piece when some row stands in the way.
func (s *Sink) write(ctx context.Context, c *columns, letters []letter, out []heartbeat.Outcome) error {
	err := s.db.System(ctx, Reason, func(ctx context.Context, tx *rls.Tx) error {
		found, err := s.upsert(ctx, tx, c, s.lockWait, out)
		if err != nil {
			return err
		}
		return noteLetters(ctx, tx, append(letters[:len(letters):len(letters)], found...))
	})
	if err != nil && rowFault(err) {
		err = s.writePieces(ctx, c, letters, out)
	}
	return err
}

// upsertSQL writes the newest beats and the first of each history interval, and returns the rows it did not write with
// whether their tenant exists. $5 holds each tenant once, $6 is the history interval, $7 MaxAhead.
const upsertSQL = `
WITH incoming AS MATERIALIZED (
	SELECT u.n, u.tenant_id, u.device_id, least(u.seen, clock_timestamp() + $7::interval) AS seen, u.sample
	FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) WITH ORDINALITY AS u(tenant_id, device_id, seen, sample, n)
), live AS MATERIALIZED (
	SELECT t.id FROM tomkit.tenants t WHERE t.id = ANY ($5::uuid[])
), written AS (
	INSERT INTO tomkit.heartbeats AS h (tenant_id, device_id, last_seen, sample)
	SELECT i.tenant_id, i.device_id, i.seen, i.sample::jsonb
	FROM incoming i
	WHERE i.tenant_id IN (SELECT id FROM live)
	ORDER BY i.n
	ON CONFLICT (tenant_id, device_id) DO UPDATE SET
		last_seen = excluded.last_seen, sample = excluded.sample,
		opens = date_bin($6::interval, h.last_seen, 'epoch') < date_bin($6::interval, excluded.last_seen, 'epoch')
	WHERE h.last_seen < excluded.last_seen
	RETURNING h.tenant_id, h.device_id, h.last_seen, h.opens, h.sample
), sampled AS (
	INSERT INTO tomkit.heartbeat_history (tenant_id, device_id, slot, received_at, sample)
	SELECT w.tenant_id, w.device_id, date_bin($6::interval, w.last_seen, 'epoch'), w.last_seen, w.sample
	FROM written w WHERE w.opens
	ON CONFLICT (tenant_id, device_id, slot) DO NOTHING
)
SELECT i.n, i.tenant_id IN (SELECT id FROM live)
FROM incoming i LEFT JOIN written w USING (tenant_id, device_id)
WHERE w.tenant_id IS NULL`

// upsert writes c, sets the outcome of its rows and returns the dead letters among them.
func (s *Sink) upsert(ctx context.Context, tx pgx.Tx, c *columns, wait time.Duration, out []heartbeat.Outcome) ([]letter, error) {
	if c.len() == 0 {
		return nil, nil
	}
	b := &pgx.Batch{}
	b.Queue(`SELECT set_config('lock_timeout', $1, true)`, milliseconds(wait))
	b.Queue(upsertSQL, c.tenants, c.devices, c.seen, c.samples, slices.Compact(slices.Clone(c.tenants)), s.historyInterval, MaxAhead)
	br := tx.SendBatch(ctx, b)
	defer br.Close()
	if _, err := br.Exec(); err != nil {
		return nil, err
	}
	rows, err := br.Query()
	if err != nil {
		return nil, err
	}
	for _, i := range c.at {
		out[i] = heartbeat.Stored
	}
	var letters []letter
	var n int
	var known bool
	_, err = pgx.ForEachRow(rows, []any{&n, &known}, func() error {
		row := n - 1
		out[c.at[row]] = heartbeat.Superseded
		if !known {
			out[c.at[row]] = heartbeat.UnknownDevice
			letters = append(letters, c.letter(row, reasonTenant, ""))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return letters, br.Close()
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
