package verify_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// opened remembers which files were opened.
type opened struct {
	fstest.MapFS
	names map[string]bool
}

func (o *opened) Open(name string) (fs.File, error) {
	o.names[name] = true
	return o.MapFS.Open(name)
}

// long is a log over more than two full bundles.
func long(t testing.TB) *kit { t.Helper(); return large() }

func TestResumingReadsWhatCameAfter(t *testing.T) {
	k := long(t)
	p := k.parts()
	leaves := p.leaves
	for _, size := range []int{0, 1, 255, 256, 257, 300, 511, 512, 513, 699, 700} {
		files := &opened{p.files(), map[string]bool{}}
		r, err := verify.Verify(context.Background(), files, verify.Config{From: k.sign(leaves[:size]), Keys: k.keys, Since: k.sign(leaves[:100]),
			Receipts: []*verify.Receipt{k.receipt(leaves, 3), k.receipt(leaves[:100], 50), k.receipt(leaves, 650)}})
		if err != nil || !r.Intact() {
			t.Fatalf("from %d: %v, %v", size, err, r)
		}
		start := max(0, (size-1)/256*256)
		if r.From != uint64(start) || r.Entries != uint64(700-start) || r.Size != 700 || r.Receipts != 3 || r.Checkpoints != 2 || r.Tenant == "" {
			t.Errorf("from %d: from %d, %d entries, %d receipts, %d checkpoints", size, r.From, r.Entries, r.Receipts, r.Checkpoints)
		}
		for i := range 3 {
			name := verify.Tile{Entries: true, Index: uint64(i), Width: min(256, 700-256*i)}.Path()
			if files.names[name] != (256*i >= start) {
				t.Errorf("from %d: %s opened: %v", size, name, files.names[name])
			}
		}
	}
}

func TestResumingReadsEveryFaultBehindTheCheckpoint(t *testing.T) {
	k := long(t)
	from := k.sign(k.parts().leaves[:512])
	for name, change := range fields {
		for _, at := range []int{511, 512, 513, 600, 699} { // 511 is read again
			p := k.parts()
			e := *k.entries[at]
			change(&e)
			p.entries[at] = e.AppendRaw(nil)
			r := check(t, rebundle(p.files(), p.entries), verify.Config{From: from, Keys: k.keys})
			if r.From != 256 {
				t.Fatalf("%s: from %d", name, r.From)
			}
			wantExact(t, r, at)
		}
	}
	shapes := k.parts()
	shapes.entries = slices.Delete(shapes.entries, 600, 601)
	wantExact(t, check(t, rebundle(k.parts().files(), shapes.entries), verify.Config{From: from}), 600)
}

func TestResumingTrustsNoTile(t *testing.T) {
	k := long(t)
	leaves := k.parts().leaves
	from := func(size int) []byte { return k.sign(leaves[:size]) }
	for _, c := range []struct {
		file string
		at   int
		from int
	}{
		{"tile/1/000.p/2", 0, 600}, {"tile/1/000.p/2", 33, 600}, {"tile/0/001", 0, 300}, {"tile/0/002.p/188", 5, 600},
	} {
		files := k.parts().files()
		files[c.file].Data = slices.Clone(files[c.file].Data)
		files[c.file].Data[c.at] ^= 1
		r := check(t, files, verify.Config{From: from(c.from), Keys: k.keys})
		if r.Intact() || r.Findings[0].Kind != verify.KindTile || r.From != 0 {
			t.Errorf("%s: from %d, findings %v", c.file, r.From, r.Findings)
		}
	}
	files := k.parts().files()
	delete(files, "tile/1/000.p/2")
	if r := check(t, files, verify.Config{From: from(600)}); r.Intact() || r.From != 0 {
		t.Errorf("without the tile: %v", r.Findings)
	}
}

