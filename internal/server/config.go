package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/ledger/journal"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
)

// Config is what a server needs to know. The zero value of each field has the meaning its comment gives.
type Config struct {
	// Listen is the address to listen on. Empty means "localhost:8443"; port 0 chooses a free one.
	Listen string
	// Host is the name under which clients reach the server: the token issuer, the certificate's name. Empty means "localhost".
	Host string
	// TLS is the server's certificate. Nil means one of a throw-away authority, which is refused in production.
	TLS *tls.Certificate

	// Offline opens the server for administration: it needs no certificate and cannot [Server.Listen].
	Offline bool

	// AppURL, MSPURL, SystemURL and MigratorURL are the connection strings of the four logins. All or none are given.
	AppURL, MSPURL, SystemURL, MigratorURL string
	// SuperuserURL lets the server create the logins itself. For development: refused in production.
	SuperuserURL string
	// DataDir holds the private PostgreSQL, when no connection string is given, and the development keys, without Vault. Empty means a
	// temporary directory that is removed at the end, which is refused beside a database that stays.
	DataDir string

	// Vault says where the secrets are: the keys, and passwords for connection strings that have none. It is asked once. Nil means the
	// development file, which is refused in production.
	Vault func() (boot.Config, error)

	// Policies is the signed policy set. Nil means the document's roles, without constraints.
	Policies *PolicySet

	// LedgerJournal is the file that remembers erasures from the ledger outside the database (ledger/journal): it is replayed at each
	// start, so that a restored backup forgets again what was erased. Empty means one in the data directory, and none where the database
	// is thrown away; production needs one, where a restore of the database does not reach it.
	LedgerJournal string
	// LedgerAnchors are where the ledger's checkpoints are remembered outside the database, separated by white space:
	// NAME=file:PATH, NAME=syslog:NETWORK:ADDRESS, NAME=witness:URL#KEY with the witness's public keys, or NAME=tsa:URL#FILE with
	// the roots of a time-stamping authority. Empty means none.
	LedgerAnchors string
	// Operator is the domain in the ledger's origins. Empty means Host.
	Operator string
	// Production refuses everything that is for development only. [FromEnvironment] sets it by TOMKIT_ENV.
	Production bool
	// CheckpointEvery is the interval of ledger checkpoints. Zero means 1s.
	CheckpointEvery time.Duration
	// RetentionEvery is the interval over all processes at which expired data is deleted or anonymised, waiting deletions of tenants go
	// on, and partitions are made ahead. Zero means 1h.
	RetentionEvery time.Duration

	// MetricsListen is the address that serves Prometheus metrics, in plain HTTP and to everybody who reaches it: keep it on a
	// private network. Empty means none.
	MetricsListen string

	// Log receives what happens. Nil discards it.
	Log *slog.Logger
	// Database receives the private PostgreSQL's own log. Nil discards it.
	Database io.Writer
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// ErrConfig says that the configuration cannot be used. What is wrong follows in the text.
var ErrConfig = errors.New("server: configuration")

func (c Config) resolve() (Config, error) {
	if c.Listen == "" {
		c.Listen = "localhost:8443"
	}
	if c.Host == "" {
		c.Host = "localhost"
	}
	if c.Operator == "" {
		c.Operator = c.Host
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Database == nil {
		c.Database = io.Discard
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RetentionEvery == 0 {
		c.RetentionEvery = time.Hour
	}
	if err := checkAnchors(c.LedgerAnchors, c.Now); err != nil {
		return c, err
	}
	given := 0
	for _, u := range []string{c.AppURL, c.MSPURL, c.SystemURL, c.MigratorURL} {
		if u != "" {
			given++
		}
	}
	switch {
	case given != 0 && given != 4:
		return c, fmt.Errorf("%w: TOMKIT_DATABASE_URL, _MSP_URL, _SYSTEM_URL and _MIGRATOR_URL are given together or not at all", ErrConfig)
	case given == 4 && c.SuperuserURL != "":
		return c, fmt.Errorf("%w: TOMKIT_DATABASE_SUPERUSER_URL beside the logins' own connection strings", ErrConfig)
	case c.Production && given == 0:
		return c, fmt.Errorf("%w: production needs the connection strings of the four logins; see tomkit roles", ErrConfig)
	case c.Production && c.TLS == nil && !c.Offline:
		return c, fmt.Errorf("%w: production needs a certificate (TOMKIT_TLS_CERT, TOMKIT_TLS_KEY)", ErrConfig)
	case c.Production && c.Vault == nil:
		return c, fmt.Errorf("%w: production needs a secrets manager (%s, %s, %s): %w", ErrConfig, boot.EnvKeyFile, boot.EnvProject, boot.EnvInstance, vault.ErrProduction)
	case c.Production && c.LedgerJournal == "":
		return c, fmt.Errorf("%w: production needs an erasure journal (--ledger-journal, TOMKIT_LEDGER_JOURNAL): a restored backup would bring erased persons back", ErrConfig)
	case !c.Production && given+len(c.SuperuserURL) > 0 && c.DataDir == "" && c.Vault == nil:
		return c, fmt.Errorf("%w: a database that stays needs a data directory (--data, TOMKIT_DATA): keys made anew at each start would not open what it holds", ErrConfig)
	case c.CheckpointEvery < 0 || c.RetentionEvery < 0:
		return c, fmt.Errorf("%w: the interval of checkpoints or of retention is negative", ErrConfig)
	}
	for _, u := range []string{c.AppURL, c.MSPURL, c.SystemURL, c.MigratorURL, c.SuperuserURL} {
		if _, err := url.Parse(u); err != nil && strings.Contains(u, "://") {
			return c, fmt.Errorf("%w: a database URL is malformed", ErrConfig) // the URL holds a password: not repeated
		}
	}
	if c.DataDir != "" {
		abs, err := filepath.Abs(c.DataDir)
		if err != nil {
			return c, fmt.Errorf("%w: data directory: %w", ErrConfig, err)
		}
		c.DataDir = abs
		if c.LedgerJournal == "" {
			c.LedgerJournal = filepath.Join(c.DataDir, "ledger", "erasures.jsonl")
		}
	}
	return c, nil
}

// FromEnvironment reads what must not stand on a command line: connection strings, which hold passwords, whether this is production, and
// where its secrets are ([boot.FromEnvironment]; mistakes in that show when the secrets are loaded).
func FromEnvironment(getenv func(string) string) Config {
	cfg := Config{
		AppURL: getenv("TOMKIT_DATABASE_URL"), MSPURL: getenv("TOMKIT_DATABASE_MSP_URL"), SystemURL: getenv("TOMKIT_DATABASE_SYSTEM_URL"),
		MigratorURL: getenv("TOMKIT_DATABASE_MIGRATOR_URL"), SuperuserURL: getenv("TOMKIT_DATABASE_SUPERUSER_URL"),
		Production: !development(getenv("TOMKIT_ENV")), LedgerJournal: getenv("TOMKIT_LEDGER_JOURNAL"),
		Policies:      policiesFromEnvironment(getenv),
		LedgerAnchors: getenv("TOMKIT_LEDGER_ANCHORS"),
	}
	if boot.InEnvironment(getenv) {
		cfg.Vault = func() (boot.Config, error) { return boot.FromEnvironment(getenv) }
	}
	return cfg
}

// development reports whether an environment's name says that nothing in it is worth protecting. A name nobody knows is taken for
// production: refusing too much is noticed at once, the other mistake when it is too late.
func development(name string) bool {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "development", "dev", "test":
		return true
	}
	return false
}

// IsConfiguration reports whether err says that the server cannot start as it is configured or on this machine, rather than that
// something failed.
func IsConfiguration(err error) bool {
	var missing *pglocal.NotInstalledError
	var data *pglocal.VersionError
	var old *migrate.TooOldError
	var refused *rls.ContextRefusedError
	for _, known := range []error{ErrConfig, rls.ErrUnsafeLogin, vault.ErrProduction, vault.ErrPermissions, vault.ErrFile, boot.ErrConfig, pgauthn.ErrUnreadable, pglocal.ErrForeignDir, pglocal.ErrUnsupported, journal.ErrPermissions} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &missing) || errors.As(err, &data) || errors.As(err, &old) || errors.As(err, &refused)
}
