package pgledger

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// checkpointKey names a checkpoint of a log.
type checkpointKey struct {
	epoch int
	size  uint64
}

// evidence is what anchors gave for a log's checkpoints.
type evidence struct {
	lines  map[checkpointKey][]byte
	tokens []stamp // by size, then by name
}

type stamp struct {
	verify.TimestampFile
	token []byte
}

// maxEvidence bounds the checkpoints whose evidence is read: the newest.
const maxEvidence = 4096

// evidenceFor reads the evidence for checkpoints up to a size.
func (l *Log) evidenceFor(ctx context.Context, tenant uuid.UUID, size uint64) (evidence, error) {
	e := evidence{lines: map[checkpointKey][]byte{}}
	rows, err := l.db.Tenant(tenant).Query(ctx, `SELECT epoch, size, anchor, lines, token FROM tomkit.ledger_evidence
WHERE tenant_id = $1::uuid AND size <= $2 AND (lines <> '' OR token <> '') ORDER BY size DESC, anchor LIMIT $3`, tenant, int64(size), maxEvidence)
	if err != nil {
		return e, err
	}
	var epoch int
	var at int64
	var anchor, lines string
	var token []byte
	_, err = pgx.ForEachRow(rows, []any{&epoch, &at, &anchor, &lines, &token}, func() error {
		key := checkpointKey{epoch, uint64(at)}
		e.lines[key] = append(e.lines[key], lines...)
		if len(token) > 0 {
			e.tokens = append(e.tokens, stamp{verify.TimestampFile{Size: key.size, Anchor: anchor}, slices.Clone(token)})
		}
		return nil
	})
	slices.SortStableFunc(e.tokens, func(a, b stamp) int {
		return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.Anchor, b.Anchor))
	})
	return e, err
}

// cosigned adds the anchors' lines to a note.
func (e evidence) cosigned(epoch int, size uint64, note []byte) []byte {
	lines := e.lines[checkpointKey{epoch, size}]
	if len(lines) == 0 || len(note)+len(lines) > verify.MaxCheckpoint {
		return note
	}
	return append(slices.Clone(note), lines...)
}
