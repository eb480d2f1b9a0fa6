//go:build unix && !aix && !solaris

package pglocal

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// template is the place of one prepared cluster in the user's cache directory: an
// archive, put there whole by a rename.
type template struct {
	root *os.Root // holds all templates
	lock *os.File // nil until takeLock
	name string
}

// errForeignCache means that the cache directory cannot be trusted.
var errForeignCache = errors.New("pglocal: cache: directory belongs to or is writable by others")

// openTemplate names the template of binaries, account and initdb's arguments.
func openTemplate(b Binaries, owner account) (*template, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(base, "tomkit", "pglocal")
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	for _, p := range []string{base, filepath.Dir(path), path} {
		fi, err := os.Lstat(p)
		if err != nil {
			return nil, err
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok || int(st.Uid) != os.Geteuid() || fi.Mode().Perm()&0o022 != 0 {
			return nil, errForeignCache
		}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256([]byte(strings.Join(append([]string{
		b.Version, b.Dir, runtime.GOARCH, fmt.Sprint(owner.uid)}, initdbArgs...), "\x00")))
	return &template{root: root, name: fmt.Sprintf("%d-%s.tar", b.Major, hex.EncodeToString(key[:6]))}, nil
}

func (t *template) close() {
	if t.lock != nil {
		t.lock.Close()
	}
	t.root.Close()
}

// takeLock waits while another process makes the template.
func (t *template) takeLock(ctx context.Context) (err error) {
	if t.lock, err = t.root.OpenFile(t.name+".lock", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil // a cache that can be read and not written: initdb does without
	}
	for {
		err := syscall.Flock(int(t.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil // held, or locks are not supported here and two may do the same work
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// restore unpacks the template into dst.
func (t *template) restore(dst *os.Root, owner account) error {
	f, err := t.root.Open(t.name)
	if err != nil {
		return err
	}
	defer f.Close()
	return unpack(bufio.NewReaderSize(f, 1<<20), dst, owner)
}

// save keeps src as the template.
func (t *template) save(src *os.Root) error {
	fresh := fmt.Sprintf("%s.%d", t.name, os.Getpid())
	f, err := t.root.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = errors.Join(pack(w, src), w.Flush(), f.Close())
	if err == nil {
		err = t.root.Rename(fresh, t.name)
	}
	if err != nil {
		t.root.Remove(fresh)
	}
	return err
}
