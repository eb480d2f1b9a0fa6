package verify

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

const (
	dirTimestamps = "timestamps"
	tokenSuffix   = ".tsr"
	maxAnchorName = 64
	maxTimestamps = 1 << 16 // listed
)

// MaxToken bounds a time stamp in bytes.
const MaxToken = 64 << 10

// TimestampFile names a time stamp of an export: a DER TimeStampToken (RFC 3161) over SHA-256 of the text of the checkpoint of
// its size. This package only finds it; whoever relies on it checks it with a time-stamping authority's certificate.
type TimestampFile struct {
	Size   uint64 // the checkpoint's
	Anchor string // who gave it
}

// Path returns the file of the time stamp.
func (t TimestampFile) Path() string {
	return dirTimestamps + "/" + olderName(t.Size) + "/" + t.Anchor + tokenSuffix
}

// Timestamps lists the time stamps of an export, by size and then by name. Other files are passed over. The error is for a
// directory that cannot be read.
func Timestamps(fsys fs.FS) ([]TimestampFile, error) {
	sizes, err := fs.ReadDir(fsys, dirTimestamps)
	if err != nil {
		if isNotExist(err) {
			return nil, nil
		}
		return nil, &FileError{File: dirTimestamps, Err: errUnreadable}
	}
	var out []TimestampFile
	for _, dir := range sizes {
		size, err := strconv.ParseUint(dir.Name(), 10, 63)
		if err != nil || olderName(size) != dir.Name() || !dir.IsDir() {
			continue
		}
		files, err := fs.ReadDir(fsys, dirTimestamps+"/"+dir.Name())
		if err != nil {
			return nil, &FileError{File: dirTimestamps + "/" + dir.Name(), Err: errUnreadable}
		}
		for _, f := range files {
			if anchor, ok := strings.CutSuffix(f.Name(), tokenSuffix); ok && anchorNameOK(anchor) {
				out = append(out, TimestampFile{Size: size, Anchor: anchor})
			}
			if len(out) > maxTimestamps {
				return nil, &FileError{File: dirTimestamps, Err: ErrTooLarge}
			}
		}
	}
	slices.SortFunc(out, func(a, b TimestampFile) int {
		return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.Anchor, b.Anchor))
	})
	return out, nil
}

// Read returns the token and the text it must be over: that of the export's checkpoint of its size, whose signatures are for
// [Verify] to judge. The error wraps ErrMalformed if there is no such checkpoint.
func (t TimestampFile) Read(fsys fs.FS) (token, text []byte, err error) {
	if !anchorNameOK(t.Anchor) {
		return nil, nil, malformed("timestamp", "not the name of an anchor")
	}
	r := run{fsys: fsys}
	if token, err = r.read(t.Path(), MaxToken, nil); err != nil {
		return nil, nil, &FileError{File: t.Path(), Err: err}
	}
	for _, name := range []string{fileCheckpoint, dirCheckpoints + "/" + olderName(t.Size)} {
		signed, err := r.read(name, MaxCheckpoint, nil)
		if err != nil {
			continue
		}
		if c, err := peekCheckpoint(signed); err == nil && c.Size == t.Size {
			return token, signed[:bytes.Index(signed, []byte("\n\n"))+1], nil
		}
	}
	return nil, nil, malformed("timestamp", fmt.Sprintf("no checkpoint of size %d", t.Size))
}

// anchorNameOK reports whether a name is 1–64 bytes of [a-z0-9._-].
func anchorNameOK(s string) bool {
	return s != "" && len(s) <= maxAnchorName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
