package vault_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
)

// numbered is a snapshot whose two secrets hold the same number.
func numbered(n int64) *vault.Snapshot {
	text := strconv.FormatInt(n, 10)
	return vault.NewSnapshot(map[vault.Key]vault.Secret{
		"A": vault.NewGuardedSecret([]byte(text)), "B": vault.NewSecret([]byte(text)),
	})
}

// number reads a snapshot that numbered made and fails on a mixture.
func number(s *vault.Snapshot) (int64, error) {
	a, _ := s.Secret("A")
	b, _ := s.Secret("B")
	if !a.Equal(b) {
		return 0, fmt.Errorf("torn or wiped: %d and %d bytes", a.Len(), b.Len())
	}
	return strconv.ParseInt(string(a.Reveal()), 10, 64)
}

func newLive(t *testing.T, cfg vault.LiveConfig) *vault.Live {
	t.Helper()
	l, err := vault.NewLive(numbered(0), cfg)
	require.NoError(t, err)
	t.Cleanup(l.Close)
	return l
}

func TestReadersSeeWholeAndCurrentSecretsWhileTheyAreRefreshed(t *testing.T) {
	const refreshes, readers = 1000, 100
	var next, announced atomic.Int64
	l := newLive(t, vault.LiveConfig{
		Fetch:    func(context.Context) (*vault.Snapshot, error) { return numbered(next.Add(1)), nil },
		OnChange: func(_ context.Context, changed []vault.Key) { announced.Store(next.Load()) },
	})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				floor := announced.Load()
				err := l.Use(func(s *vault.Snapshot) error {
					n, err := number(s)
					if err == nil && n < floor {
						err = fmt.Errorf("read %d after %d was announced", n, floor)
					}
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range refreshes {
		_, err := l.Refresh(t.Context())
		require.NoError(t, err)
	}
	close(stop)
	wg.Wait()
	require.EqualValues(t, refreshes, announced.Load())
}

func TestOldSecretsAreWipedWhenTheLastReaderIsDone(t *testing.T) {
	l := newLive(t, vault.LiveConfig{Fetch: func(context.Context) (*vault.Snapshot, error) { return numbered(1), nil }})
	var kept vault.Secret
	require.NoError(t, l.Use(func(old *vault.Snapshot) error {
		kept, _ = old.Secret("A")
		_, err := l.Refresh(t.Context())
		require.NoError(t, err)
		n, err := number(old)
		require.NoError(t, err)
		require.Zero(t, n, "still the old ones inside")
		return l.Use(func(s *vault.Snapshot) error {
			n, err := number(s)
			require.EqualValues(t, 1, n)
			return err
		})
	}))
	require.Zero(t, kept.Len())
	require.NoError(t, l.Use(func(s *vault.Snapshot) error { kept, _ = s.Secret("A"); return nil }))
	l.Close()
	require.Zero(t, kept.Len())
	require.ErrorIs(t, l.Use(func(*vault.Snapshot) error { return nil }), vault.ErrClosed)
	require.ErrorIs(t, l.Ready(), vault.ErrClosed)
	_, err := l.Refresh(t.Context())
	require.ErrorIs(t, err, vault.ErrClosed)
}

func TestAPanickingReaderHoldsNothing(t *testing.T) {
	l := newLive(t, vault.LiveConfig{Fetch: func(context.Context) (*vault.Snapshot, error) { return numbered(1), nil }})
	var kept vault.Secret
	require.Panics(t, func() {
		_ = l.Use(func(s *vault.Snapshot) error { kept, _ = s.Secret("A"); panic("reader") })
	})
	_, err := l.Refresh(t.Context())
	require.NoError(t, err)
	require.Zero(t, kept.Len())
}

func TestChangesAreToldOncePerRefresh(t *testing.T) {
	key := func(text string) vault.Secret { return vault.NewSecret([]byte(text)) }
	states := []map[vault.Key]vault.Secret{
		{"A": key("0"), "B": key("0")},
		{"A": key("0"), "B": key("1"), "D": key("1"), "C": key("1")},
		{"D": key("1"), "C": key("1")},
	}
	var told [][]vault.Key
	i := -1
	l := newLive(t, vault.LiveConfig{
		Fetch:    func(context.Context) (*vault.Snapshot, error) { i++; return vault.NewSnapshot(states[i]), nil },
		OnChange: func(_ context.Context, changed []vault.Key) { told = append(told, changed) },
	})
	for range states {
		_, err := l.Refresh(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, [][]vault.Key{{"B", "C", "D"}, {"A", "B"}}, told)
}

func TestAFailedRefreshKeepsTheOldSecretsUntilTheyAreStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("unreachable")
		var seen []error
		l := newLive(t, vault.LiveConfig{
			Interval: time.Minute, MaxAge: 10 * time.Minute,
			Fetch:     func(context.Context) (*vault.Snapshot, error) { return nil, broken },
			OnRefresh: func(_ time.Duration, err error) { seen = append(seen, err) },
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+30*time.Second)
		defer cancel()
		require.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded)
		require.Len(t, seen, 10)
		require.ErrorIs(t, seen[0], broken)
		require.ErrorIs(t, l.Ready(), vault.ErrStale)
		require.NoError(t, l.Use(func(s *vault.Snapshot) error { _, err := number(s); return err }))
	})
}

func TestNewLiveRefusesWhatMakesNoSense(t *testing.T) {
	fetch := func(context.Context) (*vault.Snapshot, error) { return nil, nil }
	for name, cfg := range map[string]vault.LiveConfig{
		"no fetch": {}, "a negative interval": {Fetch: fetch, Interval: -1}, "a negative age": {Fetch: fetch, MaxAge: -1},
	} {
		_, err := vault.NewLive(numbered(0), cfg)
		require.Error(t, err, name)
	}
	_, err := vault.NewLive(nil, vault.LiveConfig{Fetch: fetch})
	require.Error(t, err)
}
