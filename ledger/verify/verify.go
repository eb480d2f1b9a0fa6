package verify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// Config tunes Verify. The zero value judges an export by itself; give it what you know from elsewhere.
type Config struct {
	// Keys is a key history obtained by another way than the export. It may be older than the export: keys that came later
	// count once the log announces them under a key that counts. Nil means that the first keys of the export's own keys.json
	// are believed, which a forger can replace together with everything else.
	Keys *KeyHistory
	// Receipts must be contained in the log. One that is not shows a cut tail or a rewritten log.
	Receipts []*Receipt
	// Since is a signed checkpoint obtained earlier, which the log must continue. Nil means none.
	Since []byte
	// From is a signed checkpoint that was verified before and is trusted: only what came after it is read, from the last full
	// bundle of entries before its end on. The tiles must give its root. Nil means everything.
	From []byte
	// Witnesses are the witnesses whose cosignatures of checkpoints are checked. Several keys of one name are one witness.
	Witnesses []*sign.WitnessPublicKey
	// Quorum is the number of different Witnesses that the export's checkpoint must carry cosignatures of. Zero means none.
	Quorum int
	// Origin is the origin the export must have. Empty means any.
	Origin string
	// Tenant is the tenant the entries must belong to. Nil means the first entry's.
	Tenant *[16]byte
	// Progress is called between entry bundles, from the calling goroutine. Nil means never.
	Progress func(Progress)
	// Entry is called with every entry that can be read, in order, after it was checked and from the calling goroutine. Nil means never.
	Entry func(EntryView)
	// MaxFindings is the number of findings kept per kind and in the report. Zero means 100; negative is an error.
	MaxFindings int
}

// Progress says how far a verification is.
type Progress struct {
	Entries uint64 // entries checked
	Size    uint64 // entries to check
	Bytes   uint64 // bytes of entry bundles read
}

const defaultFindings = 100

