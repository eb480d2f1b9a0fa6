package ledgertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

// Writing is what a process of a [Crash] does: it writes into logs until its input ends, or until it is killed. As JSON, it is
// what such a process is told; the rest it opens itself.
type Writing struct {
	Name    string        // goes in front of the entity ids; each process has another
	Tenants []uuid.UUID   // whose logs are written, by chance
	Turns   int           // of each of its goroutines; 0 means until the input ends
	Pause   time.Duration // between two turns

	Log ledger.Appender `json:"-"`
	// Batch writes events of one tenant, all or none. Nil if there is none.
	Batch func(ctx context.Context, events []record.Event) ([]ledger.Receipt, error) `json:"-"`
	// InTx records an event in a transaction that also writes a row named by the event's entity id. An error that leaves open
	// whether it was committed wraps ledger.ErrOutcomeUnknown. Nil if there is none.
	InTx func(ctx context.Context, ev record.Event) error `json:"-"`
}

// writersOf a process; the first writes batches and the second in transactions, where there are such.
const writersOf = 6

// EntriesPerTurn is how many entries a process with Batch and InTx writes in a turn of all its goroutines.
const EntriesPerTurn = 3 + writersOf - 1

// Run writes, whatever happens to the log, and says on out what it knows, in a line each: "A tenant seq id entity" for an
// acknowledged entry, "T tenant entity" for one that was committed with a row, "F entity" for one that failed for certain.
func (w *Writing) Run(in io.Reader, out io.Writer) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, format+"\n", args...)
	}
	var all sync.WaitGroup
	for g := range writersOf {
		all.Go(func() {
			for i := 0; ctx.Err() == nil && (w.Turns == 0 || i < w.Turns); i++ {
				w.turn(g, w.Tenants[rand.IntN(len(w.Tenants))], fmt.Sprintf("%s-%d-%d", w.Name, g, i), say)
				time.Sleep(w.Pause)
			}
		})
	}
	all.Wait()
}

// turn writes once. What is on its way is not cancelled: its outcome counts.
func (w *Writing) turn(g int, tenant uuid.UUID, entity string, say func(string, ...any)) {
	ctx := context.Background()
	entities := []string{entity}
	var receipts []ledger.Receipt
	var err error
	switch {
	case g == 0 && w.Batch != nil:
		entities = []string{entity + "-a", entity + "-b", entity + "-c"}
		var events []record.Event
		for _, e := range entities {
			events = append(events, crashEvent(tenant, e))
		}
		receipts, err = w.Batch(ctx, events)
	case g == 1 && w.InTx != nil:
		if err = w.InTx(ctx, crashEvent(tenant, entity)); err == nil {
			say("T %s %s", tenant, entity)
			return
		}
	default:
		receipts = make([]ledger.Receipt, 1)
		receipts[0], err = w.Log.Append(ctx, crashEvent(tenant, entity))
	}
	for i, e := range entities {
		switch {
		case err == nil:
			say("A %s %d %s %s", tenant, receipts[i].Seq, receipts[i].ID, e)
		case !errors.Is(err, ledger.ErrOutcomeUnknown):
			say("F %s", e)
		}
	}
}

const crashAction = "device_enrolled"

// crashEvent is an event that its entity id tells apart from all others; every fifth or so is critical.
func crashEvent(tenant uuid.UUID, entity string) record.Event {
	return record.Event{Tenant: tenant, Action: crashAction, EntityType: "device", EntityID: entity, Critical: len(entity)%5 == 0,
		Narrative: record.Narrative{Template: crashAction, Args: map[string]any{"device": "ward", "at": time.Now()}}}
}

// Crash is a number of processes that write into the same logs while they, or what they write to, are killed. It takes down what
// they are told, and at the end compares that with the logs. It is for one goroutine.
type Crash struct {
	tenants []uuid.UUID
	command func(name string) *exec.Cmd
	writers []*crashWriter
	started int

	mu           sync.Mutex
	acknowledged map[string]crashPlace // by entity id
	inTx         map[string]uuid.UUID
	failed       map[string]bool
}

// crashPlace is where an acknowledged entry stands.
type crashPlace struct {
	tenant uuid.UUID
	seq    uint64
	id     uuid.UUID
}

type crashWriter struct {
	cmd   *exec.Cmd
	stdin io.Closer
	heard chan struct{} // closed when all it said was taken down
}

// NewCrash starts writers. command returns a process, not started, that calls [Writing.Run] with the given name and these tenants
// on its standard input and output. What still runs at the test's end is killed.
func NewCrash(t testing.TB, tenants []uuid.UUID, writers int, command func(name string) *exec.Cmd) *Crash {
	t.Helper()
	c := newCrash(tenants)
	c.command = command
	for range writers {
		c.writers = append(c.writers, c.start(t))
	}
	return c
}

func newCrash(tenants []uuid.UUID) *Crash {
	return &Crash{tenants: tenants, acknowledged: map[string]crashPlace{}, inTx: map[string]uuid.UUID{}, failed: map[string]bool{}}
}

