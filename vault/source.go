package vault

import (
	"context"
	"maps"
)

// Source fetches secrets by name, in the form they are kept in. It returns what it has of keys; what is missing is for the
// manifest to judge. An error means that nothing can be said, and must not contain a value.
type Source interface {
	Fetch(ctx context.Context, keys []Key) (*Snapshot, error)
}

// SourceFunc is a function as a Source.
type SourceFunc func(ctx context.Context, keys []Key) (*Snapshot, error)

// Fetch implements Source.
func (f SourceFunc) Fetch(ctx context.Context, keys []Key) (*Snapshot, error) { return f(ctx, keys) }

// Snapshot is a set of secrets as they were at one moment. Its set of names does not change; Wipe empties the values. A nil
// Snapshot is empty. It is safe for concurrent use.
type Snapshot struct {
	secrets map[Key]Secret
}

// NewSnapshot returns a Snapshot of secrets. The map is copied.
func NewSnapshot(secrets map[Key]Secret) *Snapshot {
	s := &Snapshot{secrets: make(map[Key]Secret, len(secrets))}
	maps.Copy(s.secrets, secrets)
	return s
}

// Secret returns the secret with the given name, and whether there is one.
func (s *Snapshot) Secret(k Key) (Secret, bool) {
	if s == nil {
		return Secret{}, false
	}
	v, ok := s.secrets[k]
	return v, ok
}

// Wipe zeroes all values, and those of every copy handed out.
func (s *Snapshot) Wipe() {
	if s == nil {
		return
	}
	for _, v := range s.secrets {
		v.Wipe()
	}
}
