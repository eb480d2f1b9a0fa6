//go:build unix

package vault

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

func readPrivate(path string, limit int64) ([]byte, error) {
	// O_NONBLOCK keeps a FIFO in the file's place from hanging the start.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, ErrPermissions
	}
	if err != nil {
		return nil, fmt.Errorf("vault: private file: open: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("vault: private file: stat: %w", err)
	}
	if !private(info) {
		return nil, ErrPermissions
	}
	if info.Size() > limit {
		return nil, ErrTooLarge
	}
	data := make([]byte, info.Size()) // one buffer of the right size: nothing is left behind by growing
	if _, err := io.ReadFull(f, data); err != nil {
		clear(data)
		return nil, fmt.Errorf("vault: private file: read: %w", err)
	}
	return data, nil
}

func private(info os.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && info.Mode().Perm()&0o177 == 0 && (int(owner.Uid) == os.Geteuid() || owner.Uid == 0)
}
