package pgledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// guard is what the anchors said about a log when this process first used it. It is guarded by the chain's turn.
type guard struct {
	origin   string
	answered []string  // anchors whose memory the log continues, or that have none
	next     time.Time // when the others are asked again
	broken   *ledger.RollbackError
}

// guardRetry is how long an anchor that could not be asked is left alone.
const guardRetry = 30 * time.Second

// guarded compares the head with what every anchor remembers, the first time a log is written by this process: a log that is
// behind, or that does not continue what was signed, is not written (ledger.RollbackError). The caller has the turn; keys and
// head are known. An anchor that cannot be asked refuses nothing unless Config.RequireAnchors is set.
func (l *Log) guarded(ctx context.Context, tx pgx.Tx, c *chain) error {
	if len(l.cfg.Anchors) == 0 {
		return nil
	}
	g := &c.guard
	if g.broken != nil || !c.known { // somebody may have recovered it
		if err := l.load(ctx, tx, c); err != nil {
			return err
		}
	}
	if g.origin != c.keys.origin {
		*g = guard{origin: c.keys.origin}
	}
	if g.broken != nil {
		return g.broken
	}
	if len(g.answered) == len(l.cfg.Anchors) || !l.cfg.RequireAnchors && l.cfg.Now().Before(g.next) {
		return nil
	}
	memories, failed, err := l.memories(ctx, tx, c, g.answered)
	if err != nil {
		return err
	}
	for _, m := range memories {
		behind, err := continues(ctx, tx, l, c, m)
		if err != nil {
			return err
		}
		if behind != nil {
			g.broken = behind
			c.ring.Store(nil)
			l.cfg.Logger.Error("ledger rolled back", "tenant", c.tenant, "anchor", m.anchor, "error", behind)
			return behind
		}
		g.answered = append(g.answered, m.anchor)
	}
	if failed != nil {
		g.next = l.cfg.Now().Add(guardRetry)
		l.cfg.Logger.Warn("ledger anchor cannot be asked", "tenant", c.tenant, "error", failed)
		if l.cfg.RequireAnchors {
			return fmt.Errorf("pgledger: %w: %w", ledger.ErrUnanchored, failed)
		}
	}
	return nil
}

// guardedKeys returns the log's keys if it may be written.
func (l *Log) guardedKeys(ctx context.Context, c *chain) (*keyring, error) {
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	defer c.pass()
	if c.keys == nil {
		if err := l.load(ctx, l.db.Tenant(c.tenant), c); err != nil {
			return nil, err
		}
	}
	if c.guard.origin == c.keys.origin && c.guard.broken == nil && len(c.guard.answered) == len(l.cfg.Anchors) {
		return c.keys, nil
	}
	err := l.db.Tenant(c.tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error { return l.guarded(ctx, tx, c) })
	return c.keys, err
}

// remembered is what an anchor remembers.
type remembered struct {
	ledger.Memory
	anchor string
	other  *ledger.RollbackError // the anchor itself says that it remembers other entries
}

// memories asks the anchors that are not in known, all at the same time. failed is the first that could not be asked.
func (l *Log) memories(ctx context.Context, q querier, c *chain, known []string) (got []remembered, failed, err error) {
	var held string
	err = q.QueryRow(ctx, `SELECT note FROM tomkit.ledger_checkpoints WHERE tenant_id = $1::uuid AND epoch = $2 ORDER BY size DESC LIMIT 1`,
		c.tenant, c.keys.epoch).Scan(&held)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, err
	}
	var note []byte
	if held != "" {
		note = []byte(held)
	}
	asked := make([]remembered, len(l.cfg.Anchors))
	errs := make([]error, len(l.cfg.Anchors))
	var all sync.WaitGroup
	for i, a := range l.cfg.Anchors {
		asked[i].anchor = a.Name()
		if slices.Contains(known, asked[i].anchor) {
			continue
		}
		all.Go(func() {
			limited, cancel := context.WithTimeout(ctx, l.cfg.AnchorTimeout)
			defer cancel()
			asked[i].Memory, errs[i] = a.Latest(limited, c.keys.origin, note)
		})
	}
	all.Wait()
	for i := range asked {
		switch {
		case slices.Contains(known, asked[i].anchor):
		case errs[i] == nil, errors.Is(errs[i], ledger.ErrNoMemory), errors.As(errs[i], &asked[i].other):
			got = append(got, asked[i])
		default:
			failed = errors.Join(failed, fmt.Errorf("anchor %s: %w", asked[i].anchor, errs[i]))
		}
	}
	return got, failed, nil
}

// continues reports how the log contradicts what an anchor remembers, nil if it does not.
func continues(ctx context.Context, tx pgx.Tx, l *Log, c *chain, m remembered) (*ledger.RollbackError, error) {
	if m.other != nil {
		return m.other, nil
	}
	if m.Size > c.head.size {
		return &ledger.RollbackError{Anchor: m.anchor, Size: m.Size, Head: c.head.size}, nil
	}
	if m.Size == 0 || m.Root == nil {
		return nil, nil
	}
	root, err := rootAt(ctx, tx, l, c, m.Size)
	if err != nil && !errors.Is(err, errTree) {
		return nil, err
	}
	if err != nil || root != *m.Root { // a tree with a gap does not continue anything
		return &ledger.RollbackError{Anchor: m.anchor, Size: m.Size, Head: c.head.size, Fork: true}, nil
	}
	return nil, nil
}

// rootAt makes the root over the first size entries from stored tiles and leaves. size is at most the head's.
func rootAt(ctx context.Context, tx pgx.Tx, l *Log, c *chain, size uint64) (root [32]byte, err error) {
	var base int64
	err = tx.QueryRow(ctx, `SELECT coalesce(max(size), 0) FROM tomkit.ledger_checkpoints WHERE tenant_id = $1::uuid AND size <= $2`,
		c.tenant, int64(size)).Scan(&base)
	if err != nil {
		return root, err
	}
	f, err := storedEdge(ctx, tx, c.tenant, uint64(base))
	if err != nil {
		return root, err
	}
	if f.size < size {
		if _, err = grow(ctx, tx, c.tenant, &f, size); err != nil {
			return root, err
		}
	}
	return f.root(), nil
}

// rolledBack notes what an anchor said when a checkpoint was submitted, unless the log has become longer since.
func (l *Log) rolledBack(ctx context.Context, c *chain, behind *ledger.RollbackError) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.pass()
	if err := l.load(ctx, l.db.Tenant(c.tenant), c); err != nil {
		return err
	}
	if !behind.Fork && behind.Size <= c.head.size {
		return nil // another process was faster; the next checkpoint is compared again
	}
	if c.guard.origin != c.keys.origin {
		c.guard = guard{origin: c.keys.origin}
	}
	c.guard.broken = behind
	c.ring.Store(nil)
	return behind
}

// checkNoteLines refuses what is no list of signature lines of a note.
func checkNoteLines(note, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if len(lines) > 64<<10 || lines[len(lines)-1] != '\n' {
		return errEvidence
	}
	return verify.CheckNote(append(slices.Clone(note), lines...))
}

var errEvidence = errors.New("pgledger: anchor: evidence is malformed or too large")
