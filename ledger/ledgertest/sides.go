package ledgertest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing/fstest"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// edited is the honest export with its lists changed.
func (m *matrix) edited(edit func(x *export)) func() fstest.MapFS {
	return func() fstest.MapFS {
		x := m.base.copy()
		edit(x)
		return x.files()
	}
}

// redactions forges erasures: of values that nobody erased, by entries that erase nothing or something else.
func (m *matrix) redactions() {
	n := len(m.h.entries)
	erasing := uint64(erasureAt(n))
	for i, o := range m.h.openings {
		drop := func(x *export) { x.openings = slices.Delete(x.openings, i, i+1) }
		m.add("forge redaction", int(o.Seq), Exact, m.edited(drop), "value of %d gone without a trace", o.Seq)
		for _, by := range []uint64{0, o.Seq, o.Seq + 1, erasing, uint64(n - 1), uint64(n), 1 << 40} {
			if by == erasing && by <= o.Seq {
				continue
			}
			at := o.Seq // an earlier entry cannot erase a later one
			if by > o.Seq {
				at = by
			}
			rule := Exact
			if by >= uint64(n) {
				rule = Broken // the entry that is said to erase is not there
			}
			m.add("forge redaction", int(at), rule, m.edited(func(x *export) {
				drop(x)
				x.redactions = sorted(append(x.redactions, verify.Redaction{Seq: o.Seq, Commitment: o.Commitment, Entry: by}))
			}), "value of %d said to be erased by %d", o.Seq, by)
		}
		m.add("forge redaction", int(o.Seq), Broken, m.edited(func(x *export) {
			x.redactions = sorted(append(x.redactions, verify.Redaction{Seq: o.Seq, Commitment: o.Commitment, Entry: erasing}))
		}), "value of %d still there and said to be erased", o.Seq)
		// A redaction entry of the forger's own, with everything after it made anew but not signed.
		m.add("forge redaction", n-1, Covered, func() fstest.MapFS {
			h := m.h.fork()
			e := verify.NewErasure()
			e.Add(o.Seq, o.Commitment)
			count, digest := e.Sum()
			h.entries[n-1].Action = verify.RedactionAction
			h.entries[n-1].Class = verify.Normal
			h.entries[n-1].Details = must(verify.CanonicalDetails(map[string]any{verify.ErasedCount: int64(count), verify.ErasedDigest: fmt.Sprintf("%x", digest)}))
			h.chain(n - 1)
			x := m.base.copy()
			x.take(h, n-1)
			drop(x)
			x.redactions = sorted(append(x.redactions, verify.Redaction{Seq: o.Seq, Commitment: o.Commitment, Entry: uint64(n - 1)}))
			return x.files()
		}, "value of %d by an entry put in the last one's place", o.Seq)
	}
	for i, r := range m.h.redacted {
		drop := func(x *export) { x.redactions = slices.Delete(x.redactions, i, i+1) }
		m.add("forge redaction", int(r.Seq), Exact, m.edited(drop), "the erasure of %d forgotten", r.Seq)
		m.add("forge redaction", int(r.Seq), Exact, m.edited(func(x *export) {
			drop(x)
			salt := sha256.Sum256([]byte("forged"))
			x.openings = sortedOpenings(append(x.openings, verify.Opening{Seq: r.Seq, Commitment: r.Commitment, Salt: salt, Value: "Max Mustermann"}))
		}), "another value in place of the erased one of %d", r.Seq)
		m.add("forge redaction", int(r.Seq), Exact, m.edited(func(x *export) { x.redactions[i].Commitment[5] ^= 1 }), "of another commitment at %d", r.Seq)
		m.add("forge redaction", int(r.Seq)+1, Broken, m.edited(func(x *export) { x.redactions[i].Seq++; x.redactions = sorted(x.redactions) }), "of %d moved on", r.Seq)
		m.add("forge redaction", int(r.Entry), Broken, m.edited(func(x *export) { x.redactions[i].Entry++ }), "of %d by the next entry", r.Seq)
	}
}

func sorted(list []verify.Redaction) []verify.Redaction {
	slices.SortFunc(list, func(a, b verify.Redaction) int {
		if a.Seq != b.Seq {
			return int(a.Seq) - int(b.Seq)
		}
		return bytes.Compare(a.Commitment[:], b.Commitment[:])
	})
	return list
}

