package pgledger_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// Open a log over the request and system logins and keep its checkpoints fresh.
func Example() {
	start := func(ctx context.Context, cfg rls.Config, seal pgledger.Sealer) error {
		db, err := rls.Open(ctx, cfg)
		if err != nil {
			return err
		}
		defer db.Close()
		log, err := pgledger.Open(ctx, db, pgledger.Config{Domain: "log.example.org", Sealer: seal, Logger: slog.Default()})
		if err != nil {
			return err // among them: the tables are not protected as they must be
		}
		defer log.Close()
		return log.Run(ctx)
	}
	_ = start
}

// clinic is what the examples have: a database with a log on it, a tenant and its administrator.
type clinic struct {
	db     *rls.DB
	log    *pgledger.Log
	tenant uuid.UUID
	admin  uuid.UUID
	close  func()
}

func openClinic() *clinic {
	t, end := pgtest.ForExample()
	pg := pgtest.New(t, rls.Migrations(), pgledger.Migrations())
	_, err := pg.Superuser(t).Exec(context.Background(), `CREATE TABLE devices (name text PRIMARY KEY, locked boolean NOT NULL);
GRANT SELECT, INSERT, UPDATE ON devices TO tomkit_app; INSERT INTO devices VALUES ('ward-3-pc', true)`)
	if err != nil {
		panic(err)
	}
	c := &clinic{db: pg.Open(t), tenant: uuid.New(), admin: uuid.New(), close: end}
	if c.log, err = pgledger.Open(context.Background(), c.db, journalled(&memoryJournal{})); err != nil {
		panic(err)
	}
	t.Cleanup(c.log.Close)
	return c
}

// login says that the administrator signed in. Names are personal values: the log binds commitments to them.
func (c *clinic) login() record.Event {
	return record.Event{
		Tenant: c.tenant, Actor: uuid.NullUUID{UUID: c.admin, Valid: true},
		Action: "login", EntityType: "user", EntityID: c.admin.String(),
		Narrative: record.Narrative{Template: "login", Args: map[string]any{
			"user":   record.Personal{Subject: c.admin, Value: "admin@klinikum.example"},
			"at":     time.Date(2026, 3, 9, 14, 23, 1, 0, time.UTC),
			"method": "Passwort und TOTP",
		}},
	}
}

// Append an entry and read it again. The first entry of a tenant opens its log, which is entry 0.
func ExampleLog_Append() {
	c := openClinic()
	defer c.close()
	ctx := context.Background()

	receipt, err := c.log.Append(ctx, c.login())
	if err != nil {
		panic(err) // nothing was written, unless it is ledger.ErrOutcomeUnknown
	}
	entry, err := c.log.Entry(ctx, c.tenant, receipt.Seq)
	if err != nil {
		panic(err)
	}
	fmt.Println("entry", receipt.Seq, entry.Action)
	fmt.Println(entry.Readable)
	// Output:
	// entry 1 login
	// Benutzer admin@klinikum.example hat sich am 2026-03-09T14:23:01Z mit Passwort und TOTP angemeldet.
}

// Record a change and its entry in one transaction: both are there, or neither.
func ExampleLog_RecordTx() {
	c := openClinic()
	defer c.close()
	unlock := func(command string) error {
		return c.db.Tenant(c.tenant).InTx(context.Background(), func(ctx context.Context, tx *rls.Tx) error {
			if _, err := tx.Exec(ctx, `UPDATE devices SET locked = false WHERE name = 'ward-3-pc'`); err != nil {
				return err
			}
			return c.log.RecordTx(ctx, tx, record.Event{
				Tenant: c.tenant, Actor: uuid.NullUUID{UUID: c.admin, Valid: true}, Critical: true,
				Action: "command_executed", EntityType: "device", EntityID: "ward-3-pc",
				Narrative: record.Narrative{Template: "command_executed", Args: map[string]any{
					"user":    record.Personal{Subject: c.admin, Value: "admin@klinikum.example"},
					"at":      time.Date(2026, 3, 9, 14, 23, 1, 0, time.UTC),
					"command": command, "device": "ward-3-pc",
				}},
			})
		})
	}
	locked := func() (locked bool) {
		err := c.db.Tenant(c.tenant).QueryRow(context.Background(), `SELECT locked FROM devices WHERE name = 'ward-3-pc'`).Scan(&locked)
		if err != nil {
			panic(err)
		}
		return locked
	}

	// An entry that cannot be written: the device stays locked.
	tooLong := string(bytes.Repeat([]byte("unlock "), 1000))
	fmt.Println(errors.Is(unlock(tooLong), ledger.ErrTooLarge), "locked:", locked())

	fmt.Println(unlock("unlock"), "locked:", locked())
	// Output:
	// true locked: true
	// <nil> locked: false
}

