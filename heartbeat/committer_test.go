package heartbeat_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type key struct{ tenant, device uuid.UUID }

// memory is a sink that keeps the newest beat per device; hold, if set, runs before each write.
type memory struct {
	mu      sync.Mutex
	current map[key]heartbeat.Beat
	sizes   []int
	hold    func(ctx context.Context, beats []heartbeat.Beat) error
	outcome func(heartbeat.Beat) heartbeat.Outcome
}

func (m *memory) Write(ctx context.Context, beats []heartbeat.Beat) ([]heartbeat.Outcome, error) {
	if m.hold != nil {
		if err := m.hold(ctx, beats); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		m.current = map[key]heartbeat.Beat{}
	}
	m.sizes = append(m.sizes, len(beats))
	out := make([]heartbeat.Outcome, len(beats))
	seen := map[key]bool{}
	for i, b := range beats {
		k := key{b.Tenant, b.Device}
		if seen[k] {
			return nil, errors.New("device twice in a batch")
		}
		seen[k] = true
		out[i] = heartbeat.Stored
		if m.outcome != nil {
			if out[i] = m.outcome(b); out[i] != heartbeat.Stored {
				continue
			}
		}
		if old, ok := m.current[k]; ok && !old.ReceivedAt.Before(b.ReceivedAt) {
			out[i] = heartbeat.Superseded
			continue
		}
		m.current[k] = b
	}
	return out, nil
}

func (m *memory) get(b heartbeat.Beat) (heartbeat.Beat, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	got, ok := m.current[key{b.Tenant, b.Device}]
	return got, ok
}

// start runs a Committer; the returned function stops it and waits for Run to return.
func start(t testing.TB, sink heartbeat.Sink, cfg heartbeat.CommitConfig) (*heartbeat.Committer, func() error) {
	c, err := heartbeat.NewCommitter(sink, cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return c, func() error { cancel(); return <-done }
}

func TestCommitterAcknowledgesOnlyAfterTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		sink := &memory{hold: func(context.Context, []heartbeat.Beat) error { <-gate; return nil }}
		c, stop := start(t, sink, heartbeat.CommitConfig{})
		answer := make(chan error, 1)
		b := validBeat()
		go func() { answer <- c.Accept(context.Background(), b) }()
		synctest.Wait()
		require.Empty(t, answer, "no answer before the write")
		close(gate)
		require.NoError(t, <-answer)
		got, ok := sink.get(b)
		require.True(t, ok)
		require.Equal(t, b, got)
		require.NoError(t, stop())
	})
}

func TestCommitterGathersWhileAWriteIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{hold: func(context.Context, []heartbeat.Beat) error { time.Sleep(time.Second); return nil }}
		c, stop := start(t, sink, heartbeat.CommitConfig{InFlight: 1, MaxBatch: 40})
		var ok atomic.Int64
		for range 101 {
			go func() {
				if c.Accept(context.Background(), validBeat()) == nil {
					ok.Add(1)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		require.NoError(t, stop())
		require.EqualValues(t, 101, ok.Load())
		require.Equal(t, []int{1, 40, 40, 20}, sink.sizes)
		s := c.Stats()
		require.EqualValues(t, 4, s.Flushes)
		require.EqualValues(t, 101, s.Stored)
		require.Equal(t, 3*time.Second, s.Lag-time.Second, "the last batch waited for three before it")
	})
}

func TestCommitterKeepsTheNewestBeatOfADevice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ages := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 30).Draw(rt, "ages")
		gate := make(chan struct{})
		sink := &memory{hold: func(context.Context, []heartbeat.Beat) error { <-gate; return nil }}
		c, stop := start(t, sink, heartbeat.CommitConfig{InFlight: 1})
		b := validBeat()
		answers := make(chan error, len(ages))
		newest := noon.Add(-time.Hour)
		for _, age := range ages {
			one := b
			one.ReceivedAt = noon.Add(-time.Duration(age) * time.Second)
			if one.ReceivedAt.After(newest) {
				newest = one.ReceivedAt
			}
			go func() { answers <- c.Accept(context.Background(), one) }()
		}
		close(gate)
		for range ages {
			require.NoError(rt, <-answers)
		}
		require.NoError(rt, stop())
		got, _ := sink.get(b)
		require.Equal(rt, newest, got.ReceivedAt)
		s := c.Stats()
		require.EqualValues(rt, len(ages), s.Stored+s.Superseded+s.Merged)
	})
}

