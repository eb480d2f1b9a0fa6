//go:build unix

package pgledger_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// job is what a writing process is told.
type job struct {
	App, MSP, System string // connection strings
	Name             string // in front of the entity ids it writes
	Tenants          []uuid.UUID
	Limit            int // entries each goroutine writes; 0: until it is killed
	Pause            time.Duration
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

// run writes until its input ends, whatever happens to the database, and reports what it knows on its output, a line at a
// time: "A <tenant> <seq> <id> <entity>" for an acknowledged entry, "T <tenant> <entity>" for one that was committed with a
// business row, "F <entity>" for one that failed for certain.
func (j *job) run() {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	log, db := j.open(ctx)
	if log == nil {
		return
	}
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	var all sync.WaitGroup
	for g := range 6 {
		all.Go(func() {
			for i := 0; ctx.Err() == nil && (j.Limit == 0 || i < j.Limit); i++ {
				tenant := j.Tenants[rand.IntN(len(j.Tenants))]
				entity := fmt.Sprintf("%s-%d-%d", j.Name, g, i)
				switch g {
				case 0:
					j.batch(log, tenant, entity, say)
				case 1:
					j.withRow(db, log, tenant, entity, say)
				default:
					r, err := log.Append(context.Background(), about(tenant, entity))
					report(say, tenant, []string{entity}, []ledger.Receipt{r}, err)
				}
				time.Sleep(j.Pause)
			}
		})
	}
	all.Wait()
	log.Close()
	db.Close()
}

// open connects, which takes until the database is there.
func (j *job) open(ctx context.Context) (*pgledger.Log, *rls.DB) {
	for ctx.Err() == nil {
		db, err := rls.Open(ctx, rls.Config{AppURL: j.App, MSPURL: j.MSP, SystemURL: j.System, ContextKey: pgtest.ContextKey(), MaxConns: 6})
		if err == nil {
			log, err := pgledger.Open(ctx, db, config())
			if err == nil {
				return log, db
			}
			db.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, nil
}

// about is an event that its entity id tells apart from all others.
func about(tenant uuid.UUID, entity string) record.Event {
	ev := system(tenant, 0)
	ev.EntityID, ev.Critical = entity, len(entity)%5 == 0
	return ev
}

func report(say func(string, ...any), tenant uuid.UUID, entities []string, receipts []ledger.Receipt, err error) {
	for i, entity := range entities {
		switch {
		case err == nil:
			say("A %s %d %s %s", tenant, receipts[i].Seq, receipts[i].ID, entity)
		case !errors.Is(err, ledger.ErrOutcomeUnknown):
			say("F %s", entity)
		}
	}
}

func (j *job) batch(log *pgledger.Log, tenant uuid.UUID, entity string, say func(string, ...any)) {
	entities := []string{entity + "-a", entity + "-b", entity + "-c"}
	var events []record.Event
	for _, e := range entities {
		events = append(events, about(tenant, e))
	}
	receipts, err := log.AppendBatch(context.Background(), events)
	report(say, tenant, entities, receipts, err)
}

func (j *job) withRow(db *rls.DB, log *pgledger.Log, tenant uuid.UUID, entity string, say func(string, ...any)) {
	err := db.Tenant(tenant).InTx(context.Background(), func(ctx context.Context, tx *rls.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO public.killed (entity) VALUES ($1)`, entity); err != nil {
			return err
		}
		return log.RecordTx(ctx, tx, about(tenant, entity))
	})
	switch {
	case err == nil:
		say("T %s %s", tenant, entity)
	case !errors.Is(err, rls.ErrCommitUnknown):
		say("F %s", entity)
	}
}

// place is where an acknowledged entry stands.
type place struct {
	tenant uuid.UUID
	seq    uint64
	id     string
}

// yard is what the writers said.
type yard struct {
	mu           sync.Mutex
	acknowledged map[string]place // by entity
	withRow      map[string]uuid.UUID
	failed       map[string]bool
}

func newYard() *yard {
	return &yard{acknowledged: map[string]place{}, withRow: map[string]uuid.UUID{}, failed: map[string]bool{}}
}

func (y *yard) said() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return len(y.acknowledged) + len(y.withRow)
}

// listen takes down what a writer says. A line it was killed over is not ended by a newline and counts for nothing.
func (y *yard) listen(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		f := strings.Fields(line)
		y.mu.Lock()
		switch f[0] {
		case "A":
			seq, _ := strconv.ParseUint(f[2], 10, 64)
			y.acknowledged[f[4]] = place{uuid.MustParse(f[1]), seq, f[3]}
		case "T":
			y.withRow[f[2]] = uuid.MustParse(f[1])
		case "F":
			y.failed[f[1]] = true
		}
		y.mu.Unlock()
	}
}

// process is a writer.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	heard chan struct{} // closed when all it said was taken down
}

func startWriter(t *testing.T, y *yard, j job) *process {
	t.Helper()
	text, err := json.Marshal(j)
	require.NoError(t, err)
	exe, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.Command(exe), heard: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	go func() {
		defer close(p.heard)
		y.listen(out)
	}()
	return p
}

// end lets the writer finish what it is at.
func (p *process) end(t *testing.T) {
	t.Helper()
	require.NoError(t, p.stdin.Close())
	p.wait(t)
}

func (p *process) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.heard:
	case <-time.After(patience):
		t.Fatal("a writer does not end")
	}
	_ = p.cmd.Wait()
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	p.wait(t)
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
	pg      *pgtest.Private
	yard    *yard
	tenants []uuid.UUID
	writers []*process
	started int
	conn    *pgx.Conn // of a superuser, to look at the sessions
	caught  map[string]int
}

func (a *arena) write(t *testing.T, at int) {
	t.Helper()
	a.started++
	p := startWriter(t, a.yard, job{App: a.pg.URL(rls.RoleApp), MSP: a.pg.URL(rls.RoleMSP), System: a.pg.URL(rls.RoleSystem),
		Name: fmt.Sprintf("w%d", a.started), Tenants: a.tenants, Pause: 2 * time.Millisecond})
	if at == len(a.writers) {
		a.writers = append(a.writers, p)
		return
	}
	a.writers[at] = p
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

// progress waits until the writers were told of more entries.
func (a *arena) progress(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for from := a.yard.said(); a.yard.said() < from+20; time.Sleep(2 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "the writers are stuck")
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
		at := rand.IntN(len(a.writers))
		a.writers[at].kill(t)
		a.write(t, at)
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
	a := &arena{yard: newYard(), tenants: []uuid.UUID{uuid.New(), uuid.New()}, caught: map[string]int{}}
	a.pg = pgtest.NewPrivate(t, map[string]string{"fsync": "on", "full_page_writes": "on"}, rls.Migrations(), pgledger.Migrations())
	a.connect(t)
	_, err := a.conn.Exec(t.Context(), `CREATE TABLE public.killed (entity text PRIMARY KEY); GRANT SELECT, INSERT ON public.killed TO tomkit_app`)
	require.NoError(t, err)
	log, err := pgledger.Open(t.Context(), a.pg.Open(t), config())
	require.NoError(t, err)
	t.Cleanup(log.Close)
	for at := range 3 {
		a.write(t, at)
	}
	killed := map[string]int{}
	checkpoints := map[uuid.UUID][][]byte{}
	for round := range rounds {
		a.progress(t)
		killed[a.kill(t, round)]++
		for _, tenant := range a.tenants {
			if note, err := log.Checkpoint(t.Context(), tenant); err == nil {
				checkpoints[tenant] = append(checkpoints[tenant], note)
			}
		}
	}
	a.progress(t)
	for _, w := range a.writers {
		w.end(t)
	}
	t.Logf("killed %v, at %v; %d acknowledged, %d with a row, %d failed", killed, a.caught, len(a.yard.acknowledged), len(a.yard.withRow), len(a.yard.failed))
	a.judge(t, log, checkpoints)
}

// judge compares the logs with what the writers were told.
func (a *arena) judge(t *testing.T, log *pgledger.Log, checkpoints map[uuid.UUID][][]byte) {
	t.Helper()
	a.connect(t)
	rows, err := a.conn.Query(t.Context(), `SELECT entity FROM public.killed`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	business := map[string]bool{}
	for _, n := range names {
		business[n] = true
	}
	seen := map[string]place{}
	for _, tenant := range a.tenants {
		next := uint64(0)
		for f := (ledger.Filter{Limit: ledger.MaxPage}); ; {
			page, err := log.Entries(t.Context(), tenant, f)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				require.Equal(t, next, e.Seq, "no gap")
				next++
				if e.Action != "device_enrolled" {
					continue
				}
				_, twice := seen[e.EntityID]
				require.False(t, twice, "%s is there twice", e.EntityID)
				seen[e.EntityID] = place{tenant, e.Seq, uuid.UUID(e.ID).String()}
			}
			f.After = &page[len(page)-1].Seq
		}
		notes := checkpoints[tenant]
		for i := 0; i < len(notes); i += max(1, len(notes)/10) {
			report, err := log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Since: notes[i]})
			require.NoError(t, err)
			require.True(t, report.Intact(), "%v", report.Findings)
			require.Equal(t, next, report.Entries)
		}
	}
	for entity, p := range a.yard.acknowledged {
		require.Equal(t, p, seen[entity], "%s was acknowledged", entity)
	}
	for entity, tenant := range a.yard.withRow {
		require.Equal(t, tenant, seen[entity].tenant, "%s was acknowledged with its row", entity)
		require.True(t, business[entity])
	}
	for entity := range a.yard.failed {
		_, there := seen[entity]
		require.False(t, there || business[entity], "%s was said to have failed", entity)
	}
	for entity := range business {
		_, there := seen[entity]
		require.True(t, there, "%s is a row without its entry", entity)
	}
}
