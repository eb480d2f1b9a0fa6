package pgledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

const (
	submitters   = 4 // submissions to one anchor at the same time
	anchorSweep  = 6 // intervals between two looks for checkpoints that no process has submitted
	maxBackoff   = 5 * time.Minute
	reasonAnchor = rls.Reason("ledger_anchors")
)

// anchoring is what waits for the anchors. Each has its own queue and its own pace: one that is down delays no other, and
// none delays an entry.
type anchoring struct {
	mu     sync.Mutex
	queues []map[uuid.UUID]struct{} // logs with a new checkpoint, by anchor
	failed []int                    // failures in a row, by anchor
	next   []time.Time              // not before, by anchor
	errs   []error                  // last failure, by anchor; nil after a success
}

func (a *anchoring) init(n int) {
	a.queues, a.failed, a.next, a.errs = make([]map[uuid.UUID]struct{}, n), make([]int, n), make([]time.Time, n), make([]error, n)
	for i := range a.queues {
		a.queues[i] = map[uuid.UUID]struct{}{}
	}
}

// anchorLater notes that a log has a new checkpoint.
func (l *Log) anchorLater(tenant uuid.UUID) {
	l.anchors.mu.Lock()
	defer l.anchors.mu.Unlock()
	for _, q := range l.anchors.queues {
		q[tenant] = struct{}{}
	}
}

// take empties an anchor's queue, unless the anchor is given time to recover.
func (a *anchoring) take(i int, now time.Time) []uuid.UUID {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.next[i]) {
		return nil
	}
	tenants := make([]uuid.UUID, 0, len(a.queues[i]))
	for t := range a.queues[i] {
		tenants = append(tenants, t)
	}
	clear(a.queues[i])
	return tenants
}

// outcome notes how a submission ended; what failed is tried again.
func (a *anchoring) outcome(i int, tenant uuid.UUID, now time.Time, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.errs[i] = err
	if err == nil {
		a.failed[i], a.next[i] = 0, time.Time{}
		return
	}
	a.failed[i]++
	a.next[i] = now.Add(min(time.Second<<min(a.failed[i], 10), maxBackoff))
	a.queues[i][tenant] = struct{}{}
}

// again queues a log without any judgement.
func (a *anchoring) again(i int, tenant uuid.UUID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queues[i][tenant] = struct{}{}
}

// runAnchors shows new checkpoints to the anchors until ctx ends, and the last ones then.
func (l *Log) runAnchors(ctx context.Context) {
	var all sync.WaitGroup
	for i := range l.cfg.Anchors {
		all.Go(func() {
			tick := time.NewTicker(l.cfg.AnchorInterval)
			defer tick.Stop()
			sweep := i == 0 // one looks for all
			for n := 0; ; n++ {
				if sweep && n%anchorSweep == 0 {
					sweep = l.sweepAnchors(ctx)
				}
				l.submitDue(ctx, i)
				select {
				case <-ctx.Done():
					last, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.AnchorTimeout)
					l.submitDue(last, i)
					cancel()
					return
				case <-tick.C:
				}
			}
		})
	}
	all.Wait()
}

// submitDue shows an anchor what waits for it.
func (l *Log) submitDue(ctx context.Context, i int) {
	slots := make(chan struct{}, submitters)
	var done sync.WaitGroup
	for _, tenant := range l.anchors.take(i, l.cfg.Now()) {
		slots <- struct{}{}
		done.Go(func() {
			defer func() { <-slots }()
			err := l.submitTo(ctx, l.cfg.Anchors[i], tenant)
			switch {
			case errors.Is(err, ledger.ErrRolledBack):
				l.cfg.Logger.Error("ledger rolled back", "tenant", tenant, "anchor", l.cfg.Anchors[i].Name(), "error", err)
				l.anchors.outcome(i, tenant, l.cfg.Now(), nil) // the anchor works; the log is refused from now on
			case err != nil && ctx.Err() == nil:
				l.cfg.Logger.Warn("ledger anchor failed", "anchor", l.cfg.Anchors[i].Name(), "error", err)
				l.anchors.outcome(i, tenant, l.cfg.Now(), err)
			case err == nil:
				l.anchors.outcome(i, tenant, l.cfg.Now(), nil)
			default: // told to stop: the last turn is still to come
				l.anchors.again(i, tenant)
			}
		})
	}
	done.Wait()
}

