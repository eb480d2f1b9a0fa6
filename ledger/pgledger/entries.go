package pgledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Entries returns a page of the tenant's log, with the personal values that still exist. It shows what is stored and
// verifies nothing, except that an opening fits its commitment.
func (l *Log) Entries(ctx context.Context, tenant uuid.UUID, f ledger.Filter) ([]ledger.Entry, error) {
	sql, args, err := selectEntries(tenant, f)
	if err != nil {
		return nil, err
	}
	rows, err := l.db.Tenant(tenant).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("pgledger: entries: %w", err)
	}
	var r row
	var page []ledger.Entry
	var seqs []int64
	_, err = pgx.ForEachRow(rows, r.targets(), func() error {
		s := r.stored()
		page = append(page, ledger.Entry{Entry: s.entry, Signature: s.signature, SignatureKey: s.key, LeafHash: s.leaf})
		seqs = append(seqs, r.seq)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pgledger: entries: %w", err)
	}
	return page, l.disclose(ctx, tenant, page, seqs)
}

// Entry returns one entry of the tenant's log. It wraps pgx.ErrNoRows if there is none.
func (l *Log) Entry(ctx context.Context, tenant uuid.UUID, seq uint64) (ledger.Entry, error) {
	f := ledger.Filter{Limit: 1}
	if seq > 0 {
		before := seq - 1
		f.After = &before
	}
	page, err := l.Entries(ctx, tenant, f)
	if err != nil {
		return ledger.Entry{}, err
	}
	if len(page) == 0 || page[0].Seq != seq {
		return ledger.Entry{}, fmt.Errorf("pgledger: entry %d: %w", seq, pgx.ErrNoRows)
	}
	return page[0], nil
}

// selectEntries makes the statement of a filter.
func selectEntries(tenant uuid.UUID, f ledger.Filter) (string, []any, error) {
	switch {
	case f.Limit < 0 || f.Limit > ledger.MaxPage:
		return "", nil, fmt.Errorf("%w: page of %d entries, limit %d", ledger.ErrInvalid, f.Limit, ledger.MaxPage)
	case f.Limit == 0:
		f.Limit = ledger.DefaultPage
	}
	args := []any{tenant}
	where := "a.tenant_id = $1::uuid"
	add := func(condition string, arg any) {
		args = append(args, arg)
		where += fmt.Sprintf(" AND "+condition, len(args))
	}
	if f.After != nil && f.Newest {
		add("a.seq < $%d", int64(*f.After))
	} else if f.After != nil {
		add("a.seq > $%d", int64(*f.After))
	}
	if !f.From.IsZero() {
		add("a.created_at >= $%d", f.From)
	}
	if !f.Until.IsZero() {
		add("a.created_at < $%d", f.Until)
	}
	for _, c := range []struct{ condition, value string }{
		{"a.action = $%d", f.Action}, {"a.entity_type = $%d", f.EntityType}, {"a.entity_id = $%d", f.EntityID},
	} {
		if strings.ContainsRune(c.value, 0) {
			return "", nil, fmt.Errorf("%w: filter holds U+0000", ledger.ErrInvalid)
		}
		if c.value != "" {
			add(c.condition, c.value)
		}
	}
	if f.Actor.Valid {
		add("a.user_id = $%d", f.Actor.UUID)
	}
	if f.CriticalOnly {
		where += " AND a.class = 'critical'"
	}
	order := "a.seq"
	if f.Newest {
		order = "a.seq DESC"
	}
	args = append(args, f.Limit)
	return fmt.Sprintf("SELECT %s FROM tomkit.audit_logs a WHERE %s ORDER BY %s LIMIT $%d", storedColumns, where, order, len(args)), args, nil
}

// disclose adds openings and readable sentences.
func (l *Log) disclose(ctx context.Context, tenant uuid.UUID, page []ledger.Entry, seqs []int64) error {
	openings := map[uint64][]ledger.Opening{}
	if slices.ContainsFunc(page, func(e ledger.Entry) bool { return len(e.Commitments()) > 0 }) {
		if err := l.played(ctx, tenant); err != nil {
			return fmt.Errorf("pgledger: entries: %w", err)
		}
		rows, err := l.db.Tenant(tenant).Query(ctx, `SELECT seq, commitment, salt, subject, value FROM tomkit.ledger_openings
WHERE tenant_id = $1::uuid AND seq = ANY ($2::bigint[]) ORDER BY seq, commitment`, tenant, seqs)
		if err != nil {
			return fmt.Errorf("pgledger: entries: %w", err)
		}
		all, err := collectOpenings(rows)
		if err != nil {
			return fmt.Errorf("pgledger: entries: %w", err)
		}
		for _, o := range all {
			if verify.Commitment(o.Salt, o.Value) == o.Commitment {
				openings[o.Seq] = append(openings[o.Seq], ledger.Opening{
					Commitment: o.Commitment, Salt: o.Salt, Subject: o.subject, Value: o.Value})
			}
		}
	}
	for i := range page {
		e := &page[i]
		e.Openings = openings[e.Seq]
		e.Readable = narrative.Readable(e.Narrative, func(c [32]byte) (string, bool) {
			for _, o := range e.Openings {
				if o.Commitment == c {
					return o.Value, true
				}
			}
			return "", false
		})
	}
	return nil
}