func TestCommitterAnswersByOutcome(t *testing.T) {
	cases := map[string]struct {
		outcome heartbeat.Outcome
		want    error
	}{
		"stored is accepted":                    {heartbeat.Stored, nil},
		"superseded is accepted":                {heartbeat.Superseded, nil},
		"an unknown device is named":            {heartbeat.UnknownDevice, heartbeat.ErrUnknownDevice},
		"refused content is invalid":            {heartbeat.Refused, heartbeat.ErrInvalid},
		"unwritten is not confirmed":            {heartbeat.Unwritten, heartbeat.ErrUnavailable},
		"an undefined outcome is not confirmed": {heartbeat.Outcome(99), heartbeat.ErrUnavailable},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			bad := validBeat()
			sink := &memory{outcome: func(b heartbeat.Beat) heartbeat.Outcome {
				if b.Device == bad.Device {
					return tc.outcome
				}
				return heartbeat.Stored
			}}
			c, stop := start(t, sink, heartbeat.CommitConfig{})
			require.ErrorIs(t, c.Accept(t.Context(), bad), tc.want)
			require.NoError(t, c.Accept(t.Context(), validBeat()), "others are not affected")
			require.NoError(t, stop())
		})
	}
}

func TestCommitterReportsAFailedWriteToEveryCaller(t *testing.T) {
	broken := errors.New("connection lost")
	sink := &memory{hold: func(context.Context, []heartbeat.Beat) error { return broken }}
	c, stop := start(t, sink, heartbeat.CommitConfig{})
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			err := c.Accept(context.Background(), validBeat())
			if !errors.Is(err, heartbeat.ErrUnavailable) || !errors.Is(err, broken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, stop())
	require.Zero(t, c.Stats().Stored)
	require.NotZero(t, c.Stats().Failures)
}

type wrongCount struct{}

func (wrongCount) Write(context.Context, []heartbeat.Beat) ([]heartbeat.Outcome, error) {
	return []heartbeat.Outcome{heartbeat.Stored, heartbeat.Stored}, nil
}

func TestCommitterDoesNotTrustASinkThatMiscounts(t *testing.T) {
	c, stop := start(t, wrongCount{}, heartbeat.CommitConfig{})
	require.ErrorIs(t, c.Accept(t.Context(), validBeat()), heartbeat.ErrUnavailable)
	require.NoError(t, stop())
}

func TestCommitterOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		sink := &memory{hold: func(context.Context, []heartbeat.Beat) error { <-gate; return nil }}
		c, stop := start(t, sink, heartbeat.CommitConfig{InFlight: 1, Queue: 10, RetryAfter: 3 * time.Second})
		answers := make(chan error, 11)
		for range 11 { // one in flight, ten queued
			go func() { answers <- c.Accept(context.Background(), validBeat()) }()
			synctest.Wait()
		}
		require.Equal(t, 10, c.Stats().QueueLength)
		err := c.Accept(context.Background(), validBeat())
		require.ErrorIs(t, err, heartbeat.ErrOverloaded)
		var e *heartbeat.OverloadedError
		require.ErrorAs(t, err, &e)
		require.GreaterOrEqual(t, e.RetryAfter, 3*time.Second)
		require.Less(t, e.RetryAfter, 6*time.Second)
		close(gate)
		for range 11 {
			require.NoError(t, <-answers, "who was in the queue is served")
		}
		require.NoError(t, c.Accept(context.Background(), validBeat()), "and there is room again")
		require.NoError(t, stop())
		require.EqualValues(t, 1, c.Stats().Overloaded)
	})
}

func TestCommitterCancelledCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		sink := &memory{hold: func(context.Context, []heartbeat.Beat) error { <-gate; return nil }}
		c, stop := start(t, sink, heartbeat.CommitConfig{InFlight: 1})
		gone, cancel := context.WithCancel(context.Background())
		left, stayed := validBeat(), validBeat()
		answers := make(chan error, 2)
		go func() { answers <- c.Accept(gone, left) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-answers, context.Canceled, "who leaves does not wait for the write")
		go func() { answers <- c.Accept(context.Background(), stayed) }()
		synctest.Wait()
		close(gate)
		require.NoError(t, <-answers)
		_, ok := sink.get(left)
		require.True(t, ok, "what was received is written all the same")
		require.ErrorIs(t, c.Accept(gone, validBeat()), context.Canceled)
		require.NoError(t, stop())
	})
}

