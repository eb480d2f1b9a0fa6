package verify

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
)

const (
	maxLogFile     = 64 << 10
	maxCheckpoints = 4096 // older checkpoints in an export
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// errUnreadable hides the operating system's words, which may hold paths.
var errUnreadable = errors.New("unreadable")

// read reads a whole file of at most limit bytes into buf, which it may replace.
func (r *run) read(name string, limit int, buf []byte) ([]byte, error) {
	f, err := r.fsys.Open(name)
	if err != nil {
		if isNotExist(err) {
			return buf, fs.ErrNotExist
		}
		return buf, errUnreadable
	}
	defer f.Close()
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, max(4096, cap(buf)))
		}
		n, err := f.Read(buf[len(buf):min(cap(buf), limit+1)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return buf, tooLarge("file", len(buf), limit)
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, errUnreadable
		}
	}
}

// open reads the small files. Only a log.json of this format makes an export; what is wrong after that is a finding.
func (r *run) open() error {
	text, err := r.read(fileLog, maxLogFile, nil)
	if err != nil {
		return fmt.Errorf("%w: %s: %v", ErrUnusable, fileLog, err)
	}
	var l logFile
	if strictJSON(text, &l) != nil || l.Format != exportFormat {
		return fmt.Errorf("%w: %s is not a %s document", ErrUnusable, fileLog, exportFormat)
	}
	signed, err := r.read(fileCheckpoint, MaxCheckpoint, nil)
	if isNotExist(err) {
		return fmt.Errorf("%w: no checkpoint", ErrUnusable)
	}
	r.openings, r.report.OpeningsIncluded = l.Openings, l.Openings
	if err == nil {
		r.head, err = peekCheckpoint(signed)
	}
	r.openKeys()
	r.openHead(signed, err, l)
	r.openSides()
	return nil
}

// openKeys reads the export's key history and settles which keys to judge by.
func (r *run) openKeys() {
	pinned := r.cfg.Keys
	r.report.KeysPinned = pinned != nil
	text, err := r.read(fileKeys, MaxKeysFile, nil)
	var own *KeyHistory
	if err == nil {
		own, err = ParseKeys(text)
	}
	if err == nil && r.head.Origin != "" && own.Origin != r.head.Origin {
		err = malformed("origin", "is not the checkpoint's")
	}
	if err != nil {
		if pinned == nil || !isNotExist(err) {
			r.add(&FileError{File: fileKeys, Err: err})
		}
	}
	if own == nil && pinned == nil {
		own = &KeyHistory{}
	}
	r.setKeys(pinned, own)
}

// openHead checks the export's checkpoint. Even a forged one says how many entries to read.
func (r *run) openHead(signed []byte, err error, l logFile) {
	if err != nil {
		r.add(&CheckpointError{File: fileCheckpoint, Err: err})
		r.headless, r.stopped = true, true
		return
	}
	_, r.logID, _, _ = ParseOrigin(r.head.Origin)
	r.report.Origin, r.report.Size, r.report.Root = r.head.Origin, r.head.Size, hex.EncodeToString(r.head.Root[:])
	if _, err := OpenCheckpoint(signed, r.keys); err != nil {
		r.add(&CheckpointError{File: fileCheckpoint, Err: err})
	}
	r.checkQuorum(r.checkWitnesses(fileCheckpoint, signed, r.head.Size, true))
	if r.head.Origin != l.Origin || hex.EncodeToString(r.logID[:]) != l.Log {
		r.add(&FileError{File: fileLog, Err: malformed("origin", "is not the checkpoint's")})
	}
	if r.cfg.Origin != "" && r.cfg.Origin != r.head.Origin {
		r.add(&CheckpointError{File: fileCheckpoint, Err: malformed("origin", "is not the expected one")})
	}
	r.anchors = append(r.anchors, anchor{name: fileCheckpoint, size: r.head.Size, root: r.head.Root, epoch: epochOf(r.head.Origin)})
}

// anchor is a root that the log must have had at a size.
type anchor struct {
	name  string
	size  uint64
	root  [32]byte
	epoch uint64
	older bool // counts as a verified older checkpoint
}

// heldReceipt is a receipt that verifies, with the epoch of its checkpoint.
type heldReceipt struct {
	*Receipt
	epoch uint64
}

// gatherAnchors collects what vouches for the log besides its own checkpoint. Only what is properly signed counts.
func (r *run) gatherAnchors() {
	if r.cfg.Since != nil {
		r.addAnchor("the earlier checkpoint", r.cfg.Since, false)
	}
	if r.cfg.From != nil && r.addAnchor(nameFrom, r.cfg.From, false) {
		a := r.anchors[len(r.anchors)-1]
		r.from, r.fromEpoch = &a, a.epoch
	}
	for i, receipt := range r.cfg.Receipts {
		name := fmt.Sprintf("receipt %d", i+1)
		c, err := receipt.Verify(r.keys)
		if err != nil {
			r.add(&ReceiptError{Seq: receipt.Index, Reason: err.Error()})
			continue
		}
		r.checkWitnesses(name, receipt.Checkpoint, c.Size, false)
		r.receipts = append(r.receipts, heldReceipt{receipt, epochOf(c.Origin)})
		r.anchors = append(r.anchors, anchor{name: name, size: c.Size, root: c.Root, epoch: epochOf(c.Origin)})
	}
	r.gatherOlder()
	slices.SortStableFunc(r.anchors, func(a, b anchor) int { return cmp.Compare(a.size, b.size) })
	slices.SortStableFunc(r.receipts, func(a, b heldReceipt) int { return cmp.Compare(a.Index, b.Index) })
}

