package witness

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// turns lets one request per origin in at a time, and so many per minute. Only origins whose log is known and signed the
// request come here, so their number is bounded by the configuration.
type turns struct {
	rate int // per minute
	now  func() time.Time
	mu   sync.Mutex
	of   map[string]*turn
}

type turn struct {
	taken  chan struct{} // holds one token while somebody has the turn
	tokens float64       // requests that may come at once
	at     time.Time     // when tokens was right
}

func newTurns(rate int, now func() time.Time) *turns {
	return &turns{rate: rate, now: now, of: map[string]*turn{}}
}

// enter waits for the origin's turn; the caller calls leave afterwards.
func (t *turns) enter(ctx context.Context, origin string) (leave func(), err error) {
	o, ok := t.take(origin)
	if !ok {
		return nil, refuse(http.StatusTooManyRequests)
	}
	select {
	case o.taken <- struct{}{}:
		return func() { <-o.taken }, nil
	case <-ctx.Done():
		return nil, refuse(http.StatusServiceUnavailable)
	}
}

// take takes one of the origin's tokens. A minute's worth may be taken at once.
func (t *turns) take(origin string) (*turn, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	o := t.of[origin]
	if o == nil {
		o = &turn{taken: make(chan struct{}, 1), tokens: float64(t.rate), at: now}
		t.of[origin] = o
	}
	if d := now.Sub(o.at); d > 0 {
		o.tokens = min(o.tokens+d.Minutes()*float64(t.rate), float64(t.rate))
	}
	o.at = now
	if o.tokens < 1 {
		return nil, false
	}
	o.tokens--
	return o, true
}
