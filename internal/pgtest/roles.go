package pgtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
)

// roleMark is the comment on tomkit_app that says that its password is ours to set.
const roleMark = "made by pgtest"

// claimRoles refuses a shared server whose tomkit roles somebody else made: their
// passwords would be replaced.
func claimRoles(ctx context.Context, conn *pgx.Conn) error {
	var mark string
	err := conn.QueryRow(ctx, `SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = $1`,
		rls.RoleApp).Scan(&mark)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("pgtest: roles: %w", err)
	case mark != roleMark:
		return fmt.Errorf("pgtest: roles: the server of %s has a role %s that no test made: use a server of its own for tests, or run COMMENT ON ROLE %[2]s IS '%s'",
			EnvURL, rls.RoleApp, roleMark)
	}
	return nil
}

// markRoles notes that the roles are ours.
func markRoles(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, `COMMENT ON ROLE `+rls.RoleApp+` IS '`+roleMark+`'`); err != nil {
		return fmt.Errorf("pgtest: roles: %w", err)
	}
	return nil
}

// fill applies the migrations and installs the context key.
func (s *server) fill(ctx context.Context, database string, sources []rls.Source) error {
	logins, err := rls.ApplyRoles(ctx, s.superURL(database))
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	if len(sources) == 0 {
		return nil
	}
	if _, err := migrate.Up(ctx, logins.Migrator, sources...); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	installed, err := hasContextKeys(ctx, s.superURL(database))
	if err != nil || !installed {
		return err
	}
	if err := rls.InstallContextKey(ctx, logins.Migrator, ContextKey()); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	return nil
}

// hasContextKeys is false where rls's own migrations are not among the sources.
func hasContextKeys(ctx context.Context, url string) (found bool, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return false, fmt.Errorf("pgtest: connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, `SELECT to_regclass('tomkit.context_keys') IS NOT NULL`).Scan(&found); err != nil {
		return false, fmt.Errorf("pgtest: context key: %w", err)
	}
	return found, nil
}