func TestACheckpointToResumeFromMustBeOne(t *testing.T) {
	k := long(t)
	leaves := k.parts().leaves
	other := newKit(1)
	other.origin = verify.FormatOrigin("audit.example", [16]byte{9}, 0)
	stranger := newSigners(600, 0)
	unsigned := must(verify.SignCheckpoint(verify.Checkpoint{Origin: k.origin, Size: 600, Root: root(leaves[:600])}, stranger.composite, stranger.stock))
	forged := k.parts()
	forge(k, forged, 300, 1)
	forged.head, forged.checkpoints = k.sign(forged.leaves), nil
	for name, c := range map[string]struct {
		files fstest.MapFS
		from  []byte
		kind  verify.Kind
	}{
		"of another log":   {k.parts().files(), other.sign(leaves[:600]), verify.KindCheckpoint},
		"not signed":       {k.parts().files(), unsigned, verify.KindCheckpoint},
		"nothing":          {k.parts().files(), []byte{}, verify.KindCheckpoint},
		"of another root":  {k.parts().files(), k.sign(append(slices.Clone(leaves[:599]), [32]byte{})), verify.KindRoot},
		"before a rewrite": {forged.files(), k.sign(leaves[:600]), verify.KindRoot},
		"of a longer log":  {k.parts().files(), k.sign(append(slices.Clone(leaves), [32]byte{})), verify.KindTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, c.files, verify.Config{From: c.from, Keys: k.keys})
			if r.Intact() || !slices.ContainsFunc(r.Findings, func(f verify.Finding) bool { return f.Kind == c.kind }) {
				t.Errorf("findings %v", r.Findings)
			}
			if r.From != 0 || r.Entries != 700 {
				t.Errorf("from %d, %d entries: a log that is not continued is read in full", r.From, r.Entries)
			}
		})
	}
	// What vouches for the part that is not read is held against the same hashes.
	r := check(t, k.parts().files(), verify.Config{From: k.sign(leaves[:600]), Since: k.sign(forged.leaves[:400])})
	if r.Intact() || r.From != 512 || r.Findings[0].Kind != verify.KindRoot {
		t.Errorf("from %d, %v", r.From, r.Findings)
	}
	r = check(t, k.parts().files(), verify.Config{From: k.sign(leaves[:600]), Receipts: []*verify.Receipt{k.receipt(forged.leaves[:400], 300)}})
	if r.Intact() || r.From != 512 {
		t.Errorf("from %d, %v", r.From, r.Findings)
	}
}

