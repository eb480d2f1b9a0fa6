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

// Override sets a tenant's own period for a category, within the category's bounds ([ErrBounds]), and records it. The zero
// Period takes it back.
func (e *Eraser) Override(ctx context.Context, tenant uuid.UUID, category string, p Period, by By) error {
	c := e.category(category)
	now := e.now()
	switch {
	case c == nil || c.Retention.Period.Zero():
		return fmt.Errorf("%w: override: category with a period", ErrUnknown)
	case p.check() != nil:
		return p.check()
	case !p.Zero() && !c.Retention.within(p, now):
		return ErrBounds
	}
	effective := p
	if p.Zero() {
		effective = c.Retention.Period
	}
	err := e.cfg.DB.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		if err := lockTenant(ctx, tx, tenant); err != nil {
			return err
		}
		if err := setOverride(ctx, tx, tenant, category, p, by, now); err != nil {
			return err
		}
		return e.cfg.Record.RecordTx(ctx, tx, record.Event{
			Tenant: tenant, Actor: by.null(), Action: "retention_changed", EntityType: "retention", EntityID: category, Critical: true,
			Details:   map[string]any{"period": effective.String(), "standard": p.Zero()},
			Narrative: record.Narrative{Template: "retention_changed", Args: map[string]any{"category": category, "period": effective.String(), "at": now}},
		})
	})
	if err != nil {
		return fmt.Errorf("erasure: override: %w", err)
	}
	return nil
}

func setOverride(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, category string, p Period, by By, now time.Time) (err error) {
	if p.Zero() {
		_, err = tx.Exec(ctx, `DELETE FROM tomkit.retention_overrides WHERE tenant_id = $1 AND category = $2`, tenant, category)
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO tomkit.retention_overrides (tenant_id, category, period, set_at, set_by) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id, category) DO UPDATE SET period = excluded.period, set_at = excluded.set_at, set_by = excluded.set_by`,
		tenant, category, p.String(), now, by.null())
	return err
}

// policy reads what decides in a tenant: the register's periods, the tenant's own ones drawn into the bounds of today's
// register, and whether there is a hold.
func (e *Eraser) policy(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, now time.Time) (*policy, error) {
	p := &policy{tenant: tenant, now: now, cutoffs: map[string]time.Time{}}
	own := map[string]string{}
	rows, err := tx.Query(ctx, `SELECT category, period FROM tomkit.retention_overrides WHERE tenant_id = $1`, tenant)
	if err != nil {
		return nil, err
	}
	var category, period string
	if _, err := pgx.ForEachRow(rows, []any{&category, &period}, func() error { own[category] = period; return nil }); err != nil {
		return nil, err
	}
	for i := range e.cfg.Register.Categories {
		c := &e.cfg.Register.Categories[i]
		if c.Retention.Period.Zero() {
			continue
		}
		kept, err := c.Retention.effective(own[c.ID], now)
		if err != nil {
			return nil, fmt.Errorf("override of category %s: %w", c.ID, err)
		}
		p.cutoffs[c.ID] = kept.Before(now)
	}
	p.held, err = holds(ctx, tx, tenant, now)
	return p, err
}

// effective draws an override into the bounds; none is the standard.
func (r Retention) effective(override string, now time.Time) (Period, error) {
	if override == "" {
		return r.Period, nil
	}
	p, err := ParsePeriod(override)
	switch {
	case err != nil:
		return p, err
	case !r.Min.Zero() && r.Min.longer(p, now):
		return r.Min, nil
	case !r.Max.Zero() && p.longer(r.Max, now):
		return r.Max, nil
	}
	return p, nil
}
