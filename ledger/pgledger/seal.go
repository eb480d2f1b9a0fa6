package pgledger

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// seal ends a transaction with its entries: the append and COMMIT travel together, so a log is locked for one round trip.
type seal struct {
	log     *Log
	entries []*pending
	// recheck asks, under the lock, whether the entries are there already: their first commit's outcome is unknown.
	recheck bool
	sent    func() // called when the entries were sent; may be nil
}

// errLanded says that an earlier transaction committed the entries.
var errLanded = errors.New("pgledger: entries are there already")

// attempts bounds how often a seal looks at the head again. The second attempt holds the lock, so a third is needed only
// when a log was created in between.
const attempts = 4

// few is up to how many entries of class normal are written one by one, by a function that finds the head itself. That
// costs the server more for each than appending them together, but no writer waits for another one's round trip, and
// nothing is stale.
const few = 4

// part is what a seal writes into one log.
type part struct {
	chain   *chain
	entries []*pending
	opened  *pending // the first entry of a new log
	create  *keyring
	keys    *keyring // of entries written without knowing the head
	next    head
	turn    bool // the turn is held
	passed  bool // the turn was passed on before the commit was answered
}

// overlap is how many entries are enough on their way for the next ones to be sent before these are committed.
const overlap = 64

// Seal implements rls.Sealer.
func (s *seal) Seal(ctx context.Context, tx pgx.Tx, commit rls.Commit) error {
	parts := s.parts()
	defer func() {
		for _, p := range parts {
			s.log.chains.letGo(p.chain)
		}
	}()
	for try := 1; ; try++ {
		err := s.try(ctx, tx, commit, parts, try == 1)
		state := sqlState(err)
		if err == nil || state != stateStale && state != stateExists || try == attempts {
			return translate(err)
		}
	}
}

// try writes all parts and commits.
func (s *seal) try(ctx context.Context, tx pgx.Tx, commit rls.Commit, parts []*part, first bool) error {
	defer passAll(parts)
	batch := &pgx.Batch{}
	single := first && !s.recheck && !slices.ContainsFunc(parts, func(p *part) bool { return !p.simple() })
	for _, p := range parts {
		p.passed = false
		if single {
			continue
		}
		if err := p.chain.take(ctx); err != nil {
			return err
		}
		p.turn = true
	}
	for _, p := range parts {
		if single {
			s.single(p, batch)
			continue
		}
		// With all turns taken, the locks of several logs are taken in their order as well: here for all of them, or with
		// COMMIT for all.
		err := s.build(ctx, tx, p, batch, len(parts) > 1)
		if errors.Is(err, errLanded) {
			batch = &pgx.Batch{} // others' eyes saw the entries; COMMIT awaits that they are durable
			break
		}
		if err != nil {
			return err
		}
	}
	if err := commit(batch, func() { s.passOn(parts) }); err != nil {
		failed(parts, err)
		return err
	}
	for _, p := range parts {
		s.log.settle(p)
	}
	return nil
}

// passOn gives the turns to the next writers, with the heads that these entries lead to, if there is enough on its way
// that the next ones will not overtake it. Overtaking would do no harm but cost a round trip: what comes too early is
// stale.
func (s *seal) passOn(parts []*part) {
	if len(s.entries) >= overlap {
		for _, p := range parts {
			if p.turn && p.create == nil {
				p.chain.head, p.chain.known = p.next, true
				p.turn, p.passed = false, true
				p.chain.pass()
			}
		}
	}
	if s.sent != nil {
		s.sent()
	}
}

// passAll gives back the turns that are still held.
func passAll(parts []*part) {
	for _, p := range parts {
		if p.turn {
			p.turn = false
			p.chain.pass()
		}
	}
}

// parts groups the entries by tenant. Everybody takes several tenants in the order of their ids, so that two
// transactions never wait for each other.
func (s *seal) parts() []*part {
	var parts []*part
	for _, e := range s.entries {
		i := slices.IndexFunc(parts, func(p *part) bool { return p.chain.tenant == e.entry.Tenant })
		if i < 0 {
			i = len(parts)
			parts = append(parts, &part{chain: s.log.chains.hold(e.entry.Tenant)})
		}
		parts[i].entries = append(parts[i].entries, e)
	}
	slices.SortFunc(parts, func(a, b *part) int { return bytes.Compare(a.chain.tenant[:], b.chain.tenant[:]) })
	return parts
}

