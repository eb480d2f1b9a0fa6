package pgledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Closing ends a log.
type Closing struct {
	// Reason is a code such as "contract_ended": 1–64 of a-z, 0-9, '_', '.', '-'. It is recorded. Empty means "contract_ended".
	Reason string
	// Actor is who closes it. Not valid means the system.
	Actor uuid.NullUUID
	// Keep is how long the rows have to be kept before Purge may remove them. Zero means 10 years; negative is an error.
	Keep time.Duration
	// Archive receives the final export, personal values included, if it is not nil: what is handed over.
	Archive verify.Files
}

// keepRows is the default of Closing.Keep.
const keepRows = 10 * 365 * 24 * time.Hour

// Closed is the outcome of CloseLog.
type Closed struct {
	// Size is the final number of entries, At when the log was closed, KeepUntil until when its rows have to be kept.
	Size          uint64
	At, KeepUntil time.Time
	// Checkpoint is the final signed note.
	Checkpoint []byte
	// Unanchored are anchors that did not take the final checkpoint. Run tries them again.
	Unanchored []string
}

// CloseLog ends a tenant's log: it appends ledger_closed, behind which nothing may follow, makes the final checkpoint, shows it
// to the anchors and writes the archive. From then on every write is ledger.ErrLogClosed; the log can be read, verified and
// exported until it is purged. Personal values can no longer be erased one by one: erase before what must not stay. Calling it
// again completes what was interrupted, and changes neither the entry nor the period.
func (l *Log) CloseLog(ctx context.Context, tenant uuid.UUID, c Closing) (Closed, error) {
	var out Closed
	if c.Reason == "" {
		c.Reason = "contract_ended"
	}
	if c.Keep == 0 {
		c.Keep = keepRows
	}
	if c.Keep < 0 || !isCode(c.Reason) {
		return out, fmt.Errorf("pgledger: close: %w: Keep is negative, or the reason is not a code", ledger.ErrInvalid)
	}
	_, err := l.exclusively(ctx, tenant, false, func(_ context.Context, _ pgx.Tx, ch *chain) (*pending, error) { return l.closing(ch, c) })
	if err != nil && !errors.Is(err, ledger.ErrLogClosed) {
		return out, fmt.Errorf("pgledger: close: %w", err)
	}
	if err := l.finish(ctx, tenant, c, &out); err != nil {
		return out, fmt.Errorf("pgledger: close: %w", err)
	}
	return out, nil
}

// closing makes the last entry.
func (l *Log) closing(ch *chain, c Closing) (*pending, error) {
	id, err := logID(ch.keys.origin)
	if err != nil {
		return nil, err
	}
	at := l.cfg.Now()
	keep := verify.Timestamp(at.Add(c.Keep))
	size := ch.head.size + 1
	details := (&verify.Closing{Size: size}).Details()
	details["reason"], details["keep_until"] = c.Reason, keep.Format(time.RFC3339)
	p, err := l.compose(record.Event{
		Tenant: ch.tenant, Actor: c.Actor, Action: verify.ClosingAction, EntityType: verify.LedgerEntity, EntityID: id, Critical: true,
		Details: details,
		Narrative: record.Narrative{Template: "ledger_closed", Args: map[string]any{
			"at": at, "count": int64(size), "reason": c.Reason}},
	})
	if err != nil {
		return nil, err
	}
	p.also = func(b *pgx.Batch, k *keyring) error {
		b.Queue(`SELECT tomkit.ledger_close($1::uuid, $2::bigint, $3::bytea, $4::timestamptz)`, k.tenant, int64(p.entry.Seq),
			k.admit("close", p.entry.Seq, binary.BigEndian.AppendUint64(nil, uint64(keep.UnixMicro()))), keep)
		return nil
	}
	return p, nil
}

// finish does what follows the last entry.
func (l *Log) finish(ctx context.Context, tenant uuid.UUID, c Closing, out *Closed) (err error) {
	var size int64
	err = l.db.Tenant(tenant).QueryRow(ctx, `SELECT size, closed_at, keep_until FROM tomkit.ledger_closings WHERE tenant_id = $1::uuid`,
		tenant).Scan(&size, &out.At, &out.KeepUntil)
	if err != nil {
		return err
	}
	out.Size, out.At, out.KeepUntil = uint64(size), out.At.UTC(), out.KeepUntil.UTC()
	if out.Checkpoint, err = l.Checkpoint(ctx, tenant); err != nil {
		return err
	}
	for _, a := range l.cfg.Anchors {
		if err := l.submitTo(ctx, a, tenant); err != nil {
			l.cfg.Logger.Warn("ledger anchor failed", "anchor", a.Name(), "error", err)
			out.Unanchored = append(out.Unanchored, a.Name())
		}
	}
	if c.Archive != nil {
		_, err = l.Export(ctx, tenant, c.Archive, ExportOptions{})
	}
	return err
}

