package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pioneerdesk/tomkit/internal/wait"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// FileConfig says where a [File] remembers.
type FileConfig struct {
	// Name is the anchor's name: 1–64 bytes of [a-z0-9._-].
	Name string
	// Path is the file. It stands outside the database's disk and backups, or it remembers no more than they do: on another
	// host's mount, or on storage that can only be appended to. A file beside it, with ".lock" after its name, orders writers.
	Path string
	// Compact is the size in bytes from which the file is written anew with each origin's newest checkpoint only, if that
	// makes it half as long. Zero means 64 MiB; negative means never, for storage that can only be appended to.
	Compact int64
}

// File is an anchor that appends signed checkpoints to a file. It is safe for concurrent use, by several processes too.
//
// The file is a sequence of records, each a line "tomkit-anchor/v1 <bytes of the note> <hex SHA-256 of the note>" and the
// note. A last record that a crash left unfinished is cut off; anything else that is not a record is an error, since it was
// not a crash that did it.
type File struct {
	cfg  FileConfig
	lock *os.File

	mu   sync.Mutex
	f    *os.File
	end  int64                 // bytes read so far
	last map[string]remembered // newest checkpoint per origin
	live int64                 // bytes of the newest records
}

type remembered struct {
	size  uint64
	root  [32]byte
	at    int64 // offset of the record
	bytes int64
}

var _ ledger.Anchor = (*File)(nil)

// maxRecord bounds a record: a note and the line before it.
const maxRecord = verify.MaxCheckpoint + 128

// readAhead is how much of the file is read at once. It holds a record of any size.
const readAhead = 1 << 20

const recordMark = "tomkit-anchor/v1"

// OpenFile opens or creates the file with mode 0600. The error wraps ErrConfig or ErrDamaged.
func OpenFile(cfg FileConfig) (*File, error) {
	if !validName(cfg.Name) {
		return nil, badConfig("name is not 1–64 bytes of [a-z0-9._-]")
	}
	cfg.Compact = or(cfg.Compact, 64<<20)
	lock, err := os.OpenFile(cfg.Path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("witness: open file: %w", err)
	}
	a := &File{cfg: cfg, lock: lock}
	if err := a.locked(context.Background(), func() error { return nil }); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Name returns the configured name.
func (a *File) Name() string { return a.cfg.Name }

// Close closes the file.
func (a *File) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.lock.Close()
	if a.f != nil {
		err = errors.Join(err, a.f.Close())
	}
	return err
}

// Submit appends a checkpoint that continues the newest one of its origin, and returns when it will survive a crash.
func (a *File) Submit(ctx context.Context, s ledger.Submission) (ledger.Evidence, error) {
	note, cp, err := own(s.Checkpoint)
	if err != nil {
		return ledger.Evidence{}, err
	}
	for {
		known, err := a.newest(ctx, cp.origin)
		if err != nil {
			return ledger.Evidence{}, err
		}
		// Proofs may need the database, which nobody waits for while holding the file's lock.
		if err := a.continues(ctx, s, known, cp); err != nil {
			return ledger.Evidence{}, err
		}
		if known != nil && known.size == cp.size {
			return ledger.Evidence{}, nil
		}
		done := false
		err = a.locked(ctx, func() error {
			now, there := a.last[cp.origin]
			if there != (known != nil) || there && (now.size != known.size || now.root != known.root) {
				return nil // somebody was faster: compare again
			}
			done = true
			return a.append(note, cp)
		})
		if done || err != nil {
			return ledger.Evidence{}, err
		}
	}
}

// Latest returns the newest checkpoint of an origin. It needs no held checkpoint.
func (a *File) Latest(ctx context.Context, origin string, _ []byte) (ledger.Memory, error) {
	known, err := a.newest(ctx, origin)
	if err != nil || known == nil {
		return ledger.Memory{}, err
	}
	return ledger.Memory{Size: known.size, Root: &known.root}, nil
}

func (a *File) newest(ctx context.Context, origin string) (known *remembered, err error) {
	err = a.locked(ctx, func() error {
		if r, ok := a.last[origin]; ok {
			known = &r
		}
		return nil
	})
	return known, err
}

func (a *File) continues(ctx context.Context, s ledger.Submission, known *remembered, cp checkpoint) error {
	switch {
	case known == nil:
		return nil
	case known.size > cp.size:
		return &ledger.RollbackError{Anchor: a.cfg.Name, Size: known.size, Head: cp.size}
	}
	proof, err := consistency(ctx, s, known.size, cp.size)
	if err != nil {
		return err
	}
	if verify.CheckConsistency(proof, known.size, cp.size, known.root, cp.root) != nil {
		return &ledger.RollbackError{Anchor: a.cfg.Name, Size: known.size, Head: cp.size, Fork: true}
	}
	return nil
}

