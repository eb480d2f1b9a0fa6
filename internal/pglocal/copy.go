//go:build unix && !aix && !solaris

package pglocal

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// packEnd is the name of the last entry: an archive cut short between two entries
// would otherwise look whole.
const packEnd = ".end"

// errCut means that an archive has no last entry.
var errCut = errors.New("archive is cut short")

// pack writes the directories and regular files under src as a tar archive, parents first.
// Anything else in the tree is an error.
func pack(w io.Writer, src *os.Root) error {
	tw := tar.NewWriter(w)
	err := fs.WalkDir(src.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case entry.IsDir():
			return tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o700})
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory", name)
		}
		return packFile(tw, src, name)
	})
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: packEnd}); err != nil {
		return err
	}
	return tw.Close()
}

func packFile(tw *tar.Writer, src *os.Root, name string) error {
	f, err := src.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: fi.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}

// unpack writes an archive made by pack into dst and gives everything to owner.
func unpack(r io.Reader, dst *os.Root, owner account) error {
	u := unpacker{dst: dst, owner: owner, buf: make([]byte, 256<<10)}
	defer u.leave()
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return errCut
		}
		if err != nil {
			return err
		}
		if h.Name == packEnd {
			return nil
		}
		if h.Typeflag == tar.TypeDir {
			name := path.Clean(h.Name)
			if err := dst.Mkdir(name, 0o700); err != nil {
				return err
			}
			err = owner.own(dst, name)
		} else {
			err = u.file(tr, h)
		}
		if err != nil {
			return err
		}
	}
}

// unpacker keeps the directory of the last file open: a cluster has a thousand files
// in a few directories, and walking each path anew would take most of the time.
type unpacker struct {
	dst    *os.Root
	owner  account
	buf    []byte
	inside string
	dir    *os.Root
}

func (u *unpacker) leave() {
	if u.dir != nil {
		u.dir.Close()
	}
	u.dir = nil
}

func (u *unpacker) enter(name string) error {
	if u.dir != nil && u.inside == name {
		return nil
	}
	u.leave()
	dir, err := u.dst.OpenRoot(name)
	if err != nil {
		return err
	}
	u.dir, u.inside = dir, name
	return nil
}

// file writes one file and leaves out blocks of zeros, of which a new cluster has
// many; they become holes.
func (u *unpacker) file(r io.Reader, h *tar.Header) (err error) {
	if err := u.enter(path.Dir(h.Name)); err != nil {
		return err
	}
	f, err := u.dir.OpenFile(path.Base(h.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if u.owner.drop {
		if err := f.Chown(u.owner.uid, u.owner.gid); err != nil {
			return err
		}
	}
	return writeSparse(f, r, h.Size, u.buf)
}

func writeSparse(f *os.File, r io.Reader, size int64, buf []byte) error {
	hole := false
	for at := int64(0); at < size; {
		n, err := io.ReadFull(r, buf[:min(int64(len(buf)), size-at)])
		if err != nil {
			return err
		}
		if hole = allZero(buf[:n]); !hole {
			if _, err := f.WriteAt(buf[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	if hole {
		return f.Truncate(size)
	}
	return nil
}

var zeros [4096]byte

func allZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

// emptyDir removes everything in dir.
func emptyDir(dir *os.Root) error {
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := dir.RemoveAll(e.Name()); err != nil {
			return err
		}
	}
	return nil
}
