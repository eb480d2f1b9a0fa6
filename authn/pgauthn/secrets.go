package pgauthn

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/rls"
)

// newSecret makes a TOTP secret for p, open and sealed.
func (s *Store) newSecret(p person) (secret []byte, sealed string, err error) {
	if secret, err = s.cfg.Codes.NewSecret(); err != nil {
		return nil, "", err
	}
	sealed, err = s.cfg.Seal.Seal(secret, authn.SecretAAD(p.tenant, p.id))
	return secret, sealed, err
}

// Migrated is the outcome of [Store.MigrateSecrets].
type Migrated struct {
	// Resealed secrets are in the present form now. Secrets another process was faster with are not counted.
	Resealed int
	// Unreadable secrets could not be opened and were left as they are.
	Unreadable int
}

// ErrUnreadable means that secrets in the database cannot be opened with the keys at hand.
var ErrUnreadable = errors.New("pgauthn: migrate secrets: some cannot be opened")

// migrationPage is how many secrets are read at a time.
const migrationPage = 500

// MigrateSecrets seals every TOTP secret in the present form under the present key: those in plain base32, in the older
// sealed form without associated data, and under older keys. It changes a row only if it still is what it read, so it may
// run in many processes at once and again at every start. [ErrUnreadable] if secrets are left that no key opens: the
// program should not go on, their owners could not sign in.
func (s *Store) MigrateSecrets(ctx context.Context) (Migrated, error) {
	var m Migrated
	var last secretRow
	for {
		page, err := s.secretsAfter(ctx, last)
		if err != nil {
			return m, wrap("migrate secrets", err)
		}
		for _, row := range page {
			if err := s.reseal(ctx, row, &m); err != nil {
				return m, wrap("migrate secrets", err)
			}
			last = row
		}
		if len(page) < migrationPage {
			break
		}
	}
	if m.Unreadable > 0 {
		return m, fmt.Errorf("%w: %d", ErrUnreadable, m.Unreadable)
	}
	return m, nil
}

// secretRow is a TOTP secret as it is stored.
type secretRow struct {
	tenant, user uuid.UUID
	stored       string
}

// secretsAfter reads the next page over all tenants; the changes are made in each tenant's own scope.
func (s *Store) secretsAfter(ctx context.Context, last secretRow) (page []secretRow, err error) {
	err = s.cfg.DB.System(ctx, "authn_migrate_secrets", func(ctx context.Context, tx *rls.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, user_id, secret FROM tomkit.user_totp
			WHERE (tenant_id, user_id) > ($1, $2) ORDER BY tenant_id, user_id LIMIT $3`, last.tenant, last.user, migrationPage)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r secretRow, err error) {
			return r, row.Scan(&r.tenant, &r.user, &r.stored)
		})
		return err
	})
	return page, err
}

// reseal replaces one row if it needs it and still is what it was.
func (s *Store) reseal(ctx context.Context, row secretRow, m *Migrated) error {
	if !s.cfg.Seal.NeedsReseal(row.stored) {
		return nil
	}
	aad := authn.SecretAAD(row.tenant, row.user)
	secret, err := s.open(row.stored, aad)
	if err != nil {
		m.Unreadable++
		return nil // counted; the cause may say something about the secret
	}
	defer clear(secret)
	sealed, err := s.cfg.Seal.Seal(secret, aad)
	if err != nil {
		return err
	}
	tag, err := s.cfg.DB.Tenant(row.tenant).Exec(ctx, `UPDATE tomkit.user_totp SET secret = $4
		WHERE tenant_id = $1 AND user_id = $2 AND secret = $3`, row.tenant, row.user, row.stored, sealed)
	if err != nil {
		return err
	}
	m.Resealed += int(tag.RowsAffected())
	return nil
}

const (
	sealedMark = "$"     // every sealed form begins so; base32 does not
	olderForm  = "$enc$" // TOM 1.2.1: holds the base32 text, not the bytes
)

// open reads a stored secret of any form.
func (s *Store) open(stored string, aad []byte) ([]byte, error) {
	if !strings.HasPrefix(stored, sealedMark) {
		return fromBase32(stored)
	}
	plain, err := s.cfg.Seal.Open(stored, aad)
	if err != nil || !strings.HasPrefix(stored, olderForm) {
		return plain, err
	}
	defer clear(plain)
	return fromBase32(string(plain))
}

// Bounds of a secret's length in bytes, as authn/totp has them (RFC 4226 §4 R6).
const (
	minSecret = 16
	maxSecret = 128
)

// fromBase32 reads a secret as authenticator apps show it: letters of either case, blanks and padding allowed.
func fromBase32(text string) ([]byte, error) {
	text = strings.TrimRight(strings.ToUpper(strings.ReplaceAll(text, " ", "")), "=")
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(secret) < minSecret || len(secret) > maxSecret {
		return nil, errors.New("pgauthn: secret: not base32 of 16 to 128 bytes")
	}
	return secret, nil
}
