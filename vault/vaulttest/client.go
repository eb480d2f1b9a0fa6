package vaulttest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Client returns the Subject of tomkit's own client.
func Client(client *kv.Client) Subject {
	return Subject{
		Health: func(ctx context.Context) (bool, bool, bool, error) {
			h, err := client.Health(ctx)
			return h.Initialized, h.Sealed, h.Standby, err
		},
		Login: func(ctx context.Context, username, password string) (*Login, error) {
			s, err := client.Userpass(ctx, username, vault.NewSecret([]byte(password)))
			if err != nil {
				return nil, err
			}
			return session(s), nil
		},
		Status: func(err error) int {
			if e := (*wire.Error)(nil); errors.As(err, &e) && e.Status != 0 {
				return e.Status
			}
			if errors.Is(err, wire.ErrAuth) {
				return http.StatusForbidden // a session that was revoked does not even ask
			}
			if errors.Is(err, wire.ErrNotFound) {
				return http.StatusNotFound // of a deleted version
			}
			return 0
		},
	}
}

func session(s *kv.Session) *Login {
	return &Login{
		Read: func(ctx context.Context, path string, version int) (map[string]string, int, error) {
			read := func() (*kv.Entry, error) { return s.ReadVersion(ctx, path, int64(version)) }
			if version == 0 {
				read = func() (*kv.Entry, error) { return s.Read(ctx, path) }
			}
			e, err := read()
			if err != nil {
				return nil, 0, err
			}
			fields := map[string]string{}
			for _, name := range e.Fields() {
				v, _ := e.Field(name)
				fields[name] = string(v.Reveal())
			}
			return fields, int(e.Number), nil
		},
		List: func(ctx context.Context, folder string) ([]string, error) {
			keys, err := s.List(ctx, folder)
			return slices.Sorted(slices.Values(keys)), err
		},
		Lookup: func(ctx context.Context) (time.Duration, []string, error) {
			info, err := s.Lookup(ctx)
			return info.TTL, info.Policies, err
		},
		Renew: s.Renew, Revoke: s.Revoke,
	}
}
