package verify_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// speaks makes entry i one in which the log speaks about itself. The chain is to be made anew.
func (k *kit) speaks(i int, action string, details map[string]any) *verify.Entry {
	e := k.entries[i]
	e.Action, e.EntityType, e.EntityID, e.Class, e.Scheme = action, verify.LedgerEntity, k.logID(), verify.Critical, verify.SchemeBound
	e.Narrative, e.Details = "Das Protokoll.", must(verify.CanonicalDetails(details))
	k.openings = slices.DeleteFunc(k.openings, func(o verify.Opening) bool { return o.Seq == uint64(i) })
	k.redactions = slices.DeleteFunc(k.redactions, func(o verify.Redaction) bool { return o.Seq == uint64(i) })
	return e
}

func (k *kit) logID() string { return strings.Split(k.origin, "/")[2] }

func newSigners(seed int64, from int) signers {
	return signers{from, must(sign.NewCompositeKey(seeded(seed))), must(sign.NewCompositeKey(seeded(seed + 1))), must(sign.NewEd25519Key(seeded(seed + 2)))}
}

func (s *signers) keys() []verify.Key {
	from := uint64(s.from)
	return []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: s.composite.Public(), From: from},
		{Purpose: verify.PurposeStock, Ed25519: s.stock.Public(), From: from},
		{Purpose: verify.PurposeEntry, Composite: s.critic.Public(), From: from},
	}
}

// rotate makes entry at the announcement of new keys for everything, and them sign from there on.
func (k *kit) rotate(at int, seed int64, reason string, edit func(*verify.Rotation)) {
	next := newSigners(seed, at+1)
	r := &verify.Rotation{Reason: reason, Keys: next.keys()}
	history := &verify.KeyHistory{Origin: k.keys.Origin, Keys: slices.Clone(k.keys.Keys)}
	for i := range history.Keys {
		if old := &history.Keys[i]; old.Until == 0 {
			old.Until = uint64(at + 1)
			if reason == verify.ReasonCompromise {
				old.Compromised = true
				r.Compromised = append(r.Compromised, old.ID())
			}
		}
	}
	history.Keys = append(history.Keys, next.keys()...)
	if edit != nil {
		edit(r)
	}
	k.speaks(at, verify.RotationAction, r.Details())
	k.chain(at)
	k.keys, k.later = history, append(k.later, next)
}

// rotated is a log of 40 entries whose keys changed at 11 and, all again, at 25.
func rotated() *kit {
	k := newKit(40)
	k.rotate(11, 100, "scheduled", nil)
	k.rotate(25, 200, "scheduled", nil)
	return k
}

func firstKeys(k *kit) *verify.KeyHistory {
	pinned := &verify.KeyHistory{Origin: k.keys.Origin, Keys: slices.Clone(k.keys.Keys[:3])}
	for i := range pinned.Keys {
		pinned.Keys[i].Until = 0
	}
	return pinned
}

func TestRotatedKeysVerify(t *testing.T) {
	k := rotated()
	files := k.parts().files()
	for name, pinned := range map[string]*verify.KeyHistory{"believed": nil, "all pinned": k.keys, "the first pinned": firstKeys(k)} {
		r := check(t, files, verify.Config{Keys: pinned, Since: k.sign(k.parts().leaves[:10]), Receipts: []*verify.Receipt{k.receipt(k.parts().leaves[:20], 3)}})
		if !r.Intact() {
			t.Fatalf("%s: %v", name, r.Err())
		}
		used := uint64(0)
		for i, key := range r.Keys {
			switch {
			case i < 3 && (key.Announced != nil || key.Until != 12), i >= 3 && i < 6 && (key.Announced == nil || *key.Announced != 11 || key.Until != 26), i >= 6 && *key.Announced != 25:
				t.Errorf("%s: key %d: %+v", name, i, key)
			case key.Pinned != (pinned == k.keys || pinned != nil && i < 3):
				t.Errorf("%s: key %d pinned: %v", name, i, key.Pinned)
			}
			if used += key.Used; key.Purpose == verify.PurposeEntry && key.Used == 0 {
				t.Errorf("%s: key %d unused", name, i)
			}
		}
		if len(r.Keys) != 9 || used != r.Critical {
			t.Errorf("%s: %d keys, %d of %d signatures", name, len(r.Keys), used, r.Critical)
		}
	}
}

