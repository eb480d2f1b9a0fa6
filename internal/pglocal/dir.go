//go:build unix && !aix && !solaris

package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Names inside a server's directory.
const (
	lockName   = "lock"       // held by flock while a process uses the directory
	dataName   = "data"       // PGDATA
	makingName = "data.new"   // PGDATA until it is complete
	runName    = "run"        // socket directory
	logName    = "server.log" // log since the last start
)

// dir is a server's directory, opened and locked. Everything inside may belong to a
// weaker account than ours, so root reaches it only through os.Root, which follows
// no link out of the directory.
type dir struct {
	path     string
	root     *os.Root
	lock     *os.File
	owner    account
	socket   string   // socket directory
	temp     string   // Config.TempDir
	volatile []string // removed when the server ends
}

func (d *dir) data() string { return filepath.Join(d.path, dataName) }

// close gives the directory back; the lock ends with it.
func (d *dir) close() {
	d.lock.Close()
	d.root.Close()
}

// remove deletes what is temporary.
func (d *dir) remove() error {
	var errs []error
	for _, p := range d.volatile {
		errs = append(errs, os.RemoveAll(p))
	}
	return errors.Join(errs...)
}

// openDir makes or opens the server's directory and locks it.
func openDir(path, temp string, owner account) (_ *dir, err error) {
	d := &dir{owner: owner, temp: temp}
	if path == "" {
		if d.path, err = tempDir(temp, owner); err != nil {
			return nil, err
		}
		d.volatile = append(d.volatile, d.path)
	} else {
		if d.path, err = filepath.Abs(path); err != nil {
			return nil, fmt.Errorf("pglocal: start: %w", err)
		}
		if err = makeDir(d.path, owner); err != nil {
			return nil, err
		}
	}
	if err := d.open(); err != nil {
		if path == "" {
			os.RemoveAll(d.path)
		}
		return nil, err
	}
	return d, nil
}

func (d *dir) open() (err error) {
	if d.root, err = os.OpenRoot(d.path); err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	defer func() {
		if err != nil {
			d.root.Close()
		}
	}()
	if err = d.takeLock(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.lock.Close()
		}
	}()
	if err = d.owner.own(d.root, "."); err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if err = d.owner.probe(d.path); err != nil {
		return err
	}
	return d.makeSocketDir()
}

// tempDir makes a temporary directory that the account can reach: in base, or where
// that is empty in TMPDIR or in the system's own places.
func tempDir(base string, owner account) (string, error) {
	bases := []string{base}
	if base == "" {
		bases = []string{os.TempDir(), "/tmp", "/var/tmp"}
	}
	var first error
	for _, base := range bases {
		path, err := os.MkdirTemp(base, "tomkit-pg-")
		if err == nil {
			if !owner.drop {
				return path, nil
			}
			if err = os.Lchown(path, owner.uid, owner.gid); err == nil {
				err = owner.probe(path)
			}
			if err == nil {
				return path, nil
			}
			os.Remove(path)
		}
		if first == nil {
			first = err
		}
	}
	return "", fmt.Errorf("pglocal: start: no temporary directory: %w", first)
}

// makeDir makes a persistent directory, or accepts one that is empty or ours.
func makeDir(path string, owner account) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	err := os.Mkdir(path, 0o700)
	if err == nil {
		return nil
	}
	if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if !fi.IsDir() {
		return fmt.Errorf("%w: %s is a file", ErrForeignDir, path)
	}
	if uid := int(fi.Sys().(*syscall.Stat_t).Uid); uid != owner.uid && uid != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to user id %d", ErrForeignDir, path, uid)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if len(entries) == 0 {
		return os.Chmod(path, 0o700)
	}
	if _, err := os.Lstat(filepath.Join(path, lockName)); err != nil {
		return fmt.Errorf("%w: %s is not empty", ErrForeignDir, path)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w: %s may be entered by others (mode %04o, want 0700)", ErrForeignDir, path, fi.Mode().Perm())
	}
	return nil
}

