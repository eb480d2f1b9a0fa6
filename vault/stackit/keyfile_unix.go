//go:build unix

package stackit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// readPrivate reads a file that nobody but this user or root can have written or read. All checks are made on the open file.
func readPrivate(path string) ([]byte, error) {
	// O_NONBLOCK keeps a FIFO in the file's place from hanging the start.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, ErrKeyFile
	}
	if err != nil {
		return nil, fmt.Errorf("stackit: key file: open: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("stackit: key file: stat: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || info.Mode().Perm()&0o177 != 0 || info.Size() > maxKeyFile {
		return nil, ErrKeyFile
	}
	// Service managers hand files to a service that root owns.
	if int(owner.Uid) != os.Geteuid() && owner.Uid != 0 {
		return nil, ErrKeyFile
	}
	data := make([]byte, info.Size()) // one buffer of the right size: nothing is left behind by growing
	if _, err := io.ReadFull(f, data); err != nil {
		clear(data)
		return nil, fmt.Errorf("stackit: key file: read: %w", err)
	}
	return data, nil
}
