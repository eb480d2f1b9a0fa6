package verify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

const (
	restoredAt = 20 // entries that were restored
	witnessed  = 33 // entries that something outside remembers
)

// lostLog is the log before it was lost: 40 entries in epoch 0.
func lostLog() *kit { return small() }

// recoveredLog is the log after it: 20 entries restored, the next one declares the gap, epoch 1.
func recoveredLog(edit func(*verify.Recovery)) *kit {
	k := newKit(40)
	root := root(lostLog().parts().leaves[:witnessed])
	r := &verify.Recovery{Epoch: 1, LostFrom: restoredAt, LostUntil: witnessed, WitnessedRoot: &root, Approvers: [2][16]byte{{1}, {2}}}
	if edit != nil {
		edit(r)
	}
	k.speaks(restoredAt, verify.RecoveryAction, r.Details())
	k.chain(restoredAt)
	k.origin = verify.FormatOrigin("audit.example", [16]byte{0xab, 0xcd}, 1)
	k.keys = &verify.KeyHistory{Origin: k.origin, Keys: k.keys.Keys}
	return k
}

// recoveredParts is its export with checkpoints of both epochs.
func recoveredParts(k *kit, lostSizes ...int) *parts {
	p, lost := k.parts(), lostLog().parts()
	p.info.Origin, p.checkpoints = k.origin, nil
	for _, size := range lostSizes {
		p.checkpoints = append(p.checkpoints, lostLog().sign(lost.leaves[:size]))
	}
	return p
}

func TestADeclaredGapIsNoFaultAndIsShown(t *testing.T) {
	k := recoveredLog(nil)
	lost := lostLog()
	leaves := lost.parts().leaves
	files := recoveredParts(k, 5, 20, 21, 28, 33).files()
	for name, pinned := range map[string]*verify.KeyHistory{"believed": nil, "pinned": k.keys, "pinned before": lost.keys} {
		r := check(t, files, verify.Config{Keys: pinned, Since: lost.sign(leaves[:30]), Receipts: []*verify.Receipt{
			lost.receipt(leaves[:20], 7), lost.receipt(leaves[:30], 7), lost.receipt(leaves[:33], 20), lost.receipt(leaves[:33], 31), k.receipt(k.parts().leaves, 31), k.receipt(k.parts().leaves, 3),
		}})
		if !r.Intact() {
			t.Fatalf("%s: %v", name, r.Findings)
		}
		if len(r.Gaps) != 1 || r.Checkpoints != 2 || r.Receipts != 4 || r.LostReceipts != 2 {
			t.Errorf("%s: %d gaps, %d checkpoints, %d receipts, %d lost", name, len(r.Gaps), r.Checkpoints, r.Receipts, r.LostReceipts)
		}
		if g := r.Gaps[0]; g.Epoch != 1 || g.From != 20 || g.Until != 33 || g.Entry != 20 || !g.At.Equal(k.entries[20].CreatedAt) || g.Approvers[1] != "02000000-0000-0000-0000-000000000000" {
			t.Errorf("gap %+v", g)
		}
	}
	r := check(t, lost.parts().files(), verify.Config{Keys: k.keys})
	if !r.Intact() || len(r.Gaps) != 0 {
		t.Errorf("the export of the old epoch: %v", r.Findings)
	}
}

