package verify

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"
)

// Files receives the files of an export. The names are slash-separated relative paths. A [Writer] closes each file
// before it creates the next.
type Files interface {
	Create(name string) (io.WriteCloser, error)
}

// DirFiles writes an export into a directory: folders 0700, files 0600, never over an existing file.
type DirFiles struct {
	root *os.Root
}

// NewDir makes the directory dir, which must not exist or be empty, and returns the Files that write into it. Close it
// after the Writer.
func NewDir(dir string) (*DirFiles, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("verify: new export: %w", err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		return nil, fmt.Errorf("verify: new export: %s is not an empty directory", filepath.Base(dir))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("verify: new export: %w", err)
	}
	return &DirFiles{root: root}, nil
}

// Create creates a file and the folders above it.
func (d *DirFiles) Create(name string) (io.WriteCloser, error) {
	if err := d.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return nil, err
	}
	return d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Close releases the directory.
func (d *DirFiles) Close() error { return d.root.Close() }

// ZipFiles writes an export as a zip archive, as a stream. Close it after the Writer.
type ZipFiles struct {
	z  *zip.Writer
	at time.Time
}

// NewZip returns Files that write a zip archive to w. Every file carries the time at; zero means none.
func NewZip(w io.Writer, at time.Time) *ZipFiles { return &ZipFiles{z: zip.NewWriter(w), at: at} }

// Create begins a file and so ends the one before.
func (z *ZipFiles) Create(name string) (io.WriteCloser, error) {
	w, err := z.z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: z.at})
	if err != nil {
		return nil, err
	}
	return nopCloser{w}, nil
}

// Close writes the archive's directory. It does not close the underlying writer.
func (z *ZipFiles) Close() error { return z.z.Close() }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
