package pgledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

const (
	publishers  = 4    // checkpoints made at the same time
	sweepEvery  = 10   // intervals between two looks for logs that others left behind
	sweepLimit  = 1000 // logs taken from one look
	sweepReason = rls.Reason("ledger_checkpoints")
)

// dues are the logs this process let grow since their last checkpoint.
type dues struct {
	mu   sync.Mutex
	logs map[uuid.UUID]struct{}
	full chan struct{} // one of them has CheckpointEntries new entries
}

func (d *dues) init() {
	d.logs = map[uuid.UUID]struct{}{}
	d.full = make(chan struct{}, 1)
}

func (d *dues) add(tenant uuid.UUID) {
	d.mu.Lock()
	d.logs[tenant] = struct{}{}
	d.mu.Unlock()
}

func (d *dues) take() []uuid.UUID {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]uuid.UUID, 0, len(d.logs))
	for t := range d.logs {
		all = append(all, t)
	}
	clear(d.logs)
	return all
}

// grown notes that a log has new entries.
func (l *Log) grown(c *chain) {
	l.due.add(c.tenant)
	c.published.mu.Lock()
	size := c.seen.Load().size
	behind := size - min(size, c.published.size)
	c.published.mu.Unlock()
	if behind >= uint64(l.cfg.CheckpointEntries) {
		select {
		case l.due.full <- struct{}{}:
		default:
		}
	}
}

// Run makes checkpoints of logs that grew, each after Config.CheckpointInterval or CheckpointEntries entries, until ctx
// ends; then it makes the last ones and returns nil. Several processes may run it: of one log one makes the checkpoint.
// With a system login it also finds logs that other processes left behind. New checkpoints are shown to Config.Anchors, beside
// the rest. Failures are logged and tried again.
func (l *Log) Run(ctx context.Context) error {
	// The anchors see the last checkpoints too: they end after them.
	anchored, stop := context.WithCancel(context.WithoutCancel(ctx))
	var anchors sync.WaitGroup
	anchors.Go(func() { l.runAnchors(anchored) })
	defer anchors.Wait()
	defer stop()
	tick := time.NewTicker(l.cfg.CheckpointInterval)
	defer tick.Stop()
	sweep := true
	for n := 1; ; n++ {
		if sweep && n%sweepEvery == 1 {
			sweep = l.sweep(ctx)
		}
		l.publishDue(ctx)
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.CommitTimeout)
			l.publishDue(last)
			cancel()
			return nil
		case <-tick.C:
		case <-l.due.full:
			n-- // sweeps go by time
		}
	}
}

// publishDue makes the checkpoints of all due logs.
func (l *Log) publishDue(ctx context.Context) {
	slots := make(chan struct{}, publishers)
	var done sync.WaitGroup
	for _, tenant := range l.due.take() {
		slots <- struct{}{}
		done.Go(func() {
			defer func() { <-slots }()
			_, err := l.publish(ctx, tenant, false)
			switch {
			case err == nil:
			case errors.Is(err, errTree):
				// Trying again would not mend it; VerifyChain names the place, and the last checkpoint grows old.
				l.cfg.Logger.Error("ledger checkpoint impossible", "tenant", tenant, "error", err)
			default:
				l.due.add(tenant)
				if !errors.Is(err, errBusy) && ctx.Err() == nil {
					l.cfg.Logger.Warn("ledger checkpoint failed", "tenant", tenant, "error", err)
				}
			}
		})
	}
	done.Wait()
}

// sweep makes logs due that are behind for other reasons than a write of this process. It reports false when there is no
// system login to look with.
func (l *Log) sweep(ctx context.Context) bool {
	err := l.db.System(ctx, sweepReason, func(ctx context.Context, tx *rls.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id FROM tomkit.ledger_unpublished($1::integer)`, sweepLimit)
		if err != nil {
			return err
		}
		var tenant uuid.UUID
		_, err = pgx.ForEachRow(rows, []any{&tenant}, func() error {
			l.due.add(tenant)
			return nil
		})
		return err
	})
	if errors.Is(err, rls.ErrNoLogin) {
		return false
	}
	if err != nil && ctx.Err() == nil {
		l.cfg.Logger.Warn("ledger checkpoint sweep failed", "error", err)
	}
	return true
}
