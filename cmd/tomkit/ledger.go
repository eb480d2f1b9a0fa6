package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

type ledgerCmd struct {
	installation `embed:""`
	Import       importCmd        `cmd:"" help:"Verify a chain in the document's own format and write it as an export."`
	Verify       ledgerVerifyCmd  `cmd:"" help:"Verify a tenant's log as it is stored. Exit 1 if it is not intact."`
	Export       ledgerExportCmd  `cmd:"" help:"Write a tenant's log as an export for tomkit-verify."`
	Keys         ledgerKeysCmd    `cmd:"" help:"Print a log's public keys (keys.json), for whoever pins them."`
	Receipt      ledgerReceiptCmd `cmd:"" help:"Print the proof that an entry is in the log."`
	Rotate       ledgerRotateCmd  `cmd:"" name:"rotate-keys" help:"Give a log other keys; the old ones are destroyed."`
	Reseal       ledgerResealCmd  `cmd:"" help:"Seal all private keys under the vault's present key."`
	Recover      ledgerRecoverCmd `cmd:"" help:"Let a log that was restored behind an anchor go on, with a declared gap. Needs two approvers."`
	Erase        ledgerEraseCmd   `cmd:"" help:"Erase a person's values from a log (Art. 17); erasure erase-person does the tables too."`
	Close        ledgerCloseCmd   `cmd:"" help:"End a tenant's log for good and write its archive."`
	Purge        ledgerPurgeCmd   `cmd:"" help:"Remove a closed log whose time to be kept is over. Needs TOMKIT_DATABASE_MIGRATOR_URL or --data."`
	Health       ledgerHealthCmd  `cmd:"" help:"Say how far checkpoints and anchors lag behind. Exit 1 if something is late."`
}

// ofLog names a log by its tenant.
type ofLog struct {
	Tenant string `help:"Short name or id of the tenant. A deleted tenant has only its id." required:"" placeholder:"SLUG"`
}

func (o *ofLog) with(ctx context.Context, l *ledgerCmd, work func(*server.Server, uuid.UUID) error) error {
	return l.with(ctx, func(s *server.Server) error {
		id, err := uuid.Parse(o.Tenant)
		if err != nil {
			if id, err = findTenant(ctx, s, o.Tenant); err != nil {
				return err
			}
		}
		return work(s, id)
	})
}

type ledgerVerifyCmd struct {
	ofLog
	From string `help:"A signed checkpoint that was verified before and is trusted: only what follows is read." placeholder:"FILE"`
	JSON bool   `name:"json" help:"Print the report as JSON."`
}

// Run verifies the log.
func (v *ledgerVerifyCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	var sentences narrative.Summary
	opts := pgledger.VerifyOptions{Narratives: &sentences}
	if v.From != "" {
		var err error
		if opts.From, err = readBounded(v.From, verify.MaxCheckpoint); err == nil {
			err = verify.CheckNote(opts.From)
		}
		if err != nil {
			return cli.UsageError("--from: %w", err)
		}
	}
	return v.with(ctx, l, func(s *server.Server, tenant uuid.UUID) error {
		line := newRowsLine(c.err)
		opts.Progress = func(p verify.Progress) { line.update(int64(p.Entries)) }
		report, err := s.Ledger.VerifyChain(ctx, tenant, opts)
		line.done()
		if err != nil {
			return err
		}
		if err := v.print(c.out, report, sentences); err != nil {
			return err
		}
		if !report.Intact() {
			return fmt.Errorf("the log is not intact: %w", report.Err())
		}
		return nil
	})
}

func (v *ledgerVerifyCmd) print(out io.Writer, report *verify.Report, sentences narrative.Summary) error {
	if v.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			*verify.Report
			Narratives narrative.Summary `json:"narratives"`
		}{report, sentences})
	}
	fmt.Fprintf(out, "%s: %d entries, %s\n", report.Verdict, report.Entries, report.Origin)
	for _, gap := range report.Gaps {
		fmt.Fprintf(out, "DECLARED GAP: entries %d to %d of epoch %d are lost, declared by entry %d\n", gap.From, gap.Until-1, gap.Epoch, gap.Entry)
	}
	for _, f := range report.Findings {
		fmt.Fprintf(out, "%s: %v\n", f.Kind, f.Err)
	}
	_, err := fmt.Fprintf(out, "%d critical, %d personal values, %d erased; sentences rendered again: %d, unknown %d, differing %d\n",
		report.Critical, report.Openings, report.Redacted, sentences.Rendered, sentences.Unknown, sentences.Differing)
	return err
}

type ledgerExportCmd struct {
	ofLog
	Output   string `short:"o" help:"Directory to write; it must not exist or be empty." required:"" type:"path" placeholder:"DIR"`
	Withhold bool   `name:"withhold-personal" help:"Leave personal values out; the export verifies all the same."`
}

