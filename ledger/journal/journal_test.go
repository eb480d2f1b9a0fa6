package journal_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/journal"
)

func record(n int) ledger.ErasureRecord {
	r := ledger.ErasureRecord{Tenant: uuid.New(), At: time.Date(2026, 3, 1, 8, 0, n, 120000, time.UTC)}
	for i := range n + 1 {
		r.Values = append(r.Values, ledger.ErasedValue{Seq: uint64(i), Commitment: [32]byte{byte(n), byte(i)}})
	}
	return r
}

func open(t testing.TB, path string) *journal.File {
	t.Helper()
	j, err := journal.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { j.Close() })
	return j
}

func all(t testing.TB, j *journal.File) (records []ledger.ErasureRecord, err error) {
	t.Helper()
	err = j.Each(context.Background(), func(r ledger.ErasureRecord) error {
		records = append(records, r)
		return nil
	})
	return records, err
}

func TestRecordsSurviveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.jsonl")
	var want []ledger.ErasureRecord
	for i := range 5 {
		j := open(t, path)
		want = append(want, record(i))
		require.NoError(t, j.Append(t.Context(), want[i]))
		require.NoError(t, j.Close())
	}
	have, err := all(t, open(t, path))
	require.NoError(t, err)
	require.Equal(t, want, have)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

func TestATornLastLineIsIgnoredAndReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.jsonl")
	j := open(t, path)
	first, second := record(1), record(2)
	require.NoError(t, j.Append(t.Context(), first))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := 1; cut < len(whole); cut += 7 {
		require.NoError(t, os.WriteFile(path, append(bytes.Clone(whole), whole[:cut]...), 0o600))
		have, err := all(t, open(t, path))
		require.NoError(t, err)
		require.Equal(t, []ledger.ErasureRecord{first}, have)
	}
	require.NoError(t, open(t, path).Append(t.Context(), second))
	have, err := all(t, j)
	require.NoError(t, err)
	require.Equal(t, []ledger.ErasureRecord{first, second}, have)
}

func TestAChangedByteMakesTheFileUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.jsonl")
	j := open(t, path)
	for i := range 3 {
		require.NoError(t, j.Append(t.Context(), record(i)))
	}
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for at := range whole[:len(whole)-1] {
		changed := bytes.Clone(whole)
		changed[at] ^= 1
		require.NoError(t, os.WriteFile(path, changed, 0o600))
		_, err := all(t, j)
		require.ErrorIs(t, err, journal.ErrMalformed, "byte %d", at)
	}
	t.Run("and the line is named", func(t *testing.T) {
		changed := bytes.Clone(whole)
		changed[bytes.IndexByte(whole, '\n')+10] ^= 1
		require.NoError(t, os.WriteFile(path, changed, 0o600))
		_, err := all(t, j)
		var line *journal.LineError
		require.ErrorAs(t, err, &line)
		require.Equal(t, 2, line.Line)
	})
}

func TestOnlyAPrivateFileIsOpened(t *testing.T) {
	dir := t.TempDir()
	public := filepath.Join(dir, "public")
	require.NoError(t, os.WriteFile(public, nil, 0o644))
	require.NoError(t, os.Chmod(public, 0o644))
	_, err := journal.Open(public)
	require.ErrorIs(t, err, journal.ErrPermissions)
	private, link := filepath.Join(dir, "private"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(private, nil, 0o600))
	require.NoError(t, os.Symlink(private, link))
	_, err = journal.Open(link)
	require.ErrorIs(t, err, journal.ErrPermissions)
	_, err = journal.Open(filepath.Join(dir, "none", "file"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestManyWritersLoseNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.jsonl")
	var writers sync.WaitGroup
	const each = 10
	for range 4 {
		j := open(t, path) // a file of its own, as another process has
		writers.Go(func() {
			for i := range each {
				if err := j.Append(context.Background(), record(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	have, err := all(t, open(t, path))
	require.NoError(t, err)
	require.Len(t, have, 4*each)
}

func TestWhatIsNoRecordIsRefused(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "erasures.jsonl"))
	require.Error(t, j.Append(t.Context(), ledger.ErasureRecord{Tenant: uuid.New()}))
	require.Error(t, j.Append(t.Context(), record(journal.MaxValues)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, j.Append(ctx, record(1)), context.Canceled)
	require.NoError(t, j.Append(t.Context(), record(1)))
	stop := errors.New("stop")
	require.ErrorIs(t, j.Each(t.Context(), func(ledger.ErasureRecord) error { return stop }), stop)
}

func FuzzLine(f *testing.F) {
	for i := range 3 {
		line, err := journal.Encode(record(i))
		require.NoError(f, err)
		f.Add(line)
	}
	f.Add([]byte(`{"v":1}` + "\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := journal.Decode(line)
		if err != nil {
			require.ErrorIs(t, err, journal.ErrMalformed)
			return
		}
		again, err := journal.Encode(r) // what is read is what is written, byte for byte
		require.NoError(t, err)
		require.Equal(t, string(line), string(again))
	})
}
