package auditor

import (
	"context"
	"errors"
	"fmt"

	"github.com/pioneerdesk/tomkit/internal/auditor/survey"
	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// verifyCommand checks an export.
type verifyCommand struct {
	Source   `embed:""`
	Given    `embed:""`
	Report   string     `help:"Write a report as one HTML page. It holds the personal values that the export opens." placeholder:"FILE"`
	Lang     words.Lang `help:"Language of what is printed and of the report: en or de." enum:"en,de" default:"en"`
	JSON     bool       `name:"json" help:"Print the result as JSON, format tomkit-verify/v1."`
	Findings int        `help:"Findings to keep per kind and to print." default:"20"`
	Quiet    bool       `short:"q" help:"Print nothing but errors."`
}

// result is what a verification found out.
type result struct {
	*verify.Report
	survey survey.Survey
	stamps []stamp
}

// Run is called by kong with the parsed command line.
func (c *verifyCommand) Run(ctx context.Context, s *streams) error {
	if c.Findings < 1 {
		return cli.UsageError("--findings must be at least 1")
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	cfg.MaxFindings = c.Findings
	if err := c.spare(); err != nil {
		return err
	}
	roots, err := c.roots()
	if err != nil {
		return err
	}
	export, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer export.Close()

	var r result
	bar := newBar(s.stderr, c.Lang, c.Quiet || c.JSON)
	cfg.Progress, cfg.Entry = bar.update, r.survey.Entry
	r.Report, err = verify.Verify(ctx, export.files, cfg)
	bar.done()
	if err == nil {
		err = checkStamps(export, &r, roots)
	}
	if err = errors.Join(err, export.fault()); err != nil {
		return unusable(err)
	}
	if c.Report != "" {
		if err := c.writeReport(ctx, s, export, &r); err != nil {
			return unusable(fmt.Errorf("writing the report: %w", err))
		}
	}
	if err := c.print(s, &r); err != nil {
		return unusable(fmt.Errorf("writing the result: %w", err))
	}
	return c.verdict(r.Report)
}

// verdict is the error a broken log ends the program with.
func (c *verifyCommand) verdict(r *verify.Report) error {
	if r.Intact() {
		return nil
	}
	first := r.Findings[0]
	return broken(c.Lang.T("the log is broken: %s: %s", c.Lang.Where(first), c.Lang.Finding(first)))
}

// unusable ends the program with exit code 2: nothing was found out.
func unusable(err error) error { return &cli.ExitError{Code: cli.Usage, Err: err} }

// broken ends the program with exit code 1.
func broken(text string) error { return &cli.ExitError{Code: cli.Failure, Err: errors.New(text)} }
