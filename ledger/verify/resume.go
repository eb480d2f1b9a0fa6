package verify

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

const nameFrom = "the checkpoint verified before"

// resume moves the beginning to the last bundle that Config.From does not cover with all its successors. The right edge of
// the tree is taken from the tiles, every hash checked against the trusted root. If that cannot be done, everything is read,
// so that the fault is placed.
func (r *run) resume() error {
	if r.from == nil {
		return nil
	}
	if err := r.dropEpochs(); err != nil {
		return err
	}
	if r.from.size <= TileWidth || r.from.size > r.head.Size || r.from.epoch > epochOf(r.head.Origin) {
		return nil
	}
	// The entry before the checkpoint's end is read again, so that the first new one is linked to something.
	start := (r.from.size - 1) / TileWidth * TileWidth
	tree := tlog.TileHashReader(tlog.Tree{N: int64(r.from.size), Hash: r.from.root}, edgeFiles{tileFiles{r}})
	if r.loadEdge(tree, start) != nil {
		r.levels = nil
		return nil
	}
	r.start, r.size, r.goodSize, r.report.From = start, start, start, start
	r.chain.pos, r.chain.seq, r.chain.skipPrev = start, start, true
	for i := range r.keyStates {
		// Announced before what is read: believed with the export's other keys, a fault in itself beside pinned ones.
		r.keyStates[i].trusted = r.keyStates[i].trusted || r.keys.Keys[i].From <= start
	}
	r.checkBefore(tree)
	r.skipLines()
	return nil
}

// dropEpochs takes away what was signed in an epoch before that of the trusted checkpoint: which part of it a recovery
// declared lost, only the whole log tells.
func (r *run) dropEpochs() error {
	kept := r.anchors[:0]
	for _, a := range r.anchors {
		switch {
		case a.epoch >= r.from.epoch:
			kept = append(kept, a)
		case !a.older:
			return fmt.Errorf("%w: %s is of an earlier epoch than %s: verify from the start", ErrUnusable, a.name, nameFrom)
		}
	}
	r.anchors = kept
	return nil
}

// loadEdge fills the levels with the hashes that stand left of a position, a multiple of TileWidth.
func (r *run) loadEdge(tree tlog.HashReader, start uint64) error {
	for at := 0; start>>(8*at) > 0; at++ {
		count := start >> (8 * at) // full subtrees of this level
		l := level{index: count / TileWidth}
		indexes := make([]int64, 0, TileWidth)
		for i := l.index * TileWidth; i < count; i++ {
			indexes = append(indexes, tlog.StoredHashIndex(8*at, int64(i)))
		}
		hashes, err := tree.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for _, h := range hashes {
			copy(l.hashes[32*l.n:], h[:])
			l.tree.Append(h)
			l.n++
		}
		r.levels = append(r.levels, l)
	}
	return nil
}

// checkBefore judges what vouches for the log at sizes before the entries that are read, by the same hashes.
func (r *run) checkBefore(tree tlog.HashReader) {
	for len(r.anchors) > 0 && r.anchors[0].size < r.start {
		a := r.anchors[0]
		r.anchors = r.anchors[1:]
		root, err := tlog.TreeHash(int64(a.size), tree)
		if err != nil || root != tlog.Hash(a.root) {
			r.add(&RootError{File: a.name, First: 0, Last: everything(a.size)})
		} else if a.older {
			r.report.Checkpoints++
		}
	}
	for len(r.receipts) > 0 && r.receipts[0].Index < r.start {
		// Its proof leads to the root of its checkpoint, which is among the anchors.
		r.report.Receipts++
		r.receipts = r.receipts[1:]
	}
}

// skipLines passes the lines of the side files about entries that are not read. A value erased by an entry that is read
// still belongs to what that entry erased.
func (r *run) skipLines() {
	for l := &r.signatures; l.any && l.cur.Seq < r.start; {
		l.next()
	}
	for l := &r.side.openings; l.any && l.cur.Seq < r.start; {
		l.next()
	}
	for l := &r.side.redactions; l.any && l.cur.Seq < r.start; l.next() {
		if l.cur.Entry >= r.start {
			if e := r.erasure(l.cur.Entry); e != nil {
				e.Add(l.cur.Seq, l.cur.Commitment)
			}
		}
	}
}

// edgeFiles reads the tiles of the export as those of a smaller tree, whose partial tiles are beginnings of its own.
type edgeFiles struct{ tileFiles }

// ReadTiles reads tiles; one of the wrong size is an error.
func (f edgeFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	whole := slices.Clone(tiles)
	for i, t := range tiles {
		whole[i].W = int(min(TileWidth, f.r.head.Size>>(8*t.L)-uint64(t.N)*TileWidth))
	}
	out, err := f.tileFiles.ReadTiles(whole)
	if err != nil {
		return nil, err
	}
	for i, t := range tiles {
		out[i] = out[i][:t.W*sha256.Size]
	}
	return out, nil
}
