package boot_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
)

// environment describes the plane, with its files in a directory of the test's.
func (p *plane) environment(t *testing.T) map[string]string {
	t.Helper()
	key, ca := filepath.Join(t.TempDir(), "key.json"), filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(key, p.KeyFile(), 0o600))
	require.NoError(t, os.WriteFile(ca, p.CA(), 0o644))
	return map[string]string{
		boot.EnvKeyFile: key, boot.EnvProject: p.Project(), boot.EnvInstance: p.Instance(), boot.EnvAPI: p.URL(),
		boot.EnvTokenEndpoint: p.TokenEndpoint(), boot.EnvCAFile: ca,
	}
}

func lookup(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func TestTheEnvironmentSaysWhereTheSecretsAre(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	env := p.environment(t)
	require.True(t, boot.InEnvironment(lookup(env)))
	require.False(t, boot.InEnvironment(lookup(nil)))
	cfg, err := boot.FromEnvironment(lookup(env))
	require.NoError(t, err)
	cfg.Manifest = manifest
	secrets, _, err := boot.Run(t.Context(), cfg)
	require.NoError(t, err)
	requireSecrets(t, secrets)
	require.Empty(t, p.boots())
}

func TestAnEnvironmentThatCannotBeUsedIsRefusedByName(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	good := p.environment(t)
	readable := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(readable, p.KeyFile(), 0o600))
	require.NoError(t, os.Chmod(readable, 0o644))
	for name, c := range map[string]struct {
		variable, value string
		cause           error
	}{
		"no key file":                 {boot.EnvKeyFile, "", nil},
		"no project":                  {boot.EnvProject, "", nil},
		"no instance":                 {boot.EnvInstance, "", nil},
		"a key file that is not":      {boot.EnvKeyFile, "/nowhere/key.json", os.ErrNotExist},
		"a key file others may read":  {boot.EnvKeyFile, readable, stackit.ErrKeyFile},
		"authorities that are not":    {boot.EnvCAFile, "/nowhere/ca.pem", os.ErrNotExist},
		"a CA file without authority": {boot.EnvCAFile, good[boot.EnvKeyFile], nil},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{}
			for n, v := range good {
				env[n] = v
			}
			env[c.variable] = c.value
			_, err := boot.FromEnvironment(lookup(env))
			require.ErrorIs(t, err, boot.ErrConfig)
			require.ErrorContains(t, err, c.variable)
			require.NotContains(t, err.Error(), "PRIVATE KEY")
			if c.cause != nil {
				require.ErrorIs(t, err, c.cause)
			}
		})
	}
	require.Empty(t, p.Journal())
}
