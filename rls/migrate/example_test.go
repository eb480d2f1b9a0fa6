package migrate_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

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

func ExampleConfig() {
	cfg := migrate.Config{
		LockTimeout: time.Hour,
		Progress:    func(a migrate.Applied) { fmt.Println(a.Source, a.File, a.Took) },
	}
	if _, err := cfg.Up(context.Background(), os.Getenv("TOMKIT_DATABASE_MIGRATOR_URL"), rls.Migrations()); err != nil {
		log.Fatal(err)
	}
}

func ExamplePlan() {
	plan, err := migrate.Plan(context.Background(), os.Getenv("TOMKIT_DATABASE_MIGRATOR_URL"), rls.Migrations(), tenant.Migrations())
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range plan {
		fmt.Println(step.Source, step.File, step.Statements)
	}
}

func ExampleScripts() {
	scripts, err := migrate.Scripts(rls.Migrations())
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range scripts {
		fmt.Println(s.Name)
	}
	// Output:
	// 0000_prepare_tomkit_owner.sql
	// 0001_prepare_tomkit_owner.sql
	// 0002_rls_versions.sql
	// 0003_rls_00001_context.sql
	// 0004_rls_00002_protect.sql
}

func ExampleTooOldError() {
	fmt.Println(&migrate.TooOldError{Version: 140011})
	// Output: migrate: server version 14.11 is older than PostgreSQL 15
}
