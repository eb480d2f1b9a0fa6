package pgauthn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// Recorder writes an event into the ledger within tx; ledger/pgledger implements it.
type Recorder interface {
	RecordTx(ctx context.Context, tx *rls.Tx, ev record.Event) error
}

// Sealer seals TOTP secrets; vault/seal implements it. NeedsReseal reports whether a stored text is not of the present
// form under the present key.
type Sealer interface {
	authn.Sealer
	NeedsReseal(stored string) bool
}

// Hasher encodes passwords; authn/password implements it.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
}

// Secrets makes TOTP secrets and matches codes; authn/totp implements it.
type Secrets interface {
	NewSecret() ([]byte, error)
}

// Config makes a [Store]. DB, Record, Seal, Passwords and Codes are required.
type Config struct {
	// DB holds the logins; the app login is used for all but Sweep and the search of MigrateSecrets.
	DB *rls.DB
	// Record writes the ledger entries.
	Record Recorder
	// Seal seals TOTP secrets.
	Seal Sealer
	// Passwords hashes passwords set by administrators.
	Passwords Hasher
	// Codes makes TOTP secrets.
	Codes Secrets
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Store is [authn.Store] on PostgreSQL. It is safe for concurrent use.
type Store struct {
	cfg Config
}

var _ authn.Store = (*Store)(nil)

// New returns a Store.
func New(cfg Config) (*Store, error) {
	if cfg.DB == nil || cfg.Record == nil || cfg.Seal == nil || cfg.Passwords == nil || cfg.Codes == nil {
		return nil, errors.New("pgauthn: config: DB, Record, Seal, Passwords and Codes are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Store{cfg: cfg}, nil
}

func (s *Store) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// in runs fn in a transaction of the tenant.
func (s *Store) in(ctx context.Context, tenant uuid.UUID, fn func(context.Context, *rls.Tx) error) error {
	return s.cfg.DB.Tenant(tenant).InTx(ctx, fn)
}

// record hands events to the ledger within tx.
func (s *Store) record(ctx context.Context, tx *rls.Tx, events ...record.Event) error {
	for _, ev := range events {
		if err := s.cfg.Record.RecordTx(ctx, tx, ev); err != nil {
			return wrap("record", err)
		}
	}
	return nil
}

// wrap names the operation that failed.
func wrap(op string, err error) error { return fmt.Errorf("pgauthn: %s: %w", op, err) }

// one is the result of a change that must hit one row, want otherwise.
func one(rows int64, err error, want error) error {
	if err == nil && rows != 1 {
		return want
	}
	return err
}

// found turns the absence of a row into [authn.ErrNotFound].
func found(op string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return authn.ErrNotFound
	}
	if err != nil {
		return wrap(op, err)
	}
	return nil
}
