package wire

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// ErrConfig means a Config or an address that cannot be used.
var ErrConfig = errors.New("wire: config")

// Config tunes a [Client]. Roots are required; everything else has a safe zero. Nothing is read from the environment.
type Config struct {
	// Roots are the certificate authorities the server's certificate must lead to. Nil is an error: pass
	// x509.SystemCertPool() to trust those of the machine.
	Roots *x509.CertPool
	// Pins, if there are any, must name the public key of at least one certificate in the verified chain. They narrow what
	// Roots trust and never widen it.
	Pins []Pin
	// AllowPlainHTTPUnsafe accepts http addresses, which show tokens and secrets to everybody on the way, and needs no Roots
	// for them. For tests on one machine.
	AllowPlainHTTPUnsafe bool
	// Timeout bounds one call, from the connection to the last byte of the answer. Zero means 10s; negative is an error.
	Timeout time.Duration
	// MaxBody is the largest answer in bytes. Zero means 1 MiB; negative is an error.
	MaxBody int
	// MaxDepth is the deepest nesting of an answer. Zero means 16; negative is an error.
	MaxDepth int
	// MaxValues is the number of values in an answer, at all levels together. Zero means 10,000; negative is an error.
	MaxValues int
	// Now reports the current time, for certificates too. Nil means time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	if c.Timeout < 0 || c.MaxBody < 0 || c.MaxDepth < 0 || c.MaxValues < 0 {
		return c, fmt.Errorf("%w: negative value", ErrConfig)
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.MaxDepth == 0 {
		c.MaxDepth = 16
	}
	if c.MaxValues == 0 {
		c.MaxValues = 10_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// base returns address without a trailing slash, or an error if it is not one that Config allows.
func (c Config) base(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(address, "#") || u.Opaque != "" {
		return "", fmt.Errorf("%w: not an address of scheme, host and path", ErrConfig)
	}
	switch {
	case u.Scheme == "http" && c.AllowPlainHTTPUnsafe && len(c.Pins) == 0:
	case u.Scheme != "https":
		return "", fmt.Errorf("%w: address is not https", ErrConfig)
	case c.Roots == nil:
		return "", fmt.Errorf("%w: no certificate authorities", ErrConfig)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// Pin is the SHA-256 of a certificate's public key in its DER form (SubjectPublicKeyInfo).
type Pin [sha256.Size]byte

const pinPrefix = "sha256/"

// PinOf returns the pin of a certificate's public key.
func PinOf(cert *x509.Certificate) Pin { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

// ParsePin reads the form String writes. The error is ErrConfig.
func ParsePin(text string) (Pin, error) {
	var p Pin
	encoded, ok := strings.CutPrefix(text, pinPrefix)
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(raw) != len(p) || strings.ContainsAny(encoded, "\r\n") {
		return p, fmt.Errorf("%w: a pin is sha256/ and 32 bytes in base64", ErrConfig)
	}
	return Pin(raw), nil
}

// String returns sha256/ and the hash in standard base64, the form of RFC 7469 section 2.1.1.
func (p Pin) String() string { return pinPrefix + base64.StdEncoding.EncodeToString(p[:]) }
