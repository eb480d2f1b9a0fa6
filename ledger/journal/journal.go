package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/pioneerdesk/tomkit/ledger"
)

// Errors to branch on.
var (
	// ErrMalformed means that the file is not a journal, or a line of it was changed.
	ErrMalformed = errors.New("journal: malformed")
	// ErrPermissions means that others may read or write the file, or that it is no regular file.
	ErrPermissions = errors.New("journal: not a private file")
	// ErrUnsupported means that this system has no file locks that the package knows.
	ErrUnsupported = errors.New("journal: not supported on this system")
)

// LineError says which line of the file is wrong. It wraps [ErrMalformed].
type LineError struct {
	Line int // counts from 1
}

// Error names the line.
func (e *LineError) Error() string { return fmt.Sprintf("%v: line %d", ErrMalformed, e.Line) }

// Unwrap returns the sentinel.
func (e *LineError) Unwrap() error { return ErrMalformed }

// File is a [ledger.Journal] in a file. It is safe for concurrent use, by several processes of one host too.
type File struct {
	mu   sync.Mutex
	file *os.File
}

var _ ledger.Journal = (*File)(nil)

// Open opens the journal at path and makes it if it is not there. The folder must exist.
func Open(path string) (*File, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	// The folder's entry is as durable as the records will be.
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		err = dir.Sync()
		dir.Close()
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("journal: open: %w", err)
		}
	}
	return &File{file: f}, nil
}

// Close releases the file.
func (j *File) Close() error { return j.file.Close() }

// Append implements [ledger.Journal].
func (j *File) Append(ctx context.Context, r ledger.ErasureRecord) error {
	line, err := encode(r)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := lock(j.file, true); err != nil {
		return fmt.Errorf("journal: append: lock: %w", err)
	}
	defer unlock(j.file)
	end, err := whole(j.file)
	if err != nil {
		return fmt.Errorf("journal: append: %w", err)
	}
	if err := j.file.Truncate(end); err != nil {
		return fmt.Errorf("journal: append: %w", err)
	}
	if _, err := j.file.WriteAt(line, end); err != nil {
		return fmt.Errorf("journal: append: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("journal: append: %w", err)
	}
	return nil
}

// Each implements [ledger.Journal]. It reads what is there when it is called. A line that is wrong is a [LineError].
func (j *File) Each(ctx context.Context, fn func(ledger.ErasureRecord) error) error {
	end, err := j.end()
	if err != nil {
		return fmt.Errorf("journal: read: %w", err)
	}
	r := bufio.NewReaderSize(io.NewSectionReader(j.file, 0, end), maxLine)
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := r.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
			return &LineError{n}
		case err != nil:
			return fmt.Errorf("journal: read: %w", err)
		}
		record, err := decode(line)
		if err != nil {
			return &LineError{n}
		}
		if err := fn(record); err != nil {
			return err
		}
	}
}

// end returns where the last whole line ends.
func (j *File) end() (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := lock(j.file, false); err != nil {
		return 0, err
	}
	defer unlock(j.file)
	return whole(j.file)
}

// whole returns where the last line that has its newline ends: what follows was cut off by a crash.
func whole(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var buf [4096]byte
	for end := info.Size(); end > 0; {
		n := min(int64(len(buf)), end)
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] == '\n' {
				return end - n + i + 1, nil
			}
		}
		end -= n
	}
	return 0, nil
}
