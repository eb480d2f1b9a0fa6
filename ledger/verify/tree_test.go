package verify_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/pioneerdesk/tomkit/ledger/verify"
	"golang.org/x/mod/sumdb/tlog"
)

// storage is a tlog of leaf hashes, the reference for roots and proofs.
type storage []tlog.Hash

func (s storage) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = s[x]
	}
	return out, nil
}

func leaf(i int) [32]byte { return verify.LeafHash([]byte{byte(i), byte(i >> 8)}) }

func plain(proof []tlog.Hash) [][32]byte {
	out := make([][32]byte, len(proof))
	for i, h := range proof {
		out[i] = h
	}
	return out
}

func TestTreesAgreeWithTheReference(t *testing.T) {
	var s storage
	var tree verify.Tree
	if tree.Root() != sha256.Sum256(nil) {
		t.Error("root of nothing")
	}
	roots := [][32]byte{tree.Root()}
	for n := range 300 {
		s = append(s, must(tlog.StoredHashesForRecordHash(int64(n), leaf(n), s))...)
		tree.Append(leaf(n))
		if want := must(tlog.TreeHash(int64(n+1), s)); tree.Root() != want || tree.Size() != uint64(n+1) {
			t.Fatalf("size %d: root differs", n+1)
		}
		resumed := must(verify.ResumeTree(tree.Size(), tree.Peaks()))
		if resumed.Root() != tree.Root() {
			t.Fatalf("size %d: resumed root differs", n+1)
		}
		roots = append(roots, tree.Root())
	}
	const size = 300
	for i := range size {
		p := plain(must(tlog.ProveRecord(size, int64(i), s)))
		if err := verify.CheckInclusion(p, uint64(i), size, leaf(i), roots[size]); err != nil {
			t.Fatalf("inclusion of %d: %v", i, err)
		}
		if err := verify.CheckInclusion(p, uint64(i^1), size, leaf(i), roots[size]); !errors.Is(err, verify.ErrProof) {
			t.Fatalf("inclusion of %d at another index: %v", i, err)
		}
		if i == 0 {
			continue
		}
		c := plain(must(tlog.ProveTree(size, int64(i), s)))
		if err := verify.CheckConsistency(c, uint64(i), size, roots[i], roots[size]); err != nil {
			t.Fatalf("consistency with %d: %v", i, err)
		}
		if err := verify.CheckConsistency(c, uint64(i), size, roots[i-1], roots[size]); !errors.Is(err, verify.ErrProof) {
			t.Fatalf("consistency with a wrong root of %d: %v", i, err)
		}
	}
}

func TestProofsAtTheEdges(t *testing.T) {
	empty := sha256.Sum256(nil)
	for name, err := range map[string]error{
		"inclusion beyond the size":  verify.CheckInclusion(nil, 1, 1, leaf(0), leaf(0)),
		"inclusion in nothing":       verify.CheckInclusion(nil, 0, 0, leaf(0), empty),
		"absurd size":                verify.CheckInclusion(nil, 0, 1<<63, leaf(0), leaf(0)),
		"shrinking log":              verify.CheckConsistency(nil, 2, 1, leaf(0), leaf(0)),
		"wrong empty root":           verify.CheckConsistency(nil, 0, 1, leaf(1), leaf(0)),
		"proof where none is needed": verify.CheckConsistency([][32]byte{{}}, 0, 1, empty, leaf(0)),
		"absurd log":                 verify.CheckConsistency(nil, 1<<62, 1<<63, leaf(0), leaf(0)),
	} {
		if !errors.Is(err, verify.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verify.CheckInclusion(nil, 0, 1, leaf(0), leaf(0)); err != nil {
		t.Error(err)
	}
	if err := verify.CheckConsistency(nil, 0, 1, empty, leaf(0)); err != nil {
		t.Error(err)
	}
	if _, err := verify.ResumeTree(3, [][32]byte{{}}); err == nil {
		t.Error("peaks that do not fit are accepted")
	}
}

func TestRootOfThreeEntriesByHand(t *testing.T) {
	// RFC 6962 §2.1: SHA-256(01 ‖ SHA-256(01 ‖ L0 ‖ L1) ‖ L2)
	node := func(l, r []byte) []byte {
		h := sha256.Sum256(append(append([]byte{1}, l...), r...))
		return h[:]
	}
	l0, l1, l2 := leaf(0), leaf(1), leaf(2)
	want := node(node(l0[:], l1[:]), l2[:])
	if got := root([][32]byte{l0, l1, l2}); hex.EncodeToString(got[:]) != hex.EncodeToString(want) {
		t.Errorf("root %x, want %x", got, want)
	}
}
