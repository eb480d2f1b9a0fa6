package collect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/internal/wait"
)

// Config tunes a [Collector]. Only AgentVersion is required.
type Config struct {
	// AgentVersion is reported with each sample, at most heartbeat.MaxText bytes; longer ones are cut, an empty one is an error.
	AgentVersion string
	// Window is the least time over which load and rates are measured: a call of Sample that comes earlier after the one
	// before waits for the rest of it. Zero means 1s; negative is an error.
	Window time.Duration
	// Now reports the current time, for DeviceTime. Nil means time.Now. Rates use the monotonic clock.
	Now func() time.Time
}

// Collector measures this machine. It is safe for concurrent use; concurrent calls take turns.
type Collector struct {
	cfg   Config
	os    heartbeat.OS
	cores int

	turn   chan struct{} // holds one token: a lock that can be waited for with a context
	before reading
}

// reading is what rates are differences of.
type reading struct {
	at  time.Time // monotonic
	cpu cpu.TimesStat
	net map[string]traffic
}

// New returns a Collector and takes the first reading. It fails if the operating system does not answer.
func New(ctx context.Context, cfg Config) (*Collector, error) {
	cfg.AgentVersion = heartbeat.Clip(cfg.AgentVersion, heartbeat.MaxText)
	if cfg.AgentVersion == "" {
		return nil, errors.New("collect: new: no agent version")
	}
	if cfg.Window < 0 {
		return nil, errors.New("collect: new: negative window")
	}
	if cfg.Window == 0 {
		cfg.Window = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Collector{cfg: cfg, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	var err error
	if c.os, err = system(ctx); err != nil {
		return nil, err
	}
	if c.cores, err = cpu.CountsWithContext(ctx, true); err != nil {
		return nil, fmt.Errorf("collect: new: processors: %w", err)
	}
	c.cores = min(max(c.cores, 1), heartbeat.MaxCores)
	c.before, err = read(ctx)
	return c, err
}

// Sample measures once. It waits until [Config.Window] has passed since the measurement before, and returns ctx's error
// when ctx ends first.
func (c *Collector) Sample(ctx context.Context) (heartbeat.Sample, error) {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return heartbeat.Sample{}, ctx.Err()
	}
	if err := wait.For(ctx, c.cfg.Window-time.Since(c.before.at)); err != nil {
		return heartbeat.Sample{}, err
	}
	now, err := read(ctx)
	if err != nil {
		return heartbeat.Sample{}, err
	}
	s, err := c.sample(ctx, c.before, now)
	if err != nil {
		return heartbeat.Sample{}, err
	}
	c.before = now
	return s, s.Validate()
}

func (c *Collector) sample(ctx context.Context, before, now reading) (heartbeat.Sample, error) {
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return heartbeat.Sample{}, fmt.Errorf("collect: sample: memory: %w", err)
	}
	uptime, err := host.UptimeWithContext(ctx)
	if err != nil {
		return heartbeat.Sample{}, fmt.Errorf("collect: sample: uptime: %w", err)
	}
	mounts, err := disks(ctx)
	if err != nil {
		return heartbeat.Sample{}, err
	}
	return heartbeat.Sample{
		Version:       heartbeat.WireVersion,
		DeviceTime:    c.cfg.Now().UTC().Truncate(time.Microsecond),
		AgentVersion:  c.cfg.AgentVersion,
		UptimeSeconds: bounded(uptime),
		OS:            c.os,
		CPU:           heartbeat.CPU{Percent: load(before.cpu, now.cpu), Cores: c.cores},
		Memory: heartbeat.Memory{
			Total: bounded(memory.Total),
			Used:  bounded(memory.Total - min(memory.Available, memory.Total)),
		},
		Disks:   mounts,
		Network: network(before, now),
	}, nil
}

func read(ctx context.Context) (reading, error) {
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return reading{}, fmt.Errorf("collect: read: processor times: %w", err)
	}
	if len(times) != 1 {
		return reading{}, errors.New("collect: read: no processor times")
	}
	counters, err := interfaces(ctx)
	return reading{at: time.Now(), cpu: times[0], net: counters}, err
}

// load is the busy share of the processor time between two readings, in percent with two decimals.
func load(before, now cpu.TimesStat) float64 {
	idle := (now.Idle + now.Iowait) - (before.Idle + before.Iowait)
	// Guest time is part of User and Nice on Linux, so it is not added again.
	total := spent(now) - spent(before)
	if !(total > 0) { // also NaN
		return 0
	}
	percent := 100 * (1 - idle/total)
	return math.Round(100*min(max(percent, 0), 100)) / 100
}

func spent(t cpu.TimesStat) float64 {
	return t.User + t.System + t.Nice + t.Idle + t.Iowait + t.Irq + t.Softirq + t.Steal
}

func bounded(n uint64) uint64 { return min(n, heartbeat.MaxCount) }
