package verify

import (
	"io/fs"
	"iter"
	"time"
)

// EntryView is an entry as Config.Entry sees it: cheap to look at, copied on demand. It is valid during the call only.
type EntryView struct {
	v   *view
	seq uint64
}

// Seq returns the entry's position, which is the seq it claims unless that was reported.
func (e EntryView) Seq() uint64 { return e.seq }

// CreatedAt returns the entry's time.
func (e EntryView) CreatedAt() time.Time { return time.UnixMicro(e.v.micros).UTC() }

// Critical reports whether the entry is of class critical.
func (e EntryView) Critical() bool { return e.v.class == Critical }

// HasAction reports whether the entry's action is name.
func (e EntryView) HasAction(name string) bool { return string(e.v.action) == name }

// Sentence returns what the narrative is judged by: an entry with Seq, Scheme, Narrative and Details only. Its details are valid during
// the call.
func (e EntryView) Sentence() Entry {
	return Entry{Seq: e.seq, Scheme: e.v.scheme, Narrative: string(e.v.narrative), Details: e.v.details}
}

// Copy returns the entry, for keeps.
func (e EntryView) Copy() *Entry { return e.v.entry() }

// Entries reads the canonical forms of an export's entries from a position on, of a log of the given size, as they are: nothing is
// checked but the limits of this package. The bytes are valid until the next step. An error ends the sequence.
func Entries(fsys fs.FS, from, size uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		r := run{fsys: fsys}
		for at := from; at < size; {
			start := at / TileWidth * TileWidth
			t := Tile{Entries: true, Index: at / TileWidth, Width: int(min(TileWidth, size-start))}
			var err error
			if r.buf, err = r.read(t.Path(), MaxBundle, r.buf); err != nil {
				yield(nil, &FileError{File: t.Path(), Err: err})
				return
			}
			for rest, seq := r.buf, start; seq < start+uint64(t.Width); seq++ {
				var canonical []byte
				if canonical, rest, err = CutBundle(rest); err != nil {
					yield(nil, &FileError{File: t.Path(), Err: err})
					return
				}
				if seq >= at && !yield(canonical, nil) {
					return
				}
			}
			at = start + uint64(t.Width)
		}
	}
}

// Openings reads an export's openings in ascending order, as they are: whether one fits its commitment is for Verify to say. An export
// without openings has none; an error ends the sequence.
func Openings(fsys fs.FS) iter.Seq2[Opening, error] {
	return func(yield func(Opening, error) bool) {
		r := run{fsys: fsys}
		r.openSides()
		defer r.close()
		l := &r.side.openings
		for ; l.any; l.next() {
			if !yield(l.cur, nil) {
				return
			}
		}
		if l.err != nil {
			yield(Opening{}, &FileError{File: fileOpenings, Err: l.err})
		}
	}
}