func TestCommitterStops(t *testing.T) {
	t.Run("queued beats are written, later ones refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sink := &memory{hold: func(context.Context, []heartbeat.Beat) error { time.Sleep(time.Second); return nil }}
			c, stop := start(t, sink, heartbeat.CommitConfig{InFlight: 1, MaxBatch: 2})
			answers := make(chan error, 7)
			for range 7 {
				go func() { answers <- c.Accept(context.Background(), validBeat()) }()
				synctest.Wait()
			}
			require.NoError(t, stop())
			for range 7 {
				require.NoError(t, <-answers)
			}
			require.ErrorIs(t, c.Accept(context.Background(), validBeat()), heartbeat.ErrOverloaded)
		})
	})
	t.Run("a hanging storage does not hang the stop, and nobody is told accepted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sink := &memory{hold: func(ctx context.Context, _ []heartbeat.Beat) error { <-ctx.Done(); return ctx.Err() }}
			c, stop := start(t, sink, heartbeat.CommitConfig{InFlight: 1, MaxBatch: 2, DrainTimeout: time.Second})
			answers := make(chan error, 7)
			for range 7 {
				go func() { answers <- c.Accept(context.Background(), validBeat()) }()
				synctest.Wait()
			}
			require.Error(t, stop())
			for range 7 {
				require.ErrorIs(t, <-answers, heartbeat.ErrUnavailable)
			}
		})
	})
	t.Run("a write that hangs is given up after its timeout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sink := &memory{hold: func(ctx context.Context, _ []heartbeat.Beat) error { <-ctx.Done(); return ctx.Err() }}
			c, stop := start(t, sink, heartbeat.CommitConfig{WriteTimeout: 3 * time.Second})
			require.ErrorIs(t, c.Accept(context.Background(), validBeat()), context.DeadlineExceeded)
			require.NoError(t, stop())
		})
	})
	t.Run("a Committer runs once", func(t *testing.T) {
		c, stop := start(t, &memory{}, heartbeat.CommitConfig{})
		require.NoError(t, c.Accept(t.Context(), validBeat()))
		require.Error(t, c.Run(t.Context()))
		require.NoError(t, stop())
	})
}

func TestCommitterUnderConcurrency(t *testing.T) {
	sink := &memory{hold: func(context.Context, []heartbeat.Beat) error {
		if rand.N(10) == 0 {
			return errors.New("lost")
		}
		return nil
	}}
	c, stop := start(t, sink, heartbeat.CommitConfig{MaxBatch: 16, InFlight: 3})
	var wg sync.WaitGroup
	var lost atomic.Int64
	for range 64 {
		wg.Go(func() {
			b := validBeat()
			for i := range 50 {
				b.ReceivedAt = noon.Add(time.Duration(i) * time.Second)
				if c.Accept(context.Background(), b) != nil {
					continue
				}
				if got, ok := sink.get(b); !ok || got.ReceivedAt.Before(b.ReceivedAt) {
					lost.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, stop())
	require.Zero(t, lost.Load(), "every acknowledged beat is stored")
}

func TestNewCommitterRefuses(t *testing.T) {
	_, err := heartbeat.NewCommitter(nil, heartbeat.CommitConfig{})
	require.Error(t, err)
	for name, cfg := range map[string]heartbeat.CommitConfig{
		"a negative batch":         {MaxBatch: -1},
		"a negative queue":         {Queue: -1},
		"negative transactions":    {InFlight: -1},
		"a negative write timeout": {WriteTimeout: -1},
		"a negative drain timeout": {DrainTimeout: -1},
		"a negative time to retry": {RetryAfter: -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := heartbeat.NewCommitter(&memory{}, cfg)
			require.Error(t, err)
		})
	}
}

func TestCommitterRefusesInvalidBeats(t *testing.T) {
	c, err := heartbeat.NewCommitter(&memory{}, heartbeat.CommitConfig{})
	require.NoError(t, err)
	require.ErrorIs(t, c.Accept(t.Context(), heartbeat.Beat{}), heartbeat.ErrInvalid)
}

func BenchmarkAccept(b *testing.B) {
	c, stop := start(b, discard{}, heartbeat.CommitConfig{})
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		beat := validBeat()
		for pb.Next() {
			if err := c.Accept(context.Background(), beat); err != nil {
				b.Error(err)
				return
			}
		}
	})
	require.NoError(b, stop())
}

type discard struct{}

func (discard) Write(_ context.Context, beats []heartbeat.Beat) ([]heartbeat.Outcome, error) {
	out := make([]heartbeat.Outcome, len(beats))
	for i := range out {
		out[i] = heartbeat.Stored
	}
	return out, nil
}
