package httpabac

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrNotRecorded is returned by [Log.Record] where a record is not, and may never be, in the log.
var ErrNotRecorded = errors.New("decision not recorded")

// LostError is returned by [Log.Run] if records could not be written before it had to end.
type LostError struct {
	Records int
	Err     error // of the last attempt
}

// Error returns the number of records and the cause.
func (e *LostError) Error() string {
	return fmt.Sprintf("httpabac: log: %d records lost: %v", e.Records, e.Err)
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }

// LogConfig tunes a [Log]. Only Write is required.
type LogConfig struct {
	// Write keeps the records, all or none of them, in the order given. After an error it is called with them again, so a
	// record may be written twice: its Seq tells. It is called by one goroutine at a time, and should return when its context
	// ends.
	Write func(context.Context, []Record) error
	// Queue is the number of records held in memory: so many denies and samples, and so many privileged allows. Zero means
	// 4,096.
	Queue int
	// Batch is the most records of one Write. Zero means 256.
	Batch int
	// MaxWait is how long a privileged allow waits until it is written, before the request is refused. Zero means 5s.
	MaxWait time.Duration
	// Retry is the pause after a Write that failed; it doubles up to 64 times that. Zero means 100ms.
	Retry time.Duration
	// Drain is how long Run goes on writing after its context has ended. Zero means 10s.
	Drain time.Duration
	// OnError is told every error of Write. Nil means nobody.
	OnError func(error)
}

// Log is a decision log that is slow rather than incomplete. [Log.Record] is what [Config].Record wants, and what it does
// when the queue is full depends on the decision:
//
//   - A deny waits until there is room, however long that takes and even if the client has gone away: who is refused
//     because of what they tried cannot make the log forget it by trying often. That slows down those who are refused, and
//     holds one goroutine each; the server's limit on connections bounds them.
//   - A privileged allow waits until it is written, not only queued, and at most MaxWait and as long as its request; after
//     that it is refused. If its Write was already under way it may be in the log although nothing was carried out.
//   - A sampled allow never waits. It is dropped where the queue is half full, and counted.
//
// Privileged allows queue apart and half of every batch is theirs, so that a flood of denies, which anybody can cause,
// does not stop those who work.
//
// Denies that are queued and not yet written die with the process if it is killed; Run writes them when it is stopped. Stop
// the HTTP server first. Records given to a Log that nobody runs fill the queue and then wait.
type Log struct {
	cfg   LogConfig
	wake  chan struct{}
	ended chan struct{} // closed when nothing is written any more

	mu      sync.Mutex
	urgent  lane // privileged allows
	common  lane // denies and samples
	seq     uint64
	running bool
	closed  bool
	stats   LogStats
}

// LogStats are a Log's counters and gauges.
type LogStats struct {
	Written  uint64 // records
	Dropped  uint64 // sampled allows that found no room
	Refused  uint64 // privileged allows that were not recorded in time, and records that came after the end
	Failures uint64 // errors of Write
	Queued   int    // records not yet written
	Waiting  int    // callers that wait for room
}

// lane is a queue. Its slots are guarded by themselves, its entries by the Log's mutex.
type lane struct {
	slots   chan struct{} // one for each record that is queued or being written
	entries []*entry
}

// take removes up to n entries.
func (q *lane) take(n int) []*entry {
	n = min(n, len(q.entries))
	taken := q.entries[:n:n]
	if q.entries = q.entries[n:]; len(q.entries) == 0 {
		q.entries = nil // and with it the array behind
	}
	return taken
}

// entry is a record on its way.
type entry struct {
	record    Record
	lane      *lane
	written   chan struct{} // closed when written; nil if nobody waits
	abandoned bool          // who waited has given up
}

// NewLog checks cfg and returns a Log, to be run with [Log.Run].
func NewLog(cfg LogConfig) (*Log, error) {
	if cfg.Write == nil {
		return nil, fmt.Errorf("httpabac: log: Write is nil")
	}
	if min(cfg.Queue, cfg.Batch) < 0 || min(cfg.MaxWait, cfg.Retry, cfg.Drain) < 0 {
		return nil, fmt.Errorf("httpabac: log: negative size or time")
	}
	setDefault(&cfg.Queue, 4096)
	setDefault(&cfg.Batch, 256)
	setDefault(&cfg.MaxWait, 5*time.Second)
	setDefault(&cfg.Retry, 100*time.Millisecond)
	setDefault(&cfg.Drain, 10*time.Second)
	return &Log{
		cfg: cfg, wake: make(chan struct{}, 1), ended: make(chan struct{}),
		urgent: lane{slots: make(chan struct{}, cfg.Queue)}, common: lane{slots: make(chan struct{}, cfg.Queue)},
	}, nil
}

func setDefault[T int | time.Duration](value *T, zero T) {
	if *value == 0 {
		*value = zero
	}
}

// Record takes a record as the description of [Log] says. The error wraps [ErrNotRecorded].
func (l *Log) Record(ctx context.Context, rec Record) error {
	switch {
	case !rec.Decision.Allowed:
		return l.enqueue(nil, &entry{record: rec, lane: &l.common})
	case !rec.Privileged:
		return l.sample(rec)
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.MaxWait)
	defer cancel()
	e := &entry{record: rec, lane: &l.urgent, written: make(chan struct{})}
	if err := l.enqueue(ctx.Done(), e); err != nil {
		return err
	}
	select {
	case <-e.written:
		return nil
	case <-ctx.Done():
	case <-l.ended:
	}
	return l.abandon(e)
}

