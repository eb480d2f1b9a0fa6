package rls_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

func Example() {
	ctx := context.Background()
	db, err := rls.Open(ctx, rls.Config{
		AppURL:     os.Getenv("TOMKIT_DATABASE_URL"),
		ContextKey: rls.ContextKey{ID: "2026-11", Key: []byte("32 random bytes from the vault...")},
	})
	if err != nil {
		log.Fatal(err) // says which login is wrong, why, and the SQL that fixes it
	}
	defer db.Close()
	tenant := uuid.MustParse("6f1c2b0e-58a1-4f0a-9a39-3a1f0a6f2f11") // from the session
	var devices int
	// No WHERE clause: the database counts this tenant's devices.
	if err := db.Tenant(tenant).QueryRow(ctx, "SELECT count(*) FROM tomkit.devices").Scan(&devices); err != nil {
		log.Fatal(err)
	}
	fmt.Println(devices)
}

func ExampleScope_InTx() {
	var db *rls.DB // from Open
	rename := func(ctx context.Context, tenant, device uuid.UUID, name string) error {
		return db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE tomkit.devices SET name = $2 WHERE id = $1", device, name)
			return err // nil commits
		})
	}
	_ = rename
}

func ExampleProtect() {
	migrate := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `CREATE TABLE shop.orders (
			tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
			id        uuid NOT NULL,
			PRIMARY KEY (tenant_id, id))`)
		if err != nil {
			return err
		}
		return rls.Protect(ctx, tx, "shop.orders", rls.Protection{App: []rls.Privilege{rls.Select, rls.Insert}})
	}
	_ = migrate
}

func ExampleProbeError() {
	// What Open returns for TOMKIT_DATABASE_URL=postgres://postgres@…
	err := &rls.ProbeError{Login: rls.RoleApp, Session: "postgres", Problem: rls.ProblemSuperuser, Fix: "connect as tomkit_app"}
	fmt.Println(err)
	fmt.Println(errors.Is(err, rls.ErrUnsafeLogin))
	// Output:
	// rls: probe: login tomkit_app (session postgres): superuser; fix: connect as tomkit_app
	// true
}
