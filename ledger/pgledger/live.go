package pgledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// live shows a log in the database as an export, so that the same verifier judges both. Entries and side files are read
// in pages, as the verifier asks for them; the whole is never in memory. It serves one verification at a time.
type live struct {
	ctx    context.Context // of the verification
	log    *Log
	tenant uuid.UUID
	size   uint64
	small  map[string][]byte // log.json, keys.json, checkpoint, older checkpoints
	older  []string          // names in checkpoints/
	epoch  int

	page     []stored // the bundle read last
	pageFrom uint64
	havePage bool

	wrongLeaf []uint64 // entries whose leaf_hash is not that of their fields, at most maxWrong
	err       error    // the database's first failure, which is no fault of the log
}

// fail remembers err: the verifier cannot tell a lost connection from a damaged file.
func (v *live) fail(err error) error {
	if err != nil && v.err == nil && !errors.Is(err, fs.ErrNotExist) {
		v.err = err
	}
	return err
}

const (
	sidePage = 1024 // rows of a side file read at a time
	maxWrong = 100
	maxOlder = 1024 // older checkpoints looked at, evenly spread
)

// newLive prepares the small files around a signed checkpoint. openings claims that all openings are there.
func (l *Log) newLive(ctx context.Context, k *keyring, note []byte, openings bool) (*live, error) {
	cp, err := verify.OpenCheckpoint(note, k.history)
	if err != nil {
		return nil, err
	}
	v := &live{ctx: ctx, log: l, tenant: k.tenant, size: cp.Size, epoch: k.epoch, small: map[string][]byte{}}
	evidence, err := l.evidenceFor(ctx, k.tenant, cp.Size)
	if err != nil {
		return nil, err
	}
	note = evidence.cosigned(k.epoch, cp.Size, note)
	w, err := verify.NewWriter(memory(v.small), verify.LogInfo{
		Origin: k.origin, Exporter: exporter, ExportedAt: l.cfg.Now(), Openings: openings})
	if err != nil {
		return nil, err
	}
	if err := w.Close(note, k.history); err != nil {
		return nil, err
	}
	return v, v.readOlder(evidence)
}

// exporter names this package in exports.
const exporter = "tomkit ledger/pgledger"

func (v *live) readOlder(evidence evidence) error {
	notes, err := v.log.olderCheckpoints(v.ctx, v.tenant, v.size, maxOlder)
	if err != nil {
		return err
	}
	for _, n := range notes {
		name := fmt.Sprintf("%020d", n.size)
		v.older = append(v.older, name)
		v.small["checkpoints/"+name] = evidence.cosigned(n.epoch, n.size, n.note)
	}
	return nil
}

type sizedNote struct {
	epoch int
	size  uint64
	note  []byte
}

// olderCheckpoints returns at most about limit checkpoints before size, evenly spread, of all epochs: in the database a later
// epoch's are larger.
func (l *Log) olderCheckpoints(ctx context.Context, tenant uuid.UUID, size uint64, limit int) ([]sizedNote, error) {
	rows, err := l.db.Tenant(tenant).Query(ctx, `
SELECT c.epoch, c.size, c.note FROM (
    SELECT x.epoch, x.size, x.note, row_number() OVER (ORDER BY x.size DESC) AS nth, count(*) OVER () AS total
    FROM tomkit.ledger_checkpoints x WHERE x.tenant_id = $1::uuid AND x.size < $2) c
WHERE c.nth % greatest(1, (c.total + $3 - 1) / $3) = 0 ORDER BY c.size`, tenant, int64(size), int64(limit))
	if err != nil {
		return nil, err
	}
	var all []sizedNote
	var n int64
	var epoch int
	var note string
	_, err = pgx.ForEachRow(rows, []any{&epoch, &n, &note}, func() error {
		all = append(all, sizedNote{epoch, uint64(n), []byte(note)})
		return nil
	})
	return all, err
}

