package httpabac_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	denied     = httpabac.Record{Decision: abac.Decision{Reason: abac.NoMatch}}
	privileged = httpabac.Record{Decision: abac.Decision{Allowed: true, Reason: abac.Allowed}, Privileged: true}
	sampled    = httpabac.Record{Decision: abac.Decision{Allowed: true, Reason: abac.Allowed}}
)

// store keeps records as a database would; its gate can be shut.
type store struct {
	mu      sync.Mutex
	records []httpabac.Record
	fail    error
	shut    chan struct{} // Write waits until it can be read from, if not nil
}

func (s *store) write(ctx context.Context, records []httpabac.Record) error {
	if s.shut != nil {
		select {
		case <-s.shut:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.records = append(s.records, records...)
	return nil
}

func (s *store) set(fail error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func (s *store) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}

func newLog(t testing.TB, s *store, cfg httpabac.LogConfig) *httpabac.Log {
	cfg.Write = s.write
	l, err := httpabac.NewLog(cfg)
	require.NoError(t, err)
	return l
}

// running runs l and returns what stops it and reports the error of Run.
func running(l *httpabac.Log) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return func() error { cancel(); return <-done }
}

func TestLogWritesEverythingInOrder(t *testing.T) {
	s := &store{}
	l := newLog(t, s, httpabac.LogConfig{Queue: 8, Batch: 3})
	stop := running(l)
	for i := range 100 {
		rec := denied
		rec.RequestID = fmt.Sprint(i)
		require.NoError(t, l.Record(context.Background(), rec))
	}
	require.NoError(t, l.Record(context.Background(), privileged))
	require.NoError(t, stop())
	var denies int
	for i, rec := range s.records {
		require.EqualValues(t, i+1, rec.Seq)
		if !rec.Decision.Allowed {
			require.Equal(t, fmt.Sprint(denies), rec.RequestID)
			denies++
		}
	}
	require.Equal(t, 100, denies)
	require.Equal(t, httpabac.LogStats{Written: 101}, l.Stats())
}

func TestADenyWaitsForRoomAndIsNeverDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{shut: make(chan struct{})}
		l := newLog(t, s, httpabac.LogConfig{Queue: 4, Batch: 1})
		stop := running(l)
		gone, cancel := context.WithCancel(context.Background())
		cancel() // the client is no longer there, and that changes nothing
		var answered atomic.Int32
		for range 10 {
			go func() {
				if l.Record(gone, denied) == nil {
					answered.Add(1)
				}
			}()
		}
		time.Sleep(time.Hour)
		require.EqualValues(t, 4, answered.Load(), "as many as the queue holds")
		require.Equal(t, httpabac.LogStats{Queued: 4, Waiting: 6}, l.Stats())
		close(s.shut)
		synctest.Wait()
		require.EqualValues(t, 10, answered.Load())
		require.NoError(t, stop())
		require.Len(t, s.records, 10)
	})
}

func TestASampledAllowNeverWaitsAndIsCounted(t *testing.T) {
	s := &store{}
	l := newLog(t, s, httpabac.LogConfig{Queue: 4})
	for range 3 { // nobody runs the log yet
		_ = l.Record(context.Background(), sampled)
	}
	require.ErrorIs(t, l.Record(context.Background(), sampled), httpabac.ErrNotRecorded)
	require.Equal(t, httpabac.LogStats{Queued: 2, Dropped: 2}, l.Stats(), "half of the queue is kept for denies")
	require.NoError(t, l.Record(context.Background(), denied))
	require.NoError(t, l.Record(context.Background(), denied))
	stop := running(l)
	require.NoError(t, stop())
	require.Len(t, s.records, 4)
	require.ErrorIs(t, l.Record(context.Background(), sampled), httpabac.ErrNotRecorded)
	require.EqualValues(t, 3, l.Stats().Dropped)
}

func TestAPrivilegedAllowIsWrittenBeforeRecordReturns(t *testing.T) {
	s := &store{}
	l := newLog(t, s, httpabac.LogConfig{})
	stop := running(l)
	for i := range 50 {
		require.NoError(t, l.Record(context.Background(), privileged))
		require.Equal(t, i+1, s.len())
	}
	require.NoError(t, stop())
}

