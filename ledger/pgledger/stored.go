package pgledger

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// stored is a row of audit_logs as it is, right or wrong.
type stored struct {
	entry     verify.Entry
	seq       uint64
	canonical []byte // nil if the row cannot be written in canonical form
	leaf      [32]byte
	leafGood  bool // leaf_hash is that of the canonical form
	signature []byte
	key       string
}

const storedColumns = `a.seq, a.id, a.tenant_id, a.user_id, a.action, a.entity_type, a.entity_id, a.details::text, a.nis2_narrative,
a.previous_hash, a.current_hash, a.created_at, a.class, a.scheme, a.leaf_hash, a.dilithium_signature, coalesce(a.signature_key, '')`

// row is the scan target of storedColumns.
type row struct {
	seq                          int64
	id, tenant                   uuid.UUID
	user                         uuid.NullUUID
	action, entityType, entityID string
	details, narrative           string
	previous, current            string
	at                           time.Time
	class, scheme                string
	leaf, signature              []byte
	key                          string
}

func (r *row) targets() []any {
	return []any{&r.seq, &r.id, &r.tenant, &r.user, &r.action, &r.entityType, &r.entityID, &r.details, &r.narrative,
		&r.previous, &r.current, &r.at, &r.class, &r.scheme, &r.leaf, &r.signature, &r.key}
}

// stored turns a row into an entry.
func (r *row) stored() stored {
	s := stored{seq: uint64(r.seq), signature: append([]byte(nil), r.signature...), key: r.key}
	if r.signature == nil {
		s.signature = nil
	}
	s.entry = verify.Entry{
		Seq: uint64(r.seq), ID: r.id, Tenant: r.tenant, Action: r.action, EntityType: r.entityType, EntityID: r.entityID,
		Details: []byte(r.details), Narrative: r.narrative, CreatedAt: r.at.UTC(), Class: classOf(r.class), Scheme: schemeOf(r.scheme),
	}
	if r.user.Valid {
		user := [16]byte(r.user.UUID)
		s.entry.User = &user
	}
	var err1, err2 error
	s.entry.PreviousHash, err1 = parseHash(r.previous)
	s.entry.CurrentHash, err2 = parseHash(r.current)
	if err1 == nil && err2 == nil {
		s.canonical, _ = s.entry.Canonical()
	}
	copy(s.leaf[:], r.leaf)
	s.leafGood = s.canonical != nil && len(r.leaf) == 32 && verify.LeafHash(s.canonical) == s.leaf
	return s
}

// classOf and schemeOf give an invalid value for an unknown text, which the canonical form refuses.
func classOf(text string) verify.Class {
	for _, c := range []verify.Class{verify.Normal, verify.Critical} {
		if c.String() == text {
			return c
		}
	}
	return 0xff
}

func schemeOf(text string) verify.Scheme {
	for _, s := range []verify.Scheme{verify.SchemeBound, verify.SchemePlain} {
		if s.String() == text {
			return s
		}
	}
	return 0xff
}

// page reads the rows of [from, to) in order.
func (l *Log) page(ctx context.Context, tenant uuid.UUID, from, to uint64) ([]stored, error) {
	rows, err := l.db.Tenant(tenant).Query(ctx, `SELECT `+storedColumns+` FROM tomkit.audit_logs a
WHERE a.tenant_id = $1::uuid AND a.seq >= $2 AND a.seq < $3 ORDER BY a.seq`, tenant, int64(from), int64(to))
	if err != nil {
		return nil, err
	}
	page := make([]stored, 0, to-from)
	var r row
	_, err = pgx.ForEachRow(rows, r.targets(), func() error {
		page = append(page, r.stored())
		return nil
	})
	return page, err
}

// openingRow is a row of ledger_openings.
type openingRow struct {
	verify.Opening
	subject uuid.UUID
}

// openingsAfter reads up to limit openings behind (seq, commitment), in order, of entries before end.
func (l *Log) openingsAfter(ctx context.Context, tenant uuid.UUID, seq int64, commitment []byte, end uint64, limit int) ([]openingRow, error) {
	rows, err := l.db.Tenant(tenant).Query(ctx, `SELECT seq, commitment, salt, subject, value FROM tomkit.ledger_openings
WHERE tenant_id = $1::uuid AND (seq, commitment) > ($2::bigint, $3::bytea) AND seq < $4 ORDER BY seq, commitment LIMIT $5`,
		tenant, seq, commitment, int64(end), limit)
	if err != nil {
		return nil, err
	}
	return collectOpenings(rows)
}

func collectOpenings(rows pgx.Rows) ([]openingRow, error) {
	var all []openingRow
	var seq int64
	var c, salt []byte
	var o openingRow
	_, err := pgx.ForEachRow(rows, []any{&seq, &c, &salt, &o.subject, &o.Value}, func() error {
		o.Seq = uint64(seq)
		o.Commitment, o.Salt = hashOf(c), hashOf(salt)
		all = append(all, o)
		return nil
	})
	return all, err
}

// hashOf returns 32 stored bytes. Bytes of another length, which the tables refuse, give a hash that fits nothing.
func hashOf(b []byte) (h [32]byte) {
	if len(b) == len(h) {
		copy(h[:], b)
	}
	return h
}
