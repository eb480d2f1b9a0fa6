package auditor

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/pioneerdesk/tomkit/internal/auditor/remote"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/vault"
)

// Source is where an export comes from.
type Source struct {
	Export     string `arg:"" help:"The export: a directory, a .zip file or an https:// URL. Servers list no directories, so older checkpoints and time stamps are not found at a URL."`
	CA         string `name:"ca" help:"Certificates to trust for a URL instead of the system's, in PEM." placeholder:"FILE"`
	BearerFile string `help:"File with a token to send to a URL's host, readable by you only." placeholder:"FILE"`
}

// export is an opened export.
type export struct {
	// FS is not embedded, for that would hide its other methods, such as ReadDir.
	files fs.FS
	close func() error
	// fault reports why the export could not be read in full, if that says nothing about the log. Nil means that there is no such case.
	fault func() error
}

// Close releases the export.
func (e *export) Close() error { return e.close() }

// open opens the export.
func (s *Source) open(ctx context.Context) (*export, error) {
	if !strings.Contains(s.Export, "://") {
		if s.CA != "" || s.BearerFile != "" {
			return nil, cli.UsageError("--ca and --bearer-file are for a URL")
		}
		return openLocal(s.Export)
	}
	var cfg remote.Config
	if s.CA != "" {
		var err error
		if cfg.CA, err = readFile("--ca", s.CA, 1<<20); err != nil {
			return nil, err
		}
	}
	if s.BearerFile != "" {
		token, err := vault.ReadPrivateFile(s.BearerFile, 8<<10)
		if err != nil {
			return nil, cli.UsageError("--bearer-file: %v", err)
		}
		cfg.Bearer = strings.TrimSpace(string(token))
	}
	files, err := remote.Open(ctx, s.Export, cfg)
	if err != nil {
		return nil, cli.UsageError("%v", err)
	}
	return &export{files, files.Close, files.Fault}, nil
}

// openLocal opens a directory, in which no symbolic link leads outside, or a zip archive.
func openLocal(path string) (*export, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cli.UsageError("%v", err)
	}
	noFault := func() error { return nil }
	if info.IsDir() {
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, cli.UsageError("%v", err)
		}
		return &export{plainFiles{root.FS().(fs.StatFS)}, root.Close, noFault}, nil
	}
	if !info.Mode().IsRegular() {
		return nil, cli.UsageError("%s is neither a directory nor a zip archive", path)
	}
	return openArchive(path, info.Size())
}

// maxDirectory bounds the directory of an archive, which is held in memory: enough for a log of forty million entries. A longer one is
// unpacked first.
const maxDirectory = 32 << 20

func openArchive(path string, size int64) (*export, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cli.UsageError("%v", err)
	}
	directory := &limitedReaderAt{f: f, left: maxDirectory}
	r, err := zip.NewReader(directory, size)
	switch {
	case directory.left < 0:
		err = cli.UsageError("%s: too many files for an archive: unpack it and check the directory", path)
	case errors.Is(err, zip.ErrFormat):
		err = cli.UsageError("%s is neither a directory nor a zip archive", path)
	case err != nil:
		err = cli.UsageError("%s: %v", path, err)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	directory.open = true
	return &export{r, f.Close, func() error { return nil }}, nil
}

// limitedReaderAt reads a limited number of bytes until it is open.
type limitedReaderAt struct {
	f    io.ReaderAt
	left int64
	open bool
}

// ReadAt reads unless the limit is reached.
func (l *limitedReaderAt) ReadAt(b []byte, at int64) (int, error) {
	if !l.open {
		if l.left -= int64(len(b)); l.left < 0 {
			return 0, errors.New("too much")
		}
	}
	return l.f.ReadAt(b, at)
}

// plainFiles opens files and directories only: to open a pipe that somebody put there would wait for ever.
type plainFiles struct{ fs.StatFS }

// Open opens a file or directory.
func (p plainFiles) Open(name string) (fs.File, error) {
	info, err := p.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a file")}
	}
	return p.StatFS.Open(name)
}