func (c *Crash) start(t testing.TB) *crashWriter {
	t.Helper()
	c.started++
	w := &crashWriter{cmd: c.command(fmt.Sprintf("w%d", c.started)), heard: make(chan struct{})}
	out, err := w.cmd.StdoutPipe()
	require.NoError(t, err)
	w.stdin, err = w.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, w.cmd.Start())
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	go func() {
		defer close(w.heard)
		c.listen(out)
	}()
	return w
}

// listen takes down what a writer says. A line it was killed over is not ended by a newline and counts for nothing.
func (c *Crash) listen(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		f := strings.Fields(line)
		c.mu.Lock()
		switch {
		case len(f) == 5 && f[0] == "A":
			seq, _ := strconv.ParseUint(f[2], 10, 64)
			c.acknowledged[f[4]] = crashPlace{uuid.MustParse(f[1]), seq, uuid.MustParse(f[3])}
		case len(f) == 3 && f[0] == "T":
			c.inTx[f[2]] = uuid.MustParse(f[1])
		case len(f) == 2 && f[0] == "F":
			c.failed[f[1]] = true
		}
		c.mu.Unlock()
	}
}

// Counts returns how many entries were acknowledged, how many of them with a row, and how many failed for certain.
func (c *Crash) Counts() (acknowledged, inTx, failed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acknowledged) + len(c.inTx), len(c.inTx), len(c.failed)
}

// crashPatience bounds every wait; what needs longer is stuck.
const crashPatience = 2 * time.Minute

// Progress waits until n more entries were acknowledged.
func (c *Crash) Progress(t testing.TB, n int) {
	t.Helper()
	deadline := time.Now().Add(crashPatience)
	from, _, _ := c.Counts()
	for now := from; now < from+n; now, _, _ = c.Counts() {
		require.True(t, time.Now().Before(deadline), "the writers are stuck")
		time.Sleep(2 * time.Millisecond)
	}
}

// KillWriter kills one of the writers, without a chance to clean up (kill -9), and starts another.
func (c *Crash) KillWriter(t testing.TB) {
	t.Helper()
	at := rand.IntN(len(c.writers))
	require.NoError(t, c.writers[at].cmd.Process.Kill())
	c.writers[at].wait(t)
	c.writers[at] = c.start(t)
}

// Done waits until all writers have ended by themselves, after their turns.
func (c *Crash) Done() {
	for _, w := range c.writers {
		<-w.heard
	}
}

// End lets the writers finish what they are at.
func (c *Crash) End(t testing.TB) {
	t.Helper()
	for _, w := range c.writers {
		_ = w.stdin.Close() // of one that has ended
		w.wait(t)
	}
}

func (w *crashWriter) wait(t testing.TB) {
	t.Helper()
	select {
	case <-w.heard:
	case <-time.After(crashPatience):
		t.Fatal("a writer does not end")
	}
	_ = w.cmd.Wait() // killed, or at its end
}

// Judge compares the logs, and the rows that are there, with what the writers were told: no acknowledged entry is lost or stands
// elsewhere, none that failed is there, none is there twice, the logs have no gap, and a row is there exactly if its entry is. It
// returns the size of each log, and everything that is wrong as one error. Call it after End.
func (c *Crash) Judge(ctx context.Context, log ledger.Reader, rows []string) (sizes map[uuid.UUID]uint64, err error) {
	there, sizes, wrong := c.read(ctx, log)
	blame := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	row := map[string]bool{}
	for _, name := range rows {
		row[name] = true
		if _, ok := there[name]; !ok {
			blame("%s is a row without its entry", name)
		}
	}
	for entity, want := range c.acknowledged {
		if have, ok := there[entity]; !ok || have != want {
			blame("%s was acknowledged as %d of %s and is not there", entity, want.seq, want.tenant)
		}
	}
	for entity, tenant := range c.inTx {
		if have, ok := there[entity]; !ok || have.tenant != tenant || !row[entity] {
			blame("%s was acknowledged with its row, and one of them is not there", entity)
		}
	}
	for entity := range c.failed {
		if _, ok := there[entity]; ok || row[entity] {
			blame("%s was said to have failed, and is there", entity)
		}
	}
	return sizes, errors.Join(wrong...)
}

// read reads what the logs say about the writers' entities.
func (c *Crash) read(ctx context.Context, log ledger.Reader) (there map[string]crashPlace, sizes map[uuid.UUID]uint64, wrong []error) {
	there, sizes = map[string]crashPlace{}, map[uuid.UUID]uint64{}
	for _, tenant := range c.tenants {
		next := uint64(0)
		for f := (ledger.Filter{Limit: ledger.MaxPage}); ; {
			page, err := log.Entries(ctx, tenant, f)
			if err != nil {
				return there, sizes, append(wrong, err)
			}
			if len(page) == 0 {
				break
			}
			for i := range page {
				e := &page[i]
				if e.Seq != next {
					wrong = append(wrong, fmt.Errorf("log of %s: position %d follows %d", tenant, e.Seq, next))
				}
				next = e.Seq + 1
				if e.Action != crashAction {
					continue
				}
				if _, twice := there[e.EntityID]; twice {
					wrong = append(wrong, fmt.Errorf("%s is there twice", e.EntityID))
				}
				there[e.EntityID] = crashPlace{tenant, e.Seq, e.ID}
			}
			f.After = &page[len(page)-1].Seq
		}
		sizes[tenant] = next
	}
	return there, sizes, wrong
}
