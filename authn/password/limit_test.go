package password_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/password"
)

// occupied returns a hasher whose whole budget is held by one verification until release is called.
func occupied(t *testing.T, cfg password.Config) (h *password.Hasher, release func()) {
	t.Helper()
	block := reversed{prefix: "$hold$", hold: make(chan struct{}), inside: make(chan struct{})}
	cfg.Profile, cfg.MemoryKiB, cfg.Legacy = password.OWASP, 19<<10, []password.Legacy{block}
	h = hasher(t, cfg)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = h.Verify(context.Background(), "$hold$x", "x") })
	<-block.inside
	return h, func() { close(block.hold); wg.Wait() }
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, release := occupied(t, password.Config{MaxQueue: 2, MaxWait: time.Hour, RetryAfter: 7 * time.Second})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { _ = h.VerifyDummy(context.Background(), "x") })
		}
		synctest.Wait()
		_, err := h.Hash(context.Background(), "x")
		require.ErrorIs(t, err, password.ErrOverloaded)
		var o *password.OverloadError
		require.ErrorAs(t, err, &o)
		require.True(t, o.QueueFull)
		require.Equal(t, 7*time.Second, o.RetryAfter)
		release()
		wg.Wait()
		require.ErrorIs(t, h.VerifyDummy(context.Background(), "x"), password.ErrMismatch, "free again")
	})
}

func TestWaitingEndsAfterMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, release := occupied(t, password.Config{MaxWait: 3 * time.Second})
		start := time.Now()
		err := h.VerifyDummy(context.Background(), "x")
		require.ErrorIs(t, err, password.ErrOverloaded)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "nobody else's deadline")
		require.Equal(t, 3*time.Second, time.Since(start)) // virtual time
		release()
	})
}

func TestWaitingEndsWithTheCallersDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, release := occupied(t, password.Config{})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := h.Hash(ctx, "x")
		require.ErrorIs(t, err, password.ErrOverloaded)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		release()
	})
}

func TestACallerWhoGoesAwayIsNotAnOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, release := occupied(t, password.Config{MaxQueue: 1})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { _, err := h.Verify(ctx, cheap("x", "somesalt"), "x"); done <- err }()
		synctest.Wait()
		cancel()
		err := <-done
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, password.ErrOverloaded)
		// The place in the queue is free again.
		second, cancelSecond := context.WithTimeout(context.Background(), time.Second)
		defer cancelSecond()
		var o *password.OverloadError
		require.ErrorAs(t, h.VerifyDummy(second, "x"), &o)
		require.False(t, o.QueueFull)
		release()
	})
}

func TestAContextThatIsOverStartsNoWork(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := h.Hash(ctx, "x")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, h.VerifyDummy(ctx, "x"), context.Canceled)
}

// counting is a legacy verifier that notices how many run at once.
type counting struct{ now, peak *atomic.Int64 }

func (counting) Prefix() string { return "$count$" }

func (c counting) Verify(string, string) (bool, error) {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for p := c.peak.Load(); n > p && !c.peak.CompareAndSwap(p, n); p = c.peak.Load() {
	}
	time.Sleep(time.Millisecond)
	return true, nil
}

func TestNeverMoreRunAtOnceThanTheBudgetHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := counting{new(atomic.Int64), new(atomic.Int64)}
		h := hasher(t, password.Config{Profile: password.OWASP, MemoryKiB: 3*19<<10 + 100, Legacy: []password.Legacy{c}})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := h.Verify(context.Background(), "$count$", "x"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 3, c.peak.Load())
	})
}

func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := make(chan int, 10)
		c := ordered{order}
		block := reversed{prefix: "$hold$", hold: make(chan struct{}), inside: make(chan struct{})}
		h := hasher(t, password.Config{Profile: password.OWASP, MemoryKiB: 19 << 10, Legacy: []password.Legacy{c, block}})
		go func() { _, _ = h.Verify(context.Background(), "$hold$x", "x") }()
		<-block.inside
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { _, _ = h.Verify(context.Background(), "$order$"+string(rune('0'+i)), "x") })
			synctest.Wait()
		}
		close(block.hold)
		wg.Wait()
		for i := range 10 {
			require.Equal(t, i, <-order)
		}
	})
}

type ordered struct{ order chan int }

func (ordered) Prefix() string { return "$order$" }

func (o ordered) Verify(stored, _ string) (bool, error) {
	o.order <- int(stored[len(stored)-1] - '0')
	return false, nil
}

func TestAPanickingVerifierGivesItsMemoryBack(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP, MemoryKiB: 19 << 10, MaxWait: time.Second, Legacy: []password.Legacy{panicking{}}})
	require.Panics(t, func() { _, _ = h.Verify(t.Context(), "$panic$", "x") })
	err := h.VerifyDummy(t.Context(), "x")
	require.True(t, errors.Is(err, password.ErrMismatch), err)
}

type panicking struct{}

func (panicking) Prefix() string                      { return "$panic$" }
func (panicking) Verify(string, string) (bool, error) { panic("port") }