// Verify checks an export. It reads every entry once, in memory independent of the log's length, and reports all it
// finds; a log is intact if Report.Intact. The error is for input that cannot be judged: it wraps ErrUnusable, or is
// ctx's. No file of fsys is trusted; none but those of the export layout is opened.
//
// For a directory pass os.OpenRoot(dir) and its FS method, which follows no symbolic link out of it; a *zip.Reader is
// an fs.FS already.
func Verify(ctx context.Context, fsys fs.FS, cfg Config) (*Report, error) {
	if cfg.MaxFindings < 0 {
		return nil, fmt.Errorf("%w: MaxFindings is negative", ErrUnusable)
	}
	if cfg.MaxFindings == 0 {
		cfg.MaxFindings = defaultFindings
	}
	if err := cfg.checkWitnessConfig(); err != nil {
		return nil, err
	}
	r := &run{fsys: fsys, cfg: cfg, report: &Report{Keys: []KeyUse{}, Findings: []Finding{}}, count: map[Kind]int{}}
	if cfg.Tenant != nil {
		r.chain.Expect(*cfg.Tenant)
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	defer r.close()
	r.gatherAnchors()
	if err := r.resume(); err != nil {
		return nil, err
	}
	if err := r.stream(ctx); err != nil {
		return nil, err
	}
	r.end()
	r.report.finish(cfg.MaxFindings)
	return r.report, nil
}

// run is the state of one verification.
type run struct {
	fsys   fs.FS
	cfg    Config
	report *Report
	count  map[Kind]int

	keys      *KeyHistory        // those to judge by
	keyUse    map[sign.KeyID]int // index in keys.Keys, keyStates and report.Keys
	keyStates []keyState
	head      Checkpoint // the export's checkpoint, as claimed
	logID     [16]byte
	openings  bool // the export claims to carry all openings

	anchors   []anchor // by size
	goodSize  uint64   // size of the last anchor whose root was right
	receipts  []heldReceipt
	from      *anchor // Config.From
	fromEpoch uint64
	gaps      []gap // declared by the entries read, in their order
	closed    bool  // by the entries read
	reopened  bool  // which was reported

	chain  Chain
	start  uint64 // position of the first entry read
	size   uint64 // position of the next entry
	levels []level

	signatures lines[EntrySignature]
	side       sideFiles
	commits    [][32]byte
	erasures   map[uint64]*Erasure // by redaction entry not reached yet

	buf, leafBuf, tileBuf []byte
	bytes                 uint64
	headless              bool // the checkpoint is not even in form: nothing is known about the size
	stopped               bool // the entries could not be read to the end
}

// add records a finding unless there are enough of its kind.
func (r *run) add(err located) {
	f := newFinding(err)
	if r.count[f.Kind]++; r.count[f.Kind] > r.cfg.MaxFindings {
		r.report.Omitted++
		return
	}
	r.report.Findings = append(r.report.Findings, f)
}

// stream checks all entries, bundle by bundle.
func (r *run) stream(ctx context.Context) error {
	r.checkAnchors()
	for !r.stopped && r.size < r.head.Size {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.bundle()
		if r.cfg.Progress != nil {
			r.cfg.Progress(Progress{Entries: r.size - r.start, Size: r.head.Size - r.start, Bytes: r.bytes})
		}
	}
	return ctx.Err()
}

// bundle checks the next entry bundle against the level 0 tile beside it.
func (r *run) bundle() {
	start := r.size
	width := int(min(TileWidth, r.head.Size-start))
	t := Tile{Entries: true, Index: start / TileWidth, Width: width}
	var err error
	if r.buf, err = r.read(t.Path(), MaxBundle, r.buf); err != nil {
		if r.buf = r.otherWidth(t); r.buf == nil {
			r.missing(t.Path(), err)
			return
		}
		r.add(&FileError{File: t.Path(), Err: malformed("bundle", "is there under the name of another width only")})
	}
	r.bytes += uint64(len(r.buf))
	leaves := r.leafTile(t.Index, width)
	rest := r.buf
	for i := range width {
		canonical, after, err := CutBundle(rest)
		if err != nil {
			r.short(t.Path(), rest, err)
			return
		}
		// The byte before an entry is the low half of its length, which is used up: the leaf hash's prefix 0x00 goes
		// there, which spares copying every entry.
		at := len(r.buf) - len(rest) + 1
		r.buf[at] = 0
		r.entry(canonical, r.buf[at:at+1+len(canonical)], leaves, i)
		rest = after
	}
	if len(rest) != 0 {
		r.add(&TrailingError{Seq: r.size})
	}
}

// otherWidth reads the last bundle under the name of more or fewer entries, the fullest there is, so that the entries
// before a cut tail or an inserted entry are checked and placed. It returns nil if there is none.
func (r *run) otherWidth(t Tile) []byte {
	for t.Width = TileWidth; t.Width > 0; t.Width-- {
		if b, err := r.read(t.Path(), MaxBundle, r.buf); err == nil {
			return b
		}
	}
	return nil
}

func (r *run) missing(path string, err error) {
	r.stopped = true
	if !isNotExist(err) {
		r.add(&FileError{File: path, Err: err})
	}
	r.add(&TruncatedError{Seq: r.size, Size: r.head.Size, By: fileCheckpoint})
}

// short ends the reading at a bundle that holds fewer entries than it must, or whose lengths make no sense.
func (r *run) short(path string, rest []byte, err error) {
	r.stopped = true
	if len(rest) == 0 {
		r.add(&TruncatedError{Seq: r.size, Size: r.head.Size, By: fileCheckpoint})
		return
	}
	r.add(&MalformedEntryError{Seq: r.size, Err: fmt.Errorf("%s: %w", path, err)})
}

// entry checks one entry. hashed is canonical with the prefix of the leaf hash; leaves are the tile's hashes, or nil.
func (r *run) entry(canonical, hashed, leaves []byte, i int) {
	seq := r.size
	leaf := sha256.Sum256(hashed)
	err := r.chain.Check(canonical)
	switch {
	case err != nil:
		r.add(err.(located))
	case leaves != nil && [32]byte(leaves[32*i:]) != leaf:
		r.add(&LeafError{Seq: seq})
	}
	r.size++
	r.addHash(0, leaf)
	if _, unreadable := err.(*MalformedEntryError); !unreadable {
		v := &r.chain.v
		r.note(v)
		signed := r.checkSignature(v, canonical, seq)
		r.checkPersonal(v, seq)
		r.speak(v, seq, signed)
		if r.cfg.Entry != nil {
			r.cfg.Entry(EntryView{v, seq})
		}
	}
	for len(r.receipts) > 0 && r.receipts[0].Index == seq {
		r.checkReceipt(r.receipts[0], leaf)
		r.receipts = r.receipts[1:]
	}
	if len(r.anchors) > 0 && r.anchors[0].size == seq+1 {
		r.checkAnchors()
	}
}

// note takes down what the report says about the entries as a whole.
func (r *run) note(v *view) {
	if r.report.First == nil {
		r.report.Tenant = uuidText(v.tenant)
		t := time.UnixMicro(v.micros).UTC()
		r.report.First = &t
	}
}

// end looks at what is left when the entries are through.
func (r *run) end() {
	r.report.Entries = r.size - r.start
	if r.report.First != nil {
		t := time.UnixMicro(r.chain.last).UTC()
		r.report.Last = &t
	}
	if !r.stopped {
		r.finishTiles()
		r.trailing()
	}
	for i := range r.anchors {
		a := &r.anchors[i]
		if g := r.gapAfter(a.epoch); g != nil {
			r.judgeLost(a, g)
		} else if !r.headless && (!r.stopped || a.size > r.head.Size) {
			r.add(&TruncatedError{Seq: r.size, Size: a.size, By: a.name})
		}
	}
	for _, receipt := range r.receipts {
		if r.gapAfter(receipt.epoch) != nil {
			r.report.LostReceipts++
			continue
		}
		r.add(&ReceiptError{Seq: receipt.Index, Reason: "its entry is not in the export"})
	}
	r.endKeys()
	r.endEpochs()
	r.leftovers()
	r.blameTiles()
}

// blameTiles turns leaf errors into tile errors if the entries give the signed root after all: then it is the tiles
// that were changed.
func (r *run) blameTiles() {
	if r.stopped || r.goodSize != r.head.Size || r.count[KindRoot]+r.count[KindCheckpoint] > 0 {
		return
	}
	for i, f := range r.report.Findings {
		if f.Kind == KindLeaf {
			path := Tile{Index: f.First / TileWidth, Width: int(min(TileWidth, r.head.Size-f.First/TileWidth*TileWidth))}.Path()
			r.report.Findings[i] = newFinding(&TileError{Path: path, First: f.First, Last: f.Last,
				Reason: "hash differs from the entry, which the checkpoint confirms"})
		}
	}
}

// everything is the range of a fault that could be anywhere up to a size.
func everything(size uint64) uint64 {
	if size == 0 {
		return 0
	}
	return min(size-1, math.MaxInt64)
}
