package migrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// step is something a run needs before the migrations.
type step struct {
	owner string
	done  string // SQL that is true if there is nothing to do
	sql   []string
}

// steps are the schema, the table of checksums, and the owners' default privileges, which take what PostgreSQL gives to
// everybody and let dumps read what the owners create.
func steps(sources []rls.Source) []step {
	all := []step{{owner: rls.RoleOwner, done: tableExists("'migration_checksums'"), sql: []string{
		"CREATE SCHEMA IF NOT EXISTS tomkit",
		"CREATE TABLE tomkit.migration_checksums (source text NOT NULL, version bigint NOT NULL, sha256 bytea NOT NULL, PRIMARY KEY (source, version))",
		"REVOKE ALL ON tomkit.migration_checksums FROM PUBLIC",
		"GRANT SELECT ON tomkit.migration_checksums TO tomkit_backup",
	}}}
	var owners []string
	for _, src := range sources {
		if !slices.Contains(owners, src.Owner) {
			owners = append(owners, src.Owner)
			all = append(all, step{
				owner: src.Owner,
				done:  "EXISTS (SELECT FROM pg_catalog.pg_default_acl WHERE defaclrole = current_user::regrole AND defaclnamespace = 'tomkit'::regnamespace)",
				sql: []string{
					"ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
					"ALTER DEFAULT PRIVILEGES IN SCHEMA tomkit GRANT SELECT ON TABLES TO tomkit_backup",
					"ALTER DEFAULT PRIVILEGES IN SCHEMA tomkit GRANT SELECT ON SEQUENCES TO tomkit_backup",
				},
			})
		}
	}
	return all
}

// tableExists is SQL that looks for a table of schema tomkit, which the current role may be barred from.
func tableExists(name string) string {
	return "EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'tomkit' AND tablename = " + name + ")"
}

func (r *run) prepare(ctx context.Context) error {
	for _, s := range steps(r.sources) {
		err := r.asOwner(ctx, s.owner, func(tx pgx.Tx) error {
			var done bool
			if err := tx.QueryRow(ctx, "SELECT "+s.done).Scan(&done); err != nil || done {
				return err
			}
			for _, sql := range s.sql {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("migrate: prepare schema: %w", err)
		}
	}
	return nil
}
