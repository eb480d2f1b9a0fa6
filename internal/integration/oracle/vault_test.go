package oracle_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	baoapi "github.com/openbao/openbao/api/v2"
	"github.com/stackitcloud/stackit-sdk-go/core/clients"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// TestTheFakeVaultKeepsTheContractOfForeignClients runs the table that our own client runs too.
func TestTheFakeVaultKeepsTheContractOfForeignClients(t *testing.T) {
	for name, subject := range map[string]func(*testing.T, *vaulttest.Server) vaulttest.Subject{
		"hashicorp/vault/api": hashicorp, "openbao/api": openbao,
	} {
		t.Run(name, func(t *testing.T) {
			fake := vaulttest.New(t, vaulttest.Config{})
			require.NoError(t, vaulttest.Seed(t.Context(), vaulttest.HTTPClient(fake), fake.URL(), fake.Instance(), fake.RootToken()))
			username, password := fake.AddUser("contract", false, time.Now())
			setting := vaulttest.Setting{
				Address: fake.URL(), Mount: fake.Instance(), Username: username, Password: password, Subject: subject(t, fake),
			}
			for _, c := range vaulttest.Contract() {
				t.Run(c.Name, func(t *testing.T) { require.NoError(t, c.Run(t.Context(), setting)) })
			}
		})
	}
}

// answer is the part of both libraries' documents that the contract reads.
type answer struct {
	token string
	data  map[string]any
}

// logical is what both libraries do, apart from their types. A nil answer is a 404 without a document.
type logical struct {
	read, list func(ctx context.Context, path string, query map[string][]string) (*answer, error)
	write      func(ctx context.Context, path string, data map[string]any) (*answer, error)
	withToken  func(token string) logical
	health     func(ctx context.Context) (initialized, sealed, standby bool, err error)
	status     func(error) int
}

func hashicorp(t *testing.T, fake *vaulttest.Server) vaulttest.Subject {
	cfg := vaultapi.DefaultConfig()
	require.NoError(t, cfg.Error)
	cfg.Address, cfg.MaxRetries = fake.URL(), 0
	cfg.HttpClient.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: fake.Roots()}
	client, err := vaultapi.NewClient(cfg)
	require.NoError(t, err)
	return subject(ofHashicorp(client), fake.Instance())
}

func ofHashicorp(client *vaultapi.Client) logical {
	convert := func(s *vaultapi.Secret, err error) (*answer, error) {
		if s == nil || err != nil {
			return nil, err
		}
		a := &answer{data: s.Data}
		if s.Auth != nil {
			a.token = s.Auth.ClientToken
		}
		return a, nil
	}
	return logical{
		read: func(ctx context.Context, path string, query map[string][]string) (*answer, error) {
			return convert(client.Logical().ReadWithDataWithContext(ctx, path, query))
		},
		list: func(ctx context.Context, path string, _ map[string][]string) (*answer, error) {
			return convert(client.Logical().ListWithContext(ctx, path))
		},
		write: func(ctx context.Context, path string, data map[string]any) (*answer, error) {
			return convert(client.Logical().WriteWithContext(ctx, path, data))
		},
		withToken: func(token string) logical {
			c, err := client.Clone()
			if err != nil {
				panic(err)
			}
			c.SetToken(token)
			return ofHashicorp(c)
		},
		health: func(ctx context.Context) (bool, bool, bool, error) {
			h, err := client.Sys().HealthWithContext(ctx)
			if err != nil {
				return false, false, false, err
			}
			return h.Initialized, h.Sealed, h.Standby, nil
		},
		status: func(err error) int {
			if e := (*vaultapi.ResponseError)(nil); errors.As(err, &e) {
				return e.StatusCode
			}
			return 0
		},
	}
}

func openbao(t *testing.T, fake *vaulttest.Server) vaulttest.Subject {
	cfg := baoapi.DefaultConfig()
	require.NoError(t, cfg.Error)
	cfg.Address, cfg.MaxRetries = fake.URL(), 0
	cfg.HttpClient.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: fake.Roots()}
	client, err := baoapi.NewClient(cfg)
	require.NoError(t, err)
	return subject(ofOpenbao(client), fake.Instance())
}