// locked runs fn with the file's lock and everything read that other processes appended.
func (a *File) locked(ctx context.Context, fn func() error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for tryLock(a.lock) != nil {
		if err := wait.For(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	defer unlock(a.lock)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.refresh(); err != nil {
		return err
	}
	return fn()
}

// refresh reads what is new: all of it where the file was compacted by another process, or was not open yet.
func (a *File) refresh() error {
	now, err := os.Stat(a.cfg.Path)
	if a.f == nil {
		return a.open(errors.Is(err, os.ErrNotExist))
	}
	was, err2 := a.f.Stat()
	if err != nil || err2 != nil {
		return fmt.Errorf("%w: anchor file was removed", ErrDamaged)
	}
	if os.SameFile(was, now) {
		if now.Size() < a.end {
			return fmt.Errorf("%w: anchor file was cut", ErrDamaged)
		}
		return a.read()
	}
	before := a.last
	if err := errors.Join(a.f.Close(), a.open(false)); err != nil {
		return err
	}
	for origin, r := range before { // compacted, not exchanged
		if now := a.last[origin]; now.size < r.size || now.size == r.size && now.root != r.root {
			a.last = before
			return fmt.Errorf("%w: anchor file was exchanged", ErrDamaged)
		}
	}
	return nil
}

// open opens the file and reads all of it.
func (a *File) open(created bool) error {
	f, err := os.OpenFile(a.cfg.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("witness: open file: %w", err)
	}
	if created {
		if err := syncDir(filepath.Dir(a.cfg.Path)); err != nil {
			f.Close()
			return fmt.Errorf("witness: open file: %w", err)
		}
	}
	a.f, a.end, a.last, a.live = f, 0, map[string]remembered{}, 0
	return a.read()
}

// read takes in the records from a.end on, and cuts off an unfinished last one.
func (a *File) read() error {
	info, err := a.f.Stat()
	if err != nil {
		return fmt.Errorf("witness: read file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return badConfig("anchor file is not a regular file")
	}
	for a.end < info.Size() {
		buf := make([]byte, min(readAhead, info.Size()-a.end))
		if _, err := a.f.ReadAt(buf, a.end); err != nil {
			return fmt.Errorf("witness: read file: %w", err)
		}
		last := a.end+int64(len(buf)) == info.Size()
		for len(buf) > 0 && (last || len(buf) >= maxRecord) {
			cp, n, err := parseRecord(buf)
			if errors.Is(err, errTorn) && last && n >= len(buf) {
				return a.truncate()
			}
			if err != nil {
				return fmt.Errorf("%w: anchor file at byte %d", ErrDamaged, a.end)
			}
			a.take(cp, a.end, int64(n))
			buf = buf[n:]
		}
	}
	return nil
}

func (a *File) truncate() error {
	if err := errors.Join(a.f.Truncate(a.end), a.f.Sync()); err != nil {
		return fmt.Errorf("witness: repair file: %w", err)
	}
	return nil
}

// take notes a record. The newest checkpoint of an origin is its largest.
func (a *File) take(cp checkpoint, at, bytes int64) {
	a.end = at + bytes
	was, ok := a.last[cp.origin]
	if ok && was.size >= cp.size {
		return
	}
	a.last[cp.origin] = remembered{cp.size, cp.root, at, bytes}
	a.live += bytes - was.bytes
}

// append writes a record at the end. What a failed write leaves is cut off at once, or by the next reader.
func (a *File) append(note []byte, cp checkpoint) error {
	record := formatRecord(note)
	if _, err := a.f.WriteAt(record, a.end); err != nil {
		return errors.Join(fmt.Errorf("witness: append: %w", err), a.truncate())
	}
	if err := a.f.Sync(); err != nil {
		return fmt.Errorf("witness: append: %w", err)
	}
	a.take(cp, a.end, int64(len(record)))
	if a.cfg.Compact > 0 && a.end > a.cfg.Compact && a.end > 2*a.live {
		return a.compact()
	}
	return nil
}

// compact writes the newest records to a new file that takes the old one's place.
func (a *File) compact() error {
	var b bytes.Buffer
	for _, r := range a.last {
		record := make([]byte, r.bytes)
		if _, err := a.f.ReadAt(record, r.at); err != nil {
			return fmt.Errorf("witness: compact: %w", err)
		}
		b.Write(record)
	}
	if err := writeFile(filepath.Dir(a.cfg.Path), filepath.Base(a.cfg.Path), b.Bytes()); err != nil {
		return err
	}
	return a.refresh()
}

func formatRecord(note []byte) []byte {
	return append(fmt.Appendf(nil, "%s %d %x\n", recordMark, len(note), sha256.Sum256(note)), note...)
}

// errTorn reports a record that ends too early, or whose note is not the one that was written.
var errTorn = errors.New("witness: unfinished record")

// parseRecord reads the record that b begins with and returns its length. With errTorn, the length is what the record
// would have, as far as that can be told.
func parseRecord(b []byte) (cp checkpoint, n int, err error) {
	head, _, ok := bytes.Cut(b[:min(len(b), 128)], []byte("\n"))
	if !ok {
		if plausible(b) {
			return cp, len(b), errTorn
		}
		return cp, 0, ErrDamaged
	}
	fields := bytes.Split(head, []byte(" "))
	if len(fields) != 3 || string(fields[0]) != recordMark || len(fields[2]) != 64 {
		return cp, 0, ErrDamaged
	}
	size, err := parseSize(string(fields[1]))
	if err != nil || size == 0 || size > verify.MaxCheckpoint {
		return cp, 0, ErrDamaged
	}
	n = len(head) + 1 + int(size)
	if len(b) < n {
		return cp, n, errTorn
	}
	note := b[len(head)+1 : n]
	if sum := sha256.Sum256(note); hex.EncodeToString(sum[:]) != string(fields[2]) {
		return cp, n, errTorn
	}
	if cp, _, err = cutNote(note); err != nil {
		return cp, n, ErrDamaged // it was written like this
	}
	return cp, n, nil
}

// plausible reports whether b is what a crash leaves of a record's first line: its beginning, and zeros where the file grew
// and the bytes did not arrive.
func plausible(b []byte) bool {
	mark := []byte(recordMark + " ")
	b = bytes.TrimRight(b, "\x00")
	return len(b) < 128 && bytes.HasPrefix(b, mark[:min(len(b), len(mark))])
}
