//go:build ignore

package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// generation is a set of keys that signs from a position on.
type generation struct {
	from              int
	composite, critic *sign.CompositeKey
	stock             *sign.Ed25519Key
}

func newGeneration(seed int64, from int) generation {
	seeded := func(seed int64) io.Reader { return rand.New(rand.NewSource(seed)) }
	return generation{from, must(sign.NewCompositeKey(seeded(seed))), must(sign.NewCompositeKey(seeded(seed + 1))), must(sign.NewEd25519Key(seeded(seed + 2)))}
}

func (g *generation) keys() []verify.Key {
	from := uint64(g.from)
	return []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: g.composite.Public(), From: from}, {Purpose: verify.PurposeStock, Ed25519: g.stock.Public(), From: from},
		{Purpose: verify.PurposeEntry, Composite: g.critic.Public(), From: from},
	}
}

// story is a log with what it says about itself.
type story struct {
	*log
	later []generation
	older [][]byte                   // signed checkpoints
	signs map[int]*sign.CompositeKey // instead of the key valid there
	extra map[string][]byte          // further files
}

func newStory(n int) *story {
	return &story{log: newLog(n), signs: map[int]*sign.CompositeKey{}, extra: map[string][]byte{}}
}

func (s *story) at(position int) generation {
	g := generation{0, s.composite, s.critic, s.stock}
	for _, l := range s.later {
		if position >= l.from {
			g = l
		}
	}
	return g
}

// speak makes entry i one in which the log speaks about itself.
func (s *story) speak(i int, action string, details map[string]any) *verify.Entry {
	e := &s.entries[i]
	e.Action, e.EntityType, e.EntityID, e.Class = action, verify.LedgerEntity, strings.Split(s.origin, "/")[2], verify.Critical
	e.Narrative, e.Details = "Das Protokoll.", must(verify.CanonicalDetails(details))
	s.chain(i)
	return e
}

// edit changes the details of entry i.
func (s *story) edit(i int, old, new string) {
	text := string(s.entries[i].Details)
	if !strings.Contains(text, old) {
		panic(text + old)
	}
	s.entries[i].Details = []byte(strings.Replace(text, old, new, 1))
	s.chain(i)
}

func (s *story) rotate(at int, seed int64, reason string) {
	next := newGeneration(seed, at+1)
	r := &verify.Rotation{Reason: reason, Keys: next.keys()}
	history := &verify.KeyHistory{Origin: s.origin, Keys: slices.Clone(s.keys.Keys)}
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
	s.keys, s.later = history, append(s.later, next)
	s.speak(at, verify.RotationAction, r.Details())
}

// checkpoint signs the first entries.
func (s *story) checkpoint(size int) []byte {
	g := s.at(size)
	return must(verify.SignCheckpoint(verify.Checkpoint{Origin: s.origin, Size: uint64(size), Root: root(s.leaves[:size])}, g.composite, g.stock))
}

func (s *story) receipt(size, index int) string {
	r := &verify.Receipt{Index: uint64(index), Leaf: s.leaves[index], Proof: inclusion(s.leaves[:size], index), Checkpoint: s.checkpoint(size)}
	return string(r.Marshal())
}

// firstKeys is the history before any change.
func (s *story) firstKeys() json.RawMessage {
	return must((&verify.KeyHistory{Origin: s.origin, Keys: newLog(0).keys.Keys}).Marshal())
}

func (s *story) files() map[string][]byte {
	var b bytes.Buffer
	at := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	z := verify.NewZip(&b, at)
	w := must(verify.NewWriter(z, verify.LogInfo{Origin: s.origin, Exporter: "vectors", ExportedAt: at, Openings: true}))
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	for i := range s.raw {
		check(w.Append(s.raw[i], s.leaves[i]))
	}
	for i, e := range s.entries {
		if key := s.signs[i]; e.Class == verify.Critical {
			if key == nil {
				key = s.at(i).critic
			}
			check(w.Signature(verify.EntrySignature{Seq: uint64(i), Key: key.Public().ID(), Sig: must(key.Sign(sign.ContextEntry, s.raw[i]))}))
		}
	}
	for _, o := range s.openings {
		check(w.Opening(o))
	}
	for _, r := range s.redactions {
		check(w.Redaction(r))
	}
	for _, c := range s.older {
		check(w.Checkpoint(c))
	}
	check(w.Close(s.checkpoint(len(s.raw)), s.keys))
	check(z.Close())
	files := unzip(b.Bytes())
	maps.Copy(files, s.extra)
	return files
}

// config turns what a vector knows from elsewhere into a configuration.
func config(v ledgertest.ExportVector) verify.Config { return must(v.Config()) }

