package server_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
)

// refuses asserts that a server does not open, and returns why, without the password of any connection string.
func refuses(t *testing.T, cfg server.Config) error {
	t.Helper()
	s, err := server.Open(t.Context(), cfg)
	if err == nil {
		require.NoError(t, s.Close(t.Context()))
	}
	require.Error(t, err)
	require.NotContains(t, err.Error(), leak)
	return err
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	const u = "postgres://tomkit_app:" + leak + "@db.example/tomkit"
	four := server.Config{AppURL: u, MSPURL: u, SystemURL: u, MigratorURL: u, DataDir: "data"}
	with := func(change func(*server.Config)) server.Config {
		c := four
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		cfg server.Config
		say string
	}{
		"production without a database":            {server.Config{Production: true}, "four logins"},
		"production with a superuser":              {server.Config{Production: true, SuperuserURL: u, DataDir: "data"}, "four logins"},
		"production without a certificate":         {with(func(c *server.Config) { c.Production = true }), "TOMKIT_TLS_CERT"},
		"administration without a secrets manager": {with(func(c *server.Config) { c.Production, c.Offline = true, true }), "secrets manager"},
		"production without an erasure journal": {with(func(c *server.Config) {
			c.Production, c.Offline, c.Vault = true, true, func() (boot.Config, error) { return boot.Config{}, nil }
		}), "TOMKIT_LEDGER_JOURNAL"},
		"three logins of four":                       {with(func(c *server.Config) { c.SystemURL = "" }), "together"},
		"one login":                                  {server.Config{AppURL: u}, "together"},
		"a superuser beside the logins":              {with(func(c *server.Config) { c.SuperuserURL = u }), "SUPERUSER"},
		"a database that stays and keys that do not": {with(func(c *server.Config) { c.DataDir = "" }), "--data"},
		"a superuser's, too":                         {server.Config{SuperuserURL: u}, "--data"},
		"a negative interval":                        {server.Config{CheckpointEvery: -time.Second}, "negative"},
		"a negative interval of retention":           {server.Config{RetentionEvery: -time.Second}, "negative"},
		"a URL that is none":                         {with(func(c *server.Config) { c.AppURL = "postgres://tomkit_app:" + leak + "@[::1" }), "malformed"},
		"a URL with a port that is none":             {with(func(c *server.Config) { c.SystemURL = "postgres://tomkit_app:" + leak + "@db:port/x" }), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			err := refuses(t, c.cfg)
			require.ErrorIs(t, err, server.ErrConfig)
			require.ErrorContains(t, err, c.say)
			require.True(t, server.IsConfiguration(err))
		})
	}
	require.NoDirExists(t, "data", "a refused configuration left something behind")
}

func TestProductionRefusesDevelopmentKeys(t *testing.T) {
	const u = "postgres://tomkit_app:" + leak + "@127.0.0.1:1/tomkit"
	err := refuses(t, server.Config{AppURL: u, MSPURL: u, SystemURL: u, MigratorURL: u, DataDir: t.TempDir(), Production: true, TLS: &tls.Certificate{}})
	require.ErrorIs(t, err, vault.ErrProduction)
	require.ErrorContains(t, err, "TOMKIT_VAULT_KEY_FILE")
	require.True(t, server.IsConfiguration(err))
}

func TestOnlyKnownNamesMeanDevelopment(t *testing.T) {
	for name, production := range map[string]bool{
		"": false, "development": false, "dev": false, "test": false, " Development ": false,
		"production": true, "PRODUCTION": true, "prod": true, "live": true, "staging": true, "productoin": true,
	} {
		cfg := server.FromEnvironment(func(v string) string {
			if v == "TOMKIT_ENV" {
				return name
			}
			return ""
		})
		require.Equalf(t, production, cfg.Production, "%q", name)
	}
	cfg := server.FromEnvironment(func(v string) string { return v })
	require.Equal(t, []string{"TOMKIT_DATABASE_URL", "TOMKIT_DATABASE_MSP_URL", "TOMKIT_DATABASE_SYSTEM_URL", "TOMKIT_DATABASE_MIGRATOR_URL", "TOMKIT_DATABASE_SUPERUSER_URL"},
		[]string{cfg.AppURL, cfg.MSPURL, cfg.SystemURL, cfg.MigratorURL, cfg.SuperuserURL})
}

