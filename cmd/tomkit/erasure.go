package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"golang.org/x/term"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/internal/server/reference"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

type erasureCmd struct {
	installation `embed:""`
	Plan         retentionPlanCmd     `cmd:"" help:"Count what the retention would delete now. Changes nothing."`
	Run          retentionRunCmd      `cmd:"" name:"run" help:"Delete and anonymise what has expired."`
	Record       processingRecordCmd  `cmd:"" help:"Print the record of processing activities (Art. 30 GDPR)."`
	ExportPerson exportPersonCmd      `cmd:"" help:"Write everything a tenant's tables hold about a person as JSON (Art. 15, 20)."`
	ErasePerson  erasePersonCmd       `cmd:"" help:"Delete or anonymise a person's data in a tenant (Art. 17)."`
	Hold         holdCmd              `cmd:"" help:"Legal holds: they win over every deletion."`
	Override     overrideCmd          `cmd:"" help:"A tenant's own retention periods."`
	Jobs         tenantErasureJobsCmd `cmd:"" help:"List deletions of tenants, or resume those that wait."`
}

// findTenant returns the tenant with the given slug.
func findTenant(ctx context.Context, s *server.Server, slug string) (id uuid.UUID, err error) {
	err = s.DB.System(ctx, "erasure", func(ctx context.Context, tx *rls.Tx) error {
		t, err := tenant.GetBySlug(ctx, tx, slug)
		id = t.ID
		return err
	})
	return id, err
}

type retentionPlanCmd struct{}

// Run prints the dry run.
func (p *retentionPlanCmd) Run(ctx context.Context, c *console, e *erasureCmd) error {
	return e.withEraser(ctx, c, func(_ *server.Server, eraser *erasure.Eraser) error {
		report, err := eraser.Plan(ctx)
		return errors.Join(err, printRetention(c.out, report))
	})
}

type retentionRunCmd struct{}

// Run applies the retention.
func (r *retentionRunCmd) Run(ctx context.Context, c *console, e *erasureCmd) error {
	return e.withEraser(ctx, c, func(_ *server.Server, eraser *erasure.Eraser) error {
		report, err := eraser.Apply(ctx)
		return errors.Join(err, printRetention(c.out, report))
	})
}