func TestResumingWithKeysThatCameBefore(t *testing.T) {
	k := newKit(700)
	k.rotate(300, 700, "scheduled", nil)
	k.rotate(600, 710, "scheduled", nil)
	from := k.sign(k.parts().leaves[:550])
	files := k.parts().files()
	for name, c := range map[string]struct {
		pinned *verify.KeyHistory
		intact bool
	}{
		"believed": {nil, true}, "all pinned": {k.keys, true}, "the first pinned": {firstKeys(k), false},
		"those of then pinned": {&verify.KeyHistory{Origin: k.origin, Keys: slices.Clone(k.keys.Keys[:6])}, true},
	} {
		if c.pinned != nil && len(c.pinned.Keys) == 6 {
			for i := range 3 {
				c.pinned.Keys[3+i].Until = 0
			}
		}
		r := check(t, files, verify.Config{From: from, Keys: c.pinned})
		if r.From != 512 || r.Intact() != c.intact {
			t.Errorf("%s: from %d, %v", name, r.From, r.Findings)
		}
		if !c.intact && !strings.Contains(r.Err().Error(), "before what was read") {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
}

func TestResumingKnowsWhatWasErasedBefore(t *testing.T) {
	k := newKit(700) // entries 2 and 12 are erased by entry 525
	p := k.parts()
	from := k.sign(p.leaves[:520])
	if r := check(t, p.files(), verify.Config{From: from}); !r.Intact() || r.From != 512 {
		t.Fatalf("from %d, %v", r.From, r.Findings)
	}
	p.redactions = p.redactions[1:]
	r := check(t, p.files(), verify.Config{From: from})
	wantFirst(t, r, verify.KindRedaction, 525)
}

func TestResumingAcrossARecovery(t *testing.T) {
	lost, k := newKit(700), newKit(700)
	k.speaks(600, verify.RecoveryAction, (&verify.Recovery{Epoch: 1, LostFrom: 600, LostUntil: 680, Approvers: [2][16]byte{{1}, {2}}}).Details())
	k.chain(600)
	k.origin = verify.FormatOrigin("audit.example", [16]byte{0xab, 0xcd}, 1)
	k.keys = &verify.KeyHistory{Origin: k.origin, Keys: k.keys.Keys}
	p := recoveredParts(k)
	lostLeaves := lost.parts().leaves
	for _, c := range []struct {
		from    []byte
		receipt *verify.Receipt
		start   uint64
		lost    int
	}{
		{lost.sign(lostLeaves[:590]), lost.receipt(lostLeaves[:650], 640), 512, 1},
		{lost.sign(lostLeaves[:650]), lost.receipt(lostLeaves[:650], 640), 0, 1}, // it is in the gap itself, so all is read
		{k.sign(p.leaves[:650]), k.receipt(p.leaves, 3), 512, 0},
	} {
		r := check(t, p.files(), verify.Config{From: c.from, Receipts: []*verify.Receipt{c.receipt}})
		if !r.Intact() || r.From != c.start || len(r.Gaps) != 1 || r.LostReceipts != c.lost {
			t.Errorf("from %d, %d lost, %v", r.From, r.LostReceipts, r.Findings)
		}
	}
	_, err := verify.Verify(context.Background(), p.files(), verify.Config{From: k.sign(p.leaves[:650]), Since: lost.sign(lostLeaves[:100])})
	if !errors.Is(err, verify.ErrUnusable) {
		t.Errorf("an earlier epoch's checkpoint beside a later one to resume from: %v", err)
	}
	p.checkpoints = [][]byte{lost.sign(lostLeaves[:100]), lost.sign(lostLeaves[:650])}
	if r := check(t, p.files(), verify.Config{From: k.sign(p.leaves[:650])}); !r.Intact() {
		t.Errorf("older checkpoints of the earlier epoch: %v", r.Findings)
	}
	closed := newKit(700)
	closed.speaks(699, verify.ClosingAction, (&verify.Closing{Size: 700}).Details())
	closed.chain(699)
	if r := check(t, closed.parts().files(), verify.Config{From: closed.sign(closed.parts().leaves[:600])}); !r.Intact() || r.Closed == nil {
		t.Errorf("%v, closed %v", r.Findings, r.Closed)
	}
}

// FuzzVerifyKnown gives a log that speaks about itself fuzzed keys, a fuzzed checkpoint or fuzzed knowledge from elsewhere.
func FuzzVerifyKnown(f *testing.F) {
	k := rotated()
	p := k.parts()
	w := witness("w.example", 60)
	p.head = cosign(p.head, w, cosignTime)
	honest := p.files()
	for i, seed := range [][]byte{honest["keys.json"].Data, p.head, p.checkpoints[0], k.sign(p.leaves[:30]), p.entries[11]} {
		f.Add(uint8(i), seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		cfg := verify.Config{Keys: firstKeys(k), Witnesses: public(w), Quorum: 1}
		files := fstest.MapFS{}
		for n, file := range honest {
			files[n] = file
		}
		switch which % 5 {
		case 0:
			files["keys.json"] = &fstest.MapFile{Data: data}
		case 1:
			files["checkpoint"] = &fstest.MapFile{Data: data}
		case 2:
			cfg.Since = append([]byte{}, data...)
		case 3:
			cfg.From = append([]byte{}, data...)
		case 4:
			entries := slices.Clone(p.entries)
			entries[11] = data[:min(len(data), verify.MaxEntry)]
			files = rebundle(files, entries)
		}
		r, err := verify.Verify(context.Background(), files, cfg)
		if err != nil || !r.Intact() {
			return
		}
		known := string(data)
		if which%5 == 4 && !slices.Equal(data, p.entries[11]) || which%5 == 1 && !strings.Contains(known, "w.example") ||
			which%5 >= 1 && which%5 <= 3 && !strings.HasPrefix(known, k.origin+"\n") || which%5 == 0 && len(r.Keys) < 9 {
			t.Fatalf("case %d: intact with %q", which%5, data)
		}
	})
}
