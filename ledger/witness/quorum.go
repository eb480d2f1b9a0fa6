package witness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pioneerdesk/tomkit/ledger"
)

// Quorum is an anchor made of several: a checkpoint counts as taken when so many of them took it. It is safe for concurrent
// use.
type Quorum struct {
	name    string
	need    int
	anchors []ledger.Anchor
}

var _ ledger.Anchor = (*Quorum)(nil)

// NewQuorum returns an anchor that needs need of the given ones. The error wraps ErrConfig.
func NewQuorum(name string, need int, anchors ...ledger.Anchor) (*Quorum, error) {
	if !validName(name) || need < 1 || need > len(anchors) || slices.Contains(anchors, nil) {
		return nil, badConfig("quorum needs a name, anchors, and no more of them than there are")
	}
	for i, a := range anchors {
		if slices.ContainsFunc(anchors[:i], func(b ledger.Anchor) bool { return a.Name() == b.Name() }) {
			return nil, badConfig("an anchor appears twice in a quorum")
		}
	}
	return &Quorum{name, need, slices.Clone(anchors)}, nil
}

// Name returns the quorum's name.
func (q *Quorum) Name() string { return q.name }

// Submit shows a checkpoint to all anchors at the same time, waits for all of them, and returns the lines of those that took
// it, and the first token. One anchor that remembers more or other entries is enough to return its RollbackError, however
// many others agree. Fewer than needed wraps ErrQuorum and the anchors' errors.
func (q *Quorum) Submit(ctx context.Context, s ledger.Submission) (ledger.Evidence, error) {
	gave := make([]ledger.Evidence, len(q.anchors))
	errs := q.each(func(i int, a ledger.Anchor) (err error) {
		gave[i], err = a.Submit(ctx, s)
		return err
	})
	if err := q.verdict(ctx, errs); err != nil {
		return ledger.Evidence{}, err
	}
	var all ledger.Evidence
	for i, e := range gave {
		if errs[i] != nil {
			continue
		}
		all.Lines = append(all.Lines, e.Lines...)
		if all.Token == nil {
			all.Token = e.Token
		}
	}
	return all, nil
}

// Latest asks all anchors and returns the largest size any remembers, which is what a log must not be behind. It fails if
// fewer than needed answer; anchors without memory answer nothing.
func (q *Quorum) Latest(ctx context.Context, origin string, held []byte) (ledger.Memory, error) {
	have := make([]ledger.Memory, len(q.anchors))
	errs := q.each(func(i int, a ledger.Anchor) (err error) {
		have[i], err = a.Latest(ctx, origin, held)
		return err
	})
	if !slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, ledger.ErrNoMemory) }) {
		return ledger.Memory{}, fmt.Errorf("%w: %s", ledger.ErrNoMemory, q.name)
	}
	if err := q.verdict(ctx, errs); err != nil {
		return ledger.Memory{}, err
	}
	var most ledger.Memory
	for i, m := range have {
		if errs[i] == nil && (m.Size > most.Size || m.Size == most.Size && most.Root == nil) {
			most = m
		}
	}
	return most, nil
}

func (q *Quorum) each(fn func(i int, a ledger.Anchor) error) []error {
	errs := make([]error, len(q.anchors))
	var wg sync.WaitGroup
	for i, a := range q.anchors {
		wg.Go(func() { errs[i] = fn(i, a) })
	}
	wg.Wait()
	return errs
}

// verdict is the error of a whole: a rollback first, then too few.
func (q *Quorum) verdict(ctx context.Context, errs []error) error {
	good := 0
	var worst *ledger.RollbackError
	for _, err := range errs {
		var r *ledger.RollbackError
		switch {
		case err == nil:
			good++
		case errors.As(err, &r) && (worst == nil || r.Fork && !worst.Fork || r.Fork == worst.Fork && r.Size > worst.Size):
			worst = r
		}
	}
	switch {
	case worst != nil:
		return worst
	case good >= q.need:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%w: %s: %d of %d: %w", ErrQuorum, q.name, good, q.need, errors.Join(errs...))
}
