package pgsink_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
	"github.com/pioneerdesk/tomkit/rls"
)

func TestAcceptAndRead(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	device := f.devices(t, tenant, 1)[0]
	s := f.running(t, pgsink.Config{})

	sent := beat(tenant, device, noon.Add(123456789*time.Nanosecond))
	require.NoError(t, s.Accept(t.Context(), sent))

	list, err := pgsink.Current(t.Context(), f.scopes.Tenant(tenant), pgsink.Page{})
	require.NoError(t, err)
	want := pgsink.Status{Tenant: tenant, Device: device, ReceivedAt: sent.ReceivedAt.Truncate(time.Microsecond), Sample: sent.Sample}
	want.Sample.DeviceTime = want.Sample.DeviceTime.Truncate(time.Microsecond)
	require.Equal(t, []pgsink.Status{want}, list)
	require.True(t, list[0].Online(0, sent.ReceivedAt.Add(4*time.Minute)))
	require.False(t, list[0].Online(0, list[0].ReceivedAt.Add(5*time.Minute)))

	one, err := pgsink.Device(t.Context(), f.scopes.Tenant(tenant), device)
	require.NoError(t, err)
	require.Equal(t, want, one)

	stats := s.Stats()
	require.EqualValues(t, 1, stats.Stored)
	require.EqualValues(t, 1, stats.Flushes)
}