func (r *run) gatherOlder() {
	list, err := fs.ReadDir(r.fsys, dirCheckpoints)
	if err != nil {
		if !isNotExist(err) {
			r.add(&FileError{File: dirCheckpoints, Err: errUnreadable})
		}
		return
	}
	if len(list) > maxCheckpoints {
		r.add(&FileError{File: dirCheckpoints, Err: ErrTooLarge})
		return
	}
	for _, entry := range list {
		if size, err := strconv.ParseUint(entry.Name(), 10, 63); err == nil && olderName(size) == entry.Name() {
			r.addOlder(size)
		}
	}
}

// olderName is the file name of an older checkpoint in its directory.
func olderName(size uint64) string { return fmt.Sprintf("%0*d", checkpointDigit, size) }

func (r *run) addOlder(size uint64) {
	name := dirCheckpoints + "/" + olderName(size)
	signed, err := r.read(name, MaxCheckpoint, nil)
	if err != nil {
		r.add(&FileError{File: name, Err: err})
		return
	}
	if r.addAnchor(name, signed, true) && r.anchors[len(r.anchors)-1].size != size {
		r.add(&CheckpointError{File: name, Err: malformed("size", "is not the file's name")})
	}
}

// addAnchor checks a signed checkpoint and reports whether it counts.
func (r *run) addAnchor(name string, signed []byte, older bool) bool {
	c, err := OpenCheckpoint(signed, r.keys)
	if err == nil && !r.headless && (!sameLog(c.Origin, r.head.Origin) || epochOf(c.Origin) > epochOf(r.head.Origin)) {
		err = malformed("origin", "is not the export's")
	}
	if err != nil {
		r.add(&CheckpointError{File: name, Err: err})
		return false
	}
	r.checkWitnesses(name, signed, c.Size, older)
	r.anchors = append(r.anchors, anchor{name: name, size: c.Size, root: c.Root, epoch: epochOf(c.Origin), older: older})
	return true
}

// checkAnchors compares the tree with the anchors of its size.
func (r *run) checkAnchors() {
	size := r.size
	good := r.goodSize
	for len(r.anchors) > 0 && r.anchors[0].size == size {
		a := r.anchors[0]
		r.anchors = r.anchors[1:]
		if g := r.gapAfter(a.epoch); g != nil {
			r.judgeLost(&a, g)
			continue
		}
		if a.root != r.root() {
			r.add(&RootError{File: a.name, First: min(r.goodSize, everything(size)), Last: everything(size)})
			continue
		}
		good = size
		if a.older {
			r.report.Checkpoints++
		}
	}
	r.goodSize = good
}

func (r *run) checkReceipt(receipt heldReceipt, leaf [32]byte) {
	switch {
	case r.gapAfter(receipt.epoch) != nil:
		r.report.LostReceipts++
	case receipt.Leaf != leaf:
		r.add(&ReceiptError{Seq: receipt.Index, Reason: "its entry is another one in the export"})
	default:
		r.report.Receipts++
	}
}

// sideFiles are the files read alongside the entries.
type sideFiles struct {
	openings   lines[Opening]
	redactions lines[Redaction]
}

func (r *run) openSides() {
	r.erasures = map[uint64]*Erasure{}
	openLines(r, fileSignatures, &r.signatures, parseSignatureLine,
		func(a, b *EntrySignature) bool { return a.Seq < b.Seq })
	openLines(r, fileOpenings, &r.side.openings, parseOpeningLine, func(a, b *Opening) bool {
		return a.Seq < b.Seq || a.Seq == b.Seq && bytes.Compare(a.Commitment[:], b.Commitment[:]) < 0
	})
	openLines(r, fileRedactions, &r.side.redactions, parseRedactionLine, func(a, b *Redaction) bool {
		return a.Seq < b.Seq || a.Seq == b.Seq && bytes.Compare(a.Commitment[:], b.Commitment[:]) < 0
	})
}

func openLines[T any](r *run, name string, l *lines[T], parse func([]byte) (T, bool), less func(a, b *T) bool) {
	f, err := r.fsys.Open(name)
	if err != nil {
		if !isNotExist(err) {
			l.err = errUnreadable
		}
		return
	}
	l.r, l.close, l.parse, l.less = bufio.NewReaderSize(f, maxLine), f, parse, less
	l.next()
}

func (r *run) close() {
	for _, c := range []io.Closer{r.signatures.close, r.side.openings.close, r.side.redactions.close} {
		if c != nil {
			c.Close()
		}
	}
}

// trailing looks for entries beyond the checkpoint: fuller or further bundles than its size allows.
func (r *run) trailing() {
	last := Tile{Entries: true, Index: r.head.Size / TileWidth, Width: TileWidth}
	width := int(r.head.Size % TileWidth)
	names := []string{last.Path()}
	if width > 0 {
		next := last
		next.Index++
		names = append(names, next.Path())
	}
	for _, name := range names {
		if f, err := r.fsys.Open(name); err == nil {
			f.Close()
			r.add(&TrailingError{Seq: r.head.Size})
			return
		}
	}
	list, _ := fs.ReadDir(r.fsys, last.Path()+".p")
	for _, entry := range list {
		if w, err := strconv.Atoi(entry.Name()); err == nil && w > width {
			r.add(&TrailingError{Seq: r.head.Size})
			return
		}
	}
}
