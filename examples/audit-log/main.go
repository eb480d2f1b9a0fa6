// Command audit-log records a business change and its audit entry in one transaction, exports the log, and verifies the export offline.
//
//	TOMKIT_EXAMPLE_DATABASE_URL=postgres://postgres@… audit-log
//
// The URL is a superuser's, for an empty database.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

func main() {
	url := os.Getenv("TOMKIT_EXAMPLE_DATABASE_URL")
	if url == "" {
		log.Fatal("TOMKIT_EXAMPLE_DATABASE_URL is not set")
	}
	dir, err := os.MkdirTemp("", "audit-log-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(context.Background(), url, dir, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, superuserURL, dir string, out io.Writer) error {
	db, audit, err := prepare(ctx, superuserURL)
	if err != nil {
		return err
	}
	defer db.Close()
	defer audit.Close()
	tenant, user := uuid.New(), uuid.New()
	err = db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		// … the business change on tx …
		return audit.RecordTx(ctx, tx, record.Event{
			Tenant: tenant, Actor: uuid.NullUUID{UUID: user, Valid: true},
			Action: "fleet_update_triggered", EntityType: "fleet", EntityID: "ward-3", Critical: true,
			Narrative: record.Narrative{Template: "fleet_update_triggered", Args: map[string]any{
				"user": record.Personal{Subject: user, Value: "admin@klinikum.example"}, "version": "2.1", "count": int64(12), "at": time.Now(),
			}},
		})
	})
	if err != nil {
		return err
	}
	entries, err := audit.Entries(ctx, tenant, ledger.Filter{Newest: true, Limit: 1})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, entries[0].Action, "is entry", entries[0].Seq)

	files, err := verify.NewDir(dir)
	if err != nil {
		return err
	}
	if _, err := audit.Export(ctx, tenant, files, pgledger.ExportOptions{}); err != nil {
		return err
	}
	report, err := verify.Verify(ctx, os.DirFS(dir), verify.Config{})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "the export is", report.Verdict)
	return nil
}

func prepare(ctx context.Context, superuserURL string) (*rls.DB, *pgledger.Log, error) {
	logins, err := rls.ApplyRoles(ctx, superuserURL)
	if err != nil {
		return nil, nil, err
	}
	if _, err := migrate.Up(ctx, logins.Migrator, rls.Migrations(), pgledger.Migrations()); err != nil {
		return nil, nil, err
	}
	keys := make([]byte, 64) // in production: from the vault
	if _, err := rand.Read(keys); err != nil {
		return nil, nil, err
	}
	mac := rls.ContextKey{ID: "example", Key: keys[:32]}
	if err := rls.InstallContextKey(ctx, logins.Migrator, mac); err != nil {
		return nil, nil, err
	}
	ring, err := seal.New(seal.Config{Active: seal.Key{Bytes: keys[32:]}})
	if err != nil {
		return nil, nil, err
	}
	db, err := rls.Open(ctx, rls.Config{AppURL: logins.App, SystemURL: logins.System, ContextKey: mac})
	if err != nil {
		return nil, nil, err
	}
	audit, err := pgledger.Open(ctx, db, pgledger.Config{Domain: "audit.example", Sealer: ring})
	if err != nil {
		db.Close()
	}
	return db, audit, err
}
