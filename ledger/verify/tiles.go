package verify

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// TileWidth is the number of hashes in a full tile and of entries in a full bundle (C2SP tlog-tiles).
const TileWidth = 256

// Bytes of the largest tile and entry bundle.
const (
	MaxTile   = TileWidth * 32
	MaxBundle = TileWidth * (2 + MaxEntry)
)

// A Tile names a file of tlog-tiles: hashes at a level, or a bundle of entries.
type Tile struct {
	Entries bool   // an entry bundle; Level is zero
	Level   int    // 0–63
	Index   uint64 // within the level
	Width   int    // 1–256; less than 256 is a partial tile
}

const maxLevel = 63

// Path returns the tile's path: tile/<level or "entries">/<index>[.p/<width>], the index in groups of three digits of
// which all but the last begin with x.
func (t Tile) Path() string {
	var b strings.Builder
	b.WriteString("tile/")
	if t.Entries {
		b.WriteString("entries")
	} else {
		b.WriteString(strconv.Itoa(t.Level))
	}
	digits := strconv.FormatUint(t.Index, 10)
	digits = strings.Repeat("0", (3-len(digits)%3)%3) + digits
	for ; len(digits) > 3; digits = digits[3:] {
		b.WriteString("/x" + digits[:3])
	}
	b.WriteString("/" + digits)
	if t.Width < TileWidth {
		fmt.Fprintf(&b, ".p/%d", t.Width)
	}
	return b.String()
}

// ParseTilePath parses a path that Path returns, and nothing else.
func ParseTilePath(path string) (Tile, error) {
	bad := malformed("tile", "not a tile path")
	rest, ok := strings.CutPrefix(path, "tile/")
	kind, rest, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || len(path) > 64 {
		return Tile{}, bad
	}
	t := Tile{Width: TileWidth, Entries: kind == "entries"}
	if !t.Entries {
		level, err := parseDecimal(kind)
		if err != nil || level > maxLevel {
			return Tile{}, bad
		}
		t.Level = int(level)
	}
	if index, width, partial := strings.Cut(rest, ".p/"); partial {
		w, err := parseDecimal(width)
		if err != nil || w == 0 || w >= TileWidth {
			return Tile{}, bad
		}
		rest, t.Width = index, int(w)
	}
	var err error
	if t.Index, err = strconv.ParseUint(strings.NewReplacer("/x", "", "/", "").Replace(strings.TrimPrefix(rest, "x")), 10, 64); err != nil {
		return Tile{}, bad
	}
	if t.Path() != path {
		return Tile{}, bad
	}
	return t, nil
}

// AppendBundle appends an entry to an entry bundle: its length in two big-endian bytes, then its bytes. It panics if
// the entry is over MaxEntry.
func AppendBundle(bundle, canonical []byte) []byte {
	if len(canonical) > MaxEntry {
		panic("verify: entry larger than MaxEntry")
	}
	return append(binary.BigEndian.AppendUint16(bundle, uint16(len(canonical))), canonical...)
}

// CutBundle splits the first entry off an entry bundle. The error wraps ErrMalformed or ErrTooLarge.
func CutBundle(bundle []byte) (canonical, rest []byte, err error) {
	if len(bundle) < 2 {
		return nil, nil, malformed("bundle", "truncated")
	}
	n := int(binary.BigEndian.Uint16(bundle))
	if n > MaxEntry {
		return nil, nil, tooLarge("entry", n, MaxEntry)
	}
	if n > len(bundle)-2 {
		return nil, nil, malformed("bundle", "truncated")
	}
	return bundle[2 : 2+n : 2+n], bundle[2+n:], nil
}
