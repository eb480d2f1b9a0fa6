package pgledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// VerifyOptions tunes VerifyChain. The zero value verifies the whole log by itself.
type VerifyOptions struct {
	// Receipts must be contained in the log: one that is not shows a cut tail or a rewritten log.
	Receipts []*verify.Receipt
	// Since is a signed checkpoint kept from earlier, which the log must continue. Nil means none.
	Since []byte
	// From is a signed checkpoint that was verified before and is trusted: the entries it covers are not read again, except for
	// the last bundle. The right edge of the tree is rebuilt from the tiles and has to give its root. Nil means from the start.
	From []byte
	// Narratives receives what rendering every sentence again from its entry said (package narrative). Nil means that nobody asks.
	// A sentence that differs does not break a log: whoever wrote the entry bound both.
	Narratives *narrative.Summary
	// Progress is called from the calling goroutine, between entry bundles. Nil means never.
	Progress func(verify.Progress)
	// MaxFindings bounds the findings per kind. Zero means 100; negative is an error.
	MaxFindings int
}

// VerifyChain verifies a tenant's whole log as it is stored now: every hash of the chain, positions, times, leaf hashes,
// tiles, the roots and signatures of checkpoints, signatures of critical entries, and openings (TOM 3.3). It makes a
// checkpoint first, so that the last entry is covered, and judges with the same code as an offline verification. The
// report names the exact position of a fault; the error is for a log that could not be judged, and wraps ledger.ErrNoLog
// if there is none.
//
// It runs inside the system it judges and believes this process's keys and the database's answers: for a judgement that
// does not, verify an export elsewhere, with receipts.
func (l *Log) VerifyChain(ctx context.Context, tenant uuid.UUID, opts VerifyOptions) (*verify.Report, error) {
	c := l.chains.hold(tenant)
	defer l.chains.letGo(c)
	keys, err := l.freshKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	head, err := l.Head(ctx, tenant)
	if err != nil {
		return nil, err
	}
	note, err := l.Checkpoint(ctx, tenant)
	var behind *ledger.RollbackError
	gap := errors.Is(err, errTree) || sqlState(err) == stateOld || errors.As(err, &behind)
	if gap {
		note, err = l.LatestCheckpoint(ctx, tenant)
	}
	none := errors.Is(err, ledger.ErrNoLog)
	if err != nil && !none {
		return nil, fmt.Errorf("pgledger: verify chain: %w", err)
	}
	report := &verify.Report{Origin: keys.origin, Keys: []verify.KeyUse{}, Findings: []verify.Finding{}}
	covered := uint64(0)
	if !none {
		if report, covered, err = l.judge(ctx, keys, note, opts); err != nil {
			return nil, fmt.Errorf("pgledger: verify chain: %w", err)
		}
	}
	if gap || none || covered < head.Size {
		if err := l.walk(ctx, tenant, covered, head, report); err != nil {
			return nil, fmt.Errorf("pgledger: verify chain: %w", err)
		}
	}
	if err := l.checkHead(ctx, tenant, head, report); err != nil {
		return nil, fmt.Errorf("pgledger: verify chain: %w", err)
	}
	if behind != nil {
		addFinding(report, verify.KindTruncated, head.Size, &verify.TruncatedError{Seq: head.Size, Size: behind.Size, By: "the anchor " + behind.Anchor})
	}
	conclude(report)
	return report, nil
}

// judge lets the offline verifier read the database up to a checkpoint. Values that are erased meanwhile, by entries behind
// it, look as if somebody had removed them: then it looks again up to a later checkpoint, and, where erasures do not end, does
// not ask for openings.
func (l *Log) judge(ctx context.Context, k *keyring, note []byte, opts VerifyOptions) (*verify.Report, uint64, error) {
	for try := 1; ; try++ {
		view, report, err := l.judgeOnce(ctx, k, note, opts, try < attempts)
		if err != nil || report.Intact() || try == attempts {
			return report, view.size, err
		}
		again, err := view.erasedSince()
		if err != nil || !again {
			return report, view.size, err
		}
		if note, err = l.Checkpoint(ctx, k.tenant); err != nil {
			return nil, 0, err
		}
	}
}

