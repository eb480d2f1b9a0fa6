package collect_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/collect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCollector(t testing.TB) *collect.Collector {
	c, err := collect.New(t.Context(), collect.Config{AgentVersion: "test", Window: 100 * time.Millisecond})
	require.NoError(t, err)
	return c
}

func TestSampleOfThisMachine(t *testing.T) {
	c := newCollector(t)
	start := time.Now()
	first, err := c.Sample(t.Context())
	require.NoError(t, err)
	require.NoError(t, first.Validate())
	require.Equal(t, runtime.GOOS, first.OS.Family)
	require.Equal(t, runtime.GOARCH, first.OS.Arch)
	require.Equal(t, "test", first.AgentVersion)
	require.WithinDuration(t, start, first.DeviceTime, time.Minute)
	require.Positive(t, first.CPU.Cores)
	require.Positive(t, first.Memory.Used)
	require.NotEmpty(t, first.Disks, "something is mounted")
	require.Positive(t, first.UptimeSeconds)

	second, err := c.Sample(t.Context())
	require.NoError(t, err)
	require.Equal(t, first.Memory.Total, second.Memory.Total)
	require.GreaterOrEqual(t, second.UptimeSeconds, first.UptimeSeconds)
	require.GreaterOrEqual(t, second.Network.RxBytes, first.Network.RxBytes)
	require.GreaterOrEqual(t, second.Network.TxBytes, first.Network.TxBytes)
	require.False(t, second.DeviceTime.Before(first.DeviceTime))
}

func TestSampleShowsNoPersonalData(t *testing.T) {
	s, err := newCollector(t).Sample(t.Context())
	require.NoError(t, err)
	b, err := s.Encode()
	require.NoError(t, err)
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		ip, _, err := net.ParseCIDR(a.String())
		require.NoError(t, err)
		require.NotContains(t, string(b), `"`+ip.String()+`"`)
	}
	host, err := os.Hostname()
	require.NoError(t, err)
	if host != s.OS.Name && host != s.OS.Family {
		require.NotContains(t, string(b), `"`+host+`"`)
	}
}

