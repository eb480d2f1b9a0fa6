package erasure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/internal/wait"
	"github.com/pioneerdesk/tomkit/rls"
)

// RunnerConfig tunes a [Runner]. Eraser is needed; the zero of the rest is ready for production.
type RunnerConfig struct {
	// Eraser does the work.
	Eraser *Eraser
	// Interval is the time between two runs over all processes. Zero means one hour; negative is an error.
	Interval time.Duration
	// Log tells about runs, with numbers only. Nil means slog.Default.
	Log *slog.Logger
}

// Runner applies retention periodically and resumes deletions of tenants that wait. Any number of processes may run one:
// for each interval one of them is the leader.
type Runner struct {
	cfg RunnerConfig
}

// Bounds of the random part of the waiting time, as share of the interval: processes started together drift apart.
const jitter = 0.1

// NewRunner returns a Runner.
func NewRunner(cfg RunnerConfig) (*Runner, error) {
	if cfg.Eraser == nil || cfg.Interval < 0 {
		return nil, fmt.Errorf("%w: a runner needs an Eraser and an interval that is not negative", ErrInvalid)
	}
	cfg.Interval = orDefault(cfg.Interval, time.Hour)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Runner{cfg}, nil
}

// Run works until ctx ends, and then returns its error. A run that fails is logged and done again at the next interval.
func (r *Runner) Run(ctx context.Context) error {
	for {
		if _, err := r.Once(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Log.WarnContext(ctx, "retention failed", "error", err.Error())
		}
		spread := time.Duration(jitter * float64(r.cfg.Interval))
		if err := wait.For(ctx, r.cfg.Interval-spread+rand.N(2*spread+1)); err != nil {
			return err
		}
	}
}

// Once does what is due: a run of the retention if this process is the interval's leader, and the waiting deletions of
// tenants. It reports whether it led.
func (r *Runner) Once(ctx context.Context) (led bool, err error) {
	e, run := r.cfg.Eraser, uuid.New()
	led, err = e.claim(ctx, run, e.now(), time.Duration((1-2*jitter)*float64(r.cfg.Interval)))
	if err != nil || !led {
		return false, err
	}
	report, err := e.apply(ctx, run)
	r.cfg.Log.InfoContext(ctx, "retention applied", "run", run, "tenants", report.Tenants, "rows", report.Rows, "took", report.Took)
	_, resumed := e.Resume(ctx)
	return true, errors.Join(err, resumed)
}

// keptRuns is how long finished runs are remembered.
const keptRuns = 400 * 24 * time.Hour

// claim makes this process the leader if nobody began a run within the interval: one process at a time looks, and what it
// wrote the next one sees.
func (e *Eraser) claim(ctx context.Context, run uuid.UUID, now time.Time, interval time.Duration) (led bool, err error) {
	err = e.cfg.DB.System(ctx, reasonRetention, func(ctx context.Context, tx *rls.Tx) error {
		var free bool
		if err := tx.QueryRow(ctx, `SELECT pg_catalog.pg_try_advisory_xact_lock(x'746b6572'::integer, 0)`).Scan(&free); err != nil || !free {
			return err
		}
		tag, err := tx.Exec(ctx, `INSERT INTO tomkit.retention_runs (id, started_at) SELECT $1, $2
			WHERE NOT EXISTS (SELECT FROM tomkit.retention_runs WHERE started_at > $3 AND started_at <= $2)`, run, now, now.Add(-interval))
		led = tag.RowsAffected() == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("erasure: retention: claim: %w", err)
	}
	return led, nil
}

// begin notes a run that nobody has to be the leader for.
func (e *Eraser) begin(ctx context.Context, run uuid.UUID, now time.Time) error {
	err := e.cfg.DB.System(ctx, reasonRetention, func(ctx context.Context, tx *rls.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tomkit.retention_runs (id, started_at) VALUES ($1, $2)`, run, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("erasure: retention: begin: %w", err)
	}
	return nil
}

// finish notes the end of a run, also of one that was cancelled, and forgets old ones.
func (e *Eraser) finish(ctx context.Context, report Report) error {
	now := e.now()
	err := e.cfg.DB.System(context.WithoutCancel(ctx), reasonRetention, func(ctx context.Context, tx *rls.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM tomkit.retention_runs WHERE started_at < $1`, now.Add(-keptRuns)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE tomkit.retention_runs SET finished_at = $2, affected = $3 WHERE id = $1`, report.Run, now, report.Rows)
		return err
	})
	if err != nil {
		return fmt.Errorf("erasure: retention: finish: %w", err)
	}
	return nil
}