func TestAnOlderBeatNeverReplacesANewer(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	s := f.sink(t, pgsink.Config{})

	t.Run("older and equal ones are superseded", func(t *testing.T) {
		device := f.devices(t, tenant, 1)[0]
		for _, step := range []struct {
			at   time.Duration
			want heartbeat.Outcome
		}{
			{0, heartbeat.Stored},
			{-time.Microsecond, heartbeat.Superseded},
			{-time.Hour, heartbeat.Superseded},
			{0, heartbeat.Superseded},
			{time.Microsecond, heartbeat.Stored},
			{0, heartbeat.Superseded},
		} {
			out, err := s.Write(t.Context(), []heartbeat.Beat{beat(tenant, device, noon.Add(step.at))})
			require.NoError(t, err)
			require.Equal(t, []heartbeat.Outcome{step.want}, out)
		}
		require.Equal(t, noon.Add(time.Microsecond), f.lastSeen(t, device))
	})
	t.Run("whatever the order and the grouping", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			device := f.devices(t, tenant, 1)[0]
			offsets := rapid.SliceOfN(rapid.IntRange(-1000, 1000), 1, 8).Draw(rt, "offsets")
			newest := offsets[0]
			for _, o := range offsets {
				newest = max(newest, o)
				_, err := s.Write(context.Background(), []heartbeat.Beat{beat(tenant, device, noon.Add(time.Duration(o)*time.Millisecond))})
				require.NoError(rt, err)
			}
			require.Equal(rt, noon.Add(time.Duration(newest)*time.Millisecond), f.lastSeen(t, device))
		})
	})
	t.Run("also when writers race", func(t *testing.T) {
		ids := f.devices(t, tenant, 50)
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(w), 1))
				for range 20 {
					batch := make([]heartbeat.Beat, 0, len(ids))
					for _, i := range r.Perm(len(ids)) { // unsorted: the sink sorts
						batch = append(batch, beat(tenant, ids[i], noon.Add(time.Duration(r.IntN(1000))*time.Second)))
					}
					batch[0].ReceivedAt = noon.Add(2000 * time.Second)
					if _, err := s.Write(context.Background(), batch); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var seen sync.Map
		stop := make(chan struct{})
		var watch sync.WaitGroup
		watch.Go(func() {
			for {
				list, err := pgsink.Current(context.Background(), f.scopes.Tenant(tenant), pgsink.Page{})
				if err != nil {
					t.Error(err)
					return
				}
				for _, st := range list {
					if before, ok := seen.Swap(st.Device, st.ReceivedAt); ok && st.ReceivedAt.Before(before.(time.Time)) {
						t.Error("last_seen went back")
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		wg.Wait()
		close(stop)
		watch.Wait()
	})
}

func TestDuplicatesInOneBatch(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	device := f.devices(t, tenant, 1)[0]

	t.Run("concurrent callers of one device are merged, the newest stays", func(t *testing.T) {
		s := f.running(t, pgsink.Config{Commit: heartbeat.CommitConfig{InFlight: 1}})
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if err := s.Accept(context.Background(), beat(tenant, device, noon.Add(time.Duration(i)*time.Second))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, noon.Add(99*time.Second), f.lastSeen(t, device))
		stats := s.Stats()
		require.EqualValues(t, 100, stats.Stored+stats.Superseded+stats.Merged)
	})
	t.Run("a batch that names a device twice is an error, not a guess", func(t *testing.T) {
		s := f.sink(t, pgsink.Config{})
		b := beat(tenant, device, noon)
		_, err := s.Write(t.Context(), []heartbeat.Beat{b, beat(tenant, uuid.New(), noon), b})
		require.Error(t, err)
	})
	t.Run("the same device id in two tenants is two devices", func(t *testing.T) {
		other := f.Tenant(t, "lab")
		_, err := f.super.Exec(t.Context(), `INSERT INTO tomkit.devices VALUES ($1, $2)`, other, device)
		require.NoError(t, err)
		s := f.sink(t, pgsink.Config{})
		out, err := s.Write(t.Context(), []heartbeat.Beat{beat(tenant, device, noon.Add(time.Hour)), beat(other, device, noon)})
		require.NoError(t, err)
		require.Equal(t, only(2, heartbeat.Stored), out)
	})
}

func TestHistoryKeepsOneSamplePerInterval(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	device := f.devices(t, tenant, 1)[0]
	s := f.sink(t, pgsink.Config{})
	for i := range 16 { // 15 minutes and 1 s, one beat a minute
		_, err := s.Write(t.Context(), []heartbeat.Beat{beat(tenant, device, noon.Add(time.Duration(i)*time.Minute+time.Second))})
		require.NoError(t, err)
	}
	q := f.scopes.Tenant(tenant)
	got, err := pgsink.History(t.Context(), q, device, noon, noon.Add(time.Hour), 0)
	require.NoError(t, err)
	var at []time.Duration
	for _, st := range got {
		at = append(at, st.ReceivedAt.Sub(noon))
	}
	require.Equal(t, []time.Duration{time.Second, 5*time.Minute + time.Second, 10*time.Minute + time.Second, 15*time.Minute + time.Second}, at)

	t.Run("it is read in pages", func(t *testing.T) {
		page, err := pgsink.History(t.Context(), q, device, got[0].ReceivedAt, noon.Add(time.Hour), 2)
		require.NoError(t, err)
		require.Equal(t, got[1:3], page)
	})
	t.Run("an older beat leaves it as it is", func(t *testing.T) {
		_, err := s.Write(t.Context(), []heartbeat.Beat{beat(tenant, device, noon.Add(-time.Hour))})
		require.NoError(t, err)
		require.Equal(t, 4, f.count(t, `SELECT count(*) FROM tomkit.heartbeat_history`))
	})
	t.Run("a shorter interval keeps more", func(t *testing.T) {
		s := f.sink(t, pgsink.Config{HistoryInterval: time.Second})
		for i := range 3 {
			_, err := s.Write(t.Context(), []heartbeat.Beat{beat(tenant, device, noon.Add(time.Hour+time.Duration(i)*time.Second))})
			require.NoError(t, err)
		}
		require.Equal(t, 7, f.count(t, `SELECT count(*) FROM tomkit.heartbeat_history`))
	})
}

func TestAServerClockAheadDoesNotKeepADeviceOnline(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	device := f.devices(t, tenant, 1)[0]
	s := f.sink(t, pgsink.Config{})
	out, err := s.Write(t.Context(), []heartbeat.Beat{beat(tenant, device, time.Now().AddDate(10, 0, 0))})
	require.NoError(t, err)
	require.Equal(t, only(1, heartbeat.Stored), out)
	require.Zero(t, f.count(t, `SELECT count(*) FROM tomkit.heartbeats WHERE last_seen > clock_timestamp() + interval '1 minute'`))
}

func TestConcurrentCallersAreGrouped(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	ids := f.devices(t, tenant, 64)
	s := f.running(t, pgsink.Config{})
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			for i := range 20 {
				at := noon.Add(time.Duration(i) * time.Second)
				if err := s.Accept(context.Background(), beat(tenant, id, at)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, noon.Add(19*time.Second), f.lastSeen(t, id))
	}
	stats := s.Stats()
	require.EqualValues(t, 64*20, stats.Stored)
	require.Less(t, stats.Flushes, stats.Stored, "at least some shared a transaction")
}

func TestFlushesAreAccountedAsSystemWork(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	var mu sync.Mutex
	var uses []rls.SystemUse
	scopes := f.OpenConfig(t, rls.Config{Account: func(_ context.Context, u rls.SystemUse) {
		mu.Lock()
		defer mu.Unlock()
		uses = append(uses, u)
	}})
	s, err := pgsink.New(scopes, pgsink.Config{})
	require.NoError(t, err)
	_, err = s.Write(t.Context(), []heartbeat.Beat{beat(tenant, f.devices(t, tenant, 1)[0], noon)})
	require.NoError(t, err)
	require.Len(t, uses, 1)
	require.Equal(t, pgsink.Reason, uses[0].Reason)
	require.NoError(t, uses[0].Err)
}

func TestNewRefuses(t *testing.T) {
	f := newFixture(t)
	_, err := pgsink.New(nil, pgsink.Config{})
	require.Error(t, err)
	for i, cfg := range []pgsink.Config{
		{HistoryInterval: -1}, {HistoryInterval: time.Millisecond}, {LockWait: -1}, {LockWait: time.Microsecond},
		{Commit: heartbeat.CommitConfig{Queue: -1}},
	} {
		t.Run(fmt.Sprint("config ", i), func(t *testing.T) {
			_, err := pgsink.New(f.scopes, cfg)
			require.Error(t, err)
		})
	}
}