// Run writes the export.
func (x *ledgerExportCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	return x.with(ctx, l, func(s *server.Server, tenant uuid.UUID) error {
		files, err := verify.NewDir(x.Output)
		if err != nil {
			return usage(err)
		}
		size, err := s.Ledger.Export(ctx, tenant, files, pgledger.ExportOptions{WithholdPersonal: x.Withhold})
		if err = errors.Join(err, files.Close()); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%d entries written to %s\n", size, x.Output)
		return err
	})
}

type ledgerKeysCmd struct{ ofLog }

// Run prints keys.json.
func (k *ledgerKeysCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	return k.with(ctx, l, func(s *server.Server, tenant uuid.UUID) error {
		h, err := s.Ledger.KeyHistory(ctx, tenant)
		if err != nil {
			return err
		}
		return printKeys(c.out, h)
	})
}

func printKeys(out io.Writer, h *verify.KeyHistory) error {
	text, err := h.Marshal()
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}

type ledgerReceiptCmd struct {
	ofLog
	Seq uint64 `help:"Position of the entry." required:""`
}

// Run prints the proof, making a checkpoint if none covers the entry yet.
func (r *ledgerReceiptCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	return r.with(ctx, l, func(s *server.Server, tenant uuid.UUID) error {
		head, err := s.Ledger.Head(ctx, tenant)
		if err != nil {
			return err
		}
		if r.Seq >= head.Size {
			return cli.UsageError("the log has %d entries", head.Size)
		}
		if _, err := s.Ledger.Checkpoint(ctx, tenant); err != nil {
			return err
		}
		receipt, err := s.Ledger.Prove(ctx, tenant, r.Seq)
		if err != nil {
			return err
		}
		_, err = c.out.Write(receipt.Marshal())
		return err
	})
}

// approvers are the two users who decided what needs dual control.
type approvers struct {
	Approver []uuid.UUID `help:"A user who decided this; two different ones." placeholder:"UUID"`
}

func (a *approvers) two() ([2]uuid.UUID, error) {
	if len(a.Approver) != 2 || a.Approver[0] == a.Approver[1] {
		return [2]uuid.UUID{}, cli.UsageError("--approver has to be given twice, with two different users")
	}
	return [2]uuid.UUID{a.Approver[0], a.Approver[1]}, nil
}

type ledgerRotateCmd struct {
	ofLog
	approvers
	Reason      string   `help:"Why, as a word; it is recorded. Default: scheduled, or compromise."`
	Compromised []string `help:"Id of a key in wrong hands. Then two --approver are needed." placeholder:"KEY"`
}

// Run changes the keys and prints the new history.
func (r *ledgerRotateCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	rotation := pgledger.Rotation{Reason: r.Reason}
	for _, text := range r.Compromised {
		id, err := sign.ParseKeyID(text)
		if err != nil {
			return cli.UsageError("--compromised is not a key id")
		}
		rotation.Compromised = append(rotation.Compromised, id)
	}
	if len(rotation.Compromised) > 0 {
		var err error
		if rotation.Approvers, err = r.two(); err != nil {
			return err
		}
	}
	return r.with(ctx, l, func(s *server.Server, tenant uuid.UUID) error {
		done, err := s.Ledger.RotateKeys(ctx, tenant, rotation)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.err, "entry %d announces the new keys\n", done.Receipt.Seq)
		return printKeys(c.out, done.History)
	})
}

type ledgerResealCmd struct {
	After uuid.UUID `help:"Go on behind this tenant." placeholder:"UUID"`
}

// Run reseals the keys of all logs.
func (r *ledgerResealCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	return l.with(ctx, func(s *server.Server) error {
		var last uuid.UUID
		line := newRowsLine(c.err)
		done, err := s.Ledger.Reseal(ctx, pgledger.ResealOptions{After: r.After, Progress: func(t uuid.UUID, n int) { last = t; line.update(int64(n)) }})
		line.done()
		if err != nil {
			return fmt.Errorf("%w; go on with --after=%s", err, last)
		}
		_, err = fmt.Fprintf(c.out, "%d log(s), %d key(s) sealed anew\n", done.Logs, done.Keys)
		return err
	})
}

type ledgerRecoverCmd struct {
	ofLog
	approvers
}

// Run recovers the log.
func (r *ledgerRecoverCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	two, err := r.two()
	if err != nil {
		return err
	}
	return r.with(ctx, l, func(s *server.Server, tenant uuid.UUID) error {
		operator, err := operatorOf(ctx, s)
		if err != nil {
			return err
		}
		done, err := s.Ledger.Recover(ctx, tenant, pgledger.Recovery{Approvers: two, Operator: operator})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "DECLARED GAP: entries %d to %d are lost, as %s remembers; entry %d begins epoch %d\n",
			done.LostFrom, done.LostUntil-1, done.Anchor, done.Receipt.Seq, done.Epoch)
		return err
	})
}