// simple reports whether the part's entries can be written without knowing the head: a signature needs to know it, and so
// do further statements. The keys must be known.
func (p *part) simple() bool {
	p.keys = p.chain.ring.Load()
	return len(p.entries) <= few && p.keys != nil && !slices.ContainsFunc(p.entries, func(e *pending) bool {
		return e.entry.Class != verify.Normal || e.also != nil
	})
}

// single queues one ledger_append_one for each entry.
func (s *seal) single(p *part, batch *pgx.Batch) {
	for _, e := range p.entries {
		s.log.queueRecord(batch, p.keys, p, e)
	}
}

// build queues what p, whose turn is held, writes behind the head, after looking at it where it is not known. With lock, it
// takes the database's lock first.
func (s *seal) build(ctx context.Context, tx pgx.Tx, p *part, batch *pgx.Batch, lock bool) error {
	c := p.chain
	c.guess()
	p.create, p.opened = nil, nil
	err := s.look(ctx, tx, c, lock)
	if errors.Is(err, ledger.ErrNoLog) {
		if p.create, err = s.log.newKeyring(c.tenant); err != nil {
			return err
		}
		if p.opened, err = s.log.opening(p.create); err != nil {
			return err
		}
		c.hasKeys(nil)
		c.head, c.known = head{}, true
		if err := s.log.queueCreate(batch, p.create); err != nil {
			return err
		}
	} else if err != nil {
		return err
	} else if err := s.log.guarded(ctx, tx, c); err != nil {
		return err
	}
	if c.keys != nil {
		s.log.letIn(c)
	}
	if s.recheck {
		p.next = c.head
		if landed, err := s.log.landed(ctx, tx, p.entries); landed || err != nil {
			return errors.Join(err, landedError(landed))
		}
	}
	keys, entries := c.keys, p.entries
	if p.create != nil {
		keys, entries = p.create, append([]*pending{p.opened}, p.entries...)
	}
	p.next, err = s.log.queueAppend(batch, keys, c.head, entries)
	return err
}

func landedError(landed bool) error {
	if landed {
		return errLanded
	}
	return nil
}

// look makes sure that keys and head are known. A recheck and a contended log are locked first.
func (s *seal) look(ctx context.Context, q querier, c *chain, lock bool) error {
	if c.keys == nil {
		if err := s.log.load(ctx, q, c); err != nil {
			return err
		}
	}
	if lock || s.recheck || c.contended > 0 || !c.known {
		c.contended = max(0, c.contended-1)
		return s.log.lock(ctx, q, c)
	}
	return nil
}

// failed forgets heads that did not come or that nobody knows of, and after a stale one whatever else was believed.
func failed(parts []*part, err error) {
	state := sqlState(err)
	stale := state == stateStale || state == stateExists
	unknown := state == "" || errors.Is(err, rls.ErrCommitUnknown) || errors.Is(err, rls.ErrCommitted)
	for _, p := range parts {
		if stale || unknown || p.passed {
			p.chain.doubtful.Store(true)
		}
		if stale {
			p.chain.ring.Store(nil) // the keys may be others
		}
		if stale && p.turn {
			p.chain.contended = contention
			if p.create != nil {
				p.chain.hasKeys(nil) // another process created the log
			}
		}
	}
}

// settle takes over what was committed.
func (l *Log) settle(p *part) {
	c := p.chain
	if p.turn {
		c.head, c.known = p.next, true
		if p.create != nil {
			c.hasKeys(p.create)
		}
	}
	c.saw(p.next)
	for _, e := range p.entries {
		e.receipt = l.receipt(e)
	}
	l.grown(c)
}

// receipt is the receipt of a placed entry.
func (l *Log) receipt(e *pending) ledger.Receipt {
	return ledger.NewReceipt(ledger.Receipt{
		Tenant: e.entry.Tenant, ID: e.entry.ID, Seq: e.entry.Seq, At: e.entry.CreatedAt,
		LeafHash: e.receipt.LeafHash,
	}, l.wait)
}
