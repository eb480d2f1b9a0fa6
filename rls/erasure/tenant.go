package erasure

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// TableCount is how many rows of a table there are, or were.
type TableCount struct {
	Table string
	Rows  int64
}

// TenantPlan is what the deletion of a tenant would do.
type TenantPlan struct {
	// Tenant and Slug name it.
	Tenant uuid.UUID
	Slug   string
	// Go are the rows that would be deleted, Stay those of the ledger. Tables without rows are left out.
	Go, Stay []TableCount
	// Stores are the outside stores that would be emptied.
	Stores []string
	// Held says that a legal hold forbids it.
	Held bool
}

// PlanTenant is the dry run of [Eraser.DeleteTenant]. It changes nothing.
func (e *Eraser) PlanTenant(ctx context.Context, tenant uuid.UUID) (TenantPlan, error) {
	plan := TenantPlan{Tenant: tenant}
	for _, s := range e.cfg.Stores {
		plan.Stores = append(plan.Stores, s.Name)
	}
	err := e.cfg.DB.System(ctx, reasonOffboard, func(ctx context.Context, tx *rls.Tx) error {
		cat, err := bind(ctx, tx, e.cfg.Register)
		if err != nil {
			return err
		}
		if plan.Slug, err = deletable(ctx, tx, tenant); err != nil {
			return err
		}
		if plan.Held, err = holds(ctx, tx, tenant, e.now()); err != nil {
			return err
		}
		for _, rel := range cat.tenants() {
			if !rel.readable {
				continue // a part of the ledger
			}
			n, err := countOf(ctx, tx, rel, tenant, rel.tenant[:1])
			if err != nil {
				return err
			}
			to := &plan.Go
			if rel.stays() {
				to = &plan.Stay
			}
			if n > 0 {
				*to = append(*to, TableCount{rel.tag, n})
			}
		}
		return nil
	})
	if err != nil {
		return plan, fmt.Errorf("erasure: plan tenant: %w", err)
	}
	return plan, nil
}

// stays reports whether the relation outlives tenants.
func (r *relation) stays() bool { return r.exempt != nil && r.exempt.Stays }

// deletable returns the slug of a tenant that may be deleted.
func deletable(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) (slug string, err error) {
	var kind string
	err = tx.QueryRow(ctx, `SELECT slug, kind FROM tomkit.tenants WHERE id = $1`, tenant).Scan(&slug, &kind)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", fmt.Errorf("%w: tenant", ErrUnknown)
	case err == nil && kind == "operator":
		return "", ErrOperator
	}
	return slug, err
}

// countOf counts the rows that have the tenant in one of the columns.
func countOf(ctx context.Context, tx pgx.Tx, rel *relation, tenant uuid.UUID, columns []string) (n int64, err error) {
	b := (&policy{tenant: tenant}).builder()
	terms := make([]string, len(columns))
	for i, name := range columns {
		terms[i] = b.is(rel, "t", name)
	}
	sql := "SELECT count(*) FROM " + rel.sql + " t WHERE " + strings.Join(terms, " OR ")
	if err := tx.QueryRow(ctx, sql, b.args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("table %s: %w", rel.tag, err)
	}
	return n, nil
}

// Deletion asks for the deletion of a tenant.
type Deletion struct {
	// Tenant is to be deleted, Confirm its slug, typed by whoever asks.
	Tenant  uuid.UUID
	Confirm string
	// Reason is a code such as "contract_ended": 1–64 of a-z, 0-9, '_', '.', '-'. It is recorded.
	Reason string
	// By is who asks.
	By By
}

// DeleteTenant deletes a tenant (Art. 17): its rows in every table but the ledger's, then what outside stores hold, and then
// proves that nothing remains. It suspends the tenant and makes a durable job first, recorded in the operator's log, and does
// the job step by step. On an error, or when ctx ends, the job is left for [Eraser.Resume]; calling DeleteTenant again does
// the same. A hold on the tenant is [ErrHeld].
func (e *Eraser) DeleteTenant(ctx context.Context, d Deletion) (Job, error) {
	if !reasonForm.MatchString(d.Reason) {
		return Job{}, fmt.Errorf("%w: delete tenant: the reason is not a code", ErrInvalid)
	}
	err := e.cfg.DB.System(ctx, reasonOffboard, func(ctx context.Context, tx *rls.Tx) error { return e.start(ctx, tx, d) })
	if err != nil {
		return Job{}, fmt.Errorf("erasure: delete tenant: %w", err)
	}
	return e.advance(ctx, d.Tenant)
}

// start makes the job, unless there is one.
func (e *Eraser) start(ctx context.Context, tx *rls.Tx, d Deletion) error {
	if err := lockTenant(ctx, tx, d.Tenant); err != nil {
		return err
	}
	job, err := readJob(ctx, tx, d.Tenant)
	if !errors.Is(err, ErrUnknown) {
		if err == nil && job.Slug != d.Confirm {
			return ErrConfirm
		}
		return err
	}
	if _, err := bind(ctx, tx, e.cfg.Register); err != nil {
		return err
	}
	slug, err := deletable(ctx, tx, d.Tenant)
	if err != nil {
		return err
	}
	if slug != d.Confirm {
		return ErrConfirm
	}
	now := e.now()
	held, err := holds(ctx, tx, d.Tenant, now)
	if err != nil {
		return err
	}
	if held {
		return ErrHeld
	}
	log, err := operator(ctx, tx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE tomkit.tenants SET status = 'suspended' WHERE id = $1`, d.Tenant); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO tomkit.erasure_jobs (tenant_id, slug, reason, step, started_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)`,
		d.Tenant, slug, d.Reason, StepRows, now); err != nil {
		return err
	}
	return e.cfg.Record.RecordTx(ctx, tx, record.Event{
		Tenant: log, Actor: d.By.null(), Action: "tenant_erasure_started", EntityType: "tenant", EntityID: d.Tenant.String(), Critical: true,
		Details:   map[string]any{"reason": d.Reason},
		Narrative: record.Narrative{Template: "tenant_erasure_started", Args: map[string]any{"tenant": slug, "reason": d.Reason, "at": now}},
	})
}
