// Command tomkit-server serves the controls of tomkit over HTTPS. With nothing configured it starts a private PostgreSQL and presents a
// throw-away certificate; see --help.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
)

const help = `With nothing configured it is a development server: it starts a private PostgreSQL from the programs installed on this machine, keeps its data and keys in --data (or forgets them), and presents a certificate of a throw-away authority.

With TOMKIT_ENV=production it refuses all of that and needs the connection strings of its four logins, which tomkit roles makes, a certificate, and a STACKIT Secrets Manager instance with its keys. Connection strings hold passwords, so they are read from the environment only:

  TOMKIT_DATABASE_URL, TOMKIT_DATABASE_MSP_URL, TOMKIT_DATABASE_SYSTEM_URL, TOMKIT_DATABASE_MIGRATOR_URL
  TOMKIT_DATABASE_SUPERUSER_URL (development: the server makes the logins itself)
  TOMKIT_VAULT_KEY_FILE (mode 0600), TOMKIT_VAULT_PROJECT, TOMKIT_VAULT_INSTANCE
  TOMKIT_VAULT_API, TOMKIT_VAULT_TOKEN_ENDPOINT, TOMKIT_VAULT_CA_FILE (optional)

  TOMKIT_POLICY_FILE, TOMKIT_POLICY_KEYS (id=public key in PEM, separated by commas), TOMKIT_POLICY_QUORUM (optional: a signed policy set, see tomkit policy)

The secrets manager also has the passwords of connection strings without one, as DATABASE_APP_PASSWORD, DATABASE_MSP_PASSWORD, DATABASE_SYSTEM_PASSWORD and DATABASE_MIGRATOR_PASSWORD. tomkit vault-fake serves one to try this with. Without all its secrets the server does not start: it tries four times, then exits.

It stops on SIGINT and SIGTERM after finishing the requests under way. Exit codes: 0 stopped in order, 1 failed, 2 not usable as configured.`

type grammar struct {
	Listen   string           `help:"Address to listen on; port 0 chooses a free one." env:"TOMKIT_LISTEN" default:"localhost:8443"`
	Host     string           `help:"Name under which clients reach the server." env:"TOMKIT_HOST" default:"localhost"`
	Operator string           `help:"Operator's domain, in the origins of the ledger's checkpoints. Default: the host." env:"TOMKIT_OPERATOR"`
	Data     string           `help:"Directory for the private PostgreSQL and the development keys. Default: a temporary one." env:"TOMKIT_DATA"`
	Journal  string           `name:"ledger-journal" help:"File that remembers erasures from the ledger outside the database, replayed at each start. Default: in --data." env:"TOMKIT_LEDGER_JOURNAL" type:"path"`
	Anchors  string           `name:"ledger-anchors" help:"Where the ledger's checkpoints are remembered outside the database, separated by spaces: NAME=file:PATH, NAME=syslog:NETWORK:ADDRESS, NAME=witness:URL#KEY, NAME=tsa:URL#ROOTS.pem." env:"TOMKIT_LEDGER_ANCHORS"`
	Metrics  string           `name:"metrics-listen" help:"Address that serves Prometheus metrics in plain HTTP, for a private network." env:"TOMKIT_METRICS_LISTEN" placeholder:"HOST:PORT"`
	TLSCert  string           `name:"tls-cert" help:"Certificate chain, PEM." env:"TOMKIT_TLS_CERT" type:"existingfile"`
	TLSKey   string           `name:"tls-key" help:"Private key, PEM." env:"TOMKIT_TLS_KEY" type:"existingfile"`
	CA       string           `name:"write-ca" help:"Write the throw-away authority's certificate to this file, for clients to trust." type:"path"`
	LogLevel slog.Level       `help:"debug, info, warn or error." env:"TOMKIT_LOG_LEVEL" default:"info"`
	LogJSON  bool             `name:"log-json" help:"Log JSON lines." env:"TOMKIT_LOG_JSON"`
	Version  kong.VersionFlag `help:"Print the version."`

	stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	program := cli.Program{
		Name: "tomkit-server", Summary: "Reference server of tomkit.", Help: help,
		Grammar: &grammar{stderr: stderr}, Stdout: stdout, Stderr: stderr,
	}
	return program.Run(ctx, args, &output{stdout})
}

// output is where the address is announced.
type output struct{ io.Writer }

// Run serves until ctx ends.
func (g *grammar) Run(ctx context.Context, out *output) error {
	hardening := vault.HardenProcess()
	cfg, err := g.config()
	if err != nil {
		return err
	}
	s, err := server.Open(ctx, cfg)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, boot.ErrLeftover) {
			return nil // told to stop while starting; what had been started is stopped
		}
		return refused(err)
	}
	defer s.Close(context.WithoutCancel(ctx))
	cfg.Log.InfoContext(ctx, "the process is closed to others", "no_core_dump", hardening.NoCoreDump, "not_dumpable", hardening.NotDumpable, "erasure", hardening.Erasure)
	if err := s.Listen(ctx); err != nil {
		return err
	}
	if g.CA != "" && s.Authority != nil {
		if err := os.WriteFile(g.CA, s.Authority.CertificatePEM, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "tomkit-server %s listens on %s\n", cli.Version(), s.URL())
	return s.Run(ctx)
}

func (g *grammar) config() (server.Config, error) {
	options := &slog.HandlerOptions{Level: g.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(g.stderr, options)
	if g.LogJSON {
		handler = slog.NewJSONHandler(g.stderr, options)
	}
	cfg := server.FromEnvironment(os.Getenv)
	cfg.Listen, cfg.Host, cfg.Operator, cfg.DataDir, cfg.MetricsListen = g.Listen, g.Host, g.Operator, g.Data, g.Metrics
	cfg.LedgerJournal, cfg.LedgerAnchors = g.Journal, g.Anchors
	cfg.Log = slog.New(handler)
	cfg.Now = time.Now
	switch {
	case g.TLSCert != "" && g.TLSKey != "":
		pair, err := tls.LoadX509KeyPair(g.TLSCert, g.TLSKey)
		if err != nil {
			return cfg, cli.UsageError("certificate and key: %w", err)
		}
		cfg.TLS = &pair
	case g.TLSCert != g.TLSKey:
		return cfg, cli.UsageError("--tls-cert and --tls-key are given together")
	}
	return cfg, nil
}

// refused gives configuration errors the exit code of a usage error.
func refused(err error) error {
	if server.IsConfiguration(err) {
		return &cli.ExitError{Code: cli.Usage, Err: err}
	}
	return err
}