// abandon gives e up, unless it has been written in this moment.
func (l *Log) abandon(e *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-e.written:
		return nil
	default:
	}
	e.abandoned = true
	l.stats.Refused++
	return fmt.Errorf("httpabac: log: not written in time: %w", ErrNotRecorded)
}

// sample takes a record if more than half of the queue is free.
func (l *Log) sample(rec Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slots := l.common.slots; !l.closed && 2*len(slots) < cap(slots) {
		select {
		case slots <- struct{}{}:
			l.push(&entry{record: rec, lane: &l.common})
			return nil
		default: // others were faster
		}
	}
	l.stats.Dropped++
	return fmt.Errorf("httpabac: log: no room for a sample: %w", ErrNotRecorded)
}

// enqueue waits for room until giveUp, which may be nil for never.
func (l *Log) enqueue(giveUp <-chan struct{}, e *entry) error {
	l.mu.Lock()
	if l.closed {
		l.stats.Refused++
		l.mu.Unlock()
		return fmt.Errorf("httpabac: log: ended: %w", ErrNotRecorded)
	}
	l.stats.Waiting++
	l.mu.Unlock()
	got := false
	select {
	case e.lane.slots <- struct{}{}:
		got = true
	case <-giveUp:
	case <-l.ended:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Waiting--
	if !got || l.closed {
		l.signal() // Run may be waiting for the last one who waits
		l.stats.Refused++
		return fmt.Errorf("httpabac: log: no room in time: %w", ErrNotRecorded)
	}
	l.push(e)
	return nil
}

func (l *Log) push(e *entry) {
	e.lane.entries = append(e.lane.entries, e)
	l.signal()
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Stats returns the counters and gauges of this moment.
func (l *Log) Stats() LogStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Queued = len(l.urgent.slots) + len(l.common.slots)
	return s
}

// Run writes records until ctx ends and then, for at most Drain, what is still queued or waits. It returns nil if
// everything was written, else a *[LostError]. It can be called once.
func (l *Log) Run(ctx context.Context) error {
	l.mu.Lock()
	if l.running {
		l.mu.Unlock()
		return fmt.Errorf("httpabac: log: run twice")
	}
	l.running = true
	l.mu.Unlock()

	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	release := context.AfterFunc(ctx, func() { // the time for draining begins
		l.signal()
		timer := time.AfterFunc(l.cfg.Drain, stop)
		context.AfterFunc(writing, func() { timer.Stop() })
	})
	defer release()
	var last error
	for {
		batch := l.take()
		if len(batch) > 0 {
			if last = l.write(writing, batch); last != nil {
				return l.lose(len(batch), last)
			}
			continue
		}
		if ctx.Err() != nil && l.close() {
			return nil
		}
		if writing.Err() != nil {
			return l.lose(0, writing.Err())
		}
		select {
		case <-l.wake:
		case <-writing.Done():
		}
	}
}

// take removes up to a batch from the queues and numbers its records.
func (l *Log) take() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := l.urgent.take((l.cfg.Batch + 1) / 2)
	batch = append(batch, l.common.take(l.cfg.Batch-len(batch))...)
	batch = append(batch, l.urgent.take(l.cfg.Batch-len(batch))...)
	for _, e := range batch {
		l.seq++
		e.record.Seq = l.seq
	}
	return batch
}

// write tries until the batch is written or the context ends.
func (l *Log) write(ctx context.Context, batch []*entry) error {
	pause := l.cfg.Retry
	for {
		records := l.wanted(batch)
		if len(records) == 0 {
			l.finish(batch, 0)
			return nil
		}
		err := l.cfg.Write(ctx, records)
		if err == nil {
			l.finish(batch, len(records))
			return nil
		}
		l.fail(err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		pause = min(2*pause, 64*l.cfg.Retry)
	}
}

// wanted returns the records that nobody has given up.
func (l *Log) wanted(batch []*entry) (records []Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range batch {
		if !e.abandoned {
			records = append(records, e.record)
		}
	}
	return records
}

// finish tells those who wait, and makes room.
func (l *Log) finish(batch []*entry, written int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Written += uint64(written)
	for _, e := range batch {
		if e.written != nil {
			close(e.written)
		}
		<-e.lane.slots
	}
}

func (l *Log) fail(err error) {
	l.mu.Lock()
	l.stats.Failures++
	l.mu.Unlock()
	if l.cfg.OnError != nil {
		l.cfg.OnError(err)
	}
}

// close ends the log if nothing is queued and nobody waits.
func (l *Log) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.urgent.entries) > 0 || len(l.common.entries) > 0 || l.stats.Waiting > 0 {
		return false
	}
	l.end()
	return true
}

func (l *Log) end() {
	if !l.closed {
		l.closed = true
		close(l.ended)
	}
}

// lose ends the log with what is in hand and in the queue unwritten.
func (l *Log) lose(inHand int, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
	lost := inHand + len(l.urgent.entries) + len(l.common.entries) + l.stats.Waiting
	l.urgent.entries, l.common.entries = nil, nil
	return &LostError{Records: lost, Err: err}
}
