package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

const (
	manyWriters   = 1024
	fewWriters    = 32
	batchRows     = 500
	entryBytes    = 1024 // of details, so that an entry is about 1 KiB
	tesseraBatch  = 512
	tesseraMaxAge = 50 * time.Millisecond
	longAppend    = 100 * time.Millisecond // what 99 of 100 appends may take
)

const appendSetup = `
	CREATE TABLE tomkit.naive_log (seq bigint PRIMARY KEY, id uuid NOT NULL, action text NOT NULL, details text NOT NULL, previous_hash text NOT NULL, current_hash text NOT NULL, created_at timestamptz NOT NULL);
	CREATE TABLE tomkit.unprotected (LIKE tomkit.audit_logs);
	CREATE TABLE tomkit.business (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id));
	ALTER TABLE tomkit.business OWNER TO tomkit_owner;
	SELECT tomkit.protect('tomkit.business');
	CREATE TABLE tomkit.naive_business (id uuid PRIMARY KEY);`

// benchAppend compares the ledger's three ways of writing with the path the document describes (lock, read the head, insert, commit),
// with raw COPY, and with a file-based transparency log.
func benchAppend(ctx context.Context, r *reporter) error {
	d, stop, err := openDatabase(ctx, appendSetup)
	if err != nil {
		return err
	}
	defer stop()
	log, err := openLog(ctx, d)
	if err != nil {
		return err
	}
	defer log.Close()
	event := sampleEvent()
	appending := candidate{"tomkit", func(n int) error {
		return together(n, manyWriters, func() error { _, err := log.Append(ctx, event); return err })
	}}
	naive := func(workers int, business bool) candidate {
		return candidate{"naive", func(n int) error {
			return together(n, workers, func() error { return naiveAppend(ctx, d, event, business) })
		}}
	}
	tesseraLog, closeTessera, err := openTessera(ctx)
	if err != nil {
		return err
	}
	defer closeTessera()
	wide := &reporter{r.out, r.rounds, 5 * r.turn} // so that starting and ending so many writers counts little
	if err := wide.cost("ledger-append-1024", appending, naive(fewWriters, false), atLeast(20)); err != nil {
		return err
	}
	if err := wide.cost("ledger-append-1024", appending, tesseraLog, atLeast(3)); err != nil {
		return err
	}
	if err := wide.cost("ledger-append-1024-4tenants", spread(ctx, log, event), appending, target{}); err != nil {
		return err
	}
	if err := wide.latencies("ledger-append-1024", manyWriters, func() error { _, err := log.Append(ctx, event); return err }, longAppend); err != nil {
		return err
	}
	if err := r.cost("ledger-batch-500", batching(ctx, log, event), copying(ctx, d, event), atLeast(0.6)); err != nil {
		return err
	}
	recording := candidate{"tomkit", func(n int) error {
		return together(n, fewWriters, func() error {
			return d.db.Tenant(event.Tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO tomkit.business (tenant_id, id) VALUES ($1, $2)`, event.Tenant, uuid.New()); err != nil {
					return err
				}
				return log.RecordTx(ctx, tx, event)
			})
		})
	}}
	return r.cost("ledger-recordtx-32", recording, naive(fewWriters, true), atLeast(3))
}

// spread appends to the logs of four tenants in turn.
func spread(ctx context.Context, log *pgledger.Log, ev record.Event) candidate {
	events := [4]record.Event{ev, ev, ev, ev}
	for i := range events {
		events[i].Tenant = uuid.New()
	}
	var next atomic.Int64
	return candidate{"tomkit", func(n int) error {
		return together(n, manyWriters, func() error {
			_, err := log.Append(ctx, events[next.Add(1)%4])
			return err
		})
	}}
}

func openLog(ctx context.Context, d *database) (*pgledger.Log, error) {
	key := make([]byte, seal.KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	ring, err := seal.New(seal.Config{Active: seal.Key{Bytes: key}})
	if err != nil {
		return nil, err
	}
	return pgledger.Open(ctx, d.db, pgledger.Config{Domain: "bench.example", Sealer: ring})
}

func sampleEvent() record.Event {
	return record.Event{
		Tenant: uuid.New(), Action: "device_enrolled", EntityType: "device", EntityID: uuid.NewString(),
		Details:   map[string]any{"text": strings.Repeat("x", entryBytes)},
		Narrative: record.Narrative{Template: "device_enrolled", Args: map[string]any{"device": "bench", "at": time.Now()}},
	}
}

// naiveAppend is the documented path, entry by entry: lock, read the head, insert, commit.
func naiveAppend(ctx context.Context, d *database, ev record.Event, business bool) error {
	return pgx.BeginFunc(ctx, d.super, func(tx pgx.Tx) error {
		if business {
			if _, err := tx.Exec(ctx, `INSERT INTO tomkit.naive_business (id) VALUES ($1)`, uuid.New()); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(4711)`); err != nil {
			return err
		}
		var seq int64
		var previous string
		err := tx.QueryRow(ctx, `SELECT seq, current_hash FROM tomkit.naive_log ORDER BY seq DESC LIMIT 1`).Scan(&seq, &previous)
		if err != nil && err != pgx.ErrNoRows {
			return err
		}
		now := time.Now().UTC().Truncate(time.Microsecond)
		details, _ := ev.Details["text"].(string)
		sum := sha256.Sum256([]byte(previous + ev.Action + ev.EntityID + details + now.Format(time.RFC3339Nano)))
		_, err = tx.Exec(ctx, `INSERT INTO tomkit.naive_log VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			seq+1, uuid.New(), ev.Action, details, previous, hex.EncodeToString(sum[:]), now)
		return err
	})
}

// batching writes rows in batches; an operation is one row.
func batching(ctx context.Context, log *pgledger.Log, ev record.Event) candidate {
	events := make([]record.Event, batchRows)
	for i := range events {
		events[i] = ev
	}
	return candidate{"tomkit", func(n int) error {
		for ; n > 0; n -= batchRows {
			if _, err := log.AppendBatch(ctx, events[:min(n, batchRows)]); err != nil {
				return err
			}
		}
		return nil
	}}
}

// copying writes the same columns with COPY into a table without policies, constraints and indexes.
func copying(ctx context.Context, d *database, ev record.Event) candidate {
	columns := []string{"tenant_id", "seq", "id", "action", "entity_type", "entity_id", "details", "nis2_narrative", "previous_hash", "current_hash", "created_at", "class", "scheme", "leaf_hash"}
	hash, details := strings.Repeat("0", 64), fmt.Sprintf(`{"text":%q}`, ev.Details["text"])
	return candidate{"COPY", func(n int) error {
		for ; n > 0; n -= batchRows {
			source := pgx.CopyFromSlice(min(n, batchRows), func(i int) ([]any, error) {
				return []any{ev.Tenant, int64(i), uuid.New(), ev.Action, ev.EntityType, ev.EntityID, details, "Gerät bench wurde registriert.", hash, hash, time.Now(), "normal", "bound", []byte(hash[:32])}, nil
			})
			if _, err := d.super.CopyFrom(ctx, pgx.Identifier{"tomkit", "unprotected"}, columns, source); err != nil {
				return err
			}
		}
		return nil
	}}
}

// openTessera makes a log in files; an operation waits until the entry's position is durable.
func openTessera(ctx context.Context) (candidate, func(), error) {
	dir, err := os.MkdirTemp("", "tomkit-bench-")
	if err != nil {
		return candidate{}, nil, err
	}
	private, _, err := note.GenerateKey(rand.Reader, "bench.example/tessera")
	if err != nil {
		return candidate{}, nil, err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return candidate{}, nil, err
	}
	living, end := context.WithCancel(ctx) // what it does beside appending ends with it
	driver, err := posix.New(living, posix.Config{Path: dir})
	if err != nil {
		end()
		return candidate{}, nil, err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithBatching(tesseraBatch, tesseraMaxAge).WithCheckpointInterval(time.Second)
	appender, shutdown, _, err := tessera.NewAppender(living, driver, options)
	if err != nil {
		end()
		return candidate{}, nil, err
	}
	stop := func() {
		_ = shutdown(context.WithoutCancel(ctx)) // measured already
		end()
		_ = os.RemoveAll(dir)
	}
	return candidate{"Tessera-POSIX", func(n int) error {
		return together(n, manyWriters, func() error {
			data := make([]byte, entryBytes)
			if _, err := rand.Read(data); err != nil {
				return err
			}
			_, err := appender.Add(ctx, tessera.NewEntry(data))()
			return err
		})
	}}, stop, nil
}
