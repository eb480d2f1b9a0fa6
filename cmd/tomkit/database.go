package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
)

type migrateCmd struct {
	Status bool `help:"Only print what is applied and what is not."`
}

// Run migrates the database of TOMKIT_DATABASE_MIGRATOR_URL.
func (m *migrateCmd) Run(ctx context.Context, c *console) error {
	url := os.Getenv("TOMKIT_DATABASE_MIGRATOR_URL")
	if url == "" {
		return cli.UsageError("TOMKIT_DATABASE_MIGRATOR_URL is not set; it connects as %s, which tomkit roles makes", rls.RoleMigrator)
	}
	if m.Status {
		return m.status(ctx, c, url)
	}
	report, err := migrate.Up(ctx, url, server.Migrations()...)
	for _, applied := range report.Applied {
		fmt.Fprintf(c.out, "applied %s %s (%s)\n", applied.Source, applied.File, applied.Took.Round(time.Millisecond))
	}
	if err == nil {
		fmt.Fprintf(c.out, "the schema is up to date, %d migration(s) applied\n", len(report.Applied))
	}
	return err
}

func (m *migrateCmd) status(ctx context.Context, c *console, url string) error {
	states, err := migrate.Status(ctx, url, server.Migrations()...)
	if err != nil {
		return err
	}
	for _, state := range states {
		when := "pending"
		if !state.Pending() {
			when = "applied " + state.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(c.out, "%s %s: %s\n", state.Source, state.File, when)
	}
	return nil
}

type rolesCmd struct {
	Apply bool `help:"Apply them to the cluster and database of TOMKIT_DATABASE_SUPERUSER_URL in place of printing."`
}

// Run prints or applies the roles.
func (r *rolesCmd) Run(ctx context.Context, c *console) error {
	if !r.Apply {
		_, err := fmt.Fprint(c.out, rls.RolesSQL())
		return err
	}
	url := os.Getenv("TOMKIT_DATABASE_SUPERUSER_URL")
	if url == "" {
		return cli.UsageError("TOMKIT_DATABASE_SUPERUSER_URL is not set")
	}
	if _, err := rls.ApplyRoles(ctx, url); err != nil {
		return errors.Join(errors.New("roles are not complete; running it again continues"), err)
	}
	fmt.Fprintln(c.out, "the roles exist; set a password for each login that has none: \\password tomkit_app")
	return nil
}