// submitTo shows an anchor the log's newest checkpoint and stores what it gives.
func (l *Log) submitTo(ctx context.Context, a ledger.Anchor, tenant uuid.UUID) error {
	c := l.chains.hold(tenant)
	defer l.chains.letGo(c)
	note, err := l.LatestCheckpoint(ctx, tenant)
	if errors.Is(err, ledger.ErrNoLog) {
		return nil
	}
	if err != nil {
		return err
	}
	keys, err := l.freshKeys(ctx, c)
	if err != nil {
		return err
	}
	cp, err := verify.OpenCheckpoint(note, keys.history)
	if err != nil {
		return err
	}
	var known bool
	err = l.db.Tenant(tenant).QueryRow(ctx, `SELECT EXISTS (SELECT FROM tomkit.ledger_evidence
WHERE tenant_id = $1::uuid AND epoch = $2 AND size = $3 AND anchor = $4)`, tenant, keys.epoch, int64(cp.Size), a.Name()).Scan(&known)
	if err != nil || known {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, l.cfg.AnchorTimeout)
	defer cancel()
	evidence, err := a.Submit(limited, ledger.Submission{Checkpoint: note, Consistency: func(ctx context.Context, from uint64) ([][32]byte, error) {
		return l.consistency(ctx, tenant, from, cp.Size)
	}})
	var behind *ledger.RollbackError
	if errors.As(err, &behind) {
		return l.rolledBack(ctx, c, behind)
	}
	if err != nil {
		return err
	}
	if err := checkNoteLines(note, evidence.Lines); err != nil {
		return err
	}
	if len(evidence.Token) > verify.MaxToken {
		return errEvidence
	}
	return l.storeEvidence(ctx, keys, cp.Size, a.Name(), evidence)
}

// storeEvidence keeps what an anchor gave.
func (l *Log) storeEvidence(ctx context.Context, k *keyring, size uint64, anchor string, e ledger.Evidence) error {
	name, lines, token := sha256.Sum256([]byte(anchor)), sha256.Sum256(e.Lines), sha256.Sum256(e.Token)
	if e.Token == nil {
		e.Token = []byte{}
	}
	_, err := l.db.Tenant(k.tenant).Exec(ctx, `SELECT tomkit.ledger_anchored($1::uuid, $2::bigint, $3::bytea, $4::text, $5::text, $6::bytea, $7::timestamptz)`,
		k.tenant, int64(size), k.admit("anchored", size, name[:], lines[:], token[:]), anchor, string(e.Lines), e.Token, verify.Timestamp(l.cfg.Now()))
	return err
}

