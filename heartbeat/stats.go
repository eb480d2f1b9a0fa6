package heartbeat

import (
	"sync/atomic"
	"time"
)

// Stats is a snapshot of a [Committer]'s counters since it was made.
type Stats struct {
	Flushes     uint64 // calls of the sink that succeeded
	Failures    uint64 // calls of the sink that failed
	Stored      uint64 // beats written
	Superseded  uint64 // beats older than what was stored
	Merged      uint64 // beats replaced by a newer one of the same device within a batch
	DeadLetters uint64 // beats of unknown devices and beats the storage refused
	Unwritten   uint64 // beats the sink left for later
	Overloaded  uint64 // beats refused because the queue was full or the Committer stopped

	QueueLength   int // beats waiting now
	QueueCapacity int // beats that may wait
	// Lag is the time from Accept to the answer for the first beat of the last flush.
	Lag time.Duration
	// LastFlush is when the sink last succeeded, in UTC; zero before the first time.
	LastFlush time.Time
}

type counters struct {
	flushes, failures, stored, superseded, merged, deadLetters, unwritten, overloaded atomic.Uint64
	lag, lastFlush                                                                    atomic.Int64 // nanoseconds; Unix microseconds
}

// flushed counts one call of the sink.
func (c *counters) flushed(outcomes []Outcome, err error, merged int, now time.Time, lag time.Duration) {
	c.lag.Store(int64(lag))
	if err != nil {
		c.failures.Add(1)
		return
	}
	var n [Refused + 1]uint64
	for _, o := range outcomes {
		if o > Refused {
			o = Unwritten
		}
		n[o]++
	}
	c.flushes.Add(1)
	c.merged.Add(uint64(merged))
	c.stored.Add(n[Stored])
	c.superseded.Add(n[Superseded])
	c.deadLetters.Add(n[UnknownDevice] + n[Refused])
	c.unwritten.Add(n[Unwritten])
	c.lastFlush.Store(now.UnixMicro())
}

// Stats returns the counters. Values read while beats arrive may belong to slightly different moments.
func (c *Committer) Stats() Stats {
	s := Stats{
		Flushes:       c.stats.flushes.Load(),
		Failures:      c.stats.failures.Load(),
		Stored:        c.stats.stored.Load(),
		Superseded:    c.stats.superseded.Load(),
		Merged:        c.stats.merged.Load(),
		DeadLetters:   c.stats.deadLetters.Load(),
		Unwritten:     c.stats.unwritten.Load(),
		Overloaded:    c.stats.overloaded.Load(),
		QueueLength:   len(c.queue),
		QueueCapacity: cap(c.queue),
		Lag:           time.Duration(c.stats.lag.Load()),
	}
	if at := c.stats.lastFlush.Load(); at != 0 {
		s.LastFlush = time.UnixMicro(at).UTC()
	}
	return s
}
