package witness

import (
	"os"
	"syscall"
	"unsafe"
)

var (
	kernel32     = syscall.NewLazyDLL("kernel32.dll")
	lockFileEx   = kernel32.NewProc("LockFileEx")
	unlockFileEx = kernel32.NewProc("UnlockFileEx")
)

// tryLock takes the lock of an open file, which the system gives back when the file is closed or the process dies.
func tryLock(f *os.File) error {
	const exclusive, failImmediately = 2, 1
	var o syscall.Overlapped
	if ok, _, err := lockFileEx.Call(f.Fd(), exclusive|failImmediately, 0, 1, 0, uintptr(unsafe.Pointer(&o))); ok == 0 {
		return err
	}
	return nil
}

// syncDir does nothing: directories cannot be opened for syncing, and the file system's journal orders renames.
func syncDir(string) error { return nil }

// unlock gives the lock of an open file back.
func unlock(f *os.File) {
	var o syscall.Overlapped
	_, _, _ = unlockFileEx.Call(f.Fd(), 0, 1, 0, uintptr(unsafe.Pointer(&o)))
}
