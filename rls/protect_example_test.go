package rls_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

var migration pgx.Tx // of a product's migration, as the table's owner

func ExampleProtectError() {
	err := rls.Protect(context.Background(), migration, "shop.orders", rls.Protection{
		App:           append(rls.OnColumns(rls.Update, "state"), rls.Select, rls.Insert),
		MSP:           []rls.Privilege{},         // MSPs have no business here
		AcrossTenants: []string{"orders_id_key"}, // random ids
	})
	var refused *rls.ProtectError
	if errors.As(err, &refused) && refused.Problem == rls.ProblemCrossTenantKey {
		log.Fatalf("%s: make %s composite: %s", refused.Table, refused.Object, refused.Fix)
	}
}

func ExamplePlanProtect() {
	plan, err := rls.PlanProtect(context.Background(), migration, "shop.orders", rls.Protection{})
	if err != nil {
		log.Fatal(err)
	}
	for _, statement := range plan.Statements {
		fmt.Println(statement)
	}
	for _, note := range plan.Notes {
		fmt.Println("--", note.Fact, note.Fix)
	}
}

func ExampleOnColumns() {
	fmt.Println(rls.OnColumns(rls.Update, "state", "seen at"))
	// Output: [UPDATE ("state") UPDATE ("seen at")]
}
