package auditor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/ledger/witness"
	"github.com/pioneerdesk/tomkit/vault"
)

type witnessCommand struct {
	Keygen witnessKeygen `cmd:"" help:"Make the keys and the state of a new witness; print the public keys, which logs and auditors configure."`
	Serve  witnessServe  `cmd:"" help:"Serve the witness until it is interrupted; SIGHUP reads the logs again."`
}

// Help is shown under the command's own help.
func (*witnessCommand) Help() string {
	return `A witness remembers the newest checkpoint of each log it knows and cosigns only what continues it (C2SP tlog-witness). It runs where whoever runs the log has no access. It learns origin, size and root of each log, no entry and no tenant.

  tomkit-verify witness keygen --name witness.example/w1 --key witness.key --state /var/lib/witness
  tomkit-verify witness serve --key witness.key --state /var/lib/witness --logs klinikum-keys.json --listen :8443 --tls-cert cert.pem --tls-key key.pem

A witness whose state is lost, or restored from a backup, must not go on: it would cosign a second history. Make a new one, with new keys. A log that was recovered after a restore has a new origin (the number at its end) and must be added under it; a log that changed its keys needs its new keys.json here.`
}

type witnessKeygen struct {
	Name  string `required:"" help:"Name of the witness in its signatures, such as witness.example/w1: no spaces, no plus."`
	Key   string `required:"" help:"File for the secret keys; it must not be there." placeholder:"FILE"`
	State string `required:"" help:"Directory for the state; it must be empty or not be there." placeholder:"DIR"`
}

// Run makes a new witness.
func (g *witnessKeygen) Run(s *streams) error {
	ed, err := sign.NewWitnessKey(g.Name, rand.Reader)
	if err != nil {
		return &cli.ExitError{Code: cli.Usage, Err: err}
	}
	ml, err := sign.NewMLDSA44WitnessKey(g.Name, rand.Reader)
	if err != nil {
		return &cli.ExitError{Code: cli.Usage, Err: err}
	}
	f, err := os.OpenFile(g.Key, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return &cli.ExitError{Code: cli.Usage, Err: fmt.Errorf("key file: %w", err)}
	}
	_, err = fmt.Fprintf(f, "%s\n%s\n", ed.SecretText(), ml.SecretText())
	if err := errors.Join(err, f.Sync(), f.Close(), witness.CreateFileStore(g.State)); err != nil {
		return &cli.ExitError{Code: cli.Usage, Err: errors.Join(fmt.Errorf("new witness: %w", err), os.Remove(g.Key))}
	}
	_, err = fmt.Fprintf(s.stdout, "%s\n%s\n", ed.Public(), ml.Public())
	return err
}

type witnessServe struct {
	Key     string   `required:"" help:"Secret keys made by keygen. A file that others can read is refused." placeholder:"FILE"`
	State   string   `required:"" help:"State directory made by keygen." placeholder:"DIR"`
	Logs    []string `required:"" help:"Logs to cosign for: a log's keys.json, or a text file with a verifier key per line, the origin behind it if it is not the key's name. Repeatable." placeholder:"FILE" sep:"none"`
	Listen  string   `help:"Address to listen on." default:"127.0.0.1:8410" placeholder:"HOST:PORT"`
	TLSCert string   `name:"tls-cert" help:"Certificate chain; without it the witness speaks plain HTTP, for a proxy in front." placeholder:"FILE" and:"tls"`
	TLSKey  string   `name:"tls-key" help:"Key of the certificate. A file that others can read is refused." placeholder:"FILE" and:"tls"`
	Rate    int      `help:"Checkpoints per log and minute." default:"600"`
}

// Limits of the witness's files in bytes.
const (
	maxWitnessKeys = 16 << 10
	maxTLSKey      = 64 << 10
)

