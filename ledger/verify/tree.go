package verify

import (
	"crypto/sha256"
	"errors"
	"math"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrProof reports an inclusion or consistency proof that does not hold.
var ErrProof = errors.New("verify: proof does not hold")

// maxSize bounds log sizes to what golang.org/x/mod/sumdb/tlog can count.
const maxSize = math.MaxInt64 >> 8

// nodeHash is RFC 6962 §2.1: SHA-256(0x01 ‖ left ‖ right).
func nodeHash(left, right *[32]byte) [32]byte {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// Tree computes the RFC 6962 root of a log entry by entry, in memory logarithmic in its size. The zero value is an
// empty tree. It is not safe for concurrent use.
type Tree struct {
	size  uint64
	peaks [64][32]byte // roots of the perfect subtrees that make up the tree, largest first
	n     int
}

// ResumeTree continues a tree from its size and the peaks that [Tree.Peaks] returned.
func ResumeTree(size uint64, peaks [][32]byte) (*Tree, error) {
	if len(peaks) != bits.OnesCount64(size) || size > maxSize {
		return nil, malformed("tree", "peaks do not fit the size")
	}
	t := &Tree{size: size, n: len(peaks)}
	copy(t.peaks[:], peaks)
	return t, nil
}

// Append adds a leaf hash.
func (t *Tree) Append(leaf [32]byte) {
	t.peaks[t.n] = leaf
	t.n++
	// Every trailing one bit of the old size is a subtree as large as the one just made.
	for s := t.size; s&1 == 1; s >>= 1 {
		t.peaks[t.n-2] = nodeHash(&t.peaks[t.n-2], &t.peaks[t.n-1])
		t.n--
	}
	t.size++
}

// Size returns the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Peaks returns the roots of the perfect subtrees, largest first, one per one bit of the size.
func (t *Tree) Peaks() [][32]byte { return append([][32]byte(nil), t.peaks[:t.n]...) }

// Root returns the tree's root; that of an empty tree is SHA-256 of nothing.
func (t *Tree) Root() [32]byte {
	if t.n == 0 {
		return sha256.Sum256(nil)
	}
	root := t.peaks[t.n-1]
	for i := t.n - 2; i >= 0; i-- {
		root = nodeHash(&t.peaks[i], &root)
	}
	return root
}

// CheckInclusion reports whether proof shows leaf at index in the log of the given size and root (RFC 6962 §2.1.1).
// The error wraps ErrProof.
func CheckInclusion(proof [][32]byte, index, size uint64, leaf, root [32]byte) error {
	if size > maxSize || index >= size {
		return ErrProof
	}
	if tlog.CheckRecord(toTlog(proof), int64(size), root, int64(index), leaf) != nil {
		return ErrProof
	}
	return nil
}

// CheckConsistency reports whether proof shows that the log of newSize and newRoot begins with the log of oldSize and
// oldRoot (RFC 6962 §2.1.2). An empty old log needs an empty proof. The error wraps ErrProof.
func CheckConsistency(proof [][32]byte, oldSize, newSize uint64, oldRoot, newRoot [32]byte) error {
	switch {
	case newSize > maxSize || oldSize > newSize:
		return ErrProof
	case oldSize == 0:
		if len(proof) == 0 && oldRoot == sha256.Sum256(nil) {
			return nil
		}
		return ErrProof
	case tlog.CheckTree(toTlog(proof), int64(newSize), newRoot, int64(oldSize), oldRoot) != nil:
		return ErrProof
	}
	return nil
}

func toTlog(proof [][32]byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(proof))
	for i, h := range proof {
		hashes[i] = h
	}
	return hashes
}
