package pgledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/rls"
)

// commit writes entries of one tenant in one transaction of their own. If the connection is lost on the way, the database
// is asked what became of them.
//
// sent, unless nil, is called once when the entries are on their way, at the latest when it is known what became of them.
func (l *Log) commit(ctx context.Context, tenant uuid.UUID, entries []*pending, sent func()) error {
	err := l.transact(ctx, tenant, &seal{log: l, entries: entries, sent: sent})
	if err == nil || !unknown(err) && !(pgconn.SafeToRetry(err) && ctx.Err() == nil) {
		return err
	}
	return l.resolve(tenant, entries)
}

func (l *Log) transact(ctx context.Context, tenant uuid.UUID, s *seal) error {
	return l.db.Tenant(tenant).InTx(ctx, func(_ context.Context, tx *rls.Tx) error {
		tx.Sealer(func() rls.Sealer { return s })
		return nil
	})
}

// unknown reports whether the transaction may have been committed although err is not nil.
func unknown(err error) bool {
	return errors.Is(err, rls.ErrCommitUnknown) || errors.Is(err, rls.ErrCommitted)
}

// resolve finds out what became of entries whose commit was interrupted, and writes them if they are not there. Their
// first transaction may still be running: but ids are unique, so of the two only one can be committed. Ids are looked up
// under the lock.
func (l *Log) resolve(tenant uuid.UUID, entries []*pending) error {
	ctx, cancel := context.WithTimeout(context.Background(), l.cfg.CommitTimeout)
	defer cancel()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := l.transact(ctx, tenant, &seal{log: l, entries: entries, recheck: true})
		if err == nil || sqlState(err) != "" && !unknown(err) && !passing(err) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("pgledger: append: %w: %w", ledger.ErrOutcomeUnknown, err)
		}
	}
}

// passing reports whether the server will be able to answer later: it is starting, stopping, full, or gave a deadlock to us.
func passing(err error) bool {
	state := sqlState(err)
	return len(state) == 5 && (state[:2] == "57" || state[:2] == "53" || state[:2] == "08" || state[:2] == "40")
}

// landed reports whether entries are in the log and completes their receipts if so. They were written in one
// transaction, so all are there or none.
func (l *Log) landed(ctx context.Context, tx pgx.Tx, entries []*pending) (bool, error) {
	byID := make(map[uuid.UUID]*pending, len(entries))
	ids := make([][16]byte, len(entries))
	for i, e := range entries {
		ids[i] = e.entry.ID
		byID[e.entry.ID] = e
	}
	rows, err := tx.Query(ctx, `SELECT id, seq, created_at, leaf_hash FROM tomkit.audit_logs
WHERE tenant_id = $1::uuid AND id = ANY ($2::uuid[])`, entries[0].entry.Tenant, ids)
	if err != nil {
		return false, err
	}
	found := 0
	var id uuid.UUID
	var seq int64
	var at time.Time
	var leaf []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &seq, &at, &leaf}, func() error {
		e := byID[id]
		e.entry.Seq, e.entry.CreatedAt = uint64(seq), at.UTC()
		copy(e.receipt.LeafHash[:], leaf)
		e.receipt = l.receipt(e)
		found++
		return nil
	})
	if err != nil || found == 0 {
		return false, err
	}
	if found != len(entries) {
		return false, fmt.Errorf("pgledger: append: %d of %d entries of one transaction are there", found, len(entries))
	}
	return true, nil
}