// Run serves a witness.
func (c *witnessServe) Run(ctx context.Context, s *streams) error {
	unusable := func(err error) error { return &cli.ExitError{Code: cli.Usage, Err: err} }
	keys, err := c.keys()
	if err != nil {
		return unusable(err)
	}
	logger := slog.New(slog.NewJSONHandler(s.stderr, nil))
	var logs atomic.Pointer[func(string) (witness.Log, bool)]
	read := func() error {
		find, n, err := readLogs(c.Logs)
		if err == nil {
			logs.Store(&find)
			logger.Info("witness: logs read", "logs", n)
		}
		return err
	}
	if err := read(); err != nil {
		return unusable(err)
	}
	store, err := witness.OpenFileStore(c.State)
	if err != nil {
		return unusable(err)
	}
	defer store.Close()
	handler, err := witness.NewServer(witness.ServerConfig{
		Keys: keys, Store: store, Rate: c.Rate, Logger: logger, Log: func(origin string) (witness.Log, bool) { return (*logs.Load())(origin) },
	})
	if err != nil {
		return unusable(err)
	}
	listener, err := c.listen()
	if err != nil {
		return unusable(err)
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	logger.Info("witness: listening", "address", listener.Addr().String(), "name", keys[0].Public().Name())
	return serveUntil(ctx, handler, listener, hangup, logger, read)
}

// serveUntil serves until ctx ends, then lets requests finish.
func serveUntil(ctx context.Context, h http.Handler, l net.Listener, hangup <-chan os.Signal, logger *slog.Logger, read func() error) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // what it would say is the clients' doing
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	for {
		select {
		case err := <-failed:
			return fmt.Errorf("witness: serve: %w", err)
		case <-hangup:
			if err := read(); err != nil {
				logger.Error("witness: logs not read, the old ones stay", "error", err)
			}
		case <-ctx.Done():
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			logger.Info("witness: ending")
			return server.Shutdown(ending)
		}
	}
}

func (c *witnessServe) keys() ([]*sign.WitnessKey, error) {
	text, err := vault.ReadPrivateFile(c.Key, maxWitnessKeys)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer clear(text)
	var keys []*sign.WitnessKey
	for line := range strings.Lines(string(text)) {
		k, err := sign.ParseWitnessKey(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("key file: %w", err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("key file: no key")
	}
	return keys, nil
}

func (c *witnessServe) listen() (net.Listener, error) {
	if c.TLSCert == "" {
		return net.Listen("tcp", c.Listen)
	}
	key, err := vault.ReadPrivateFile(c.TLSKey, maxTLSKey)
	if err != nil {
		return nil, fmt.Errorf("TLS key: %w", err)
	}
	defer clear(key)
	chain, err := readFile("--tls-cert", c.TLSCert, maxRoots)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, errors.New("TLS certificate: does not fit the key")
	}
	return tls.Listen("tcp", c.Listen, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
}

// readLogs reads the files that say for which logs a witness signs.
func readLogs(files []string) (find func(string) (witness.Log, bool), n int, err error) {
	var logs []witness.Log
	vkeys := map[string][]string{} // by origin
	for _, file := range files {
		text, err := readFile("--logs", file, verify.MaxKeysFile)
		if err != nil {
			return nil, 0, err
		}
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
			history, err := verify.ParseKeys(text)
			if err != nil {
				return nil, 0, fmt.Errorf("logs: %s: %w", file, err)
			}
			log, err := witness.LogOfKeys(history)
			if err != nil {
				return nil, 0, fmt.Errorf("logs: %s: %w", file, err)
			}
			logs = append(logs, log)
			continue
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			vkey, origin, named := strings.Cut(line, " ")
			if !named {
				origin, _, _ = strings.Cut(vkey, "+")
			}
			vkeys[strings.TrimSpace(origin)] = append(vkeys[strings.TrimSpace(origin)], vkey)
		}
	}
	for origin, of := range vkeys {
		log, err := witness.LogOfVerifierKeys(origin, of...)
		if err != nil {
			return nil, 0, fmt.Errorf("logs: %s: %w", origin, err)
		}
		logs = append(logs, log)
	}
	if len(logs) == 0 {
		return nil, 0, errors.New("logs: no log is named")
	}
	slices.SortFunc(logs, func(a, b witness.Log) int { return strings.Compare(a.Origin(), b.Origin()) })
	find, err = witness.Fixed(logs...)
	return find, len(logs), err
}