func TestLoginsThatWouldNotIsolateAreRefused(t *testing.T) {
	db := pgtest.New(t, server.Migrations()...)
	good := server.Config{
		AppURL: db.URL(rls.RoleApp), MSPURL: db.URL(rls.RoleMSP), SystemURL: db.URL(rls.RoleSystem), MigratorURL: db.URL(rls.RoleMigrator), DataDir: t.TempDir(),
	}
	for name, c := range map[string]struct {
		change  func(*server.Config)
		problem rls.Problem
		login   string
	}{
		"requests as a superuser":          {func(c *server.Config) { c.AppURL = db.SuperuserURL() }, rls.ProblemSuperuser, rls.RoleApp},
		"requests with BYPASSRLS":          {func(c *server.Config) { c.AppURL = db.URL(rls.RoleMigrator) }, rls.ProblemBypass, rls.RoleApp},
		"requests as the backup":           {func(c *server.Config) { c.AppURL = db.URL(rls.RoleBackup) }, rls.ProblemBypass, rls.RoleApp},
		"requests as the system":           {func(c *server.Config) { c.AppURL = db.URL(rls.RoleSystem) }, rls.ProblemName, rls.RoleApp},
		"the MSP's login as a superuser":   {func(c *server.Config) { c.MSPURL = db.SuperuserURL() }, rls.ProblemSuperuser, rls.RoleMSP},
		"the system's login as superuser":  {func(c *server.Config) { c.SystemURL = db.SuperuserURL() }, rls.ProblemSuperuser, rls.RoleSystem},
		"the system's login as requests'":  {func(c *server.Config) { c.SystemURL = db.URL(rls.RoleApp) }, rls.ProblemName, rls.RoleSystem},
		"the MSP's login with BYPASSRLS":   {func(c *server.Config) { c.MSPURL = db.URL(rls.RoleBackup) }, rls.ProblemBypass, rls.RoleMSP},
		"requests and system, exchanged":   {func(c *server.Config) { c.AppURL, c.SystemURL = c.SystemURL, c.AppURL }, rls.ProblemName, rls.RoleApp},
		"requests and migrator, exchanged": {func(c *server.Config) { c.AppURL, c.MigratorURL = c.MigratorURL, db.SuperuserURL() }, rls.ProblemBypass, rls.RoleApp},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			err := refuses(t, cfg)
			var probe *rls.ProbeError
			require.ErrorAs(t, err, &probe)
			require.Equal(t, []any{c.problem, c.login}, []any{probe.Problem, probe.Login})
			require.Contains(t, err.Error(), "; fix: ")
			require.True(t, server.IsConfiguration(err))
		})
	}
}

func TestADatabaseThatDoesNotAnswerIsNamedWithoutItsPassword(t *testing.T) {
	for name, u := range map[string]string{
		"a closed port":             "postgres://postgres:" + leak + "@127.0.0.1:1/tomkit",
		"a host that is none":       "postgres://postgres:" + leak + "@nowhere.invalid/tomkit",
		"a socket that is none":     "postgres://postgres:" + leak + "@/tomkit?host=" + url.QueryEscape(t.TempDir()),
		"an option nobody knows":    "postgres://postgres:" + leak + "@127.0.0.1:1/tomkit?sslmode=" + leak,
		"keywords instead of a URL": "host=127.0.0.1 port=1 user=postgres password=" + leak,
	} {
		t.Run(name, func(t *testing.T) {
			err := refuses(t, server.Config{SuperuserURL: u, DataDir: t.TempDir()})
			err2 := refuses(t, server.Config{AppURL: u, MSPURL: u, SystemURL: u, MigratorURL: u, DataDir: t.TempDir()})
			require.False(t, server.IsConfiguration(err), err)
			require.False(t, server.IsConfiguration(err2), err2)
		})
	}
}

func TestKeysOfAnotherDatabaseAreRefused(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	user, err := k.People.CreateUser(t.Context(), pgauthn.By{}, ward, pgauthn.NewUser{Email: "head@ward.example", Role: abac.TenantAdmin})
	require.NoError(t, err)
	_, err = k.People.EnrolTOTP(t.Context(), pgauthn.By{}, ward, user)
	require.NoError(t, err)
	cfg := server.Config{
		AppURL: k.db.URL(rls.RoleApp), MSPURL: k.db.URL(rls.RoleMSP), SystemURL: k.db.URL(rls.RoleSystem), MigratorURL: k.db.URL(rls.RoleMigrator), DataDir: t.TempDir(),
	}
	require.True(t, server.IsConfiguration(refuses(t, cfg)))
	t.Run("a key file others can read", func(t *testing.T) {
		require.NoError(t, os.Chmod(filepath.Join(k.dir, server.KeyFile), 0o644))
		cfg.DataDir = k.dir
		err := refuses(t, cfg)
		require.ErrorIs(t, err, vault.ErrPermissions)
		require.True(t, server.IsConfiguration(err))
	})
	t.Run("a key file that is damaged", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "keys"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, server.KeyFile), []byte(`{"JWT_ED25519_SEED":"`+leak), 0o600))
		cfg.DataDir = dir
		require.True(t, server.IsConfiguration(refuses(t, cfg)))
	})
}

func TestWithoutPostgreSQLTheAnswerIsHowToInstallIt(t *testing.T) {
	t.Setenv(pglocal.BinEnv, t.TempDir())
	err := refuses(t, server.Config{DataDir: t.TempDir()})
	require.True(t, server.IsConfiguration(err))
	var missing *pglocal.NotInstalledError
	require.ErrorAs(t, err, &missing)
	require.Contains(t, err.Error(), missing.Install)
}

func TestWhatIsTheConfigurationsFault(t *testing.T) {
	for err, want := range map[error]bool{
		&migrate.TooOldError{Version: 140011}:             true,
		&rls.ProbeError{Problem: rls.ProblemVersion}:      true,
		&pglocal.VersionError{Data: "14", Have: 17}:       true,
		&rls.ContextRefusedError{KeyID: "k"}:              true,
		pglocal.ErrForeignDir:                             true,
		pglocal.ErrInUse:                                  false,
		errors.New("listen: address already in use"):      false,
		&migrate.FailedError{Err: errors.New("no space")}: false,
	} {
		require.Equalf(t, want, server.IsConfiguration(fmt.Errorf("start: %w", err)), "%v", err)
	}
	require.True(t, strings.Contains((&migrate.TooOldError{Version: 140011}).Error(), "PostgreSQL 15"))
}
