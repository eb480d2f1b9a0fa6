package stackit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// ErrUnknownKey says that the service does not know the key: it was deleted, or belongs to another environment. It comes
// with [wire.ErrAuth].
var ErrUnknownKey = errors.New("service account key not known to the service")

const (
	grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer" // RFC 7523 section 2.1
	// leeway is how long before its end an access token is not used any more.
	leeway = 30 * time.Second
)

// Authenticate fetches a new access token, whether there is one or not. The other calls fetch one when they need it. A
// refusal is [wire.ErrAuth], with [ErrUnknownKey] where the service says so.
func (c *Client) Authenticate(ctx context.Context) error {
	select {
	case c.busy <- struct{}{}:
		defer func() { <-c.busy }()
	case <-ctx.Done():
		return &wire.Error{Op: opToken, Class: wire.ErrUnavailable, Reason: ctx.Err()}
	}
	return c.fetch(ctx)
}

const opToken = "stackit: access token"

// accessToken returns a token that is valid for a while. Of many callers one fetches it.
func (c *Client) accessToken(ctx context.Context) (vault.Secret, error) {
	select {
	case c.busy <- struct{}{}:
		defer func() { <-c.busy }()
	case <-ctx.Done():
		return vault.Secret{}, &wire.Error{Op: opToken, Class: wire.ErrUnavailable, Reason: ctx.Err()}
	}
	if c.token.Len() > 0 && c.now().Add(leeway).Before(c.expires) {
		return c.token, nil
	}
	err := c.fetch(ctx)
	return c.token, err
}

func (c *Client) fetch(ctx context.Context) error {
	now := c.now()
	if urgency, _ := c.cfg.Key.Expiry(now); urgency == Expired {
		return ErrKeyExpired
	}
	assertion, err := c.cfg.Key.assertion(now, c.cfg.AssertionLifetime)
	if err != nil {
		return err
	}
	// The assertion is base64url and dots, which need no escape.
	body := append([]byte("grant_type="+url.QueryEscape(grantType)+"&assertion="), assertion...)
	clear(assertion)
	res, err := c.issue.Do(ctx, wire.Request{
		Op: opToken, Method: http.MethodPost, Body: body, ContentType: "application/x-www-form-urlencoded",
		Accept: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound},
	})
	if err != nil {
		return err
	}
	defer res.Wipe()
	if res.Status >= http.StatusBadRequest {
		return refused(res)
	}
	token, lifetime, err := decodeToken(res.Object, now)
	if err != nil {
		return res.Malformed(err)
	}
	c.token.Wipe()
	c.token, c.expires = token, now.Add(lifetime)
	return nil
}

// refused looks for the one reason that helps whoever reads it. The text itself is not passed on: it may repeat the
// assertion.
func refused(res *wire.Response) error {
	e := res.Fail(nil)
	e.Class = wire.ErrAuth
	if bytes.Contains(res.Body, []byte("Key with kid")) && bytes.Contains(res.Body, []byte("was not found")) {
		e.Reason = ErrUnknownKey
	}
	return e
}

// decodeToken returns the token and how long it may be used: what the answer says or, if that is less, the token itself.
func decodeToken(o *wire.Object, now time.Time) (vault.Secret, time.Duration, error) {
	raw, lifetime, kind := o.Bytes("access_token"), o.Seconds("expires_in"), o.Text("token_type")
	if err := o.Err(); err != nil {
		return vault.Secret{}, 0, err
	}
	if !strings.EqualFold(kind, "Bearer") {
		return vault.Secret{}, 0, errors.New("field token_type: not Bearer")
	}
	if len(raw) < 1 || len(raw) > 16<<10 || bytes.ContainsFunc(raw, func(r rune) bool { return r <= 0x20 || r > 0x7e }) {
		return vault.Secret{}, 0, errors.New("field access_token: not a token")
	}
	if end, ok := tokenEnd(raw); ok {
		lifetime = min(lifetime, end.Sub(now))
	}
	return vault.NewSecret(raw), lifetime, nil
}

// tokenEnd reads exp out of a JWT. The signature is the service's own business; the token came from it.
func tokenEnd(raw []byte) (time.Time, bool) {
	parts := bytes.Split(raw, []byte("."))
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.AppendDecode(nil, parts[1])
	if err != nil {
		return time.Time{}, false
	}
	claims, err := wire.Parse(payload, wire.Config{})
	if err != nil {
		return time.Time{}, false
	}
	end := claims.Int("exp")
	return time.Unix(end, 0), claims.Err() == nil
}
