// Package survey looks at a log while it is verified and keeps what a report shows of it, in memory that does not grow with the log:
// how the entries lie in time, what the log says about itself, its newest critical entries, and whether its narratives are what their
// arguments give.
package survey

import (
	"slices"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

const (
	// MaxCritical is the number of critical entries kept, the newest.
	MaxCritical = 20
	// MaxEvents is the number of events kept, the first and the last half of them.
	MaxEvents = 128
)

// Survey gathers. The zero value is ready; give its Entry method to verify.Config.Entry.
type Survey struct {
	// Timeline is how the entries lie in time.
	Timeline Timeline
	// Narratives counts how the narratives compare with what their arguments give.
	Narratives narrative.Summary
	// Redactions counts entries that erase personal values.
	Redactions uint64

	critical []*verify.Entry // a ring
	next     int
	events   []Event
}

// Event is an entry in which the log speaks about itself.
type Event struct {
	Seq    uint64
	At     time.Time
	Action string // verify.RotationAction, verify.RecoveryAction or verify.ClosingAction
}

// Entry looks at an entry.
func (s *Survey) Entry(e verify.EntryView) {
	s.Timeline.add(e.Seq(), e.CreatedAt().UnixMicro(), e.Critical())
	sentence := e.Sentence()
	s.Narratives.Add(&sentence)
	if e.HasAction(verify.RedactionAction) {
		s.Redactions++
	}
	if e.Critical() {
		s.keep(e)
	}
}

func (s *Survey) keep(e verify.EntryView) {
	for _, action := range []string{verify.RotationAction, verify.RecoveryAction, verify.ClosingAction} {
		if e.HasAction(action) {
			if len(s.events) == MaxEvents {
				s.events = slices.Delete(s.events, MaxEvents/2, MaxEvents/2+1)
			}
			s.events = append(s.events, Event{e.Seq(), e.CreatedAt(), action})
		}
	}
	if len(s.critical) < MaxCritical {
		s.critical = append(s.critical, e.Copy())
		return
	}
	s.critical[s.next] = e.Copy()
	s.next = (s.next + 1) % MaxCritical
}

// Critical returns the newest critical entries, the newest first.
func (s *Survey) Critical() []*verify.Entry {
	list := slices.Concat(s.critical[s.next:], s.critical[:s.next])
	slices.Reverse(list)
	return list
}

// Events returns what the log says about itself, in order.
func (s *Survey) Events() []Event { return s.events }
