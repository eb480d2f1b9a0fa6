package pgledger

import (
	"golang.org/x/mod/sumdb/tlog"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// tileWidth is the number of hashes in a full tile (C2SP tlog-tiles).
const tileWidth = verify.TileWidth

// frontier is the right edge of a log's tree: the hashes of the unfinished tile at every level. It grows leaf by leaf and
// gives the root at any moment, in memory of at most 256 hashes a level.
type frontier struct {
	size   uint64
	levels [][][32]byte
}

// fullTile is a tile that became full, with the hash over it.
type fullTile struct {
	level  int
	index  uint64
	hashes []byte
	root   [32]byte
}

// add appends a leaf hash and hands out the tiles it fills.
func (f *frontier) add(leaf [32]byte, full func(fullTile)) {
	f.size++
	hash := leaf
	for level := 0; ; level++ {
		if level == len(f.levels) {
			f.levels = append(f.levels, make([][32]byte, 0, tileWidth))
		}
		f.levels[level] = append(f.levels[level], hash)
		if len(f.levels[level]) < tileWidth {
			return
		}
		hash = perfect(f.levels[level])
		index := f.size>>(8*(level+1)) - 1
		full(fullTile{level: level, index: index, hashes: join(f.levels[level]), root: hash})
		f.levels[level] = f.levels[level][:0]
	}
}

// root is the RFC 6962 root. The frontier must not be empty.
func (f *frontier) root() [32]byte {
	var right *[32]byte
	for _, hashes := range f.levels {
		// The perfect subtrees of this level, smallest first, are what the one bits of their number say.
		for rest := len(hashes); rest > 0; {
			width := rest & -rest
			h := perfect(hashes[rest-width : rest])
			if right != nil {
				h = node(h, *right)
			}
			right = &h
			rest -= width
		}
	}
	return *right
}

// perfect is the root over a power of two of hashes.
func perfect(hashes [][32]byte) [32]byte {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return node(perfect(hashes[:half]), perfect(hashes[half:]))
}

func node(left, right [32]byte) [32]byte { return tlog.NodeHash(left, right) }

func join(hashes [][32]byte) []byte {
	b := make([]byte, 0, 32*len(hashes))
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

func (f *frontier) clone() frontier {
	g := frontier{size: f.size, levels: make([][][32]byte, len(f.levels))}
	for i, hashes := range f.levels {
		g.levels[i] = append(make([][32]byte, 0, tileWidth), hashes...)
	}
	return g
}
