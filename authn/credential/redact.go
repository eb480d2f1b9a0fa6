package credential

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ErrEncode says that a credential was given to a binary encoder. Only [Credential.Reveal] leads to its text.
var ErrEncode = errors.New("credential: encode: refused")

// Format implements [fmt.Formatter]: every verb prints a fixed mark.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mark) }

// String implements [fmt.Stringer] with a fixed mark.
func (c Credential) String() string { return mark }

// GoString implements [fmt.GoStringer] with a fixed mark.
func (c Credential) GoString() string { return mark }

// LogValue implements [slog.LogValuer] with a fixed mark.
func (c Credential) LogValue() slog.Value { return slog.StringValue(mark) }

// MarshalText implements [encoding.TextMarshaler] with a fixed mark; JSON, XML and YAML encoders use it.
func (c Credential) MarshalText() ([]byte, error) { return []byte(mark), nil }

// MarshalBinary implements [encoding.BinaryMarshaler] and always fails with ErrEncode, which also stops gob.
func (c Credential) MarshalBinary() ([]byte, error) { return nil, ErrEncode }
