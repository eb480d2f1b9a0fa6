package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
)

func Example() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	report, err := audit.Run(ctx, conn, audit.Options{
		RequestRoles: []string{"shop_web"}, TenantColumns: []string{"org_id"},
		Accept: []audit.Exception{{Rule: "RLS212", Object: "setting shop.org", Reason: "signed contexts come with release 4"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := report.Text(os.Stdout, audit.English); err != nil || report.Max() >= audit.Error {
		os.Exit(1)
	}
}

func ExampleGate() {
	_, err := rls.Open(context.Background(), rls.Config{
		AppURL: os.Getenv("TOMKIT_DATABASE_URL"),
		Check:  audit.Gate(audit.Options{}),
	})
	var refused *audit.GateError
	if errors.As(err, &refused) {
		for _, f := range refused.Findings {
			log.Println(f.Rule, f.Object, f.SQL)
		}
	}
}

func ExampleExplain() {
	rule := audit.Explain("RLS204")
	fmt.Println(rule.Severity, rule.Title.In(audit.English))
	fmt.Println(rule.Title.In(audit.German))
	// Output:
	// fatal The tenant's condition has an OR with a setting
	// Neben der Mandantenbedingung steht ein OR mit einer Einstellung
}
