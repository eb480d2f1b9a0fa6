package erasure

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// Hold keeps data of a tenant from being deleted or anonymised, whatever the periods say and whoever asks.
type Hold struct {
	// ID names it. Zero means a random one.
	ID uuid.UUID
	// Tenant is whose data it is.
	Tenant uuid.UUID
	// Category is what is held. Empty means every category.
	Category string
	// Subject is the person whose data is held. Zero means everybody's.
	Subject uuid.UUID
	// Reason is a code such as "litigation-2026-14": 1–64 of a-z, 0-9, '_', '.', '-'. It is recorded and names no person.
	Reason string
	// Until ends it. Zero means that it ends when it is released.
	Until time.Time
}

// PlaceHold places a hold and records it. It waits for deletions of the tenant under way, so that none that did not know the
// hold is committed after it.
func (e *Eraser) PlaceHold(ctx context.Context, h Hold, by By) (id uuid.UUID, err error) {
	err = e.cfg.DB.Tenant(h.Tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		id, err = e.PlaceHoldTx(ctx, tx, h, by)
		return err
	})
	return id, err
}

// PlaceHoldTx is [Eraser.PlaceHold] in the transaction of the tenant or of the system.
func (e *Eraser) PlaceHoldTx(ctx context.Context, tx *rls.Tx, h Hold, by By) (uuid.UUID, error) {
	now := e.now()
	if h.ID == uuid.Nil {
		h.ID = uuid.New()
	}
	switch {
	case !reasonForm.MatchString(h.Reason):
		return uuid.Nil, fmt.Errorf("%w: hold: the reason is not a code", ErrInvalid)
	case h.Category != "" && e.category(h.Category) == nil:
		return uuid.Nil, fmt.Errorf("%w: hold: category", ErrUnknown)
	case !h.Until.IsZero() && !h.Until.After(now):
		return uuid.Nil, fmt.Errorf("%w: hold: it would be over already", ErrInvalid)
	}
	if err := lockTenant(ctx, tx, h.Tenant); err != nil {
		return uuid.Nil, fmt.Errorf("erasure: hold: %w", err)
	}
	_, err := tx.Exec(ctx, `INSERT INTO tomkit.legal_holds (tenant_id, id, category, subject, reason, until, placed_at, placed_by)
		VALUES ($1, $2, NULLIF($3, ''), $4, $5, $6, $7, $8)`,
		h.Tenant, h.ID, h.Category, uuid.NullUUID{UUID: h.Subject, Valid: h.Subject != uuid.Nil}, h.Reason, nullTime(h.Until), now, by.null())
	if err != nil {
		return uuid.Nil, fmt.Errorf("erasure: hold: %w", err)
	}
	details := map[string]any{"category": h.Category, "person": h.Subject != uuid.Nil}
	if !h.Until.IsZero() {
		details["until"] = h.Until.UTC().Format(time.RFC3339)
	}
	return h.ID, e.recordHold(ctx, tx, "legal_hold_placed", h.Tenant, h.ID, h.Reason, details, by, now)
}

// ReleaseHold ends a hold and records it. A hold that is released already is ErrUnknown.
func (e *Eraser) ReleaseHold(ctx context.Context, tenant, id uuid.UUID, by By) error {
	return e.cfg.DB.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		now := e.now()
		var reason string
		err := tx.QueryRow(ctx, `UPDATE tomkit.legal_holds SET released_at = greatest($3, placed_at), released_by = $4
			WHERE tenant_id = $1 AND id = $2 AND released_at IS NULL RETURNING reason`, tenant, id, now, by.null()).Scan(&reason)
		if err == pgx.ErrNoRows {
			return fmt.Errorf("%w: hold", ErrUnknown)
		}
		if err != nil {
			return fmt.Errorf("erasure: release hold: %w", err)
		}
		return e.recordHold(ctx, tx, "legal_hold_released", tenant, id, reason, nil, by, now)
	})
}

func (e *Eraser) recordHold(ctx context.Context, tx *rls.Tx, action string, tenant, id uuid.UUID, reason string, details map[string]any, by By, now time.Time) error {
	return e.cfg.Record.RecordTx(ctx, tx, record.Event{
		Tenant: tenant, Actor: by.null(), Action: action, EntityType: "legal_hold", EntityID: id.String(), Details: details, Critical: true,
		Narrative: record.Narrative{Template: action, Args: map[string]any{"at": now, "reason": reason}},
	})
}

// Holds lists the tenant's holds in force, oldest first.
func (e *Eraser) Holds(ctx context.Context, tenant uuid.UUID) ([]Hold, error) {
	rows, err := e.cfg.DB.Tenant(tenant).Query(ctx, `SELECT id, tenant_id, coalesce(category, ''), subject, reason, until
		FROM tomkit.legal_holds h WHERE `+holdsInForce+` ORDER BY placed_at, id`, tenant, e.now())
	if err != nil {
		return nil, fmt.Errorf("erasure: holds: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Hold, error) {
		var h Hold
		var subject uuid.NullUUID
		var until *time.Time
		err := row.Scan(&h.ID, &h.Tenant, &h.Category, &subject, &h.Reason, &until)
		h.Subject = subject.UUID
		if until != nil {
			h.Until = until.UTC()
		}
		return h, err
	})
}

// holdsInForce selects a tenant's ($1) holds h in force at an instant ($2).
const holdsInForce = `h.tenant_id = $1 AND h.released_at IS NULL AND (h.until IS NULL OR h.until > $2)`

// holds reports whether the tenant has a hold in force.
func holds(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, now time.Time) (found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tomkit.legal_holds h WHERE `+holdsInForce+`)`, tenant, now).Scan(&found)
	return found, err
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// category returns the register's category, or nil.
func (e *Eraser) category(id string) *Category {
	for i := range e.cfg.Register.Categories {
		if e.cfg.Register.Categories[i].ID == id {
			return &e.cfg.Register.Categories[i]
		}
	}
	return nil
}
