//go:build !windows

package witness

import (
	"os"
	"syscall"
)

// tryLock takes the lock of an open file, which the system gives back when the file is closed or the process dies. Two
// opened files exclude each other even within one process.
func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// syncDir makes a rename survive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// unlock gives the lock of an open file back.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
