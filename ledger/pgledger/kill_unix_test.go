//go:build unix

package pgledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// job is what a writing process is told.
type job struct {
	App, MSP, System string // connection strings
	ledgertest.Writing
}

const jobVariable = "TOMKIT_LEDGER_JOB"

func init() {
	asChild = func() bool {
		text := os.Getenv(jobVariable)
		if text == "" {
			return false
		}
		var j job
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			panic(err)
		}
		j.run()
		return true
	}
}

// run writes until its input ends, whatever happens to the database.
func (j *job) run() {
	log, db := j.open()
	defer db.Close()
	defer log.Close()
	j.Log, j.Batch = log, log.AppendBatch
	j.InTx = func(ctx context.Context, ev record.Event) error {
		err := db.Tenant(ev.Tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO public.killed (entity) VALUES ($1)`, ev.EntityID); err != nil {
				return err
			}
			return log.RecordTx(ctx, tx, ev)
		})
		if errors.Is(err, rls.ErrCommitUnknown) {
			return errors.Join(ledger.ErrOutcomeUnknown, err)
		}
		return err
	}
	j.Run(os.Stdin, os.Stdout)
}

// open connects, which takes until the database is there. Whoever started this process kills it if that is never.
func (j *job) open() (*pgledger.Log, *rls.DB) {
	for ctx := context.Background(); ; time.Sleep(20 * time.Millisecond) {
		db, err := rls.Open(ctx, rls.Config{AppURL: j.App, MSPURL: j.MSP, SystemURL: j.System, ContextKey: pgtest.ContextKey(), MaxConns: 6})
		if err != nil {
			continue
		}
		log, err := pgledger.Open(ctx, db, config())
		if err == nil {
			return log, db
		}
		db.Close()
	}
}

// writing returns the command of a process that writes into the logs of the database at url.
func writing(t testing.TB, url func(role string) string, w ledgertest.Writing) func(name string) *exec.Cmd {
	exe, err := os.Executable()
	require.NoError(t, err)
	return func(name string) *exec.Cmd {
		w.Name = name
		text, err := json.Marshal(job{App: url(rls.RoleApp), MSP: url(rls.RoleMSP), System: url(rls.RoleSystem), Writing: w})
		require.NoError(t, err)
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
		cmd.Stderr = os.Stderr
		return cmd
	}
}

// patience bounds every wait; a machine that needs longer is stuck.
const patience = 2 * time.Minute

// steps of the append path, as pg_stat_activity shows them.
var steps = []struct{ name, where string }{
	{"in the append", "state = 'active' AND query ILIKE '%ledger_append%'"},
	{"waiting for the log's lock", "wait_event_type = 'Lock'"},
	{"writing the commit", "wait_event IN ('WALSync', 'WALWrite', 'WALInsert')"},
	{"inside a transaction", "state LIKE 'idle in transaction%'"},
	{"at any statement", "state = 'active'"},
	{"between transactions", "state = 'idle'"},
}

// arena is a private server under fire.
type arena struct {
	pg     *pgtest.Private
	crash  *ledgertest.Crash
	conn   *pgx.Conn // of a superuser, to look at the sessions
	caught map[string]int
}

// connect connects the observer, when the server lets it.
func (a *arena) connect(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var err error
		if a.conn, err = pgx.Connect(t.Context(), a.pg.SuperuserURL()); err == nil {
			return
		}
		require.True(t, time.Now().Before(deadline), "the server does not come back: %v", err)
		time.Sleep(10 * time.Millisecond)
	}
}

// catch waits for a session at a step and returns its process id. A step that does not show in time is left to chance. What was
// killed just before may still be going down, and takes the observer with it.
func (a *arena) catch(t *testing.T, step int) int {
	t.Helper()
	deadline := time.Now().Add(patience)
	name, where := steps[step].name, steps[step].where
	for tries := 0; ; tries++ {
		if tries == 200 {
			name, where = "by chance", "true"
		}
		var pid int
		err := a.conn.QueryRow(t.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'tomkit_app' AND `+
			where+` ORDER BY random() LIMIT 1`).Scan(&pid)
		switch {
		case err == nil:
			a.caught[name]++
			return pid
		case !errors.Is(err, pgx.ErrNoRows):
			_ = a.conn.Close(t.Context())
			a.connect(t)
		}
		require.True(t, time.Now().Before(deadline), "no session to be seen")
	}
}

// kill -9 of a session, which takes the whole server down and lets it recover; of the postmaster; of a writer.
func (a *arena) kill(t *testing.T, round int) string {
	t.Helper()
	step := round / 3 % len(steps)
	switch round % 3 {
	case 0:
		_ = syscall.Kill(a.catch(t, step), syscall.SIGKILL) // it may have gone by itself
		_ = a.conn.Close(t.Context())
		a.connect(t)
		return "session"
	case 1:
		a.catch(t, step)
		a.crash.KillWriter(t)
		return "writer"
	}
	a.catch(t, step)
	_ = a.conn.Close(t.Context())
	a.pg.Kill(t)
	a.pg.Start(t)
	a.connect(t)
	return "postmaster"
}

// Processes are killed with -9 at every step of an append: writers, sessions, the whole server. No acknowledged entry is lost,
// none that failed is there, none is there twice, the log does not fork and has no gap, and every checkpoint that was ever
// signed is one of this log.
func TestKilledProcesses(t *testing.T) {
	rounds := 6
	if os.Getenv("TOMKIT_SOAK") != "" {
		rounds = 330
	}
	tenants := []uuid.UUID{uuid.New(), uuid.New()}
	a := &arena{caught: map[string]int{}}
	a.pg = pgtest.NewPrivate(t, map[string]string{"fsync": "on", "full_page_writes": "on"}, rls.Migrations(), pgledger.Migrations())
	a.connect(t)
	_, err := a.conn.Exec(t.Context(), `CREATE TABLE public.killed (entity text PRIMARY KEY); GRANT SELECT, INSERT ON public.killed TO tomkit_app`)
	require.NoError(t, err)
	log, err := pgledger.Open(t.Context(), a.pg.Open(t), config())
	require.NoError(t, err)
	t.Cleanup(log.Close)
	a.crash = ledgertest.NewCrash(t, tenants, 3, writing(t, a.pg.URL, ledgertest.Writing{Tenants: tenants, Pause: 2 * time.Millisecond}))
	killed := map[string]int{}
	checkpoints := map[uuid.UUID][][]byte{}
	for round := range rounds {
		a.crash.Progress(t, 20)
		killed[a.kill(t, round)]++
		for _, tenant := range tenants {
			if note, err := log.Checkpoint(t.Context(), tenant); err == nil {
				checkpoints[tenant] = append(checkpoints[tenant], note)
			}
		}
	}
	a.crash.Progress(t, 20)
	a.crash.End(t)
	acknowledged, inTx, failed := a.crash.Counts()
	t.Logf("killed %v, at %v; %d acknowledged, %d of them with a row, %d failed", killed, a.caught, acknowledged, inTx, failed)

	a.connect(t)
	rows, err := a.conn.Query(t.Context(), `SELECT entity FROM public.killed`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	sizes, err := a.crash.Judge(t.Context(), log, names)
	require.NoError(t, err)
	for _, tenant := range tenants {
		notes := checkpoints[tenant]
		for i := 0; i < len(notes); i += max(1, len(notes)/10) {
			report, err := log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Since: notes[i]})
			require.NoError(t, err)
			require.True(t, report.Intact(), "%v", report.Findings)
			require.Equal(t, sizes[tenant], report.Entries)
		}
	}
}
