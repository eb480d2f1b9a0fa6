package pgledger

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// Log is the ledger of all tenants in one database. It is safe for concurrent use, and many processes may use one
// database.
type Log struct {
	cfg    Config
	db     *rls.DB
	chains chains

	mu       sync.Mutex // guards what follows
	batchers map[uuid.UUID]*batcher
	closed   bool
	unplayed map[uuid.UUID][]ledger.ErasedValue // erasures of logs that cannot be written yet; erase.go
	running  sync.WaitGroup                     // batchers

	stop context.CancelFunc // ends what Close does not wait for
	ctx  context.Context    // of batchers: they outlive the calls that wake them

	due     dues      // publish.go
	anchors anchoring // anchors.go
}

var (
	_ ledger.Appender = (*Log)(nil)
	_ ledger.Reader   = (*Log)(nil)
	_ record.Recorder = (*Log)(nil)
)

// Open returns the log in db, after trying whether the request login can do to the tables what nobody may do: UPDATE,
// DELETE, TRUNCATE and INSERT. It returns a *[SelfTestError] if one succeeds, or if the protection of the tables is not
// what the migrations made. Then it replays Config.Journal: what was erased after a backup was made is erased again before
// the restored log serves. Close the Log after use, and before db.
func Open(ctx context.Context, db *rls.DB, cfg Config) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if db == nil {
		return nil, fmt.Errorf("pgledger: open: %w", rls.ErrNoLogin)
	}
	if err := selfTest(ctx, db); err != nil {
		return nil, err
	}
	l := &Log{
		cfg: cfg, db: db, batchers: map[uuid.UUID]*batcher{}, unplayed: map[uuid.UUID][]ledger.ErasedValue{},
		chains: chains{byID: map[uuid.UUID]*chain{}, max: cfg.OpenLogs},
	}
	l.due.init()
	l.anchors.init(len(cfg.Anchors))
	l.ctx, l.stop = context.WithCancel(context.Background())
	if err := l.replay(ctx); err != nil {
		l.stop()
		return nil, err
	}
	return l, nil
}

// Close refuses further entries, waits until the waiting ones are committed and ends the batchers.
func (l *Log) Close() {
	l.mu.Lock()
	l.closed = true
	for _, b := range l.batchers {
		b.end()
	}
	l.mu.Unlock()
	l.running.Wait()
	l.stop()
}

// Append writes ev as the next entry of its tenant's log and returns once it is committed. Entries of one tenant that
// arrive together share a transaction. It uses the request login whatever the caller's scope; inside a transaction use
// [Log.RecordTx], since a second connection may not be had while the first is held.
//
// If ctx ends while the entry is waiting, nothing is written; once it is on its way the outcome is awaited. Errors wrap
// ledger.ErrInvalid, ErrTooLarge, ErrOverloaded, ErrClosed, ErrLogClosed, ErrClock, ErrStale or ErrOutcomeUnknown, or are the database's.
func (l *Log) Append(ctx context.Context, ev record.Event) (ledger.Receipt, error) {
	p, err := l.prepare(ev)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return l.write(ctx, p)
}

// tell is Append for what the log says about itself.
func (l *Log) tell(ctx context.Context, ev record.Event) (ledger.Receipt, error) {
	p, err := l.compose(ev)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return l.write(ctx, p)
}

func (l *Log) write(ctx context.Context, p *pending) (ledger.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Receipt{}, err
	}
	p.done = make(chan struct{})
	if err := l.submit(p); err != nil {
		return ledger.Receipt{}, err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if p.state.CompareAndSwap(stateWaiting, stateWithdrawn) {
			return ledger.Receipt{}, ctx.Err()
		}
		<-p.done
	}
	if p.err != nil {
		return ledger.Receipt{}, p.err
	}
	return p.receipt, nil
}

// Record implements [record.Recorder] by Append.
func (l *Log) Record(ctx context.Context, ev record.Event) error {
	_, err := l.Append(ctx, ev)
	return err
}

// MaxBatch is the greatest number of events AppendBatch takes.
const MaxBatch = 5000

// AppendBatch writes events of one tenant in one transaction, in order: all or none. It takes at most MaxBatch events and
// otherwise behaves like Append, without a queue.
func (l *Log) AppendBatch(ctx context.Context, events []record.Event) ([]ledger.Receipt, error) {
	if len(events) == 0 {
		return nil, nil
	}
	if len(events) > MaxBatch {
		return nil, fmt.Errorf("%w: batch of %d events, limit %d", ledger.ErrTooLarge, len(events), MaxBatch)
	}
	entries, err := l.prepareAll(events)
	if err != nil {
		return nil, err
	}
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.running.Done()
	if err := l.commit(ctx, events[0].Tenant, entries, nil); err != nil {
		return nil, err
	}
	receipts := make([]ledger.Receipt, len(entries))
	for i, e := range entries {
		receipts[i] = e.receipt
	}
	return receipts, nil
}

// enter counts a direct writer, for which Close waits.
func (l *Log) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ledger.ErrClosed
	}
	l.running.Add(1)
	return nil
}

// RecordTx writes ev in the caller's transaction: the entry and the caller's rows are committed together or not at all.
// The entry is checked now and appended with COMMIT, so that the log is locked for one round trip, in the order of the
// calls. tx may be the scope of ev's tenant or a System scope; other tenants are refused by the database. An error of the
// append fails the transaction.
func (l *Log) RecordTx(ctx context.Context, tx *rls.Tx, ev record.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t, ok := tx.Tenant(); ok && t != ev.Tenant {
		return fmt.Errorf("%w: event of another tenant than the transaction's", ledger.ErrInvalid)
	}
	p, err := l.prepare(ev)
	if err != nil {
		return err
	}
	return l.queue(tx, p)
}

// queue lets an entry be written when tx commits.
func (l *Log) queue(tx *rls.Tx, p *pending) error {
	s, ok := tx.Sealer(func() rls.Sealer { return &seal{log: l} }).(*seal)
	if !ok || s.log != l {
		return fmt.Errorf("%w: the transaction has another sealer", ledger.ErrInvalid)
	}
	if len(s.entries) >= MaxBatch {
		return fmt.Errorf("%w: %d events in one transaction", ledger.ErrTooLarge, MaxBatch)
	}
	s.entries = append(s.entries, p)
	return nil
}

// Head returns where the tenant's log ends.
func (l *Log) Head(ctx context.Context, tenant uuid.UUID) (ledger.Head, error) {
	var size int64
	var hash string
	var h ledger.Head
	err := l.db.Tenant(tenant).QueryRow(ctx, `SELECT size, head_hash, last_at FROM tomkit.ledger_heads WHERE tenant_id = $1::uuid`,
		tenant).Scan(&size, &hash, &h.At)
	if err == pgx.ErrNoRows {
		return h, fmt.Errorf("pgledger: head: %w", ledger.ErrNoLog)
	}
	if err != nil {
		return h, fmt.Errorf("pgledger: head: %w", err)
	}
	h.Size, h.At = uint64(size), h.At.UTC()
	h.Hash, err = parseHash(hash)
	return h, err
}
