package vault

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// Mark is what a Secret shows instead of its bytes.
const Mark = "[secret]"

// ErrEncode says that a Secret was given to a binary encoder, or that something was to be decoded into one.
var ErrEncode = errors.New("vault: secret: encoding refused")

// Secret is a value that must not show. It is a small handle: copies share the bytes, and wiping one wipes all. It is safe
// for concurrent use. The zero Secret is empty.
type Secret struct {
	// A function value makes == impossible and is opaque to reflection.
	cell func() *cell
}

type cell struct {
	mu      sync.RWMutex
	bytes   []byte // nil once wiped
	mapping *mapping
}

// NewSecret moves b into a Secret: the bytes are copied and b is zeroed, so that one copy is left.
func NewSecret(b []byte) Secret {
	c := &cell{bytes: append(make([]byte, 0, len(b)), b...)}
	clear(b)
	return Secret{cell: func() *cell { return c }}
}

// Reveal returns a copy of the bytes, which the caller should zero after use; nil if the Secret is empty or wiped.
// It is the only way to the bytes.
func (s Secret) Reveal() []byte {
	if s.cell == nil {
		return nil
	}
	c := s.cell()
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.bytes) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(c.bytes)), c.bytes...)
}

// Len returns the number of bytes held; 0 if the Secret is empty or wiped.
func (s Secret) Len() int {
	if s.cell == nil {
		return 0
	}
	c := s.cell()
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.bytes)
}

// Equal reports whether both hold the same bytes. Its time depends on the lengths only. An empty or wiped Secret equals
// nothing, not even another one, so that a lost secret never opens anything.
func (s Secret) Equal(other Secret) bool {
	a, b := s.Reveal(), other.Reveal()
	defer clear(a)
	defer clear(b)
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	// Hashes have equal length, which ConstantTimeCompare needs in order not to return early.
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Wipe zeroes the bytes. The Secret and all its copies are empty afterwards. It may be called again.
func (s Secret) Wipe() {
	if s.cell == nil {
		return
	}
	c := s.cell()
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.bytes)
	c.bytes = nil
	if c.mapping != nil {
		c.mapping.release()
		c.mapping = nil
	}
}

// Close wipes the Secret. It implements [io.Closer] and never fails.
func (s Secret) Close() error {
	s.Wipe()
	return nil
}

// Format implements [fmt.Formatter]: every verb prints Mark.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mark) }

// String implements [fmt.Stringer] with Mark.
func (s Secret) String() string { return Mark }

// GoString implements [fmt.GoStringer] with Mark.
func (s Secret) GoString() string { return Mark }

// LogValue implements [slog.LogValuer] with Mark.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Mark) }

// MarshalJSON implements json.Marshaler with Mark.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Mark + `"`), nil }

// MarshalText implements [encoding.TextMarshaler] with Mark; XML and others use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Mark), nil }

// MarshalYAML implements the interface of YAML packages with Mark.
func (s Secret) MarshalYAML() (any, error) { return Mark, nil }

// MarshalBinary implements [encoding.BinaryMarshaler] and fails with ErrEncode: in binary data a mark would pass for a value.
func (s Secret) MarshalBinary() ([]byte, error) { return nil, ErrEncode }

// GobEncode implements gob.GobEncoder and fails with ErrEncode.
func (s Secret) GobEncode() ([]byte, error) { return nil, ErrEncode }

// UnmarshalJSON implements json.Unmarshaler and fails with ErrEncode: secrets do not come out of configuration files.
func (s *Secret) UnmarshalJSON([]byte) error { return ErrEncode }

// UnmarshalText implements [encoding.TextUnmarshaler] and fails with ErrEncode.
func (s *Secret) UnmarshalText([]byte) error { return ErrEncode }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler] and fails with ErrEncode.
func (s *Secret) UnmarshalBinary([]byte) error { return ErrEncode }

// GobDecode implements gob.GobDecoder and fails with ErrEncode.
func (s *Secret) GobDecode([]byte) error { return ErrEncode }
