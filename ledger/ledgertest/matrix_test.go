package ledgertest_test

import (
	"context"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// operations of the matrix, all of which must be there.
var operations = []string{"flip", "swap", "delete", "insert", "reorder", "duplicate", "truncate", "stolen key", "roll back", "swap tenants",
	"forge redaction", "replay checkpoint", "forge rotation", "forge gap", "forge cosignature", "bytes"}

func TestTheHonestLogIsIntact(t *testing.T) {
	for _, n := range []int{20, 40, 300} {
		files, cfg := ledgertest.Honest(n)
		r, err := verify.Verify(t.Context(), files, cfg)
		require.NoError(t, err)
		require.True(t, r.Intact(), "%v", r.Findings)
		require.EqualValues(t, n, r.Entries)
		require.Equal(t, 2, r.Receipts)
		require.NotZero(t, r.Redacted)
	}
}

// Every forgery is detected, at its position where one exists; a thief's is perfect without memory from outside. The short
// form takes an even share of each operation.
func TestTamperMatrix(t *testing.T) {
	soak := os.Getenv("TOMKIT_SOAK") != ""
	n := 24
	if soak {
		n = 40
	}
	all := ledgertest.Matrix(n)
	if soak {
		all = append(all, seam()...)
		require.GreaterOrEqual(t, len(all), 10_000)
	}
	byOperation := map[string][]ledgertest.Forgery{}
	for _, f := range all {
		byOperation[f.Operation] = append(byOperation[f.Operation], f)
	}
	var taken []ledgertest.Forgery
	exact := 0
	for _, o := range operations {
		list := byOperation[o]
		require.NotEmpty(t, list, o)
		share := 80
		switch {
		case soak:
			share = len(list)
		case o == "flip":
			share = 700
		case o == "swap" || o == "bytes":
			share = 265
		}
		step := max(1, float64(len(list))/float64(share))
		from := len(taken)
		for at := 0.0; int(at) < len(list); at += step {
			taken = append(taken, list[int(at)])
		}
		for _, f := range taken[from:] {
			if f.Rule == ledgertest.Exact {
				exact++
			}
		}
		t.Logf("%-18s %5d of %5d", o, len(taken)-from, len(list))
	}
	require.Len(t, byOperation, len(operations))
	judgeAll(t, taken)
	t.Logf("%d forgeries, all detected; %d have an exact position, and all of those were named exactly", len(taken), exact)
	require.GreaterOrEqual(t, len(taken), 2_000)
}

// seam is forgeries about where one bundle ends and the next begins.
func seam() []ledgertest.Forgery {
	return slices.DeleteFunc(ledgertest.Matrix(300), func(f ledgertest.Forgery) bool { return f.At < 253 || f.At > 258 || f.Operation == "bytes" })
}

func TestTamperingAtTheSeamOfBundles(t *testing.T) {
	list := seam()
	step := max(1, len(list)/20)
	var taken []ledgertest.Forgery
	for i := 0; i < len(list); i += step {
		taken = append(taken, list[i])
	}
	judgeAll(t, taken)
}

func judgeAll(t *testing.T, list []ledgertest.Forgery) {
	t.Helper()
	var next sync.Mutex
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for {
				next.Lock()
				if len(list) == 0 {
					next.Unlock()
					return
				}
				f := list[0]
				list = list[1:]
				next.Unlock()
				judge(t, &f)
			}
		})
	}
	group.Wait()
}

func judge(t *testing.T, f *ledgertest.Forgery) {
	files, cfg := f.Build()
	r, err := verify.Verify(context.Background(), files, cfg)
	if err != nil {
		t.Errorf("%s: not judged: %v", f.Name, err)
		return
	}
	if err := f.Judge(r); err != nil {
		t.Error(err)
	}
	if !f.Perfect {
		return
	}
	cfg.Receipts, cfg.Since, cfg.Witnesses, cfg.Quorum = nil, nil, nil, 0
	if r, err = verify.Verify(context.Background(), files, cfg); err != nil || !r.Intact() {
		t.Errorf("%s: the forgery is meant to be perfect: %v, %v", f.Name, err, r.Findings)
	}
}