// life are exports of logs whose keys change, that were recovered, that ended, and exports judged with knowledge from elsewhere.
func life() (out []ledgertest.ExportVector) {
	written := map[string]bool{}
	add := func(v ledgertest.ExportVector, files map[string][]byte) {
		data := []byte(nil)
		switch {
		case v.File == "":
			v.File = strings.NewReplacer(" ", "-", ",", "").Replace(v.Name) + ".zip"
			data = zipped(files)
			if err := os.WriteFile("testdata/exports/"+v.File, data, 0o644); err != nil || written[v.File] {
				panic(v.File)
			}
			written[v.File] = true
		default:
			data = must(os.ReadFile("testdata/exports/" + v.File))
		}
		r := must(verify.Verify(context.Background(), must(zip.NewReader(bytes.NewReader(data), int64(len(data)))), config(v)))
		v.Intact, v.Gaps, v.LostReceipts, v.Closed = r.Intact(), len(r.Gaps), r.LostReceipts, r.Closed != nil
		if !v.Intact {
			f := r.Findings[0]
			v.Kind = string(f.Kind)
			if f.Located {
				v.First, v.Last = &f.First, &f.Last
			}
		}
		fmt.Printf("%-50s %v %v\n", v.Name, v.Intact, r.Err())
		out = append(out, v)
	}
	named := func(name string) ledgertest.ExportVector { return ledgertest.ExportVector{Name: name} }
	rotations(add, named)
	recoveries(add, named)
	closings(add, named)
	witnessed(add)
	resumed(add)
	return out
}

type adder func(v ledgertest.ExportVector, files map[string][]byte)

func rotations(add adder, named func(string) ledgertest.ExportVector) {
	rotated := func() *story {
		s := newStory(12)
		s.rotate(6, 101, "scheduled")
		s.rotate(8, 111, "scheduled")
		return s
	}
	whole := rotated()
	whole.older = [][]byte{whole.checkpoint(4), whole.checkpoint(8)}
	whole.extra[fmt.Sprintf("timestamps/%020d/tsa.example.tsr", 12)] = []byte("a time stamp is not judged here")
	add(named("keys rotated twice"), whole.files())
	shared := "keys-rotated-twice.zip"
	add(ledgertest.ExportVector{Name: "keys rotated twice, the first pinned", File: shared, Keys: whole.firstKeys()}, nil)
	add(ledgertest.ExportVector{Name: "keys rotated twice, all pinned", File: shared, Keys: must(whole.keys.Marshal())}, nil)
	stranger := newGeneration(901, 0)
	add(ledgertest.ExportVector{Name: "keys rotated twice, others pinned", File: shared, Keys: must((&verify.KeyHistory{Origin: whole.origin, Keys: stranger.keys()}).Marshal())}, nil)
	change := func(name string, edit func(s *story)) {
		s := rotated()
		edit(s)
		add(named(name), s.files())
	}
	change("keys announced by a stranger", func(s *story) { s.signs[6] = stranger.critic })
	change("keys announced by the new key", func(s *story) { s.signs[6] = s.later[0].critic })
	change("keys announced by a checkpoint key", func(s *story) { s.signs[6] = s.composite })
	change("keys announced without a signature", func(s *story) { s.entries[6].Class = verify.Normal; s.chain(6) })
	change("keys announced about another log", func(s *story) { s.entries[6].EntityID = strings.Repeat("0", 32); s.chain(6) })
	change("keys announced without a reason", func(s *story) { s.edit(6, `"reason":"scheduled"`, `"reason":""`) })
	change("keys announced in other letters", func(s *story) { s.edit(6, `"reason"`, `"reasoN"`) })
	change("a key announced for another position", func(s *story) { s.edit(6, `"from":7`, `"from":8`) })
	change("a key announced for another purpose", func(s *story) { s.edit(6, `"purpose":"entry"`, `"purpose":"checkpoint"`) })
	change("a key announced that is not in the history", func(s *story) { s.keys.Keys = slices.Delete(s.keys.Keys, 4, 5) })
	change("a key that nobody announced", func(s *story) {
		s.keys.Keys[2].Until = 5
		s.keys.Keys = append(s.keys.Keys, verify.Key{Purpose: verify.PurposeEntry, Composite: stranger.critic.Public(), From: 5, Until: 7})
	})
	change("a key that stays when its successor comes", func(s *story) { s.keys.Keys[2].Until = 0 })
	change("a key that ends without a successor", func(s *story) { s.keys.Keys[7].Until = 11 })
	change("two first keys of a purpose", func(s *story) {
		s.keys.Keys = append(s.keys.Keys, verify.Key{Purpose: verify.PurposeEntry, Composite: stranger.critic.Public()})
	})
	compromised := newStory(12)
	compromised.rotate(6, 101, verify.ReasonCompromise)
	add(named("keys compromised"), compromised.files())
	add(ledgertest.ExportVector{Name: "keys compromised, the first pinned", File: "keys-compromised.zip", Keys: compromised.firstKeys()}, nil)
	add(ledgertest.ExportVector{Name: "keys compromised, the new ones pinned", File: "keys-compromised.zip", Keys: must(compromised.keys.Marshal())}, nil)
	staying := newStory(12)
	staying.rotate(6, 101, verify.ReasonCompromise)
	staying.edit(6, compromised.keys.Keys[0].ID().String(), compromised.keys.Keys[3].ID().String())
	add(ledgertest.ExportVector{Name: "a new key that is compromised", Keys: must(compromised.keys.Marshal())}, staying.files())
	thief := newStory(12)
	thief.entries[3].EntityID = "forged"
	thief.rotate(0, 121, "scheduled")
	thief.signs[0] = thief.later[0].critic
	thief.chain(0)
	add(ledgertest.ExportVector{Name: "rewritten with other keys, the first pinned", Keys: thief.firstKeys()}, thief.files())
}

