package ledgertest_test

import (
	"bytes"
	"context"
	"io/fs"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestAStreamIsTheExportOfAnIntactLog(t *testing.T) {
	for _, size := range []uint64{0, 1, 256, 700} {
		s, err := ledgertest.NewStream(size)
		require.NoError(t, err)
		r, err := verify.Verify(context.Background(), s, verify.Config{})
		require.NoError(t, err)
		require.True(t, r.Intact(), r.Findings)
		require.Equal(t, size, r.Entries)
		for canonical, err := range verify.Entries(s, 0, size) {
			require.NoError(t, err)
			require.Len(t, canonical, ledgertest.StreamEntry)
		}
	}
	s, err := ledgertest.NewStream(700)
	require.NoError(t, err)
	first, err := fs.ReadFile(s, "tile/entries/001")
	require.NoError(t, err)
	first = bytes.Clone(first)
	_, err = fs.ReadFile(s, "tile/entries/000")
	require.NoError(t, err)
	again, err := fs.ReadFile(s, "tile/entries/001")
	require.NoError(t, err)
	require.Equal(t, first, again, "a file is the same whenever it is read")
	names := map[string]bool{}
	require.NoError(t, s.Each(func(name string) error {
		names[name] = true
		_, err := fs.ReadFile(s, name)
		return err
	}))
	require.Len(t, names, 3+3+1+3)
	for _, name := range []string{"tile/entries/002", "tile/entries/003", "tile/0/002.p/189", "tile/2/000", "openings.jsonl", "x", "../x"} {
		_, err := s.Open(name)
		require.ErrorIs(t, err, fs.ErrNotExist, name)
	}
}

// highest verifies a stream and returns the most memory that was in use on the way, in bytes.
func highest(t *testing.T, size uint64) (most uint64) {
	s, err := ledgertest.NewStream(size)
	require.NoError(t, err)
	calls := 0
	r, err := verify.Verify(context.Background(), s, verify.Config{Progress: func(verify.Progress) {
		if calls++; calls%20 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}})
	require.NoError(t, err)
	require.True(t, r.Intact(), r.Findings)
	return most
}

func TestMemoryDoesNotGrowWithTheLog(t *testing.T) {
	least := highest(t, 6_000)
	for _, size := range []uint64{20_000, 60_000} {
		// The stream itself keeps 64 bytes per bundle of 256 entries.
		require.Less(t, highest(t, size), least+128<<10, "%d entries", size)
	}
}
