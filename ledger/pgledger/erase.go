package pgledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// EraseRequest asks for the erasure of a person's values. Subject is needed.
type EraseRequest struct {
	// Subject is the person whose values go: those recorded with this record.Personal.Subject.
	Subject uuid.UUID
	// Reason is a code such as "request" or "retention": 1–64 of a-z, 0-9, '_', '.', '-'. It is recorded. Empty means "request".
	Reason string
	// Actor is who erases. Not valid means the system.
	Actor uuid.NullUUID
	// Progress is told after each committed step how many values are gone. Nil means nobody is told. Only Erase calls it.
	Progress func(values uint64)
}

// Erasure says what was erased.
type Erasure struct {
	// Values is the number of personal values removed.
	Values uint64
	// Receipts are those of the redaction entries.
	Receipts []ledger.Receipt
}

// eraseStep is the greatest number of values one redaction entry erases, and so of one transaction of Erase.
const eraseStep = 4096

// Erase removes what a tenant's log holds about a person in the clear (Art. 17 GDPR): the values recorded with the subject and
// their salts, not the entries, so that every hash, signature and receipt stays valid. For each step of up to 4,096 values it
// appends an entry personal_data_erased that binds what went, after writing the same to Config.Journal. Without a journal it is
// ledger.ErrNoJournal. Values recorded while it runs go too; erasing nobody known writes nothing.
//
// What the log holds in its fields stays: user ids and entity ids, which are pseudonyms.
func (l *Log) Erase(ctx context.Context, tenant uuid.UUID, r EraseRequest) (Erasure, error) {
	var done Erasure
	if err := l.checkErase(&r); err != nil {
		return done, err
	}
	for {
		var step []*pending
		n := 0
		err := l.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) (err error) {
			step, n, err = l.queueErasures(ctx, tx, tenant, r, eraseStep)
			return err
		})
		if err != nil {
			return done, fmt.Errorf("pgledger: erase: %w", err)
		}
		for _, p := range step {
			done.Receipts = append(done.Receipts, p.receipt)
		}
		if done.Values += uint64(n); r.Progress != nil && n > 0 {
			r.Progress(done.Values)
		}
		if n < eraseStep {
			return done, nil
		}
	}
}

// EraseTx is [Log.Erase] in the caller's transaction, the scope of the tenant: it returns how many values go when it commits.
func (l *Log) EraseTx(ctx context.Context, tx *rls.Tx, r EraseRequest) (values uint64, err error) {
	tenant, ok := tx.Tenant()
	if !ok {
		return 0, fmt.Errorf("%w: erase: not a tenant's scope", ledger.ErrInvalid)
	}
	if err := l.checkErase(&r); err != nil {
		return 0, err
	}
	_, n, err := l.queueErasures(ctx, tx, tenant, r, 0)
	if err != nil {
		return 0, fmt.Errorf("pgledger: erase: %w", err)
	}
	return uint64(n), nil
}

// ErasePersonTx is [Log.EraseTx] on a person's request, in the shape that rls/erasure asks for.
func (l *Log) ErasePersonTx(ctx context.Context, tx *rls.Tx, subject uuid.UUID, by uuid.NullUUID) (values int64, err error) {
	n, err := l.EraseTx(ctx, tx, EraseRequest{Subject: subject, Actor: by})
	return int64(n), err
}