// wantFault asserts a finding of a kind at a position.
func wantFault(t testing.TB, r *verify.Report, kind verify.Kind, seq uint64) {
	t.Helper()
	if !slices.ContainsFunc(r.Findings, func(f verify.Finding) bool { return f.Kind == kind && f.Exact() && f.First == seq }) || r.Intact() {
		t.Errorf("no finding %s at %d among %v", kind, seq, r.Findings)
	}
}

func TestForgedAnnouncementsCountForNothing(t *testing.T) {
	stranger := newSigners(300, 12)
	for name, c := range map[string]struct {
		edit func(k *kit, p *parts)
		kind verify.Kind
		seq  uint64
	}{
		"not critical": {func(k *kit, p *parts) { k.entries[11].Class = verify.Normal }, verify.KindKey, 11},
		"signed by a stranger": {func(k *kit, p *parts) {
			p.signatures = resign(p, 11, stranger.critic)
		}, verify.KindKey, 11},
		"signed by the new key": {func(k *kit, p *parts) { p.signatures = resign(p, 11, k.later[0].critic) }, verify.KindKey, 11},
		"signed by a key of another purpose": {func(k *kit, p *parts) {
			p.signatures = resign(p, 11, k.composite)
		}, verify.KindKey, 11},
		"not signed": {func(k *kit, p *parts) {
			p.signatures = slices.DeleteFunc(p.signatures, func(s verify.EntrySignature) bool { return s.Seq == 11 })
		}, verify.KindKey, 11},
		"about another log":   {func(k *kit, p *parts) { k.entries[11].EntityID = strings.Repeat("0", 32) }, verify.KindKey, 11},
		"about something":     {func(k *kit, p *parts) { k.entries[11].EntityType = "device" }, verify.KindKey, 11},
		"of another action":   {func(k *kit, p *parts) { k.entries[11].Action = "ledger_keys_rotate" }, verify.KindKey, 11},
		"without a reason":    {func(k *kit, p *parts) { details(k, 11, `"reason":"scheduled"`, `"reason":""`) }, verify.KindKey, 11},
		"in other letters":    {func(k *kit, p *parts) { details(k, 11, `"reason"`, `"reasoN"`) }, verify.KindKey, 11},
		"one position later":  {func(k *kit, p *parts) { details(k, 11, `"from":12`, `"from":13`) }, verify.KindKey, 11},
		"for another purpose": {func(k *kit, p *parts) { details(k, 11, `"purpose":"entry"`, `"purpose":"checkpoint"`) }, verify.KindKey, 11},
		"a key of another id": {func(k *kit, p *parts) {
			details(k, 11, `"id":"`+k.keys.Keys[5].ID().String(), `"id":"`+k.keys.Keys[8].ID().String())
		}, verify.KindKey, 11},
		"a key too few": {func(k *kit, p *parts) { rotation(k, 11, func(r *verify.Rotation) { r.Keys = r.Keys[:2] }) }, verify.KindKey, 11},
		"a key too many": {func(k *kit, p *parts) {
			rotation(k, 11, func(r *verify.Rotation) { r.Keys[0] = stranger.keys()[0] })
		}, verify.KindKey, 11},
		"a key that the history lacks": {func(k *kit, p *parts) { p.keys.Keys = slices.Delete(p.keys.Keys, 5, 6) }, verify.KindKey, 11},
		"a key valid elsewhere":        {func(k *kit, p *parts) { p.keys.Keys[5].From = 14 }, verify.KindKey, 11},
		"the key before it stays":      {func(k *kit, p *parts) { p.keys.Keys[0].Until = 0 }, verify.KindKey, 11},
		"the key before it ends early": {func(k *kit, p *parts) { p.keys.Keys[1].Until = 9 }, verify.KindKey, 8},
		"a key nobody announced": {func(k *kit, p *parts) {
			p.keys.Keys[2].Until = 5
			p.keys.Keys = append(p.keys.Keys, verify.Key{Purpose: verify.PurposeEntry, Composite: stranger.critic.Public(), From: 5, Until: 12})
		}, verify.KindKey, 4},
		"a second first key": {func(k *kit, p *parts) {
			p.keys.Keys = append(p.keys.Keys, verify.Key{Purpose: verify.PurposeEntry, Composite: stranger.critic.Public()})
		}, verify.KindKey, 0},
		"compromised but staying": {func(k *kit, p *parts) {
			rotation(k, 11, func(r *verify.Rotation) {
				r.Reason, r.Compromised = verify.ReasonCompromise, []sign.KeyID{k.later[0].critic.Public().ID()}
			})
		}, verify.KindKey, 11},
	} {
		t.Run(name, func(t *testing.T) {
			k := rotated()
			p := k.parts()
			p.keys = &verify.KeyHistory{Origin: k.origin, Keys: slices.Clone(k.keys.Keys)}
			c.edit(k, p)
			k.chain(0)
			fresh := k.parts() // signatures and hashes over what is there now
			fresh.keys = p.keys
			if len(p.signatures) != len(fresh.signatures) || !slices.EqualFunc(p.signatures, fresh.signatures, func(a, b verify.EntrySignature) bool { return a.Key == b.Key }) {
				fresh.signatures = p.signatures
			}
			for _, pinned := range []*verify.KeyHistory{nil, firstKeys(k)} {
				if name == "a second first key" && pinned != nil {
					continue // which is not pinned, so it counts for nothing
				}
				r := check(t, fresh.files(), verify.Config{Keys: pinned})
				wantFault(t, r, c.kind, c.seq)
			}
		})
	}
}

