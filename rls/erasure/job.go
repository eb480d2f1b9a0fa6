package erasure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/wait"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// Step is how far the deletion of a tenant has come.
type Step string

// The steps, in their order.
const (
	StepRows   Step = "rows"   // rows are being deleted
	StepStores Step = "stores" // outside stores have to confirm
	StepProof  Step = "proof"  // nothing may be found any more
	StepDone   Step = "done"
)

// Job is the deletion of a tenant. It outlives the tenant.
type Job struct {
	// Tenant and Slug name what was deleted, Reason why.
	Tenant uuid.UUID
	Slug   string
	Reason string
	// Step is what is to be done next.
	Step Step
	// Counts are the rows deleted, by table.
	Counts map[string]int64
	// Stores are those that have confirmed.
	Stores []string
	// Attempts counts calls of stores that failed; Failed names the store that failed last, or the proof.
	Attempts int
	Failed   string
	// StartedAt, UpdatedAt and FinishedAt are UTC; FinishedAt is zero until the job is done.
	StartedAt, UpdatedAt, FinishedAt time.Time
}

// Rows is the number of rows deleted.
func (j *Job) Rows() (n int64) {
	for _, rows := range j.Counts {
		n += rows
	}
	return n
}

const jobSQL = `SELECT tenant_id, slug, reason, step, counts, stores, attempts, failed, started_at, updated_at, finished_at FROM tomkit.erasure_jobs`

func scanJob(row pgx.CollectableRow) (Job, error) {
	var j Job
	var finished *time.Time
	err := row.Scan(&j.Tenant, &j.Slug, &j.Reason, &j.Step, &j.Counts, &j.Stores, &j.Attempts, &j.Failed, &j.StartedAt, &j.UpdatedAt, &finished)
	j.StartedAt, j.UpdatedAt = j.StartedAt.UTC(), j.UpdatedAt.UTC()
	if j.Counts == nil {
		j.Counts = map[string]int64{}
	}
	if finished != nil {
		j.FinishedAt = finished.UTC()
	}
	return j, err
}

// readJob locks and returns a tenant's job.
func readJob(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) (Job, error) {
	rows, err := tx.Query(ctx, jobSQL+` WHERE tenant_id = $1 FOR UPDATE`, tenant)
	if err != nil {
		return Job{}, err
	}
	job, err := pgx.CollectExactlyOneRow(rows, scanJob)
	if errors.Is(err, pgx.ErrNoRows) {
		return job, fmt.Errorf("%w: job", ErrUnknown)
	}
	return job, err
}

