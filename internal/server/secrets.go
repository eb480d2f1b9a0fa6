package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

// KeyFile is the development keys' place in the data directory. The folder around it is closed to everybody else; the data directory
// itself can be passed through, by the account that runs the private PostgreSQL for root.
const KeyFile = "keys/development.json"

// secrets are the keys a server works with, each already inside the part that uses it.
type secrets struct {
	mfa, ledger *seal.Ring
	tokens      *token.Key
	context     rls.ContextKey
	passwords   *password.Hasher
}

// loadSecrets fetches what the server uses, hands each key to its user and the passwords of the logins to their connection strings.
//
// That happens once, at the start. A running server does not refresh, though [vault.Live] could: open pools keep the passwords they were
// opened with, a new signing seed needs a time in which the tokens of the old one are accepted, and a new sealing key opens nothing that
// the old one sealed. New passwords and a new signing seed come into force with a restart; sealing keys have to stay.
func (s *Server) loadSecrets(ctx context.Context) (*secrets, error) {
	load := s.developmentSecrets
	if s.cfg.Vault != nil {
		load = s.bootSecrets
	}
	snapshot, err := load(ctx, s.cfg.manifest())
	if err != nil {
		return nil, err
	}
	defer snapshot.Wipe()
	s.cfg.addPasswords(snapshot)
	return derive(snapshot)
}

// developmentSecrets keeps keys in a file, which production refuses.
func (s *Server) developmentSecrets(ctx context.Context, manifest vault.Manifest) (*vault.Snapshot, error) {
	dir := s.cfg.DataDir
	if dir == "" {
		temp, err := os.MkdirTemp("", "tomkit-keys-")
		if err != nil {
			return nil, fmt.Errorf("server: keys: %w", err)
		}
		defer os.RemoveAll(temp)
		dir = temp
	}
	source, err := vault.DevelopmentFileUnsafe(filepath.Join(dir, KeyFile), vault.DevelopmentConfig{
		Manifest: manifest, Getenv: s.cfg.getenv, Logger: s.log,
	})
	if err != nil {
		return nil, err
	}
	return manifest.Load(ctx, source)
}

// getenv tells the development source whether this is production, and nothing else.
func (c Config) getenv(string) string {
	if c.Production {
		return "production"
	}
	return ""
}

// derive hands each secret to its user. The copies it makes on the way are wiped.
func derive(snapshot *vault.Snapshot) (*secrets, error) {
	var s secrets
	var hashing password.Config
	for _, use := range []struct {
		key vault.Key
		to  func(raw []byte) error
	}{
		{vault.MFAKey, func(raw []byte) (err error) {
			s.mfa, err = seal.New(seal.Config{Active: seal.Key{Bytes: raw}, ReadLegacy: true})
			return err
		}},
		{vault.LedgerKEK, func(raw []byte) (err error) {
			s.ledger, err = seal.New(seal.Config{Active: seal.Key{Bytes: raw}})
			return err
		}},
		{vault.JWTSeed, func(raw []byte) (err error) { s.tokens, err = token.NewKey(raw); return err }},
		{vault.ContextMACKey, func(raw []byte) error {
			s.context = rls.ContextKey{ID: seal.KeyID(raw), Key: append([]byte(nil), raw...)}
			return nil
		}},
		{vault.PasswordPepper, func(raw []byte) error {
			hashing.Pepper = &password.Pepper{ID: seal.KeyID(raw), Key: append([]byte(nil), raw...)}
			return nil
		}},
	} {
		secret, ok := snapshot.Secret(use.key)
		if !ok {
			continue // optional; the manifest has refused what is required and missing
		}
		raw := secret.Reveal()
		err := use.to(raw)
		clear(raw)
		if err != nil {
			return nil, fmt.Errorf("server: keys: %s: %w", use.key, err)
		}
	}
	var err error
	if s.passwords, err = password.New(hashing); err != nil {
		return nil, fmt.Errorf("server: keys: %w", err)
	}
	return &s, nil
}
