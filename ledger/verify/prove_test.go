package verify_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestProveMakesReceiptsThatVerify(t *testing.T) {
	for _, k := range []*kit{small(), large()} {
		p := k.parts()
		files := p.files()
		for seq := 0; seq < len(p.entries); seq += 13 {
			r, canonical, err := verify.Prove(files, uint64(seq))
			if err != nil {
				t.Fatalf("entry %d: %v", seq, err)
			}
			if !bytes.Equal(canonical, p.entries[seq]) || r.Leaf != p.leaves[seq] || !slices.Equal(r.Proof, proof(p.leaves, seq)) {
				t.Fatalf("entry %d: not the log's receipt", seq)
			}
			if _, err := r.Verify(k.keys); err != nil {
				t.Fatalf("entry %d: %v", seq, err)
			}
		}
	}
}

func TestProveTrustsNoTileAndNoEntry(t *testing.T) {
	k := large()
	damage := func(name string, at int) func(files map[string][]byte) {
		return func(files map[string][]byte) { files[name][at] ^= 1 }
	}
	entry := len(k.parts().entries[0]) // inside the first entry, behind its length
	for name, c := range map[string]struct {
		seq  uint64
		edit func(files map[string][]byte)
		want error
	}{
		"a changed entry":          {0, damage("tile/entries/000", entry), verify.ErrProof},
		"a changed leaf":           {0, damage("tile/0/000", 0), verify.ErrProof},
		"a changed leaf beside it": {0, damage("tile/0/000", 5*32), verify.ErrProof},
		"a changed upper hash":     {300, damage("tile/1/000.p/2", 3), verify.ErrProof},
		"a missing tile":           {3, func(f map[string][]byte) { delete(f, "tile/0/000") }, verify.ErrProof},
		"a cut tile":               {3, func(f map[string][]byte) { f["tile/0/000"] = f["tile/0/000"][:8000] }, verify.ErrProof},
		"a cut bundle":             {255, func(f map[string][]byte) { f["tile/entries/000"] = f["tile/entries/000"][:999] }, verify.ErrMalformed},
		"beyond the log":           {700, func(map[string][]byte) {}, verify.ErrUnusable},
		"no checkpoint":            {0, func(f map[string][]byte) { delete(f, "checkpoint") }, verify.ErrUnusable},
		"no note as a checkpoint":  {0, func(f map[string][]byte) { f["checkpoint"] = []byte("x") }, verify.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			files, raw := k.parts().files(), map[string][]byte{}
			for name, f := range files {
				raw[name] = bytes.Clone(f.Data)
			}
			c.edit(raw)
			for name := range files {
				if b, ok := raw[name]; ok {
					files[name].Data = b
				} else {
					delete(files, name)
				}
			}
			if _, _, err := verify.Prove(files, c.seq); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestEntriesAndOpeningsAreReadAsTheyAre(t *testing.T) {
	k := large()
	p := k.parts()
	files := p.files()
	for _, from := range []int{0, 1, 255, 256, 511, 699, 700} {
		var have [][]byte
		for b, err := range verify.Entries(files, uint64(from), 700) {
			if err != nil {
				t.Fatal(err)
			}
			have = append(have, bytes.Clone(b))
		}
		if !slices.EqualFunc(have, p.entries[from:], bytes.Equal) {
			t.Fatalf("from %d: other entries", from)
		}
	}
	var have []verify.Opening
	for o, err := range verify.Openings(files) {
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, o)
	}
	if !slices.Equal(have, k.openings) {
		t.Fatal("other openings")
	}
	files["openings.jsonl"].Data = append(files["openings.jsonl"].Data, "x\n"...)
	delete(files, "tile/entries/001")
	var last error
	for _, err := range verify.Openings(files) {
		last = err
	}
	if !errors.Is(last, verify.ErrMalformed) {
		t.Fatalf("a bad line: %v", last)
	}
	n := 0
	for _, err := range verify.Entries(files, 0, 700) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 256 || last == nil {
		t.Fatalf("%d entries and %v before a missing bundle", n, last)
	}
}

func TestTheCallerSeesEveryEntryInOrder(t *testing.T) {
	k := large()
	p := k.parts()
	p.entries[300] = []byte{1} // cannot be read
	seq := uint64(0)
	critical := 0
	check(t, p.files(), verify.Config{Entry: func(e verify.EntryView) {
		if seq == 300 {
			seq++
		}
		want := k.entries[seq]
		if e.Seq() != seq || e.CreatedAt() != want.CreatedAt || !e.HasAction(want.Action) || e.HasAction("x") {
			t.Fatalf("entry %d: other fields", seq)
		}
		if c := e.Sentence(); c.Seq != seq || c.Scheme != want.Scheme || c.Narrative != want.Narrative || !bytes.Equal(c.Details, want.Details) {
			t.Fatalf("entry %d: other sentence", seq)
		}
		if c := e.Copy(); c.ID != want.ID || c.Narrative != want.Narrative {
			t.Fatalf("entry %d: other copy", seq)
		}
		if e.Critical() {
			critical++
		}
		seq++
	}})
	if seq != 700 || critical != 100 {
		t.Fatalf("%d entries, %d critical", seq, critical)
	}
}
