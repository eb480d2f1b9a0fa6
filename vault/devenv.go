package vault

import (
	"context"
	"log/slog"
)

// DevelopmentEnvironmentUnsafe returns a source that reads each secret from the environment variable prefix + its key, such
// as TOMKIT_SECRET_JWT_ED25519_SEED, in the form its Format names. An unset or empty variable is a missing secret.
//
// It is unsafe because the environment of a process is inherited by its children, kept for its whole life and read by
// every process of the same user. With TOMKIT_ENV set to production it returns ErrProduction; Fetch asks again. Every Fetch
// logs a warning.
func DevelopmentEnvironmentUnsafe(prefix string, cfg DevelopmentConfig) (Source, error) {
	cfg = cfg.withDefaults()
	if cfg.production() {
		return nil, ErrProduction
	}
	return SourceFunc(func(ctx context.Context, keys []Key) (*Snapshot, error) {
		if cfg.production() {
			return nil, ErrProduction
		}
		cfg.Logger.WarnContext(ctx, "DEVELOPMENT KEYS IN USE: secrets come from the environment, never run production like this",
			slog.String("prefix", prefix))
		out := NewSnapshot(nil)
		for _, k := range keys {
			if value := cfg.Getenv(prefix + string(k)); value != "" {
				out.secrets[k] = NewSecret([]byte(value))
			}
		}
		return out, nil
	}), nil
}
