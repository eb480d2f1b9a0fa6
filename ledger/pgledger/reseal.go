package pgledger

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// ResealOptions tunes Reseal. The zero value reseals all logs.
type ResealOptions struct {
	// After continues behind this tenant, in the order of ids: the last one that Progress told of.
	After uuid.UUID
	// Progress is told after each log how many have been looked at. Nil means nobody is told.
	Progress func(tenant uuid.UUID, logs int)
}

// Resealed counts what Reseal did.
type Resealed struct {
	// Logs were looked at, Keys sealed anew: the private keys in use and the door keys.
	Logs, Keys int
}

// resealer is what a Sealer may say about what it sealed: vault/seal does. Without it everything is sealed anew.
type resealer interface{ NeedsReseal(sealed string) bool }

// resealPage is how many tenants are read at a time.
const resealPage = 500

const reasonReseal = rls.Reason("ledger_reseal")

// Reseal seals the private keys of all logs under the present key of Config.Sealer, which must still open what its earlier key
// sealed: after the vault's key changed, and before the earlier one is forgotten. No key changes, only the box it lies in. It
// may be repeated and interrupted at will. It needs the system login, to find the logs.
func (l *Log) Reseal(ctx context.Context, opts ResealOptions) (Resealed, error) {
	var done Resealed
	for after := opts.After; ; {
		tenants, err := l.logsAfter(ctx, after)
		if err != nil {
			return done, fmt.Errorf("pgledger: reseal: %w", err)
		}
		for _, tenant := range tenants {
			n, err := l.resealLog(ctx, tenant)
			if err != nil {
				return done, fmt.Errorf("pgledger: reseal: log of tenant %s: %w", tenant, err)
			}
			done.Logs, done.Keys, after = done.Logs+1, done.Keys+n, tenant
			if opts.Progress != nil {
				opts.Progress(tenant, done.Logs)
			}
		}
		if len(tenants) < resealPage {
			return done, nil
		}
	}
}

// logsAfter lists tenants with a log behind one, in the order of their ids.
func (l *Log) logsAfter(ctx context.Context, after uuid.UUID) (tenants []uuid.UUID, err error) {
	err = l.db.System(ctx, reasonReseal, func(ctx context.Context, tx *rls.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id FROM tomkit.ledger_heads WHERE tenant_id > $1::uuid ORDER BY tenant_id LIMIT $2`, after, resealPage)
		if err != nil {
			return err
		}
		tenants, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	return tenants, err
}

// resealLog reseals one log's keys and returns how many were.
func (l *Log) resealLog(ctx context.Context, tenant uuid.UUID) (n int, err error) {
	var s sealedKeyring
	err = l.db.Tenant(tenant).QueryRow(ctx, `SELECT epoch, generation, origin, door_sealed, key_purposes, key_seals
FROM tomkit.ledger_state($1::uuid)`, tenant).Scan(&s.epoch, &s.generation, &s.origin, &s.door, &s.purposes, &s.seals)
	if err != nil {
		return 0, err
	}
	door, err := l.unseal(purposeDoor, tenant, s.door)
	k := &keyring{tenant: tenant, generation: s.generation}
	if err != nil || len(door) != len(k.door) {
		return 0, fmt.Errorf("door key: %w", errOr(err))
	}
	copy(k.door[:], door)
	clear(door)
	var purposes, before, after []string
	for i, purpose := range append(s.purposes, purposeDoor) {
		sealed := s.door
		if i < len(s.purposes) {
			sealed = s.seals[i]
		}
		if r, ok := l.cfg.Sealer.(resealer); sealed == "" || ok && !r.NeedsReseal(sealed) {
			continue // destroyed, or under the present key
		}
		again, err := l.resealed(purpose, tenant, sealed)
		if err != nil {
			return 0, fmt.Errorf("%s key: %w", purpose, err)
		}
		purposes, before, after = append(purposes, purpose), append(before, sealed), append(after, again)
	}
	if len(purposes) == 0 {
		return 0, nil
	}
	sum := sha256.New()
	for i := range purposes {
		writeHashes(sum, []byte(purposes[i]), []byte(before[i]), []byte(after[i]))
	}
	err = l.db.Tenant(tenant).QueryRow(ctx, `SELECT tomkit.ledger_reseal($1::uuid, $2::integer, $3::bytea, $4::text[], $5::text[], $6::text[])`,
		tenant, k.generation, k.admit("reseal", uint64(k.generation), sum.Sum(nil)), purposes, before, after).Scan(&n)
	return n, err
}

// resealed opens a sealed key and seals it anew.
func (l *Log) resealed(purpose string, tenant uuid.UUID, sealed string) (string, error) {
	secret, err := l.unseal(purpose, tenant, sealed)
	if err != nil {
		return "", err
	}
	defer clear(secret)
	again, err := l.cfg.Sealer.Seal(secret, associated(purpose, tenant))
	if err != nil {
		return "", err
	}
	return again, nil
}
