package tenant_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

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

func ExampleByHost() {
	var db *rls.DB // from rls.Open
	_ = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := tenant.ByHost(r.Context(), db.Anonymous(), r.Host)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		log.Print(db.Tenant(id)) // for signing in; Host proves nothing
	})
}

func ExampleMove() {
	var db *rls.DB // from rls.Open
	_ = func(ctx context.Context, clinic, newMSP uuid.UUID) error {
		return db.System(ctx, "tenant_move", func(ctx context.Context, tx *rls.Tx) error {
			from, err := tenant.Move(ctx, tx, clinic, newMSP)
			log.Print(from)
			return err
		})
	}
}