func TestAGapHidesNothingThatAnAnchorSawDifferently(t *testing.T) {
	lost := lostLog()
	leaves := lost.parts().leaves
	forged := newKit(40)
	forged.entries[8].EntityID = "forged"
	forged.chain(8)
	for name, c := range map[string]struct {
		edit     func(*verify.Recovery)
		sizes    []int
		since    []byte
		receipts []*verify.Receipt
		kind     verify.Kind
	}{
		"a checkpoint beyond the gap":         {nil, []int{34}, nil, nil, verify.KindGap},
		"an earlier checkpoint beyond it":     {nil, nil, lost.sign(leaves[:40]), nil, verify.KindGap},
		"a receipt beyond it":                 {nil, nil, nil, []*verify.Receipt{lost.receipt(leaves[:36], 35)}, verify.KindGap},
		"a receipt from beyond, kept entry":   {nil, nil, nil, []*verify.Receipt{lost.receipt(leaves[:36], 2)}, verify.KindGap},
		"another witnessed root":              {func(r *verify.Recovery) { r.WitnessedRoot = &[32]byte{1} }, []int{33}, nil, nil, verify.KindGap},
		"the kept part seen differently":      {nil, nil, forged.sign(forged.parts().leaves[:19]), nil, verify.KindRoot},
		"the kept part seen differently, end": {nil, nil, forged.sign(forged.parts().leaves[:20]), nil, verify.KindRoot},
		"a receipt of a kept entry":           {nil, nil, nil, []*verify.Receipt{forged.receipt(forged.parts().leaves[:20], 8)}, verify.KindReceipt},
	} {
		t.Run(name, func(t *testing.T) {
			k := recoveredLog(c.edit)
			r := check(t, recoveredParts(k, c.sizes...).files(), verify.Config{Since: c.since, Receipts: c.receipts})
			if r.Intact() || !slices.ContainsFunc(r.Findings, func(f verify.Finding) bool { return f.Kind == c.kind }) {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
	k := recoveredLog(func(r *verify.Recovery) { r.WitnessedRoot = nil })
	if r := check(t, recoveredParts(k, 33).files(), verify.Config{}); !r.Intact() {
		t.Errorf("only the size is remembered: %v", r.Findings)
	}
}

func TestARecoveryMustBeDeclared(t *testing.T) {
	second := func(epoch uint64) func(k *kit, p *parts) {
		return func(k *kit, p *parts) {
			r := &verify.Recovery{Epoch: epoch, LostFrom: 30, LostUntil: 31, Approvers: [2][16]byte{{1}, {2}}}
			k.speaks(30, verify.RecoveryAction, r.Details())
		}
	}
	for name, c := range map[string]struct {
		edit func(k *kit, p *parts)
		kind verify.Kind
	}{
		"not critical":           {func(k *kit, p *parts) { k.entries[20].Class = verify.Normal }, verify.KindGap},
		"about another log":      {func(k *kit, p *parts) { k.entries[20].EntityID = "x" }, verify.KindGap},
		"about a device":         {func(k *kit, p *parts) { k.entries[20].EntityType = "device" }, verify.KindGap},
		"begins elsewhere":       {func(k *kit, p *parts) { details(k, 20, `"lost_from":20`, `"lost_from":19`) }, verify.KindGap},
		"loses nothing":          {func(k *kit, p *parts) { details(k, 20, `"lost_until":33`, `"lost_until":20`) }, verify.KindGap},
		"one approver twice":     {func(k *kit, p *parts) { details(k, 20, `02000000-`, `01000000-`) }, verify.KindGap},
		"an approver is no id":   {func(k *kit, p *parts) { details(k, 20, `02000000-`, `02000000_`) }, verify.KindGap},
		"a short root":           {func(k *kit, p *parts) { details(k, 20, `"witnessed_root":"`, `"witnessed_root":"0`) }, verify.KindGap},
		"an epoch too high":      {func(k *kit, p *parts) { details(k, 20, `"epoch":1`, `"epoch":2`) }, verify.KindGap},
		"an epoch of before":     {func(k *kit, p *parts) { details(k, 20, `"epoch":1`, `"epoch":0`) }, verify.KindGap},
		"an epoch twice":         {second(1), verify.KindGap},
		"an epoch of the future": {second(2), verify.KindGap},
		"signed by a stranger": {func(k *kit, p *parts) {
			p.signatures = resign(p, 20, must(sign.NewCompositeKey(seeded(77))))
		}, verify.KindRoot}, // no gap is declared, so the older checkpoint must fit
	} {
		t.Run(name, func(t *testing.T) {
			k := recoveredLog(nil)
			p := recoveredParts(k, 28)
			c.edit(k, p)
			k.chain(0)
			fresh := recoveredParts(k, 28)
			if c.kind == verify.KindRoot {
				fresh.signatures = p.signatures
			}
			r := check(t, fresh.files(), verify.Config{})
			if r.Intact() || !slices.ContainsFunc(r.Findings, func(f verify.Finding) bool { return f.Kind == c.kind }) {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}

func TestAnEpochNobodyDeclaredIsAFault(t *testing.T) {
	at := func(epoch uint64) *kit {
		k := newKit(12)
		k.origin = verify.FormatOrigin("audit.example", [16]byte{0xab, 0xcd}, epoch)
		k.keys = &verify.KeyHistory{Origin: k.origin, Keys: k.keys.Keys}
		return k
	}
	for epoch, intact := range []bool{true, true, false, false} {
		p := at(uint64(epoch)).parts()
		p.info.Origin = verify.FormatOrigin("audit.example", [16]byte{0xab, 0xcd}, uint64(epoch))
		if r := check(t, p.files(), verify.Config{}); r.Intact() != intact {
			t.Errorf("epoch %d: %v", epoch, r.Findings)
		}
	}
	newer := at(1)
	p := at(0).parts()
	if r := check(t, p.files(), verify.Config{Keys: newer.keys, Since: newer.sign(p.leaves[:5])}); r.Intact() {
		t.Error("a checkpoint of a later epoch than the export's passes")
	}
}

func closedLog(at int, edit func(e *verify.Entry)) *kit {
	k := newKit(40)
	e := k.speaks(at, verify.ClosingAction, (&verify.Closing{Size: uint64(at) + 1}).Details())
	if edit != nil {
		edit(e)
	}
	k.chain(at)
	return k
}

func TestAClosedLogEnds(t *testing.T) {
	k := closedLog(39, nil)
	r := check(t, k.parts().files(), verify.Config{})
	if !r.Intact() || r.Closed == nil || !r.Closed.Equal(k.entries[39].CreatedAt) {
		t.Fatalf("%v, closed %v", r.Findings, r.Closed)
	}
	if r := check(t, small().parts().files(), verify.Config{}); r.Closed != nil {
		t.Error("an open log is closed")
	}
	r = check(t, closedLog(35, nil).parts().files(), verify.Config{})
	wantFirst(t, r, verify.KindClosed, 36)
	if len(r.Findings) != 1 {
		t.Errorf("findings %v", r.Findings)
	}
	for name, edit := range map[string]func(e *verify.Entry){
		"of another size": func(e *verify.Entry) { e.Details = []byte(`{"size":39}`) },
		"of no size":      func(e *verify.Entry) { e.Details = []byte(`{"Size":40}`) },
		"not critical":    func(e *verify.Entry) { e.Class = verify.Normal },
		"of another log":  func(e *verify.Entry) { e.EntityID = strings.Repeat("0", 32) },
	} {
		t.Run(name, func(t *testing.T) {
			wantFirst(t, check(t, closedLog(39, edit).parts().files(), verify.Config{}), verify.KindClosed, 39)
		})
	}
}
