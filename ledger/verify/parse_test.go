package verify_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestTilePathsAreThoseOfTlogTiles(t *testing.T) {
	for want, tile := range map[string]verify.Tile{
		"tile/0/000":                               {Width: 256},
		"tile/0/x001/x234/067":                     {Index: 1234067, Width: 256},
		"tile/63/x001/000.p/255":                   {Level: 63, Index: 1000, Width: 255},
		"tile/entries/999":                         {Entries: true, Index: 999, Width: 256},
		"tile/entries/x001/x234/067.p/8":           {Entries: true, Index: 1234067, Width: 8},
		"tile/0/x018/x446/x744/x073/x709/x551/615": {Index: ^uint64(0), Width: 256},
	} {
		if got := tile.Path(); got != want {
			t.Errorf("%+v: %s, want %s", tile, got, want)
		}
		if got, err := verify.ParseTilePath(want); err != nil || got != tile {
			t.Errorf("%s: %+v, %v", want, got, err)
		}
	}
	for _, bad := range []string{"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/1000", "tile/0/001/000", "tile/0/x001", "tile/0/x000/001",
		"tile/64/000", "tile/00/000", "tile/-1/000", "tile/entries", "tile/entries/../000", "/tile/0/000", "tile/0/000.p/", "tile/0/000.p/0",
		"tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/1/2", "tile/0/000/", "tile/0/xx00/000", "tile/0/+01", "tile/0/x18446/x744/073",
		"tile/0/x018/x446/x744/x073/x709/x551/616", "tile/0/" + strings.Repeat("x001/", 40) + "000"} {
		if got, err := verify.ParseTilePath(bad); err == nil {
			t.Errorf("%q parses as %+v", bad, got)
		}
	}
}

