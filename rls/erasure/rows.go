package erasure

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/wait"
	"github.com/pioneerdesk/tomkit/rls"
)

// deleteRows deletes the tenant's rows in batches, referencing tables before the referenced and so the tenant itself last.
// Each transaction is one batch with the job's new counts. A hold placed meanwhile stops it.
func (e *Eraser) deleteRows(ctx context.Context, job Job) error {
	var cat *catalog
	err := e.cfg.DB.System(ctx, reasonOffboard, func(ctx context.Context, tx *rls.Tx) (err error) {
		cat, err = readCatalog(ctx, tx, e.cfg.Register)
		return err
	})
	if err != nil {
		return err
	}
	rows, doomed := job.Rows(), cat.doomed()
	for i, rel := range doomed {
		for more := true; more; {
			var n int64
			err := e.change(ctx, job.Tenant, func(ctx context.Context, tx *rls.Tx, j *Job) (err error) {
				if i == len(doomed)-1 {
					if err := e.deleteStragglers(ctx, tx, doomed[:i], j); err != nil {
						return err
					}
				}
				if n, err = e.deleteBatch(ctx, tx, rel, j); err != nil {
					return fmt.Errorf("table %s: %w", rel.tag, err)
				}
				return nil
			})
			if err != nil {
				return err
			}
			rows += n
			e.progress(rows)
			if more = n == int64(e.cfg.BatchRows); more {
				if err := wait.For(ctx, e.cfg.Pause); err != nil {
					return err
				}
			}
		}
	}
	return e.change(ctx, job.Tenant, func(_ context.Context, _ *rls.Tx, j *Job) error {
		if j.Step == StepRows {
			j.Step = StepStores
		}
		return nil
	})
}

// doomed are the relations that a deleted tenant's rows are deleted from, the tenants at the end.
func (c *catalog) doomed() []*relation {
	var all []*relation
	last := c.byName["tomkit.tenants"]
	for _, rel := range c.tenants() {
		if rel.stored() && !rel.stays() && rel != last {
			all = append(all, rel)
		}
	}
	return append(all, last)
}

// deleteStragglers locks the tenant and deletes what has come since: writers that are not done are waited for, later ones fail with
// a foreign key violation. Foreign keys would delete these rows, too, but not count them.
func (e *Eraser) deleteStragglers(ctx context.Context, tx pgx.Tx, doomed []*relation, j *Job) error {
	if _, err := tx.Exec(ctx, `SELECT FROM tomkit.tenants WHERE id = $1 FOR UPDATE`, j.Tenant); err != nil {
		return err
	}
	for _, rel := range doomed {
		for more := true; more; {
			n, err := e.deleteBatch(ctx, tx, rel, j)
			if err != nil {
				return fmt.Errorf("table %s: %w", rel.tag, err)
			}
			more = n == int64(e.cfg.BatchRows)
		}
	}
	return nil
}

func (e *Eraser) deleteBatch(ctx context.Context, tx pgx.Tx, rel *relation, j *Job) (int64, error) {
	if j.Step != StepRows {
		return 0, nil // another process went on
	}
	held, err := holds(ctx, tx, j.Tenant, e.now())
	if err != nil {
		return 0, err
	}
	if held {
		return 0, ErrHeld
	}
	b := (&policy{tenant: j.Tenant}).builder()
	tag, err := tx.Exec(ctx, "WITH mine AS MATERIALIZED (SELECT t.tableoid AS part, t.ctid AS address FROM "+rel.sql+" t WHERE "+b.mine(rel, "t")+
		" LIMIT "+b.arg(e.cfg.BatchRows)+") DELETE FROM "+rel.sql+" d USING mine WHERE d.ctid = mine.address AND d.tableoid = mine.part AND "+b.mine(rel, "d"), b.args...)
	if err != nil {
		return 0, err
	}
	n := tag.RowsAffected()
	if n > 0 {
		j.Counts[rel.tag] += n
	}
	return n, nil
}