func TestAPrivilegedAllowThatCannotBeWrittenIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		store *store
		ctx   func() (context.Context, context.CancelFunc)
		after time.Duration
	}{
		"where the store hangs": {&store{shut: make(chan struct{})}, nil, 5 * time.Second},
		"where the store fails": {&store{fail: errors.New("disk full")}, nil, 5 * time.Second},
		"where the client leaves": {&store{shut: make(chan struct{})}, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), time.Second)
		}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				if tc.ctx != nil {
					ctx, cancel = tc.ctx()
				}
				defer cancel()
				if tc.store.shut != nil {
					tc.store.shut = make(chan struct{})
				}
				l := newLog(t, tc.store, httpabac.LogConfig{})
				stop := running(l)
				start := time.Now()
				require.ErrorIs(t, l.Record(ctx, privileged), httpabac.ErrNotRecorded)
				require.Equal(t, tc.after, time.Since(start))
				require.EqualValues(t, 1, l.Stats().Refused)
				tc.store.set(nil)
				if tc.store.shut != nil {
					close(tc.store.shut)
				}
				require.NoError(t, stop())
			})
		})
	}
	t.Run("and is not written later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &store{fail: errors.New("disk full")}
			l := newLog(t, s, httpabac.LogConfig{})
			stop := running(l)
			require.NoError(t, l.Record(context.Background(), denied))
			require.Error(t, l.Record(context.Background(), privileged))
			s.set(nil)
			require.NoError(t, stop())
			require.Len(t, s.records, 1)
			require.False(t, s.records[0].Decision.Allowed)
		})
	})
}

func TestAFloodOfDeniesDoesNotStopThoseWhoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{shut: make(chan struct{})}
		l := newLog(t, s, httpabac.LogConfig{Queue: 100, Batch: 10})
		stop := running(l)
		for range 1000 {
			go func() { _ = l.Record(context.Background(), denied) }()
		}
		synctest.Wait()
		written := make(chan error, 1)
		go func() { written <- l.Record(context.Background(), privileged) }()
		synctest.Wait()
		s.shut <- struct{}{} // the batch that is under way
		s.shut <- struct{}{} // the next one
		require.NoError(t, <-written)
		close(s.shut)
		require.NoError(t, stop())
		require.Len(t, s.records, 1001)
	})
}

func TestLogTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{fail: errors.New("away")}
		var told atomic.Int32
		l := newLog(t, s, httpabac.LogConfig{Retry: time.Second, OnError: func(err error) {
			require.EqualError(t, err, "away")
			told.Add(1)
		}})
		stop := running(l)
		require.NoError(t, l.Record(context.Background(), denied))
		time.Sleep(time.Minute)
		require.EqualValues(t, 6, told.Load(), "after 0, 1, 3, 7, 15 and 31 seconds")
		s.set(nil)
		time.Sleep(time.Minute)
		require.Equal(t, 1, s.len())
		require.NoError(t, stop())
	})
}

func TestRunEnds(t *testing.T) {
	t.Run("after what is queued and who waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &store{shut: make(chan struct{})}
			l := newLog(t, s, httpabac.LogConfig{Queue: 2, Batch: 1})
			stop := running(l)
			for range 5 {
				go func() { _ = l.Record(context.Background(), denied) }()
			}
			synctest.Wait()
			go func() { time.Sleep(time.Second); close(s.shut) }()
			require.NoError(t, stop())
			require.Len(t, s.records, 5)
			require.ErrorIs(t, l.Record(context.Background(), denied), httpabac.ErrNotRecorded)
			require.ErrorIs(t, l.Record(context.Background(), privileged), httpabac.ErrNotRecorded)
			require.EqualValues(t, 2, l.Stats().Refused)
		})
	})
	t.Run("when the last one who waits gives up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &store{shut: make(chan struct{})}
			l := newLog(t, s, httpabac.LogConfig{Queue: 1, Batch: 1, MaxWait: time.Second, Drain: time.Hour})
			for range 3 {
				go func() { _ = l.Record(context.Background(), privileged) }()
			}
			synctest.Wait()
			stop := running(l)
			go func() { time.Sleep(time.Minute); close(s.shut) }()
			start := time.Now()
			require.NoError(t, stop())
			require.LessOrEqual(t, time.Since(start), time.Minute)
		})
	})
	t.Run("with an error after the time to drain, and frees who waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &store{fail: errors.New("away")}
			l := newLog(t, s, httpabac.LogConfig{Queue: 2, Batch: 1, MaxWait: time.Hour})
			stop := running(l)
			var refused atomic.Int32
			for _, rec := range []httpabac.Record{denied, denied, denied, denied, privileged} {
				go func() {
					if l.Record(context.Background(), rec) != nil {
						refused.Add(1)
					}
				}()
			}
			synctest.Wait()
			start := time.Now()
			err := stop()
			require.Equal(t, 10*time.Second, time.Since(start))
			var lost *httpabac.LostError
			require.ErrorAs(t, err, &lost)
			require.Equal(t, 5, lost.Records)
			require.ErrorIs(t, err, s.fail)
			require.EqualError(t, err, "httpabac: log: 5 records lost: away")
			synctest.Wait()
			require.EqualValues(t, 3, refused.Load(), "two denies that waited and the privileged allow")
		})
	})
	t.Run("and starts once", func(t *testing.T) {
		l := newLog(t, &store{}, httpabac.LogConfig{})
		require.NoError(t, running(l)())
		require.Error(t, l.Run(context.Background()))
	})
}

