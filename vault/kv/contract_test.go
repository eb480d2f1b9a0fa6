package kv_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// TestTheContractHolds runs what foreign clients and a real Vault run too.
func TestTheContractHolds(t *testing.T) {
	f := setup(t)
	fake := vaulttest.New(t, vaulttest.Config{Now: f.clock.Now})
	require.NoError(t, vaulttest.Seed(t.Context(), vaulttest.HTTPClient(fake), fake.URL(), fake.Instance(), fake.RootToken()))
	client, err := kv.New(kv.Config{Address: fake.URL(), Mount: fake.Instance(), Wire: wire.Config{Roots: fake.Roots(), Now: f.clock.Now}})
	require.NoError(t, err)
	defer client.Close()
	username, password := fake.AddUser("contract", false, f.clock.Now())
	setting := vaulttest.Setting{Address: fake.URL(), Mount: fake.Instance(), Username: username, Password: password, Subject: subject(client)}
	for _, c := range vaulttest.Contract() {
		t.Run(c.Name, func(t *testing.T) { require.NoError(t, c.Run(t.Context(), setting)) })
	}
}

func subject(client *kv.Client) vaulttest.Subject {
	return vaulttest.Subject{
		Health: func(ctx context.Context) (bool, bool, bool, error) {
			h, err := client.Health(ctx)
			return h.Initialized, h.Sealed, h.Standby, err
		},
		Login: func(ctx context.Context, username, password string) (*vaulttest.Login, error) {
			s, err := client.Userpass(ctx, username, secret(password))
			if err != nil {
				return nil, err
			}
			return login(s), nil
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

func login(s *kv.Session) *vaulttest.Login {
	return &vaulttest.Login{
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
				fields[name] = reveal(v)
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
