// Package auditor is the program tomkit-verify: it checks an export of a tenant's audit log offline. It opens no network connection and
// writes no file.
package auditor

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

const help = `PATH is the export, a directory or a .zip file. Every entry is read once: its form, position, tenant, time, link to the entry before and hashes; then the tree over all entries against the signed checkpoint, the signatures of critical entries, and the personal values against what the log binds. The first line that matters on failure is the position of the first entry that was tampered with.

What an export says about itself only shows that it is consistent: whoever controls the log can write it anew and sign it with new keys. So bring what you hold from before:

  --keys      the log's keys.json, obtained by another way than the export
  --receipt   receipts handed out when entries were written (.tlog-proof)
  --since     a checkpoint you saved earlier; the log must continue it

Examples:

  tomkit-verify export.zip
  tomkit-verify --keys keys.json --receipt approval-17.tlog-proof export/
  tomkit-verify --json --since checkpoint-2026-02 export.zip | jq .verdict

Exit codes: 0 the log is intact, 1 it is broken, 2 the input cannot be judged.`

type grammar struct {
	Path     string           `arg:"" help:"Export to check: a directory or a .zip file."`
	Keys     string           `help:"Key history to trust instead of the export's own." placeholder:"FILE" aliases:"key"`
	Receipt  []string         `help:"Receipt that the log must contain. Repeatable." placeholder:"FILE" sep:"none"`
	Since    string           `help:"Earlier checkpoint that the log must continue." placeholder:"FILE"`
	Origin   string           `help:"Origin the log must have, the first line of its checkpoints."`
	Tenant   string           `help:"UUID of the tenant the log must belong to."`
	JSON     bool             `name:"json" help:"Print the report as JSON."`
	Findings int              `help:"Findings to keep per kind and to print." default:"20"`
	Quiet    bool             `short:"q" help:"Print nothing but errors."`
	Version  kong.VersionFlag `help:"Print the version."`
}

// Run is the program: it checks what args name, prints to stdout, explains failures on stderr, and returns the exit code: 0 intact,
// 1 broken, 2 unusable input.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	program := cli.Program{
		Name: "tomkit-verify", Summary: "Check an export of a tomkit audit log, offline.", Help: help,
		Grammar: &grammar{}, Stdout: stdout, Stderr: stderr,
	}
	return program.Run(ctx, args, &streams{stdout: stdout, stderr: stderr})
}

// streams are where results and everything else go.
type streams struct{ stdout, stderr io.Writer }

// Run is called by kong with the parsed command line.
func (g *grammar) Run(ctx context.Context, s *streams) error {
	if g.Findings < 1 {
		return cli.UsageError("--findings must be at least 1")
	}
	cfg, err := g.config()
	if err != nil {
		return err
	}
	export, err := openExport(g.Path)
	if err != nil {
		return err
	}
	defer export.Close()

	bar := newBar(s.stderr, g.Quiet || g.JSON)
	cfg.Progress = bar.update
	report, err := verify.Verify(ctx, export, cfg)
	bar.done()
	if err != nil {
		return &cli.ExitError{Code: cli.Usage, Err: err}
	}
	if err := g.print(s, report); err != nil {
		return &cli.ExitError{Code: cli.Usage, Err: fmt.Errorf("writing the report: %w", err)}
	}
	if !report.Intact() {
		return &cli.ExitError{Code: cli.Failure, Err: fmt.Errorf("the log is broken: %w", report.Err())}
	}
	return nil
}
