package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"slices"
)

var (
	commitInDetails   = []byte(`{"c":"`)
	commitInNarrative = []byte(`{c:`)
)

// commitments collects the different commitments of an entry in ascending order, re-using dst. A commitment is the
// object {"c":"<64 hex>"} in the details and the text {c:<64 hex>} in the narrative; entries of SchemePlain have none.
func (v *view) commitments(dst [][32]byte) [][32]byte {
	dst = dst[:0]
	if v.scheme != SchemeBound {
		return dst
	}
	if v.commits {
		// In canonical JSON a quote inside a string is escaped, so this pattern is always an object.
		dst = collect(dst, v.details, commitInDetails, `"}`)
	}
	dst = collect(dst, v.narrative, commitInNarrative, `}`)
	if len(dst) > 1 {
		slices.SortFunc(dst, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
		dst = slices.Compact(dst)
	}
	return dst
}

func collect(dst [][32]byte, text, open []byte, end string) [][32]byte {
	for {
		i := bytes.Index(text, open)
		if i < 0 {
			return dst
		}
		text = text[i+len(open):]
		var c [32]byte
		if len(text) >= 64+len(end) && string(text[64:64+len(end)]) == end && decodeHex(c[:], text[:64]) {
			dst = append(dst, c)
		}
	}
}

// Commitments returns the different commitments that e's details and narrative hold, in ascending order.
func (e *Entry) Commitments() [][32]byte {
	v := view{scheme: e.Scheme, details: e.Details, narrative: []byte(e.Narrative), commits: true}
	return v.commitments(nil)
}

// RedactionAction is the action of the entry that a lawful erasure appends to the log. Its details hold two members:
// erased_count, the number of commitments whose values were erased, and erased_digest, their [Erasure] digest in
// hexadecimal digits.
const RedactionAction = "personal_data_erased"

// Names of the details of an entry with RedactionAction.
const (
	ErasedCount  = "erased_count"
	ErasedDigest = "erased_digest"
)

// Erasure digests the commitments that one redaction entry erases: SHA-256 over seq (8 bytes, big endian) ‖ commitment
// of each, ascending. The zero value is not usable; see [NewErasure].
type Erasure struct {
	count uint64
	h     hash.Hash
}

// NewErasure returns an empty digest.
func NewErasure() *Erasure { return &Erasure{h: sha256.New()} }

// Add adds a commitment of entry seq. Calls ascend by seq, then by commitment.
func (e *Erasure) Add(seq uint64, commitment [32]byte) {
	var b [40]byte
	binary.BigEndian.PutUint64(b[:], seq)
	copy(b[8:], commitment[:])
	e.h.Write(b[:])
	e.count++
}

// Sum returns the number of commitments and their digest.
func (e *Erasure) Sum() (count uint64, digest [32]byte) { return e.count, [32]byte(e.h.Sum(nil)) }

// erased reads what a redaction entry's details claim.
func erased(details []byte) (count uint64, digest [32]byte, ok bool) {
	var d struct {
		Count  *uint64 `json:"erased_count"`
		Digest string  `json:"erased_digest"`
	}
	if json.Unmarshal(details, &d) != nil || d.Count == nil || len(d.Digest) != 64 {
		return 0, digest, false
	}
	return *d.Count, digest, decodeHex(digest[:], []byte(d.Digest))
}
