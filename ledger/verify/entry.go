package verify

import (
	"encoding/binary"
	"time"
)

// Class says how an entry is signed.
type Class uint8

// Classes of entries.
const (
	Normal   Class = 0 // signed through checkpoints only
	Critical Class = 1 // carries a composite signature of its own over its canonical bytes as well
)

// String returns the class as it is written in tables and JSON.
func (c Class) String() string {
	switch c {
	case Normal:
		return "normal"
	case Critical:
		return "critical"
	}
	return "invalid"
}

// Scheme says what the chain formula of an entry hashed.
type Scheme uint8

// Schemes of entries.
const (
	SchemeBound Scheme = 1 // tomkit's own: the narrative is bound text, personal values are commitments
	SchemePlain Scheme = 2 // imported from a chain in the document's own format: the narrative is plain text
)

// String returns the scheme as it is written in tables and JSON.
func (s Scheme) String() string {
	switch s {
	case SchemeBound:
		return "bound"
	case SchemePlain:
		return "plain"
	}
	return "invalid"
}

// Entry is one entry of a tenant's log. Its canonical form binds every field.
type Entry struct {
	Seq    uint64    // 0-based position, gapless
	ID     [16]byte  // UUID of the entry
	Tenant [16]byte  // UUID of the tenant; the same in every entry of a log
	User   *[16]byte // UUID of the acting user; nil means a system action

	Action     string // 1–64 bytes of [a-z0-9_]; in SchemePlain any text of that length
	EntityType string // 1–64 bytes of [a-z0-9_]; in SchemePlain any text of at most 64 bytes
	EntityID   string // at most 256 bytes of UTF-8 without U+0000
	Details    []byte // canonical JSON object as CheckDetails accepts it, at most 48 KiB
	Narrative  string // at most 4,096 bytes of UTF-8 without U+0000

	PreviousHash [32]byte  // CurrentHash of the entry before; zero for the first
	CurrentHash  [32]byte  // ChainHash over the fields it covers
	CreatedAt    time.Time // UTC, whole microseconds, years 1970–9999; never before the entry before

	Class  Class
	Scheme Scheme
}

const (
	entryVersion = 0x01
	entryFixed   = 1 + 8 + 16 + 16 + 1 + 1 + 1 + 8 + 32 + 32 // without user and the five texts
	maxMicros    = 253402300799999999                        // 9999-12-31T23:59:59.999999Z
	maxRawText   = MaxNarrative + 1                          // one over the largest limit, so that a cut text is refused
)

// Timestamp returns t as entries hold it: UTC, cut (not rounded) to microseconds.
func Timestamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Canonical returns the canonical form of e, version 1, or an error that wraps ErrTooLarge or ErrMalformed. It checks
// the form of every field, not the chain: a wrong CurrentHash is encoded as it is.
func (e *Entry) Canonical() ([]byte, error) {
	b, err := e.AppendCanonical(make([]byte, 0, entryFixed+16+12+min(MaxEntry,
		len(e.Action)+len(e.EntityType)+len(e.EntityID)+len(e.Narrative)+len(e.Details))))
	if err != nil {
		return nil, err
	}
	return b, nil
}

// AppendCanonical appends the canonical form of e to dst. On an error it returns dst unchanged.
func (e *Entry) AppendCanonical(dst []byte) ([]byte, error) {
	if err := e.checkLengths(); err != nil {
		return dst, err
	}
	b := e.AppendRaw(dst)
	var v view
	if err := v.parse(b[len(dst):]); err != nil {
		return dst, err
	}
	return b, nil
}

