package pgsink

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

// columns is a batch as parallel arrays, sorted by tenant and device.
type columns struct {
	at      []int // index of the beat in the caller's slice
	tenants []pgtype.UUID
	devices []pgtype.UUID
	seen    []time.Time
	samples []string
}

func (c *columns) len() int { return len(c.at) }

// slice returns the rows from lo up to hi.
func (c *columns) slice(lo, hi int) *columns {
	return &columns{c.at[lo:hi], c.tenants[lo:hi], c.devices[lo:hi], c.seen[lo:hi], c.samples[lo:hi]}
}

// where returns the rows for which keep holds, by row number.
func (c *columns) where(keep func(row int) bool) *columns {
	out := &columns{}
	for row := range c.at {
		if keep(row) {
			out.add(c.at[row], c.tenants[row], c.devices[row], c.seen[row], c.samples[row])
		}
	}
	return out
}

func (c *columns) add(at int, tenant, device pgtype.UUID, seen time.Time, sample string) {
	c.at = append(c.at, at)
	c.tenants = append(c.tenants, tenant)
	c.devices = append(c.devices, device)
	c.seen = append(c.seen, seen)
	c.samples = append(c.samples, sample)
}

// columnsOf sorts beats into columns. Beats that cannot be encoded are left out and returned as dead letters.
func columnsOf(beats []heartbeat.Beat, out []heartbeat.Outcome) (*columns, []letter, error) {
	order := make([]int, len(beats))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(
			bytes.Compare(beats[a].Tenant[:], beats[b].Tenant[:]),
			bytes.Compare(beats[a].Device[:], beats[b].Device[:]),
		)
	})
	c := &columns{}
	var letters []letter
	for n, i := range order {
		b := &beats[i]
		if n > 0 && b.Tenant == beats[order[n-1]].Tenant && b.Device == beats[order[n-1]].Device {
			return nil, nil, errors.New("pgsink: write: a device occurs twice in the batch")
		}
		seen := b.ReceivedAt.UTC().Truncate(time.Microsecond)
		sample, err := encode(b)
		if err != nil {
			out[i] = heartbeat.Refused
			letters = append(letters, letter{tenant: pgUUID(b.Tenant), device: pgUUID(b.Device), seen: seen, reason: reasonRefused})
			continue
		}
		c.add(i, pgUUID(b.Tenant), pgUUID(b.Device), seen, sample)
	}
	return c, letters, nil
}

func encode(b *heartbeat.Beat) (string, error) {
	if err := b.Validate(); err != nil {
		return "", err
	}
	raw, err := b.Sample.Encode()
	return string(raw), err
}

func pgUUID(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }
