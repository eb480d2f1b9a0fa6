package pgledger_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// Connections are killed at random moments. Every acknowledged entry is there exactly once, no other one is unless its
// outcome was reported as unknown, and the log is whole.
func TestKilledConnectionsLoseAndDoubleNothing(t *testing.T) {
	k := newKit(t)
	k.business(t)
	tenant := uuid.New()
	k.fill(t, tenant, 1)
	logs := []*pgledger.Log{k.log, k.open(t, config())}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	var mu sync.Mutex
	acknowledged, doubtful, failed := map[uuid.UUID]uint64{}, 0, 0
	note := func(err error, receipts ...ledger.Receipt) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			for _, r := range receipts {
				acknowledged[r.ID] = r.Seq
			}
		case errors.Is(err, ledger.ErrOutcomeUnknown):
			doubtful++
		default:
			failed++
		}
	}
	var all sync.WaitGroup
	for w := range 12 {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				log := logs[w%2]
				if w%4 == 0 {
					receipts, err := log.AppendBatch(context.Background(), []record.Event{login(tenant, i), approval(tenant, i)})
					note(err, receipts...)
					continue
				}
				r, err := log.Append(context.Background(), login(tenant, i))
				note(err, r)
			}
		})
	}
	committed, unknown := 0, 0
	all.Go(func() { // business rows and entries, under the same fire
		for i := 0; ctx.Err() == nil; i++ {
			err := k.db.Tenant(tenant).InTx(context.Background(), func(ctx context.Context, tx *rls.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO public.business DEFAULT VALUES`); err != nil {
					return err
				}
				return logs[0].RecordTx(ctx, tx, system(tenant, i))
			})
			switch {
			case err == nil:
				committed++
			case errors.Is(err, rls.ErrCommitUnknown):
				unknown++
			}
		}
	})
	super := k.pg.Superuser(t)
	killed := 0
	for range 120 {
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		tag, err := super.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'tomkit_app' ORDER BY random() LIMIT 1`)
		require.NoError(t, err)
		killed += int(tag.RowsAffected())
	}
	cancel()
	all.Wait()
	t.Logf("%d killed; %d acknowledged, %d failed, %d doubtful; %d business commits, %d unknown", killed, len(acknowledged), failed, doubtful, committed, unknown)
	require.NotZero(t, killed)
	require.NotEmpty(t, acknowledged)
	require.Zero(t, doubtful, "the database was there all the time, so every outcome could be found")

	entries := map[uuid.UUID]uint64{}
	businessEntries := 0
	for after := uint64(1); ; {
		page, err := logs[1].Entries(t.Context(), tenant, ledger.Filter{After: &after, Limit: 1000})
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			after = e.Seq
			if e.Action == "device_enrolled" {
				businessEntries++
				continue
			}
			_, twice := entries[uuid.UUID(e.ID)]
			require.False(t, twice)
			entries[uuid.UUID(e.ID)] = e.Seq
		}
	}
	require.Equal(t, acknowledged, entries, "what was acknowledged is there, at its place, and nothing else is")
	require.Equal(t, k.rows(t), businessEntries, "one entry for every business row")
	require.GreaterOrEqual(t, businessEntries, committed)
	require.LessOrEqual(t, businessEntries, committed+unknown)
	head, err := k.log.Head(t.Context(), tenant)
	require.NoError(t, err)
	requireIntact(t, logs[0], tenant, int(head.Size))
}
