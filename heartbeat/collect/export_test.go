package collect

import (
	"time"

	"github.com/shirou/gopsutil/v4/cpu"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

// Load opens load to the tests.
func Load(before, now cpu.TimesStat) float64 { return load(before, now) }

// Choose opens choose to the tests.
func Choose(all []heartbeat.Disk) []heartbeat.Disk { return choose(all) }

// Network opens network to the tests: counters are {rx, tx} per interface.
func Network(before, now map[string][2]uint64, d time.Duration) heartbeat.Network {
	at := time.Now()
	return network(reading{at: at, net: counters(before)}, reading{at: at.Add(d), net: counters(now)})
}

func counters(in map[string][2]uint64) map[string]traffic {
	out := map[string]traffic{}
	for name, t := range in {
		out[name] = traffic{rx: t[0], tx: t[1]}
	}
	return out
}