func operatorOf(ctx context.Context, s *server.Server) (id uuid.UUID, err error) {
	err = s.DB.System(ctx, "ledger", func(ctx context.Context, tx *rls.Tx) error {
		return tx.QueryRow(ctx, `SELECT id FROM tomkit.operators`).Scan(&id)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = cli.UsageError("there is no operator; see tomkit admin bootstrap")
	}
	return id, err
}

type ledgerEraseCmd struct {
	ofLog
	Person  uuid.UUID `help:"The person's id." required:"" placeholder:"UUID"`
	Confirm uuid.UUID `help:"The person's id once more: what is erased is gone." required:"" placeholder:"UUID"`
	Reason  string    `help:"Why, as a code; it is recorded." default:"request"`
}

// Run erases the person's values.
func (e *ledgerEraseCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	if e.Confirm != e.Person {
		return cli.UsageError("--confirm must repeat the id given with --person")
	}
	return e.with(ctx, l, func(s *server.Server, tenant uuid.UUID) error {
		line := newRowsLine(c.err)
		done, err := s.Ledger.Erase(ctx, tenant, pgledger.EraseRequest{Subject: e.Person, Reason: e.Reason, Progress: func(n uint64) { line.update(int64(n)) }})
		line.done()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%d value(s) erased, told by %d entries\n", done.Values, len(done.Receipts))
		return err
	})
}

type ledgerCloseCmd struct {
	ofLog
	Confirm string        `help:"The tenant once more: a closed log takes no further entry, ever." required:"" placeholder:"SLUG"`
	Reason  string        `help:"Why, as a code; it is recorded." default:"contract_ended"`
	Keep    time.Duration `help:"How long the rows have to be kept. Default: 10 years."`
	Archive string        `help:"Directory for the final export, personal values included." type:"path" placeholder:"DIR"`
}

// Run closes the log.
func (x *ledgerCloseCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	if x.Confirm != x.Tenant {
		return cli.UsageError("--confirm must repeat what is given with --tenant")
	}
	return x.with(ctx, l, func(s *server.Server, tenant uuid.UUID) (err error) {
		closing := pgledger.Closing{Reason: x.Reason, Keep: x.Keep}
		if x.Archive != "" {
			files, err := verify.NewDir(x.Archive)
			if err != nil {
				return usage(err)
			}
			defer func() { err = errors.Join(err, files.Close()) }()
			closing.Archive = files
		}
		done, err := s.Ledger.CloseLog(ctx, tenant, closing)
		if err != nil {
			return err
		}
		if len(done.Unanchored) > 0 {
			fmt.Fprintf(c.err, "the final checkpoint is not anchored at %s yet\n", strings.Join(done.Unanchored, ", "))
		}
		_, err = fmt.Fprintf(c.out, "closed with %d entries; kept until %s\n", done.Size, done.KeepUntil.Format(time.DateOnly))
		return err
	})
}

type ledgerPurgeCmd struct {
	ofLog
	Confirm string `help:"The tenant once more: what is removed is gone." required:"" placeholder:"UUID"`
}

// Run purges the log.
func (p *ledgerPurgeCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	if p.Confirm != p.Tenant {
		return cli.UsageError("--confirm must repeat what is given with --tenant")
	}
	return p.with(ctx, l, func(s *server.Server, tenant uuid.UUID) error {
		operator, err := operatorOf(ctx, s)
		if err != nil {
			return err
		}
		migrator, err := pgx.Connect(ctx, s.Logins.Migrator)
		if err != nil {
			return errors.New("the migrator's login does not connect") // the error may hold its address
		}
		defer migrator.Close(context.WithoutCancel(ctx))
		line := newRowsLine(c.err)
		rows, err := s.Ledger.Purge(ctx, migrator, tenant, pgledger.Purging{Operator: operator, Progress: line.update})
		line.done()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%d row(s) removed\n", rows)
		return err
	})
}

type ledgerHealthCmd struct{}

// Run prints the health.
func (*ledgerHealthCmd) Run(ctx context.Context, c *console, l *ledgerCmd) error {
	return l.with(ctx, func(s *server.Server) error {
		h, err := s.Ledger.Health(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "logs\t%d\n", h.Logs)
		fmt.Fprintf(w, "checkpoints\tbehind %s\tnewest %s\n", h.Unpublished.Round(time.Millisecond), moment(h.Newest))
		for _, a := range h.Anchors {
			fmt.Fprintf(w, "%s\tbehind %s\tnewest %s\n", a.Name, a.Behind.Round(time.Millisecond), moment(a.Newest))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if !h.OK() {
			return fmt.Errorf("late: %s", strings.Join(h.Late, ", "))
		}
		return nil
	})
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format(time.RFC3339)
}
