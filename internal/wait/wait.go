// Package wait waits. It is a leaf that every room may import.
package wait

import (
	"context"
	"time"
)

// For waits for d, or until ctx is done, whose error it returns then. A ctx that is done already does not wait, nor does a d that
// is not positive.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
