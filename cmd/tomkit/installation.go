package main

import (
	"context"
	"errors"
	"os"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/rls/erasure"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// installation is what a server serves, brought up without serving.
type installation struct {
	Data     string `help:"Directory of the private PostgreSQL and the development keys, as given to tomkit-server." env:"TOMKIT_DATA"`
	Host     string `help:"Name under which clients reach the server." env:"TOMKIT_HOST" default:"localhost"`
	Operator string `help:"Operator's domain, in the origins of the ledger's checkpoints. Default: the host, as for tomkit-server." env:"TOMKIT_OPERATOR"`
}

func (i *installation) open(ctx context.Context) (*server.Server, error) {
	cfg := server.FromEnvironment(os.Getenv)
	cfg.DataDir, cfg.Host, cfg.Operator, cfg.Offline = i.Data, i.Host, i.Operator, true
	if cfg.DataDir == "" && cfg.AppURL == "" {
		return nil, cli.UsageError("neither --data nor a database is given: what is made would be gone at once")
	}
	if info, err := os.Stat(cfg.DataDir); err == nil && !info.IsDir() {
		return nil, cli.UsageError("--data: %s is not a directory", cfg.DataDir)
	}
	s, err := server.Open(ctx, cfg)
	if server.IsConfiguration(err) {
		return nil, &cli.ExitError{Code: cli.Usage, Err: err}
	}
	return s, err
}

// with opens the installation for work, and closes it afterwards.
func (i *installation) with(ctx context.Context, work func(*server.Server) error) (err error) {
	s, err := i.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(context.WithoutCancel(ctx))) }()
	return input(work(s))
}

// withEraser opens the installation for work that erases, shows its progress, and closes it afterwards.
func (i *installation) withEraser(ctx context.Context, c *console, work func(*server.Server, *erasure.Eraser) error) error {
	return i.with(ctx, func(s *server.Server) error {
		line := newRowsLine(c.err)
		defer line.done()
		eraser, err := s.Eraser(line.update)
		if err != nil {
			return err
		}
		return work(s, eraser)
	})
}

// input gives errors about what was typed the exit code of a usage error.
func input(err error) error {
	for _, known := range []error{
		server.ErrBootstrapped, tenant.ErrInvalid, tenant.ErrTaken, tenant.ErrNoParent, tenant.ErrUnknown, tenant.ErrOperator, tenant.ErrSuspended,
		authn.ErrEmail, password.ErrLength, erasure.ErrInvalid, erasure.ErrUnknown, erasure.ErrConfirm, erasure.ErrOperator, erasure.ErrBounds,
		ledger.ErrInvalid, ledger.ErrNoLog, ledger.ErrKept,
	} {
		if errors.Is(err, known) {
			return &cli.ExitError{Code: cli.Usage, Err: err}
		}
	}
	return err
}
