package erasure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// Reasons of the system scopes opened here.
const (
	reasonRetention rls.Reason = "retention"
	reasonOffboard  rls.Reason = "tenant_erasure"
)

// Recorder writes an event in the transaction of the change it describes. ledger/pgledger has one.
type Recorder interface {
	RecordTx(ctx context.Context, tx *rls.Tx, ev record.Event) error
}

// PersonEraser erases what a ledger holds about a person in the clear, in the transaction of the person's erasure, which is the
// tenant's scope. ledger/pgledger has one.
type PersonEraser interface {
	// ErasePersonTx erases and returns how many values go when tx commits.
	ErasePersonTx(ctx context.Context, tx *rls.Tx, subject uuid.UUID, by uuid.NullUUID) (values int64, err error)
	// PersonValuesTx counts the values that are there.
	PersonValuesTx(ctx context.Context, tx *rls.Tx, subject uuid.UUID) (values int64, err error)
}

// Purger empties a store outside the database of one tenant: a cache, an object store. Purge is called again after an error,
// a crash or a remainder, so it must be idempotent.
type Purger interface {
	Purge(ctx context.Context, tenant uuid.UUID) (Purged, error)
}

// Purged is what a [Purger] reports. The store is done with when there is no error and nothing remains.
type Purged struct {
	Deleted, Remaining int64 // objects
}

// Store is a store outside the database. Its name is durable: jobs remember by it who has confirmed.
type Store struct {
	Name   string // 1–64 of a-z, 0-9, '_', '.', '-'
	Purger Purger
}

// Config says what an [Eraser] works with. DB, Record and Register are needed.
type Config struct {
	// DB needs the logins app and system.
	DB *rls.DB
	// Record writes the entries. What cannot be recorded is not deleted.
	Record Recorder
	// Register says what is kept where, why and how long. It must not be changed afterwards.
	Register *Register
	// Ledger erases the ledger's own values about a person. Nil leaves them.
	Ledger PersonEraser
	// Stores are emptied when a tenant is deleted.
	Stores []Store
	// BatchRows bounds the rows of one statement. Zero means 1,000; negative is an error.
	BatchRows int
	// Batches bounds the batches of one transaction, and so of one ledger entry. Zero means 50; negative is an error.
	Batches int
	// Pause is waited between two transactions. Zero means none; negative is an error.
	Pause time.Duration
	// Attempts is how often a store is tried before a job is left to be resumed. Zero means 5; negative is an error.
	Attempts int
	// Backoff is waited before a store's second attempt, and doubles up to a minute. Zero means one second; negative is an
	// error.
	Backoff time.Duration
	// Observe is told each table's outcome in a tenant once it is committed, for metrics. It must not block. Nil means
	// nobody is told.
	Observe func(Line)
	// Progress is told after each committed transaction of a long work how many rows it has affected so far. Nil means nobody is told.
	Progress func(rows int64)
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Eraser applies a register to a database. It is safe for concurrent use, in many processes at once.
type Eraser struct {
	cfg Config
}

// Limits and defaults.
const (
	defaultBatchRows = 1000
	defaultBatches   = 50
	defaultAttempts  = 5
	defaultBackoff   = time.Second
	maxBackoff       = time.Minute
	lockTimeout      = "10s" // a statement that waits longer for a lock fails, and with it the transaction
)

// New returns an Eraser. It checks the configuration and the register as such; see [Check] for the database.
func New(cfg Config) (*Eraser, error) {
	switch {
	case cfg.DB == nil || cfg.Record == nil || cfg.Register == nil:
		return nil, fmt.Errorf("%w: DB, Record and Register are needed", ErrInvalid)
	case cfg.BatchRows < 0 || cfg.Batches < 0 || cfg.Pause < 0 || cfg.Attempts < 0 || cfg.Backoff < 0:
		return nil, fmt.Errorf("%w: a limit is negative", ErrInvalid)
	}
	if err := cfg.Register.Validate(); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, s := range cfg.Stores {
		if !reasonForm.MatchString(s.Name) || s.Purger == nil || names[s.Name] {
			return nil, fmt.Errorf("%w: store %q has no usable name or no purger, or is there twice", ErrInvalid, s.Name)
		}
		names[s.Name] = true
	}
	cfg.BatchRows = orDefault(cfg.BatchRows, defaultBatchRows)
	cfg.Batches = orDefault(cfg.Batches, defaultBatches)
	cfg.Attempts = orDefault(cfg.Attempts, defaultAttempts)
	cfg.Backoff = orDefault(cfg.Backoff, defaultBackoff)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Eraser{cfg}, nil
}

func orDefault[T int | time.Duration](v, standard T) T {
	if v == 0 {
		return standard
	}
	return v
}

// now is the present in the database's precision.
func (e *Eraser) now() time.Time { return e.cfg.Now().UTC().Truncate(time.Microsecond) }

// lockSQL names the lock that keeps deletions, holds and overrides of one tenant apart until the transaction ends: after a
// hold is placed nothing that did not know it is still to be committed. Tenants whose hashes collide share a lock.
const lockSQL = `(x'746b6572'::integer, pg_catalog.hashtext($1::text))` // 'tker'

func lockTenant(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) error {
	if _, err := tx.Exec(ctx, `SELECT pg_catalog.pg_advisory_xact_lock`+lockSQL, tenant); err != nil {
		return err
	}
	return limitLocks(ctx, tx)
}

func tryLockTenant(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) (ok bool, err error) {
	if err := tx.QueryRow(ctx, `SELECT pg_catalog.pg_try_advisory_xact_lock`+lockSQL, tenant).Scan(&ok); err != nil || !ok {
		return false, err
	}
	return true, limitLocks(ctx, tx)
}

// limitLocks bounds how long the rest of the transaction waits for locks.
func limitLocks(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_catalog.set_config('lock_timeout', $1, true)`, lockTimeout)
	return err
}

// operator returns the tenant whose log has the entries about tenants.
func operator(ctx context.Context, tx pgx.Tx) (id uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM tomkit.operators`).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return id, fmt.Errorf("%w: there is no operator", ErrUnknown)
	}
	return id, err
}

// By is on whose behalf something happens. The zero By is the system.
type By struct {
	User uuid.UUID
}

func (b By) null() uuid.NullUUID { return uuid.NullUUID{UUID: b.User, Valid: b.User != uuid.Nil} }
