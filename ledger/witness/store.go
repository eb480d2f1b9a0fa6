package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Store is a [Server]'s memory: for each origin the signed note that was cosigned last. Implementations are safe for
// concurrent use, by several processes if several serve one name.
type Store interface {
	// Load returns the note of an origin, nil if there is none.
	Load(ctx context.Context, origin string) ([]byte, error)
	// Swap replaces old, nil for none, by next, and returns when next will survive a crash. If the origin's note is not old,
	// nothing changes and the error wraps ErrConflict.
	Swap(ctx context.Context, origin string, old, next []byte) error
}

// marker is the file that makes a directory a store. Without it, a directory that was emptied or not mounted would be taken
// for that of a new witness, which then cosigns whatever it is shown.
const (
	marker     = "witness-state"
	markerText = "tomkit-witness/v1\n"
)

// FileStore is a Store in a directory that one process uses at a time: one file per origin, named after its SHA-256.
type FileStore struct {
	dir  string
	lock *os.File
	mu   sync.Mutex
}

var _ Store = (*FileStore)(nil)

// CreateFileStore makes a directory the store of a new witness. It refuses one that is there and not empty.
func CreateFileStore(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("witness: create store: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("witness: create store: %w", err)
	}
	if len(entries) > 0 {
		return badConfig("state directory is not empty")
	}
	return writeFile(dir, marker, []byte(markerText))
}

// OpenFileStore opens a store that CreateFileStore made. The error wraps ErrLocked if another process has it open, and
// ErrConfig if the directory is no store.
func OpenFileStore(dir string) (*FileStore, error) {
	text, err := os.ReadFile(filepath.Join(dir, marker))
	if err != nil || string(text) != markerText {
		return nil, badConfig("not a state directory: a witness that lost its memory must not go on under the same name and keys")
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("witness: open store: %w", err)
	}
	if err := tryLock(lock); err != nil {
		lock.Close()
		return nil, ErrLocked
	}
	return &FileStore{dir: dir, lock: lock}, nil
}

// Close lets other processes open the directory.
func (s *FileStore) Close() error { return s.lock.Close() }

func fileOf(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:])
}

// Load returns the note of an origin.
func (s *FileStore) Load(_ context.Context, origin string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(origin)
}

func (s *FileStore) load(origin string) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.dir, fileOf(origin)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("witness: load: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() > verify.MaxCheckpoint || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: state of an origin", ErrDamaged)
	}
	note := make([]byte, info.Size())
	if _, err := f.ReadAt(note, 0); err != nil {
		return nil, fmt.Errorf("witness: load: %w", err)
	}
	c, _, err := cutNote(note)
	if err != nil || c.origin != origin {
		return nil, fmt.Errorf("%w: state of an origin", ErrDamaged)
	}
	return note, nil
}

// Swap replaces the note of an origin.
func (s *FileStore) Swap(_ context.Context, origin string, old, next []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, err := s.load(origin)
	if err != nil {
		return err
	}
	if (have == nil) != (old == nil) || !bytes.Equal(have, old) {
		return ErrConflict
	}
	return writeFile(s.dir, fileOf(origin), next)
}

// writeFile replaces a file of a directory so that a crash leaves the old one or the new one, and returns when the new one
// will stay.
func writeFile(dir, name string, content []byte) error {
	f, err := os.OpenFile(filepath.Join(dir, name+".new"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("witness: write: %w", err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("witness: write: %w", err)
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("witness: write: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("witness: write: %w", err)
	}
	return nil
}
