package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"

	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

const (
	maxSpots = 3 // broken positions shown in context
	around   = 2 // entries before and after
)

// spot is a broken position with the entries around it.
type spot struct {
	Title  string
	Rows   []spotRow
	Fields []field
}

// spotRow is an entry near a broken position.
type spotRow struct {
	Seq                uint64
	At, Action, Entity string
	Link, Hash, Leaf   check
	Fault              bool
	Unreadable         string
}

// check is the comparison of what is stored with what was computed again.
type check struct{ Stored, Computed string }

// Good reports whether they agree.
func (c check) Good() bool { return c.Stored == c.Computed }

// Short is the beginning of what is stored.
func (c check) Short() string { return c.Stored[:min(12, len(c.Stored))] }

// field is a field of the broken entry.
type field struct {
	Name, Value, Computed string
	Bad                   bool
}

// newSpots reads the surroundings of the first exact findings.
func newSpots(in Input) []spot {
	var spots []spot
	seen := map[uint64]bool{}
	for _, f := range in.Report.Findings {
		if len(spots) == maxSpots {
			break
		}
		if !f.Exact() || seen[f.First] {
			continue
		}
		seen[f.First] = true
		if s := newSpot(in, f.First); len(s.Rows) > 0 {
			spots = append(spots, s)
		}
	}
	return spots
}

func newSpot(in Input, at uint64) spot {
	s := spot{Title: in.Lang.Range(at, at)}
	first := max(at, around) - around
	var before *verify.Entry
	if first > 0 { // the entry before the first shown, for its link
		first--
	}
	seq := first
	for canonical, err := range verify.Entries(in.Export, first, in.Report.Size) {
		if err != nil || seq > at+around {
			break
		}
		row, e := newRow(in, seq, canonical, before)
		row.Fault = seq == at
		if seq+around >= at {
			s.Rows = append(s.Rows, row)
		}
		if seq == at && e != nil {
			s.Fields = fields(in.Lang, e, row)
		}
		before = e
		seq++
	}
	return s
}

func newRow(in Input, seq uint64, canonical []byte, before *verify.Entry) (spotRow, *verify.Entry) {
	leaf := verify.LeafHash(canonical)
	row := spotRow{Seq: seq, Leaf: check{leafOf(in, seq), hex.EncodeToString(leaf[:])}}
	e, err := verify.ParseEntry(canonical)
	if err != nil {
		sum := sha256.Sum256(canonical)
		row.Unreadable = in.Lang.T("not in form: %d bytes with SHA-256 %x", len(canonical), sum)
		return row, nil
	}
	row.At, row.Action = in.Lang.Time(e.CreatedAt), words.Clean(e.Action)
	row.Entity = words.Clean(e.EntityType + " " + e.EntityID)
	computed := verify.ChainHash(e.PreviousHash, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
	row.Hash = check{hex.EncodeToString(e.CurrentHash[:]), hex.EncodeToString(computed[:])}
	row.Link.Stored = hex.EncodeToString(e.PreviousHash[:])
	row.Link.Computed = row.Link.Stored
	switch {
	case before != nil:
		row.Link.Computed = hex.EncodeToString(before.CurrentHash[:])
	case seq == 0:
		row.Link.Computed = hex.EncodeToString(make([]byte, 32))
	}
	return row, e
}

// fields are the fields of an entry, with what was computed again beside what is stored.
func fields(l words.Lang, e *verify.Entry, row spotRow) []field {
	user := "–"
	if e.User != nil {
		user = words.UUID(*e.User)
	}
	list := []field{
		{Name: "seq", Value: fmt.Sprint(e.Seq), Computed: fmt.Sprint(row.Seq), Bad: e.Seq != row.Seq},
		{Name: "id", Value: words.UUID(e.ID)}, {Name: "tenant_id", Value: words.UUID(e.Tenant)}, {Name: "user_id", Value: user},
		{Name: "action", Value: e.Action}, {Name: "entity_type", Value: e.EntityType}, {Name: "entity_id", Value: e.EntityID},
		{Name: "details", Value: string(e.Details)}, {Name: "nis2_narrative", Value: e.Narrative},
		{Name: "created_at", Value: e.CreatedAt.Format("2006-01-02T15:04:05.000000Z")},
		{Name: "class", Value: e.Class.String()}, {Name: "scheme", Value: e.Scheme.String()},
		{Name: "previous_hash", Value: row.Link.Stored, Computed: row.Link.Computed, Bad: !row.Link.Good()},
		{Name: "current_hash", Value: row.Hash.Stored, Computed: row.Hash.Computed, Bad: !row.Hash.Good()},
		{Name: l.T("leaf in the tree"), Value: row.Leaf.Stored, Computed: row.Leaf.Computed, Bad: !row.Leaf.Good()},
	}
	for i := range list {
		list[i].Value = words.Clean(list[i].Value)
	}
	return list
}

// leafOf reads the leaf hash that the tree has for a position, or nothing.
func leafOf(in Input, seq uint64) string {
	start := seq / verify.TileWidth * verify.TileWidth
	t := verify.Tile{Index: seq / verify.TileWidth, Width: int(min(verify.TileWidth, in.Report.Size-start))}
	b, err := readSome(in.Export, t.Path(), verify.MaxTile)
	at := int(seq-start) * sha256.Size
	if err != nil || len(b) < at+sha256.Size {
		return ""
	}
	return hex.EncodeToString(b[at : at+sha256.Size])
}

func readSome(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// openings collects the openings of some entries that fit their commitments.
func openings(fsys fs.FS, entries []*verify.Entry) map[[32]byte]string {
	want := map[uint64]bool{}
	for _, e := range entries {
		if e.Scheme == verify.SchemeBound && len(e.Commitments()) > 0 {
			want[e.Seq] = true
		}
	}
	values := map[[32]byte]string{}
	if len(want) == 0 {
		return values
	}
	for o, err := range verify.Openings(fsys) {
		if err != nil {
			break
		}
		if want[o.Seq] && verify.Commitment(o.Salt, o.Value) == o.Commitment {
			values[o.Commitment] = o.Value
		}
	}
	return values
}
