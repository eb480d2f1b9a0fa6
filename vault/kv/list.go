package kv

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/vault/wire"
)

var (
	// ErrTooMany says that Walk found more names or folders than Config allows.
	ErrTooMany = errors.New("kv: walk: more names or deeper folders than allowed")

	// errEntry does not say which field, since names of fields come from the server.
	errEntry    = errors.New("not a secret with string values and a version")
	errKeys     = errors.New("field keys: a name that is no path segment, or one given twice")
	errVersions = errors.New("not the history of a secret")
)

// List returns the names in a folder in the Vault's order; those of folders end in a slash. The root is the empty folder. A
// folder that does not exist is empty.
func (s *Session) List(ctx context.Context, folder string) ([]string, error) {
	segments, err := splitFolder(folder)
	if err != nil {
		return nil, err
	}
	// An empty last segment makes the slash that a folder's path ends with.
	path := slices.Concat(s.client.mount, []string{"metadata"}, segments, []string{""})
	res, err := s.do(ctx, wire.Request{Op: "kv: list", Method: http.MethodGet, Path: path, Query: url.Values{"list": {"true"}}})
	if errors.Is(err, wire.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer res.Wipe()
	keys, err := decodeKeys(res.Object)
	if err != nil {
		return nil, res.Malformed(err)
	}
	return keys, nil
}

func decodeKeys(o *wire.Object) ([]string, error) {
	keys := o.Object("data").Texts("keys")
	if err := o.Err(); err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		if !validSegment(strings.TrimSuffix(key, "/")) || seen[key] {
			return nil, errKeys
		}
		seen[key] = true
	}
	return keys, nil
}

// Walk returns the paths of all secrets below a folder, sorted. More than Config.MaxKeys names, Config.MaxDepth levels or 512
// bytes of path are ErrTooMany: a server cannot make it go on without end.
func (s *Session) Walk(ctx context.Context, folder string) ([]string, error) {
	if _, err := splitFolder(folder); err != nil {
		return nil, err
	}
	if folder != "" && !strings.HasSuffix(folder, "/") {
		folder += "/"
	}
	w := walker{session: s, left: s.client.cfg.MaxKeys}
	if err := w.walk(ctx, folder, s.client.cfg.MaxDepth); err != nil {
		return nil, err
	}
	slices.Sort(w.paths)
	return w.paths, nil
}

type walker struct {
	session *Session
	left    int // names that may still come
	paths   []string
}

func (w *walker) walk(ctx context.Context, folder string, depth int) error {
	keys, err := w.session.List(ctx, folder)
	if err != nil {
		return err
	}
	if w.left -= len(keys); w.left < 0 {
		return ErrTooMany
	}
	for _, key := range keys {
		path := folder + key
		switch {
		case len(path) > maxPath, strings.HasSuffix(key, "/") && depth == 0:
			return ErrTooMany
		case !strings.HasSuffix(key, "/"):
			w.paths = append(w.paths, path)
		default:
			if err := w.walk(ctx, path, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// Metadata is a secret's history, without its values.
type Metadata struct {
	Path     string
	Current  int64     // the newest version
	Oldest   int64     // the oldest version kept
	Updated  time.Time // UTC
	Versions []Version // in order
}

// Metadata returns the versions of the secret at path: what changed can be told without reading a value.
func (s *Session) Metadata(ctx context.Context, path string) (*Metadata, error) {
	segments, err := split(path)
	if err != nil {
		return nil, err
	}
	res, err := s.do(ctx, wire.Request{
		Op: "kv: metadata", Method: http.MethodGet, Path: slices.Concat(s.client.mount, []string{"metadata"}, segments),
	})
	if err != nil {
		return nil, err
	}
	defer res.Wipe()
	m, err := decodeMetadata(res.Object, path)
	if err != nil {
		return nil, res.Malformed(err)
	}
	return m, nil
}

func decodeMetadata(o *wire.Object, path string) (*Metadata, error) {
	data := o.Object("data")
	m := &Metadata{Path: path, Current: data.Int("current_version"), Oldest: data.Int("oldest_version"), Updated: data.Time("updated_time").UTC()}
	versions := data.Object("versions")
	for _, name := range versions.Names() {
		number, err := strconv.ParseInt(name, 10, 64)
		if err != nil || number < 1 || strconv.FormatInt(number, 10) != name {
			return nil, errVersions
		}
		v := versions.Object(name)
		m.Versions = append(m.Versions, Version{
			Number: number, Created: v.Time("created_time").UTC(), Deleted: deletion(v), Destroyed: v.Bool("destroyed"),
		})
	}
	if o.Err() != nil {
		return nil, errVersions
	}
	slices.SortFunc(m.Versions, func(a, b Version) int { return cmp.Compare(a.Number, b.Number) })
	return m, nil
}
