package totp

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrLabel says that an issuer or account name cannot go into a URI: empty, over 128 bytes, not UTF-8, with a control
// character, or with the colon that separates the two.
var ErrLabel = errors.New("totp: uri: unusable issuer or account")

const maxLabel = 128 // bytes

// URI returns the otpauth:// URI that authenticator apps read from a QR code. It contains the secret: show it once, over
// TLS, and log it nowhere. Issuer and account name the service and the user in the app; both are percent-encoded.
func (v *Verifier) URI(issuer, account string, secret []byte) (string, error) {
	if !usable(issuer) || !usable(account) {
		return "", ErrLabel
	}
	encoded, err := encode(secret)
	if err != nil {
		return "", err
	}
	// Apps disagree about "+" in queries, so everything but unreserved characters is percent-encoded (RFC 3986 2.3).
	return "otpauth://totp/" + escape(issuer) + ":" + escape(account) +
		"?secret=" + encoded +
		"&issuer=" + escape(issuer) +
		"&algorithm=" + v.name +
		"&digits=" + strconv.Itoa(Digits) +
		"&period=" + strconv.Itoa(int(Period/time.Second)), nil
}

func usable(s string) bool {
	if s == "" || len(s) > maxLabel || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r == ':' || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) })
}

func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