// Purging asks for the removal of a closed log.
type Purging struct {
	// Operator is the tenant in whose log the purge is recorded, with the hash of the final checkpoint, before it begins.
	Operator uuid.UUID
	// Actor is who asks. Not valid means the system.
	Actor uuid.NullUUID
	// Progress is told after each step how many rows are gone. Nil means nobody is told.
	Progress func(rows int64)
}

// purgeStep is about how many rows of a table one transaction removes.
const purgeStep = 10_000

// Purge removes the rows of a closed log whose time to be kept is over: everything, for good. Migrator is a connection of the
// login tomkit_migrator, the only one that may. The database refuses a log that is not closed or has to be kept, and one of
// which the operator's log does not tell. It returns how many rows went; after an interruption call it again.
func (l *Log) Purge(ctx context.Context, migrator *pgx.Conn, tenant uuid.UUID, p Purging) (rows int64, err error) {
	if p.Operator == uuid.Nil || p.Operator == tenant {
		return 0, fmt.Errorf("pgledger: purge: %w: no operator to record it, or the operator itself", ledger.ErrInvalid)
	}
	entry, err := l.tellPurge(ctx, tenant, p)
	if err != nil {
		return 0, fmt.Errorf("pgledger: purge: %w", err)
	}
	for {
		var n int64
		if err := migrator.QueryRow(ctx, `SELECT tomkit.ledger_purge($1::uuid, $2::uuid, $3::bigint, $4::bigint)`,
			tenant, p.Operator, int64(entry), purgeStep).Scan(&n); err != nil {
			return rows, fmt.Errorf("pgledger: purge: %w", translate(err))
		}
		if n == 0 {
			break
		}
		if rows += n; p.Progress != nil {
			p.Progress(rows)
		}
	}
	l.forget(tenant)
	return rows, nil
}

// tellPurge records the purge in the operator's log and returns the entry's position. A purge that goes on finds it there.
func (l *Log) tellPurge(ctx context.Context, tenant uuid.UUID, p Purging) (uint64, error) {
	var until time.Time
	var size int64
	var note, origin string
	err := l.db.Tenant(tenant).QueryRow(ctx, `SELECT e.keep_until, e.size, c.note, l.origin FROM tomkit.ledger_closings e
JOIN tomkit.ledger_checkpoints c USING (tenant_id, size) JOIN tomkit.ledger_logs l USING (tenant_id, epoch)
WHERE e.tenant_id = $1::uuid ORDER BY c.epoch DESC LIMIT 1`, tenant).Scan(&until, &size, &note, &origin)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("%w: the log is not closed", ledger.ErrKept)
	}
	if err != nil {
		return 0, err
	}
	if l.cfg.Now().Before(until) {
		return 0, fmt.Errorf("%w: until %s", ledger.ErrKept, until.UTC().Format(time.RFC3339))
	}
	id, err := logID(origin)
	if err != nil {
		return 0, err
	}
	told, err := l.Entries(ctx, p.Operator, ledger.Filter{Action: purgeAction, EntityID: id, Newest: true, Limit: 1})
	if err != nil {
		return 0, err
	}
	if len(told) > 0 {
		return told[0].Seq, nil
	}
	sum := sha256.Sum256([]byte(note))
	r, err := l.tell(ctx, record.Event{
		Tenant: p.Operator, Actor: p.Actor, Action: purgeAction, EntityType: verify.LedgerEntity, EntityID: id, Critical: true,
		Details: map[string]any{"size": size, "checkpoint": hex.EncodeToString(sum[:]), "kept_until": until.UTC().Format(time.RFC3339)},
		Narrative: record.Narrative{Template: "ledger_purged", Args: map[string]any{
			"at": l.cfg.Now(), "log": id, "count": size, "root": hex.EncodeToString(sum[:])}},
	})
	return r.Seq, err
}

const purgeAction = "ledger_purged"

// forget drops what this process knows of a log that is no more.
func (l *Log) forget(tenant uuid.UUID) {
	l.chains.mu.Lock()
	defer l.chains.mu.Unlock()
	if c := l.chains.byID[tenant]; c != nil && c.users == 0 {
		delete(l.chains.byID, tenant)
	}
}
