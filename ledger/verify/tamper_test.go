package verify_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// rebundle replaces the entry bundles of an export, tiles and all else left alone.
func rebundle(files fstest.MapFS, entries [][]byte) fstest.MapFS {
	for name := range files {
		if strings.HasPrefix(name, "tile/entries/") {
			delete(files, name)
		}
	}
	for start := 0; start < len(entries); start += verify.TileWidth {
		end := min(start+verify.TileWidth, len(entries))
		var bundle []byte
		for _, e := range entries[start:end] {
			bundle = verify.AppendBundle(bundle, e)
		}
		t := verify.Tile{Entries: true, Index: uint64(start / verify.TileWidth), Width: end - start}
		files[t.Path()] = &fstest.MapFile{Data: bundle}
	}
	return files
}

// fields lists every field of an entry with a way to change it.
var fields = map[string]func(e *verify.Entry){
	"seq":           func(e *verify.Entry) { e.Seq ^= 1 },
	"id":            func(e *verify.Entry) { e.ID[3] ^= 0x40 },
	"tenant":        func(e *verify.Entry) { e.Tenant[15] ^= 1 },
	"user":          func(e *verify.Entry) { e.User = &[16]byte{0xee} },
	"user absent":   func(e *verify.Entry) { e.User = flipUser(e.User) },
	"action":        func(e *verify.Entry) { e.Action = "reject_draft" },
	"entity type":   func(e *verify.Entry) { e.EntityType = "tariff" },
	"entity id":     func(e *verify.Entry) { e.EntityID += "0" },
	"details":       func(e *verify.Entry) { e.Details = []byte(`{"n":99}`) },
	"narrative":     func(e *verify.Entry) { e.Narrative = strings.ToUpper(e.Narrative) },
	"previous hash": func(e *verify.Entry) { e.PreviousHash[31] ^= 0x80 },
	"current hash":  func(e *verify.Entry) { e.CurrentHash[0] ^= 1 },
	"time later":    func(e *verify.Entry) { e.CreatedAt = e.CreatedAt.Add(time.Microsecond) },
	"time earlier":  func(e *verify.Entry) { e.CreatedAt = e.CreatedAt.Add(-24 * time.Hour) },
	"class":         func(e *verify.Entry) { e.Class ^= 1 },
	"scheme":        func(e *verify.Entry) { e.Scheme = verify.SchemePlain },
	"class unknown": func(e *verify.Entry) { e.Class = 9 },
	"details form":  func(e *verify.Entry) { e.Details = []byte(`{"b":1,"a":2}`) },
	"action form":   func(e *verify.Entry) { e.Action = "Login!" },
}

func flipUser(u *[16]byte) *[16]byte {
	if u == nil {
		return &[16]byte{}
	}
	return nil
}

func positions(n int) []int { return []int{0, 1, 17, n / 2, n - 2, n - 1} }

