// Command tomkit is the operator's tool: the demonstration, migrations, database roles and the first administrator; see --help.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/pioneerdesk/tomkit/internal/cli"
)

const help = `Start with "tomkit demo": it starts everything with nothing configured, runs each control against this machine's own telemetry, and then attacks it.

Connection strings hold passwords, so they are read from the environment only: TOMKIT_DATABASE_URL (tomkit_app), TOMKIT_DATABASE_MSP_URL, TOMKIT_DATABASE_SYSTEM_URL, TOMKIT_DATABASE_MIGRATOR_URL, and for development TOMKIT_DATABASE_SUPERUSER_URL.

Exit codes: 0 done, 1 failed (for demo: a control does not hold), 2 not usable as called or configured.`

type grammar struct {
	Demo      demoCmd          `cmd:"" help:"Run every control against this machine's own telemetry, then attack it."`
	Migrate   migrateCmd       `cmd:"" help:"Bring a database's schema up to date."`
	Roles     rolesCmd         `cmd:"" help:"Print, or apply, the SQL that makes the database roles."`
	Audit     auditCmd         `cmd:"" help:"Find what lets one tenant reach another in a database's catalogues."`
	Admin     adminCmd         `cmd:"" help:"Make the operator, providers, tenants and their administrators."`
	Policy    policyCmd        `cmd:"" help:"Check, compare, explain and sign policy sets."`
	Erasure   erasureCmd       `cmd:"" help:"Retention, erasure and export of personal data."`
	Ledger    ledgerCmd        `cmd:"" help:"Verify, export and look after the tenants' audit logs."`
	VaultFake vaultFakeCmd     `cmd:"" name:"vault-fake" help:"Serve a fake secrets manager, for development and demonstrations."`
	Version   kong.VersionFlag `help:"Print the version."`
}

// console is what a command talks to.
type console struct {
	in       *os.File
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], &console{os.Stdin, os.Stdout, os.Stderr}))
}

func run(ctx context.Context, args []string, c *console) int {
	return cli.Program{
		Name: "tomkit", Summary: "Operator's tool of tomkit.", Help: help, Grammar: &grammar{}, Stdout: c.out, Stderr: c.err,
	}.Run(ctx, args, c)
}
