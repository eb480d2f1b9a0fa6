package kv

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Session is a login. It ends with [Session.Revoke] or when its token expires, whichever is first. It is safe for
// concurrent use.
type Session struct {
	client *Client

	mu        sync.Mutex
	token     vault.Secret
	expires   time.Time
	renewable bool
}

// TokenInfo is what a Vault says about a token.
type TokenInfo struct {
	TTL       time.Duration // left; zero means that it does not expire
	Renewable bool
	Policies  []string // names
}

// Expires returns when the token ends by itself, by the clock of Config.Wire; zero if never.
func (s *Session) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expires
}

// Renewable reports whether Renew may lengthen the token's life.
func (s *Session) Renewable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewable
}

// Lookup asks the Vault about the token.
func (s *Session) Lookup(ctx context.Context) (TokenInfo, error) {
	res, err := s.do(ctx, wire.Request{Op: "kv: lookup", Method: http.MethodGet, Path: []string{"auth", "token", "lookup-self"}})
	if err != nil {
		return TokenInfo{}, err
	}
	defer res.Wipe()
	data := res.Object.Object("data")
	info := TokenInfo{TTL: data.Seconds("ttl"), Policies: data.Texts("policies")}
	if data.Has("renewable") { // absent for root tokens
		info.Renewable = data.Bool("renewable")
	}
	return info, res.Check()
}

// Renew asks for a longer life of the token.
func (s *Session) Renew(ctx context.Context) error {
	res, err := s.do(ctx, wire.Request{
		Op: "kv: renew", Method: http.MethodPost, Path: []string{"auth", "token", "renew-self"}, Body: []byte("{}"),
	})
	if err != nil {
		return err
	}
	defer res.Wipe()
	return s.take(res)
}

// Revoke ends the token at the Vault and zeroes it here. If the Vault does not confirm, the token is kept, so that Revoke
// can be called again; a Vault may forbid it, which is [wire.ErrPermission], and so is a second call after an answer that was
// lost. A second call after success does nothing.
func (s *Session) Revoke(ctx context.Context) error {
	if s.secret().Len() == 0 {
		return nil
	}
	_, err := s.do(ctx, wire.Request{
		Op: "kv: revoke", Method: http.MethodPost, Path: []string{"auth", "token", "revoke-self"}, NoDocument: true,
	})
	if err != nil {
		return err
	}
	s.Wipe()
	return nil
}

// Wipe zeroes the token here without telling the Vault. The Session cannot be used afterwards.
func (s *Session) Wipe() { s.secret().Wipe() }

func (s *Session) secret() vault.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

var errEnded = errors.New("session has ended")

func (s *Session) do(ctx context.Context, r wire.Request) (*wire.Response, error) {
	token := s.secret()
	if token.Len() == 0 {
		return nil, &wire.Error{Op: r.Op, Class: wire.ErrAuth, Reason: errEnded}
	}
	return s.client.do(ctx, token, r)
}

// take makes the token in a login's or renewal's answer the session's.
func (s *Session) take(res *wire.Response) error {
	auth := res.Object.Object("auth")
	raw := auth.Bytes("client_token")
	lease, renewable := auth.Seconds("lease_duration"), auth.Bool("renewable")
	if err := res.Check(); err != nil {
		return err
	}
	if !validToken(raw) {
		return res.Malformed(errors.New("field client_token: not a token"))
	}
	s.mu.Lock()
	s.token.Wipe()
	s.token = vault.NewSecret(raw)
	s.mu.Unlock()
	s.setExpiry(lease, renewable)
	return nil
}

func (s *Session) setExpiry(ttl time.Duration, renewable bool) {
	now := time.Now
	if s.client.cfg.Wire.Now != nil {
		now = s.client.cfg.Wire.Now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expires, s.renewable = time.Time{}, renewable
	if ttl > 0 {
		s.expires = now().Add(ttl)
	}
}

// validToken reports whether raw can be sent in a header. A Vault's tokens are 26 to some hundred characters.
func validToken(raw []byte) bool {
	for _, c := range raw {
		if c <= 0x20 || c > 0x7e {
			return false
		}
	}
	return len(raw) >= 1 && len(raw) <= 8<<10
}