// recovered is a log that lost its entries from 6 on, of which 10 were remembered.
func recovered(edit func(*verify.Recovery)) (s, lost *story) {
	lost, s = newStory(12), newStory(12)
	remembered := root(lost.leaves[:10])
	r := &verify.Recovery{Epoch: 1, LostFrom: 6, LostUntil: 10, WitnessedRoot: &remembered, Approvers: [2][16]byte{{1}, {2}}}
	if edit != nil {
		edit(r)
	}
	s.speak(6, verify.RecoveryAction, r.Details())
	s.origin = strings.TrimSuffix(s.origin, "0") + "1"
	s.keys = &verify.KeyHistory{Origin: s.origin, Keys: s.keys.Keys}
	return s, lost
}

func recoveries(add adder, named func(string) ledgertest.ExportVector) {
	s, lost := recovered(nil)
	s.older = [][]byte{lost.checkpoint(4), lost.checkpoint(6), lost.checkpoint(9), lost.checkpoint(10), s.checkpoint(11)}
	add(named("a declared gap"), s.files())
	shared := "a-declared-gap.zip"
	add(ledgertest.ExportVector{Name: "a declared gap, earlier keys pinned", File: shared, Keys: lost.firstKeys()}, nil)
	add(ledgertest.ExportVector{Name: "a declared gap, receipts of what was kept and lost", File: shared, Receipts: []string{lost.receipt(9, 3), lost.receipt(9, 6), lost.receipt(10, 9), s.receipt(12, 7)}}, nil)
	add(ledgertest.ExportVector{Name: "a declared gap, a receipt from beyond", File: shared, Receipts: []string{lost.receipt(11, 10)}}, nil)
	add(ledgertest.ExportVector{Name: "a declared gap, an earlier checkpoint within", File: shared, Since: string(lost.checkpoint(8))}, nil)
	add(ledgertest.ExportVector{Name: "a declared gap, an earlier checkpoint from beyond", File: shared, Since: string(lost.checkpoint(11))}, nil)
	other := newStory(12)
	other.entries[4].EntityID = "forged"
	other.chain(4)
	add(ledgertest.ExportVector{Name: "a declared gap, what was kept seen differently", File: shared, Since: string(other.checkpoint(6))}, nil)
	change := func(name string, edit func(*verify.Recovery), more func(s, lost *story)) {
		s, lost := recovered(edit)
		s.older = [][]byte{lost.checkpoint(9)}
		if more != nil {
			more(s, lost)
		}
		add(named(name), s.files())
	}
	change("a gap with another witnessed root", func(r *verify.Recovery) { r.WitnessedRoot = &[32]byte{1} }, func(s, lost *story) { s.older = [][]byte{lost.checkpoint(10)} })
	change("a gap whose root nobody remembers", func(r *verify.Recovery) { r.WitnessedRoot = nil }, func(s, lost *story) { s.older = [][]byte{lost.checkpoint(10)} })
	change("a gap that ends too early", func(r *verify.Recovery) { r.LostUntil, r.WitnessedRoot = 8, nil }, nil)
	change("a gap that begins elsewhere", func(r *verify.Recovery) { r.LostFrom = 5 }, nil)
	change("a gap without loss", func(r *verify.Recovery) { r.LostUntil = 6 }, nil)
	change("a gap with one approver", func(r *verify.Recovery) { r.Approvers[1] = r.Approvers[0] }, nil)
	change("a gap of a later epoch", func(r *verify.Recovery) { r.Epoch = 2 }, nil)
	change("a gap that is not critical", nil, func(s, _ *story) { s.entries[6].Class = verify.Normal; s.chain(6) })
	change("a gap declared by a stranger", nil, func(s, _ *story) { k := newGeneration(901, 0); s.signs[6] = k.critic })
	change("an epoch that nobody declared", nil, func(s, _ *story) {
		s.older = nil
		s.origin = strings.TrimSuffix(s.origin, "1") + "2"
		s.keys.Origin = s.origin
	})
}

