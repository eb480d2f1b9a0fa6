package kv

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Version is one version of a secret, without its values.
type Version struct {
	Number    int64     // from 1
	Created   time.Time // UTC
	Deleted   time.Time // zero if it is not; in the future if it is going to be
	Destroyed bool      // its values are gone for good
}

// Entry is a secret at one version.
type Entry struct {
	Path string
	Version
	fields map[string]vault.Secret
}

// Field returns the value of a field, and whether there is one. It is empty once the Entry is wiped.
func (e *Entry) Field(name string) (vault.Secret, bool) {
	s, ok := e.fields[name]
	return s, ok
}

// Fields returns the names of the fields, sorted.
func (e *Entry) Fields() []string {
	names := make([]string, 0, len(e.fields))
	for name := range e.fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Wipe zeroes all values, and those of every copy handed out.
func (e *Entry) Wipe() {
	for _, s := range e.fields {
		s.Wipe()
	}
}

// DeletedError says that the version of a secret that was asked for is deleted or destroyed. It matches [wire.ErrNotFound].
type DeletedError struct {
	Path string
	Version
}

// Error implements error with path, version and what happened to it.
func (e *DeletedError) Error() string {
	what := "deleted"
	if e.Destroyed {
		what = "destroyed"
	}
	return fmt.Sprintf("kv: read: %q: version %d is %s", e.Path, e.Number, what)
}

// Unwrap returns wire.ErrNotFound.
func (e *DeletedError) Unwrap() error { return wire.ErrNotFound }

// Read returns the current version of the secret at path. The caller wipes it. Values must be strings. A missing secret is
// [wire.ErrNotFound], a deleted one a [*DeletedError]; a secret that this login may not read is [wire.ErrPermission].
func (s *Session) Read(ctx context.Context, path string) (*Entry, error) {
	return s.read(ctx, path, nil)
}

// ReadVersion returns an older version of the secret at path; versions count from 1.
func (s *Session) ReadVersion(ctx context.Context, path string, version int64) (*Entry, error) {
	if version < 1 {
		return nil, fmt.Errorf("kv: read: version %d: versions count from 1", version)
	}
	return s.read(ctx, path, url.Values{"version": {strconv.FormatInt(version, 10)}})
}

func (s *Session) read(ctx context.Context, path string, query url.Values) (*Entry, error) {
	segments, err := split(path)
	if err != nil {
		return nil, err
	}
	res, err := s.do(ctx, wire.Request{
		Op: "kv: read", Method: http.MethodGet, Path: slices.Concat(s.client.mount, []string{"data"}, segments), Query: query,
		Accept: []int{http.StatusNotFound},
	})
	if err != nil {
		return nil, err
	}
	defer res.Wipe()
	if res.Status == http.StatusNotFound {
		return nil, missing(res, path)
	}
	e, err := decodeEntry(res.Object, path)
	if err != nil {
		return nil, res.Malformed(err)
	}
	return e, nil
}

// missing tells a deleted version, whose 404 has a document, from a secret that is not there.
func missing(res *wire.Response, path string) error {
	if !res.Has("data") {
		return res.Fail(nil)
	}
	v := decodeVersion(res.Object.Object("data").Object("metadata"))
	if res.Err() != nil || v.Number < 1 {
		return res.Fail(nil)
	}
	return &DeletedError{Path: path, Version: v}
}

func decodeEntry(o *wire.Object, path string) (*Entry, error) {
	data := o.Object("data")
	e := &Entry{Path: path, Version: decodeVersion(data.Object("metadata")), fields: map[string]vault.Secret{}}
	values := data.Object("data")
	for _, name := range values.Names() {
		e.fields[name] = vault.NewSecret(values.Bytes(name))
	}
	if err := o.Err(); err != nil {
		e.Wipe()
		return nil, errEntry
	}
	if e.Number < 1 {
		e.Wipe()
		return nil, errEntry
	}
	return e, nil
}

func decodeVersion(o *wire.Object) Version {
	v := Version{Number: o.Int("version"), Created: o.Time("created_time").UTC(), Destroyed: o.Bool("destroyed")}
	v.Deleted = deletion(o)
	return v
}

// deletion reads deletion_time, which is an empty string for what is not deleted.
func deletion(o *wire.Object) time.Time {
	if o.Text("deletion_time") == "" {
		return time.Time{}
	}
	return o.Time("deletion_time").UTC()
}
