package stackit

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// User is a login of the instance's Vault.
type User struct {
	ID          string // UUID, made by the service
	Description string // free text; a boot's is a Description
	Username    string // made by the service
	Write       bool   // whether it may write secrets
	// Password is what the service made. Only the answer to CreateUser is sure to have it.
	Password vault.Secret
}

// Boot returns the description of a user that a boot made, and whether it is one.
func (u User) Boot() (Description, bool) {
	d, err := ParseDescription(u.Description)
	return d, err == nil
}

// CreateUser makes a user that may read and not write. After an error of another class than the refusals (ErrAuth,
// ErrPermission, ErrRefused, ErrNotFound) the user may exist all the same: look for it with [Client.FindUsers] and delete it.
func (c *Client) CreateUser(ctx context.Context, d Description) (User, error) {
	body := []byte(`{"description":"` + d.String() + `","write":false}`)
	res, err := c.do(ctx, wire.Request{Op: "stackit: create user", Method: http.MethodPost, Path: []string{"users"}, Body: body})
	if err != nil {
		return User{}, err
	}
	defer res.Wipe()
	u, err := decodeUser(res.Object)
	switch {
	case err != nil:
	case u.Description != d.String():
		err = errors.New("field description: another one")
	case u.Write:
		err = errors.New("field write: a user that may write")
	case u.Password.Len() == 0:
		err = errors.New("field password: empty")
	}
	if err != nil {
		u.Password.Wipe()
		return User{}, res.Malformed(err)
	}
	return u, nil
}

// Users returns all users of the instance, those of others included. Passwords, if the service sends any, are dropped.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	res, err := c.do(ctx, wire.Request{Op: "stackit: list users", Method: http.MethodGet, Path: []string{"users"}})
	if err != nil {
		return nil, err
	}
	defer res.Wipe()
	users, err := decodeUsers(res.Object)
	if err != nil {
		return nil, res.Malformed(err)
	}
	return users, nil
}

// FindUsers returns the users with description d: one, or none, or more than one if answers to CreateUser were lost.
func (c *Client) FindUsers(ctx context.Context, d Description) ([]User, error) {
	users, err := c.Users(ctx)
	return slices.DeleteFunc(users, func(u User) bool { return u.Description != d.String() }), err
}

// DeleteUser deletes a user that a boot made; any other is [ErrForeign], and nothing is sent. Tokens it got live on until
// they are revoked or expire. A user that is not there any more is [wire.ErrNotFound].
func (c *Client) DeleteUser(ctx context.Context, u User) error {
	if _, ours := u.Boot(); !ours {
		return ErrForeign
	}
	if !isUUID(u.ID) {
		return &wire.Error{Op: "stackit: delete user", Class: wire.ErrRefused, Reason: errors.New("user id is no UUID")}
	}
	res, err := c.do(ctx, wire.Request{
		Op: "stackit: delete user", Method: http.MethodDelete, Path: []string{"users", u.ID}, NoDocument: true,
	})
	if err == nil {
		res.Wipe()
	}
	return err
}

// Sweep deletes the users of boots that began more than age ago and are not in keep: those of processes that died. It
// returns the ones it deleted. One that another process deletes at the same time is no error; if some deletions fail, the
// others are made all the same. A clock that is wrong by more than age can end a boot of another host.
func (c *Client) Sweep(ctx context.Context, age time.Duration, keep ...Description) ([]User, error) {
	users, err := c.Users(ctx)
	if err != nil {
		return nil, err
	}
	var deleted []User
	var failed []error
	for _, u := range users {
		d, ours := u.Boot()
		if !ours || slices.Contains(keep, d) || c.now().Sub(d.At()) <= age {
			continue
		}
		switch err := c.DeleteUser(ctx, u); {
		case err == nil:
			deleted = append(deleted, u)
		case !errors.Is(err, wire.ErrNotFound):
			failed = append(failed, err)
		}
	}
	return deleted, errors.Join(failed...)
}

func decodeUsers(o *wire.Object) ([]User, error) {
	var users []User
	for _, entry := range o.Objects("users") {
		u, err := decodeUser(entry)
		u.Password.Wipe()
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, o.Err()
}

func decodeUser(o *wire.Object) (User, error) {
	u := User{ID: o.Text("id"), Description: o.Text("description"), Username: o.Text("username"), Write: o.Bool("write")}
	if o.Has("password") {
		u.Password = vault.NewSecret(o.Bytes("password"))
	}
	if err := o.Err(); err != nil {
		return u, err
	}
	if !isUUID(u.ID) {
		return u, errors.New("field id: no UUID")
	}
	return u, nil
}