func closings(add adder, named func(string) ledgertest.ExportVector) {
	closed := func(at int, size uint64) *story {
		s := newStory(12)
		s.speak(at, verify.ClosingAction, (&verify.Closing{Size: size}).Details())
		return s
	}
	add(named("a closed log"), closed(11, 12).files())
	add(named("a closed log that goes on"), closed(10, 11).files())
	add(named("a log closed at another size"), closed(11, 11).files())
	open := closed(11, 12)
	open.entries[11].Class = verify.Normal
	open.chain(11)
	add(named("a log closed without a signature"), open.files())
}

func cosign(signed []byte, k *sign.WitnessKey, at time.Time) []byte {
	text := signed[:bytes.Index(signed, []byte("\n\n"))+1]
	return append(bytes.Clone(signed), must(k.Cosign(text, at))...)
}

var cosignedAt = time.Date(2026, 4, 1, 0, 1, 0, 0, time.UTC)

func witnessKeys() (a, b, c *sign.WitnessKey) {
	seeded := func(seed int64) io.Reader { return rand.New(rand.NewSource(seed)) }
	return must(sign.NewWitnessKey("a.example/witness", seeded(31))), must(sign.NewWitnessKey("b.example/witness", seeded(32))), must(sign.NewMLDSA44WitnessKey("c.example/witness", seeded(33)))
}

func witnessed(add adder) {
	a, b, c := witnessKeys()
	l := newLog(12)
	base := l.files()
	head := base["checkpoint"]
	all := []string{a.Public().String(), b.Public().String(), c.Public().String()}
	change := func(name string, quorum int, checkpoint []byte, witnesses ...string) {
		files := maps.Clone(base)
		files["checkpoint"] = checkpoint
		add(ledgertest.ExportVector{Name: name, Witnesses: witnesses, Quorum: quorum}, files)
	}
	line := func(signed []byte, k *sign.WitnessKey) []byte { return cosign(signed, k, cosignedAt)[len(signed):] }
	two := cosign(cosign(head, a, cosignedAt), c, cosignedAt)
	change("cosigned by two of three", 2, two, all...)
	add(ledgertest.ExportVector{Name: "cosigned by two, three asked", File: "cosigned-by-two-of-three.zip", Witnesses: all, Quorum: 3}, nil)
	add(ledgertest.ExportVector{Name: "cosigned by others", File: "cosigned-by-two-of-three.zip", Witnesses: all[1:2], Quorum: 1}, nil)
	change("cosigned twice by one", 2, cosign(cosign(head, a, cosignedAt), a, cosignedAt.Add(time.Minute)), all...)
	change("cosigned for another size", 1, append(bytes.Clone(head), line(l.checkpoint(11), a)...), all...)
	change("cosigned with another time", 1, func() []byte {
		text := string(line(head, a))
		at := len("— a.example/witness ") + 14
		return append(bytes.Clone(head), text[:at]+"B"+text[at+1:]...)
	}(), all...)
	change("cosigned under a borrowed name", 1, append(bytes.Clone(head), bytes.Replace(line(head, b), []byte("b.example"), []byte("a.example"), 1)...), all[0])
	older := maps.Clone(base)
	name := fmt.Sprintf("checkpoints/%020d", 4)
	older[name] = append(bytes.Clone(older[name]), line(head, a)...)
	add(ledgertest.ExportVector{Name: "an older checkpoint cosigned wrongly", Witnesses: all}, older)
	forged := maps.Clone(base)
	forged["checkpoint"] = append(bytes.Clone(head), line(l.checkpoint(11), c)...)
	add(ledgertest.ExportVector{Name: "cosigned for another size with ML-DSA", Witnesses: all, Composite: true}, forged)
}

