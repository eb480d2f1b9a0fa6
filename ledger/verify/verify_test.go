package verify_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestHonestExportsAreIntact(t *testing.T) {
	for _, n := range []int{0, 1, 2, 255, 256, 257, 511, 512, 700} {
		k := newKit(n)
		p := k.parts()
		r := check(t, p.files(), verify.Config{Keys: k.keys})
		if !r.Intact() {
			t.Fatalf("%d entries: %v", n, r.Err())
		}
		if r.Entries != uint64(n) || r.Size != uint64(n) || r.Critical != uint64(len(p.signatures)) ||
			r.Openings != uint64(len(p.openings)) || r.Redacted != uint64(len(p.redactions)) || r.Checkpoints != len(p.checkpoints) {
			t.Errorf("%d entries: report %+v", n, r)
		}
	}
}

func TestReportSaysWhatTheExportHolds(t *testing.T) {
	k := large()
	leaves := k.parts().leaves
	cfg := verify.Config{Tenant: &testTenant, Origin: k.origin, Since: k.sign(leaves[:300]),
		Receipts: []*verify.Receipt{k.receipt(leaves[:600], 599), k.receipt(leaves, 3)}}
	r := check(t, k.parts().files(), cfg)
	if !r.Intact() {
		t.Fatal(r.Err())
	}
	if r.KeysPinned || r.Receipts != 2 || r.Tenant != "6b1f0012-9441-4c01-a021-010203040506" ||
		!r.First.Equal(k.entries[0].CreatedAt) || !r.Last.Equal(k.entries[699].CreatedAt) || r.Keys[2].Used != r.Critical {
		t.Errorf("report %+v", r)
	}
}

func TestProgressReachesTheEnd(t *testing.T) {
	var last verify.Progress
	calls := 0
	check(t, large().parts().files(), verify.Config{Progress: func(p verify.Progress) { last, calls = p, calls+1 }})
	if last.Entries != 700 || last.Size != 700 || calls != 3 || last.Bytes == 0 {
		t.Errorf("%d calls, last %+v", calls, last)
	}
}

func TestCancelledVerificationIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	files := large().parts().files()
	_, err := verify.Verify(ctx, files, verify.Config{Progress: func(verify.Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
}

func TestUnusableInputIsAnError(t *testing.T) {
	honest := func(edit func(fstest.MapFS)) fstest.MapFS {
		files := small().parts().files()
		edit(files)
		return files
	}
	for name, files := range map[string]fstest.MapFS{
		"an empty directory":     {},
		"no log.json":            honest(func(f fstest.MapFS) { delete(f, "log.json") }),
		"no checkpoint":          honest(func(f fstest.MapFS) { delete(f, "checkpoint") }),
		"log.json of another":    honest(func(f fstest.MapFS) { f["log.json"].Data = []byte(`{"format":"other/v1"}`) }),
		"log.json with a member": honest(func(f fstest.MapFS) { f["log.json"].Data = []byte(`{"format":"tomkit-export/v1","x":1}`) }),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := verify.Verify(context.Background(), files, verify.Config{}); !errors.Is(err, verify.ErrUnusable) {
				t.Errorf("err %v", err)
			}
		})
	}
	if _, err := verify.Verify(context.Background(), small().parts().files(), verify.Config{MaxFindings: -1}); !errors.Is(err, verify.ErrUnusable) {
		t.Errorf("negative MaxFindings: err %v", err)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	p := large().parts()
	for i := range p.entries {
		p.entries[i] = p.entries[i][:20]
	}
	r := check(t, p.files(), verify.Config{MaxFindings: 5})
	if len(r.Findings) != 5 || r.Omitted < 600 || r.Findings[0].First != 0 {
		t.Errorf("%d findings, %d omitted", len(r.Findings), r.Omitted)
	}
}