func (l *Log) judgeOnce(ctx context.Context, k *keyring, note []byte, opts VerifyOptions, openings bool) (*live, *verify.Report, error) {
	view, err := l.newLive(ctx, k, note, openings)
	if err != nil {
		return &live{}, nil, err
	}
	tenant := [16]byte(k.tenant)
	var each func(verify.EntryView)
	if opts.Narratives != nil {
		*opts.Narratives = narrative.Summary{} // what an earlier try counted
		each = func(e verify.EntryView) {
			sentence := e.Sentence()
			opts.Narratives.Add(&sentence)
		}
	}
	report, err := verify.Verify(ctx, view, verify.Config{
		Keys: k.history, Receipts: opts.Receipts, Since: opts.Since, From: opts.From, Origin: k.origin, Tenant: &tenant,
		Progress: opts.Progress, MaxFindings: opts.MaxFindings, Entry: each,
	})
	if err = errors.Join(err, view.err); err != nil {
		return view, nil, err
	}
	for _, seq := range view.wrongLeaf {
		addFinding(report, verify.KindLeaf, seq, &verify.LeafError{Seq: seq})
	}
	if len(view.wrongLeaf) > 0 {
		conclude(report)
	}
	return view, report, nil
}

// walk checks the chain of the entries from position from up to the head without a checkpoint, to find where the stored
// log stops being one. It ends at the first fault.
func (l *Log) walk(ctx context.Context, tenant uuid.UUID, from uint64, head ledger.Head, report *verify.Report) error {
	chain := &verify.Chain{}
	chain.Expect(tenant)
	if from > 0 {
		before, err := l.page(ctx, tenant, from-1, from)
		if err != nil {
			return err
		}
		if len(before) == 0 {
			return nil // the verifier has said so
		}
		chain = verify.ResumeChain(from, tenant, before[0].entry.CurrentHash, before[0].entry.CreatedAt)
	}
	for pos := from; pos < head.Size; {
		page, err := l.page(ctx, tenant, pos, pos+tileWidth)
		if err != nil {
			return err
		}
		for i := range page {
			if s := &page[i]; !walkEntry(chain, s, pos, report) {
				return nil
			}
			pos++
			report.Entries++
		}
		if len(page) < tileWidth && pos < head.Size {
			addFinding(report, verify.KindTruncated, pos, &verify.TruncatedError{Seq: pos, Size: head.Size, By: "the head"})
			return nil
		}
	}
	return nil
}

func walkEntry(chain *verify.Chain, s *stored, pos uint64, report *verify.Report) bool {
	err := chain.Check(s.canonical)
	switch e := err.(type) {
	case nil:
	case *verify.SequenceError:
		addFinding(report, verify.KindSequence, e.Seq, err)
	case *verify.MalformedEntryError:
		addFinding(report, verify.KindMalformed, e.Seq, err)
	case *verify.BrokenLinkError:
		addFinding(report, verify.KindLink, e.Seq, err)
	case *verify.HashError:
		addFinding(report, verify.KindHash, e.Seq, err)
	case *verify.TimeError:
		addFinding(report, verify.KindTime, e.Seq, err)
	default:
		addFinding(report, verify.KindTenant, pos, err)
	}
	if err == nil && !s.leafGood {
		err = &verify.LeafError{Seq: pos}
		addFinding(report, verify.KindLeaf, pos, err)
	}
	return err == nil
}

// checkHead compares the head with the entry it names.
func (l *Log) checkHead(ctx context.Context, tenant uuid.UUID, head ledger.Head, report *verify.Report) error {
	if head.Size == 0 {
		return nil
	}
	last, err := l.page(ctx, tenant, head.Size-1, head.Size)
	if err != nil {
		return err
	}
	switch {
	case len(last) == 0:
		addFinding(report, verify.KindTruncated, head.Size-1, &verify.TruncatedError{Seq: head.Size - 1, Size: head.Size, By: "the head"})
	case last[0].entry.CurrentHash != head.Hash || !last[0].entry.CreatedAt.Equal(head.At):
		addFinding(report, verify.KindHash, head.Size-1, &verify.HashError{
			Seq: head.Size - 1, Want: head.Hash, Have: last[0].entry.CurrentHash})
	}
	return nil
}

// addFinding adds a finding at one position unless there is one already: one fault, one finding.
func addFinding(report *verify.Report, kind verify.Kind, seq uint64, err error) {
	for _, f := range report.Findings {
		if f.Exact() && f.First == seq {
			return
		}
	}
	report.Findings = append(report.Findings, verify.Finding{Kind: kind, Located: true, First: seq, Last: seq, Err: err})
}

// conclude orders findings as verify does, exact positions first, and gives the verdict.
func conclude(report *verify.Report) {
	slices.SortStableFunc(report.Findings, func(a, b verify.Finding) int {
		return cmp.Or(cmp.Compare(a.Last, b.Last), cmp.Compare(b.First, a.First))
	})
	report.Verdict = verify.Intact
	if len(report.Findings) > 0 {
		report.Verdict = verify.Broken
	}
}
