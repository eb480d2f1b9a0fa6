package pgsink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

// Querier runs a query within a scope: an rls.Scope, or an *rls.Tx. The scope decides which rows there are.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Status is one stored sample of one device.
type Status struct {
	Tenant     uuid.UUID
	Device     uuid.UUID
	ReceivedAt time.Time // the server's clock, UTC; last_seen of the current status
	Sample     heartbeat.Sample
}

// Online reports whether the device is online at now, the server's clock.
func (s Status) Online(w heartbeat.Window, now time.Time) bool { return w.Online(s.ReceivedAt, now) }

// Limits of one page.
const (
	DefaultPage = 500
	MaxPage     = 5000
)

// ErrPage means a page size that is negative or above [MaxPage].
var ErrPage = errors.New("pgsink: read: page size out of range")

// Page selects a part of a list. The zero value is the first page.
type Page struct {
	// AfterTenant and AfterDevice are those of the last status of the page before.
	AfterTenant, AfterDevice uuid.UUID
	// Limit is the number of rows. Zero means DefaultPage; above MaxPage is an error.
	Limit int
}

func pageLimit(n int) (int, error) {
	if n == 0 {
		return DefaultPage, nil
	}
	if n < 0 || n > MaxPage {
		return 0, ErrPage
	}
	return n, nil
}

// Current returns the newest status of each device the scope may see, ordered by tenant and device. Devices never heard
// of are not among them. A page shorter than its limit is the last.
func Current(ctx context.Context, q Querier, p Page) ([]Status, error) {
	limit, err := pageLimit(p.Limit)
	if err != nil {
		return nil, err
	}
	return list(ctx, q, `
SELECT tenant_id, device_id, last_seen, sample FROM tomkit.heartbeats
WHERE (tenant_id, device_id) > ($1::uuid, $2::uuid) ORDER BY tenant_id, device_id LIMIT $3::int`,
		pgUUID(p.AfterTenant), pgUUID(p.AfterDevice), limit)
}

// Device returns the newest status of one device, or [heartbeat.ErrUnknownDevice] if the scope sees none.
func Device(ctx context.Context, q Querier, device uuid.UUID) (Status, error) {
	found, err := list(ctx, q, `
SELECT tenant_id, device_id, last_seen, sample FROM tomkit.heartbeats WHERE device_id = $1::uuid LIMIT 1`, pgUUID(device))
	if err != nil {
		return Status{}, err
	}
	if len(found) == 0 {
		return Status{}, heartbeat.ErrUnknownDevice
	}
	return found[0], nil
}

// History returns a device's samples of the intervals that start at from or later and before until, oldest first, at
// most limit (zero means [DefaultPage]). To go on, ask again from the ReceivedAt of the last.
func History(ctx context.Context, q Querier, device uuid.UUID, from, until time.Time, limit int) ([]Status, error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	return list(ctx, q, `
SELECT tenant_id, device_id, received_at, sample FROM tomkit.heartbeat_history
WHERE device_id = $1::uuid AND slot >= $2::timestamptz AND slot < $3::timestamptz ORDER BY slot LIMIT $4::int`,
		pgUUID(device), from.UTC(), until.UTC(), limit)
}

func list(ctx context.Context, q Querier, sql string, args ...any) ([]Status, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("pgsink: read: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Status, err error) {
		var raw []byte
		if err := row.Scan(&s.Tenant, &s.Device, &s.ReceivedAt, &raw); err != nil {
			return s, err
		}
		s.ReceivedAt = s.ReceivedAt.UTC()
		return s, json.Unmarshal(raw, &s.Sample)
	})
	if err != nil {
		return nil, fmt.Errorf("pgsink: read: %w", err)
	}
	return out, nil
}
