package migrate_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func ExampleUp() {
	report, err := migrate.Up(context.Background(), os.Getenv("TOMKIT_DATABASE_MIGRATOR_URL"), rls.Migrations(), tenant.Migrations())
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range report.Applied {
		fmt.Println(a.Source, a.File, a.Took)
	}
}

func ExampleTooOldError() {
	fmt.Println(&migrate.TooOldError{Version: 140011})
	// Output: migrate: server version 14.11 is older than PostgreSQL 15
}
