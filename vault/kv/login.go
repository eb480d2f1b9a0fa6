package kv

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Userpass logs in with a user name and password. A refusal is [wire.ErrAuth] with the status: a user that was only just
// made may not be known everywhere yet.
func (c *Client) Userpass(ctx context.Context, username string, password vault.Secret) (*Session, error) {
	const op = "kv: login"
	if !validSegment(username) || password.Len() == 0 {
		return nil, &wire.Error{Op: op, Class: wire.ErrRefused, Reason: errors.New("no user name or password")}
	}
	body, err := document(field{"password", password})
	if err != nil {
		return nil, &wire.Error{Op: op, Class: wire.ErrRefused, Reason: err}
	}
	return c.login(ctx, op, slices.Concat([]string{"auth"}, c.userpass, []string{"login", username}), body)
}

// AppRole logs in with a role id and a secret id. A refusal is [wire.ErrAuth].
func (c *Client) AppRole(ctx context.Context, roleID, secretID vault.Secret) (*Session, error) {
	const op = "kv: approle login"
	if roleID.Len() == 0 || secretID.Len() == 0 {
		return nil, &wire.Error{Op: op, Class: wire.ErrRefused, Reason: errors.New("no role id or secret id")}
	}
	body, err := document(field{"role_id", roleID}, field{"secret_id", secretID})
	if err != nil {
		return nil, &wire.Error{Op: op, Class: wire.ErrRefused, Reason: err}
	}
	return c.login(ctx, op, slices.Concat([]string{"auth"}, c.approle, []string{"login"}), body)
}

// Token returns a session with a token that somebody else got, after asking the Vault what it is worth. The token is
// copied. A token that is not accepted is [wire.ErrAuth].
func (c *Client) Token(ctx context.Context, token vault.Secret) (*Session, error) {
	raw := token.Reveal()
	s := &Session{client: c, token: vault.NewSecret(raw)} // raw is zeroed
	info, err := s.Lookup(ctx)
	if err != nil {
		s.token.Wipe()
		return nil, refusedLogin(err)
	}
	s.setExpiry(info.TTL, info.Renewable)
	return s, nil
}

// refusedLogin turns any refusal of a login into ErrAuth: a Vault answers 400 for a wrong password.
func refusedLogin(err error) error {
	if e := (*wire.Error)(nil); errors.As(err, &e) && (e.Class == wire.ErrPermission || e.Class == wire.ErrRefused && e.Status == http.StatusBadRequest) {
		e.Class = wire.ErrAuth
	}
	return err
}

func (c *Client) login(ctx context.Context, op string, path []string, body []byte) (*Session, error) {
	res, err := c.do(ctx, vault.Secret{}, wire.Request{Op: op, Method: http.MethodPost, Path: path, Body: body})
	if err != nil {
		return nil, refusedLogin(err)
	}
	defer res.Wipe()
	s := &Session{client: c}
	if err := s.take(res); err != nil {
		s.token.Wipe()
		return nil, err
	}
	return s, nil
}

// field is a member of a request's document.
type field struct {
	name  string
	value vault.Secret
}

// document writes secrets into one buffer of the right size, which the sender zeroes.
func document(fields ...field) ([]byte, error) {
	size := 2
	for _, f := range fields {
		size += len(f.name) + 6*f.value.Len() + 6 // every byte may need an escape of six
	}
	body := append(make([]byte, 0, size), '{')
	for i, f := range fields {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(append(body, '"'), f.name...), '"', ':')
		raw := f.value.Reveal()
		var err error
		body, err = wire.Quote(body, raw)
		clear(raw)
		if err != nil {
			clear(body)
			return nil, errors.New("a credential is not text")
		}
	}
	return append(body, '}'), nil
}
