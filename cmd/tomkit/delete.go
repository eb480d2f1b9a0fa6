package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls/erasure"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

type deleteTenantCmd struct {
	Confirm string `help:"Short name of the tenant: what is deleted is gone." required:"" placeholder:"SLUG"`
	Reason  string `help:"Why, as a code; it is recorded." default:"contract_ended"`
	DryRun  bool   `help:"Only count what would go."`
}

// Run deletes the tenant, or goes on with a deletion that was interrupted.
func (d *deleteTenantCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	return a.withEraser(ctx, c, func(s *server.Server, eraser *erasure.Eraser) error {
		id, err := d.find(ctx, s, eraser)
		if err != nil {
			return err
		}
		if d.DryRun {
			return d.plan(ctx, c, eraser, id)
		}
		job, err := eraser.DeleteTenant(ctx, erasure.Deletion{Tenant: id, Confirm: d.Confirm, Reason: d.Reason})
		if job.Slug != "" {
			d.report(c, job)
		}
		if err != nil {
			return err
		}
		return s.CloseDeletedLogs(ctx)
	})
}

// find also knows tenants whose rows are gone and whose deletion is not done.
func (d *deleteTenantCmd) find(ctx context.Context, s *server.Server, eraser *erasure.Eraser) (uuid.UUID, error) {
	id, err := findTenant(ctx, s, d.Confirm)
	if !errors.Is(err, tenant.ErrUnknown) {
		return id, err
	}
	jobs, jobsErr := eraser.Jobs(ctx)
	for _, j := range jobs {
		if j.Slug == d.Confirm && j.Step != erasure.StepDone {
			return j.Tenant, nil
		}
	}
	return id, errors.Join(err, jobsErr)
}

func (d *deleteTenantCmd) plan(ctx context.Context, c *console, eraser *erasure.Eraser, id uuid.UUID) error {
	plan, err := eraser.PlanTenant(ctx, id)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, t := range plan.Go {
		fmt.Fprintf(w, "%s\t%d\n", t.Table, t.Rows)
	}
	for _, t := range plan.Stay {
		fmt.Fprintf(w, "%s\t%d\tstays\n", t.Table, t.Rows)
	}
	if plan.Held {
		fmt.Fprintln(w, "a legal hold forbids it")
	}
	fmt.Fprintln(w, "nothing was changed")
	return w.Flush()
}

// report prints what went so far, and how far the deletion has come.
func (d *deleteTenantCmd) report(c *console, job erasure.Job) {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, table := range slices.Sorted(maps.Keys(job.Counts)) {
		fmt.Fprintf(w, "%s\t%d\n", table, job.Counts[table])
	}
	_ = w.Flush() // to a terminal or a file of the caller's
	printJobs(c.out, job)
}
