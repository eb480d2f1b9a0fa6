package pgledger

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/rls"
)

// seal ends a transaction with its entries: the append and COMMIT travel together, so a log is locked for one round trip.
type seal struct {
	log     *Log
	entries []*pending
	// recheck asks, under the lock, whether the entries are there already: their first commit's outcome is unknown.
	recheck bool
}

// errLanded ends a transaction that found its entries committed by an earlier one.
var errLanded = errors.New("pgledger: entries are there already")

// attempts bounds how often a seal looks at the head again. The second attempt holds the lock, so a third is needed only
// when a log was created in between.
const attempts = 4

// part is what a seal writes into one log.
type part struct {
	chain   *chain
	entries []*pending
	opened  *pending // the first entry of a new log
	create  *keyring
	next    head
}

// Seal implements rls.Sealer.
func (s *seal) Seal(ctx context.Context, tx pgx.Tx, commit rls.Commit) error {
	parts := s.parts()
	for i, p := range parts {
		if err := p.chain.take(ctx); err != nil {
			release(s.log, parts, i)
			return err
		}
	}
	defer release(s.log, parts, len(parts))
	for try := 1; ; try++ {
		batch := &pgx.Batch{}
		for _, p := range parts {
			if err := s.build(ctx, tx, p, batch); err != nil {
				return err
			}
		}
		err := commit(batch, nil)
		if err == nil {
			for _, p := range parts {
				s.log.settle(p)
			}
			return nil
		}
		if state := sqlState(err); state != stateStale && state != stateExists || try == attempts {
			s.doubt(parts, err)
			return translate(err)
		}
		s.stale(parts, err)
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

// release passes on the first taken turns and lets all chains go.
func release(l *Log, parts []*part, taken int) {
	for i, p := range parts {
		if i < taken {
			p.chain.pass()
		}
		l.chains.letGo(p.chain)
	}
}

// build queues what p writes, after looking at the head where it is not known.
func (s *seal) build(ctx context.Context, tx pgx.Tx, p *part, batch *pgx.Batch) error {
	c := p.chain
	p.create, p.opened = nil, nil
	err := s.look(ctx, tx, c)
	if errors.Is(err, ledger.ErrNoLog) {
		if p.create, err = s.log.newKeyring(c.tenant); err != nil {
			return err
		}
		if p.opened, err = s.log.opening(p.create); err != nil {
			return err
		}
		c.keys, c.head, c.known = nil, head{}, true
		if err := s.log.queueCreate(batch, p.create); err != nil {
			return err
		}
	} else if err != nil {
		return err
	} else if err := s.log.guarded(ctx, tx, c); err != nil {
		return err
	}
	if s.recheck {
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
func (s *seal) look(ctx context.Context, q querier, c *chain) error {
	if c.keys == nil {
		if err := s.log.load(ctx, q, c); err != nil {
			return err
		}
	}
	if s.recheck || c.contended > 0 || !c.known {
		c.contended = max(0, c.contended-1)
		return s.log.lock(ctx, q, c)
	}
	return nil
}

// stale forgets the heads after another process was met.
func (s *seal) stale(parts []*part, err error) {
	for _, p := range parts {
		p.chain.known = false
		p.chain.contended = contention
		if p.create != nil {
			p.chain.keys = nil // another process created the log
		}
	}
}

// doubt forgets the heads if nobody knows whether they moved.
func (s *seal) doubt(parts []*part, err error) {
	if sqlState(err) != "" && !errors.Is(err, rls.ErrCommitUnknown) && !errors.Is(err, rls.ErrCommitted) {
		return
	}
	for _, p := range parts {
		p.chain.known = false
	}
}

// settle takes over what was committed.
func (l *Log) settle(p *part) {
	c := p.chain
	if p.create != nil {
		c.keys = p.create
	}
	c.head, c.known = p.next, true
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
