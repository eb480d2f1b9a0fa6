//go:build unix && !aix && !solaris

package pglocal

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user that the server runs as.
type account struct {
	uid, gid int
	name     string
	drop     bool // we are root and give the server to somebody else
}

// serverAccount is the caller's own account, or for root postgres or nobody.
func serverAccount() (account, error) {
	if euid := os.Geteuid(); euid != 0 {
		return account{uid: euid, gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.Atoi(u.Uid)
		gid, errG := strconv.Atoi(u.Gid)
		if errU != nil || errG != nil || uid <= 0 {
			continue
		}
		return account{uid: uid, gid: gid, name: name, drop: true}, nil
	}
	return account{}, fmt.Errorf("pglocal: start: running as root and there is neither an account postgres nor nobody to run the server as")
}

// attr runs a program as the account, in a session of its own: signals that a
// terminal sends to our process group do not reach it.
func (a account) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

// probe checks that the account can enter and write dir, which depends on every directory above it.
func (a account) probe(dir string) error {
	if !a.drop {
		return nil
	}
	cmd := exec.Command("/bin/sh", "-c", `cd -- "$1" && test -w .`, "sh", dir)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", cleanEnv("/"), a.attr()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pglocal: start: account %s, which runs the server for root, cannot reach %s: choose a directory whose parents it may enter", a.name, dir)
	}
	return nil
}

// own gives what root made under dir to the account.
func (a account) own(dir *os.Root, name string) error {
	if !a.drop {
		return nil
	}
	return dir.Lchown(name, a.uid, a.gid)
}
