package server_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// manager is a fake of a secrets manager with what this server needs, and what a boot from it did.
type manager struct {
	*vaulttest.Server
	values map[vault.Key]string
	waits  []time.Duration
	log    safeBuffer
}

// newManager has a random value for every secret of tomkit, also for those that this server does not use, but for the ones left out.
func newManager(t *testing.T, without ...vault.Key) *manager {
	t.Helper()
	m := &manager{values: map[vault.Key]string{}}
	secrets := map[string]map[string]string{}
	for _, r := range vault.DefaultManifest() {
		raw := (rand.Text() + rand.Text())[:32] // text, so that a log shows it as it is
		m.values[r.Key] = base64.StdEncoding.EncodeToString([]byte(raw))
		secrets[string(r.Key)] = map[string]string{"value": m.values[r.Key]}
	}
	for _, k := range without {
		delete(secrets, string(k))
	}
	m.Server = vaulttest.New(t, vaulttest.Config{Secrets: secrets})
	t.Cleanup(func() {
		m.quiet(t, m.log.String())
		require.Empty(t, m.Users())
		require.Empty(t, m.Tokens())
	})
	return m
}

// quiet asserts that a text holds no value, in the form kept or used, and nothing of the service account's key.
func (m *manager) quiet(t *testing.T, text string) {
	t.Helper()
	require.NotContains(t, text, "PRIVATE KEY")
	for key, value := range m.values {
		require.NotContains(t, text, value, key)
		raw, err := base64.StdEncoding.DecodeString(value)
		require.NoError(t, err)
		require.NotContains(t, text, string(raw), key)
		require.NotContains(t, text, hex.EncodeToString(raw), key)
	}
}

