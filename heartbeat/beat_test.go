package heartbeat_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func validSample() heartbeat.Sample {
	return heartbeat.Sample{
		Version:       heartbeat.WireVersion,
		DeviceTime:    noon,
		AgentVersion:  "1.4.0",
		UptimeSeconds: 86_400,
		OS:            heartbeat.OS{Family: "linux", Name: "debian", Version: "12", Kernel: "6.1.0-13-amd64", Arch: "amd64"},
		CPU:           heartbeat.CPU{Percent: 7.5, Cores: 2},
		Memory:        heartbeat.Memory{Total: 8 << 30, Used: 3 << 30},
		Disks:         []heartbeat.Disk{{Mount: "/", Total: 100 << 30, Used: 52 << 30}, {Mount: "/srv", Total: 1 << 40, Used: 0}},
		Network:       heartbeat.Network{RxBytes: 1 << 33, TxBytes: 1 << 31, RxBytesPerSecond: 1825, TxBytesPerSecond: 587},
	}
}

func validBeat() heartbeat.Beat {
	return heartbeat.Beat{Tenant: uuid.New(), Device: uuid.New(), ReceivedAt: noon, Sample: validSample()}
}

func TestBeatValidate(t *testing.T) {
	require.NoError(t, validBeat().Validate())
	cases := map[string]struct {
		change func(*heartbeat.Beat)
		field  string
	}{
		"a beat without a tenant is refused":         {func(b *heartbeat.Beat) { b.Tenant = uuid.Nil }, "tenant"},
		"a beat without a device is refused":         {func(b *heartbeat.Beat) { b.Device = uuid.Nil }, "device"},
		"a beat without a receive time is refused":   {func(b *heartbeat.Beat) { b.ReceivedAt = time.Time{} }, "received_at"},
		"a receive time beyond RFC 3339 is refused":  {func(b *heartbeat.Beat) { b.ReceivedAt = noon.AddDate(9000, 0, 0) }, "received_at"},
		"an unknown version is refused":              {func(b *heartbeat.Beat) { b.Sample.Version = 2 }, "v"},
		"a device clock before 1970 is refused":      {func(b *heartbeat.Beat) { b.Sample.DeviceTime = time.Time{} }, "device_time"},
		"a missing agent version is refused":         {func(b *heartbeat.Beat) { b.Sample.AgentVersion = "" }, "agent_version"},
		"an overlong agent version is refused":       {func(b *heartbeat.Beat) { b.Sample.AgentVersion = strings.Repeat("1", 65) }, "agent_version"},
		"a NUL byte is refused":                      {func(b *heartbeat.Beat) { b.Sample.OS.Name = "a\x00b" }, "os.name"},
		"an escape sequence is refused":              {func(b *heartbeat.Beat) { b.Sample.OS.Kernel = "\x1b[2J" }, "os.kernel"},
		"a bidirectional override is refused":        {func(b *heartbeat.Beat) { b.Sample.OS.Version = "a\u202eb" }, "os.version"},
		"a zero-width space is refused":              {func(b *heartbeat.Beat) { b.Sample.OS.Version = "a\u200bb" }, "os.version"},
		"invalid UTF-8 is refused":                   {func(b *heartbeat.Beat) { b.Sample.OS.Family = "\xff" }, "os.family"},
		"CPU that is not a number is refused":        {func(b *heartbeat.Beat) { b.Sample.CPU.Percent = math.NaN() }, "cpu.percent"},
		"infinite CPU is refused":                    {func(b *heartbeat.Beat) { b.Sample.CPU.Percent = math.Inf(1) }, "cpu.percent"},
		"negative CPU is refused":                    {func(b *heartbeat.Beat) { b.Sample.CPU.Percent = -0.01 }, "cpu.percent"},
		"CPU above 100 is refused":                   {func(b *heartbeat.Beat) { b.Sample.CPU.Percent = 100.01 }, "cpu.percent"},
		"no cores are refused":                       {func(b *heartbeat.Beat) { b.Sample.CPU.Cores = 0 }, "cpu.cores"},
		"more memory used than there is is refused":  {func(b *heartbeat.Beat) { b.Sample.Memory.Used = 9 << 30 }, "memory.used"},
		"no memory is refused":                       {func(b *heartbeat.Beat) { b.Sample.Memory = heartbeat.Memory{} }, "memory.total"},
		"a full disk beyond its size is refused":     {func(b *heartbeat.Beat) { b.Sample.Disks[0].Used = 1 << 50 }, "disks.used"},
		"a mount named twice is refused":             {func(b *heartbeat.Beat) { b.Sample.Disks[1].Mount = "/" }, "disks.mount"},
		"a disk without a mount is refused":          {func(b *heartbeat.Beat) { b.Sample.Disks[1].Mount = "" }, "disks.mount"},
		"seventeen disks are refused":                {func(b *heartbeat.Beat) { b.Sample.Disks = manyDisks(17) }, "disks"},
		"a counter no JSON reader holds is refused":  {func(b *heartbeat.Beat) { b.Sample.Network.RxBytes = 1 << 53 }, "network.rx_bytes"},
		"an uptime no JSON reader holds is refused":  {func(b *heartbeat.Beat) { b.Sample.UptimeSeconds = math.MaxUint64 }, "uptime_seconds"},
		"a rate beyond what JSON holds is refused":   {func(b *heartbeat.Beat) { b.Sample.Network.TxBytesPerSecond = 1 << 60 }, "network.tx_bytes_per_second"},
		"a disk size beyond what JSON holds refused": {func(b *heartbeat.Beat) { b.Sample.Disks[0].Total = 1 << 60 }, "disks.total"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := validBeat()
			tc.change(&b)
			err := b.Validate()
			require.ErrorIs(t, err, heartbeat.ErrInvalid)
			var e *heartbeat.InvalidError
			require.ErrorAs(t, err, &e)
			require.Equal(t, tc.field, e.Field)
		})
	}
}

