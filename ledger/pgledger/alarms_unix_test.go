//go:build unix

package pgledger_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
)

// Several processes append as fast as they can while the log is verified again and again: every verdict is intact, and at the
// end everything that was acknowledged is there. A million entries in the long form.
func TestConcurrentAppendsRaiseNoFalseAlarm(t *testing.T) {
	const processes, perTurn = 3, 8 // entries that the six goroutines of a writer write in a turn
	turns := 60
	if os.Getenv("TOMKIT_SOAK") != "" {
		turns = 1_000_000/(processes*perTurn) + 1
	}
	k := newKit(t)
	_, err := k.pg.Superuser(t).Exec(t.Context(), `CREATE TABLE public.killed (entity text PRIMARY KEY); GRANT SELECT, INSERT ON public.killed TO tomkit_app`)
	require.NoError(t, err)
	tenant := uuid.New()
	y := newYard()
	done := make(chan struct{})
	var writers []*process
	for i := range processes {
		writers = append(writers, startWriter(t, y, job{App: k.pg.URL(rls.RoleApp), MSP: k.pg.URL(rls.RoleMSP), System: k.pg.URL(rls.RoleSystem),
			Name: fmt.Sprintf("p%d", i), Tenants: []uuid.UUID{tenant}, Limit: turns}))
	}
	go func() {
		defer close(done)
		for _, w := range writers {
			<-w.heard
		}
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
	for _, w := range writers {
		w.end(t)
	}
	total := turns * processes * perTurn
	require.Empty(t, y.failed)
	require.Equal(t, total, y.said())
	require.EqualValues(t, total+2, entries, "and the entry that opened the log, and the one that was there first")
	t.Logf("%d entries by %d processes, %d verifications meanwhile, no false alarm", total, processes, verdicts)
}
