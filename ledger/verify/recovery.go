package verify

import (
	"fmt"
	"time"
)

// maxGaps bounds the recoveries of a log.
const maxGaps = 1024

// prefix of the actions in which a log speaks about itself.
const selfPrefix = "ledger_"

// gap is a loss that the log declares, in force for whatever was signed in an epoch before its own.
type gap struct {
	Recovery
	entry uint64
}

// speak takes an entry in which the log may speak about itself. signed says that a key that counts vouches for it.
func (r *run) speak(v *view, seq uint64, signed bool) {
	if r.closed && !r.reopened {
		r.reopened = true
		r.add(&ClosedError{Seq: seq, Reason: "follows the entry that closed the log"})
	}
	if v.scheme != SchemeBound || len(v.action) < len(selfPrefix) || string(v.action[:len(selfPrefix)]) != selfPrefix {
		return
	}
	switch string(v.action) {
	case RotationAction:
		r.announce(v, seq, signed)
	case RecoveryAction:
		r.recover(v, seq, signed)
	case ClosingAction:
		r.conclude(v, seq)
	}
}

// recover takes the first entry of a new epoch.
func (r *run) recover(v *view, seq uint64, signed bool) {
	fault := func(reason string) { r.add(&GapError{Seq: seq, Reason: reason}) }
	if reason := r.selfFault(v); reason != "" {
		fault("declares a gap but " + reason)
		return
	}
	recovery, err := ParseRecovery(v.details)
	switch {
	case err != nil:
		fault("declares a gap in details that are not in form")
	case recovery.LostFrom != seq:
		fault("declares a gap that begins elsewhere")
	case recovery.Epoch <= r.epoch() || recovery.Epoch > epochOf(r.head.Origin):
		fault("declares a gap but begins an epoch that is not between the last one and the checkpoint's")
	case len(r.gaps) == maxGaps:
		fault("declares one gap too many")
	case signed: // else that is the fault
		r.gaps = append(r.gaps, gap{*recovery, seq})
		r.report.Gaps = append(r.report.Gaps, Gap{
			Epoch: recovery.Epoch, From: seq, Until: recovery.LostUntil, Entry: seq, At: time.UnixMicro(v.micros).UTC(),
			Approvers: []string{uuidText(recovery.Approvers[0]), uuidText(recovery.Approvers[1])},
		})
	}
}

// epoch returns the epoch that the last recovery began, as far as one was read.
func (r *run) epoch() uint64 {
	if len(r.gaps) == 0 {
		return 0
	}
	return r.gaps[len(r.gaps)-1].Epoch
}

// gapAfter returns the recovery that ended an epoch, or nil if none was read. Entries from its position on are not those
// that were signed in that epoch.
func (r *run) gapAfter(epoch uint64) *gap {
	for i := range r.gaps {
		if r.gaps[i].Epoch > epoch {
			return &r.gaps[i]
		}
	}
	return nil
}

// lost reports whether a position lies in a declared gap.
func (r *run) lost(seq uint64) bool {
	for i := range r.gaps {
		if seq >= r.gaps[i].LostFrom && seq < r.gaps[i].LostUntil {
			return true
		}
	}
	return false
}

// judgeLost judges a checkpoint that covers entries which were lost.
func (r *run) judgeLost(a *anchor, g *gap) {
	switch {
	case a.size > g.LostUntil:
		r.add(&GapError{Seq: g.LostUntil, Reason: fmt.Sprintf("%s says there were %d entries, the gap that entry %d declares ends before", a.name, a.size, g.entry)})
	case a.size == g.LostUntil && a.epoch+1 == g.Epoch && g.WitnessedRoot != nil && *g.WitnessedRoot != a.root:
		r.add(&GapError{Seq: g.entry, Reason: "declares another witnessed root than " + a.name + " has"})
	}
}

// endEpochs checks that the checkpoint's epoch is the one that the log's recoveries lead to.
func (r *run) endEpochs() {
	if r.headless || r.stopped {
		return
	}
	have := epochOf(r.head.Origin)
	fits := have == r.epoch()
	if len(r.gaps) == 0 {
		fits = have <= firstEpoch
		if r.start > 0 {
			fits = have == r.fromEpoch
		}
	}
	if !fits {
		r.add(&CheckpointError{File: fileCheckpoint, Err: malformed("epoch", "is not the one that the log's last recovery began")})
	}
}

// firstEpoch is the highest number that the epoch of a log without recoveries may have.
const firstEpoch = 1

// conclude takes the entry that closes the log.
func (r *run) conclude(v *view, seq uint64) {
	reason := r.selfFault(v)
	if reason == "" {
		if c, err := ParseClosing(v.details); err != nil || c.Size != seq+1 {
			reason = "does not give the final size"
		}
	}
	if reason != "" {
		r.add(&ClosedError{Seq: seq, Reason: "closes the log but " + reason})
	}
	if !r.closed {
		r.closed = true
		at := time.UnixMicro(v.micros).UTC()
		r.report.Closed = &at
	}
}
