package collect

import (
	"context"
	"fmt"
	"net"

	psnet "github.com/shirou/gopsutil/v4/net"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

// traffic is what one interface has received and sent, in bytes.
type traffic struct{ rx, tx uint64 }

// interfaces returns the counters of the interfaces that count: the physical ones, or where there is none (a container)
// all but loopback.
func interfaces(ctx context.Context) (map[string]traffic, error) {
	counters, err := psnet.IOCountersWithContext(ctx, true)
	if err != nil {
		return nil, fmt.Errorf("collect: read: network counters: %w", err)
	}
	loopback := map[string]bool{}
	if known, err := net.Interfaces(); err == nil {
		for _, i := range known {
			loopback[i.Name] = i.Flags&net.FlagLoopback != 0
		}
	}
	all, hardware := map[string]traffic{}, map[string]traffic{}
	for _, c := range counters {
		if loopback[c.Name] {
			continue
		}
		t := traffic{rx: c.BytesRecv, tx: c.BytesSent}
		all[c.Name] = t
		if physical(c.Name) {
			hardware[c.Name] = t
		}
	}
	if len(hardware) > 0 {
		return hardware, nil
	}
	return all, nil
}

// network sums the counters and the rates. An interface that is new, or whose counters started again, adds nothing to
// the rates this time.
func network(before, now reading) heartbeat.Network {
	var n heartbeat.Network
	var rx, tx uint64
	for name, t := range now.net {
		n.RxBytes, n.TxBytes = bounded(n.RxBytes+bounded(t.rx)), bounded(n.TxBytes+bounded(t.tx))
		old, known := before.net[name]
		if known && t.rx >= old.rx && t.tx >= old.tx {
			rx, tx = rx+t.rx-old.rx, tx+t.tx-old.tx
		}
	}
	if seconds := now.at.Sub(before.at).Seconds(); seconds > 0 {
		n.RxBytesPerSecond, n.TxBytesPerSecond = rate(rx, seconds), rate(tx, seconds)
	}
	return n
}

func rate(bytes uint64, seconds float64) uint64 {
	perSecond := float64(bytes) / seconds
	if perSecond >= heartbeat.MaxCount {
		return heartbeat.MaxCount
	}
	return uint64(perSecond)
}