func ofOpenbao(client *baoapi.Client) logical {
	convert := func(s *baoapi.Secret, err error) (*answer, error) {
		if s == nil || err != nil {
			return nil, err
		}
		a := &answer{data: s.Data}
		if s.Auth != nil {
			a.token = s.Auth.ClientToken
		}
		return a, nil
	}
	return logical{
		read: func(ctx context.Context, path string, query map[string][]string) (*answer, error) {
			return convert(client.Logical().ReadWithDataWithContext(ctx, path, query))
		},
		list: func(ctx context.Context, path string, _ map[string][]string) (*answer, error) {
			return convert(client.Logical().ListWithContext(ctx, path))
		},
		write: func(ctx context.Context, path string, data map[string]any) (*answer, error) {
			return convert(client.Logical().WriteWithContext(ctx, path, data))
		},
		withToken: func(token string) logical {
			c, err := client.Clone()
			if err != nil {
				panic(err)
			}
			c.SetToken(token)
			return ofOpenbao(c)
		},
		health: func(ctx context.Context) (bool, bool, bool, error) {
			h, err := client.Sys().HealthWithContext(ctx)
			if err != nil {
				return false, false, false, err
			}
			return h.Initialized, h.Sealed, h.Standby, nil
		},
		status: func(err error) int {
			if e := (*baoapi.ResponseError)(nil); errors.As(err, &e) {
				return e.StatusCode
			}
			return 0
		},
	}
}

var errMissing = errors.New("not found")

// subject makes a Subject of what both libraries do.
func subject(l logical, mount string) vaulttest.Subject {
	return vaulttest.Subject{
		Health: l.health,
		Login: func(ctx context.Context, username, password string) (*vaulttest.Login, error) {
			a, err := l.write(ctx, "auth/userpass/login/"+username, map[string]any{"password": password})
			if err != nil {
				return nil, err
			}
			return login(l.withToken(a.token), mount), nil
		},
		Status: func(err error) int {
			if errors.Is(err, errMissing) {
				return http.StatusNotFound
			}
			return l.status(err)
		},
	}
}

func login(l logical, mount string) *vaulttest.Login {
	return &vaulttest.Login{
		Read: func(ctx context.Context, path string, version int) (map[string]string, int, error) {
			var query map[string][]string
			if version > 0 {
				query = map[string][]string{"version": {fmt.Sprint(version)}}
			}
			a, err := l.read(ctx, mount+"/data/"+path, query)
			if err != nil {
				return nil, 0, err
			}
			if a == nil || a.data["data"] == nil { // these libraries make no error of a 404
				return nil, 0, errMissing
			}
			number, err := a.data["metadata"].(map[string]any)["version"].(json.Number).Int64()
			return texts(a.data["data"].(map[string]any)), int(number), err
		},
		List: func(ctx context.Context, folder string) ([]string, error) {
			a, err := l.list(ctx, mount+"/metadata/"+folder, nil)
			if a == nil || err != nil {
				return nil, err
			}
			keys := slices.Sorted(maps.Values(texts(indexed(a.data["keys"].([]any)))))
			return keys, nil
		},
		Lookup: func(ctx context.Context) (time.Duration, []string, error) {
			a, err := l.read(ctx, "auth/token/lookup-self", nil)
			if err != nil {
				return 0, nil, err
			}
			seconds, err := a.data["ttl"].(json.Number).Int64()
			return time.Duration(seconds) * time.Second, slices.Sorted(maps.Values(texts(indexed(a.data["policies"].([]any))))), err
		},
		Renew: func(ctx context.Context) error {
			_, err := l.write(ctx, "auth/token/renew-self", map[string]any{})
			return err
		},
		Revoke: func(ctx context.Context) error { _, err := l.write(ctx, "auth/token/revoke-self", nil); return err },
	}
}

