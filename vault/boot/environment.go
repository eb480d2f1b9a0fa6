package boot

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Variables of the environment that say where the secrets are. None holds a secret. The first three belong together, the
// others have the defaults of package stackit.
const (
	EnvKeyFile       = "TOMKIT_VAULT_KEY_FILE"       // file with the service account's key, mode 0600 or stricter
	EnvProject       = "TOMKIT_VAULT_PROJECT"        // UUID
	EnvInstance      = "TOMKIT_VAULT_INSTANCE"       // UUID
	EnvAPI           = "TOMKIT_VAULT_API"            // address of the Secrets Manager's API
	EnvTokenEndpoint = "TOMKIT_VAULT_TOKEN_ENDPOINT" // address where assertions are exchanged for tokens
	EnvCAFile        = "TOMKIT_VAULT_CA_FILE"        // PEM; the only authorities trusted in place of the system's
)

// InEnvironment reports whether any of the variables is set, as some or all of them.
func InEnvironment(getenv func(string) string) bool {
	for _, name := range []string{EnvKeyFile, EnvProject, EnvInstance, EnvAPI, EnvTokenEndpoint, EnvCAFile} {
		if getenv(name) != "" {
			return true
		}
	}
	return false
}

// FromEnvironment returns the Config that the variables describe, for all others the defaults, and reads the files they name.
// The error is ErrConfig; it names variables and files, never what they hold.
func FromEnvironment(getenv func(string) string) (Config, error) {
	for _, name := range []string{EnvKeyFile, EnvProject, EnvInstance} {
		if getenv(name) == "" {
			return Config{}, fmt.Errorf("%w: %s is not set", ErrConfig, name)
		}
	}
	key, err := stackit.ReadKey(getenv(EnvKeyFile), "")
	if err != nil {
		return Config{}, fmt.Errorf("%w: %s: %w", ErrConfig, EnvKeyFile, err)
	}
	roots, err := authorities(getenv(EnvCAFile))
	if err != nil {
		return Config{}, fmt.Errorf("%w: %s: %w", ErrConfig, EnvCAFile, err)
	}
	connection := wire.Config{Roots: roots}
	return Config{
		Stackit: stackit.Config{
			Key: key, Project: getenv(EnvProject), Instance: getenv(EnvInstance),
			API: getenv(EnvAPI), TokenEndpoint: getenv(EnvTokenEndpoint), Wire: connection,
		},
		KV: kv.Config{Wire: connection},
	}, nil
}

// authorities returns those of a PEM file, without a path the system's.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return x509.SystemCertPool()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return pool, nil
}
