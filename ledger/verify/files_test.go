package verify_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestDirectoriesAndZipsReadTheSame(t *testing.T) {
	k := large()
	dir := filepath.Join(t.TempDir(), "export")
	files := must(verify.NewDir(dir))
	if err := k.parts().writeTo(files); err != nil {
		t.Fatal(err)
	}
	files.Close()
	if _, err := verify.NewDir(dir); err == nil {
		t.Error("an export is written over another")
	}
	root := must(os.OpenRoot(dir))
	defer root.Close()

	var archive bytes.Buffer
	z := verify.NewZip(&archive, time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
	if err := k.parts().writeTo(z); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	zipped := must(zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len())))
	for name, fsys := range map[string]fs.FS{"directory": root.FS(), "zip": zipped} {
		r, err := verify.Verify(context.Background(), fsys, verify.Config{Keys: k.keys})
		if err != nil || !r.Intact() || r.Entries != 700 {
			t.Errorf("%s: %v %v", name, err, r)
		}
	}
}

func TestSymbolicLinksOutOfTheExportAreNotFollowed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "export")
	files := must(verify.NewDir(dir))
	if err := small().parts().writeTo(files); err != nil {
		t.Fatal(err)
	}
	files.Close()
	outside := filepath.Join(t.TempDir(), "keys.json")
	if os.Rename(filepath.Join(dir, "keys.json"), outside) != nil || os.Symlink(outside, filepath.Join(dir, "keys.json")) != nil {
		t.Fatal("cannot make a symbolic link")
	}
	root := must(os.OpenRoot(dir))
	defer root.Close()
	r, err := verify.Verify(context.Background(), root.FS(), verify.Config{})
	if err != nil || r.Intact() {
		t.Errorf("%v %v", err, r)
	}
	if strings.Contains(r.Err().Error(), outside) {
		t.Error("the report tells where the link leads")
	}
}

