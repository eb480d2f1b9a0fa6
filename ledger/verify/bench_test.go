package verify_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// benchNote fills an ordinary entry up to 1,024 canonical bytes, umlauts and all.
var benchNote = strings.Repeat("Standort Köln, Haus 3; ", 16) + "Raum 1.07."

// benchEntry is an ordinary entry of 1,024 canonical bytes.
func benchEntry(seq int, prev [32]byte) *verify.Entry {
	e := &verify.Entry{
		Seq: uint64(seq), Tenant: testTenant, User: &[16]byte{9}, Action: "device_policy_changed", EntityType: "device",
		EntityID:  fmt.Sprintf("0f8a1c52-7d19-4b60-93aa-%012d", seq),
		Narrative: fmt.Sprintf("Am 01.03.2026 wurde die Richtlinie „Laufwerksverschlüsselung“ für das Gerät %012d durch die Administration geändert. Die Änderung wurde nach dem Vier-Augen-Prinzip geprüft und freigegeben.", seq),
		CreatedAt: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(seq) * 137 * time.Microsecond),
		Scheme:    verify.SchemeBound, PreviousHash: prev,
	}
	e.Details = must(verify.CanonicalDetails(map[string]any{
		"before": map[string]any{"policy": "bitlocker-2024", "enforced": false, "grace_hours": int64(72)},
		"after":  map[string]any{"policy": "bitlocker-2026", "enforced": true, "grace_hours": int64(24)},
		"groups": []any{"werkstatt", "verwaltung", "außendienst"}, "note": benchNote, "seq": int64(100_000_000 + seq),
	}))
	e.CurrentHash = verify.ChainHash(prev, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
	return e
}

// benchExport writes an export of n entries into a directory and returns it with the mean entry size.
func benchExport(b *testing.B, n int) (dir string, bytes int) {
	k := newKit(0)
	dir = filepath.Join(b.TempDir(), "export")
	files := must(verify.NewDir(dir))
	w := must(verify.NewWriter(files, verify.LogInfo{Origin: k.origin, Exporter: "bench", Openings: true}))
	var tree verify.Tree
	var prev [32]byte
	for i := range n {
		e := benchEntry(i, prev)
		prev = e.CurrentHash
		c := must(e.Canonical())
		bytes += len(c)
		leaf := verify.LeafHash(c)
		tree.Append(leaf)
		if err := w.Append(c, leaf); err != nil {
			b.Fatal(err)
		}
	}
	head := verify.Checkpoint{Origin: k.origin, Size: tree.Size(), Root: tree.Root()}
	if err := w.Close(must(verify.SignCheckpoint(head, k.composite, k.stock)), k.keys); err != nil {
		b.Fatal(err)
	}
	files.Close()
	return dir, bytes / n
}

// BenchmarkVerify verifies 40,000 entries of 1 KiB from a directory. On a machine that others use, the rate per second of
// processor time in the best of the rounds is what can be compared.
func BenchmarkVerify(b *testing.B) {
	const n = 40_000
	dir, size := benchExport(b, n)
	if size != 1024 {
		b.Fatalf("entries of %d bytes", size)
	}
	root := must(os.OpenRoot(dir))
	defer root.Close()
	b.ReportAllocs()
	b.SetBytes(int64(n * size))
	best := time.Duration(math.MaxInt64)
	for b.Loop() {
		start := processorTime()
		r := must(verify.Verify(context.Background(), root.FS(), verify.Config{}))
		best = min(best, processorTime()-start)
		if !r.Intact() {
			b.Fatal(r.Err())
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(n/best.Seconds(), "entries/cpu-s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-sys")
}

func BenchmarkChainCheck(b *testing.B) {
	e := benchEntry(0, [32]byte{})
	c := must(e.Canonical())
	b.ReportAllocs()
	for b.Loop() {
		var chain verify.Chain
		if err := chain.Check(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	e := benchEntry(0, [32]byte{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Canonical(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChainHash(b *testing.B) {
	e := benchEntry(0, [32]byte{})
	b.ReportAllocs()
	for b.Loop() {
		verify.ChainHash(e.PreviousHash, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
	}
}

func BenchmarkLeafHash(b *testing.B) {
	c := must(benchEntry(0, [32]byte{}).Canonical())
	b.ReportAllocs()
	b.SetBytes(int64(len(c)))
	for b.Loop() {
		verify.LeafHash(c)
	}
}

func BenchmarkParseEntry(b *testing.B) {
	c := must(benchEntry(0, [32]byte{}).Canonical())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verify.ParseEntry(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonicalDetails(b *testing.B) {
	d := map[string]any{"device": "pc-1", "enforced": true, "grace_hours": int64(24), "groups": []any{"a", "b"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verify.CanonicalDetails(d); err != nil {
			b.Fatal(err)
		}
	}
}
