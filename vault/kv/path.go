package kv

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrPath means a path that is refused before anything is sent.
var ErrPath = errors.New("kv: path: 1 to 512 bytes, printable segments between single slashes, no dot segments")

// maxPath bounds a path in bytes; a Vault's own storage has similar limits.
const maxPath = 512

// split returns the segments of a path.
func split(path string) ([]string, error) {
	if len(path) > maxPath {
		return nil, ErrPath
	}
	segments := strings.Split(path, "/")
	for _, segment := range segments {
		if !validSegment(segment) {
			return nil, ErrPath
		}
	}
	return segments, nil
}

// splitFolder is split for a folder: empty is the root, and a slash may end it.
func splitFolder(folder string) ([]string, error) {
	if folder == "" {
		return nil, nil
	}
	return split(strings.TrimSuffix(folder, "/"))
}

func validSegment(segment string) bool {
	if segment == "" || segment == "." || segment == ".." || !utf8.ValidString(segment) || len(segment) > maxPath {
		return false
	}
	return !strings.ContainsFunc(segment, func(r rune) bool { return r == '/' || r == '\\' || !unicode.IsPrint(r) })
}
