package boot

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pioneerdesk/tomkit/internal/wait"
	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/stackit"
)

// Config says where the secrets are and which are needed. Stackit is required.
type Config struct {
	// Stackit is the management plane with the service account's key.
	Stackit stackit.Config
	// KV tunes the client of the Vault. Its Address and Mount stay empty: they are read from the instance's document.
	KV kv.Config
	// Manifest lists the secrets. Nil means vault.DefaultManifest.
	Manifest vault.Manifest
	// Locate says where in the Vault a key is kept: the path of a secret and the field in it. Nil means the key's name as
	// path and the field "value".
	Locate func(vault.Key) (path, field string)
	// Host names this machine in the user's description, where only a hash of it appears. Empty means os.Hostname.
	Host string
	// LoginGrace is how long the Vault may refuse a user that was just made. Zero means 10 s; negative is an error.
	LoginGrace time.Duration
	// OrphanAge is the age from which users of other boots count as left behind. Zero means 15 min; negative is an error.
	OrphanAge time.Duration
	// MinInterval is the time between two users of failing boots of one host. Zero means 15 s; negative is an error.
	MinInterval time.Duration
	// CleanupTimeout bounds revoking the token and deleting the user. Zero means 5 s; negative is an error.
	CleanupTimeout time.Duration
	// AllowLeftoverUnsafe starts although user or token could not be removed; the report says so. A user left behind reads
	// every secret of the instance until a later boot deletes it.
	AllowLeftoverUnsafe bool
	// Progress is told of every step. It must not block. Nil means nobody is told.
	Progress func(Event)
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
	// Wait waits for d or until ctx is done, then with its error. Nil means a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

func (cfg Config) withDefaults() (Config, error) {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{{&cfg.LoginGrace, 10 * time.Second}, {&cfg.OrphanAge, 15 * time.Minute}, {&cfg.MinInterval, 15 * time.Second}, {&cfg.CleanupTimeout, 5 * time.Second}} {
		if *d.value < 0 {
			return cfg, fmt.Errorf("%w: negative duration", ErrConfig)
		}
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if cfg.KV.Address != "" || cfg.KV.Mount != "" {
		return cfg, fmt.Errorf("%w: address and mount of the Vault are read from the instance's document", ErrConfig)
	}
	if cfg.Manifest == nil {
		cfg.Manifest = vault.DefaultManifest()
	}
	if cfg.Locate == nil {
		cfg.Locate = func(k vault.Key) (string, string) { return string(k), "value" }
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Event) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = wait.For
	}
	if cfg.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return cfg, fmt.Errorf("%w: host name: %w", ErrConfig, err)
		}
		cfg.Host = host
	}
	return cfg, nil
}
