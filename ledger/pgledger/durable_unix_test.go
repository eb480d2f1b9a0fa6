//go:build unix

package pgledger_test

import (
	"context"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// A server process is killed with SIGKILL while entries are written, so that the server ends all the others, loses its
// shared memory with every part of the log that was not written, and recovers from the disk. The process that would write
// that part in the background sleeps, so that an entry acknowledged before its flush would be gone.
func TestACrashOfTheServerLosesNothingAcknowledged(t *testing.T) {
	rounds := 3
	if os.Getenv("TOMKIT_SOAK") != "" {
		rounds = 150
	}
	pg := pgtest.NewPrivate(t, map[string]string{
		"fsync": "on", "synchronous_commit": "on", "wal_writer_delay": "10s", "restart_after_crash": "on",
	}, rls.Migrations(), pgledger.Migrations())
	k := kit{pg: pg.DB, db: pg.OpenConfig(t, rls.Config{MaxConns: 12})}
	k.log = k.open(t, config())
	k.business(t)
	logs := []*pgledger.Log{k.log, k.open(t, config())}
	tenant := uuid.New()
	k.fill(t, tenant, 1)

	var mu sync.Mutex
	acknowledged, committed := map[uuid.UUID]uint64{}, 0
	for range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for w := range 10 {
			log := logs[w%2]
			all.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					var receipts []ledger.Receipt
					var err error
					switch w / 2 {
					case 0:
						receipts, err = log.AppendBatch(context.Background(), []record.Event{login(tenant, i), approval(tenant, i)})
					case 1, 2, 3:
						receipts = make([]ledger.Receipt, 1)
						receipts[0], err = log.Append(context.Background(), login(tenant, i))
					default:
						err = k.db.Tenant(tenant).InTx(context.Background(), func(ctx context.Context, tx *rls.Tx) error {
							if _, err := tx.Exec(ctx, `INSERT INTO public.business DEFAULT VALUES`); err != nil {
								return err
							}
							return log.RecordTx(ctx, tx, system(tenant, i))
						})
					}
					if err != nil {
						continue // whatever it says: the entry may be there or not
					}
					mu.Lock()
					for _, r := range receipts {
						acknowledged[r.ID] = r.Seq
					}
					if receipts == nil {
						committed++
					}
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(50+rand.IntN(100)) * time.Millisecond)
		var pid int
		require.NoError(t, k.pg.Superuser(t).QueryRow(t.Context(),
			`SELECT pid FROM pg_stat_activity WHERE usename = 'tomkit_app' ORDER BY random() LIMIT 1`).Scan(&pid))
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		cancel()
		all.Wait() // Append and AppendBatch find out what became of their entries once the server is back
	}
	require.Eventually(t, func() bool {
		_, err := k.log.Head(t.Context(), tenant)
		return err == nil
	}, 30*time.Second, 20*time.Millisecond)

	t.Logf("%d entries and %d changes acknowledged in %d rounds", len(acknowledged), committed, rounds)
	require.NotEmpty(t, acknowledged)
	entries, changes, size := map[uuid.UUID]uint64{}, 0, 1
	for after := uint64(0); ; {
		page, err := k.log.Entries(t.Context(), tenant, ledger.Filter{After: &after, Limit: 1000})
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			after = e.Seq
			size++
			entries[uuid.UUID(e.ID)] = e.Seq
			if e.Action == "device_enrolled" {
				changes++
			}
		}
	}
	for id, seq := range acknowledged {
		found, there := entries[id]
		require.True(t, there, "entry %d was acknowledged", seq)
		require.Equal(t, seq, found)
	}
	require.GreaterOrEqual(t, changes, committed)
	require.Equal(t, k.rows(t), changes, "one entry for every change")
	requireIntact(t, k.log, tenant, size)
}
