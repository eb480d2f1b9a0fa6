package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// startFake runs the command until the test ends and returns what it printed: the environment and the CA certificate.
func startFake(t *testing.T, args ...string) (env map[string]string, ca []byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, stdout := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"vault-fake", "--listen=127.0.0.1:0", "--print-ca"}, args...), &console{nil, stdout, io.Discard})
		_ = stdout.Close()
	}()
	t.Cleanup(func() { cancel(); require.Equal(t, 0, <-done) })
	env = map[string]string{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && strings.HasPrefix(name, "TOMKIT_") {
			env[name] = value
			continue
		}
		ca = append(append(ca, lines.Text()...), '\n')
		if strings.HasPrefix(lines.Text(), "-----END") {
			break
		}
	}
	return env, ca
}

func TestTheFakeVaultServesWhatItPrints(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "secrets.json")
	require.NoError(t, os.WriteFile(secrets, []byte(`{"db":{"password":"`+leak+`"},"API_TOKEN":"t"}`), 0o600))
	env, ca := startFake(t, "--secrets", secrets)
	file, err := os.ReadFile(env["TOMKIT_VAULT_CA_FILE"])
	require.NoError(t, err)
	require.Equal(t, string(file), string(ca))
	connection := wire.Config{Roots: x509.NewCertPool()}
	require.True(t, connection.Roots.AppendCertsFromPEM(ca))
	key, err := stackit.ReadKey(env["TOMKIT_VAULT_KEY_FILE"], "")
	require.NoError(t, err)
	management, err := stackit.New(stackit.Config{
		Key: key, Project: env["TOMKIT_VAULT_PROJECT"], Instance: env["TOMKIT_VAULT_INSTANCE"], API: env["TOMKIT_VAULT_API"],
		TokenEndpoint: env["TOMKIT_VAULT_TOKEN_ENDPOINT"], Wire: connection,
	})
	require.NoError(t, err)
	defer management.Close()
	place, err := management.Instance(t.Context())
	require.NoError(t, err)
	user, err := management.CreateUser(t.Context(), stackit.NewDescription(time.Now(), "host"))
	require.NoError(t, err)
	client, err := kv.New(kv.Config{Address: place.Address, Mount: place.Mount, Wire: connection})
	require.NoError(t, err)
	defer client.Close()
	session, err := client.Userpass(t.Context(), user.Username, user.Password)
	require.NoError(t, err)
	paths, err := session.Walk(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []string{"API_TOKEN", "db"}, paths)
	entry, err := session.Read(t.Context(), "db")
	require.NoError(t, err)
	value, _ := entry.Field("password")
	require.Equal(t, leak, string(value.Reveal()))
}

func TestTheFakeVaultRefusesSecretsItCannotServe(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"no JSON": leak, "a number": `{"a":1}`, "a number in a field": `{"a":{"b":1}}`, "an array": `[]`} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			tomkit(t, "", "vault-fake", "--secrets", path).failed(t, 2, "secrets")
		})
	}
	tomkit(t, "", "vault-fake", "--secrets", filepath.Join(dir, "none")).failed(t, 2, "secrets")
	tomkit(t, "", "vault-fake", "--listen", "nowhere").failed(t, 2, "listen")
}
