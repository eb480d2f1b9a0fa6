package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/auditor"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// attackAsSuperuser changes the ledger with the one power nothing inside a database can stop, and looks who notices. Everything is put
// back afterwards, so that the ledger is intact in the end.
func (d *demo) attackAsSuperuser(ctx context.Context) error {
	d.verdict(ctx, "before the attacks", "intact")
	if err := d.flipByte(ctx); err != nil {
		return err
	}
	if err := d.cutTail(ctx); err != nil {
		return err
	}
	d.verdict(ctx, "after everything was put back", "intact")
	return nil
}

// verdict asks the API, as the clinic's administrator.
func (d *demo) verdict(ctx context.Context, when, want string) {
	d.try(ctx, "T9.2-01", "VerifyChain "+when, want, func(ctx context.Context) (string, bool, error) {
		report, err := d.verifyChain(ctx)
		return report.String(), report.Verdict == want, err
	})
}

// chainReport is the part of the API's report that the demonstration reads.
type chainReport struct {
	Verdict  string `json:"verdict"`
	Entries  int    `json:"entries"`
	Findings []struct {
		Kind string `json:"kind"`
		Seq  *int64 `json:"seq"`
		Text string `json:"text"`
	} `json:"findings"`
}

// String is the verdict and the first finding.
func (r chainReport) String() string {
	if len(r.Findings) == 0 {
		return fmt.Sprintf("%s, %d entries", r.Verdict, r.Entries)
	}
	if r.Findings[0].Seq == nil {
		return fmt.Sprintf("%s: %s", r.Verdict, r.Findings[0].Text)
	}
	return fmt.Sprintf("%s at entry %d: %s", r.Verdict, *r.Findings[0].Seq, r.Findings[0].Text)
}

// brokenAt reports whether the first finding names exactly seq.
func (r chainReport) brokenAt(seq int64) bool {
	return r.Verdict == string(verify.Broken) && len(r.Findings) > 0 && r.Findings[0].Seq != nil && *r.Findings[0].Seq == seq
}

func (d *demo) verifyChain(ctx context.Context) (r chainReport, err error) {
	a, err := d.world.browsers[d.world.admin].call(ctx, http.MethodPost, "/v1/audit/verify", nil)
	if err != nil {
		return r, err
	}
	if a.Status != http.StatusOK {
		return r, fmt.Errorf("verify: %s", a)
	}
	return r, json.Unmarshal(a.Body, &r)
}

