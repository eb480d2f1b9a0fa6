package sign

// The methods below have value receivers so that they also cover a key that somebody dereferenced.

import (
	"fmt"
	"io"
	"log/slog"
)

// String names the key by its id; it never shows key material.
func (k CompositeKey) String() string { return "composite key " + k.pub.id.String() + " (secret)" }

// GoString is String.
func (k CompositeKey) GoString() string { return k.String() }

// Format writes String for every verb, so that no format verb reaches the fields.
func (k CompositeKey) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// LogValue is String.
func (k CompositeKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON refuses: a secret key is written by asking for its Seed, never by accident.
func (k CompositeKey) MarshalJSON() ([]byte, error) { return nil, errSecret }

// String names the key by its id; it never shows key material.
func (k Ed25519Key) String() string { return "ed25519 key " + k.pub.id.String() + " (secret)" }

// GoString is String.
func (k Ed25519Key) GoString() string { return k.String() }

// Format writes String for every verb, so that no format verb reaches the fields.
func (k Ed25519Key) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// LogValue is String.
func (k Ed25519Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON refuses: a secret key is written by asking for its Seed, never by accident.
func (k Ed25519Key) MarshalJSON() ([]byte, error) { return nil, errSecret }

// String names the key by name and key hash; it never shows key material.
func (k WitnessKey) String() string {
	return fmt.Sprintf("witness key %s+%08x (secret)", k.pub.name, k.pub.hash)
}

// GoString is String.
func (k WitnessKey) GoString() string { return k.String() }

// Format writes String for every verb, so that no format verb reaches the fields.
func (k WitnessKey) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// LogValue is String.
func (k WitnessKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON refuses: a secret key is written by asking for its SecretText, never by accident.
func (k WitnessKey) MarshalJSON() ([]byte, error) { return nil, errSecret }

var errSecret = fmt.Errorf("%w: a secret key is not written as JSON", ErrInvalidKey)

// String names the key by its id.
func (p *CompositePublicKey) String() string { return "composite public key " + p.id.String() }

// String names the key by its id.
func (p *Ed25519PublicKey) String() string { return "ed25519 public key " + p.id.String() }
