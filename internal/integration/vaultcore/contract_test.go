package vaultcore_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	kvengine "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/credential/userpass"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/logical"
	core "github.com/hashicorp/vault/vault"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

const mount = "instance"

// known is the one case that this release breaks: for a user that exists it loses the kind of its error on the way and
// answers 500 to a wrong password (vault/request_handling.go, after failedUserLoginProcess). For an unknown user it is 400.
const known = "a wrong password is refused with 400"

func TestARealVaultKeepsTheContract(t *testing.T) {
	address := serve(t)
	if err := vaulttest.Seed(t.Context(), http.DefaultClient, address.url, mount, address.root); err != nil {
		t.Fatal(err)
	}
	client, err := kv.New(kv.Config{Address: address.url, Mount: mount, Wire: wire.Config{AllowPlainHTTPUnsafe: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	setting := vaulttest.Setting{Address: address.url, Mount: mount, Username: "reader", Password: "secret", Subject: vaulttest.Client(client)}
	for _, c := range vaulttest.Contract() {
		t.Run(c.Name, func(t *testing.T) {
			err := c.Run(t.Context(), setting)
			if c.Name == known {
				if err == nil || !strings.HasPrefix(err.Error(), "status 500") {
					t.Fatalf("no longer broken, or differently: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("a token lives on when its user is deleted", func(t *testing.T) {
		s, err := client.Userpass(t.Context(), "reader", vault.NewSecret([]byte("secret")))
		if err != nil {
			t.Fatal(err)
		}
		address.do(t, logical.DeleteOperation, "auth/userpass/users/reader", nil)
		if _, err := s.Read(t.Context(), "top"); err != nil {
			t.Fatal("the token has ended with its user:", err)
		}
		if err := s.Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Userpass(t.Context(), "reader", vault.NewSecret([]byte("secret"))); !errors.Is(err, wire.ErrAuth) {
			t.Fatal("the user logs in:", err)
		}
	})
	t.Run("a sealed Vault says so", func(t *testing.T) {
		if err := address.core.Seal(address.root); err != nil {
			t.Fatal(err)
		}
		h, err := client.Health(t.Context())
		if err != nil || !h.Sealed || h.Ready() || h.Status != http.StatusServiceUnavailable {
			t.Fatalf("%+v %v", h, err)
		}
		if _, err = client.Userpass(t.Context(), "reader", vault.NewSecret([]byte("secret"))); !errors.Is(err, wire.ErrSealed) {
			t.Fatal(err)
		}
	})
}

// server is a Vault with its root token.
type server struct {
	core      *core.Core
	url, root string
}

func (s server) do(t *testing.T, op logical.Operation, path string, data map[string]any) {
	t.Helper()
	res, err := s.core.HandleRequest(namespace.RootContext(t.Context()), &logical.Request{Operation: op, Path: path, ClientToken: s.root, Data: data})
	if err != nil || res != nil && res.IsError() {
		t.Fatal(path, err, res)
	}
}

func serve(t *testing.T) server {
	t.Helper()
	vaultcore, _, root := core.TestCoreUnsealedWithConfig(t, &core.CoreConfig{
		Logger:             hclog.NewNullLogger(),
		LogicalBackends:    map[string]logical.Factory{"kv": kvengine.Factory},
		CredentialBackends: map[string]logical.Factory{"userpass": userpass.Factory, "approle": approle.Factory},
	})
	listener, url := vaulthttp.TestServer(t, vaultcore)
	t.Cleanup(func() { listener.Close() })
	s := server{vaultcore, url, root}
	s.do(t, logical.UpdateOperation, "sys/mounts/"+mount, map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	s.do(t, logical.UpdateOperation, "sys/auth/userpass", map[string]any{"type": "userpass"})
	s.do(t, logical.UpdateOperation, "sys/policies/acl/reader", map[string]any{
		"policy": `path "` + mount + `/*" { capabilities = ["read", "list"] }`,
	})
	s.do(t, logical.UpdateOperation, "auth/userpass/users/reader", map[string]any{"password": "secret", "policies": "reader", "token_ttl": "15m"})
	return s
}
