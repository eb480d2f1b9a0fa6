package token

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Limits of claims. They keep every integer exact in JSON and every time within four-digit years.
const (
	maxInteger  = 1<<53 - 1
	maxSeconds  = 253402300799 // 9999-12-31T23:59:59Z
	maxPolicies = 512
	maxMethods  = 8
)

// Claims is what a token says. Slices must not be changed: verified claims may be shared.
type Claims struct {
	Issuer        string    // iss; set by Issue
	Audience      string    // aud; set by Issue
	Subject       uuid.UUID // sub: the user
	Tenant        uuid.UUID // tid
	Role          string    // role
	Policies      []string  // pol: resource:action, !resource:action
	PolicyVersion int64     // pv: version of the policies, 0 to 2^53−1
	Methods       []string  // amr: how the user authenticated, at least one (RFC 8176): pwd, otp, hwk, mfa
	AuthTime      time.Time // auth_time: when the user last presented a factor
	Session       uuid.UUID // sid: what sign-out revokes
	ID            uuid.UUID // jti; set by Issue if nil
	IssuedAt      time.Time // iat; set by Issue
	NotBefore     time.Time // nbf; set by Issue
	Expires       time.Time // exp; set by Issue
}

// expressible reports whether c can be written and would be read again as the same claims.
func (c *Claims) expressible() bool {
	if !text(c.Issuer) || !text(c.Audience) || !text(c.Role) {
		return false
	}
	for _, id := range []uuid.UUID{c.Subject, c.Tenant, c.Session, c.ID} {
		if id == uuid.Nil {
			return false
		}
	}
	if len(c.Policies) > maxPolicies || len(c.Methods) < 1 || len(c.Methods) > maxMethods {
		return false
	}
	if slices.ContainsFunc(c.Policies, notText) || slices.ContainsFunc(c.Methods, notText) {
		return false
	}
	for _, t := range []time.Time{c.AuthTime, c.IssuedAt, c.NotBefore, c.Expires} {
		if s := t.Unix(); s <= 0 || s > maxSeconds {
			return false
		}
	}
	return c.PolicyVersion >= 0 && c.PolicyVersion <= maxInteger && !c.AuthTime.After(c.IssuedAt) &&
		!c.NotBefore.Before(c.IssuedAt) && c.Expires.After(c.NotBefore)
}

// text reports whether s is non-empty printable ASCII that JSON needs no escapes for.
func text(s string) bool {
	for i := range len(s) {
		if !plain(s[i]) {
			return false
		}
	}
	return s != ""
}

func notText(s string) bool { return !text(s) }

func plain(c byte) bool { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' }

// appendJSON writes the payload. The caller has checked that c is expressible.
func (c *Claims) appendJSON(b []byte) []byte {
	str := func(name, v string) {
		b = append(b, `"`+name+`":"`...)
		b = append(b, v...)
		b = append(b, `",`...)
	}
	list := func(name string, vs []string) {
		b = append(b, `"`+name+`":[`...)
		for i, v := range vs {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '"')
			b = append(b, v...)
			b = append(b, '"')
		}
		b = append(b, `],`...)
	}
	num := func(name string, n int64, end byte) {
		b = append(b, `"`+name+`":`...)
		b = strconv.AppendInt(b, n, 10)
		b = append(b, end)
	}
	b = append(b, '{')
	str("iss", c.Issuer)
	str("aud", c.Audience)
	str("sub", c.Subject.String())
	str("tid", c.Tenant.String())
	str("role", c.Role)
	list("pol", c.Policies)
	num("pv", c.PolicyVersion, ',')
	list("amr", c.Methods)
	num("auth_time", c.AuthTime.Unix(), ',')
	str("sid", c.Session.String())
	str("jti", c.ID.String())
	num("iat", c.IssuedAt.Unix(), ',')
	num("nbf", c.NotBefore.Unix(), ',')
	num("exp", c.Expires.Unix(), '}')
	return b
}
