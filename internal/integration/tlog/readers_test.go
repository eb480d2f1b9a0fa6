package tlog_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// tiles reads an export's tiles for golang.org/x/mod, which writes the height of tiles into paths.
type tiles string

func (tiles) Height() int { return 8 }

func (d tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range want {
		b, err := os.ReadFile(filepath.Join(string(d), filepath.FromSlash(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))))
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// golang.org/x/mod opens the checkpoint with the log's verifier key and proves every entry and prefix from the tiles.
func TestTheGoProjectsReadersAgree(t *testing.T) {
	x := newExport(t)
	v, err := note.NewVerifier(x.vkey)
	require.NoError(t, err)
	opened, err := note.Open(x.checkpoint, note.VerifierList(v))
	require.NoError(t, err)
	require.Len(t, opened.UnverifiedSigs, 1, "the composite line is let pass")
	cp, err := verify.ParseCheckpoint(opened.Text)
	require.NoError(t, err)

	tree := tlog.Tree{N: int64(cp.Size), Hash: cp.Root}
	reader := tlog.TileHashReader(tree, tiles(x.dir))
	for i, entry := range x.entries {
		proof, err := tlog.ProveRecord(tree.N, int64(i), reader)
		require.NoError(t, err)
		require.NoError(t, tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(entry)))
	}
	for _, n := range []int{1, 2, 255, 256, 257, 512, 599, 600} {
		proof, err := tlog.ProveTree(tree.N, int64(n), reader)
		require.NoError(t, err)
		require.NoError(t, tlog.CheckTree(proof, tree.N, tree.Hash, int64(n), x.rootAt(n)))
	}

	x.damage(t, "tile/0/001")
	_, err = tlog.ProveRecord(tree.N, 300, tlog.TileHashReader(tree, tiles(x.dir)))
	require.Error(t, err)
}

// bundleHashes is what Tessera needs to know about entries: that they are leaves as they stand.
func bundleHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var all [][]byte
	for _, e := range b.Entries {
		all = append(all, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return all, nil
}

func (x *export) fsck(t *testing.T) error {
	t.Helper()
	v, err := note.NewVerifier(x.vkey)
	require.NoError(t, err)
	return fsck.New(x.origin, v, client.FileFetcher{Root: x.dir}, bundleHashes, fsck.Opts{N: 2}).Check(t.Context())
}

// Tessera's fsck finds an export right, and wrong when any file it reads was changed.
func TestTesserasFsckAgrees(t *testing.T) {
	x := newExport(t)
	require.NoError(t, x.fsck(t))
	for _, name := range []string{"tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88"} {
		t.Run(strings.ReplaceAll(name, "/", " "), func(t *testing.T) {
			x := newExport(t)
			x.damage(t, name)
			require.Error(t, x.fsck(t))
		})
	}
	t.Run("root in the checkpoint", func(t *testing.T) {
		x := newExport(t)
		x.sign(t, verify.Checkpoint{Origin: x.origin, Size: size, Root: x.rootAt(size - 1)})
		require.Error(t, x.fsck(t))
	})
	t.Run("signature of the checkpoint", func(t *testing.T) {
		x := newExport(t)
		x.replace(t, "checkpoint", bytes.Replace(x.checkpoint, []byte("\n600\n"), []byte("\n599\n"), 1))
		require.Error(t, x.fsck(t))
	})
	t.Run("missing bundle", func(t *testing.T) {
		x := newExport(t)
		require.NoError(t, os.Remove(filepath.Join(x.dir, "tile", "entries", "001")))
		require.Error(t, x.fsck(t))
	})
}

// Tessera's client makes proofs from an export's tiles that our verifier accepts, and follows the log.
func TestTesserasClientAgrees(t *testing.T) {
	x := newExport(t)
	v, err := note.NewVerifier(x.vkey)
	require.NoError(t, err)
	files := client.FileFetcher{Root: x.dir}
	cp, raw, _, err := client.FetchCheckpoint(t.Context(), files.ReadCheckpoint, v, x.origin)
	require.NoError(t, err)
	require.Equal(t, x.checkpoint, raw)
	builder, err := client.NewProofBuilder(t.Context(), cp.Size, files.ReadTile)
	require.NoError(t, err)
	for _, i := range []uint64{0, 1, 255, 256, 511, 512, size - 1} {
		proof, err := builder.InclusionProof(t.Context(), i)
		require.NoError(t, err)
		require.NoError(t, verify.CheckInclusion(hashes(proof), i, size, verify.LeafHash(x.entries[i]), x.root))
	}
	for _, n := range []int{1, 200, 256, 300, 512, 513} {
		proof, err := builder.ConsistencyProof(t.Context(), uint64(n), size)
		require.NoError(t, err)
		require.NoError(t, verify.CheckConsistency(hashes(proof), uint64(n), size, x.rootAt(n), x.root))
	}
	bundle, err := client.GetEntryBundle(t.Context(), files.ReadEntryBundle, 2, size)
	require.NoError(t, err)
	require.Len(t, bundle.Entries, 88)
	for i, e := range bundle.Entries {
		require.Equal(t, x.entries[512+i], e, fmt.Sprint(512+i))
	}
	tracker, err := client.NewLogStateTracker(t.Context(), files.ReadTile, raw, v, x.origin, client.UnilateralConsensus(files.ReadCheckpoint))
	require.NoError(t, err)
	_, _, _, err = tracker.Update(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, size, tracker.Latest().Size)
}

func hashes(proof [][]byte) [][32]byte {
	var all [][32]byte
	for _, h := range proof {
		all = append(all, [32]byte(h))
	}
	return all
}
