package pgledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// published is the latest checkpoint this process knows of a log, and the tree below it.
type published struct {
	mu      sync.Mutex
	epoch   int
	size    uint64
	root    [32]byte
	note    []byte
	edge    frontier
	changed chan struct{} // closed and replaced when size grows
}

// publishStep is the greatest number of entries one transaction adds to the tree; a log further behind gets several
// checkpoints.
const publishStep = 1 << 16

// errRotated means that the log's keys are others than this process has.
var errRotated = errors.New("pgledger: checkpoint: the keys were replaced")

// errBusy means that another process publishes the log.
var errBusy = errors.New("pgledger: checkpoint: another process is at it")

// Checkpoint returns a signed note over the whole log as of now, making one if the last is older than the last entry. It
// wraps ledger.ErrNoLog if the tenant has no log, and ledger.ErrRolledBack if an anchor remembers more of it or something else.
func (l *Log) Checkpoint(ctx context.Context, tenant uuid.UUID) ([]byte, error) {
	return l.publish(ctx, tenant, true)
}

// LatestCheckpoint returns the last signed note of the log's present epoch without making one. It wraps ledger.ErrNoLog if
// there is none yet.
func (l *Log) LatestCheckpoint(ctx context.Context, tenant uuid.UUID) ([]byte, error) {
	var note string
	err := l.db.Tenant(tenant).QueryRow(ctx, `SELECT note FROM tomkit.ledger_checkpoints WHERE tenant_id = $1::uuid
AND epoch = (SELECT max(l.epoch) FROM tomkit.ledger_logs l WHERE l.tenant_id = $1::uuid) ORDER BY size DESC LIMIT 1`, tenant).Scan(&note)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("pgledger: latest checkpoint: %w", ledger.ErrNoLog)
	}
	return []byte(note), err
}

// publish makes checkpoints until one covers the head that was found first.
func (l *Log) publish(ctx context.Context, tenant uuid.UUID, wait bool) ([]byte, error) {
	c := l.chains.hold(tenant)
	defer l.chains.letGo(c)
	for {
		note, behind, err := l.publishOnce(ctx, c, wait)
		if errors.Is(err, errRotated) {
			if _, err = l.freshKeys(ctx, c); err == nil {
				continue
			}
		}
		if err != nil || !behind {
			return note, err
		}
	}
}

func (l *Log) publishOnce(ctx context.Context, c *chain, wait bool) (note []byte, behind bool, err error) {
	keys, err := l.guardedKeys(ctx, c)
	if err != nil {
		return nil, false, err
	}
	c.published.begin(keys.epoch)
	var edge frontier
	var cp verify.Checkpoint
	err = l.db.Tenant(c.tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		var size, last int64
		var lastNote string
		var generation int
		err := tx.QueryRow(ctx, `SELECT size, checkpoint_size, checkpoint_note, generation FROM tomkit.ledger_publishing($1::uuid, $2::boolean)`,
			c.tenant, wait).Scan(&size, &last, &lastNote, &generation)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return errBusy
		case err != nil:
			return err
		case generation != keys.generation:
			return errRotated
		case size == last:
			note = []byte(lastNote)
			return nil
		}
		if edge, err = l.edge(ctx, tx, c, uint64(last)); err != nil {
			return err
		}
		end := min(uint64(size), max(edge.size+publishStep, keys.signsFrom()))
		behind = end < uint64(size)
		tiles, err := grow(ctx, tx, c.tenant, &edge, end)
		if err != nil {
			return err
		}
		cp = verify.Checkpoint{Origin: keys.origin, Size: edge.size, Root: edge.root()}
		if note, err = verify.SignCheckpoint(cp, keys.checkpoint, keys.stock); err != nil {
			return err
		}
		return l.store(ctx, tx, keys, cp, note, tiles)
	})
	if err != nil {
		return nil, false, fmt.Errorf("pgledger: checkpoint: %w", err)
	}
	if cp.Size == 0 { // nothing new
		if cp, err = verify.OpenCheckpoint(note, keys.history); err != nil {
			return nil, false, fmt.Errorf("pgledger: checkpoint: %w", err)
		}
	}
	c.published.advance(cp, note, edge)
	l.anchorLater(c.tenant)
	return note, behind, nil
}

// begin forgets what was published in another epoch: after a recovery sizes start again from less.
func (p *published) begin(epoch int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != epoch {
		p.epoch, p.size, p.root, p.note, p.edge = epoch, 0, [32]byte{}, nil, frontier{}
	}
}