func TestNewLogRefuses(t *testing.T) {
	write := func(context.Context, []httpabac.Record) error { return nil }
	for _, cfg := range []httpabac.LogConfig{
		{}, {Write: write, Queue: -1}, {Write: write, Batch: -1}, {Write: write, MaxWait: -1}, {Write: write, Retry: -1}, {Write: write, Drain: -1},
	} {
		_, err := httpabac.NewLog(cfg)
		require.Error(t, err)
	}
}

// TestOverload sends more requests than the store can take, from many clients at once, while the store fails now and then:
// every deny and every privileged allow that was carried out is in the log exactly once.
func TestOverload(t *testing.T) {
	clients, each := 32, 60
	if os.Getenv("TOMKIT_SOAK") == "1" {
		clients, each = 256, 3000
	}
	f := newFixture(t)
	s := &store{}
	var attempts atomic.Int32
	l, err := httpabac.NewLog(httpabac.LogConfig{Queue: 16, Batch: 4, Retry: time.Microsecond, Write: func(ctx context.Context, records []httpabac.Record) error {
		if attempts.Add(1)%5 == 0 {
			return errors.New("away")
		}
		return s.write(ctx, records)
	}})
	require.NoError(t, err)
	guard, err := httpabac.New(httpabac.Config{Universe: f.universe, Record: l.Record, SampleAllows: 2, RequestID: func(ctx context.Context) string {
		id, _ := ctx.Value(idKey{}).(string)
		return id
	}})
	require.NoError(t, err)
	var carriedOut sync.Map
	mux := httpabac.NewMux(guard)
	mux.HandleFunc("POST /v1/commands", func(_ http.ResponseWriter, r *http.Request) { carriedOut.Store(r.Context().Value(idKey{}), true) },
		httpabac.Policy("commands:execute"))
	mux.HandleFunc("GET /v1/devices", func(http.ResponseWriter, *http.Request) {}, httpabac.Policy("devices:read"))
	stop := running(l)
	worker, stranger := f.subject("commands:*", "devices:*"), f.subject("audit:read")
	var wg sync.WaitGroup
	var denies, done atomic.Int32
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				method, path, sub := "POST", "/v1/commands", worker
				switch i % 3 {
				case 1:
					sub = stranger
				case 2:
					method, path = "GET", "/v1/devices"
				}
				ctx := context.WithValue(context.Background(), idKey{}, fmt.Sprintf("%d-%d", c, i))
				r := httptest.NewRequest(method, path, nil).WithContext(httpabac.WithSubject(ctx, sub))
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, r)
				switch w.Code {
				case http.StatusForbidden:
					denies.Add(1)
				case http.StatusOK:
					if method == "POST" {
						done.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, stop())
	require.EqualValues(t, clients*each/3, denies.Load())
	require.EqualValues(t, clients*each/3, done.Load())
	var deniesKept, doneKept int
	for _, rec := range s.records {
		switch {
		case !rec.Decision.Allowed:
			deniesKept++
		case rec.Privileged:
			doneKept++
			_, there := carriedOut.LoadAndDelete(rec.RequestID)
			require.Truef(t, there, "%s was recorded twice or not carried out", rec.RequestID)
		}
	}
	require.EqualValues(t, denies.Load(), deniesKept)
	require.EqualValues(t, done.Load(), doneKept)
	stats := l.Stats()
	require.Zero(t, stats.Waiting+stats.Queued)
	t.Logf("%+v", stats)
}

type idKey struct{}