func TestEveryChangedFieldIsNamedAtItsPosition(t *testing.T) {
	k := small()
	n := len(k.entries)
	for name, change := range fields {
		for _, at := range positions(n) {
			t.Run(fmt.Sprintf("%s of entry %d", name, at), func(t *testing.T) {
				p := k.parts()
				e := *k.entries[at]
				change(&e)
				p.entries[at] = e.AppendRaw(nil)

				r := check(t, rebundle(k.parts().files(), p.entries), verify.Config{Keys: k.keys})
				wantExact(t, r, at)

				// The chain hash made good again: the tree still knows.
				e.CurrentHash = verify.ChainHash(e.PreviousHash, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
				p.entries[at] = e.AppendRaw(nil)
				if name != "current hash" {
					r = check(t, rebundle(k.parts().files(), p.entries), verify.Config{Keys: k.keys})
					wantExact(t, r, at)
				}

				// Tiles made good as well: the signed root still knows, somewhere at or just after the entry.
				p.leaves[at] = verify.LeafHash(p.entries[at])
				r = check(t, p.files(), verify.Config{Keys: k.keys})
				if name == "current hash" {
					return // made good above: nothing is changed any more
				}
				if f := r.Findings[0]; r.Intact() || !f.Located || f.First > uint64(at)+1 || f.Last < uint64(at) {
					t.Errorf("first finding %+v does not concern entry %d", f, at)
				}
			})
		}
	}
}

func wantExact(t testing.TB, r *verify.Report, at int) {
	t.Helper()
	if r.Intact() {
		t.Fatalf("intact, want a finding at %d", at)
	}
	if f := r.Findings[0]; !f.Exact() || f.First != uint64(at) {
		t.Fatalf("first finding %s %d–%d (%v), want exactly %d", f.Kind, f.First, f.Last, f.Err, at)
	}
}

func TestFieldsSwappedBetweenNeighboursAreFound(t *testing.T) {
	k := small()
	swaps := map[string]func(a, b *verify.Entry){
		"id":          func(a, b *verify.Entry) { a.ID, b.ID = b.ID, a.ID },
		"user":        func(a, b *verify.Entry) { a.User, b.User = b.User, a.User },
		"entity id":   func(a, b *verify.Entry) { a.EntityID, b.EntityID = b.EntityID, a.EntityID },
		"details":     func(a, b *verify.Entry) { a.Details, b.Details = b.Details, a.Details },
		"narrative":   func(a, b *verify.Entry) { a.Narrative, b.Narrative = b.Narrative, a.Narrative },
		"seq":         func(a, b *verify.Entry) { a.Seq, b.Seq = b.Seq, a.Seq },
		"hashes":      func(a, b *verify.Entry) { a.CurrentHash, b.CurrentHash = b.CurrentHash, a.CurrentHash },
		"prev hashes": func(a, b *verify.Entry) { a.PreviousHash, b.PreviousHash = b.PreviousHash, a.PreviousHash },
	}
	for name, swap := range swaps {
		for _, at := range []int{0, 11, 20, 38} {
			t.Run(fmt.Sprintf("%s of entry %d", name, at), func(t *testing.T) {
				p := k.parts()
				a, b := *k.entries[at], *k.entries[at+1]
				swap(&a, &b)
				p.entries[at], p.entries[at+1] = a.AppendRaw(nil), b.AppendRaw(nil)
				wantExact(t, check(t, rebundle(k.parts().files(), p.entries), verify.Config{}), at)
			})
		}
	}
}

// shapes are changes to the sequence of entries; they return it and the position that must be named.
var shapes = map[string]func(e [][]byte, at int) ([][]byte, int){
	"deleted":    func(e [][]byte, at int) ([][]byte, int) { return slices.Delete(e, at, at+1), at },
	"duplicated": func(e [][]byte, at int) ([][]byte, int) { return slices.Insert(e, at+1, e[at]), at + 1 },
	"moved to the front": func(e [][]byte, at int) ([][]byte, int) {
		return slices.Insert(slices.Delete(slices.Clone(e), at, at+1), 0, e[at]), 0
	},
	"swapped with the next": func(e [][]byte, at int) ([][]byte, int) {
		e[at], e[at+1] = e[at+1], e[at]
		return e, at
	},
	"overwritten by its neighbour": func(e [][]byte, at int) ([][]byte, int) {
		e[at] = e[at+1]
		return e, at
	},
	"emptied": func(e [][]byte, at int) ([][]byte, int) {
		e[at] = nil
		return e, at
	},
	"cut short": func(e [][]byte, at int) ([][]byte, int) {
		e[at] = e[at][:len(e[at])-1]
		return e, at
	},
	"made longer": func(e [][]byte, at int) ([][]byte, int) {
		e[at] = append(slices.Clone(e[at]), 0)
		return e, at
	},
	"made of another version": func(e [][]byte, at int) ([][]byte, int) {
		e[at] = append([]byte{2}, e[at][1:]...)
		return e, at
	},
	"followed by a cut tail": func(e [][]byte, at int) ([][]byte, int) { return e[:at+1], at + 1 },
}

func TestChangedSequencesAreNamedAtTheirPosition(t *testing.T) {
	for _, k := range []*kit{small(), large()} {
		n := len(k.entries)
		at := []int{1, 17, n / 2, n - 3, n - 2}
		if n > verify.TileWidth {
			at = []int{255, 256, n - 2}
		}
		for name, shape := range shapes {
			for _, at := range at {
				t.Run(fmt.Sprintf("entry %d of %d %s", at, n, name), func(t *testing.T) {
					entries, want := shape(k.parts().entries, at)
					r := check(t, rebundle(k.parts().files(), entries), verify.Config{Keys: k.keys})
					wantExact(t, r, want)
				})
			}
		}
	}
}

func TestInsertedEntryIsNamed(t *testing.T) {
	k := large()
	for _, at := range []int{1, 300, 698} {
		forged := *k.entries[at]
		forged.Action, forged.ID = "grant_admin", [16]byte{1}
		forged.CurrentHash = verify.ChainHash(forged.PreviousHash, forged.Action, forged.EntityID, forged.Narrative, forged.CreatedAt)
		entries := slices.Insert(k.parts().entries, at, must(forged.Canonical()))
		wantExact(t, check(t, rebundle(k.parts().files(), entries), verify.Config{Keys: k.keys}), at)
	}
}

func TestTailRewrittenFromAnEntryOnIsCaughtByTheRoot(t *testing.T) {
	k := large()
	p := k.parts()
	forge(k, p, 500, 0)
	p.checkpoints = p.checkpoints[:1] // size 233, still true
	r := check(t, p.files(), verify.Config{Keys: k.keys})
	var e *verify.RootError
	if r.Intact() || !errors.As(r.Err(), &e) {
		t.Fatalf("first finding %v", r.Err())
	}
	if e.First != 233 || e.Last != 699 || r.Checkpoints != 1 {
		t.Errorf("range %d–%d, %d checkpoints", e.First, e.Last, r.Checkpoints)
	}
}

// forge rewrites the log from an entry on with a recomputed chain and tree, as somebody with the database would.
func forge(k *kit, p *parts, from, salt int) {
	prev := k.entries[from].PreviousHash
	for i := from; i < len(k.entries); i++ {
		e := *k.entries[i]
		if i == from {
			e.EntityID = fmt.Sprintf("forged-%d", salt)
		}
		e.PreviousHash = prev
		prev = verify.ChainHash(prev, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
		e.CurrentHash = prev
		p.entries[i] = must(e.Canonical())
		p.leaves[i] = verify.LeafHash(p.entries[i])
	}
	p.signatures = nil
	for i := range p.entries {
		if e := must(verify.ParseEntry(p.entries[i])); e.Class == verify.Critical {
			p.signatures = append(p.signatures, verify.EntrySignature{Seq: uint64(i), Key: k.critic.Public().ID(),
				Sig: must(k.critic.Sign("tomkit/ledger/entry/v1", p.entries[i]))})
		}
	}
}

func TestRewriteWithTheStolenKeyIsCaughtByOutsideMemory(t *testing.T) {
	k := small()
	honest := k.parts()
	forged := k.parts()
	forge(k, forged, 10, 1)
	forged.head, forged.checkpoints = k.sign(forged.leaves), nil
	files := forged.files()
	if r := check(t, files, verify.Config{Keys: k.keys}); !r.Intact() {
		t.Fatalf("the forgery is meant to be perfect: %v", r.Err())
	}
	r := check(t, files, verify.Config{Keys: k.keys, Receipts: []*verify.Receipt{k.receipt(honest.leaves, 12)}})
	wantFirst(t, r, verify.KindReceipt, 12)
	if r := check(t, files, verify.Config{Keys: k.keys, Since: k.sign(honest.leaves[:20])}); r.Intact() || r.Findings[0].Kind != verify.KindRoot {
		t.Errorf("an earlier checkpoint did not catch it: %v", r.Err())
	}
	if r := check(t, files, verify.Config{Keys: k.keys, Since: k.sign(honest.leaves[:5])}); !r.Intact() {
		t.Errorf("a checkpoint from before the forgery objects: %v", r.Err())
	}
}

func TestRollBackIsCaughtByOutsideMemory(t *testing.T) {
	k := small()
	all := k.parts()
	p := k.parts()
	p.entries, p.leaves, p.checkpoints = p.entries[:25], p.leaves[:25], nil
	p.head = k.sign(p.leaves)
	p.signatures = slices.DeleteFunc(p.signatures, func(s verify.EntrySignature) bool { return s.Seq >= 25 })
	p.openings = slices.DeleteFunc(p.openings, func(o verify.Opening) bool { return o.Seq >= 25 })
	p.redactions = nil
	files := p.files()
	for name, cfg := range map[string]verify.Config{
		"a receipt of a lost entry":                 {Receipts: []*verify.Receipt{k.receipt(all.leaves, 33)}},
		"a receipt of a kept entry, later":          {Receipts: []*verify.Receipt{k.receipt(all.leaves, 5)}},
		"an earlier checkpoint larger than the log": {Since: all.head},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Keys = k.keys
			r := check(t, files, cfg)
			i := slices.IndexFunc(r.Findings, func(f verify.Finding) bool { return f.Kind == verify.KindTruncated })
			if i < 0 || r.Findings[i].First != 25 {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}

func TestAnotherTenantsEntriesAreNamed(t *testing.T) {
	k := small()
	other := *k.entries[9]
	other.Tenant = [16]byte{1}
	p := k.parts()
	p.entries[9] = must(other.Canonical())
	wantFirst(t, check(t, rebundle(k.parts().files(), p.entries), verify.Config{}), verify.KindTenant, 9)
	wantFirst(t, check(t, k.parts().files(), verify.Config{Tenant: &[16]byte{1}}), verify.KindTenant, 0)

	r := check(t, k.parts().files(), verify.Config{Origin: verify.FormatOrigin("audit.example", [16]byte{9}, 0)})
	if r.Intact() || r.Findings[0].Kind != verify.KindCheckpoint {
		t.Errorf("another log's export passes: %v", r.Err())
	}
}

func TestOneFaultIsNotReportedAtEveryLaterEntry(t *testing.T) {
	k := large()
	for name, change := range map[string]func(e *verify.Entry){"narrative": fields["narrative"], "current hash": fields["current hash"],
		"time earlier": fields["time earlier"], "seq": fields["seq"], "tenant": fields["tenant"]} {
		p := k.parts()
		e := *k.entries[100]
		change(&e)
		p.entries[100] = e.AppendRaw(nil)
		r := check(t, rebundle(k.parts().files(), p.entries), verify.Config{})
		for _, f := range r.Findings {
			if f.Exact() && f.First > 101 {
				t.Errorf("%s: finding at %d: %v", name, f.First, f.Err)
			}
		}
	}
}
