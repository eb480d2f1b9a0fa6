package token

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// decoder reads a payload left to right. It knows no JSON beyond the profile: objects and lists do not nest, strings have
// no escapes, numbers are digits. What it does not know, it refuses.
type decoder struct {
	rest string
	ok   bool
}

// One bit per claim: all of them must be seen, none twice.
const (
	seenIss = 1 << iota
	seenAud
	seenSub
	seenTid
	seenRole
	seenPol
	seenPv
	seenAmr
	seenAuthTime
	seenSid
	seenJti
	seenIat
	seenNbf
	seenExp
	seenAll = 1<<iota - 1
)

// decodeClaims reads a payload, whose strings the claims share.
func decodeClaims(payload string) (Claims, bool) {
	var c Claims
	d := decoder{rest: payload, ok: true}
	seen := 0
	for separator := byte('{'); d.ok; separator = ',' {
		if seen != 0 && d.next('}') {
			break
		}
		d.expect(separator)
		name := d.str()
		d.expect(':')
		if !d.ok {
			break
		}
		bit := d.claim(&c, name)
		d.ok = d.ok && bit != 0 && seen&bit == 0
		seen |= bit
	}
	return c, d.ok && d.rest == "" && seen == seenAll
}

// claim reads the value of the named claim into c and returns its bit, or 0 for a name that is none.
func (d *decoder) claim(c *Claims, name string) int {
	switch name {
	case "iss":
		c.Issuer = d.str()
		return seenIss
	case "aud":
		c.Audience = d.str()
		return seenAud
	case "sub":
		c.Subject = d.id()
		return seenSub
	case "tid":
		c.Tenant = d.id()
		return seenTid
	case "role":
		c.Role = d.str()
		return seenRole
	case "pol":
		c.Policies = d.list(maxPolicies)
		return seenPol
	case "pv":
		c.PolicyVersion = d.number(maxInteger)
		return seenPv
	case "amr":
		c.Methods = d.list(maxMethods)
		return seenAmr
	case "auth_time":
		c.AuthTime = d.time()
		return seenAuthTime
	case "sid":
		c.Session = d.id()
		return seenSid
	case "jti":
		c.ID = d.id()
		return seenJti
	case "iat":
		c.IssuedAt = d.time()
		return seenIat
	case "nbf":
		c.NotBefore = d.time()
		return seenNbf
	case "exp":
		c.Expires = d.time()
		return seenExp
	}
	return 0
}

// next consumes c if it comes next.
func (d *decoder) next(c byte) bool {
	if d.rest == "" || d.rest[0] != c {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

func (d *decoder) expect(c byte) { d.ok = d.next(c) && d.ok }

// str reads a non-empty string of plain characters.
func (d *decoder) str() string {
	d.expect('"')
	end := strings.IndexByte(d.rest, '"')
	if !d.ok || end < 0 {
		d.ok = false
		return ""
	}
	s := d.rest[:end]
	d.rest = d.rest[end+1:]
	d.ok = text(s)
	return s
}

// list reads a list of at most limit strings.
func (d *decoder) list(limit int) []string {
	d.expect('[')
	if !d.ok || d.next(']') {
		return nil
	}
	// Counting separators up to the end of the list sizes the slice in one allocation. A bracket inside a string only
	// makes the guess too small.
	end := max(0, strings.IndexByte(d.rest, ']'))
	out := make([]string, 0, min(limit, 1+strings.Count(d.rest[:end], `,`)))
	for d.ok && len(out) < limit {
		out = append(out, d.str())
		if d.next(']') {
			return out
		}
		d.expect(',')
	}
	d.ok = false
	return nil
}

// number reads plain digits without leading zero, up to limit.
func (d *decoder) number(limit int64) int64 {
	const maxDigits = 16 // of 2^53−1: the sum below cannot overflow
	var n int64
	i := 0
	for ; i < len(d.rest) && i < maxDigits && d.rest[i] >= '0' && d.rest[i] <= '9'; i++ {
		n = n*10 + int64(d.rest[i]-'0')
	}
	if i == 0 || i > 1 && d.rest[0] == '0' || n > limit {
		d.ok = false
		return 0
	}
	d.rest = d.rest[i:]
	return n
}

func (d *decoder) time() time.Time { return time.Unix(d.number(maxSeconds), 0).UTC() }

// id reads a UUID in its canonical form: 36 characters, lower case.
func (d *decoder) id() uuid.UUID {
	s := d.str()
	var id uuid.UUID
	if !d.ok || len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		d.ok = false
		return id
	}
	at := 0
	for i := range id {
		if at == 8 || at == 13 || at == 18 || at == 23 { // a hyphen anywhere else is no digit
			at++
		}
		hi, lo := nibble(s[at]), nibble(s[at+1])
		if hi|lo > 15 {
			d.ok = false
			return id
		}
		id[i] = hi<<4 | lo
		at += 2
	}
	return id
}

// nibble returns the value of a lower-case hex digit, or 255.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