// use makes a server boot from m, on no other machine's time.
func (m *manager) use(cfg *server.Config) {
	cfg.Log = slog.New(slog.NewJSONHandler(&m.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Vault = func() (boot.Config, error) {
		key, err := stackit.ParseKey(m.KeyFile(), nil)
		connection := wire.Config{Roots: m.Roots()}
		return boot.Config{
			Stackit: stackit.Config{Key: key, Project: m.Project(), Instance: m.Instance(), API: m.URL(), TokenEndpoint: m.TokenEndpoint(), Wire: connection},
			KV:      kv.Config{Wire: connection},
			Wait: func(ctx context.Context, d time.Duration) error {
				m.waits = append(m.waits, d)
				return ctx.Err()
			},
		}, err
	}
}

func TestAServerBootsFromASecretsManager(t *testing.T) {
	m := newManager(t)
	dir := t.TempDir()
	k := open(t, m.use, func(c *server.Config) { c.DataDir = dir })
	require.NoFileExists(t, filepath.Join(dir, server.KeyFile), "a key on the disk")
	seed, err := base64.StdEncoding.DecodeString(m.values[vault.JWTSeed])
	require.NoError(t, err)
	k.key, err = token.NewKey(seed)
	require.NoError(t, err)
	k.serve(t)
	require.Equal(t, http.StatusOK, k.do(t, http.MethodGet, "/readyz", nil).StatusCode)
	admin := k.somebody(t, k.tenant(t, "ward"), abac.TenantAdmin)
	require.Equal(t, http.StatusOK, k.do(t, http.MethodGet, "/v1/me", nil, as(admin)).StatusCode, "signed with the vault's seed")

	log := m.log.String()
	require.Contains(t, log, `"msg":"secrets are loaded","versions":["MFA_ENCRYPTION_KEY (Version 1)","JWT_ED25519_SEED (Version 1)"`)
	for _, call := range m.Journal() {
		for _, unused := range []vault.Key{vault.RedisPassword, vault.StackitLLMToken, vault.DatabaseBackupPassword} {
			require.NotContains(t, call.Path, string(unused), "more than this server uses")
		}
	}
}

func TestEveryBootIsInTheOperatorsLedger(t *testing.T) {
	m := newManager(t)
	db := pgtest.New(t, server.Migrations()...)
	onto := func(c *server.Config) {
		c.AppURL, c.MSPURL, c.SystemURL, c.MigratorURL = db.URL(rls.RoleApp), db.URL(rls.RoleMSP), db.URL(rls.RoleSystem), db.URL(rls.RoleMigrator)
	}
	first := open(t, m.use, onto)
	operator := first.bootstrap(t)
	require.NoError(t, first.Close(t.Context()), "which records the boot before the bootstrap")
	second := open(t, m.use, onto)
	entries, err := second.Ledger.Entries(t.Context(), operator, ledger.Filter{Action: "secrets_loaded"})
	require.NoError(t, err)
	require.Len(t, entries, 2)
	for _, e := range entries {
		m.quiet(t, string(e.Details)+e.Narrative)
		require.Contains(t, e.Narrative, " wurden 9 Geheimnisse aus dem Secrets Manager geladen: MFA_ENCRYPTION_KEY (Version 1), ")
		require.Contains(t, string(e.Details), `"MFA_ENCRYPTION_KEY":1`)
		require.Contains(t, string(e.Details), `"tries":1`)
	}
}

// nowhere are logins that must not be reached.
func nowhere(c *server.Config) {
	const u = "postgres://nobody@127.0.0.1:1/tomkit"
	c.AppURL, c.MSPURL, c.SystemURL, c.MigratorURL = u, u, u, u
}

func (m *manager) fails(t *testing.T) error {
	t.Helper()
	var cfg server.Config
	m.use(&cfg)
	nowhere(&cfg)
	err := refuses(t, cfg)
	require.False(t, server.IsConfiguration(err))
	m.quiet(t, err.Error())
	return err
}

func TestASecretThatIsMissingIsNamedAndNothingStarts(t *testing.T) {
	m := newManager(t, vault.LedgerKEK, vault.JWTSeed)
	err := m.fails(t)
	var missing *vault.ManifestError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, []vault.Key{vault.JWTSeed, vault.LedgerKEK}, missing.Missing)
	require.Contains(t, m.log.String(), `"step":"fetch"`)
}

func TestASecretsManagerThatIsDownIsTriedFourTimes(t *testing.T) {
	m := newManager(t)
	m.Inject(vaulttest.StepToken, vaulttest.Every, vaulttest.Fault{Status: http.StatusServiceUnavailable})
	require.ErrorContains(t, m.fails(t), "try 4")
	require.Equal(t, []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second}, m.waits)
	tokens := 0
	for _, step := range m.Steps() {
		if step == vaulttest.StepToken {
			tokens++
		}
	}
	require.Equal(t, 4, tokens)
	require.Contains(t, m.log.String(), "loading the secrets: waiting")
}

func TestSettingsOfASecretsManagerThatCannotBeUsedAreConfiguration(t *testing.T) {
	m := newManager(t)
	key := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(key, m.KeyFile(), 0o600))
	good := map[string]string{
		boot.EnvKeyFile: key, boot.EnvProject: m.Project(), boot.EnvInstance: m.Instance(), boot.EnvAPI: m.URL(), boot.EnvTokenEndpoint: m.TokenEndpoint(),
	}
	for name, c := range map[string]struct{ variable, value, say string }{
		"no key file":                {boot.EnvKeyFile, "", boot.EnvKeyFile},
		"no instance":                {boot.EnvInstance, "", boot.EnvInstance},
		"a project that is no id":    {boot.EnvProject, "mine", "no UUID"},
		"an address in clear":        {boot.EnvAPI, "http://127.0.0.1", "not https"},
		"a CA file that is not":      {boot.EnvCAFile, "/nowhere/ca.pem", boot.EnvCAFile},
		"a key file others may read": {boot.EnvKeyFile, key, "mode 0600"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.Chmod(key, 0o600))
			if c.value == key {
				require.NoError(t, os.Chmod(key, 0o644))
			}
			cfg := server.FromEnvironment(func(v string) string {
				if v == c.variable {
					return c.value
				}
				return good[v]
			})
			nowhere(&cfg)
			err := refuses(t, cfg)
			require.True(t, server.IsConfiguration(err), err)
			require.ErrorContains(t, err, c.say)
			m.quiet(t, err.Error())
		})
	}
	require.Empty(t, m.Journal(), "nothing was sent")
}