func TestSampleHonoursItsContext(t *testing.T) {
	t.Run("while waiting for the window", func(t *testing.T) {
		c, err := collect.New(t.Context(), collect.Config{AgentVersion: "test", Window: time.Hour})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err = c.Sample(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("while somebody else measures", func(t *testing.T) {
		c, err := collect.New(t.Context(), collect.Config{AgentVersion: "test", Window: time.Hour})
		require.NoError(t, err)
		long, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.Sample(long) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err = c.Sample(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		stop()
		wg.Wait()
	})
}

func TestConcurrentSamples(t *testing.T) {
	c, err := collect.New(t.Context(), collect.Config{AgentVersion: "test", Window: time.Millisecond})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.Sample(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestNewRefuses(t *testing.T) {
	_, err := collect.New(t.Context(), collect.Config{AgentVersion: "\x00 "})
	require.Error(t, err)
	_, err = collect.New(t.Context(), collect.Config{AgentVersion: "1", Window: -1})
	require.Error(t, err)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = collect.New(gone, collect.Config{AgentVersion: "1"})
	require.Error(t, err)
}

func TestLoad(t *testing.T) {
	cases := map[string]struct {
		before, now cpu.TimesStat
		want        float64
	}{
		"half busy is fifty percent":        {cpu.TimesStat{}, cpu.TimesStat{User: 30, System: 20, Idle: 50}, 50},
		"waiting for disks is not busy":     {cpu.TimesStat{}, cpu.TimesStat{Iowait: 75, Steal: 25}, 25},
		"guest time is not counted twice":   {cpu.TimesStat{}, cpu.TimesStat{User: 50, Guest: 50, Idle: 50}, 50},
		"no time passed is no load":         {cpu.TimesStat{User: 5}, cpu.TimesStat{User: 5}, 0},
		"counters that go back are no load": {cpu.TimesStat{User: 5, Idle: 9}, cpu.TimesStat{User: 1, Idle: 1}, 0},
		"idle that goes back is full load":  {cpu.TimesStat{Idle: 9}, cpu.TimesStat{User: 50, Idle: 8}, 100},
		"not a number is no load":           {cpu.TimesStat{}, cpu.TimesStat{User: math.NaN()}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, collect.Load(tc.before, tc.now)) })
	}
	t.Run("load is always a percentage", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			draw := func() cpu.TimesStat {
				f := rapid.Float64()
				return cpu.TimesStat{User: f.Draw(t, "user"), Idle: f.Draw(t, "idle"), Iowait: f.Draw(t, "wait"), Steal: f.Draw(t, "steal")}
			}
			got := collect.Load(draw(), draw())
			require.True(t, got >= 0 && got <= 100, got)
		})
	})
}

func TestNetworkRates(t *testing.T) {
	before := map[string][2]uint64{"eth0": {1000, 500}, "eth1": {900, 900}, "gone": {5, 5}}
	t.Run("the mean over the time between", func(t *testing.T) {
		got := collect.Network(before, map[string][2]uint64{"eth0": {3000, 700}, "eth1": {900, 900}}, 2*time.Second)
		require.Equal(t, heartbeat.Network{RxBytes: 3900, TxBytes: 1600, RxBytesPerSecond: 1000, TxBytesPerSecond: 100}, got)
	})
	t.Run("a counter that started again makes no rate", func(t *testing.T) {
		got := collect.Network(before, map[string][2]uint64{"eth0": {10, 10}}, time.Second)
		require.Equal(t, heartbeat.Network{RxBytes: 10, TxBytes: 10}, got)
	})
	t.Run("a new interface makes no rate", func(t *testing.T) {
		got := collect.Network(before, map[string][2]uint64{"wlan0": {1 << 40, 1 << 40}}, time.Second)
		require.Zero(t, got.RxBytesPerSecond)
	})
	t.Run("no time between makes no rate", func(t *testing.T) {
		got := collect.Network(before, map[string][2]uint64{"eth0": {3000, 700}}, 0)
		require.Zero(t, got.RxBytesPerSecond)
	})
	t.Run("counters beyond JSON stay in range", func(t *testing.T) {
		huge := map[string][2]uint64{"a": {math.MaxUint64, math.MaxUint64}, "b": {math.MaxUint64, 1}}
		got := collect.Network(map[string][2]uint64{"a": {}, "b": {}}, huge, time.Nanosecond)
		require.EqualValues(t, uint64(heartbeat.MaxCount), got.RxBytes)
		require.LessOrEqual(t, got.RxBytesPerSecond, uint64(heartbeat.MaxCount))
	})
}

func TestChooseDisks(t *testing.T) {
	var all []heartbeat.Disk
	for i := range 40 {
		all = append(all, heartbeat.Disk{Mount: fmt.Sprintf("/m%02d", i%30), Total: uint64(1 + i)})
	}
	got := collect.Choose(all)
	require.Len(t, got, heartbeat.MaxDisks)
	for i, d := range got {
		require.GreaterOrEqual(t, d.Total, uint64(15), "the largest stay")
		if i > 0 {
			require.Less(t, got[i-1].Mount, d.Mount, "ordered, each once")
		}
	}
}

func TestMachineID(t *testing.T) {
	first, err := collect.MachineID(t.Context())
	require.NoError(t, err)
	require.Len(t, first, 64)
	again, err := collect.MachineID(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, again)
	if raw, err := os.ReadFile("/etc/machine-id"); err == nil {
		require.NotContains(t, first, strings.TrimSpace(string(raw)), "the id itself is not disclosed")
	}
}

func BenchmarkSample(b *testing.B) {
	c, err := collect.New(b.Context(), collect.Config{AgentVersion: "test", Window: time.Nanosecond})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Sample(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