// Open implements fs.FS.
func (v *live) Open(name string) (fs.File, error) {
	if b, ok := v.small[name]; ok {
		return newFile(name, bytes.NewReader(b)), nil
	}
	switch name {
	case "checkpoints":
		return &folder{file: file{name: name}, names: slices.Clone(v.older)}, nil
	case "signatures.jsonl":
		return newFile(name, v.signatures()), nil
	case "openings.jsonl":
		return newFile(name, v.openings()), nil
	case "redactions.jsonl":
		return newFile(name, v.redactions()), nil
	}
	t, err := verify.ParseTilePath(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	b, err := v.tile(t)
	if v.fail(err) != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return newFile(name, bytes.NewReader(b)), nil
}

// tile returns a bundle made of rows, or a tile as it is stored.
func (v *live) tile(t verify.Tile) ([]byte, error) {
	per := uint64(1) << (8 * t.Level) // entries below one hash
	from := t.Index * tileWidth
	if t.Level > 7 || from >= v.size/per || uint64(t.Width) != min(tileWidth, v.size/per-from) {
		return nil, fs.ErrNotExist
	}
	to := from + uint64(t.Width)
	if t.Entries {
		return v.bundle(from, to)
	}
	if t.Width == tileWidth {
		var b []byte
		err := v.log.db.Tenant(v.tenant).QueryRow(v.ctx, `SELECT hashes FROM tomkit.ledger_tiles
WHERE tenant_id = $1::uuid AND level = $2 AND idx = $3`, v.tenant, t.Level, int64(t.Index)).Scan(&b)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, fs.ErrNotExist
		}
		return b, err
	}
	if t.Level == 0 {
		return v.leaves(from, to)
	}
	var hashes [][32]byte
	rows, err := v.log.db.Tenant(v.tenant).Query(v.ctx, `SELECT root FROM tomkit.ledger_tiles
WHERE tenant_id = $1::uuid AND level = $2 AND idx >= $3 AND idx < $4 ORDER BY idx`, v.tenant, t.Level-1, int64(from), int64(to))
	if err != nil {
		return nil, err
	}
	var b []byte
	_, err = pgx.ForEachRow(rows, []any{&b}, func() error {
		hashes = append(hashes, hashOf(b))
		return nil
	})
	return join(hashes), err
}

// load reads the rows of a bundle once for the bundle and its leaves.
func (v *live) load(from, to uint64) error {
	if v.havePage && v.pageFrom == from {
		return nil
	}
	page, err := v.log.page(v.ctx, v.tenant, from, to)
	if err != nil {
		return err
	}
	v.page, v.pageFrom, v.havePage = page, from, true
	for i := range page {
		if !page[i].leafGood && len(v.wrongLeaf) < maxWrong {
			v.wrongLeaf = append(v.wrongLeaf, page[i].seq)
		}
	}
	return nil
}

func (v *live) bundle(from, to uint64) ([]byte, error) {
	if err := v.load(from, to); err != nil {
		return nil, err
	}
	var b []byte
	for i := range v.page {
		b = verify.AppendBundle(b, v.page[i].canonical) // an unwritable row is an empty, malformed entry
	}
	return b, nil
}

func (v *live) leaves(from, to uint64) ([]byte, error) {
	if err := v.load(from, to); err != nil {
		return nil, err
	}
	var b []byte
	for i := range v.page {
		b = append(b, v.page[i].leaf[:]...)
	}
	return b, nil
}

// signatures streams signatures.jsonl.
func (v *live) signatures() io.Reader {
	last := int64(-1)
	return newSide(func(w *verify.Writer) (bool, error) {
		more, err := v.signaturePage(w, &last)
		return more, v.fail(err)
	})
}

// openings streams openings.jsonl.
func (v *live) openings() io.Reader {
	last := openingRow{}
	first := true
	return newSide(func(w *verify.Writer) (bool, error) {
		more, err := v.openingPage(w, &last, &first)
		return more, v.fail(err)
	})
}

// redactions streams redactions.jsonl.
func (v *live) redactions() io.Reader {
	last := ledger.ErasedValue{}
	first := true
	return newSide(func(w *verify.Writer) (bool, error) {
		more, err := v.redactionPage(w, &last, &first)
		return more, v.fail(err)
	})
}

// eachSignature writes all signatures.
func (v *live) eachSignature(w *verify.Writer) error {
	last := int64(-1)
	for {
		if more, err := v.signaturePage(w, &last); err != nil || !more {
			return err
		}
	}
}

// eachOpening writes all openings.
func (v *live) eachOpening(w *verify.Writer) error {
	last, first := openingRow{}, true
	for {
		if more, err := v.openingPage(w, &last, &first); err != nil || !more {
			return err
		}
	}
}