func TestPasswordsOfTheLoginsComeFromTheSecretsManager(t *testing.T) {
	const odd = `it's \a "p@ss%20/ word"` // needs quoting in either form of a connection string
	m := newManager(t)
	require.NoError(t, m.Put(string(vault.DatabaseAppPassword), map[string]string{"value": odd}))
	db := pgtest.NewPrivate(t, nil, server.Migrations()...)
	urls := map[string]string{}
	for role, key := range map[string]vault.Key{
		rls.RoleApp: vault.DatabaseAppPassword, rls.RoleMSP: vault.DatabaseMSPPassword,
		rls.RoleSystem: vault.DatabaseSystemPassword, rls.RoleMigrator: vault.DatabaseMigratorPassword,
	} {
		password := m.values[key]
		if role == rls.RoleApp {
			password = odd
		}
		urls[role] = db.URL(role)
		_, err := db.Superuser(t).Exec(t.Context(), "ALTER ROLE "+role+" PASSWORD '"+strings.ReplaceAll(password, "'", "''")+"'")
		require.NoError(t, err)
	}
	var hba, super string
	require.NoError(t, db.Superuser(t).QueryRow(t.Context(), "SELECT current_setting('hba_file'), current_user").Scan(&hba, &super))
	require.NoError(t, os.WriteFile(hba, []byte("local all "+super+" trust\nlocal all all scram-sha-256\n"), 0o600))
	_, err := db.Superuser(t).Exec(t.Context(), "SELECT pg_reload_conf()")
	require.NoError(t, err)

	logins := func(c *server.Config) {
		c.AppURL, c.MSPURL, c.SystemURL, c.MigratorURL = urls[rls.RoleApp], urls[rls.RoleMSP], urls[rls.RoleSystem], urls[rls.RoleMigrator]
	}
	opens := func(t *testing.T, change func(*server.Config)) (*server.Server, error) {
		var cfg server.Config
		m.use(&cfg)
		logins(&cfg)
		change(&cfg)
		s, err := server.Open(t.Context(), cfg)
		if err == nil {
			require.NoError(t, s.Close(t.Context()))
		}
		return s, err
	}
	t.Run("in URLs", func(t *testing.T) {
		s, err := opens(t, func(*server.Config) {})
		require.NoError(t, err)
		require.NotContains(t, s.Logins.String(), odd)
	})
	parsed, err := pgx.ParseConfig(urls[rls.RoleApp])
	require.NoError(t, err)
	list := "host=" + parsed.Host + " user=" + parsed.User + " dbname=" + parsed.Database
	t.Run("in keyword lists", func(t *testing.T) {
		_, err := opens(t, func(c *server.Config) { c.AppURL = list })
		require.NoError(t, err)
	})
	t.Run("not where the connection string has one", func(t *testing.T) {
		u, err := url.Parse(urls[rls.RoleApp])
		require.NoError(t, err)
		u.User = url.UserPassword(rls.RoleApp, "own")
		for _, own := range []string{u.String(), urls[rls.RoleApp] + "&password=own", list + " password=own"} {
			_, err := opens(t, func(c *server.Config) { c.AppURL = own })
			var refusal *pgconn.PgError
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, "28P01", refusal.Code, "invalid_password")
			m.quiet(t, err.Error())
			require.NotContains(t, err.Error(), odd)
		}
	})
	require.NotContains(t, m.log.String(), odd)
}
