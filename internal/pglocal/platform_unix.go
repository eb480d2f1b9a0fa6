//go:build unix && !linux && !aix && !solaris

package pglocal

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// maxSocketPath is sun_path of macOS and the BSDs without its final zero byte.
const maxSocketPath = 103

// ctype is the one locale that every platform has.
const ctype = "C"

// dieWithParent does nothing: only Linux has PR_SET_PDEATHSIG. The watcher stands alone here.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// isOurs reports whether pid is the postmaster of this directory: its command line names the data directory.
func (d *dir) isOurs(pid int) bool {
	cmd := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid))
	cmd.Env = cleanEnv("/")
	out, err := cmd.Output()
	return err == nil && strings.Contains(string(out), d.data())
}

// syncTree asks the system to write everything to the disk.
func syncTree(string) error {
	syscall.Sync()
	return nil
}
