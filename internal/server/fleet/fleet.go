// Package fleet keeps the endpoints of a tenant: one-time enrolment tokens, devices and their credentials. Every change commits
// together with its ledger entry.
package fleet

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pioneerdesk/tomkit/authn/credential"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// TokenTTL is how long an enrolment token can be used.
const TokenTTL = 24 * time.Hour

var (
	// ErrCredential says that an enrolment token or device credential is unknown, used, expired or revoked, or that its tenant, or
	// the tenant's MSP, is suspended.
	ErrCredential = errors.New("fleet: credential refused")
	// ErrEnrolled says that the machine is already enrolled in this tenant.
	ErrEnrolled = errors.New("fleet: machine is already enrolled")
	// ErrUnknown says that the tenant has no such device.
	ErrUnknown = errors.New("fleet: no such device")
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this room. They come after those of rls/tenant, authn/pgauthn and heartbeat/pgsink.
func Migrations() rls.Source {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the path is the embedded one
	}
	return rls.Source{Name: "fleet", FS: sub}
}

// Recorder writes an event in the transaction of the change it describes.
type Recorder interface {
	RecordTx(ctx context.Context, tx *rls.Tx, ev record.Event) error
}

// Store keeps devices in PostgreSQL. It is safe for concurrent use.
type Store struct {
	db  *rls.DB
	rec Recorder
	now func() time.Time
}

// New returns a store. now is time.Now when nil.
func New(db *rls.DB, rec Recorder, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{db: db, rec: rec, now: func() time.Time { return now().UTC().Truncate(time.Microsecond) }}
}

// Actor is the user on whose behalf something happens.
type Actor struct {
	User  uuid.UUID
	Email string
}

func (a Actor) personal() record.Personal { return record.Personal{Subject: a.User, Value: a.Email} }

// Device is an enrolled endpoint.
type Device struct {
	ID         uuid.UUID
	Name       string
	OS, Arch   string
	EnrolledAt time.Time
	LastSeen   *time.Time // server time of the newest heartbeat, nil before the first
}

// Facts describe a machine at enrolment.
type Facts struct {
	Name, OS, Arch string
	MachineID      string // opaque and stable, at most 128 bytes
}

// CreateToken makes a one-time enrolment token that is valid for [TokenTTL].
func (s *Store) CreateToken(ctx context.Context, tenant uuid.UUID, by Actor) (credential.Credential, time.Time, error) {
	token, err := credential.New(credential.Enrol, tenant)
	if err != nil {
		return credential.Credential{}, time.Time{}, fmt.Errorf("fleet: create token: %w", err)
	}
	now, hash := s.now(), token.Hash()
	expires := now.Add(TokenTTL)
	err = s.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO tomkit.enrol_tokens (tenant_id, secret_hash, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			tenant, hash[:], by.User, now, expires); err != nil {
			return err
		}
		return s.rec.RecordTx(ctx, tx, record.Event{
			Tenant: tenant, Actor: uuid.NullUUID{UUID: by.User, Valid: true},
			Action: "enrol_token_created", EntityType: "enrol_token", EntityID: fmt.Sprintf("%x", hash[:8]),
			Details:   map[string]any{"expires": expires.Format(time.RFC3339)},
			Narrative: record.Narrative{Template: "enrol_token_created", Args: map[string]any{"user": by.personal(), "at": now}},
		})
	})
	if err != nil {
		return credential.Credential{}, time.Time{}, fmt.Errorf("fleet: create token: %w", err)
	}
	return token, expires, nil
}