// AppendRaw is AppendCanonical without the checks, for exporting rows that may be damaged: the verifier then names the
// damage. Texts too long for their length field are cut so that the form stays parseable.
func (e *Entry) AppendRaw(dst []byte) []byte {
	b := append(dst, entryVersion)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = append(b, e.ID[:]...)
	b = append(b, e.Tenant[:]...)
	if e.User == nil {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = append(b, e.User[:]...)
	}
	b = append(b, byte(e.Class), byte(e.Scheme))
	b = binary.BigEndian.AppendUint64(b, uint64(e.CreatedAt.UnixMicro()))
	b = append(b, e.PreviousHash[:]...)
	b = append(b, e.CurrentHash[:]...)
	for _, s := range [...]string{e.Action, e.EntityType, e.EntityID, e.Narrative} {
		s = s[:min(len(s), maxRawText)]
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	d := e.Details[:min(len(e.Details), MaxDetails+1)]
	b = binary.BigEndian.AppendUint32(b, uint32(len(d)))
	return append(b, d...)
}

// ParseEntry parses the canonical form of an entry. It accepts exactly what Canonical produces, so parsing and encoding
// again yields the same bytes.
func ParseEntry(b []byte) (*Entry, error) {
	var v view
	if err := v.parse(b); err != nil {
		return nil, err
	}
	return v.entry(), nil
}

// checkLengths reports the first text over its limit; the rest of the form is checked on the encoded entry.
func (e *Entry) checkLengths() error {
	for _, f := range [...]struct {
		name        string
		have, limit int
	}{
		{"action", len(e.Action), MaxAction}, {"entity_type", len(e.EntityType), MaxEntityType},
		{"entity_id", len(e.EntityID), MaxEntityID}, {"narrative", len(e.Narrative), MaxNarrative},
		{"details", len(e.Details), MaxDetails},
	} {
		if f.have > f.limit {
			return tooLarge(f.name, f.have, f.limit)
		}
	}
	// UnixMicro is undefined far outside these years.
	if y := e.CreatedAt.UTC().Year(); y < 1970 || y > 9999 {
		return malformed("created_at", "outside the years 1970–9999")
	}
	if e.CreatedAt.Nanosecond()%1000 != 0 {
		return malformed("created_at", "finer than a microsecond")
	}
	return nil
}

// view is a parsed entry whose texts point into the parsed bytes. The streaming verifier uses one view for all entries.
type view struct {
	seq        uint64
	id, tenant [16]byte
	hasUser    bool
	user       [16]byte
	class      Class
	scheme     Scheme
	micros     int64
	prev, cur  [32]byte

	action, entityType, entityID, narrative, details []byte

	commits bool // the details may hold commitments
}

func (v *view) parse(b []byte) error {
	if len(b) > MaxEntry {
		return tooLarge("entry", len(b), MaxEntry)
	}
	if len(b) < entryFixed {
		return malformed("entry", "truncated")
	}
	if b[0] != entryVersion {
		return malformed("version", "unknown entry version")
	}
	v.seq = binary.BigEndian.Uint64(b[1:])
	copy(v.id[:], b[9:])
	copy(v.tenant[:], b[25:])
	flag := b[41]
	b = b[42:]
	switch flag {
	case 0:
		v.hasUser, v.user = false, [16]byte{}
	case 1:
		if len(b) < 16 {
			return malformed("user", "truncated")
		}
		v.hasUser = true
		b = b[copy(v.user[:], b):]
	default:
		return malformed("user", "flag is neither 0 nor 1")
	}
	if len(b) < 2+8+32+32 {
		return malformed("entry", "truncated")
	}
	v.class, v.scheme = Class(b[0]), Scheme(b[1])
	v.micros = int64(binary.BigEndian.Uint64(b[2:]))
	copy(v.prev[:], b[10:])
	copy(v.cur[:], b[42:])
	if err := v.parseTexts(b[74:]); err != nil {
		return err
	}
	return v.check()
}

func (v *view) parseTexts(b []byte) error {
	var ok bool
	if v.action, b, ok = cut(b); !ok {
		return malformed("action", "truncated")
	}
	if v.entityType, b, ok = cut(b); !ok {
		return malformed("entity_type", "truncated")
	}
	if v.entityID, b, ok = cut(b); !ok {
		return malformed("entity_id", "truncated")
	}
	if v.narrative, b, ok = cut(b); !ok {
		return malformed("narrative", "truncated")
	}
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return malformed("details", "truncated")
	}
	n := 4 + int(binary.BigEndian.Uint32(b))
	v.details, b = b[4:n:n], b[n:]
	if len(b) != 0 {
		return malformed("entry", "bytes after the details")
	}
	return nil
}

// cut splits a text with a big-endian length of two bytes off b.
func cut(b []byte) (text, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if n > len(b) {
		return nil, nil, false
	}
	return b[2:n:n], b[n:], true
}

func (v *view) check() error {
	if v.class > Critical {
		return malformed("class", "unknown")
	}
	if v.scheme != SchemeBound && v.scheme != SchemePlain {
		return malformed("scheme", "unknown")
	}
	if v.micros < 0 || v.micros > maxMicros {
		return malformed("created_at", "outside the years 1970–9999")
	}
	if err := v.checkNames(); err != nil {
		return err
	}
	if err := checkText("entity_id", v.entityID, MaxEntityID); err != nil {
		return err
	}
	if err := checkText("narrative", v.narrative, MaxNarrative); err != nil {
		return err
	}
	var err error
	v.commits, err = checkDetails(v.details)
	return err
}

func (v *view) checkNames() error {
	if err := v.checkName("action", v.action, MaxAction); err != nil {
		return err
	}
	if err := v.checkName("entity_type", v.entityType, MaxEntityType); err != nil {
		return err
	}
	if len(v.action) == 0 {
		return malformed("action", "empty")
	}
	return nil
}

func (v *view) checkName(field string, text []byte, limit int) error {
	if v.scheme == SchemePlain {
		return checkText(field, text, limit)
	}
	if len(text) > limit {
		return tooLarge(field, len(text), limit)
	}
	if len(text) == 0 {
		return malformed(field, "empty")
	}
	for _, c := range text {
		if !nameByte[c] {
			return malformed(field, "not [a-z0-9_]")
		}
	}
	return nil
}

// nameByte marks the bytes of names.
var nameByte = func() (is [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789_") {
		is[c] = true
	}
	return is
}()

func checkText(field string, b []byte, limit int) error {
	if len(b) > limit {
		return tooLarge(field, len(b), limit)
	}
	if !textOK(b) {
		return malformed(field, "not UTF-8, or contains U+0000")
	}
	return nil
}

func (v *view) entry() *Entry {
	e := &Entry{
		Seq: v.seq, ID: v.id, Tenant: v.tenant,
		Action: string(v.action), EntityType: string(v.entityType), EntityID: string(v.entityID),
		Details: append([]byte(nil), v.details...), Narrative: string(v.narrative),
		PreviousHash: v.prev, CurrentHash: v.cur, CreatedAt: time.UnixMicro(v.micros).UTC(),
		Class: v.class, Scheme: v.scheme,
	}
	if v.hasUser {
		u := v.user
		e.User = &u
	}
	return e
}
