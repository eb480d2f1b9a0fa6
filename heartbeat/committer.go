package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// CommitConfig tunes a [Committer]. The zero value is ready for production.
type CommitConfig struct {
	// MaxBatch is the number of beats per transaction, at most. Zero means 500 (TOM 5.1); negative is an error.
	MaxBatch int
	// Queue is the number of beats that may wait for a transaction. Beyond it Accept answers ErrOverloaded. Zero means
	// 8,192 (about 8 MiB); negative is an error.
	Queue int
	// InFlight is the number of concurrent transactions, each on a connection of its own. Zero means 2; negative is an error.
	InFlight int
	// WriteTimeout bounds one call of the sink. Zero means 10s; negative is an error.
	WriteTimeout time.Duration
	// DrainTimeout bounds how long Run goes on writing what is queued after its context ended. Zero means 10s; negative
	// is an error.
	DrainTimeout time.Duration
	// RetryAfter is the least time an overloaded Committer asks to wait; a random part of up to as much again is added.
	// Zero means 5s; negative is an error.
	RetryAfter time.Duration
	// Now reports the current time, for the lag in Stats. Nil means time.Now.
	Now func() time.Time
}

func (c CommitConfig) withDefaults() (CommitConfig, error) {
	if c.MaxBatch < 0 || c.Queue < 0 || c.InFlight < 0 || c.WriteTimeout < 0 || c.DrainTimeout < 0 || c.RetryAfter < 0 {
		return c, errors.New("heartbeat: commit config: negative value")
	}
	c.MaxBatch = orDefault(c.MaxBatch, 500)
	c.Queue = orDefault(c.Queue, 8192)
	c.InFlight = orDefault(c.InFlight, 2)
	c.WriteTimeout = orDefault(c.WriteTimeout, 10*time.Second)
	c.DrainTimeout = orDefault(c.DrainTimeout, 10*time.Second)
	c.RetryAfter = orDefault(c.RetryAfter, 5*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func orDefault[T int | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}

// Committer is an [Acceptor] that commits in groups: while one transaction is on its way, arriving beats gather for the
// next, and each caller is answered after the commit that holds its beat. It works while Run runs.
type Committer struct {
	sink  Sink
	cfg   CommitConfig
	queue chan *waiting

	started atomic.Bool
	mu      sync.RWMutex // guards stopped against sends on queue
	stopped bool

	stats counters
}

// waiting is one caller of Accept.
type waiting struct {
	beat   Beat
	since  time.Time
	answer chan error // holds one: the worker never waits for a caller who left
}

// NewCommitter returns a Committer over sink. It fails if cfg holds a negative value.
func NewCommitter(sink Sink, cfg CommitConfig) (*Committer, error) {
	if sink == nil {
		return nil, errors.New("heartbeat: new committer: no sink")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Committer{sink: sink, cfg: cfg, queue: make(chan *waiting, cfg.Queue)}, nil
}

// Accept implements [Acceptor]. It does not wait for room in the queue. A caller who leaves with its context's error has
// its beat written all the same.
func (c *Committer) Accept(ctx context.Context, b Beat) error {
	if err := b.Validate(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiting{beat: b, since: c.cfg.Now(), answer: make(chan error, 1)}
	if !c.enqueue(w) {
		c.stats.overloaded.Add(1)
		return &OverloadedError{RetryAfter: c.cfg.RetryAfter + rand.N(c.cfg.RetryAfter)}
	}
	select {
	case err := <-w.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Committer) enqueue(w *waiting) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.stopped {
		return false
	}
	select {
	case c.queue <- w:
		return true
	default:
		return false
	}
}

// Run writes until ctx ends, then refuses new beats, writes what is queued within DrainTimeout, answers every caller and
// returns. A Committer runs once. The error is nil unless queued beats could not be written in time.
func (c *Committer) Run(ctx context.Context) error {
	if !c.started.CompareAndSwap(false, true) {
		return errors.New("heartbeat: run: started before")
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var workers sync.WaitGroup
	for range c.cfg.InFlight {
		workers.Go(func() {
			for first := range c.queue {
				c.flush(work, c.gather(first))
			}
		})
	}
	<-ctx.Done()
	c.stop()
	giveUp := time.AfterFunc(c.cfg.DrainTimeout, cancel)
	defer giveUp.Stop()
	workers.Wait()
	if work.Err() != nil {
		return errors.New("heartbeat: run: drain timeout before all queued beats were written")
	}
	return nil
}

func (c *Committer) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	close(c.queue)
}

// gather takes what is queued behind first, up to a batch.
func (c *Committer) gather(first *waiting) []*waiting {
	// The callers answered a moment ago are runnable and about to come back: one turn for them fills the batch.
	runtime.Gosched()
	batch := append(make([]*waiting, 0, c.cfg.MaxBatch), first)
	for len(batch) < c.cfg.MaxBatch {
		select {
		case w, ok := <-c.queue:
			if !ok {
				return batch
			}
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// flush writes one batch and answers its callers.
func (c *Committer) flush(ctx context.Context, batch []*waiting) {
	beats, owner := newest(batch)
	ctx, cancel := context.WithTimeout(ctx, c.cfg.WriteTimeout)
	defer cancel()
	outcomes, err := c.sink.Write(ctx, beats)
	if err == nil && len(outcomes) != len(beats) {
		err = errors.New("heartbeat: flush: sink returned a wrong number of outcomes")
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	now := c.cfg.Now()
	c.stats.flushed(outcomes, err, len(batch)-len(beats), now, now.Sub(batch[0].since))
	for i, w := range batch {
		if err != nil {
			w.answer <- err
			continue
		}
		w.answer <- outcomes[owner[i]].err()
	}
}

// newest keeps the newest beat of each device, the later of two equal ones, and tells for each caller which of the kept
// beats answers for it.
func newest(batch []*waiting) (beats []Beat, owner []int) {
	type key struct{ tenant, device uuid.UUID }
	index := make(map[key]int, len(batch))
	beats = make([]Beat, 0, len(batch))
	owner = make([]int, len(batch))
	for i, w := range batch {
		k := key{w.beat.Tenant, w.beat.Device}
		n, known := index[k]
		switch {
		case !known:
			n = len(beats)
			index[k] = n
			beats = append(beats, w.beat)
		case !w.beat.ReceivedAt.Before(beats[n].ReceivedAt):
			beats[n] = w.beat
		}
		owner[i] = n
	}
	return beats, owner
}