// details replaces text in the details of an entry.
func details(k *kit, at int, old, new string) {
	text := string(k.entries[at].Details)
	if !strings.Contains(text, old) {
		panic("details without " + old)
	}
	k.entries[at].Details = []byte(strings.Replace(text, old, new, 1))
}

// rotation edits what an entry announces.
func rotation(k *kit, at int, edit func(*verify.Rotation)) {
	r := must(verify.ParseRotation(k.entries[at].Details))
	edit(r)
	k.entries[at].Details = must(verify.CanonicalDetails(r.Details()))
}

// resign signs one critical entry with another key.
func resign(p *parts, at int, key *sign.CompositeKey) []verify.EntrySignature {
	out := slices.Clone(p.signatures)
	for i := range out {
		if out[i].Seq == uint64(at) {
			out[i] = verify.EntrySignature{Seq: uint64(at), Key: key.Public().ID(), Sig: must(key.Sign(sign.ContextEntry, p.entries[at]))}
		}
	}
	return out
}

// A thief who has the database but not the pinned keys writes everything anew with keys of their own, and lets the log
// announce them as it should be.
func TestAPinnedOldHistoryCatchesARewriteWithOtherKeys(t *testing.T) {
	honest := rotated()
	pinned := firstKeys(honest)
	for name, forge := range map[string]func() *kit{
		"from the start": func() *kit {
			k := newKit(40)
			own := newSigners(400, 0)
			k.composite, k.critic, k.stock = own.composite, own.critic, own.stock
			k.keys = &verify.KeyHistory{Origin: k.origin, Keys: own.keys()}
			k.rotate(11, 410, "scheduled", nil)
			return k
		},
		"with the pinned keys in front": func() *kit {
			k := newKit(40)
			k.rotate(0, 420, "scheduled", nil)
			own := k.later[0]
			k.critic = own.critic // signs its own announcement
			return k
		},
		"after a compromise": func() *kit {
			k := newKit(40)
			k.rotate(11, 430, verify.ReasonCompromise, nil)
			return k
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := forge()
			files := k.parts().files()
			r := check(t, files, verify.Config{Keys: pinned})
			if r.Intact() {
				t.Fatal("passes")
			}
			for _, f := range r.Findings {
				if f.Kind == verify.KindKey || f.Kind == verify.KindCheckpoint {
					return
				}
			}
			t.Errorf("findings %v", r.Findings)
		})
	}
}

