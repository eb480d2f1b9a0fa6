package pgledger

import (
	"context"
	"errors"
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

// batcher is the group commit of one tenant: what arrives while a transaction is on its way goes into the next one. It
// has a goroutine while there is something to write, and for Config.IdleAfter longer.
type batcher struct {
	log    *Log
	tenant uuid.UUID
	queue  chan *pending
	ending chan struct{} // closed by end, after which nothing is queued
}

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
		}
		l.batchers[b.tenant] = b
		l.running.Add(1)
		go b.run()
	}
	select {
	case b.queue <- p:
		return nil
	default:
		return ledger.ErrOverloaded
	}
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
	var next *pending // taken from the queue, but too large for the group before
	for {
		if next == nil {
			select {
			case next = <-b.queue:
			case <-idle.C:
				if b.leave() {
					return
				}
			case <-b.ending:
				if b.leave() {
					return
				}
				next = <-b.queue
			}
		}
		if next != nil {
			next = b.write(next)
			idle.Reset(b.log.cfg.IdleAfter)
		}
	}
}

// leave takes the batcher out of the log if nothing is waiting.
func (b *batcher) leave() bool {
	b.log.mu.Lock()
	defer b.log.mu.Unlock()
	if len(b.queue) > 0 {
		return false
	}
	delete(b.log.batchers, b.tenant)
	return true
}

// write commits first and what else is waiting, and returns an entry that did not fit.
func (b *batcher) write(first *pending) (rest *pending) {
	group := make([]*pending, 0, len(b.queue)+1)
	size := 0
	for p := first; p != nil; {
		if size += len(p.input); len(group) > 0 && (size > b.log.cfg.GroupBytes || len(group) == b.log.cfg.GroupEntries) {
			rest = p
			break
		}
		if p.state.CompareAndSwap(stateWaiting, stateTaken) {
			group = append(group, p)
		}
		select {
		case p = <-b.queue:
		default:
			p = nil
		}
	}
	if len(group) > 0 {
		b.commit(group)
	}
	return rest
}

// commit commits a group and tells the waiting calls. An entry that the database refuses does not take others with it.
func (b *batcher) commit(group []*pending) {
	ctx, cancel := context.WithTimeout(b.log.ctx, b.log.cfg.CommitTimeout)
	err := b.log.commit(ctx, b.tenant, group)
	cancel()
	if len(group) > 1 && refusedByContent(err) {
		for _, p := range group {
			b.commit([]*pending{p})
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
