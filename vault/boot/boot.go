package boot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

var (
	// ErrConfig says that a boot cannot be tried as it is configured. Nothing was sent.
	ErrConfig = errors.New("boot: config")
	// ErrLeftover says that the user or the token of a boot could not be removed.
	ErrLeftover = errors.New("boot: user or token left behind")
)

// pauses come after the first, second and third try.
var pauses = []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second}

// Run boots once: it returns all secrets of the manifest, or an error and nothing. The report is filled in either case, except
// for ErrConfig. The caller owns the snapshot and wipes it. Runs of one process may overlap.
func Run(ctx context.Context, cfg Config) (*vault.Snapshot, Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, Report{}, err
	}
	plane, err := stackit.New(cfg.Stackit)
	if err != nil {
		return nil, Report{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	defer plane.Close()
	b := &booting{cfg: cfg, plane: plane, report: Report{Began: cfg.Now().UTC()}}
	snapshot, err := b.run(ctx)
	b.report.Took = cfg.Now().Sub(b.report.Began)
	return snapshot, b.report, err
}

// booting is one Run.
type booting struct {
	cfg     Config
	plane   *stackit.Client
	report  Report
	created time.Time // when the last user was, or may have been, made
}

func (b *booting) run(ctx context.Context) (*vault.Snapshot, error) {
	for try := 1; ; try++ {
		b.report.Tries = try
		snapshot, err := b.try(ctx)
		if err == nil {
			b.cfg.Progress(Event{Step: StepHandOver, Try: try})
			return snapshot, nil
		}
		pause, again := b.pause(err)
		if !again {
			return nil, errors.Join(fmt.Errorf("boot: try %d: %w", try, err), b.hold(ctx))
		}
		if err := b.wait(ctx, pause); err != nil {
			return nil, fmt.Errorf("boot: try %d: %w", try, err)
		}
	}
}

// pause returns how long to wait before the next try, and whether there is one.
func (b *booting) pause(err error) (time.Duration, bool) {
	var refusal *wire.Error
	if b.report.Tries > len(pauses) || b.report.Leftover != nil && !b.cfg.AllowLeftoverUnsafe ||
		!errors.As(err, &refusal) || !refusal.Retryable() {
		return 0, false
	}
	return max(pauses[b.report.Tries-1], refusal.RetryAfter()), true
}

// hold keeps a failed boot from being started again before its time.
func (b *booting) hold(ctx context.Context) error {
	if b.created.IsZero() || ctx.Err() != nil {
		return ctx.Err()
	}
	if left := b.created.Add(b.cfg.MinInterval).Sub(b.cfg.Now()); left > 0 {
		return b.wait(ctx, left)
	}
	return nil
}

func (b *booting) wait(ctx context.Context, d time.Duration) error {
	b.cfg.Progress(Event{Step: StepPause, Try: b.report.Tries, Took: d})
	return b.cfg.Wait(ctx, d)
}

// step runs one step and tells of it.
func (b *booting) step(ctx context.Context, s Step, fn func(context.Context) error) error {
	start := b.cfg.Now()
	err := fn(ctx)
	b.cfg.Progress(Event{Step: s, Try: b.report.Tries, Took: b.cfg.Now().Sub(start), Err: err})
	return err
}