// advance takes over a newer checkpoint and wakes whoever waits for it. An empty edge keeps the one that is there.
func (p *published) advance(cp verify.Checkpoint, note []byte, edge frontier) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cp.Size <= p.size {
		return
	}
	p.size, p.root, p.note = cp.Size, cp.Root, note
	if edge.size == cp.Size {
		p.edge = edge
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// edge returns the frontier at size: the cached one if it is still right, or one from stored tiles and leaves.
func (l *Log) edge(ctx context.Context, tx *rls.Tx, c *chain, size uint64) (frontier, error) {
	c.published.mu.Lock()
	cached := c.published.edge.clone()
	c.published.mu.Unlock()
	if cached.size == size {
		return cached, nil
	}
	return storedEdge(ctx, tx, c.tenant, size)
}

// storedEdge makes the frontier at the size of a checkpoint from stored tiles and leaves.
func storedEdge(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, size uint64) (frontier, error) {
	f := frontier{size: size}
	for level := 0; size>>(8*level) > 0; level++ {
		n := size >> (8 * level)
		hashes, err := tileHashes(ctx, tx, tenant, level, n-n%tileWidth, n)
		if err != nil {
			return f, err
		}
		f.levels = append(f.levels, hashes)
	}
	return f, nil
}

// tileHashes returns the hashes [from, to) of a tile level: leaves, or roots of the full tiles below.
func tileHashes(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, level int, from, to uint64) ([][32]byte, error) {
	sql := `SELECT leaf_hash FROM tomkit.audit_logs WHERE tenant_id = $1::uuid AND seq >= $2 AND seq < $3 ORDER BY seq`
	args := []any{tenant, int64(from), int64(to)}
	if level > 0 {
		sql = `SELECT root FROM tomkit.ledger_tiles WHERE tenant_id = $1::uuid AND idx >= $2 AND idx < $3 AND level = $4 ORDER BY idx`
		args = append(args, level-1)
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	hashes := make([][32]byte, 0, tileWidth)
	var b []byte
	_, err = pgx.ForEachRow(rows, []any{&b}, func() error {
		if len(b) != 32 {
			return errTree
		}
		hashes = append(hashes, [32]byte(b))
		return nil
	})
	if err == nil && uint64(len(hashes)) != to-from {
		err = errTree
	}
	return hashes, err
}

// errTree means that leaves or tiles below a checkpoint are missing: VerifyChain says where.
var errTree = errors.New("pgledger: the stored tree has a gap")

// grow adds the leaves up to end to f and returns the tiles that became full.
func grow(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, f *frontier, end uint64) (tiles []fullTile, err error) {
	rows, err := tx.Query(ctx, `SELECT seq, leaf_hash FROM tomkit.audit_logs WHERE tenant_id = $1::uuid AND seq >= $2 AND seq < $3
ORDER BY seq`, tenant, int64(f.size), int64(end))
	if err != nil {
		return nil, err
	}
	var seq int64
	var leaf []byte
	_, err = pgx.ForEachRow(rows, []any{&seq, &leaf}, func() error {
		if uint64(seq) != f.size || len(leaf) != 32 {
			return errTree
		}
		f.add([32]byte(leaf), func(t fullTile) { tiles = append(tiles, t) })
		return nil
	})
	if err == nil && f.size != end {
		err = errTree
	}
	return tiles, err
}

// store writes a checkpoint with its tiles.
func (l *Log) store(ctx context.Context, tx pgx.Tx, k *keyring, cp verify.Checkpoint, note []byte, tiles []fullTile) error {
	var levels []int16
	var indexes []int64
	var hashes, roots [][]byte
	sum := sha256.New()
	for i := range tiles {
		t := &tiles[i]
		levels, indexes = append(levels, int16(t.level)), append(indexes, int64(t.index))
		hashes, roots = append(hashes, t.hashes), append(roots, t.root[:])
		sum.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, uint16(t.level)), t.index))
		sum.Write(t.hashes)
		sum.Write(t.root[:])
	}
	text := sha256.Sum256(note)
	_, err := tx.Exec(ctx, `SELECT tomkit.ledger_publish($1::uuid, $2::bigint, $3::bytea, $4::text, $5::timestamptz, $6::bytea,
$7::smallint[], $8::bigint[], $9::bytea[], $10::bytea[])`, k.tenant, int64(cp.Size), cp.Root[:], string(note),
		verify.Timestamp(l.cfg.Now()), k.admit("publish", cp.Size, cp.Root[:], text[:], sum.Sum(nil)), levels, indexes, hashes, roots)
	return err
}
