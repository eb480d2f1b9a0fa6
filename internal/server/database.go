package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/server/fleet"
	"github.com/pioneerdesk/tomkit/internal/server/floor"
	"github.com/pioneerdesk/tomkit/internal/server/reference"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// passable is the mode of a data directory: others may pass through to what they own, and list nothing.
const passable = 0o711

// Migrations returns the migrations of the reference schema, in the order in which they run.
func Migrations() []rls.Source {
	return []rls.Source{
		rls.Migrations(), tenant.Migrations(), pgledger.Migrations(), pgauthn.Migrations(), pgsink.Migrations(), fleet.Migrations(),
		reference.Migrations(), erasure.Migrations(), floor.Migrations(),
	}
}

// Logins returns the connection strings a configuration leads to. Where it names a superuser, the roles are made first; where it
// names no database, a private PostgreSQL is started, which stop ends.
func Logins(ctx context.Context, cfg Config) (logins rls.Logins, superuser string, stop func(context.Context) error, err error) {
	stop = func(context.Context) error { return nil }
	if cfg.AppURL != "" {
		return rls.Logins{App: cfg.AppURL, MSP: cfg.MSPURL, System: cfg.SystemURL, Migrator: cfg.MigratorURL}, "", stop, nil
	}
	superuser = cfg.SuperuserURL
	if superuser == "" {
		local := pglocal.Config{Log: cfg.Database}
		if cfg.DataDir != "" {
			local.Dir = filepath.Join(cfg.DataDir, "postgres")
			if err := os.MkdirAll(cfg.DataDir, passable); err != nil {
				return logins, "", stop, fmt.Errorf("server: data directory: %w", err)
			}
		}
		pg, err := pglocal.Start(ctx, local)
		if err != nil {
			return logins, "", stop, err
		}
		superuser, stop = pg.URL("postgres", pglocal.Superuser), pg.Stop
	}
	logins, err = rls.ApplyRoles(ctx, superuser)
	if err != nil {
		_ = stop(context.WithoutCancel(ctx)) // the first error is the one to report
		return logins, "", nil, err
	}
	return logins, superuser, stop, nil
}

// prepare brings the schema up to date and makes the database accept contexts signed with key.
func prepare(ctx context.Context, logins rls.Logins, key rls.ContextKey) (migrate.Report, error) {
	report, err := migrate.Up(ctx, logins.Migrator, Migrations()...)
	if err != nil {
		return report, err
	}
	return report, rls.InstallContextKey(ctx, logins.Migrator, key)
}
