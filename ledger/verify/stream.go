package verify

import (
	"bytes"
	"maps"
	"slices"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// level holds the hashes of a tree level since its last full tile, to compare with the tiles of the export.
type level struct {
	hashes [MaxTile]byte
	tree   Tree // over hashes; its root is the hash in the level above
	n      int
	index  uint64
}

// root returns the root over all entries read: the peaks of all levels together are the peaks of the whole tree.
func (r *run) root() [32]byte {
	var whole Tree
	for at := len(r.levels) - 1; at >= 0; at-- {
		t := &r.levels[at].tree
		whole.n += copy(whole.peaks[whole.n:], t.peaks[:t.n])
	}
	return whole.Root()
}

// leafTile reads the level 0 tile beside a bundle, or returns nil.
func (r *run) leafTile(index uint64, width int) []byte {
	t := Tile{Index: index, Width: width}
	var err error
	r.leafBuf, err = r.read(t.Path(), MaxTile, r.leafBuf)
	if err == nil && len(r.leafBuf) == 32*width {
		return r.leafBuf
	}
	first := index * TileWidth
	r.add(&TileError{Path: t.Path(), First: first, Last: first + uint64(width) - 1, Reason: "missing or of a wrong size"})
	return nil
}

// addHash adds a hash to a level; a full tile is compared and hashed into the level above.
func (r *run) addHash(at int, h [32]byte) {
	if at == len(r.levels) {
		r.levels = append(r.levels, level{})
	}
	l := &r.levels[at]
	copy(l.hashes[32*l.n:], h[:])
	l.tree.Append(h)
	if l.n++; l.n < TileWidth {
		return
	}
	r.compareTile(at)
	root := l.tree.Root()
	l.n, l.tree, l.index = 0, Tree{}, l.index+1
	r.addHash(at+1, root)
}

// compareTile compares the hashes gathered at a level with the export's tile.
func (r *run) compareTile(at int) {
	if at == 0 {
		return // its hashes were compared with the entries, one by one
	}
	l := &r.levels[at]
	t := Tile{Level: at, Index: l.index, Width: l.n}
	var err error
	r.tileBuf, err = r.read(t.Path(), MaxTile, r.tileBuf)
	span := uint64(1) << (8 * at) // entries below one hash
	first := t.Index * TileWidth * span
	if err != nil || len(r.tileBuf) != 32*l.n {
		r.add(&TileError{Path: t.Path(), First: first, Last: first + uint64(l.n)*span - 1, Reason: "missing or of a wrong size"})
		return
	}
	for i := range l.n {
		if !bytes.Equal(r.tileBuf[32*i:32*i+32], l.hashes[32*i:32*i+32]) {
			first += uint64(i) * span
			r.add(&TileError{Path: t.Path(), First: first, Last: first + span - 1, Reason: "hash is not that of the entries below"})
			return
		}
	}
}

// finishTiles compares the partial tiles at the right edge.
func (r *run) finishTiles() {
	for at := range r.levels {
		if r.levels[at].n > 0 {
			r.compareTile(at)
		}
	}
}

// checkSignature checks the signature of a critical entry, and that an ordinary one has none. It reports whether a key that
// counts vouches for the entry.
func (r *run) checkSignature(v *view, canonical []byte, seq uint64) (signed bool) {
	l := &r.signatures
	for l.any && l.cur.Seq < seq { // its entry could not be read
		l.next()
	}
	present := l.any && l.cur.Seq == seq
	switch {
	case v.class != Critical && !present:
	case v.class != Critical:
		r.add(&SignatureError{Seq: seq, Reason: "has a signature although it is not critical"})
	case !present:
		r.add(&SignatureError{Seq: seq, Reason: "is critical but its signature is missing"})
	default:
		signed = r.verifySignature(&l.cur, canonical, seq)
	}
	if present {
		l.next()
	}
	return signed
}

func (r *run) verifySignature(s *EntrySignature, canonical []byte, seq uint64) bool {
	at, ok := r.entryKey(s.Key, seq)
	switch {
	case !ok:
		r.add(&SignatureError{Seq: seq, Reason: "is signed by a key that is unknown or not valid there"})
	case r.keys.Keys[at].Composite.Verify(sign.ContextEntry, canonical, s.Sig) != nil:
		r.add(&SignatureError{Seq: seq, Reason: "has a signature that does not verify"})
	default:
		r.report.Critical++
		r.report.Keys[at].Used++
		return true
	}
	return false
}

// checkPersonal matches an entry's commitments with openings and redactions.
func (r *run) checkPersonal(v *view, seq uint64) {
	if v.isRedaction() || len(r.erasures) > 0 {
		r.checkRedactionEntry(v, seq)
	}
	o, d := &r.side.openings, &r.side.redactions
	r.commits = v.commitments(r.commits)
	if len(r.commits) == 0 && !(o.any && o.cur.Seq <= seq) && !(d.any && d.cur.Seq <= seq) {
		return
	}
	for o.any && o.cur.Seq < seq {
		o.next()
	}
	for d.any && d.cur.Seq < seq {
		d.next()
	}
	for _, c := range r.commits {
		opened := r.takeOpening(seq, c)
		erased := r.takeRedaction(seq, c)
		switch {
		case opened && erased:
			r.add(&RedactionError{Seq: seq, Entry: seq, Reason: "the erased value is still there"})
		case opened || erased:
		case r.openings:
			r.add(&MissingOpeningError{Seq: seq, Commitment: c})
		default:
			r.report.Withheld++
		}
	}
	// Whatever is left for this entry opens or erases nothing it holds.
	r.takeOpening(seq, [32]byte(bytes.Repeat([]byte{0xff}, 32)))
	r.takeRedaction(seq, [32]byte(bytes.Repeat([]byte{0xff}, 32)))
}

// takeOpening takes the openings of entry seq up to commitment c and reports whether c has one.
func (r *run) takeOpening(seq uint64, c [32]byte) bool {
	l := &r.side.openings
	for l.any && l.cur.Seq == seq {
		order := bytes.Compare(l.cur.Commitment[:], c[:])
		if order > 0 {
			return false
		}
		switch {
		case order < 0:
			r.add(&OpeningError{Seq: seq, Commitment: l.cur.Commitment, Reason: "of a commitment the entry does not hold"})
		case Commitment(l.cur.Salt, l.cur.Value) != c:
			r.add(&OpeningError{Seq: seq, Commitment: c, Reason: "does not give the commitment"})
		default:
			r.report.Openings++
		}
		l.next()
		if order == 0 {
			return true
		}
	}
	return false
}

// maxErasures bounds the redaction entries that may be outstanding at a time.
const maxErasures = 1 << 16

// takeRedaction takes the redactions of entry seq up to commitment c and reports whether c has one.
func (r *run) takeRedaction(seq uint64, c [32]byte) bool {
	l := &r.side.redactions
	for l.any && l.cur.Seq == seq {
		order := bytes.Compare(l.cur.Commitment[:], c[:])
		if order > 0 {
			return false
		}
		entry := l.cur.Entry
		switch {
		case order < 0:
			r.add(&RedactionError{Seq: seq, Entry: entry, Reason: "the entry holds no such value"})
		case entry <= seq:
			r.add(&RedactionError{Seq: seq, Entry: entry, Reason: "is not later than the value"})
		default:
			if e := r.erasure(entry); e != nil {
				e.Add(seq, c)
				r.report.Redacted++
			}
		}
		l.next()
		if order == 0 {
			return true
		}
	}
	return false
}

// erasure returns what a redaction entry that is still to come must erase, or nil if too many are.
func (r *run) erasure(entry uint64) *Erasure {
	e := r.erasures[entry]
	switch {
	case e == nil && len(r.erasures) >= maxErasures:
		r.add(&FileError{File: fileRedactions, Err: ErrTooLarge})
	case e == nil:
		e = NewErasure()
		r.erasures[entry] = e
	}
	return e
}

func (v *view) isRedaction() bool {
	return v.scheme == SchemeBound && string(v.action) == RedactionAction
}

// checkRedactionEntry checks that a redaction entry erases exactly what the redactions lay at its door.
func (r *run) checkRedactionEntry(v *view, seq uint64) {
	claimed := r.erasures[seq]
	delete(r.erasures, seq)
	if !v.isRedaction() {
		if claimed != nil {
			r.add(&RedactionError{Seq: seq, Entry: seq, Reason: "is not a redaction entry"})
		}
		return
	}
	if claimed == nil {
		claimed = NewErasure()
	}
	count, digest, ok := erased(v.details)
	haveCount, haveDigest := claimed.Sum()
	if !ok || count != haveCount || digest != haveDigest {
		r.add(&RedactionError{Seq: seq, Entry: seq, Reason: "erases other values than the export says"})
	}
}

// leftovers reports lines of the side files that belong to no entry.
func (r *run) leftovers() {
	if r.signatures.any && !r.stopped {
		r.add(&SignatureError{Seq: r.signatures.cur.Seq, Reason: "has a signature but is not in the export"})
	}
	if o := &r.side.openings; o.any && !r.stopped {
		r.add(&OpeningError{Seq: o.cur.Seq, Commitment: o.cur.Commitment, Reason: "of an entry that is not in the export"})
	}
	if d := &r.side.redactions; d.any && !r.stopped {
		r.add(&RedactionError{Seq: d.cur.Seq, Entry: d.cur.Entry, Reason: "its entry is not in the export"})
	}
	if !r.stopped {
		for _, entry := range slices.Sorted(maps.Keys(r.erasures)) {
			r.add(&RedactionError{Seq: entry, Entry: entry, Reason: "is not in the export"})
		}
	}
	for _, f := range []struct {
		name string
		err  error
	}{{fileSignatures, r.signatures.err}, {fileOpenings, r.side.openings.err}, {fileRedactions, r.side.redactions.err}} {
		if f.err != nil {
			r.add(&FileError{File: f.name, Err: f.err})
		}
	}
}