// Enrol uses up an enrolment token and returns the new device's id and credential. The credential cannot be shown again.
func (s *Store) Enrol(ctx context.Context, token credential.Credential, facts Facts) (uuid.UUID, credential.Credential, error) {
	tenant, hash, now := token.Tenant(), token.Hash(), s.now()
	device := uuid.New()
	cred, err := credential.New(credential.Device, tenant)
	if err != nil {
		return uuid.Nil, credential.Credential{}, fmt.Errorf("fleet: enrol: %w", err)
	}
	credHash := cred.Hash()
	err = s.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE tomkit.enrol_tokens SET used_at = $3
			WHERE tenant_id = $1 AND secret_hash = $2 AND used_at IS NULL AND expires_at > $3 AND (SELECT tomkit.tenant_active())`, tenant, hash[:], now)
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return ErrCredential
		}
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO tomkit.devices (tenant_id, id, name, os, arch, machine_id, enrolled_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			tenant, device, facts.Name, facts.OS, facts.Arch, facts.MachineID, now)
		b.Queue(`INSERT INTO tomkit.device_credentials (tenant_id, secret_hash, device_id, created_at) VALUES ($1, $2, $3, $4)`, tenant, credHash[:], device, now)
		b.Queue(`UPDATE tomkit.enrol_tokens SET device_id = $3 WHERE tenant_id = $1 AND secret_hash = $2`, tenant, hash[:], device)
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		return s.rec.RecordTx(ctx, tx, record.Event{
			Tenant: tenant, Action: "device_enrolled", EntityType: "device", EntityID: device.String(),
			Details:   map[string]any{"os": facts.OS, "arch": facts.Arch},
			Narrative: record.Narrative{Template: "device_enrolled", Args: map[string]any{"device": device.String(), "at": now}},
		})
	})
	var pgErr *pgconn.PgError
	switch {
	case err == nil:
		return device, cred, nil
	case errors.As(err, &pgErr) && pgErr.ConstraintName == "devices_machine":
		return uuid.Nil, credential.Credential{}, ErrEnrolled
	case errors.As(err, &pgErr) && pgErr.Code == "23503": // the token names a tenant that does not exist
		return uuid.Nil, credential.Credential{}, ErrCredential
	}
	return uuid.Nil, credential.Credential{}, fmt.Errorf("fleet: enrol: %w", err)
}

// Authenticate returns the device that a credential belongs to.
func (s *Store) Authenticate(ctx context.Context, cred credential.Credential) (uuid.UUID, error) {
	hash := cred.Hash()
	var device uuid.UUID
	err := s.db.Tenant(cred.Tenant()).QueryRow(ctx,
		`SELECT device_id FROM tomkit.device_credentials WHERE tenant_id = $1 AND secret_hash = $2 AND revoked_at IS NULL AND (SELECT tomkit.tenant_active())`,
		cred.Tenant(), hash[:]).Scan(&device)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, ErrCredential
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("fleet: authenticate: %w", err)
	}
	return device, nil
}

// List returns up to limit enrolled devices after the given id, ordered by id, with their last heartbeat.
func (s *Store) List(ctx context.Context, tenant, after uuid.UUID, limit int) ([]Device, error) {
	rows, err := s.db.Tenant(tenant).Query(ctx, `
		SELECT d.id, d.name, d.os, d.arch, d.enrolled_at, h.last_seen
		FROM tomkit.devices d LEFT JOIN tomkit.heartbeats h ON h.tenant_id = d.tenant_id AND h.device_id = d.id
		WHERE d.removed_at IS NULL AND d.id > $1 ORDER BY d.id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("fleet: list: %w", err)
	}
	devices, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Device])
	if err != nil {
		return nil, fmt.Errorf("fleet: list: %w", err)
	}
	return devices, nil
}

// Remove ends a device: its credentials stop working in the same transaction.
func (s *Store) Remove(ctx context.Context, tenant, device uuid.UUID, by Actor) error {
	now := s.now()
	err := s.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE tomkit.devices SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL`, device, now)
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return ErrUnknown
		}
		if _, err := tx.Exec(ctx, `UPDATE tomkit.device_credentials SET revoked_at = $2 WHERE device_id = $1 AND revoked_at IS NULL`, device, now); err != nil {
			return err
		}
		return s.rec.RecordTx(ctx, tx, record.Event{
			Tenant: tenant, Actor: uuid.NullUUID{UUID: by.User, Valid: true},
			Action: "device_removed", EntityType: "device", EntityID: device.String(),
			Narrative: record.Narrative{Template: "device_removed", Args: map[string]any{"device": device.String(), "user": by.personal(), "at": now}},
		})
	})
	if err != nil && !errors.Is(err, ErrUnknown) {
		return fmt.Errorf("fleet: remove: %w", err)
	}
	return err
}