// PersonValuesTx counts what the log of tx's tenant holds about a person in the clear.
func (l *Log) PersonValuesTx(ctx context.Context, tx *rls.Tx, subject uuid.UUID) (values int64, err error) {
	tenant, ok := tx.Tenant()
	if !ok {
		return 0, fmt.Errorf("%w: count values: not a tenant's scope", ledger.ErrInvalid)
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM tomkit.ledger_openings WHERE tenant_id = $1::uuid AND subject = $2::uuid`,
		tenant, subject).Scan(&values)
	return values, err
}

func (l *Log) checkErase(r *EraseRequest) error {
	if r.Reason == "" {
		r.Reason = "request"
	}
	switch {
	case r.Subject == uuid.Nil:
		return fmt.Errorf("%w: erase: no subject", ledger.ErrInvalid)
	case !isCode(r.Reason):
		return fmt.Errorf("%w: erase: the reason is not a code", ledger.ErrInvalid)
	case l.cfg.Journal == nil && !l.cfg.NoJournalUnsafe:
		return ledger.ErrNoJournal
	}
	return nil
}

// isCode reports whether s is 1–64 of a-z, 0-9, '_', '.', '-'.
func isCode(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// eraseLockSQL keeps erasures of one tenant apart, so that what one finds another does not remove. It is taken before the
// append lock, always.
const eraseLockSQL = `SELECT pg_catalog.pg_advisory_xact_lock(x'746b6c78'::integer, pg_catalog.hashtext($1::text))` // 'tklx'

// queueErasures queues redaction entries for the subject's values, at most limit of them; zero means all.
func (l *Log) queueErasures(ctx context.Context, tx *rls.Tx, tenant uuid.UUID, r EraseRequest, limit int) (entries []*pending, n int, err error) {
	if _, err := tx.Exec(ctx, eraseLockSQL, tenant); err != nil {
		return nil, 0, err
	}
	// Asked before anything is journalled: a closed log keeps what it has until it is purged.
	var closed bool
	err = tx.QueryRow(ctx, `SELECT closed_at IS NOT NULL FROM tomkit.ledger_heads WHERE tenant_id = $1::uuid`, tenant).Scan(&closed)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	case closed:
		return nil, 0, ledger.ErrLogClosed
	}
	var max any // LIMIT NULL is none
	if limit > 0 {
		max = limit
	}
	rows, err := tx.Query(ctx, `SELECT seq, commitment FROM tomkit.ledger_openings WHERE tenant_id = $1::uuid AND subject = $2::uuid
ORDER BY seq, commitment LIMIT $3`, tenant, r.Subject, max)
	if err != nil {
		return nil, 0, err
	}
	values, err := collectValues(rows)
	if err != nil {
		return nil, 0, err
	}
	ev := record.Event{Tenant: tenant, Actor: r.Actor, EntityType: "person", EntityID: r.Subject.String()}
	entries, err = l.queueRedactions(ctx, tx, ev, r.Reason, values, l.cfg.Journal)
	return entries, len(values), err
}

func collectValues(rows pgx.Rows) ([]ledger.ErasedValue, error) {
	var values []ledger.ErasedValue
	var seq int64
	var c []byte
	_, err := pgx.ForEachRow(rows, []any{&seq, &c}, func() error {
		values = append(values, ledger.ErasedValue{Seq: uint64(seq), Commitment: hashOf(c)})
		return nil
	})
	return values, err
}

// queueRedactions queues one redaction entry for every eraseStep values, which ascend. journal is nil where they are known
// there already.
func (l *Log) queueRedactions(ctx context.Context, tx *rls.Tx, ev record.Event, reason string, values []ledger.ErasedValue, journal ledger.Journal) ([]*pending, error) {
	var entries []*pending
	for len(values) > 0 {
		step := values[:min(len(values), eraseStep)]
		values = values[len(step):]
		p, err := l.redaction(ctx, ev, reason, step, journal)
		if err != nil {
			return nil, err
		}
		if err := l.queue(tx, p); err != nil {
			return nil, err
		}
		entries = append(entries, p)
	}
	return entries, nil
}

// redaction makes the entry that erases values.
func (l *Log) redaction(ctx context.Context, ev record.Event, reason string, values []ledger.ErasedValue, journal ledger.Journal) (*pending, error) {
	sum, touched := verify.NewErasure(), 0
	seqs, commitments := make([]int64, len(values)), make([][]byte, len(values))
	for i := range values {
		v := &values[i]
		sum.Add(v.Seq, v.Commitment)
		seqs[i], commitments[i] = int64(v.Seq), v.Commitment[:]
		if i == 0 || seqs[i-1] != seqs[i] {
			touched++
		}
	}
	count, digest := sum.Sum()
	at := l.cfg.Now()
	ev.Action, ev.Critical = verify.RedactionAction, true
	ev.Details = map[string]any{verify.ErasedCount: int64(count), verify.ErasedDigest: hex.EncodeToString(digest[:]), "reason": reason}
	ev.Narrative = record.Narrative{Template: "personal_data_erased", Args: map[string]any{
		"count": int64(count), "entries": touched, "reason": reason, "at": at}}
	p, err := l.compose(ev)
	if err != nil {
		return nil, err
	}
	p.also = func(b *pgx.Batch, k *keyring) error {
		if journal != nil { // as late as can be: only the commit may still fail
			err := journal.Append(ctx, ledger.ErasureRecord{Tenant: ev.Tenant, At: verify.Timestamp(at), Values: values})
			if err != nil {
				return fmt.Errorf("pgledger: erase: journal: %w", err)
			}
			journal = nil // once, however often a stale head is tried again
		}
		b.Queue(`SELECT tomkit.ledger_erase($1::uuid, $2::bigint, $3::bytea, $4::bigint[], $5::bytea[])`, ev.Tenant,
			int64(p.entry.Seq), k.admit("erase", p.entry.Seq, digest[:]), seqs, commitments)
		return nil
	}
	return p, nil
}

// Replaying: how many journalled values are looked up together.
const replayStep = 4096

// replay erases again what the journal says was erased and the database, restored from an older backup, still holds. A log
// that is behind an anchor cannot be written: its records are kept until it is recovered, and until then nothing of its
// personal values is served. A closed log that still holds one, which no order of events leads to, serves none either.
func (l *Log) replay(ctx context.Context) error {
	if l.cfg.Journal == nil {
		return nil
	}
	waiting, n := map[uuid.UUID][]ledger.ErasedValue{}, 0
	flush := func() error {
		for tenant, values := range waiting {
			err := l.replayTenant(ctx, tenant, values)
			if errors.Is(err, ledger.ErrRolledBack) || errors.Is(err, ledger.ErrLogClosed) {
				l.postpone(tenant, values)
			} else if err != nil {
				return err
			}
		}
		clear(waiting)
		n = 0
		return nil
	}
	err := l.cfg.Journal.Each(ctx, func(r ledger.ErasureRecord) error {
		waiting[r.Tenant] = append(waiting[r.Tenant], r.Values...)
		if n += len(r.Values); n < replayStep {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("pgledger: replay the erasure journal: %w", err)
	}
	return nil
}

// replayTenant erases those of the values that are there.
func (l *Log) replayTenant(ctx context.Context, tenant uuid.UUID, values []ledger.ErasedValue) error {
	seqs, commitments := make([]int64, len(values)), make([][]byte, len(values))
	for i := range values {
		seqs[i], commitments[i] = int64(values[i].Seq), values[i].Commitment[:]
	}
	const sql = `SELECT o.seq, o.commitment FROM tomkit.ledger_openings o WHERE o.tenant_id = $1::uuid AND (o.seq, o.commitment) IN
(SELECT v.seq, v.commitment FROM unnest($2::bigint[], $3::bytea[]) AS v (seq, commitment)) ORDER BY o.seq, o.commitment`
	there, err := l.stillThere(ctx, l.db.Tenant(tenant), sql, tenant, seqs, commitments)
	if err != nil || len(there) == 0 {
		return err // the usual case writes nothing
	}
	began := time.Now()
	err = l.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		if _, err := tx.Exec(ctx, eraseLockSQL, tenant); err != nil {
			return err
		}
		if there, err = l.stillThere(ctx, tx, sql, tenant, seqs, commitments); err != nil {
			return err
		}
		ev := record.Event{Tenant: tenant, EntityType: "ledger", EntityID: "erasure_journal"}
		_, err := l.queueRedactions(ctx, tx, ev, "journal_replayed", there, nil)
		return err
	})
	if err == nil {
		l.cfg.Logger.Warn("ledger erasures replayed", "tenant", tenant, "values", len(there), "took", time.Since(began))
	}
	return err
}

type queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func (l *Log) stillThere(ctx context.Context, q queryer, sql string, args ...any) ([]ledger.ErasedValue, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return collectValues(rows)
}

// postpone keeps records of a log that cannot be written now.
func (l *Log) postpone(tenant uuid.UUID, values []ledger.ErasedValue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unplayed[tenant] = append(l.unplayed[tenant], values...)
}

// played makes sure that a log's journalled erasures are done before its personal values are served. Another process may have
// recovered it meanwhile.
func (l *Log) played(ctx context.Context, tenant uuid.UUID) error {
	l.mu.Lock()
	values := l.unplayed[tenant]
	l.mu.Unlock()
	if len(values) == 0 {
		return nil
	}
	for from := 0; from < len(values); from += replayStep {
		if err := l.replayTenant(ctx, tenant, values[from:min(from+replayStep, len(values))]); err != nil {
			return err
		}
	}
	l.mu.Lock()
	delete(l.unplayed, tenant)
	l.mu.Unlock()
	return nil
}
