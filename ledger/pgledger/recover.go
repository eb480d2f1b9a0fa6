package pgledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// Recovery asks for a log to go on although entries are lost.
type Recovery struct {
	// Approvers are the two different users who decided it. They are recorded, here and in the operator's log.
	Approvers [2]uuid.UUID
	// Operator is the tenant in whose log the decision is recorded first. If its own log is behind too, recover that before.
	Operator uuid.UUID
	// Actor is who does it. Not valid means the system.
	Actor uuid.NullUUID
}

// Recovered is the outcome of Recover.
type Recovered struct {
	// Epoch is the one that began.
	Epoch int
	// LostFrom and LostUntil are the range of positions that is declared lost: LostFrom ≤ seq < LostUntil.
	LostFrom, LostUntil uint64
	// Anchor is the anchor that remembers most.
	Anchor string
	// Receipt is that of the entry that declares the gap.
	Receipt ledger.Receipt
}

// Recover lets a log be written again that was restored from a backup and lacks entries an anchor remembers: until then every
// write is ledger.ErrRolledBack. It opens a new epoch, with the same keys, whose first entry declares the lost range; verifiers
// say so prominently from then on, and receipts of lost entries are counted as lost. What the erasure journal holds is erased
// before the call returns.
//
// A log whose remaining entries are not those an anchor remembers was not restored but rewritten: that is refused with the
// anchor's RollbackError (Fork), and nothing here excuses it. So is a log that is behind no anchor (ledger.ErrInvalid).
func (l *Log) Recover(ctx context.Context, tenant uuid.UUID, r Recovery) (Recovered, error) {
	var out Recovered
	if err := twoApprovers(r.Approvers); err != nil {
		return out, fmt.Errorf("pgledger: recover: %w", err)
	}
	if r.Operator == uuid.Nil {
		return out, fmt.Errorf("pgledger: recover: %w: no operator to record it", ledger.ErrInvalid)
	}
	if err := l.tellOperator(ctx, tenant, r); err != nil {
		return out, fmt.Errorf("pgledger: recover: %w", err)
	}
	p, err := l.exclusively(ctx, tenant, true, func(ctx context.Context, tx pgx.Tx, c *chain) (*pending, error) {
		worst, err := l.lost(ctx, tx, c)
		if err != nil {
			return nil, err
		}
		out.Epoch, out.LostFrom, out.LostUntil, out.Anchor = c.keys.epoch+1, c.head.size, worst.Size, worst.anchor
		return l.recovery(c, r, worst)
	})
	if err != nil {
		return out, fmt.Errorf("pgledger: recover: %w", err)
	}
	out.Receipt = p.receipt
	if err := l.played(ctx, tenant); err != nil {
		return out, fmt.Errorf("pgledger: recover: %w", err)
	}
	if _, err := l.Checkpoint(ctx, tenant); err != nil {
		return out, fmt.Errorf("pgledger: recover: %w", err)
	}
	return out, nil
}

// lost asks every anchor and returns the memory of the one that remembers most. All have to answer: one that cannot be asked
// might remember more than would be declared. Keys and head of c are known.
func (l *Log) lost(ctx context.Context, tx pgx.Tx, c *chain) (worst remembered, err error) {
	memories, failed, err := l.memories(ctx, tx, c, nil)
	if err != nil {
		return worst, err
	}
	if failed != nil {
		return worst, fmt.Errorf("%w: %w", ledger.ErrUnanchored, failed)
	}
	for _, m := range memories {
		behind, err := continues(ctx, tx, l, c, m)
		switch {
		case err != nil:
			return worst, err
		case behind != nil && behind.Fork:
			return worst, behind
		case behind != nil && (m.Size > worst.Size || m.Size == worst.Size && worst.Root == nil):
			worst = m
		}
	}
	if worst.Size == 0 {
		return worst, fmt.Errorf("%w: the log is behind no anchor", ledger.ErrInvalid)
	}
	// Two anchors that remember different roots at one size saw two histories.
	for _, m := range memories {
		if m.Size == worst.Size && m.Root != nil && worst.Root != nil && *m.Root != *worst.Root {
			return worst, &ledger.RollbackError{Anchor: m.anchor, Size: m.Size, Head: c.head.size, Fork: true}
		}
	}
	return worst, nil
}

// tellOperator records the decision in the operator's log before anything happens, unless it is the operator's own log.
func (l *Log) tellOperator(ctx context.Context, tenant uuid.UUID, r Recovery) error {
	c := &chain{tenant: tenant} // not the one writers share: what is looked at here may change
	var worst remembered
	err := l.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) (err error) {
		if err := l.load(ctx, tx, c); err != nil {
			return err
		}
		worst, err = l.lost(ctx, tx, c)
		return err
	})
	if err != nil || tenant == r.Operator {
		return err
	}
	k := c.keys
	id, err := logID(k.origin)
	if err != nil {
		return err
	}
	_, err = l.tell(ctx, record.Event{
		Tenant: r.Operator, Actor: r.Actor, Action: approvalAction, EntityType: verify.LedgerEntity, EntityID: id, Critical: true,
		Details: map[string]any{"epoch": k.epoch + 1, "lost_from": int64(c.head.size), "lost_until": int64(worst.Size), "anchor": worst.anchor,
			"approvers": []any{r.Approvers[0].String(), r.Approvers[1].String()}},
		Narrative: l.recoveredSentence(k.epoch+1, c.head.size, worst.Size, r),
	})
	if err != nil {
		return fmt.Errorf("the operator's log: %w", err)
	}
	return nil
}

const approvalAction = "ledger_recovery_approved"

func (l *Log) recoveredSentence(epoch int, from, until uint64, r Recovery) record.Narrative {
	return record.Narrative{Template: "ledger_recovered", Args: map[string]any{
		"at": l.cfg.Now(), "epoch": epoch, "first": int64(from), "last": int64(until - 1),
		"approver": r.Approvers[0].String(), "second": r.Approvers[1].String()}}
}

// recovery makes the entry that declares the gap, and the epoch it opens.
func (l *Log) recovery(c *chain, r Recovery, worst remembered) (*pending, error) {
	domain, id, epoch, err := verify.ParseOrigin(c.keys.origin)
	if err != nil {
		return nil, err
	}
	declared := verify.Recovery{Epoch: epoch + 1, LostFrom: c.head.size, LostUntil: worst.Size, WitnessedRoot: worst.Root,
		Approvers: [2][16]byte{r.Approvers[0], r.Approvers[1]}}
	p, err := l.compose(record.Event{
		Tenant: c.tenant, Actor: r.Actor, Action: verify.RecoveryAction, EntityType: verify.LedgerEntity, EntityID: fmt.Sprintf("%x", id),
		Critical: true, Details: declared.Details(), Narrative: l.recoveredSentence(c.keys.epoch+1, c.head.size, worst.Size, r),
	})
	if err != nil {
		return nil, err
	}
	origin := verify.FormatOrigin(domain, id, epoch+1)
	p.also = func(b *pgx.Batch, k *keyring) error {
		sum := sha256.Sum256(append(binary.BigEndian.AppendUint32(nil, uint32(k.generation)), origin...))
		b.Queue(`SELECT tomkit.ledger_recover($1::uuid, $2::bigint, $3::bytea, $4::integer, $5::text)`,
			k.tenant, int64(p.entry.Seq), k.admit("recover", p.entry.Seq, sum[:]), k.generation, origin)
		return nil
	}
	return p, nil
}
