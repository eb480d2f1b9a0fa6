package verify_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"golang.org/x/mod/sumdb/note"
)

// noteOf signs a text with the given signers.
func noteOf(text string, signers ...note.Signer) []byte {
	return must(note.Sign(&note.Note{Text: text}, signers...))
}

func TestForgedCheckpointsAreRefused(t *testing.T) {
	k := small()
	text := verify.FormatCheckpoint(verify.Checkpoint{Origin: k.origin, Size: 40, Root: root(k.parts().leaves)})
	composite, stock := must(k.composite.NoteSigner(k.origin)), must(k.stock.NoteSigner(k.origin))
	wrongKey := must(must(sign.NewCompositeKey(seeded(9))).NoteSigner(k.origin))
	wrongPurpose := must(k.critic.NoteSigner(k.origin))
	wrongName := must(k.composite.NoteSigner("audit.example"))
	for name, head := range map[string][]byte{
		"only the Ed25519 line":       noteOf(text, stock),
		"only the composite line":     noteOf(text, composite),
		"a composite of another key":  noteOf(text, wrongKey, stock),
		"a composite of an entry key": noteOf(text, wrongPurpose, stock),
		"a line under another name":   noteOf(text, wrongName, stock),
		"a smaller size":              bytes.Replace(k.sign(k.parts().leaves), []byte("\n40\n"), []byte("\n39\n"), 1),
		"a larger size":               bytes.Replace(k.sign(k.parts().leaves), []byte("\n40\n"), []byte("\n41\n"), 1),
		"an extension line":           noteOf(text+"more\n", composite, stock),
		"no signature":                []byte(text),
		"nothing":                     nil,
	} {
		t.Run(name, func(t *testing.T) {
			files := k.parts().files()
			files["checkpoint"] = &fstest.MapFile{Data: head}
			r := check(t, files, verify.Config{})
			found := false
			for _, f := range r.Findings {
				found = found || f.Kind == verify.KindCheckpoint
			}
			if r.Intact() || !found {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}

func TestEveryFlippedBitOfACheckpointIsNoticed(t *testing.T) {
	k := small()
	head := k.parts().head
	for i := range head {
		if i > 400 && i < len(head)-400 && i%16 != 0 {
			continue // the middle of the long composite line, sampled
		}
		flipped := bytes.Clone(head)
		flipped[i] ^= 1
		if c, err := verify.OpenCheckpoint(flipped, k.keys); err == nil {
			t.Fatalf("bit in byte %d flipped, opened as %+v", i, c)
		}
	}
}

func TestWitnessLinesByUnknownKeysAreIgnored(t *testing.T) {
	k := small()
	witness := must(must(sign.NewEd25519Key(seeded(77))).NoteSigner("witness.example"))
	opened := must(note.Open(k.parts().head, note.VerifierList(
		must(k.composite.Public().NoteVerifier(k.origin)), must(k.stock.Public().NoteVerifier(k.origin)))))
	cosigned := must(note.Sign(opened, witness))
	if c, err := verify.OpenCheckpoint(cosigned, k.keys); err != nil || c.Size != 40 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestStockToolsReadTheEd25519Line(t *testing.T) {
	k := small()
	vkey := must(k.stock.Public().VerifierKey(k.origin))
	opened, err := note.Open(k.parts().head, note.VerifierList(must(note.NewVerifier(vkey))))
	if err != nil || !strings.HasPrefix(opened.Text, k.origin+"\n40\n") || len(opened.UnverifiedSigs) != 1 {
		t.Errorf("%+v, %v", opened, err)
	}
}

func TestKeysAreBoundToPositions(t *testing.T) {
	k := small()
	newKeys := func(edit func(keys []verify.Key)) *verify.KeyHistory {
		h := &verify.KeyHistory{Origin: k.origin, Keys: append([]verify.Key(nil), k.keys.Keys...)}
		edit(h.Keys)
		return h
	}
	for name, c := range map[string]struct {
		keys *verify.KeyHistory
		kind verify.Kind
		seq  uint64
	}{
		"entry key that ended at 17":  {newKeys(func(h []verify.Key) { h[2].Until = 17 }), verify.KindSignature, 17},
		"entry key that began at 4":   {newKeys(func(h []verify.Key) { h[2].From = 4 }), verify.KindSignature, 3},
		"entry key that covers all":   {newKeys(func(h []verify.Key) { h[2].Until = 40 }), "", 0},
		"checkpoint key that ended":   {newKeys(func(h []verify.Key) { h[0].Until = 40 }), verify.KindCheckpoint, 0},
		"stock key that begins later": {newKeys(func(h []verify.Key) { h[1].From = 41 }), "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, k.parts().files(), verify.Config{Keys: c.keys})
			switch {
			case c.kind == "" && !r.Intact():
				t.Error(r.Err())
			case c.kind == verify.KindSignature:
				wantFirst(t, r, c.kind, c.seq)
			case c.kind != "" && (r.Intact() || r.Findings[0].Kind != c.kind):
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}

func TestPinnedKeysOutweighTheExports(t *testing.T) {
	k := small()
	thief := newKit(40)
	thief.composite, thief.stock = must(sign.NewCompositeKey(seeded(31))), must(sign.NewEd25519Key(seeded(32)))
	thief.keys = &verify.KeyHistory{Origin: k.origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: thief.composite.Public()},
		{Purpose: verify.PurposeStock, Ed25519: thief.stock.Public()},
		{Purpose: verify.PurposeEntry, Composite: thief.critic.Public()},
	}}
	files := thief.parts().files()
	if r := check(t, files, verify.Config{}); !r.Intact() || r.KeysPinned {
		t.Fatalf("self-signed export: %v", r.Err())
	}
	if r := check(t, files, verify.Config{Keys: k.keys}); r.Intact() {
		t.Error("an export under foreign keys passes pinned keys")
	}
	honest := k.parts().leaves
	if r := check(t, files, verify.Config{Receipts: []*verify.Receipt{k.receipt(honest, 4)}}); r.Intact() {
		t.Error("an export under foreign keys passes a receipt")
	}
}

func TestReceiptsAreChecked(t *testing.T) {
	k := small()
	leaves := k.parts().leaves
	honest := func() *verify.Receipt { return k.receipt(leaves, 12) }
	if _, err := honest().Verify(k.keys); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(r *verify.Receipt){
		"another index":     func(r *verify.Receipt) { r.Index++ },
		"index beyond":      func(r *verify.Receipt) { r.Index = 40 },
		"another leaf":      func(r *verify.Receipt) { r.Leaf[0] ^= 1 },
		"a changed proof":   func(r *verify.Receipt) { r.Proof[1][5] ^= 1 },
		"a shorter proof":   func(r *verify.Receipt) { r.Proof = r.Proof[1:] },
		"a longer proof":    func(r *verify.Receipt) { r.Proof = append(r.Proof, [32]byte{}) },
		"a forged note":     func(r *verify.Receipt) { r.Checkpoint[len(k.origin)+6] ^= 1 },
		"another log's":     func(r *verify.Receipt) { r.Checkpoint = []byte("x") },
		"an older root":     func(r *verify.Receipt) { r.Checkpoint = k.sign(leaves[:39]) },
		"a size of nothing": func(r *verify.Receipt) { r.Checkpoint = k.sign(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			r := honest()
			edit(r)
			if _, err := r.Verify(k.keys); err == nil {
				t.Error("receipt verifies")
			}
			if report := check(t, k.parts().files(), verify.Config{Receipts: []*verify.Receipt{r}}); report.Intact() {
				t.Error("export passes with it")
			}
		})
	}
}

func TestReceiptTextRoundTrips(t *testing.T) {
	k := small()
	leaves := k.parts().leaves
	for _, i := range []int{0, 12, 39} {
		text := k.receipt(leaves, i).Marshal()
		r, err := verify.ParseReceipt(text)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.Marshal(), text) {
			t.Error("not the same text")
		}
		if _, err := r.Verify(k.keys); err != nil {
			t.Error(err)
		}
	}
	one := k.receipt(leaves[:1], 0)
	if r := must(verify.ParseReceipt(one.Marshal())); len(r.Proof) != 0 {
		t.Error("proof of a log of one entry is not empty")
	}
}