// signaturePage writes the signatures behind last and reports whether there may be more.
func (v *live) signaturePage(w *verify.Writer, last *int64) (bool, error) {
	rows, err := v.log.db.Tenant(v.tenant).Query(v.ctx, `SELECT seq, dilithium_signature, coalesce(signature_key, '')
FROM tomkit.audit_logs WHERE tenant_id = $1::uuid AND seq > $2 AND seq < $3 AND dilithium_signature IS NOT NULL ORDER BY seq LIMIT $4`,
		v.tenant, *last, int64(v.size), sidePage)
	if err != nil {
		return false, err
	}
	n := 0
	var sig []byte
	var key string
	_, err = pgx.ForEachRow(rows, []any{last, &sig, &key}, func() error {
		n++
		return w.Signature(entrySignature(uint64(*last), key, sig))
	})
	return n == sidePage, err
}

// openingPage writes the openings behind last and reports whether there may be more.
func (v *live) openingPage(w *verify.Writer, last *openingRow, first *bool) (bool, error) {
	seq := int64(last.Seq)
	if *first {
		seq, *first = -1, false
	}
	page, err := v.log.openingsAfter(v.ctx, v.tenant, seq, last.Commitment[:], v.size, sidePage)
	if err != nil {
		return false, err
	}
	for i := range page {
		if err := w.Opening(page[i].Opening); err != nil {
			return false, err
		}
		*last = page[i]
	}
	return len(page) == sidePage, nil
}

// eachRedaction writes all redactions.
func (v *live) eachRedaction(w *verify.Writer) error {
	last, first := ledger.ErasedValue{}, true
	for {
		if more, err := v.redactionPage(w, &last, &first); err != nil || !more {
			return err
		}
	}
}

// redactionPage writes the redactions behind last and reports whether there may be more.
func (v *live) redactionPage(w *verify.Writer, last *ledger.ErasedValue, first *bool) (bool, error) {
	seq := int64(last.Seq)
	if *first {
		seq, *first = -1, false
	}
	rows, err := v.log.db.Tenant(v.tenant).Query(v.ctx, `SELECT seq, commitment, entry FROM tomkit.ledger_redactions
WHERE tenant_id = $1::uuid AND (seq, commitment) > ($2::bigint, $3::bytea) AND entry < $4 ORDER BY seq, commitment LIMIT $5`,
		v.tenant, seq, last.Commitment[:], int64(v.size), sidePage)
	if err != nil {
		return false, err
	}
	n := 0
	var entry int64
	var c []byte
	_, err = pgx.ForEachRow(rows, []any{&seq, &c, &entry}, func() error {
		n++
		last.Seq, last.Commitment = uint64(seq), hashOf(c)
		return w.Redaction(verify.Redaction{Seq: last.Seq, Commitment: last.Commitment, Entry: uint64(entry)})
	})
	return n == sidePage, err
}

// erasedSince reports whether values were erased by entries that the checkpoint does not cover: of those there is neither the
// opening nor a redaction.
func (v *live) erasedSince() (erased bool, err error) {
	err = v.log.db.Tenant(v.tenant).QueryRow(v.ctx, `SELECT EXISTS (SELECT FROM tomkit.ledger_redactions
WHERE tenant_id = $1::uuid AND entry >= $2)`, v.tenant, int64(v.size)).Scan(&erased)
	return erased, err
}

// file is a file of a live export.
type file struct {
	io.Reader
	name string
}

func newFile(name string, r io.Reader) *file { return &file{r, name} }

func (f *file) Stat() (fs.FileInfo, error) { return info{f.name, 0o400}, nil }
func (f *file) Close() error               { return nil }

// folder is a directory of a live export.
type folder struct {
	file
	names []string
}

func (f *folder) Stat() (fs.FileInfo, error) { return info{f.name, fs.ModeDir | 0o500}, nil }
func (f *folder) Read([]byte) (int, error)   { return 0, fs.ErrInvalid }

// ReadDir implements fs.ReadDirFile.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(f.names) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.names) {
		n = len(f.names)
	}
	list := make([]fs.DirEntry, n)
	for i, name := range f.names[:n] {
		list[i] = fs.FileInfoToDirEntry(info{name, 0o400})
	}
	f.names = f.names[n:]
	return list, nil
}

// info describes a file; sizes are not known before they are read.
type info struct {
	name string
	mode fs.FileMode
}

func (i info) Name() string       { return path.Base(i.name) }
func (i info) Size() int64        { return 0 }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
