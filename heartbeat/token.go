package heartbeat

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Kinds of token that endpoints hold.
const (
	TokenEnrol  = "enrol"  // one-time right to enrol one device
	TokenDevice = "device" // an enrolled device's credential
)

// Token is an opaque credential, tk1_<kind>_<base64url(tenant id)>_<base64url(32 random bytes)>. It hides its bytes in
// fmt and slog. JSON carries them, since that is how they travel: never marshal a Token into a log.
type Token string

const (
	tenantChars = 22 // base64url of 16 bytes without padding
	secretChars = 43 // base64url of 32 bytes without padding
)

// Check reports whether t has the form of a token of the given kind. It says nothing about the token being known.
func (t Token) Check(kind string) error {
	rest, ok := strings.CutPrefix(string(t), "tk1_"+kind+"_")
	if !ok || len(rest) != tenantChars+1+secretChars || rest[tenantChars] != '_' {
		return invalid("token", "not a token of kind %s", kind)
	}
	strict := base64.RawURLEncoding.Strict()
	for _, part := range []string{rest[:tenantChars], rest[tenantChars+1:]} {
		// DecodeString skips line breaks, so the length of the result is what tells.
		if b, err := strict.DecodeString(part); err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(part) {
			return invalid("token", "not a token of kind %s", kind)
		}
	}
	return nil
}

// Reveal returns the token's text, to be sent or stored and nothing else.
func (t Token) Reveal() string { return string(t) }

const redacted = "[token]"

// String returns a constant in place of the token.
func (t Token) String() string { return redacted }

// Format writes a constant in place of the token for every verb.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a constant in place of the token.
func (t Token) LogValue() slog.Value { return slog.StringValue(redacted) }