// Verify an export: what an auditor does elsewhere, with no database and no trust in whoever runs it. On the command line
// it is tomkit-verify.
func ExampleLog_Export() {
	c := openClinic()
	defer c.close()
	ctx := context.Background()
	if _, err := c.log.AppendBatch(ctx, []record.Event{c.login(), c.login(), c.login()}); err != nil {
		panic(err)
	}
	var archive bytes.Buffer
	out := verify.NewZip(&archive, time.Now())
	if _, err := c.log.Export(ctx, c.tenant, out, pgledger.ExportOptions{}); err != nil {
		panic(err)
	}
	if err := out.Close(); err != nil {
		panic(err)
	}

	export, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		panic(err)
	}
	report, err := verify.Verify(ctx, export, verify.Config{Tenant: (*[16]byte)(&c.tenant)})
	if err != nil {
		panic(err) // not an export at all
	}
	fmt.Println(report.Verdict, report.Entries, "entries,", report.Openings, "personal values")
	// Output: intact 4 entries, 3 personal values
}

// Prove one entry: the receipt is kept by the tenant, and shows years later, without this database, that the entry was in
// the log.
func ExampleLog_Prove() {
	c := openClinic()
	defer c.close()
	ctx := context.Background()
	appended, err := c.log.Append(ctx, c.login())
	if err != nil {
		panic(err)
	}
	proof, err := appended.Wait(ctx) // until a checkpoint covers the entry
	if err != nil {
		panic(err)
	}
	kept := proof.Marshal()

	keys, err := exportedKeys(ctx, c.log, c.tenant) // published, and kept by the tenant as well
	if err != nil {
		panic(err)
	}
	receipt, err := verify.ParseReceipt(kept)
	if err != nil {
		panic(err)
	}
	checkpoint, err := receipt.Verify(keys)
	fmt.Println(err, "entry", receipt.Index, "of", checkpoint.Size)

	receipt.Leaf[0] ^= 1 // another entry
	_, err = receipt.Verify(keys)
	fmt.Println(err != nil)
	// Output:
	// <nil> entry 1 of 2
	// true
}

// Erase a person (Art. 17 GDPR): names and salts go, every hash, signature and receipt stays valid.
func ExampleLog_Erase() {
	c := openClinic()
	defer c.close()
	ctx := context.Background()
	receipt, err := c.log.Append(ctx, c.login())
	if err != nil {
		panic(err)
	}
	erasure, err := c.log.Erase(ctx, c.tenant, pgledger.EraseRequest{Subject: c.admin})
	if err != nil {
		panic(err)
	}
	entry, err := c.log.Entry(ctx, c.tenant, receipt.Seq)
	if err != nil {
		panic(err)
	}
	fmt.Println(erasure.Values, "value erased by entry", erasure.Receipts[0].Seq)
	fmt.Println(entry.Readable)
	report, err := c.log.VerifyChain(ctx, c.tenant, pgledger.VerifyOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Verdict, report.Redacted, "redacted")
	// Output:
	// 1 value erased by entry 2
	// Benutzer [personenbezogener Wert gelöscht] hat sich am 2026-03-09T14:23:01Z mit Passwort und TOTP angemeldet.
	// intact 1 redacted
}
