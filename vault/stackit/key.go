package stackit

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/vault/wire"
)

// What is wrong with a service account key. Texts repeat nothing of the file.
var (
	// ErrKeyFile says that a file is not a regular file of this user (or of root) with mode 0600 or stricter, or too large.
	ErrKeyFile = errors.New("stackit: key file: must be a regular file of this user with mode 0600 or stricter, at most 64 KiB")
	// ErrKey says that a file does not hold a usable service account key.
	ErrKey = errors.New("stackit: key")
	// ErrKeyInactive says that the key is switched off.
	ErrKeyInactive = fmt.Errorf("%w: not active", ErrKey)
	// ErrKeyExpired says that the key's validUntil has passed.
	ErrKeyExpired = fmt.Errorf("%w: expired", ErrKey)
)

// Sizes of RSA keys in bits. Below, a signature proves too little; above, one costs too much.
const (
	minBits = 2048
	maxBits = 8192
)

// Key is a service account key with its private part, which stays inside: it shows [its id] wherever it is printed. It is
// safe for concurrent use.
//
// [its id]: Key.String
type Key struct {
	ID            string    // of the key
	KID           string    // key id that an assertion names
	Issuer        string    // the service account's mail address
	Subject       string    // the service account's id
	Audience      string    // of assertions
	TokenEndpoint string    // of newer key files; otherwise empty
	ValidUntil    time.Time // zero if the key does not expire
	Bits          int       // size of the RSA key
	private       func() *rsa.PrivateKey
}

// ParseKey reads a service account key as the service hands it out. privatePEM is the private key where the customer made
// it and the document has none; otherwise nil. Unknown fields are ignored, names given twice refused. Errors match ErrKey.
func ParseKey(document, privatePEM []byte) (*Key, error) {
	o, err := wire.Parse(document, wire.Config{MaxBody: maxKeyFile})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	credentials := o.Object("credentials")
	k := &Key{
		ID: o.Text("id"), KID: credentials.Text("kid"), Issuer: credentials.Text("iss"), Subject: credentials.Text("sub"),
		Audience: credentials.Text("aud"),
	}
	if credentials.Has("tokenEndpoint") {
		k.TokenEndpoint = credentials.Text("tokenEndpoint")
	}
	if o.Has("validUntil") {
		k.ValidUntil = o.Time("validUntil").UTC()
	}
	active := !o.Has("active") || o.Bool("active")
	if err := o.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if credentials.Has("privateKey") {
		if len(privatePEM) > 0 {
			return nil, fmt.Errorf("%w: two private keys", ErrKey)
		}
		privatePEM = credentials.Bytes("privateKey")
		defer clear(privatePEM)
	}
	public := []byte(nil)
	if o.Has("publicKey") {
		public = o.Bytes("publicKey")
	}
	if err := errors.Join(o.Err(), k.checkNames()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if !active {
		return nil, ErrKeyInactive
	}
	return k, k.setPrivate(privatePEM, public)
}

// checkNames refuses what would not be the same in a JSON string everywhere.
func (k *Key) checkNames() error {
	for _, text := range []string{k.ID, k.KID, k.Issuer, k.Subject, k.Audience} {
		if !plain(text) {
			return errors.New("a name is empty, longer than 256 bytes or not printable ASCII")
		}
	}
	return nil
}

// plain reports whether text is 1 to 256 printable ASCII characters that need no escape in JSON.
func plain(text string) bool {
	return len(text) >= 1 && len(text) <= 256 &&
		!strings.ContainsFunc(text, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '"' || r == '\\' })
}

func (k *Key) setPrivate(privatePEM, publicPEM []byte) error {
	private, err := parsePrivate(privatePEM)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	k.Bits = private.N.BitLen()
	if k.Bits < minBits || k.Bits > maxBits {
		return fmt.Errorf("%w: RSA key of %d bits, must have %d to %d", ErrKey, k.Bits, minBits, maxBits)
	}
	if len(publicPEM) > 0 && !matches(private, publicPEM) {
		return fmt.Errorf("%w: public and private key do not belong together", ErrKey)
	}
	k.private = func() *rsa.PrivateKey { return private }
	return nil
}

// parsePrivate reads one PEM block, PKCS #8 or PKCS #1, with nothing behind it.
func parsePrivate(text []byte) (*rsa.PrivateKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(strings.TrimSpace(string(rest))) > 0 || len(block.Headers) > 0 {
		return nil, errors.New("private key: not one PEM block without headers")
	}
	defer clear(block.Bytes)
	switch block.Type {
	case "RSA PRIVATE KEY":
		if private, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return private, nil
		}
	case "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if private, ok := parsed.(*rsa.PrivateKey); err == nil && ok {
			return private, nil
		}
	}
	return nil, errors.New("private key: not an RSA key in PKCS #8 or PKCS #1")
}

// matches reports whether publicPEM, a public key or a certificate, is private's.
func matches(private *rsa.PrivateKey, publicPEM []byte) bool {
	block, _ := pem.Decode(publicPEM)
	if block == nil {
		return false
	}
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
		return private.PublicKey.Equal(cert.PublicKey)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	return err == nil && private.PublicKey.Equal(public)
}

// sign returns an RSASSA-PKCS1-v1_5 signature with SHA-512 (RFC 8017 section 8.2).
func (k *Key) sign(message []byte) ([]byte, error) {
	sum := sha512.Sum512(message)
	return rsa.SignPKCS1v15(rand.Reader, k.private(), crypto.SHA512, sum[:])
}

// String returns the key's kid, as every verb of fmt and slog does.
func (k *Key) String() string { return "stackit key " + k.KID }

// Format implements [fmt.Formatter].
func (k *Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue implements [slog.LogValuer].
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Urgency says how soon a key has to be replaced.
type Urgency int

// Urgencies, in order.
const (
	NoExpiry Urgency = iota // the key does not expire
	Fine                    // more than 30 days are left
	Notice                  // 30 days or less
	Warning                 // 7 days or less
	Critical                // a day or less
	Expired                 // none
)

// Expiry returns what is left of the key's life at now, and how urgent that is.
func (k *Key) Expiry(now time.Time) (Urgency, time.Duration) {
	const day = 24 * time.Hour
	if k.ValidUntil.IsZero() {
		return NoExpiry, 0
	}
	left := k.ValidUntil.Sub(now)
	switch {
	case left <= 0:
		return Expired, left
	case left <= day:
		return Critical, left
	case left <= 7*day:
		return Warning, left
	case left <= 30*day:
		return Notice, left
	}
	return Fine, left
}
