package pgledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Rotation asks for other keys of a log. The zero Rotation is a scheduled change by the system.
type Rotation struct {
	// Reason is a word of [a-z0-9_], 1–64 bytes. Empty means "scheduled", or verify.ReasonCompromise with Compromised.
	Reason string
	// Actor is who asks. Not valid means the system.
	Actor uuid.NullUUID
	// Compromised are the ids of keys that got into wrong hands, of the present keys or earlier ones. Then Approvers are needed:
	// two different users. Such a change carries no trust, since whoever has the old key could have written it: verifiers have
	// to be told the new keys by another way.
	Compromised []sign.KeyID
	// Approvers are the two users who decided it. They are recorded.
	Approvers [2]uuid.UUID
}

// KeyChange is the outcome of RotateKeys.
type KeyChange struct {
	// Receipt is that of the entry that announces the keys; they are valid from the position behind it on.
	Receipt ledger.Receipt
	// History is the key history from now on, for whoever pins it.
	History *verify.KeyHistory
}

// RotateKeys gives a log another key for each purpose and another door key. The change is an entry ledger_keys_rotated, signed
// by the old key; verifiers that pinned the old keys follow it. The private halves of the old keys are destroyed in the same
// transaction: nothing is signed with them any more, by no process. It makes a checkpoint before and after the change.
func (l *Log) RotateKeys(ctx context.Context, tenant uuid.UUID, r Rotation) (KeyChange, error) {
	var out KeyChange
	if err := r.check(); err != nil {
		return out, err
	}
	// Checkpoints of the sizes before have to be signed by the keys before: so few entries as can be are left without.
	if _, err := l.Checkpoint(ctx, tenant); err != nil {
		return out, fmt.Errorf("pgledger: rotate keys: %w", err)
	}
	p, err := l.exclusively(ctx, tenant, false, func(_ context.Context, _ pgx.Tx, c *chain) (*pending, error) { return l.rotation(c, r) })
	if err != nil {
		return out, fmt.Errorf("pgledger: rotate keys: %w", err)
	}
	out.Receipt = p.receipt
	if _, err := l.Checkpoint(ctx, tenant); err != nil {
		return out, fmt.Errorf("pgledger: rotate keys: %w", err)
	}
	out.History, err = l.KeyHistory(ctx, tenant)
	return out, err
}

func (r *Rotation) check() error {
	if r.Reason == "" {
		r.Reason = "scheduled"
		if len(r.Compromised) > 0 {
			r.Reason = verify.ReasonCompromise
		}
	}
	switch {
	case !isCode(r.Reason) || strings.ContainsAny(r.Reason, ".-"):
		return fmt.Errorf("%w: rotate keys: the reason is not a word of [a-z0-9_]", ledger.ErrInvalid)
	case (r.Reason == verify.ReasonCompromise) != (len(r.Compromised) > 0):
		return fmt.Errorf("%w: rotate keys: compromised keys go with the reason %s", ledger.ErrInvalid, verify.ReasonCompromise)
	case len(r.Compromised) > 0:
		return twoApprovers(r.Approvers)
	}
	return nil
}

// twoApprovers is dual control.
func twoApprovers(a [2]uuid.UUID) error {
	if a[0] == uuid.Nil || a[1] == uuid.Nil || a[0] == a[1] {
		return fmt.Errorf("%w: two different users have to approve this", ledger.ErrInvalid)
	}
	return nil
}

// rotation makes the entry that announces new keys, and what it does to the tables.
func (l *Log) rotation(c *chain, r Rotation) (*pending, error) {
	old := c.keys
	for _, id := range r.Compromised {
		if !slices.ContainsFunc(old.history.Keys, func(k verify.Key) bool { return k.ID() == id }) {
			return nil, fmt.Errorf("%w: rotate keys: %s is no key of the log", ledger.ErrInvalid, id)
		}
	}
	next, err := l.nextKeyring(old, c.head.size+1)
	if err != nil {
		return nil, err
	}
	ev, err := l.rotationEvent(old, next, r)
	if err != nil {
		return nil, err
	}
	p, err := l.compose(ev)
	if err != nil {
		return nil, err
	}
	p.also = func(b *pgx.Batch, k *keyring) error { return l.queueRotate(b, k, next, p.entry.Seq, r.Compromised) }
	return p, nil
}

