package witness_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

func openFile(t testing.TB, path string, compact int64) *witness.File {
	t.Helper()
	a, err := witness.OpenFile(witness.FileConfig{Name: "file", Path: path, Compact: compact})
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

func submitAll(t testing.TB, a *witness.File, l *ledgertest.AnchorLog, sizes ...int) {
	t.Helper()
	for _, size := range sizes {
		_, err := a.Submit(t.Context(), l.Submission(t, size))
		require.NoError(t, err)
	}
}

func sizeIn(t testing.TB, a *witness.File, l *ledgertest.AnchorLog) int {
	t.Helper()
	m, err := a.Latest(t.Context(), l.Origin, nil)
	require.NoError(t, err)
	if m.Size > 0 {
		require.Equal(t, l.Root(int(m.Size)), *m.Root)
	}
	return int(m.Size)
}

// A crash cuts the last record anywhere, or leaves zeros where the file grew and the bytes did not arrive. Everything before
// it is remembered, and the next record stands where the torn one did.
func TestATornLastRecordIsRepaired(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 30)
	path := filepath.Join(t.TempDir(), "anchor")
	a := openFile(t, path, -1)
	submitAll(t, a, l, 10)
	whole := readFile(t, path)
	submitAll(t, a, l, 20)
	two := readFile(t, path)
	require.NoError(t, a.Close())
	var torn [][]byte
	for cut := len(whole) + 1; cut < len(two); cut += 1 + (cut-len(whole))/3 {
		torn = append(torn, two[:cut], append(bytes.Clone(two[:cut]), make([]byte, len(two)-cut)...))
	}
	torn = append(torn, append(bytes.Clone(whole), make([]byte, 5000)...))
	for _, content := range torn {
		path := filepath.Join(t.TempDir(), "anchor")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		a := openFile(t, path, -1)
		require.Equal(t, 10, sizeIn(t, a, l))
		submitAll(t, a, l, 20)
		require.Equal(t, whole, readFile(t, path)[:len(whole)])
		require.NoError(t, a.Close())
		require.Equal(t, 20, sizeIn(t, openFile(t, path, -1), l))
	}
}

func TestAChangedFileIsRefused(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 30)
	path := filepath.Join(t.TempDir(), "anchor")
	a := openFile(t, path, -1)
	submitAll(t, a, l, 10)
	first := len(readFile(t, path))
	submitAll(t, a, l, 20)
	good := readFile(t, path)
	require.NoError(t, a.Close())
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, content := range map[string][]byte{
		"a bit of the first note":   flip(200),
		"a bit of the first mark":   flip(3),
		"a bit of the first length": flip(18),
		"a bit of the first sum":    flip(40),
		"a bit of the second mark":  flip(first + 3),
		"text in front":             append([]byte("x"), good...),
		"text behind":               append(bytes.Clone(good), "something else"...),
		"a record cut out":          good[100:],
		"zeros in between":          append(append(bytes.Clone(good[:first]), make([]byte, 200<<10)...), good[first:]...),
	} {
		path := filepath.Join(t.TempDir(), "anchor")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, err := witness.OpenFile(witness.FileConfig{Name: "file", Path: path})
		require.ErrorIs(t, err, witness.ErrDamaged, name)
		require.Equal(t, content, readFile(t, path), "nothing is repaired that no crash did")
	}
}

func TestAFileThatShrinksUnderAProcessIsNoticed(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 30)
	for name, change := range map[string]func(path string) error{
		"cut":       func(path string) error { return os.Truncate(path, 100) },
		"removed":   os.Remove,
		"exchanged": func(path string) error { return os.Rename(path+".old", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "anchor")
			a := openFile(t, path, -1)
			submitAll(t, a, l, 10)
			require.NoError(t, os.WriteFile(path+".old", readFile(t, path), 0o600))
			submitAll(t, a, l, 20)
			require.NoError(t, change(path))
			_, err := a.Submit(t.Context(), l.Submission(t, 30))
			require.ErrorIs(t, err, witness.ErrDamaged)
		})
	}
}

func TestSeveralProcessesShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anchor")
	logs := make([]*ledgertest.AnchorLog, 4)
	var wg sync.WaitGroup
	for i := range logs {
		logs[i] = ledgertest.NewAnchorLog(t, byte(i), 12)
		for _, compact := range []int64{1, 0, -1} { // three openings each, as different processes have them
			a := openFile(t, path, compact)
			var subs []func() error
			for size := 1; size <= 12; size++ {
				sub := logs[i].Submission(t, size)
				subs = append(subs, func() error { _, err := a.Submit(context.Background(), sub); return err })
			}
			wg.Go(func() {
				for _, submit := range subs {
					_ = submit() // one that is older by now is refused
				}
			})
		}
	}
	wg.Wait()
	a := openFile(t, path, 0)
	for _, l := range logs {
		require.Equal(t, 12, sizeIn(t, a, l))
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestCompactionKeepsTheNewestOfEachOrigin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anchor")
	quiet, busy := ledgertest.NewAnchorLog(t, 1, 3), ledgertest.NewAnchorLog(t, 2, 60)
	a := openFile(t, path, 30<<10)
	submitAll(t, a, quiet, 3)
	largest := 0
	for size := 1; size <= 60; size++ {
		submitAll(t, a, busy, size)
		largest = max(largest, len(readFile(t, path)))
	}
	require.Less(t, largest, 40<<10)
	require.NoError(t, a.Close())
	a = openFile(t, path, 30<<10)
	require.Equal(t, 3, sizeIn(t, a, quiet))
	require.Equal(t, 60, sizeIn(t, a, busy))
}

func TestFileConfigurationsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	for name, cfg := range map[string]witness.FileConfig{
		"no name":     {Path: filepath.Join(dir, "a")},
		"a directory": {Name: "file", Path: dir},
		"nowhere":     {Name: "file", Path: filepath.Join(dir, "no", "such")},
	} {
		_, err := witness.OpenFile(cfg)
		require.Error(t, err, name)
	}
	require.NoFileExists(t, fmt.Sprint(dir, "/a"))
}
