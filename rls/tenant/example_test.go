package tenant_test

import (
	"context"
	"fmt"
	"log"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func ExampleBySlug() {
	var db *rls.DB // from rls.Open
	signIn := func(ctx context.Context, host string) error {
		id, err := tenant.BySlug(ctx, db.Anonymous(), host)
		if err != nil {
			return err // tenant.ErrUnknown also for suspended ones
		}
		log.Print(db.Tenant(id))
		return nil
	}
	_ = signIn
}

func ExampleTenant_Operator() {
	id := uuid.New()
	fmt.Println(tenant.Tenant{ID: id, MSP: id}.Operator())
	fmt.Println(tenant.Tenant{ID: id, MSP: uuid.New()}.Operator())
	// Output:
	// true
	// false
}