// nextKeyring makes new keys that are valid from a position on.
func (l *Log) nextKeyring(old *keyring, from uint64) (*keyring, error) {
	k := &keyring{tenant: old.tenant, epoch: old.epoch, generation: old.generation + 1, origin: old.origin}
	if _, err := io.ReadFull(l.cfg.Rand, k.door[:]); err != nil {
		return nil, fmt.Errorf("randomness: %w", err)
	}
	return k, l.signingKeys(k, from)
}

func (l *Log) rotationEvent(old, next *keyring, r Rotation) (record.Event, error) {
	id, err := logID(old.origin)
	if err != nil {
		return record.Event{}, err
	}
	told := verify.Rotation{Reason: r.Reason, Keys: next.history.Keys, Compromised: r.Compromised}
	ev := record.Event{
		Tenant: old.tenant, Actor: r.Actor, Action: verify.RotationAction, EntityType: verify.LedgerEntity, EntityID: id, Critical: true,
		Details: told.Details(),
		Narrative: record.Narrative{Template: "ledger_keys_rotated", Args: map[string]any{
			"at": l.cfg.Now(), "reason": r.Reason, "keys": listKeys(next.history)}},
	}
	if len(r.Compromised) > 0 {
		revoked := make([]string, len(r.Compromised))
		for i := range r.Compromised {
			revoked[i] = r.Compromised[i].String()
		}
		ev.Details["approvers"] = []any{r.Approvers[0].String(), r.Approvers[1].String()}
		ev.Narrative = record.Narrative{Template: "ledger_keys_compromised", Args: map[string]any{
			"at": l.cfg.Now(), "revoked": strings.Join(revoked, ", "), "keys": listKeys(next.history)}}
	}
	return ev, nil
}

// listKeys names purposes and ids.
func listKeys(h *verify.KeyHistory) string {
	parts := make([]string, len(h.Keys))
	for i := range h.Keys {
		parts[i] = string(h.Keys[i].Purpose) + " " + h.Keys[i].ID().String()
	}
	return strings.Join(parts, ", ")
}

// queueRotate queues the statement that stores the new keys and destroys the old ones.
func (l *Log) queueRotate(b *pgx.Batch, old, next *keyring, entry uint64, compromised []sign.KeyID) error {
	s, err := l.sealed(next)
	if err != nil {
		return err
	}
	lost := make([]string, len(compromised))
	for i := range compromised {
		lost[i] = compromised[i].String()
	}
	inner, outer := pads(next.door)
	sum := sha256.New()
	sum.Write(binary.BigEndian.AppendUint32(nil, uint32(old.generation)))
	sum.Write(inner)
	sum.Write(outer)
	writeHashes(sum, []byte(s.door))
	for i := range s.purposes {
		writeHashes(sum, []byte(s.purposes[i]), []byte(s.ids[i]), s.publics[i], []byte(s.seals[i]))
	}
	for _, id := range lost {
		writeHashes(sum, []byte(id))
	}
	b.Queue(`SELECT tomkit.ledger_rotate($1::uuid, $2::bigint, $3::bytea, $4::integer, $5::bytea, $6::bytea, $7::text, $8::text[],
$9::text[], $10::bytea[], $11::text[], $12::text[])`, old.tenant, int64(entry), old.admit("rotate", entry, sum.Sum(nil)), old.generation,
		inner, outer, s.door, s.purposes, s.ids, s.publics, s.seals, lost)
	return nil
}

// writeHashes writes the hash of each part, so that no two lists of parts write the same.
func writeHashes(w io.Writer, parts ...[]byte) {
	for _, p := range parts {
		h := sha256.Sum256(p)
		w.Write(h[:])
	}
}

// KeyHistory returns all public keys the tenant's log ever had, as an export carries them: what verifiers pin. It wraps
// ledger.ErrNoLog if there is no log.
func (l *Log) KeyHistory(ctx context.Context, tenant uuid.UUID) (*verify.KeyHistory, error) {
	c := l.chains.hold(tenant)
	defer l.chains.letGo(c)
	keys, err := l.freshKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	return &verify.KeyHistory{Origin: keys.history.Origin, Keys: slices.Clone(keys.history.Keys)}, nil
}

// freshKeys returns the log's keys as the database has them now.
func (l *Log) freshKeys(ctx context.Context, c *chain) (*keyring, error) {
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	defer c.pass()
	if err := l.load(ctx, l.db.Tenant(c.tenant), c); err != nil {
		return nil, err
	}
	return c.keys, nil
}