func indexed(values []any) map[string]any {
	out := map[string]any{}
	for i, v := range values {
		out[fmt.Sprint(i)] = v
	}
	return out
}

func texts(values map[string]any) map[string]string {
	out := map[string]string{}
	for name, v := range values {
		out[name] = fmt.Sprint(v)
	}
	return out
}

// TestOurAssertionIsTheOneOfTheVendor lets STACKIT's own key flow and ours log in with one key at one endpoint.
func TestOurAssertionIsTheOneOfTheVendor(t *testing.T) {
	fake := vaulttest.New(t, vaulttest.Config{})
	var document clients.ServiceAccountKeyResponse
	require.NoError(t, json.Unmarshal(fake.KeyFile(), &document))
	var theirs clients.KeyFlow
	require.NoError(t, theirs.Init(&clients.KeyFlowConfig{
		ServiceAccountKey: &document, PrivateKey: *document.Credentials.PrivateKey,
		HTTPTransport: vaulttest.HTTPClient(fake).Transport,
	}))
	token, err := theirs.GetAccessToken()
	require.NoError(t, err)
	require.NotEmpty(t, token)

	key, err := stackit.ParseKey(fake.KeyFile(), nil)
	require.NoError(t, err)
	ours, err := stackit.New(stackit.Config{
		Key: key, Project: fake.Project(), Instance: fake.Instance(), API: fake.URL(), Wire: wire.Config{Roots: fake.Roots()},
	})
	require.NoError(t, err)
	defer ours.Close()
	require.NoError(t, ours.Authenticate(t.Context()))

	both := fake.Assertions()
	require.Len(t, both, 2)
	their, our := both[0], both[1]
	require.Equal(t, their.Header, our.Header)
	require.Equal(t, slices.Sorted(maps.Keys(their.Claims)), slices.Sorted(maps.Keys(our.Claims)))
	for _, claim := range []string{"iss", "sub", "aud"} {
		require.Equal(t, their.Claims[claim], our.Claims[claim], claim)
	}
	for _, claim := range []string{"iat", "exp"} {
		require.IsType(t, their.Claims[claim], our.Claims[claim], claim)
	}
	for _, a := range both {
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, a.Claims["jti"])
	}
	require.NotEqual(t, their.Claims["jti"], our.Claims["jti"])
	their1, err := their.Claims["exp"].(json.Number).Int64()
	require.NoError(t, err)
	our1, err := our.Claims["exp"].(json.Number).Int64()
	require.NoError(t, err)
	require.Less(t, our1, their1, "ours is valid for ten minutes at most, theirs for an hour")

	calls := fake.Journal()
	require.Equal(t, "application/x-www-form-urlencoded", calls[0].Header.Get("Content-Type"))
	require.Equal(t, calls[0].Header.Get("Content-Type"), calls[1].Header.Get("Content-Type"))

	// Their transport adds the token to a call of the API, which takes it.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		fake.URL()+strings.Join([]string{"/v1/projects", fake.Project(), "instances", fake.Instance(), "users"}, "/"), nil)
	require.NoError(t, err)
	res, err := theirs.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// TestAnUnknownKeyIsToldApartByTheVendorToo shows that the fake's refusal is the one the vendor's library looks for.
func TestAnUnknownKeyIsToldApartByTheVendorToo(t *testing.T) {
	fake := vaulttest.New(t, vaulttest.Config{})
	var document clients.ServiceAccountKeyResponse
	require.NoError(t, json.Unmarshal(fake.KeyFile(), &document))
	fake.ForgetKey()
	var theirs clients.KeyFlow
	require.NoError(t, theirs.Init(&clients.KeyFlowConfig{
		ServiceAccountKey: &document, PrivateKey: *document.Credentials.PrivateKey, HTTPTransport: vaulttest.HTTPClient(fake).Transport,
	}))
	_, err := theirs.GetAccessToken()
	require.ErrorContains(t, err, "check if your configured key is valid")
}
