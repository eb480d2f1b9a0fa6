package verify_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestEntrySignaturesAreChecked(t *testing.T) {
	k := small() // critical: 3, 10, 17, 24, 31, 38
	other := must(sign.NewCompositeKey(seeded(51)))
	for name, c := range map[string]struct {
		edit func(p *parts)
		seq  uint64
	}{
		"stripped":         {func(p *parts) { p.signatures = slices.Delete(p.signatures, 2, 3) }, 17},
		"all stripped":     {func(p *parts) { p.signatures = nil }, 3},
		"of another entry": {func(p *parts) { p.signatures[1].Sig = p.signatures[2].Sig }, 10},
		"half flipped, ML-DSA": {func(p *parts) {
			p.signatures[1].Sig = slices.Clone(p.signatures[1].Sig)
			p.signatures[1].Sig[7] ^= 1
		}, 10},
		"half flipped, Ed25519": {func(p *parts) {
			p.signatures[1].Sig = slices.Clone(p.signatures[1].Sig)
			p.signatures[1].Sig[3372] ^= 1
		}, 10},
		"under another context":  {func(p *parts) { p.signatures[0].Sig = must(k.critic.Sign(sign.ContextCheckpoint, p.entries[3])) }, 3},
		"under an unknown key":   {func(p *parts) { p.signatures[0].Key = other.Public().ID() }, 3},
		"under a checkpoint key": {func(p *parts) { p.signatures[0].Key = k.composite.Public().ID() }, 3},
		"by a foreign key":       {func(p *parts) { p.signatures[0].Sig = must(other.Sign(sign.ContextEntry, p.entries[3])) }, 3},
		"on an ordinary entry": {func(p *parts) {
			p.signatures = slices.Insert(p.signatures, 1, verify.EntrySignature{Seq: 5, Key: k.critic.Public().ID(),
				Sig: must(k.critic.Sign(sign.ContextEntry, p.entries[5]))})
		}, 5},
		"beyond the log": {func(p *parts) {
			s := p.signatures[0]
			s.Seq = 40
			p.signatures = append(p.signatures, s)
		}, 40},
	} {
		t.Run(name, func(t *testing.T) {
			p := k.parts()
			c.edit(p)
			wantFirst(t, check(t, p.files(), verify.Config{Keys: k.keys}), verify.KindSignature, c.seq)
		})
	}
}

func TestSideFilesMustAscend(t *testing.T) {
	k := small()
	for name, edit := range map[string]func(p *parts){
		"signatures swapped":  func(p *parts) { p.signatures[1], p.signatures[2] = p.signatures[2], p.signatures[1] },
		"signature twice":     func(p *parts) { p.signatures = append(p.signatures, p.signatures[5]) },
		"openings swapped":    func(p *parts) { p.openings[1], p.openings[2] = p.openings[2], p.openings[1] },
		"opening twice":       func(p *parts) { p.openings = slices.Insert(p.openings, 1, p.openings[0]) },
		"redactions swapped":  func(p *parts) { slices.Reverse(p.redactions) },
		"redaction twice":     func(p *parts) { p.redactions = append(p.redactions, p.redactions[1]) },
		"opening of a gap":    func(p *parts) { p.openings = append(p.openings, verify.Opening{Seq: 39}) },
		"opening of no entry": func(p *parts) { p.openings = append(p.openings, verify.Opening{Seq: 40}) },
	} {
		t.Run(name, func(t *testing.T) {
			p := k.parts()
			edit(p)
			if r := check(t, p.files(), verify.Config{}); r.Intact() {
				t.Error("intact")
			}
		})
	}
}

func TestPersonalValuesAreRedactedOrMissingOrWrong(t *testing.T) {
	k := small() // personal: 2, 7, …; erased by entry 30: 2 and 12
	first := k.openings[0].Seq
	for name, c := range map[string]struct {
		edit func(p *parts)
		kind verify.Kind
		seq  uint64
	}{
		"opening missing": {func(p *parts) { p.openings = p.openings[1:] }, verify.KindMissing, first},
		"value changed":   {func(p *parts) { p.openings[0].Value += "!" }, verify.KindOpening, first},
		"salt changed":    {func(p *parts) { p.openings[0].Salt[0] ^= 1 }, verify.KindOpening, first},
		"opening moved to an entry without": {func(p *parts) {
			o := p.openings[0]
			o.Seq++
			p.openings = slices.Insert(p.openings, 1, o)
		}, verify.KindOpening, first + 1},
		"redaction left out": {func(p *parts) { p.redactions = p.redactions[1:] }, verify.KindMissing, 2},
		"redaction forged for a kept entry": {func(p *parts) {
			o := p.openings[0]
			p.openings = p.openings[1:]
			p.redactions = slices.Insert(p.redactions, 1, verify.Redaction{Seq: o.Seq, Commitment: o.Commitment, Entry: 30})
		}, verify.KindRedaction, 30},
		"redaction by an ordinary entry": {func(p *parts) { p.redactions[1].Entry = 31 }, verify.KindRedaction, 30},
		"redaction by an earlier entry":  {func(p *parts) { p.redactions[1].Entry = 11 }, verify.KindRedaction, 12},
		"redaction by the entry itself":  {func(p *parts) { p.redactions[1].Entry = 12 }, verify.KindRedaction, 12},
		"redaction of what is not there": {func(p *parts) { p.redactions[0].Commitment[0] ^= 1 }, verify.KindRedaction, 2},
		"erased but still there": {func(p *parts) {
			p.redactions = append(p.redactions, verify.Redaction{Seq: p.openings[1].Seq, Commitment: p.openings[1].Commitment, Entry: 30})
		}, verify.KindRedaction, k.openings[1].Seq},
	} {
		t.Run(name, func(t *testing.T) {
			p := k.parts()
			c.edit(p)
			wantFirst(t, check(t, p.files(), verify.Config{Keys: k.keys}), c.kind, c.seq)
		})
	}
}

func TestWithheldOpeningsAreNoFault(t *testing.T) {
	k := small()
	p := k.parts()
	p.openings, p.info.Openings = nil, false
	r := check(t, p.files(), verify.Config{})
	if !r.Intact() || r.Withheld != uint64(len(k.openings)) || r.Redacted != 2 || r.OpeningsIncluded {
		t.Errorf("%v, report %+v", r.Err(), r)
	}
}

func TestCommitmentsAreFoundWhereTheyCount(t *testing.T) {
	a, b := verify.Commitment([32]byte{1}, "a"), verify.Commitment([32]byte{2}, "b")
	details := must(verify.CanonicalDetails(map[string]any{
		"x": []any{map[string]any{"c": fmt.Sprintf("%x", a)}},
		"y": map[string]any{"c": "short"},
		"z": map[string]any{"c": fmt.Sprintf("%x", a), "d": true},
		"s": fmt.Sprintf(`{"c":"%x"}`, b),
	}))
	e := &verify.Entry{Details: details, Narrative: fmt.Sprintf("{c:%x} {c:%X} {c:%x", a, b, b), Scheme: verify.SchemeBound}
	if got := e.Commitments(); len(got) != 1 || got[0] != a {
		t.Errorf("%x", got)
	}
	e.Narrative = fmt.Sprintf("{c:{c:%x}}", b)
	if got := e.Commitments(); len(got) != 2 {
		t.Errorf("%x", got)
	}
	e.Scheme = verify.SchemePlain
	if got := e.Commitments(); len(got) != 0 {
		t.Errorf("imported entries hold no commitments: %x", got)
	}
}