// Jobs lists the deletions of tenants, the newest first.
func (e *Eraser) Jobs(ctx context.Context) (jobs []Job, err error) {
	err = e.cfg.DB.System(ctx, reasonOffboard, func(ctx context.Context, tx *rls.Tx) error {
		rows, err := tx.Query(ctx, jobSQL+` ORDER BY started_at DESC, tenant_id`)
		if err != nil {
			return err
		}
		jobs, err = pgx.CollectRows(rows, scanJob)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("erasure: jobs: %w", err)
	}
	return jobs, nil
}

// Resume goes on with every deletion of a tenant that is not done. Those that cannot be finished now stay for the next call.
func (e *Eraser) Resume(ctx context.Context) ([]Job, error) {
	jobs, err := e.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	jobs = slices.DeleteFunc(jobs, func(j Job) bool { return j.Step == StepDone })
	var failed []error
	for i := range jobs {
		job, err := e.advance(ctx, jobs[i].Tenant)
		if job.Tenant != uuid.Nil {
			jobs[i] = job
		}
		failed = append(failed, err)
	}
	return jobs, errors.Join(failed...)
}

// advance does the steps of a job until it is done or one fails.
func (e *Eraser) advance(ctx context.Context, tenant uuid.UUID) (job Job, err error) {
	for job.Step != StepDone {
		var step func(context.Context, Job) error
		job, err = e.reload(ctx, tenant)
		if err != nil {
			return job, err
		}
		switch job.Step {
		case StepRows:
			step = e.deleteRows
		case StepStores:
			step = e.purgeStores
		case StepProof:
			step = e.proveAndFinish
		default:
			return job, nil
		}
		if err := step(ctx, job); err != nil {
			if now, reread := e.reload(context.WithoutCancel(ctx), tenant); reread == nil {
				job = now
			}
			return job, fmt.Errorf("erasure: delete tenant: step %s: %w", job.Step, err)
		}
	}
	return job, nil
}

func (e *Eraser) reload(ctx context.Context, tenant uuid.UUID) (job Job, err error) {
	err = e.cfg.DB.System(ctx, reasonOffboard, func(ctx context.Context, tx *rls.Tx) error {
		job, err = readJob(ctx, tx, tenant)
		return err
	})
	return job, err
}

// change runs fn with the tenant's job locked and stores what it makes of it. Processes that resume the same job take turns.
func (e *Eraser) change(ctx context.Context, tenant uuid.UUID, fn func(context.Context, *rls.Tx, *Job) error) error {
	return e.cfg.DB.System(ctx, reasonOffboard, func(ctx context.Context, tx *rls.Tx) error {
		if err := lockTenant(ctx, tx, tenant); err != nil {
			return err
		}
		job, err := readJob(ctx, tx, tenant)
		if err != nil {
			return err
		}
		job.UpdatedAt = e.now()
		if err := fn(ctx, tx, &job); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE tomkit.erasure_jobs SET step = $2, counts = $3, stores = $4, attempts = $5, failed = $6, updated_at = $7, finished_at = $8
			WHERE tenant_id = $1`, tenant, job.Step, job.Counts, job.Stores, job.Attempts, job.Failed, job.UpdatedAt, nullTime(job.FinishedAt))
		return err
	})
}

// purgeStores calls every store that has not confirmed, each several times if need be. One that fails does not keep the
// others from being called.
func (e *Eraser) purgeStores(ctx context.Context, job Job) error {
	var failed []error
	for _, s := range e.cfg.Stores {
		if slices.Contains(job.Stores, s.Name) {
			continue
		}
		if err := e.purgeStore(ctx, job.Tenant, s); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return errors.Join(append([]error{ErrStores}, failed...)...)
	}
	return e.change(ctx, job.Tenant, func(_ context.Context, _ *rls.Tx, j *Job) error {
		if j.Step == StepStores {
			j.Step, j.Failed = StepProof, ""
		}
		return nil
	})
}

func (e *Eraser) purgeStore(ctx context.Context, tenant uuid.UUID, s Store) error {
	pause := e.cfg.Backoff
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := purge(ctx, s, tenant)
		if noted := e.noteStore(context.WithoutCancel(ctx), tenant, s.Name, err == nil); err == nil || noted != nil {
			return noted
		}
		if attempt == e.cfg.Attempts {
			return err
		}
		if err := wait.For(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, maxBackoff)
	}
}

func purge(ctx context.Context, s Store, tenant uuid.UUID) error {
	purged, err := s.Purger.Purge(ctx, tenant)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.Name, err)
	}
	if purged.Remaining != 0 {
		return fmt.Errorf("store %s: %d objects remain", s.Name, purged.Remaining)
	}
	return nil
}

// noteStore remembers the outcome of one call, without the store's words: they may hold secrets.
func (e *Eraser) noteStore(ctx context.Context, tenant uuid.UUID, name string, ok bool) error {
	return e.change(ctx, tenant, func(_ context.Context, _ *rls.Tx, j *Job) error {
		switch {
		case !ok:
			j.Attempts++
			j.Failed = name
		case !slices.Contains(j.Stores, name):
			j.Stores = append(j.Stores, name)
		}
		return nil
	})
}

// proveAndFinish ends the job if nothing is found, with its entry in the same transaction. Where something is found that can
// be deleted, the job goes back to deleting.
func (e *Eraser) proveAndFinish(ctx context.Context, job Job) error {
	var left *LeftoverError
	err := e.change(ctx, job.Tenant, func(ctx context.Context, tx *rls.Tx, j *Job) error {
		if j.Step != StepProof {
			return nil
		}
		cat, err := readCatalog(ctx, tx, e.cfg.Register)
		if err != nil {
			return err
		}
		err = prove(ctx, tx, cat, j.Tenant)
		if errors.As(err, &left) {
			j.Step, j.Failed, j.Stores = StepRows, "proof", []string{} // the stores may have been filled again, too
			return nil
		}
		if err != nil {
			return err
		}
		j.Step, j.Failed, j.FinishedAt = StepDone, "", j.UpdatedAt
		return e.recordDone(ctx, tx, j)
	})
	if err != nil {
		return err
	}
	if left != nil {
		return left
	}
	return nil
}

func (e *Eraser) recordDone(ctx context.Context, tx *rls.Tx, j *Job) error {
	log, err := operator(ctx, tx)
	if err != nil {
		return err
	}
	counts := map[string]any{}
	for table, n := range j.Counts {
		counts[table] = n
	}
	stores := make([]any, len(j.Stores))
	for i, name := range j.Stores {
		stores[i] = name
	}
	return e.cfg.Record.RecordTx(ctx, tx, record.Event{
		Tenant: log, Action: "tenant_erased", EntityType: "tenant", EntityID: j.Tenant.String(), Critical: true,
		Details:   map[string]any{"reason": j.Reason, "tables": counts, "stores": stores},
		Narrative: record.Narrative{Template: "tenant_erased", Args: map[string]any{"tenant": j.Slug, "count": j.Rows(), "at": j.UpdatedAt}},
	})
}