func manyDisks(n int) []heartbeat.Disk {
	disks := make([]heartbeat.Disk, n)
	for i := range disks {
		disks[i] = heartbeat.Disk{Mount: fmt.Sprintf("/mnt/%d", i), Total: 1}
	}
	return disks
}

func TestLargestValidSampleFitsTheWire(t *testing.T) {
	worst := func(n int) string { return strings.Repeat("<", n) } // JSON writes < as \u003c
	s := validSample()
	s.AgentVersion, s.UptimeSeconds = worst(heartbeat.MaxText), heartbeat.MaxCount
	s.OS = heartbeat.OS{Family: worst(64), Name: worst(64), Version: worst(64), Kernel: worst(64), Arch: worst(64)}
	s.Disks = manyDisks(heartbeat.MaxDisks)
	for i := range s.Disks {
		s.Disks[i].Mount = worst(heartbeat.MaxMount-1) + string(rune('a'+i))
		s.Disks[i].Total, s.Disks[i].Used = heartbeat.MaxCount, heartbeat.MaxCount
	}
	b, err := s.Encode()
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), heartbeat.MaxSampleBytes)
	got, err := heartbeat.ParseSample(b)
	require.NoError(t, err)
	require.Equal(t, s, got)
}

func TestClip(t *testing.T) {
	t.Run("whatever comes in, what goes out is valid text", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
			s := validSample()
			s.OS.Name = heartbeat.Clip(in, heartbeat.MaxText)
			require.NoError(t, s.Validate())
		})
	})
	t.Run("text within the limit is kept", func(t *testing.T) {
		require.Equal(t, "Größe 5 μs", heartbeat.Clip(" Größe\t\x00 5 μs\n", 20))
	})
	t.Run("a character is not cut in half", func(t *testing.T) {
		require.Equal(t, "a", heartbeat.Clip("aß", 2))
	})
}

func TestOnline(t *testing.T) {
	cases := map[string]struct {
		window heartbeat.Window
		age    time.Duration
		want   bool
	}{
		"seen now is online": {0, 0, true},
		"seen a microsecond less than five minutes ago is":  {0, 5*time.Minute - time.Microsecond, true},
		"seen exactly five minutes ago is offline":          {0, 5 * time.Minute, false},
		"seen longer ago is offline":                        {0, time.Hour, false},
		"seen by a server whose clock is ahead is online":   {0, -time.Second, true},
		"a narrower window counts":                          {heartbeat.Window(time.Minute), time.Minute, false},
		"a wider window counts":                             {heartbeat.Window(time.Hour), 59 * time.Minute, true},
		"with a negative window nothing seen now is online": {-1, 0, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, tc.window.Online(noon.Add(-tc.age), noon))
		})
	}
	t.Run("a device never seen is offline", func(t *testing.T) {
		require.False(t, heartbeat.Online(time.Time{}, noon))
		require.False(t, heartbeat.Online(time.Time{}, time.Time{}))
	})
	t.Run("the default window is five minutes", func(t *testing.T) {
		require.True(t, heartbeat.Online(noon, noon.Add(5*time.Minute-1)))
		require.False(t, heartbeat.Online(noon, noon.Add(5*time.Minute)))
	})
}
