package password

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// limiter admits hashes by the memory they need: a weighted semaphore in KiB with a bounded FIFO queue.
type limiter struct {
	sem        *semaphore.Weighted
	waiting    atomic.Int64
	maxQueue   int64
	maxWait    time.Duration
	retryAfter time.Duration
}

func newLimiter(c Config) *limiter {
	return &limiter{
		sem:        semaphore.NewWeighted(c.MemoryKiB),
		maxQueue:   int64(c.MaxQueue),
		maxWait:    c.MaxWait,
		retryAfter: c.RetryAfter,
	}
}

// acquire waits for kib of memory and returns its release. kib never exceeds the budget.
func (l *limiter) acquire(ctx context.Context, kib int64) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, l.refusal(ctx)
	}
	if l.sem.TryAcquire(kib) { // succeeds only when nobody waits, so it does not jump the queue
		return func() { l.sem.Release(kib) }, nil
	}
	if l.waiting.Add(1) > l.maxQueue {
		l.waiting.Add(-1)
		return nil, &OverloadError{RetryAfter: l.retryAfter, QueueFull: true}
	}
	defer l.waiting.Add(-1)
	waitCtx, cancel := context.WithTimeout(ctx, l.maxWait)
	defer cancel()
	if l.sem.Acquire(waitCtx, kib) != nil {
		return nil, l.refusal(ctx)
	}
	return func() { l.sem.Release(kib) }, nil
}

// refusal tells a caller who went away from one who waited in vain.
func (l *limiter) refusal(ctx context.Context) error {
	cause := ctx.Err()
	if errors.Is(cause, context.Canceled) {
		return fmt.Errorf("password: wait: %w", cause)
	}
	return &OverloadError{RetryAfter: l.retryAfter, Cause: cause}
}
