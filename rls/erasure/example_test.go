package erasure_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

func Example() {
	ctx := context.Background()
	var db *rls.DB               // from rls.Open
	var ledger erasure.Recorder  // a pgledger.Log
	var tenant, person uuid.UUID // from the request
	year, err := erasure.ParsePeriod("P1Y")
	if err != nil {
		log.Fatal(err)
	}
	both := func(s string) erasure.Text { return erasure.Text{DE: s, EN: s} }
	e, err := erasure.New(erasure.Config{DB: db, Record: ledger, Register: &erasure.Register{
		Categories: []erasure.Category{{
			ID: "tickets", Name: both("Tickets"), Purpose: both("Support"), Basis: both("Art. 6(1)(b)"), Subjects: both("Staff"), Recipients: both("—"),
			Retention: erasure.Retention{Period: year},
			Tables: []erasure.Table{{
				Name: "shop.tickets", Time: "closed_at",
				People: []erasure.Person{{Column: "reporter_id", Erase: erasure.Anonymise}},
			}},
		}},
	}})
	if err != nil {
		fmt.Println(err) // this one has no database
		return
	}
	if _, err := e.Plan(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := e.ExportPerson(ctx, os.Stdout, tenant, person, erasure.By{}); err != nil {
		log.Fatal(err)
	}
	// Output: erasure: invalid: DB, Record and Register are needed
}

func ExamplePeriod_Before() {
	p, _ := erasure.ParsePeriod("P1M")
	fmt.Println(p.Before(noon))
	// Output: 2026-02-28 12:00:00 +0000 UTC
}