// sweepAnchors queues logs whose newest checkpoint an anchor has not seen. It reports false without a system login.
func (l *Log) sweepAnchors(ctx context.Context) bool {
	names := make([]string, len(l.cfg.Anchors))
	for i, a := range l.cfg.Anchors {
		names[i] = a.Name()
	}
	err := l.db.System(ctx, reasonAnchor, func(ctx context.Context, tx *rls.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id FROM tomkit.ledger_unanchored($1::text[], $2::integer)`, names, sweepLimit)
		if err != nil {
			return err
		}
		var tenant uuid.UUID
		_, err = pgx.ForEachRow(rows, []any{&tenant}, func() error {
			l.anchorLater(tenant)
			return nil
		})
		return err
	})
	if errors.Is(err, rls.ErrNoLogin) {
		return false
	}
	if err != nil && ctx.Err() == nil {
		l.cfg.Logger.Warn("ledger anchor sweep failed", "error", err)
	}
	return true
}

// Consistency returns the RFC 6962 consistency proof between the log's first from and first to entries, for whoever keeps a
// checkpoint of each (verify.CheckConsistency). It proves what the log stores.
func (l *Log) Consistency(ctx context.Context, tenant uuid.UUID, from, to uint64) ([][32]byte, error) {
	proof, err := l.consistency(ctx, tenant, from, to)
	if err != nil {
		return nil, fmt.Errorf("pgledger: consistency: %w", err)
	}
	return proof, nil
}

func (l *Log) consistency(ctx context.Context, tenant uuid.UUID, from, to uint64) (proof [][32]byte, err error) {
	if from == 0 || from > to {
		return nil, fmt.Errorf("%w: consistency from %d to %d", ledger.ErrInvalid, from, to)
	}
	c := l.chains.hold(tenant)
	defer l.chains.letGo(c)
	err = l.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		var head int64
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(size), 0) FROM tomkit.ledger_heads WHERE tenant_id = $1::uuid`, tenant).Scan(&head); err != nil {
			return err
		}
		if to > uint64(head) {
			return fmt.Errorf("%w: consistency to %d, the log has %d entries", ledger.ErrInvalid, to, head)
		}
		root, err := rootAt(ctx, tx, l, c, to)
		if err != nil {
			return err
		}
		reader := tlog.TileHashReader(tlog.Tree{N: int64(to), Hash: root}, &tileReader{ctx: ctx, tx: tx, tenant: tenant})
		hashes, err := tlog.ProveTree(int64(to), int64(from), reader)
		for _, h := range hashes {
			proof = append(proof, h)
		}
		return err
	})
	return proof, err
}

// AnchorHealth says how far one anchor lags behind.
type AnchorHealth struct {
	Name string
	// Behind is the age of the oldest entry that no checkpoint this anchor has seen covers, over all logs. Zero means none.
	Behind time.Duration
	// Newest is when it was last shown a checkpoint it had not seen. Zero means never.
	Newest time.Time
	// Err is the last failure of this process to reach it, nil after a success.
	Err error
}

// Health says whether what the log promises is kept in time.
type Health struct {
	// Logs is the number of logs.
	Logs int64
	// Unpublished is the age of the oldest entry that no checkpoint covers. Zero means none.
	Unpublished time.Duration
	// Newest is the time of the newest checkpoint. Zero means never.
	Newest time.Time
	// Anchors are those of the configuration.
	Anchors []AnchorHealth
	// Late names what is older than Config.MaxCheckpointAge: "checkpoints", or an anchor.
	Late []string
}

// OK reports whether nothing is late.
func (h *Health) OK() bool { return len(h.Late) == 0 }

// Health looks at all logs. It needs the system login.
func (l *Log) Health(ctx context.Context) (Health, error) {
	var h Health
	names := make([]string, len(l.cfg.Anchors))
	for i, a := range l.cfg.Anchors {
		names[i] = a.Name()
	}
	now := l.cfg.Now()
	lines := map[string]AnchorHealth{}
	err := l.db.System(ctx, reasonAnchor, func(ctx context.Context, tx *rls.Tx) error {
		rows, err := tx.Query(ctx, `SELECT anchor, logs, behind, newest FROM tomkit.ledger_health($1::text[])`, names)
		if err != nil {
			return err
		}
		var name string
		var logs int64
		var behind, newest *time.Time
		_, err = pgx.ForEachRow(rows, []any{&name, &logs, &behind, &newest}, func() error {
			line := AnchorHealth{Name: name}
			if behind != nil {
				line.Behind = max(now.Sub(*behind), 1)
			}
			if newest != nil {
				line.Newest = newest.UTC()
			}
			if lines[name] = line; name == "" {
				h.Logs, h.Unpublished, h.Newest = logs, line.Behind, line.Newest
			}
			return nil
		})
		return err
	})
	if err != nil {
		return h, fmt.Errorf("pgledger: health: %w", err)
	}
	if h.Unpublished > l.cfg.MaxCheckpointAge {
		h.Late = append(h.Late, "checkpoints")
	}
	l.anchors.mu.Lock()
	defer l.anchors.mu.Unlock()
	for i, name := range names {
		line := lines[name]
		line.Name, line.Err = name, l.anchors.errs[i]
		if h.Anchors = append(h.Anchors, line); line.Behind > l.cfg.MaxCheckpointAge {
			h.Late = append(h.Late, name)
		}
	}
	return h, nil
}
