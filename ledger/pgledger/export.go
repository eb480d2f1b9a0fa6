package pgledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// ExportOptions tunes Export. The zero value exports everything.
type ExportOptions struct {
	// WithholdPersonal leaves the openings of personal values out. Their commitments stay, and the log verifies as before.
	WithholdPersonal bool
}

// Export writes the tenant's log into files (verify.NewDir, verify.NewZip) as the export that ledger/verify and
// tomkit-verify read, up to a fresh checkpoint, and returns that checkpoint's size. It does not judge: a damaged log is
// exported as it is, for the verifier to find; only a log whose tree has a gap goes up to its last checkpoint. Memory does
// not depend on the length. It wraps ledger.ErrNoLog if there is nothing to export.
//
// The files hold personal data unless WithholdPersonal is set.
func (l *Log) Export(ctx context.Context, tenant uuid.UUID, files verify.Files, opts ExportOptions) (size uint64, err error) {
	c := l.chains.hold(tenant)
	defer l.chains.letGo(c)
	keys, err := l.freshKeys(ctx, c)
	if err != nil {
		return 0, err
	}
	note, err := l.Checkpoint(ctx, tenant)
	if err != nil {
		if note, err = l.LatestCheckpoint(ctx, tenant); err != nil {
			return 0, fmt.Errorf("pgledger: export: %w", err)
		}
	}
	cp, err := verify.OpenCheckpoint(note, keys.history)
	if err != nil {
		return 0, fmt.Errorf("pgledger: export: %w", err)
	}
	w, err := verify.NewWriter(files, verify.LogInfo{
		Origin: keys.origin, Exporter: exporter, ExportedAt: l.cfg.Now(), Openings: !opts.WithholdPersonal})
	if err != nil {
		return 0, fmt.Errorf("pgledger: export: %w", err)
	}
	if err := l.played(ctx, tenant); err != nil && !opts.WithholdPersonal {
		return 0, fmt.Errorf("pgledger: export: %w", err)
	}
	e := exportRun{log: l, w: w, keys: keys, size: cp.Size}
	if e.evidence, err = l.evidenceFor(ctx, tenant, cp.Size); err != nil {
		return 0, fmt.Errorf("pgledger: export: %w", err)
	}
	steps := []func(context.Context) error{e.entries, e.signatures, e.openings, e.redactions, e.checkpoints, e.timestamps}
	if opts.WithholdPersonal {
		steps = slices.Delete(steps, 2, 3)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return 0, fmt.Errorf("pgledger: export: %w", err)
		}
	}
	return cp.Size, w.Close(e.evidence.cosigned(keys.epoch, cp.Size, note), keys.history)
}

// exportRun feeds a verify.Writer, page by page.
type exportRun struct {
	log  *Log
	w    *verify.Writer
	keys *keyring
	size uint64

	evidence evidence
}

func (e *exportRun) entries(ctx context.Context) error {
	for from := uint64(0); from < e.size; from += tileWidth {
		page, err := e.log.page(ctx, e.keys.tenant, from, min(from+tileWidth, e.size))
		if err != nil {
			return err
		}
		for i := range page {
			if err := e.w.Append(page[i].canonical, page[i].leaf); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *exportRun) signatures(ctx context.Context) error {
	return e.view(ctx).eachSignature(e.w)
}

func (e *exportRun) openings(ctx context.Context) error {
	return e.view(ctx).eachOpening(e.w)
}

// redactions writes what was erased up to the checkpoint. What was erased since then has neither an opening nor a redaction in
// this export, so it does not claim to have all openings.
func (e *exportRun) redactions(ctx context.Context) error {
	view := e.view(ctx)
	if err := view.eachRedaction(e.w); err != nil {
		return err
	}
	since, err := view.erasedSince()
	if since {
		e.w.WithholdOpenings()
	}
	return err
}

func (e *exportRun) view(ctx context.Context) *live {
	return &live{ctx: ctx, log: e.log, tenant: e.keys.tenant, size: e.size}
}

func (e *exportRun) checkpoints(ctx context.Context) error {
	notes, err := e.log.olderCheckpoints(ctx, e.keys.tenant, e.size, maxOlder)
	if err != nil {
		return err
	}
	for _, n := range notes {
		if err := e.w.Checkpoint(e.evidence.cosigned(n.epoch, n.size, n.note)); err != nil {
			return err
		}
	}
	return nil
}

func (e *exportRun) timestamps(context.Context) error {
	for i := range e.evidence.tokens {
		if err := e.w.Timestamp(e.evidence.tokens[i].TimestampFile, e.evidence.tokens[i].token); err != nil {
			return err
		}
	}
	return nil
}
