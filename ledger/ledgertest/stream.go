package ledgertest

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// StreamEntry is the number of bytes in the canonical form of every entry of a Stream.
const StreamEntry = 1024

// Stream is the export of an intact log of any length whose entries are made while they are read: it keeps the upper hashes of
// the tree and one hash per bundle, 64 bytes per 256 entries. It is an fs.FS for one reader: an open file is valid until the
// next one of its kind is opened.
type Stream struct {
	size           uint64
	kept           fstest.MapFS // every file but entries and leaves
	first          [][32]byte   // hash before each bundle
	proto          []byte       // canonical form of an entry, to be patched
	marks          []int        // where its number stands in digits
	id, narrative  [2]int       // where entity_id and narrative stand
	bundle, leaves []byte
}

// Places in the canonical form of an entry with a user (package ledger/verify).
const (
	atSeq, atID, atTime, atPrevious, atCurrent = 1, 9, 60, 68, 100

	streamAction = "device_policy_changed"
	streamNumber = "000000000000"
)

var streamStart = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// NewStream makes the log once from end to end, a few seconds per million entries.
func NewStream(size uint64) (*Stream, error) {
	s := &Stream{size: size, kept: fstest.MapFS{}}
	if err := s.prototype(); err != nil {
		return nil, err
	}
	return s, s.build()
}

// prototype makes the entry that all others are copies of.
func (s *Stream) prototype() error {
	e := verify.Entry{
		Tenant: [16]byte{0x6b, 15: 6}, User: &[16]byte{9}, Action: streamAction, EntityType: "device", EntityID: "0f8a1c52-7d19-4b60-93aa-" + streamNumber,
		Narrative: "Am 01.03.2026 wurde die Richtlinie „Laufwerksverschlüsselung“ für das Gerät " + streamNumber + " durch die Administration geändert. Die Änderung wurde nach dem Vier-Augen-Prinzip geprüft und freigegeben.",
		CreatedAt: streamStart, Scheme: verify.SchemeBound,
	}
	for fill := StreamEntry; ; { // until it has the size that was asked for
		var err error
		if e.Details, err = verify.CanonicalDetails(map[string]any{
			"before": map[string]any{"policy": "bitlocker-2024", "enforced": false, "grace_hours": int64(72)},
			"after":  map[string]any{"policy": "bitlocker-2026", "enforced": true, "grace_hours": int64(24)},
			"groups": []any{"werkstatt", "verwaltung", "außendienst"}, "number": streamNumber,
			"note": strings.Repeat("Standort Köln, Haus 3; ", fill/24) + strings.Repeat(".", fill%24),
		}); err != nil {
			return err
		}
		if s.proto, err = e.Canonical(); err != nil {
			return err
		}
		if len(s.proto) == StreamEntry {
			break
		}
		fill -= len(s.proto) - StreamEntry
	}
	for at := 0; ; at++ {
		i := bytes.Index(s.proto[at:], []byte(streamNumber))
		if i < 0 {
			break
		}
		at += i
		s.marks = append(s.marks, at)
	}
	place := func(text string) [2]int {
		i := bytes.Index(s.proto, []byte(text))
		return [2]int{i, i + len(text)}
	}
	s.id, s.narrative = place(e.EntityID), place(e.Narrative)
	return nil
}

// make patches the prototype into entry seq and returns its hash.
func (s *Stream) make(seq uint64, previous [32]byte) [32]byte {
	b := s.proto
	binary.BigEndian.PutUint64(b[atSeq:], seq)
	binary.BigEndian.PutUint64(b[atID:], seq+1)
	at := streamStart.Add(time.Duration(seq) * 137 * time.Microsecond)
	binary.BigEndian.PutUint64(b[atTime:], uint64(at.UnixMicro()))
	for n, i := seq, len(streamNumber)-1; i >= 0; i-- {
		for _, mark := range s.marks {
			b[mark+i] = byte('0' + n%10)
		}
		n /= 10
	}
	current := verify.ChainHash(previous, streamAction, string(b[s.id[0]:s.id[1]]), string(b[s.narrative[0]:s.narrative[1]]), at)
	copy(b[atPrevious:], previous[:])
	copy(b[atCurrent:], current[:])
	return current
}