// takeLock marks the directory as used by this process; the kernel ends the mark with the process.
func (d *dir) takeLock() error {
	f, err := d.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			holder, _ := io.ReadAll(io.LimitReader(f, 20))
			return fmt.Errorf("%w: %s is used by process %s", ErrInUse, d.path, strings.TrimSpace(string(holder)))
		}
		return fmt.Errorf("pglocal: start: lock %s: %w", d.path, err)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		f.Close()
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if err := d.owner.own(d.root, lockName); err != nil {
		f.Close()
		return fmt.Errorf("pglocal: start: %w", err)
	}
	d.lock = f
	return nil
}

// makeSocketDir makes run/, or a temporary directory where the socket's path would be
// too long or hold a comma, which separates hosts in a connection string.
func (d *dir) makeSocketDir() error {
	d.socket = filepath.Join(d.path, runName)
	if len(filepath.Join(d.socket, ".s.PGSQL."+port)) > maxSocketPath || strings.Contains(d.socket, ",") {
		return d.makeShortSocketDir()
	}
	if err := d.root.Mkdir(runName, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if err := d.owner.own(d.root, runName); err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	return nil
}

func (d *dir) makeShortSocketDir() error {
	for _, base := range []string{d.temp, os.TempDir(), "/tmp"} {
		if base == "" {
			continue
		}
		if len(base)+len("/tomkit-pg-0123456789/.s.PGSQL."+port) > maxSocketPath || strings.Contains(base, ",") {
			continue
		}
		path, err := os.MkdirTemp(base, "tomkit-pg-")
		if err != nil {
			continue
		}
		d.volatile = append(d.volatile, path)
		if d.owner.drop {
			if err := os.Lchown(path, d.owner.uid, d.owner.gid); err != nil {
				return fmt.Errorf("pglocal: start: %w", err)
			}
		}
		if err := d.owner.probe(path); err != nil {
			return err
		}
		d.socket = path
		return nil
	}
	return fmt.Errorf("pglocal: start: %s is no path for a socket (too long, or a comma in it) and no other directory can be written", d.path)
}

// dataMajor is the major version that wrote the data; fresh means that there is none yet.
func (d *dir) dataMajor() (major string, fresh bool, err error) {
	b, err := d.root.ReadFile(filepath.Join(dataName, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		if _, err := d.root.Lstat(dataName); err == nil {
			return "", false, fmt.Errorf("%w: %s holds no PG_VERSION", ErrForeignDir, d.data())
		}
		return "", true, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("pglocal: start: %w", err)
	}
	return strings.TrimSpace(string(b)), false, nil
}

// settle waits until the server of an earlier, killed process is gone, and makes a
// leftover postmaster.pid harmless whose number now belongs to some other process.
//
// PostgreSQL itself takes a leftover file for stale if nobody has its number or if the
// number is the postmaster's parent; then it still checks that no old child is attached
// to the shared memory. So the file is not removed: our own number is written into it.
func (d *dir) settle(ctx context.Context) error {
	for {
		pid, rest, err := d.postmasterPID()
		if err != nil || pid == 0 || !alive(pid) {
			return err
		}
		if !d.isOurs(pid) {
			text := strconv.Itoa(os.Getpid()) + "\n" + rest
			name := filepath.Join(dataName, "postmaster.pid")
			if err := d.root.WriteFile(name, []byte(text), 0o600); err != nil {
				return fmt.Errorf("pglocal: start: %w", err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s is served by process %d, which does not end", ErrInUse, d.path, pid)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// postmasterPID reads the number in postmaster.pid and the lines after it; zero means no file.
func (d *dir) postmasterPID() (pid int, rest string, err error) {
	b, err := d.root.ReadFile(filepath.Join(dataName, "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("pglocal: start: %w", err)
	}
	first, rest, _ := strings.Cut(string(b), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 {
		return 0, "", nil
	}
	return pid, rest, nil
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
