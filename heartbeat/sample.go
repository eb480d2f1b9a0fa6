package heartbeat

import (
	"fmt"
	"math"
	"time"
)

// Limits of a sample. Text is counted in bytes.
const (
	WireVersion    = 1         // value of field "v"
	MaxSampleBytes = 16 << 10  // JSON form; every valid sample fits
	MaxDisks       = 16        // file systems in one sample
	MaxMount       = 128       // path of a mount point or drive
	MaxText        = 64        // version, operating system and kernel texts
	MaxCount       = 1<<53 - 1 // bytes, counters and seconds: exact in every JSON reader (RFC 8259 section 6)
	MaxCores       = 8192      // logical processors
)

const maxYear = 9999 // RFC 3339

// Sample is what an endpoint measured about itself at one moment.
type Sample struct {
	// Version is the form of this value, [WireVersion].
	Version int `json:"v"`
	// DeviceTime is the endpoint's own clock, 1970 to 9999. It is stored and never compared with the server's.
	DeviceTime time.Time `json:"device_time"`
	// AgentVersion is the version of the agent, 1 to [MaxText] bytes.
	AgentVersion string `json:"agent_version"`
	// UptimeSeconds is the time since the endpoint started.
	UptimeSeconds uint64  `json:"uptime_seconds"`
	OS            OS      `json:"os"`
	CPU           CPU     `json:"cpu"`
	Memory        Memory  `json:"memory"`
	Disks         []Disk  `json:"disks,omitempty"` // at most MaxDisks, each mount once
	Network       Network `json:"network"`
}

// OS names the operating system. Each text has at most [MaxText] bytes; Family and Arch at least one.
type OS struct {
	Family  string `json:"family"`  // linux, windows, darwin
	Name    string `json:"name"`    // distribution or product: debian, Microsoft Windows 11 Pro
	Version string `json:"version"` // of the distribution or product
	Kernel  string `json:"kernel"`  // kernel version
	Arch    string `json:"arch"`    // amd64, arm64
}

// CPU is the processor load since the sample before.
type CPU struct {
	Percent float64 `json:"percent"` // 0 to 100, over all cores
	Cores   int     `json:"cores"`   // logical processors, 1 to MaxCores
}

// Memory is the main memory, in bytes.
type Memory struct {
	Total uint64 `json:"total"` // at least 1
	Used  uint64 `json:"used"`  // total less what programs could still get; at most Total
}

// Disk is one local file system, in bytes.
type Disk struct {
	Mount string `json:"mount"` // 1 to MaxMount bytes: /, C:
	Total uint64 `json:"total"` // at least 1: Used and what ordinary users may still write
	Used  uint64 `json:"used"`  // at most Total
}

// Network sums the endpoint's network interfaces without loopback.
type Network struct {
	RxBytes          uint64 `json:"rx_bytes"`            // received since the interfaces came up
	TxBytes          uint64 `json:"tx_bytes"`            // sent since the interfaces came up
	RxBytesPerSecond uint64 `json:"rx_bytes_per_second"` // mean since the sample before
	TxBytesPerSecond uint64 `json:"tx_bytes_per_second"` // mean since the sample before
}

// Validate reports the first field outside its limits as an [*InvalidError].
func (s Sample) Validate() error {
	if s.Version != WireVersion {
		return invalid("v", "not %d", WireVersion)
	}
	if y := s.DeviceTime.UTC().Year(); y < 1970 || y > maxYear {
		return invalid("device_time", "outside 1970 to %d", maxYear)
	}
	return firstError(
		checkText("agent_version", s.AgentVersion, 1, MaxText),
		checkCount("uptime_seconds", s.UptimeSeconds, 0),
		s.OS.validate(),
		s.CPU.validate(),
		s.Memory.validate(),
		validateDisks(s.Disks),
		s.Network.validate(),
	)
}

func (o OS) validate() error {
	return firstError(
		checkText("os.family", o.Family, 1, MaxText),
		checkText("os.name", o.Name, 0, MaxText),
		checkText("os.version", o.Version, 0, MaxText),
		checkText("os.kernel", o.Kernel, 0, MaxText),
		checkText("os.arch", o.Arch, 1, MaxText),
	)
}

func (c CPU) validate() error {
	if math.IsNaN(c.Percent) || c.Percent < 0 || c.Percent > 100 {
		return invalid("cpu.percent", "outside 0 to 100")
	}
	if c.Cores < 1 || c.Cores > MaxCores {
		return invalid("cpu.cores", "outside 1 to %d", MaxCores)
	}
	return nil
}

func (m Memory) validate() error { return checkUsage("memory.total", "memory.used", m.Total, m.Used) }

func validateDisks(disks []Disk) error {
	if len(disks) > MaxDisks {
		return invalid("disks", "more than %d", MaxDisks)
	}
	for i, d := range disks {
		if err := checkText("disks.mount", d.Mount, 1, MaxMount); err != nil {
			return err
		}
		if err := checkUsage("disks.total", "disks.used", d.Total, d.Used); err != nil {
			return err
		}
		for _, other := range disks[:i] {
			if other.Mount == d.Mount {
				return invalid("disks.mount", "named twice")
			}
		}
	}
	return nil
}

func (n Network) validate() error {
	return firstError(
		checkCount("network.rx_bytes", n.RxBytes, 0),
		checkCount("network.tx_bytes", n.TxBytes, 0),
		checkCount("network.rx_bytes_per_second", n.RxBytesPerSecond, 0),
		checkCount("network.tx_bytes_per_second", n.TxBytesPerSecond, 0),
	)
}

func checkUsage(totalField, usedField string, total, used uint64) error {
	if used > total {
		return invalid(usedField, "more than total")
	}
	return checkCount(totalField, total, 1)
}

func checkCount(field string, n, lowest uint64) error {
	if n < lowest || n > MaxCount {
		return invalid(field, fmt.Sprintf("outside %d to %d", lowest, uint64(MaxCount)))
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
