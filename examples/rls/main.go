// Command rls protects two tables of a product and audits the database. Its test lets rls/rlstest look for leaks.
//
//	go run ./examples/rls
//
// It starts a private PostgreSQL, or takes the empty database of TOMKIT_DATABASE_SUPERUSER_URL.
package main

import (
	"context"
	"embed"
	"log"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
	"github.com/pioneerdesk/tomkit/rls/migrate"
)

//go:embed *.sql
var shop embed.FS // the tables as they were, and their protection

func main() {
	ctx, url := context.Background(), os.Getenv("TOMKIT_DATABASE_SUPERUSER_URL")
	if url == "" {
		server, err := pglocal.Start(ctx, pglocal.Config{}) // it ends with this process
		if err != nil {
			log.Fatal(err)
		}
		url = server.URL("postgres", "postgres")
	}
	if report, err := protect(ctx, url); err != nil {
		log.Fatal(err)
	} else if err := report.Text(os.Stdout, audit.English); err != nil {
		log.Fatal(err)
	}
}

func protect(ctx context.Context, superuserURL string) (report audit.Report, err error) {
	logins, err := rls.ApplyRoles(ctx, superuserURL)
	if err != nil {
		return report, err
	}
	if _, err = migrate.Up(ctx, logins.Migrator, rls.Migrations(), rls.Source{Name: "shop", FS: shop}); err != nil {
		return report, err
	}
	conn, err := pgx.Connect(ctx, logins.App)
	if err != nil {
		return report, err
	}
	defer conn.Close(ctx)
	return audit.Run(ctx, conn, audit.Options{})
}
