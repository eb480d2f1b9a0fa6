package pgledger

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger"
)

// States of a pending entry. Withdrawing and taking exclude each other, so a cancelled call knows whether its entry is
// on the way.
const (
	stateWaiting int32 = iota
	stateWithdrawn
	stateTaken
)

// batcher is the group commit of one tenant: what arrives while a transaction is on its way goes into the next one. Two may
// be on their way at once: while the server writes the first, the second is built and sent. It has a goroutine while there is
// something to write, and for Config.IdleAfter longer.
type batcher struct {
	log    *Log
	tenant uuid.UUID
	queue  chan *pending
	ending chan struct{} // closed by end, after which nothing is queued

	flights int           // groups on their way
	sent    chan struct{} // a token for each group that was sent
	landed  chan struct{} // a token for each group that is committed or failed
	ready   bool          // the last group was sent
	group   []*pending    // waits for its flight
	bytes   int           // of group
	rest    *pending      // taken from the queue, but too large for the group

	waiting int // entries in the queue, in group and in rest; guarded by log.mu
}

// maxFlights is the greatest number of groups of one tenant on their way: a third would only wait for the second.
const maxFlights = 2

// submit queues p with its tenant's batcher, starting one if needed. Queueing and the batcher's exit are under one lock,
// so nothing is queued behind an exit.
func (l *Log) submit(p *pending) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ledger.ErrClosed
	}
	b := l.batchers[p.entry.Tenant]
	if b == nil {
		if len(l.batchers) >= l.cfg.Batchers {
			return ledger.ErrOverloaded
		}
		b = &batcher{
			log: l, tenant: p.entry.Tenant,
			queue: make(chan *pending, l.cfg.QueueEntries), ending: make(chan struct{}),
			sent: make(chan struct{}, maxFlights), landed: make(chan struct{}, maxFlights),
		}
		l.batchers[b.tenant] = b
		l.running.Add(1)
		go b.run()
	}
	if b.waiting >= l.cfg.QueueEntries {
		return ledger.ErrOverloaded
	}
	b.waiting++
	b.queue <- p // there is room: it holds as many
	return nil
}

// end makes the batcher leave once its queue is empty. The caller holds log.mu.
func (b *batcher) end() {
	select {
	case <-b.ending:
	default:
		close(b.ending)
	}
}

func (b *batcher) run() {
	defer b.log.running.Done()
	idle := time.NewTimer(b.log.cfg.IdleAfter)
	defer idle.Stop()
	ending := b.ending
	for {
		b.gather()
		if b.may() {
			b.launch()
			continue
		}
		queue := b.queue
		if b.full() {
			queue = nil
		}
		leave := false
		select {
		case p := <-queue:
			b.add(p)
		case <-b.sent:
			b.ready = true
		case <-b.landed:
			b.flights--
			idle.Reset(b.log.cfg.IdleAfter)
		case <-idle.C:
			leave = true
		case <-ending:
			ending = nil // it stays closed
		}
		if (leave || ending == nil) && b.leave() {
			return
		}
	}
}

// gather takes what is waiting, as far as it fits.
func (b *batcher) gather() {
	if p := b.rest; p != nil {
		b.rest = nil
		b.add(p)
	}
	for !b.full() {
		select {
		case p := <-b.queue:
			b.add(p)
		default:
			return
		}
	}
}

func (b *batcher) full() bool { return b.rest != nil || len(b.group) == b.log.cfg.GroupEntries }

func (b *batcher) add(p *pending) {
	if len(b.group) > 0 && b.bytes+len(p.input) > b.log.cfg.GroupBytes {
		b.rest = p
		return
	}
	b.group, b.bytes = append(b.group, p), b.bytes+len(p.input)
}

// may reports whether the group may be sent: at once if nothing is on its way, and behind a group that was sent if it is
// large enough to be worth a transaction of its own.
func (b *batcher) may() bool {
	switch {
	case len(b.group) == 0:
		return false
	case b.flights == 0:
		return true
	}
	return b.flights < maxFlights && b.ready && (b.full() || len(b.group) >= overlap)
}

// launch commits the group in a goroutine, without the entries that were withdrawn.
func (b *batcher) launch() {
	b.log.mu.Lock()
	b.waiting -= len(b.group)
	b.log.mu.Unlock()
	group := slices.DeleteFunc(b.group, func(p *pending) bool { return !p.state.CompareAndSwap(stateWaiting, stateTaken) })
	b.group, b.bytes = make([]*pending, 0, len(b.group)), 0
	if len(group) == 0 {
		return
	}
	if b.flights == 0 && len(b.sent) > 0 {
		<-b.sent // of a group that landed meanwhile
	}
	b.flights++
	b.ready = false
	go func() {
		sent := sync.OnceFunc(func() { b.sent <- struct{}{} })
		b.commit(group, sent)
		sent()
		b.landed <- struct{}{}
	}()
}

// leave takes the batcher out of the log if there is nothing to do.
func (b *batcher) leave() bool {
	b.log.mu.Lock()
	defer b.log.mu.Unlock()
	if b.flights > 0 || b.waiting > 0 {
		return false
	}
	delete(b.log.batchers, b.tenant)
	return true
}

// commit commits a group and tells the waiting calls. An entry that the database refuses does not take others with it.
func (b *batcher) commit(group []*pending, sent func()) {
	ctx, cancel := context.WithTimeout(b.log.ctx, b.log.cfg.CommitTimeout)
	err := b.log.commit(ctx, b.tenant, group, sent)
	cancel()
	if len(group) > 1 && refusedByContent(err) {
		for _, p := range group {
			b.commit([]*pending{p}, sent)
		}
		return
	}
	for _, p := range group {
		p.err = err
		close(p.done)
	}
}

// refusedByContent reports whether the database refused data, as opposed to being unable to work.
func refusedByContent(err error) bool {
	if err == nil || errors.Is(err, ledger.ErrOutcomeUnknown) {
		return false
	}
	state := sqlState(err)
	if len(state) != 5 {
		return false
	}
	return state[:2] == "22" || state[:2] == "23" || state[:2] == "54" // data, constraint, program limit
}
