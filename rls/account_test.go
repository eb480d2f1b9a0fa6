package rls_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/rls"
)

// book is a Store that keeps what it is given, or refuses it.
type book struct {
	mu     sync.Mutex
	stored []rls.SystemAccount
	calls  int
	refuse error
	during func(context.Context) // what storing does
}

func (b *book) store(ctx context.Context, accounts []rls.SystemAccount) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if b.during != nil {
		b.during(ctx)
	}
	if b.refuse != nil {
		return b.refuse
	}
	b.stored = append(b.stored, accounts...)
	return nil
}

func (b *book) refusing(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = err
}

func (b *book) called() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

// take returns what was stored since the last call.
func (b *book) take() []rls.SystemAccount {
	b.mu.Lock()
	defer b.mu.Unlock()
	stored := b.stored
	b.stored = nil
	return stored
}

// lines shows accounts as "reason minute count failed".
func lines(accounts []rls.SystemAccount) (all []string) {
	for _, a := range accounts {
		all = append(all, fmt.Sprintf("%s %s %d %d", a.Reason, a.From.Format("15:04"), a.Count, a.Failed))
	}
	return all
}

func newAccountant(t testing.TB, cfg rls.AccountantConfig) *rls.Accountant {
	t.Helper()
	a, err := rls.NewAccountant(cfg)
	require.NoError(t, err)
	return a
}

// running runs an accountant in a bubble, whose clock starts at midnight, until the returned function is called.
func running(t *testing.T, a *rls.Accountant) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

func TestAccountantRefusesBadConfig(t *testing.T) {
	store := new(book).store
	for name, cfg := range map[string]rls.AccountantConfig{
		"no Store":            {},
		"a negative interval": {Store: store, Interval: -1},
		"a negative bound":    {Store: store, MaxAccounts: -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rls.NewAccountant(cfg)
			require.ErrorContains(t, err, "rls: account: ")
		})
	}
}

func TestAccountantSumsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		a := newAccountant(t, rls.AccountantConfig{Store: b.store})
		stop := running(t, a)
		use := func(r rls.Reason, took time.Duration, err error) {
			a.Account(t.Context(), rls.SystemUse{Reason: r, Took: took, Err: err})
		}
		for range 1000 {
			use("flush", time.Millisecond, nil)
		}
		use("flush", 7*time.Second, errNo)
		use("sweep", time.Second, nil)
		time.Sleep(59 * time.Second)
		use("flush", 0, nil)
		synctest.Wait()
		require.Empty(t, b.take(), "the minute is not over")
		time.Sleep(time.Second)
		use("flush", 0, nil) // of the next minute
		time.Sleep(15 * time.Second)
		synctest.Wait()
		stored := b.take()
		require.Equal(t, []string{"flush 00:00 1002 1", "sweep 00:00 1 0"}, lines(stored))
		require.Equal(t, 7*time.Second, stored[0].Longest)
		require.Equal(t, 8*time.Second, stored[0].Total)
		require.Equal(t, time.Minute, stored[0].Until.Sub(stored[0].From))
		require.Equal(t, time.UTC, stored[0].From.Location())

		require.NoError(t, stop())
		stored = b.take()
		require.Equal(t, []string{"flush 00:01 1 0"}, lines(stored), "at the end also the minute that is not over")
		require.Equal(t, 15*time.Second, stored[0].Until.Sub(stored[0].From))
		require.NoError(t, a.Flush(t.Context()))
		require.Empty(t, b.take())
	})
}

func TestAccountantKeepsWhatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		b := &book{refuse: errors.New("no operator yet")}
		a := newAccountant(t, rls.AccountantConfig{Store: b.store, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		stop := running(t, a)
		for range 10 {
			a.Account(t.Context(), rls.SystemUse{Reason: "flush", Err: errNo})
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		require.Empty(t, b.take())
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), "one line for an outage, not one for each attempt")
		require.Contains(t, log.String(), "no operator yet")
		b.refusing(nil)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		stored := b.take()
		require.Len(t, stored, 10, "each minute is still told apart")
		for i, account := range stored {
			require.EqualValues(t, 1, account.Count)
			require.EqualValues(t, 1, account.Failed)
			require.Equal(t, i, account.From.Minute())
		}
		require.Contains(t, log.String(), "stored again")
		require.NoError(t, stop())

		b.refusing(errNo)
		a.Account(t.Context(), rls.SystemUse{Reason: "flush"})
		require.ErrorIs(t, running(t, a)(), errNo, "what is lost at the end is said")
		b.refusing(nil)
		require.NoError(t, a.Flush(t.Context()))
		require.Len(t, b.take(), 1, "and is still there for another attempt")
	})
}

func TestAccountantIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{refuse: errNo}
		a := newAccountant(t, rls.AccountantConfig{Store: b.store, MaxAccounts: 10})
		stop := running(t, a)
		for range 100 {
			for _, r := range []rls.Reason{"flush", "sweep", "onboard"} {
				a.Account(t.Context(), rls.SystemUse{Reason: r, Took: time.Second})
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		b.refusing(nil)
		require.NoError(t, a.Flush(t.Context()))
		stored := b.take()
		require.LessOrEqual(t, len(stored), 11)
		sums := map[rls.Reason]int64{}
		for _, account := range stored {
			sums[account.Reason] += account.Count
			require.Equal(t, time.Duration(account.Count)*time.Second, account.Total)
			require.GreaterOrEqual(t, account.Until.Sub(account.From), time.Duration(account.Count)*time.Minute)
		}
		require.Equal(t, map[rls.Reason]int64{"flush": 100, "sweep": 100, "onboard": 100}, sums, "purposes are told apart and nothing is lost")

		for i := range 1000 { // a purpose that is made up anew each time
			a.Account(t.Context(), rls.SystemUse{Reason: rls.Reason(fmt.Sprint(i))})
			a.Account(t.Context(), rls.SystemUse{Reason: "0"})
		}
		require.NoError(t, stop())
		stored = b.take()
		require.LessOrEqual(t, len(stored), 11)
		count := map[rls.Reason]int64{}
		for _, account := range stored {
			count[account.Reason] += account.Count
		}
		require.EqualValues(t, 1001, count["0"])
		require.EqualValues(t, 990, count[rls.ReasonOther])
	})
}

// An accountant whose Store uses System scopes must not keep itself busy.
func TestAccountantDoesNotAccountForItselfForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		var a *rls.Accountant
		b.during = func(ctx context.Context) { a.Account(ctx, rls.SystemUse{Reason: "accounting"}) }
		a = newAccountant(t, rls.AccountantConfig{Store: b.store})
		stop := running(t, a)
		a.Account(t.Context(), rls.SystemUse{Reason: "flush"})
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"flush 00:00 1 0"}, lines(b.take()))
		require.Equal(t, 1, b.called(), "a day without other scopes, one call")
		a.Account(t.Context(), rls.SystemUse{Reason: "flush"})
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"accounting 00:01 1 0", "flush 00:00 1 0"}, lines(b.take()), "its own scope is told with the next")
		b.refusing(errNo)
		a.Account(t.Context(), rls.SystemUse{Reason: "flush"})
		time.Sleep(10 * time.Minute)
		b.refusing(nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		var failed int64
		for _, account := range b.take() {
			if account.Reason == "accounting" {
				failed += account.Count
			}
		}
		require.Greater(t, failed, int64(30), "attempts that failed have used scopes too")
		calls := b.called()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.LessOrEqual(t, b.called(), calls+1)
		require.NoError(t, stop())
	})
}

// Whatever happens in whatever order, every scope is in exactly one account.
func TestAccountantLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)
		b := &book{}
		a, err := rls.NewAccountant(rls.AccountantConfig{Store: b.store, MaxAccounts: rapid.IntRange(1, 6).Draw(t, "bound"),
			Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		var used, failed int64
		steps := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 60).Draw(t, "steps")
		for _, step := range steps {
			switch step {
			case 0, 1, 2, 3, 4:
				used++
				use := rls.SystemUse{Reason: rls.Reason(fmt.Sprint("r", step))}
				if step == 4 {
					failed++
					use.Err = errNo
				}
				a.Account(context.Background(), use)
			case 5, 6:
				now = now.Add(40 * time.Second)
			case 7:
				now = now.Add(-50 * time.Second) // clocks do that
			case 8:
				b.refusing(errNo)
				if a.Flush(context.Background()) == nil {
					t.Log("nothing to store")
				}
				b.refusing(nil)
			case 9:
				if err := a.Flush(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := a.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, account := range b.take() {
			used -= account.Count
			failed -= account.Failed
			if account.Until.Before(account.From) {
				t.Fatalf("%v until %v", account.From, account.Until)
			}
		}
		if used != 0 || failed != 0 {
			t.Fatalf("%d scopes and %d failures unaccounted for", used, failed)
		}
	})
}

func TestAccountantWithARealDatabase(t *testing.T) {
	b := &book{}
	a := newAccountant(t, rls.AccountantConfig{Store: b.store})
	f := newFixtureConfig(t, rls.Config{Account: a.Account})
	b.during = func(ctx context.Context) {
		require.NoError(t, f.db.System(ctx, "accounting", func(context.Context, *rls.Tx) error { return nil }))
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 25 {
				err := f.db.System(t.Context(), "flush", func(ctx context.Context, tx *rls.Tx) error {
					if i == 0 {
						return errNo
					}
					_, err := tx.Exec(ctx, "SELECT 1")
					return err
				})
				if i != 0 && err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, a.Flush(t.Context()))
	var count, failed int64
	for _, account := range b.take() {
		require.Equal(t, rls.Reason("flush"), account.Reason)
		count += account.Count
		failed += account.Failed
	}
	require.EqualValues(t, 200, count)
	require.EqualValues(t, 25, failed)
	require.NoError(t, a.Flush(t.Context()))
	require.Empty(t, b.take(), "its own scope alone is stored by nothing")
}
