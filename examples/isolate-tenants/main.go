// Command isolate-tenants protects a table of its own and shows that a query without WHERE sees one tenant's rows only, whatever SQL is
// injected into it.
//
//	TOMKIT_EXAMPLE_DATABASE_URL=postgres://postgres@… isolate-tenants
//
// The URL is a superuser's, for an empty database; production makes the roles once (tomkit roles) and connects with the logins.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
)

func main() {
	url := os.Getenv("TOMKIT_EXAMPLE_DATABASE_URL")
	if url == "" {
		log.Fatal("TOMKIT_EXAMPLE_DATABASE_URL is not set")
	}
	if err := run(context.Background(), url, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, superuserURL string, out io.Writer) error {
	db, err := prepare(ctx, superuserURL)
	if err != nil {
		return err
	}
	defer db.Close()
	mine, theirs := uuid.New(), uuid.New()
	for _, tenant := range []uuid.UUID{mine, theirs, theirs} {
		if _, err := db.Tenant(tenant).Exec(ctx, `INSERT INTO tomkit.orders (tenant_id, id) VALUES ($1, $2)`, tenant, uuid.New()); err != nil {
			return err
		}
	}
	var n int
	if err := db.Tenant(mine).QueryRow(ctx, `SELECT count(*) FROM tomkit.orders`).Scan(&n); err != nil {
		return err
	}
	fmt.Fprintln(out, "without WHERE:", n, "row")
	const injected = `WITH x AS MATERIALIZED (SELECT set_config('app.tenant_id', $1, true) AS s)
		SELECT count(*) FROM x CROSS JOIN LATERAL (SELECT o.tenant_id, x.s FROM tomkit.orders o) o WHERE o.tenant_id = $1::uuid`
	if err := db.Tenant(mine).QueryRow(ctx, injected, theirs.String()).Scan(&n); err != nil {
		return err
	}
	fmt.Fprintln(out, "with an injected tenant:", n, "rows")
	if err := db.Anonymous().QueryRow(ctx, `SELECT count(*) FROM tomkit.orders`).Scan(&n); err != nil {
		return err
	}
	fmt.Fprintln(out, "without a tenant:", n, "rows")
	return nil
}

// prepare makes roles, schema and table, and opens the logins.
func prepare(ctx context.Context, superuserURL string) (*rls.DB, error) {
	logins, err := rls.ApplyRoles(ctx, superuserURL)
	if err != nil {
		return nil, err
	}
	if _, err := migrate.Up(ctx, logins.Migrator, rls.Migrations()); err != nil {
		return nil, err
	}
	key := rls.ContextKey{ID: "example", Key: make([]byte, 32)} // in production: from the vault
	if _, err := rand.Read(key.Key); err != nil {
		return nil, err
	}
	if err := rls.InstallContextKey(ctx, logins.Migrator, key); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, logins.Migrator)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		const table = `SET LOCAL ROLE tomkit_owner;
			CREATE TABLE IF NOT EXISTS tomkit.orders (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id))`
		if _, err := tx.Exec(ctx, table); err != nil {
			return err
		}
		return rls.Protect(ctx, tx, "tomkit.orders", rls.Protection{})
	})
	if err != nil {
		return nil, err
	}
	return rls.Open(ctx, rls.Config{AppURL: logins.App, ContextKey: key})
}