func sortedOpenings(list []verify.Opening) []verify.Opening {
	slices.SortFunc(list, func(a, b verify.Opening) int {
		if a.Seq != b.Seq {
			return int(a.Seq) - int(b.Seq)
		}
		return bytes.Compare(a.Commitment[:], b.Commitment[:])
	})
	return list
}

// sides changes the fields of openings and signatures, and their lines.
func (m *matrix) sides() {
	for i, o := range m.h.openings {
		for name, edit := range map[string]func(*verify.Opening){
			"value":      func(o *verify.Opening) { o.Value += "!" },
			"no value":   func(o *verify.Opening) { o.Value = "" },
			"salt":       func(o *verify.Opening) { o.Salt[31] ^= 1 },
			"commitment": func(o *verify.Opening) { o.Commitment[0] ^= 1 },
		} {
			m.add("flip", int(o.Seq), Exact, m.edited(func(x *export) { edit(&x.openings[i]) }), "opening of %d: %s", o.Seq, name)
		}
		m.add("flip", int(o.Seq), Exact, m.edited(func(x *export) { x.openings[i].Seq++ }), "opening of %d moved on", o.Seq)
		if i+1 < len(m.h.openings) {
			m.add("swap", int(o.Seq), Exact, m.edited(func(x *export) {
				a, b := &x.openings[i], &x.openings[i+1]
				a.Value, b.Value = b.Value, a.Value
			}), "values of %d and the next", o.Seq)
			m.add("reorder", int(o.Seq), Broken, m.edited(func(x *export) { x.openings[i], x.openings[i+1] = x.openings[i+1], x.openings[i] }), "openings of %d and the next", o.Seq)
		}
		m.add("duplicate", int(o.Seq), Broken, m.edited(func(x *export) { x.openings = slices.Insert(x.openings, i, o) }), "opening of %d", o.Seq)
	}
	stranger := newSigners(5000, 0)
	for i, s := range m.base.signatures {
		at := int(s.Seq)
		for _, bit := range []int{0, 100, 3308, 3309, 3340, 3372} {
			m.add("flip", at, Exact, m.edited(func(x *export) {
				x.signatures[i].Sig = slices.Clone(s.Sig)
				x.signatures[i].Sig[bit] ^= 1
			}), "signature of %d, byte %d", at, bit)
		}
		m.add("flip", at, Exact, m.edited(func(x *export) { x.signatures[i].Key[0] ^= 1 }), "signature of %d under an unknown key", at)
		m.add("flip", at, Exact, m.edited(func(x *export) {
			x.signatures[i].Key = m.h.signers[0].critic.Public().ID()
			if at < m.h.signers[1].from {
				x.signatures[i].Key = m.h.signers[1].critic.Public().ID()
			}
		}), "signature of %d under the key of another time", at)
		m.add("insert", at, Exact, m.edited(func(x *export) {
			x.signatures[i] = verify.EntrySignature{Seq: s.Seq, Key: stranger.critic.Public().ID(), Sig: must(stranger.critic.Sign(sign.ContextEntry, x.raw[at]))}
		}), "signature of %d by a stranger", at)
		m.add("insert", at, Exact, m.edited(func(x *export) {
			x.signatures[i].Sig = must(m.h.at(at).critic.Sign(sign.ContextAgentPayload, x.raw[at]))
		}), "signature of %d under another context", at)
		m.add("insert", at+1, Broken, m.edited(func(x *export) { // it now belongs to an entry that has none, or one of its own
			x.signatures[i].Seq++
		}), "signature of %d at the next entry", at)
		m.add("delete", at, Exact, m.edited(func(x *export) { x.signatures = slices.Delete(x.signatures, i, i+1) }), "signature of %d", at)
		m.add("duplicate", at, Broken, m.edited(func(x *export) { x.signatures = slices.Insert(x.signatures, i, s) }), "signature of %d", at)
		if i+1 < len(m.base.signatures) {
			m.add("swap", at, Exact, m.edited(func(x *export) {
				x.signatures[i].Sig, x.signatures[i+1].Sig = x.signatures[i+1].Sig, x.signatures[i].Sig
			}), "signatures of %d and the next", at)
		}
	}
}
