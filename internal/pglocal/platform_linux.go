package pglocal

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSocketPath is sun_path without its final zero byte, unix(7).
const maxSocketPath = 107

// ctype makes upper and lower know more than ASCII; sorting stays bytewise.
const ctype = "C.UTF-8"

// dieWithParent makes the kernel send sig to the program when the thread that started it ends.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// isOurs reports whether pid is the postmaster of this directory: it works inside its data directory.
func (d *dir) isOurs(pid int) bool {
	cwd, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
	if err != nil {
		return false // gone, or it belongs to an account that is not the server's
	}
	data, err := filepath.EvalSymlinks(d.data())
	return err == nil && strings.TrimSuffix(cwd, " (deleted)") == data
}

// syncTree waits until everything written to dir's file system is on the disk.
func syncTree(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}
