package witness_test

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

// One step of one log: parse, check two signatures and the proof, move the memory durably, sign.
func BenchmarkAddCheckpoint(b *testing.B) {
	for name, n := range map[string]int{"ed25519": 1, "ed25519 and ml-dsa-44": 2} {
		b.Run(name, func(b *testing.B) {
			const sizes = 512
			l := ledgertest.NewAnchorLog(b, 1, sizes)
			var steps []string
			for size := range sizes {
				steps = append(steps, advance(b, l, size, size+1))
			}
			var s *witness.Server
			restart := func() {
				s = newServer(b, func(c *witness.ServerConfig) { c.Keys = append([]*sign.WitnessKey(nil), c.Keys[:n]...) }, l)
			}
			b.ReportAllocs()
			i := sizes
			for b.Loop() {
				if i == sizes {
					b.StopTimer()
					restart()
					i = 0
					b.StartTimer()
				}
				if rec := post(s, steps[i]); rec.Code != http.StatusOK {
					b.Fatal(rec.Code)
				}
				i++
			}
		})
	}
}

// What an attacker without the log's key costs a witness.
func BenchmarkRefuseForgery(b *testing.B) {
	l := ledgertest.NewAnchorLog(b, 1, 9)
	s := newServer(b, nil, l)
	forged := body(0, nil, flipLast(string(l.Checkpoint(b, 9))))
	b.ReportAllocs()
	for b.Loop() {
		if rec := post(s, forged); rec.Code != http.StatusForbidden {
			b.Fatal(rec.Code)
		}
	}
}

// One checkpoint appended to a file, durably.
func BenchmarkFileSubmit(b *testing.B) {
	const sizes = 512
	l := ledgertest.NewAnchorLog(b, 1, sizes)
	a := openFile(b, filepath.Join(b.TempDir(), "anchor"), 0)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if i == sizes {
			b.StopTimer()
			a = openFile(b, filepath.Join(b.TempDir(), "anchor"), 0)
			i = 0
			b.StartTimer()
		}
		i++
		b.StopTimer()
		sub := l.Submission(b, i)
		b.StartTimer()
		_, err := a.Submit(b.Context(), sub)
		require.NoError(b, err)
	}
}