func TestKeyHistoriesAreStrict(t *testing.T) {
	k := small()
	text := must(k.keys.Marshal())
	if h := must(verify.ParseKeys(text)); len(h.Keys) != 3 || h.Keys[2].ID() != k.critic.Public().ID() {
		t.Errorf("%+v", h)
	}
	replace := func(old, new string) []byte { return bytes.Replace(text, []byte(old), []byte(new), 1) }
	for name, bad := range map[string][]byte{
		"another format":       replace("tomkit-keys/v1", "tomkit-keys/v2"),
		"an unknown member":    replace(`"origin"`, `"x": 1, "origin"`),
		"an unknown purpose":   replace(`"entry"`, `"payload"`),
		"a swapped purpose":    replace(`"checkpoint-ed25519"`, `"checkpoint"`),
		"an unknown algorithm": replace("id-MLDSA65-Ed25519-SHA512", "id-MLDSA44-Ed25519-SHA512"),
		"another id":           replace(k.critic.Public().ID().String(), k.composite.Public().ID().String()),
		"a malformed origin":   replace("/ledger/", "/log/"),
		"negative from":        replace(`"from": 0`, `"from": -1`),
		"valid nowhere":        replace(`"from": 0`, `"from": 7, "until": 7`),
		"a truncated key":      replace("==\"", "\""),
		"something after it":   append(bytes.Clone(text), '{'),
		"nothing":              nil,
		"too much":             make([]byte, verify.MaxKeysFile+1),
	} {
		if _, err := verify.ParseKeys(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	twice := &verify.KeyHistory{Origin: k.origin, Keys: append(k.keys.Keys[:2:2], verify.Key{Purpose: verify.PurposeEntry, Composite: k.composite.Public()})}
	if _, err := twice.Marshal(); !errors.Is(err, verify.ErrMalformed) {
		t.Errorf("one key under two purposes: %v", err)
	}
}

func TestOriginsSayNothingButTheOperator(t *testing.T) {
	origin := verify.FormatOrigin("audit.example:8443", [16]byte{1, 2}, 3)
	domain, id, epoch, err := verify.ParseOrigin(origin)
	if err != nil || domain != "audit.example:8443" || id != [16]byte{1, 2} || epoch != 3 {
		t.Errorf("%s: %s %x %d %v", origin, domain, id, epoch, err)
	}
	zeros := strings.Repeat("0", 32)
	for _, bad := range []string{"", "a", "a/ledger/" + zeros, "/ledger/" + zeros + "/0", "a b/ledger/" + zeros + "/0", "A/ledger/" + zeros + "/0",
		"a/log/" + zeros + "/0", "a/ledger/" + zeros + "0/0", "a/ledger/" + strings.Repeat("G", 32) + "/0", "a/ledger/" + strings.Repeat("A", 32) + "/0",
		"a/ledger/" + zeros + "/00", "a/ledger/" + zeros + "/x", "a/ledger/" + zeros + "/0/", strings.Repeat("a", 300) + "/ledger/" + zeros + "/0"} {
		if _, _, _, err := verify.ParseOrigin(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add(must(known().Canonical()))
	for _, e := range small().entries[:4] {
		f.Add(must(e.Canonical()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := verify.ParseEntry(b)
		if err != nil {
			if !errors.Is(err, verify.ErrMalformed) && !errors.Is(err, verify.ErrTooLarge) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if again, err := e.Canonical(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("does not survive: %v", err)
		}
		e.Commitments()
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	k := small()
	f.Add(string(k.parts().head))
	f.Add(verify.FormatCheckpoint(verify.Checkpoint{Origin: k.origin, Size: 7}))
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := verify.ParseCheckpoint(s); err == nil && verify.FormatCheckpoint(c) != s {
			t.Fatalf("%q is read as %+v", s, c)
		}
		c, err := verify.OpenCheckpoint([]byte(s), k.keys)
		if err == nil && (c.Origin != k.origin || c.Size != 40 || !strings.HasPrefix(s, verify.FormatCheckpoint(c))) {
			t.Fatalf("opened as %+v", c)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add(must(small().keys.Marshal()))
	f.Add([]byte(`{"format":"tomkit-keys/v1","origin":"a/ledger/00000000000000000000000000000000/0","keys":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := verify.ParseKeys(b)
		if err != nil {
			return
		}
		text, err := h.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := verify.ParseKeys(text); err != nil || len(again.Keys) != len(h.Keys) {
			t.Fatalf("does not survive: %v", err)
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	k := small()
	f.Add(k.receipt(k.parts().leaves, 12).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := verify.ParseReceipt(b); err == nil && !bytes.Equal(r.Marshal(), b) {
			t.Fatal("does not survive")
		}
	})
}

func FuzzParseTilePath(f *testing.F) {
	for _, s := range []string{"tile/0/x001/x234/067", "tile/entries/000.p/3", "tile/0/000.p/256"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if tile, err := verify.ParseTilePath(s); err == nil && tile.Path() != s {
			t.Fatalf("%q is read as %+v", s, tile)
		}
	})
}

func FuzzCutBundle(f *testing.F) {
	f.Add(verify.AppendBundle(verify.AppendBundle(nil, []byte("a")), nil))
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		for rest := b; ; {
			e, after, err := verify.CutBundle(rest)
			if err != nil {
				if !bytes.Equal(append(again, rest...), b) {
					t.Fatal("bytes lost")
				}
				return
			}
			again, rest = verify.AppendBundle(again, e), after
		}
	})
}

// FuzzVerify replaces one file of an export by fuzzed bytes. Nothing may panic, and nothing but the true bytes is intact.
func FuzzVerify(f *testing.F) {
	k := newKit(12)
	honest := k.parts().files()
	names := []string{"checkpoint", "tile/entries/000.p/12", "tile/0/000.p/12", "signatures.jsonl", "openings.jsonl", "redactions.jsonl",
		"checkpoints/00000000000000000006"}
	for i, name := range names {
		if honest[name] == nil {
			f.Fatalf("no %s", name)
		}
		f.Add(uint8(i), honest[name].Data)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		name := names[int(which)%len(names)]
		files := fstest.MapFS{}
		for n, file := range honest {
			files[n] = file
		}
		files[name] = &fstest.MapFile{Data: data}
		r, err := verify.Verify(context.Background(), files, verify.Config{Keys: k.keys})
		if strings.HasPrefix(name, "checkpoint") || name == "signatures.jsonl" {
			return // signing is hedged, so other valid bytes exist; and unknown witnesses may add lines to a note
		}
		if err == nil && r.Intact() && !bytes.Equal(data, honest[name].Data) {
			t.Fatalf("%s changed and still intact", name)
		}
	})
}
