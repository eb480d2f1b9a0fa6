package vault_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
)

func TestDevelopmentEnvironment(t *testing.T) {
	var logged bytes.Buffer
	env := map[string]string{
		"X_KEY": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 32)), "X_EMPTY": "", "X_OTHER": "not asked for", "KEY": "without prefix",
	}
	cfg := vault.DevelopmentConfig{Getenv: func(k string) string { return env[k] }, Logger: slog.New(slog.NewTextHandler(&logged, nil))}
	src, err := vault.DevelopmentEnvironmentUnsafe("X_", cfg)
	require.NoError(t, err)

	snapshot, err := vault.Manifest{{Key: "KEY"}, {Key: "EMPTY", Optional: true}}.Load(t.Context(), src)
	require.NoError(t, err)
	key, _ := snapshot.Secret("KEY")
	require.Equal(t, bytes.Repeat([]byte{9}, 32), key.Reveal())
	_, ok := snapshot.Secret("EMPTY")
	require.False(t, ok)
	require.Contains(t, logged.String(), "DEVELOPMENT KEYS IN USE")
	require.NotContains(t, logged.String(), env["X_KEY"])

	env["TOMKIT_ENV"] = "production"
	_, err = src.Fetch(t.Context(), []vault.Key{"KEY"})
	require.ErrorIs(t, err, vault.ErrProduction)
	_, err = vault.DevelopmentEnvironmentUnsafe("X_", cfg)
	require.ErrorIs(t, err, vault.ErrProduction)
}
