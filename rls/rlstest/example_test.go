package rlstest_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls/rlstest"
)

// A product with a login and a setting of its own says how it sets a tenant. Here nobody says where the database is.
func ExampleCheck() {
	_, err := rlstest.Check(context.Background(), rlstest.Config{
		SetContext: func(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) error {
			_, err := tx.Exec(ctx, "SELECT set_config('shop.tenant', $1, true)", tenant.String())
			return err
		},
		TenantColumn: "org_id",
		Skip:         map[string]string{"shop.rates": "the same for everybody"},
	})
	fmt.Println(err)
	// Output:
	// rlstest: config: SuperuserURL and AppURL are needed
}

func ExamplePayloads() {
	p := rlstest.Payloads()[0]
	fmt.Println(p.Category, "-", p.Comment)
	// Output:
	// context - set the tenant to a bare context for the transaction
}
