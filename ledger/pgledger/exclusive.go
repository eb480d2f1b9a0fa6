package pgledger

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// exclusive ends a transaction with one entry that says what its own position is: the log is locked and its head read before
// the entry is made.
type exclusive struct {
	log    *Log
	tenant uuid.UUID
	// unguarded leaves out the comparison with the anchors: a recovery goes on although they remember more.
	unguarded bool
	make      func(ctx context.Context, tx pgx.Tx, c *chain) (*pending, error)

	written *pending
}

// exclusively appends the entry that fill makes of the keys and the head it is called with.
func (l *Log) exclusively(ctx context.Context, tenant uuid.UUID, unguarded bool, fill func(ctx context.Context, tx pgx.Tx, c *chain) (*pending, error)) (*pending, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.running.Done()
	s := &exclusive{log: l, tenant: tenant, unguarded: unguarded, make: fill}
	err := l.db.Tenant(tenant).InTx(ctx, func(_ context.Context, tx *rls.Tx) error {
		tx.Sealer(func() rls.Sealer { return s })
		return nil
	})
	return s.written, err
}

// Seal implements rls.Sealer.
func (s *exclusive) Seal(ctx context.Context, tx pgx.Tx, commit rls.Commit) error {
	c := s.log.chains.hold(s.tenant)
	defer s.log.chains.letGo(c)
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.pass()
	if err := s.log.load(ctx, tx, c); err != nil {
		return err
	}
	if err := s.log.lock(ctx, tx, c); err != nil {
		return err
	}
	if !s.unguarded {
		if err := s.log.guarded(ctx, tx, c); err != nil {
			return err
		}
	}
	p, err := s.make(ctx, tx, c)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	next, err := s.log.queueAppend(batch, c.keys, c.head, []*pending{p})
	if err != nil {
		return err
	}
	if p.entry.Seq != c.head.size {
		return fmt.Errorf("pgledger: append: entry at %d, head at %d", p.entry.Seq, c.head.size)
	}
	if err := commit(batch, nil); err != nil {
		c.doubtful.Store(true)
		return translate(err)
	}
	s.written = p
	s.log.settle(&part{chain: c, entries: []*pending{p}, next: next, turn: true})
	c.hasKeys(nil) // read again with what the entry changed
	return nil
}

// logID returns the hex log id of an origin.
func logID(origin string) (string, error) {
	_, id, _, err := verify.ParseOrigin(origin)
	return fmt.Sprintf("%x", id), err
}