func resumed(add adder) {
	shared := "intact-over-two-bundles.zip"
	l := &story{log: newLog(300)}
	vector := func(name, file string, from []byte) ledgertest.ExportVector {
		return ledgertest.ExportVector{Name: name, File: file, From: string(from)}
	}
	add(vector("from a checkpoint on", shared, l.checkpoint(280)), nil)
	add(vector("from a checkpoint in the first bundle on", shared, l.checkpoint(256)), nil)
	add(vector("from the end on", shared, l.checkpoint(300)), nil)
	add(vector("from a checkpoint beyond the end", shared, (&story{log: newLog(310)}).checkpoint(310)), nil)
	other := newStory(300)
	other.entries[200].EntityID = "forged"
	other.chain(200)
	add(vector("from a checkpoint of another root", shared, other.checkpoint(280)), nil)
	unsigned, _, _ := bytes.Cut(l.checkpoint(280), []byte("\n\n"))
	add(vector("from a checkpoint without signatures", shared, append(unsigned, "\n\n"...)), nil)
	foreign := newStory(1)
	foreign.origin = verify.FormatOrigin("audit.example", [16]byte{9}, 0)
	add(vector("from a checkpoint of another log", shared, foreign.checkpoint(1)), nil)
	v := vector("from a checkpoint on, with receipts from before", shared, l.checkpoint(280))
	v.Receipts = []string{l.receipt(100, 7), l.receipt(300, 8)}
	add(v, nil)
	v = vector("from a checkpoint on, with a receipt of another log", shared, l.checkpoint(280))
	v.Receipts = []string{other.receipt(230, 200)}
	add(v, nil)
	files := unzip(must(os.ReadFile("testdata/exports/" + shared)))
	upper := verify.Tile{Level: 1, Width: 1}.Path()
	files[upper] = bytes.Clone(files[upper])
	files[upper][3] ^= 1
	add(vector("from a checkpoint on, an upper tile changed", "", l.checkpoint(280)), files)
	files = unzip(must(os.ReadFile("testdata/exports/" + shared)))
	bundle := verify.Tile{Entries: true, Index: 1, Width: 44}.Path()
	files[bundle] = bytes.Replace(files[bundle], []byte("Entwurf 290 wurde"), []byte("Entwurf 290 wuerd"), 1)
	add(vector("from a checkpoint on, an entry behind it changed", "", l.checkpoint(280)), files)
}

// cosignatures are notes with a line of a witness.
func cosignatures() (out []ledgertest.CosignatureVector) {
	a, _, c := witnessKeys()
	l := newLog(12)
	head := l.checkpoint(12)
	text := string(head[:bytes.Index(head, []byte("\n\n"))+1])
	for _, k := range []*sign.WitnessKey{a, c} {
		mldsa := k.Public().Algorithm() == sign.MLDSA44Name
		add := func(name, text string, line []byte, valid, unseen bool) {
			v := ledgertest.CosignatureVector{Name: k.Public().Algorithm() + ": " + name, Key: k.Public().String(), Text: text, Line: string(line), Valid: valid, MLDSA: unseen && mldsa}
			if (v.Check() == nil) != valid {
				panic(v.Name)
			}
			if valid {
				v.Time = cosignedAt.Unix()
			}
			out = append(out, v)
		}
		good := must(k.Cosign([]byte(text), cosignedAt))
		prefix := len("— " + k.Public().Name() + " ")
		raw := must(base64.StdEncoding.DecodeString(string(bytes.TrimSuffix(good[prefix:], []byte("\n")))))
		with := func(edit func(b []byte) []byte) []byte {
			return []byte(string(good[:prefix]) + base64.StdEncoding.EncodeToString(edit(bytes.Clone(raw))) + "\n")
		}
		add("a cosignature", text, good, true, false)
		add("of another text", strings.Replace(text, "\n12\n", "\n13\n", 1), good, false, true)
		add("at another time", text, with(func(b []byte) []byte { b[11] ^= 1; return b }), false, true)
		add("with a flipped bit", text, with(func(b []byte) []byte { b[40] ^= 1; return b }), false, true)
		add("with another key hash", text, with(func(b []byte) []byte { b[0] ^= 1; return b }), false, false)
		add("without a time", text, with(func(b []byte) []byte { clear(b[4:12]); return b }), false, false)
		add("with a time of 2^63", text, with(func(b []byte) []byte { b[4] |= 0x80; return b }), false, false)
		add("a byte short", text, with(func(b []byte) []byte { return b[:len(b)-1] }), false, false)
		add("a byte long", text, with(func(b []byte) []byte { return append(b, 0) }), false, false)
		add("under another name", text, bytes.Replace(good, []byte("example/witness"), []byte("example/wotness"), 1), false, false)
	}
	return out
}
