package verify

import (
	"bytes"
	"encoding/hex"
	"slices"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// mergeKeys returns the keys to judge by: the pinned history, continued by what the export adds to it. A key that only the
// export has counts for nothing until the log announces it; a first key that is not pinned never counts, and an end that
// only the export tells of needs a successor that the log announces. The result shares nothing with pinned.
func mergeKeys(pinned, own *KeyHistory) *KeyHistory {
	merged := &KeyHistory{Origin: pinned.Origin, Keys: slices.Clone(pinned.Keys)}
	if own == nil || !sameLog(pinned.Origin, own.Origin) {
		return merged
	}
	if _, _, epoch, _ := ParseOrigin(own.Origin); epoch > epochOf(pinned.Origin) {
		merged.Origin = own.Origin
	}
	for _, k := range own.Keys {
		i := slices.IndexFunc(merged.Keys, func(p Key) bool { return p.ID() == k.ID() })
		switch {
		case i < 0 && k.From > 0:
			merged.Keys = append(merged.Keys, k)
		case i >= 0:
			p := &merged.Keys[i]
			p.Compromised = p.Compromised || k.Compromised
			if p.Until == 0 && k.Until > p.From {
				p.Until = k.Until
			}
		}
	}
	return merged
}

// sameLog reports whether two origins name one log, in whatever epochs.
func sameLog(a, b string) bool {
	da, ia, _, errA := ParseOrigin(a)
	db, ib, _, errB := ParseOrigin(b)
	return errA == nil && errB == nil && da == db && ia == ib
}

// epochOf returns the epoch of an origin that was checked.
func epochOf(origin string) uint64 {
	_, _, epoch, _ := ParseOrigin(origin)
	return epoch
}

// keyState is what a verification knows of a key of its history.
type keyState struct {
	pinned  bool // the caller gave it
	ended   bool // the caller gave its end as well
	trusted bool // it counts: a first key, a pinned one, or announced by one that counts
}

// setKeys takes the keys to judge by.
func (r *run) setKeys(pinned, own *KeyHistory) {
	r.keys = own
	if pinned != nil {
		r.keys = mergeKeys(pinned, own)
	}
	r.keyUse = map[sign.KeyID]int{}
	for i := range r.keys.Keys {
		k := &r.keys.Keys[i]
		r.keyUse[k.ID()] = i
		s := keyState{pinned: pinned != nil && i < len(pinned.Keys)}
		s.ended = s.pinned && pinned.Keys[i].Until != 0
		s.trusted = s.pinned || k.From == 0
		r.keyStates = append(r.keyStates, s)
		r.report.Keys = append(r.report.Keys, KeyUse{ID: k.ID().String(), Purpose: k.Purpose, Algorithm: k.Algorithm(),
			From: k.From, Until: k.Until, Pinned: s.pinned, Compromised: k.Compromised})
	}
}

// announce takes an entry that announces keys. signed says that a key that counts vouches for it.
func (r *run) announce(v *view, seq uint64, signed bool) {
	fault := func(key, reason string) { r.add(&KeyError{Seq: seq, Key: key, Reason: reason}) }
	if reason := r.selfFault(v); reason != "" {
		fault("", "announces keys but "+reason)
		return
	}
	rotation, err := ParseRotation(v.details)
	if err != nil {
		fault("", "announces keys in details that are not in form")
		return
	}
	if !signed {
		return // which is a fault of its own, and one of each key that it would announce
	}
	for i := range rotation.Keys {
		k := &rotation.Keys[i]
		at, known := r.keyUse[k.ID()]
		switch {
		case !known || !sameKey(&r.keys.Keys[at], k):
			fault(k.ID().String(), "is announced but is not in the key history like that")
		case k.From != seq+1:
			fault(k.ID().String(), "is announced for another position than the next")
		case !r.succeeds(at):
			fault(k.ID().String(), "is announced but the key before it does not end there")
		case rotation.Reason == ReasonCompromise && !r.keyStates[at].pinned:
			fault(k.ID().String(), "follows a compromise and is not pinned: nothing in the log can vouch for it")
			r.keyStates[at].trusted = true // said once; its signatures are judged as ever
		default:
			r.keyStates[at].trusted = true
			position := seq
			r.report.Keys[at].Announced = &position
		}
	}
	for _, id := range rotation.Compromised {
		at, known := r.keyUse[id]
		if !known || r.keys.Keys[at].ValidAt(seq+1) {
			fault(id.String(), "is compromised but unknown, or stays valid")
			continue
		}
		r.report.Keys[at].Compromised = true
	}
}

// sameKey reports whether a key of the history is the announced one.
func sameKey(k, announced *Key) bool {
	return k.Purpose == announced.Purpose && k.From == announced.From && bytes.Equal(k.public(), announced.public())
}

// succeeds reports whether a key begins where the key of its purpose before it ends, and is the only one from there.
func (r *run) succeeds(at int) bool {
	k := &r.keys.Keys[at]
	first, follows := true, false
	for i := range r.keys.Keys {
		o := &r.keys.Keys[i]
		if i == at || o.Purpose != k.Purpose {
			continue
		}
		if o.ValidAt(k.From) {
			return false
		}
		first = first && o.From > k.From
		follows = follows || o.Until == k.From
	}
	return first || follows
}

// endKeys looks for keys that came or went without the log's word.
func (r *run) endKeys() {
	firsts := map[Purpose]int{}
	for i := range r.keys.Keys {
		k, s := &r.keys.Keys[i], &r.keyStates[i]
		fault := func(seq uint64, reason string) {
			if !r.found(KindKey, seq) {
				r.add(&KeyError{Seq: seq, Key: k.ID().String(), Reason: reason})
			}
		}
		if k.From == 0 {
			if firsts[k.Purpose]++; firsts[k.Purpose] == 2 {
				fault(0, "is a second first key of its purpose")
			}
		} else if k.From <= r.size && r.report.Keys[i].Announced == nil {
			switch {
			case k.From > r.start:
				if !s.pinned || !r.lost(k.From-1) {
					fault(k.From-1, "is not announced there by a key that counts")
				}
			case r.report.KeysPinned && !s.pinned:
				fault(k.From-1, "was announced before what was read: pin it, or verify from the start")
			}
		}
		if k.Until != 0 && k.Until <= r.size && k.Until > r.start && !s.ended && !r.hasSuccessor(k) {
			fault(k.Until-1, "ends there without a successor")
		}
	}
}

func (r *run) hasSuccessor(k *Key) bool {
	return slices.ContainsFunc(r.keys.Keys, func(o Key) bool { return o.Purpose == k.Purpose && o.From == k.Until })
}

// found reports whether a fault of a kind was found at a position.
func (r *run) found(kind Kind, seq uint64) bool {
	return slices.ContainsFunc(r.report.Findings, func(f Finding) bool { return f.Kind == kind && f.Located && f.First == seq })
}

// entryKey returns the position in the history of the key that may have signed entry seq under the given id.
func (r *run) entryKey(id sign.KeyID, seq uint64) (at int, ok bool) {
	at, ok = r.keyUse[id]
	if !ok {
		return 0, false
	}
	k := &r.keys.Keys[at]
	return at, k.Purpose == PurposeEntry && k.ValidAt(seq) && r.keyStates[at].trusted
}

// selfFault says why an entry in which a log speaks about itself is none, or nothing.
func (r *run) selfFault(v *view) string {
	switch {
	case v.class != Critical:
		return "is not critical"
	case string(v.entityType) != LedgerEntity || string(v.entityID) != hex.EncodeToString(r.logID[:]):
		return "is about something else"
	}
	return ""
}
