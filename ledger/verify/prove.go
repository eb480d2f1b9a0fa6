package verify

import (
	"crypto/sha256"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// Prove makes the receipt of one entry from the tiles of an export and returns the entry's canonical form beside it. It checks the entry
// and every hash it uses against the export's checkpoint, and reads few files however long the log is. Whether the checkpoint is signed
// is for [Receipt.Verify] to say. The error wraps ErrUnusable, ErrMalformed, ErrTooLarge or ErrProof.
func Prove(fsys fs.FS, seq uint64) (receipt *Receipt, canonical []byte, err error) {
	r := run{fsys: fsys}
	signed, err := r.read(fileCheckpoint, MaxCheckpoint, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %v", ErrUnusable, fileCheckpoint, err)
	}
	head, err := peekCheckpoint(signed)
	if err != nil {
		return nil, nil, err
	}
	if seq >= head.Size {
		return nil, nil, fmt.Errorf("%w: entry %d of a log of %d", ErrUnusable, seq, head.Size)
	}
	for b, err := range Entries(fsys, seq, head.Size) {
		if err != nil {
			return nil, nil, err
		}
		canonical = append([]byte(nil), b...)
		break
	}
	tree := tlog.Tree{N: int64(head.Size), Hash: head.Root}
	proof, err := tlog.ProveRecord(int64(head.Size), int64(seq), tlog.TileHashReader(tree, tileFiles{&r}))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: entry %d: the tiles do not give the checkpoint's root", ErrProof, seq)
	}
	receipt = &Receipt{Index: seq, Leaf: LeafHash(canonical), Checkpoint: signed}
	for _, h := range proof {
		receipt.Proof = append(receipt.Proof, h)
	}
	if err := CheckInclusion(receipt.Proof, seq, head.Size, receipt.Leaf, head.Root); err != nil {
		return nil, nil, fmt.Errorf("%w: entry %d is not the one that was hashed into the tree", err, seq)
	}
	return receipt, canonical, nil
}

// tileFiles reads an export's tiles for package tlog, which checks them against the root before it uses a hash of them.
type tileFiles struct{ r *run }

// Height returns the height of a tile.
func (tileFiles) Height() int { return 8 }

// ReadTiles reads tiles; one of the wrong size is an error.
func (f tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		b, err := f.r.read(Tile{Level: t.L, Index: uint64(t.N), Width: t.W}.Path(), MaxTile, nil)
		if err != nil {
			return nil, err
		}
		if len(b) != t.W*sha256.Size {
			return nil, ErrMalformed
		}
		out[i] = b
	}
	return out, nil
}

// SaveTiles does nothing: an export is not ours to write.
func (tileFiles) SaveTiles([]tlog.Tile, [][]byte) {}
