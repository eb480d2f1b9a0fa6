package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
)

func TestRun(t *testing.T) {
	fake := vaulttest.New(t, vaulttest.Config{Secrets: map[string]map[string]string{
		"PAYMENT_TOKEN": {"value": "tok_example"}, "SEALING_KEY": {"value": "c2VhbGluZyBrZXkgZm9yIHRoZSBleGFtcGxlLCAzMiE="},
	}})
	key, ca := filepath.Join(t.TempDir(), "key.json"), filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(key, fake.KeyFile(), 0o600))
	require.NoError(t, os.WriteFile(ca, fake.CA(), 0o644))
	env := map[string]string{
		boot.EnvKeyFile: key, boot.EnvCAFile: ca, boot.EnvProject: fake.Project(), boot.EnvInstance: fake.Instance(),
		boot.EnvAPI: fake.URL(), boot.EnvTokenEndpoint: fake.TokenEndpoint(),
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), func(name string) string { return env[name] }, &out))
	require.Equal(t, "loaded: [{PAYMENT_TOKEN 1} {SEALING_KEY 1}] shown: [secret] bytes: 11\n", out.String())
	require.Empty(t, fake.Users())
	require.Empty(t, fake.Tokens())

	env[boot.EnvKeyFile] = ca // others may read it
	require.ErrorIs(t, run(t.Context(), func(name string) string { return env[name] }, &out), boot.ErrConfig)
}