// flipByte changes one letter of one narrative in the middle of the clinic's log.
func (d *demo) flipByte(ctx context.Context) error {
	const victim = 7
	var original string
	err := d.super.QueryRow(ctx, `SELECT nis2_narrative FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq = $2`, d.world.clinic, victim).Scan(&original)
	if err != nil {
		return err
	}
	changed := []byte(original)
	changed[0] ^= 0x20 // upper case becomes lower case: one bit
	write := func(text string) error {
		return d.unguarded(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE tomkit.audit_logs SET nis2_narrative = $3 WHERE tenant_id = $1 AND seq = $2`, d.world.clinic, victim, text)
			return err
		})
	}
	if err := write(string(changed)); err != nil {
		return err
	}
	expected := fmt.Sprintf("broken at entry %d", victim)
	d.try(ctx, "T3.3-10", fmt.Sprintf("a superuser flips one bit of the narrative of entry %d: VerifyChain", victim), expected, func(ctx context.Context) (string, bool, error) {
		report, err := d.verifyChain(ctx)
		return report.String(), report.brokenAt(victim), err
	})
	d.try(ctx, "T3.3-11", "the same log exported: tomkit-verify on the export", expected, func(ctx context.Context) (string, bool, error) {
		a, err := d.world.browsers[d.world.admin].call(ctx, http.MethodGet, "/v1/audit/export", nil)
		if err != nil || a.Status != http.StatusOK {
			return a.String(), false, err
		}
		report, err := d.offline(ctx, a.Body, nil)
		return report.String(), report.brokenAt(victim), err
	})
	return write(original)
}

// cutTail takes the newest entry away, the head, checkpoints and tiles with it, as somebody would who knows the system.
func (d *demo) cutTail(ctx context.Context) error {
	receipt, err := d.receipt(ctx)
	if err != nil {
		return err
	}
	d.fact("the clinic keeps a receipt for entry %d; the attacker cannot reach it", receipt.Index)
	restore, err := d.cut(ctx, int64(receipt.Index))
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	d.try(ctx, "T3.3-10", "a superuser cuts the newest entry off and sets the head back: VerifyChain with the receipt", "broken: the entry of the receipt is missing", func(ctx context.Context) (string, bool, error) {
		report, err := d.server.Ledger.VerifyChain(ctx, d.world.clinic, pgledger.VerifyOptions{Receipts: []*verify.Receipt{receipt}})
		if err != nil {
			return "", false, err
		}
		seen, err := readReport(report)
		return seen.String(), report.Verdict == verify.Broken, err
	})
	d.try(ctx, "T3.3-11", "the cut log exported: tomkit-verify with the receipt", "broken: the entry of the receipt is missing", func(ctx context.Context) (string, bool, error) {
		files := verify.NewZip(&archive, time.Now())
		if _, err := d.server.Ledger.Export(ctx, d.world.clinic, files, pgledger.ExportOptions{}); err != nil {
			return "", false, err
		}
		if err := files.Close(); err != nil {
			return "", false, err
		}
		report, err := d.offline(ctx, archive.Bytes(), receipt)
		return report.String(), report.Verdict == string(verify.Broken), err
	})
	return restore()
}

// receipt records something and waits for the proof a tenant would keep.
func (d *demo) receipt(ctx context.Context) (*verify.Receipt, error) {
	r, err := d.server.Ledger.Append(ctx, record.Event{
		Tenant: d.world.clinic, Action: "fleet_update_triggered", EntityType: "fleet", EntityID: "all", Critical: true,
		Narrative: record.Narrative{Template: "fleet_update_triggered", Args: map[string]any{
			"user": record.Personal{Subject: uuid.New(), Value: d.world.admin.email}, "at": time.Now(), "version": "1.0.0", "count": int64(1),
		}},
	})
	if err != nil {
		return nil, err
	}
	return r.Wait(ctx)
}

// cut removes everything from seq on and returns what puts it back.
func (d *demo) cut(ctx context.Context, seq int64) (restore func() error, err error) {
	clinic := d.world.clinic
	err = d.unguarded(ctx, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(`CREATE TEMP TABLE stolen_entries AS SELECT * FROM tomkit.audit_logs WHERE tenant_id = '` + clinic.String() + `' AND seq >= ` + fmt.Sprint(seq))
		b.Queue(`CREATE TEMP TABLE stolen_checkpoints AS SELECT * FROM tomkit.ledger_checkpoints WHERE tenant_id = '` + clinic.String() + `' AND size > ` + fmt.Sprint(seq))
		b.Queue(`CREATE TEMP TABLE stolen_head AS SELECT * FROM tomkit.ledger_heads WHERE tenant_id = '` + clinic.String() + `'`)
		b.Queue(`CREATE TEMP TABLE stolen_openings AS SELECT * FROM tomkit.ledger_openings WHERE tenant_id = '` + clinic.String() + `' AND seq >= ` + fmt.Sprint(seq))
		b.Queue(`DELETE FROM tomkit.ledger_openings WHERE tenant_id = $1 AND seq >= $2`, clinic, seq)
		b.Queue(`DELETE FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq >= $2`, clinic, seq)
		b.Queue(`DELETE FROM tomkit.ledger_checkpoints WHERE tenant_id = $1 AND size > $2`, clinic, seq)
		b.Queue(`UPDATE tomkit.ledger_heads h SET size = $2, previous_hash = e.previous_hash, head_hash = e.current_hash, last_at = e.created_at
			FROM tomkit.audit_logs e WHERE h.tenant_id = $1 AND e.tenant_id = $1 AND e.seq = $2 - 1`, clinic, seq)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		return d.unguarded(ctx, func(tx pgx.Tx) error {
			b := &pgx.Batch{}
			b.Queue(`INSERT INTO tomkit.audit_logs SELECT * FROM stolen_entries`)
			b.Queue(`INSERT INTO tomkit.ledger_openings SELECT * FROM stolen_openings`)
			b.Queue(`INSERT INTO tomkit.ledger_checkpoints SELECT * FROM stolen_checkpoints ON CONFLICT DO NOTHING`)
			b.Queue(`UPDATE tomkit.ledger_heads h SET size = s.size, previous_hash = s.previous_hash, head_hash = s.head_hash, last_at = s.last_at FROM stolen_head s WHERE h.tenant_id = s.tenant_id`)
			return tx.SendBatch(ctx, b).Close()
		})
	}, nil
}

// unguarded runs fn as the superuser with the tables' triggers off, which needs their owner or a superuser, and turns them on again in
// the same transaction.
func (d *demo) unguarded(ctx context.Context, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, d.super, func(tx pgx.Tx) error {
		for _, mode := range []string{"DISABLE", "ENABLE ALWAYS"} {
			rows, err := tx.Query(ctx, `SELECT format('ALTER TABLE %s `+mode+` TRIGGER %I', t.tgrelid::regclass, t.tgname)
				FROM pg_trigger t WHERE t.tgrelid::regclass::text IN ('tomkit.audit_logs', 'tomkit.ledger_openings', 'tomkit.ledger_checkpoints', 'tomkit.ledger_heads')
				AND NOT t.tgisinternal`)
			if err != nil {
				return err
			}
			statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			for _, sql := range statements {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			if mode == "DISABLE" {
				if err := fn(tx); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// offline runs tomkit-verify on an exported archive, as an auditor would, far from this database.
func (d *demo) offline(ctx context.Context, archive []byte, receipt *verify.Receipt) (r chainReport, err error) {
	export, kept := filepath.Join(d.dir, "export.zip"), filepath.Join(d.dir, "entry.tlog-proof")
	if err := os.WriteFile(export, archive, 0o600); err != nil {
		return r, err
	}
	args := []string{"--json", export}
	if receipt != nil {
		if err := os.WriteFile(kept, receipt.Marshal(), 0o600); err != nil {
			return r, err
		}
		args = append([]string{"--receipt", kept}, args...)
	}
	var stdout, stderr bytes.Buffer
	if code := auditor.Run(ctx, args, &stdout, &stderr); code == cli.Usage {
		return r, fmt.Errorf("tomkit-verify: %s", stderr.String())
	}
	return r, json.Unmarshal(stdout.Bytes(), &r)
}

func readReport(report *verify.Report) (r chainReport, err error) {
	text, err := json.Marshal(report)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}