func TestEveryFileCounts(t *testing.T) {
	honest := large().parts().files()
	oversized := &fstest.MapFile{Data: make([]byte, 16<<20)}
	for name, file := range honest {
		older := strings.HasPrefix(name, "checkpoints/")
		for what, change := range map[string]func(files fstest.MapFS){
			"removed":   func(files fstest.MapFS) { delete(files, name) },
			"emptied":   func(files fstest.MapFS) { files[name] = &fstest.MapFile{} },
			"cut":       func(files fstest.MapFS) { files[name] = &fstest.MapFile{Data: file.Data[:len(file.Data)-2]} },
			"lengthed":  func(files fstest.MapFS) { files[name] = &fstest.MapFile{Data: append(slices.Clone(file.Data), 'x')} },
			"unlisted":  func(files fstest.MapFS) { files[name] = &fstest.MapFile{Mode: fs.ModeDir} },
			"oversized": func(files fstest.MapFS) { files[name] = oversized },
		} {
			if older && what == "removed" {
				continue // older checkpoints are a help, not a duty
			}
			files := maps.Clone(honest)
			change(files)
			r, err := verify.Verify(context.Background(), files, verify.Config{})
			if err == nil && r.Intact() {
				t.Errorf("%s %s: intact", name, what)
			}
			if err != nil && !errors.Is(err, verify.ErrUnusable) {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
	}
}

func TestRandomDamageIsNoticed(t *testing.T) {
	k := small()
	random := rand.New(rand.NewSource(5))
	honest := k.parts().files()
	var names []string
	for name := range honest {
		if name != "log.json" && name != "keys.json" { // JSON has bytes without meaning; keys are pinned here
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for range 200 {
		name := names[random.Intn(len(names))]
		data := slices.Clone(honest[name].Data)
		data[random.Intn(len(data))] ^= 1 << random.Intn(8)
		files := maps.Clone(honest)
		files[name] = &fstest.MapFile{Data: data}
		if r := check(t, files, verify.Config{Keys: k.keys}); r.Intact() {
			t.Fatalf("a flipped bit in %s goes unnoticed", name)
		}
	}
}

func TestChangedTilesAreToldFromChangedEntries(t *testing.T) {
	k := large()
	files := k.parts().files()
	tile := files["tile/0/001"]
	data := slices.Clone(tile.Data)
	data[32*44] ^= 1
	files["tile/0/001"] = &fstest.MapFile{Data: data}
	wantFirst(t, check(t, files, verify.Config{}), verify.KindTile, 300)

	files = k.parts().files()
	data = slices.Clone(files["tile/1/000.p/2"].Data)
	data[32] ^= 1
	files["tile/1/000.p/2"] = &fstest.MapFile{Data: data}
	r := check(t, files, verify.Config{})
	if f := r.Findings[0]; f.Kind != verify.KindTile || f.First != 256 || f.Last != 511 || f.Exact() {
		t.Errorf("finding %+v", f)
	}
}

func TestEntriesBeyondTheCheckpointAreFound(t *testing.T) {
	k := newKit(600)
	p := k.parts()
	for _, size := range []int{512, 513, 520} {
		short := k.parts()
		short.entries, short.leaves, short.checkpoints = p.entries[:size], p.leaves[:size], nil
		short.head = k.sign(short.leaves)
		short.signatures = slices.DeleteFunc(short.signatures, func(s verify.EntrySignature) bool { return s.Seq >= uint64(size) })
		short.openings = slices.DeleteFunc(short.openings, func(o verify.Opening) bool { return o.Seq >= uint64(size) })
		files := short.files()
		if r := check(t, files, verify.Config{}); !r.Intact() {
			t.Fatalf("size %d: %v", size, r.Err())
		}
		for name, file := range p.files() {
			if strings.HasPrefix(name, "tile/entries/002.p") {
				files[name] = file
			}
		}
		wantFirst(t, check(t, files, verify.Config{}), verify.KindTrailing, uint64(size))
	}
}

// endless is a file without end.
type endless struct{ fstest.MapFS }

type endlessFile struct{ fs.File }

func (endlessFile) Read(b []byte) (int, error) {
	return copy(b, bytes.Repeat([]byte{0xff}, len(b))), nil
}

func (e endless) Open(name string) (fs.File, error) {
	f, err := e.MapFS.Open(name)
	if err == nil && strings.HasPrefix(name, "tile/entries/") {
		return endlessFile{f}, nil
	}
	return f, err
}

// broken fails in the middle of reading.
type brokenFile struct {
	fs.File
	n int
}

func (f *brokenFile) Read(b []byte) (int, error) {
	if f.n++; f.n > 1 {
		return 0, io.ErrUnexpectedEOF
	}
	return f.File.Read(b[:min(10, len(b))])
}

type broken struct{ fstest.MapFS }

func (e broken) Open(name string) (fs.File, error) {
	f, err := e.MapFS.Open(name)
	if err == nil && (strings.HasPrefix(name, "tile/") || strings.HasSuffix(name, "l")) {
		return &brokenFile{File: f}, nil
	}
	return f, err
}

func TestHostileFileSystemsEnd(t *testing.T) {
	for name, fsys := range map[string]fs.FS{"endless": endless{small().parts().files()}, "failing": broken{small().parts().files()}} {
		r, err := verify.Verify(context.Background(), fsys, verify.Config{})
		if err != nil || r.Intact() {
			t.Errorf("%s: %v, %v", name, err, r)
		}
	}
}

func TestWriterRefusesDisorder(t *testing.T) {
	k := small()
	p := k.parts()
	w := must(verify.NewWriter(mapFiles{}, p.info))
	if err := w.Append(make([]byte, verify.MaxEntry+1), [32]byte{}); !errors.Is(err, verify.ErrTooLarge) {
		t.Errorf("oversized entry: %v", err)
	}
	if err := w.Opening(p.openings[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(p.entries[0], p.leaves[0]); !errors.Is(err, verify.ErrOrder) {
		t.Errorf("entry after openings: %v", err)
	}
	if err := w.Signature(p.signatures[0]); !errors.Is(err, verify.ErrOrder) {
		t.Errorf("signature after openings: %v", err)
	}
	if err := w.Opening(verify.Opening{Value: strings.Repeat("x", verify.MaxPersonal+1)}); !errors.Is(err, verify.ErrTooLarge) {
		t.Errorf("oversized value: %v", err)
	}
	if _, err := verify.NewWriter(mapFiles{}, verify.LogInfo{Origin: "../x"}); !errors.Is(err, verify.ErrMalformed) {
		t.Errorf("malformed origin: %v", err)
	}
}
