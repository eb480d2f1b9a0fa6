package authn

import "strings"

// Limits of an e-mail address, RFC 5321 §4.5.3.1.
const (
	maxEmail = 254
	maxLocal = 64
	maxLabel = 63
)

// NormalizeEmail returns the form of an e-mail address that identifies an account: trimmed of surrounding blanks and in
// lower case. Otherwise [ErrEmail].
//
// Only ASCII dot-atom addresses are accepted (RFC 5321 without quoted local parts and address literals). Case mapping of
// other scripts folds distinct letters onto each other (U+212A KELVIN SIGN becomes k), which would let one address reach
// another's account.
func NormalizeEmail(s string) (string, error) {
	s = strings.Trim(s, " \t\r\n")
	if len(s) > maxEmail {
		return "", ErrEmail
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return "", ErrEmail
		}
	}
	s = strings.ToLower(s)
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(local) > maxLocal || !dotAtom(local, atomByte) || !dotAtom(domain, labelByte) {
		return "", ErrEmail
	}
	for label := range strings.SplitSeq(domain, ".") {
		if len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return "", ErrEmail
		}
	}
	return s, nil
}

// dotAtom reports whether s is a dot-separated list of non-empty runs of allowed bytes.
func dotAtom(s string, allowed func(byte) bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			if !allowed(part[i]) {
				return false
			}
		}
	}
	return true
}

func labelByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }

func atomByte(c byte) bool { return labelByte(c) || strings.IndexByte("!#$%&'*+/=?^_`{|}~", c) >= 0 }
