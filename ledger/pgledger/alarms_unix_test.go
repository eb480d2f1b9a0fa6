//go:build unix

package pgledger_test

import (
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
)

// Several processes append as fast as they can while the log is verified again and again: every verdict is intact, and at the
// end everything that was acknowledged is there. A million entries in the long form.
func TestConcurrentAppendsRaiseNoFalseAlarm(t *testing.T) {
	const processes = 3
	turns := 60
	if os.Getenv("TOMKIT_SOAK") != "" {
		turns = 1_000_000/(processes*ledgertest.EntriesPerTurn) + 1
	}
	k := newKit(t)
	_, err := k.pg.Superuser(t).Exec(t.Context(), `CREATE TABLE public.killed (entity text PRIMARY KEY); GRANT SELECT, INSERT ON public.killed TO tomkit_app`)
	require.NoError(t, err)
	tenant := uuid.New()
	tenants := []uuid.UUID{tenant}
	crash := ledgertest.NewCrash(t, tenants, processes, writing(t, k.pg.URL, ledgertest.Writing{Tenants: tenants, Turns: turns}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		crash.Done()
	}()
	k.fill(t, tenant, 1)
	verdicts, entries := 0, uint64(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		report, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.True(t, report.Intact(), "a false alarm: %v", report.Findings)
		require.GreaterOrEqual(t, report.Entries, entries, "a log does not shrink")
		verdicts, entries = verdicts+1, report.Entries
	}
	crash.End(t)
	total := turns * processes * ledgertest.EntriesPerTurn
	acknowledged, _, failed := crash.Counts()
	require.Zero(t, failed)
	require.Equal(t, total, acknowledged)
	require.EqualValues(t, total+2, entries, "and the entry that opened the log, and the one that was there first")
	t.Logf("%d entries by %d processes, %d verifications meanwhile, no false alarm", total, processes, verdicts)
}