// printRetention prints the lines that have anything to say, and the sum.
func printRetention(out io.Writer, r erasure.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TENANT\tCATEGORY\tTABLE\tACTION\tROWS\tHELD\tOLDEST KEPT")
	for _, line := range r.Lines {
		if line.Rows == 0 && line.Held == 0 {
			continue
		}
		oldest := "-"
		if !line.OldestKept.IsZero() {
			oldest = line.OldestKept.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", line.Tenant, line.Category, line.Table, line.Action, line.Rows, line.Held, oldest)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	did := "deleted or anonymised"
	if r.DryRun {
		did = "would be deleted or anonymised; nothing was changed"
	}
	_, err := fmt.Fprintf(out, "%d tenant(s), %d row(s) %s (%s)\n", r.Tenants, r.Rows, did, r.Took.Round(time.Millisecond))
	return err
}

type processingRecordCmd struct {
	Format     string `help:"markdown or json." enum:"markdown,json" default:"markdown"`
	Lang       string `help:"de or en." enum:"de,en" default:"de"`
	Controller string `help:"The controller's name and contact."`
	Officer    string `help:"The data protection officer's name and contact."`
}

// Run prints the record. It needs no database.
func (p *processingRecordCmd) Run(c *console) error {
	r := reference.Processing()
	r.Controller, r.Officer = p.Controller, p.Officer
	if p.Format == "json" {
		return r.WriteJSON(c.out, erasure.Lang(p.Lang))
	}
	return r.WriteMarkdown(c.out, erasure.Lang(p.Lang))
}

// personFlags name a person.
type personFlags struct {
	ofTenant
	Person uuid.UUID `help:"The person's id." required:"" placeholder:"UUID"`
}

type exportPersonCmd struct {
	personFlags
	Output string `short:"o" help:"File to write, readable by nobody else; it must not exist. Default: standard output." placeholder:"FILE"`
}

// Run writes the export.
func (x *exportPersonCmd) Run(ctx context.Context, c *console, e *erasureCmd) error {
	return x.with(ctx, c, e, func(eraser *erasure.Eraser, id uuid.UUID) error {
		if x.Output == "" {
			_, err := eraser.ExportPerson(ctx, c.out, id, x.Person, erasure.By{})
			return err
		}
		f, err := os.OpenFile(x.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return usage(err)
		}
		rows, err := eraser.ExportPerson(ctx, f, id, x.Person, erasure.By{})
		if err = errors.Join(err, f.Close()); err != nil {
			return errors.Join(err, os.Remove(x.Output)) // half an export is none
		}
		_, err = fmt.Fprintf(c.out, "%d row(s) written\n", rows)
		return err
	})
}

type erasePersonCmd struct {
	personFlags
	Confirm uuid.UUID `help:"The person's id once more: what is erased is gone." required:"" placeholder:"UUID"`
}

// Run erases the person and reports what stays.
func (x *erasePersonCmd) Run(ctx context.Context, c *console, e *erasureCmd) error {
	if x.Confirm != x.Person {
		return cli.UsageError("--confirm must repeat the id given with --person")
	}
	return x.with(ctx, c, e, func(eraser *erasure.Eraser, id uuid.UUID) error {
		report, err := eraser.ErasePerson(ctx, id, x.Person, erasure.By{})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CATEGORY\tTABLE\tCOLUMN\tACTION\tROWS\tHELD\tKEPT")
		for _, line := range report.Lines {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\n", line.Category, line.Table, line.Column, line.Action, line.Rows, line.Held, line.Kept)
		}
		if report.Values+report.ValuesHeld > 0 {
			fmt.Fprintf(w, "ledger\ttomkit.ledger_openings\tsubject\tdelete\t%d\t%d\t0\n", report.Values, report.ValuesHeld)
		}
		if !report.Complete() {
			fmt.Fprintln(w, "not complete: rows are held or kept")
		}
		return w.Flush()
	})
}

type tenantErasureJobsCmd struct {
	Resume bool `help:"Go on with those that are not done."`
}

// Run lists the jobs.
func (j *tenantErasureJobsCmd) Run(ctx context.Context, c *console, e *erasureCmd) error {
	return e.withEraser(ctx, c, func(_ *server.Server, eraser *erasure.Eraser) error {
		work := eraser.Jobs
		if j.Resume {
			work = eraser.Resume
		}
		jobs, err := work(ctx)
		printJobs(c.out, jobs...)
		return err
	})
}

func printJobs(out io.Writer, jobs ...erasure.Job) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TENANT\tSLUG\tSTEP\tROWS\tSTORES\tSTARTED\tFAILED")
	for _, j := range jobs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", j.Tenant, j.Slug, j.Step, j.Rows(), strings.Join(j.Stores, ","), j.StartedAt.Format(time.RFC3339), j.Failed)
	}
	_ = w.Flush() // to a terminal or a file of the caller's
}

// rowsLine draws the number of rows on a terminal and nothing elsewhere.
type rowsLine struct {
	out  io.Writer // nil: draw nothing
	last time.Time
}

const rowsLineInterval = 100 * time.Millisecond // between two redraws

func newRowsLine(out io.Writer) *rowsLine {
	if f, ok := out.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		out = nil
	}
	return &rowsLine{out: out}
}

func (l *rowsLine) update(rows int64) {
	if l.out == nil || time.Since(l.last) < rowsLineInterval {
		return
	}
	l.last = time.Now()
	fmt.Fprintf(l.out, "\r\x1b[K%d rows", rows)
}

func (l *rowsLine) done() {
	if !l.last.IsZero() {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}