// build runs through the log and keeps what cannot be made bundle by bundle.
func (s *Stream) build() error {
	composite, err := sign.NewCompositeKey(rand.Reader)
	if err != nil {
		return err
	}
	critic, err := sign.NewCompositeKey(rand.Reader)
	if err != nil {
		return err
	}
	stock, err := sign.NewEd25519Key(rand.Reader)
	if err != nil {
		return err
	}
	origin := verify.FormatOrigin("audit.example", [16]byte{0xab, 0xcd}, 1)
	w, err := verify.NewWriter(upperFiles{s.kept}, verify.LogInfo{Origin: origin, Exporter: "stream", ExportedAt: streamStart, Openings: true})
	if err != nil {
		return err
	}
	var tree verify.Tree
	var previous [32]byte
	for seq := range s.size {
		if seq%verify.TileWidth == 0 {
			s.first = append(s.first, previous)
		}
		previous = s.make(seq, previous)
		leaf := verify.LeafHash(s.proto)
		tree.Append(leaf)
		if err := w.Append(s.proto, leaf); err != nil {
			return err
		}
	}
	head, err := verify.SignCheckpoint(verify.Checkpoint{Origin: origin, Size: s.size, Root: tree.Root()}, composite, stock)
	if err != nil {
		return err
	}
	return w.Close(head, &verify.KeyHistory{Origin: origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: composite.Public()}, {Purpose: verify.PurposeStock, Ed25519: stock.Public()},
		{Purpose: verify.PurposeEntry, Composite: critic.Public()},
	}})
}

// Open opens a file of the export.
func (s *Stream) Open(name string) (fs.File, error) {
	if s.kept[name] != nil {
		return s.kept.Open(name)
	}
	t, err := verify.ParseTilePath(name)
	start := t.Index * verify.TileWidth
	if err != nil || t.Level > 0 || start >= s.size || t.Width != int(min(verify.TileWidth, s.size-start)) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	content := s.fill(t)
	return fstest.MapFS{name: &fstest.MapFile{Data: content}}.Open(name)
}

// Each calls fn with the names of all files, ascending within a kind, and ends with fn's first error.
func (s *Stream) Each(fn func(name string) error) error {
	names := slices.Sorted(maps.Keys(s.kept))
	for _, entries := range []bool{true, false} {
		for start := uint64(0); start < s.size; start += verify.TileWidth {
			t := verify.Tile{Entries: entries, Index: start / verify.TileWidth, Width: int(min(verify.TileWidth, s.size-start))}
			if err := fn(t.Path()); err != nil {
				return err
			}
		}
	}
	for _, name := range names {
		if err := fn(name); err != nil {
			return err
		}
	}
	return nil
}

// fill makes the entries or the leaves of a tile.
func (s *Stream) fill(t verify.Tile) []byte {
	b := &s.leaves
	if t.Entries {
		b = &s.bundle
	}
	*b = (*b)[:0]
	previous := s.first[t.Index]
	for i := range t.Width {
		previous = s.make(t.Index*verify.TileWidth+uint64(i), previous)
		if t.Entries {
			*b = verify.AppendBundle(*b, s.proto)
		} else {
			leaf := verify.LeafHash(s.proto)
			*b = append(*b, leaf[:]...)
		}
	}
	return *b
}

// upperFiles keeps the files of an export that are not made again.
type upperFiles struct{ kept fstest.MapFS }

// Create begins a file.
func (u upperFiles) Create(name string) (io.WriteCloser, error) {
	if strings.HasPrefix(name, "tile/entries/") || strings.HasPrefix(name, "tile/0/") {
		return discarded{}, nil
	}
	if u.kept[name] != nil {
		return nil, fmt.Errorf("ledgertest: stream: %s is written twice", name)
	}
	f := &fstest.MapFile{}
	u.kept[name] = f
	return (*keptFile)(f), nil
}

type keptFile fstest.MapFile

func (f *keptFile) Write(b []byte) (int, error) {
	f.Data = append(f.Data, b...)
	return len(b), nil
}

func (*keptFile) Close() error { return nil }

type discarded struct{}

func (discarded) Write(b []byte) (int, error) { return len(b), nil }
func (discarded) Close() error                { return nil }
