package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
)

type migrateCmd struct {
	Status bool          `xor:"mode" help:"Only print what is applied and what is not."`
	Plan   bool          `xor:"mode" help:"Only print what would be applied."`
	SQL    bool          `xor:"mode" name:"sql" help:"Print all migrations as one script for psql; needs no database."`
	JSON   bool          `name:"json" help:"Print the plan as JSON."`
	Wait   time.Duration `default:"10m" help:"How long to wait for another process that migrates the database."`
}

// Run migrates the database of TOMKIT_DATABASE_MIGRATOR_URL.
func (m *migrateCmd) Run(ctx context.Context, c *console) error {
	if m.JSON && !m.Plan {
		return cli.UsageError("--json goes with --plan")
	}
	if m.Wait <= 0 {
		return cli.UsageError("--wait must be positive")
	}
	if m.SQL {
		return migrate.SQL(c.out, server.Migrations()...)
	}
	url := os.Getenv("TOMKIT_DATABASE_MIGRATOR_URL")
	if url == "" {
		return cli.UsageError("TOMKIT_DATABASE_MIGRATOR_URL is not set; it connects as %s, which tomkit roles makes", rls.RoleMigrator)
	}
	if err := wellFormed("TOMKIT_DATABASE_MIGRATOR_URL", url); err != nil {
		return err
	}
	switch {
	case m.Status:
		return m.status(ctx, c, url)
	case m.Plan:
		return m.plan(ctx, c, url)
	}
	cfg := migrate.Config{LockTimeout: m.Wait, Progress: func(a migrate.Applied) {
		fmt.Fprintf(c.out, "applied %s %s (%s)\n", a.Source, a.File, a.Took.Round(time.Millisecond))
	}}
	report, err := cfg.Up(ctx, url, server.Migrations()...)
	if err == nil {
		fmt.Fprintf(c.out, "the schema is up to date, %d migration(s) applied\n", len(report.Applied))
	}
	return err
}

// wellFormed refuses a connection string that cannot be read, in words that hold nothing of it.
func wellFormed(variable, url string) error {
	if _, err := pgx.ParseConfig(url); err != nil {
		return cli.UsageError("%s is malformed", variable)
	}
	return nil
}

func (m *migrateCmd) plan(ctx context.Context, c *console, url string) error {
	plan, err := migrate.Plan(ctx, url, server.Migrations()...)
	if err != nil {
		return err
	}
	if m.JSON {
		enc := json.NewEncoder(c.out)
		enc.SetIndent("", "  ")
		return enc.Encode(append([]migrate.Step{}, plan...))
	}
	for _, s := range plan {
		how := "in a transaction"
		if !s.Transactional {
			how = "outside a transaction"
		}
		fmt.Fprintf(c.out, "%s %s: %d statement(s), %s\n", s.Source, s.File, s.Statements, how)
	}
	fmt.Fprintf(c.out, "%d migration(s) to apply\n", len(plan))
	return nil
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
	if err := wellFormed("TOMKIT_DATABASE_SUPERUSER_URL", url); err != nil {
		return err
	}
	if _, err := rls.ApplyRoles(ctx, url); err != nil {
		return errors.Join(errors.New("roles are not complete; running it again continues"), err)
	}
	fmt.Fprintln(c.out, "the roles exist; set a password for each login that has none: \\password tomkit_app")
	return nil
}