func TestAfterACompromiseTheNewKeysMustBePinned(t *testing.T) {
	k := newKit(40)
	k.rotate(11, 500, verify.ReasonCompromise, nil)
	files := k.parts().files()
	for _, pinned := range []*verify.KeyHistory{nil, firstKeys(k)} {
		r := check(t, files, verify.Config{Keys: pinned})
		wantFirst(t, r, verify.KindKey, 11)
		if !strings.Contains(r.Err().Error(), "is not pinned") || len(r.Findings) != 3 {
			t.Errorf("findings %v", r.Findings)
		}
	}
	r := check(t, files, verify.Config{Keys: k.keys})
	if !r.Intact() {
		t.Fatal(r.Err())
	}
	for i, key := range r.Keys {
		if key.Compromised != (i < 3) {
			t.Errorf("key %d: %+v", i, key)
		}
	}
	silent := &verify.KeyHistory{Origin: k.origin, Keys: slices.Clone(k.keys.Keys)}
	for i := range silent.Keys {
		silent.Keys[i].Compromised = false // the log says so all the same
	}
	p := k.parts()
	p.keys = silent
	if r := check(t, p.files(), verify.Config{Keys: silent}); !r.Intact() || !r.Keys[0].Compromised {
		t.Errorf("%v, %+v", r.Err(), r.Keys[0])
	}
}

func TestKeysBeyondTheCheckpointAreLetBe(t *testing.T) {
	k := rotated()
	p := k.parts()
	p.entries, p.leaves, p.checkpoints = p.entries[:20], p.leaves[:20], p.checkpoints[:1]
	p.head = k.sign(p.leaves)
	p.signatures = slices.DeleteFunc(p.signatures, func(s verify.EntrySignature) bool { return s.Seq >= 20 })
	p.openings = slices.DeleteFunc(p.openings, func(o verify.Opening) bool { return o.Seq >= 20 })
	p.redactions = nil
	p.info.Openings = false
	for _, pinned := range []*verify.KeyHistory{nil, firstKeys(k), k.keys} {
		if r := check(t, p.files(), verify.Config{Keys: pinned}); !r.Intact() {
			t.Errorf("%v", r.Findings)
		}
	}
}

func TestKeysFileHasOneReading(t *testing.T) {
	good := string(must(newKit(0).keys.Marshal()))
	for name, edit := range map[string][2]string{
		"a member twice":           {`"format"`, `"format":"x","format"`},
		"a member in capitals":     {`"origin"`, `"Origin"`},
		"a key member in capitals": {`"purpose": "entry"`, `"Purpose": "entry"`},
		"a member with a long s":   {`"keys"`, "\"key\u017f\""},
		"an end of zero":           {`"from": 0`, `"from": 0, "until": 0`},
		"no beginning":             {`"from": 0`, `"until": 7`},
		"no compromise":            {`"from": 0`, `"from": 0, "compromised": false`},
		"a line break in a key":    {`"public": "`, `"public": "\n`},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if !json.Valid([]byte(bad)) || bad == good {
			t.Fatalf("%s: not the JSON meant", name)
		}
		if _, err := verify.ParseKeys([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	h := must(verify.ParseKeys([]byte(strings.Replace(good, `"from": 0`, `"from": 0, "until": 3, "compromised": true`, 1))))
	if !h.Keys[0].Compromised || h.Keys[0].Until != 3 || h.Keys[1].Compromised {
		t.Errorf("%+v", h.Keys)
	}
	if again := must(verify.ParseKeys(must(h.Marshal()))); !again.Keys[0].Compromised {
		t.Error("compromised is lost")
	}
}

func TestKeysOfAnotherLogAreAFault(t *testing.T) {
	k := small()
	other := &verify.KeyHistory{Origin: verify.FormatOrigin("audit.example", [16]byte{9}, 0), Keys: k.keys.Keys}
	files := k.parts().files()
	files["keys.json"] = &fstest.MapFile{Data: must(other.Marshal())}
	for _, pinned := range []*verify.KeyHistory{nil, k.keys} {
		if r := check(t, files, verify.Config{Keys: pinned}); r.Intact() {
			t.Error("passes")
		}
	}
	delete(files, "keys.json")
	if r := check(t, files, verify.Config{Keys: k.keys}); !r.Intact() {
		t.Errorf("pinned keys alone do not do: %v", r.Err())
	}
}
