package pgledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// wait is ledger.Receipt.Wait. It expects somebody to run [Log.Run], and makes the checkpoint itself when nobody seems to.
func (l *Log) wait(ctx context.Context, r ledger.Receipt) (*verify.Receipt, error) {
	c := l.chains.hold(r.Tenant)
	defer l.chains.letGo(c)
	patience := time.NewTimer(2 * l.cfg.CheckpointInterval)
	defer patience.Stop()
	for {
		c.published.mu.Lock()
		size, changed := c.published.size, c.published.changed
		c.published.mu.Unlock()
		if size > r.Seq {
			break
		}
		select {
		case <-changed:
		case <-patience.C:
			if _, err := l.Checkpoint(ctx, r.Tenant); err != nil {
				return nil, err
			}
			patience.Reset(2 * l.cfg.CheckpointInterval)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return l.Prove(ctx, r.Tenant, r.Seq)
}

// errUncovered means that no checkpoint covers the entry yet.
var errUncovered = errors.New("pgledger: prove: no checkpoint covers the entry yet")

// Prove returns the inclusion proof of entry seq under the latest checkpoint. It proves what the log stores, so a damaged
// log yields an error or a proof for the damaged leaf that does not verify.
func (l *Log) Prove(ctx context.Context, tenant uuid.UUID, seq uint64) (*verify.Receipt, error) {
	c := l.chains.hold(tenant)
	defer l.chains.letGo(c)
	keys, err := l.freshKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	note, err := l.LatestCheckpoint(ctx, tenant)
	if err != nil {
		return nil, err
	}
	cp, err := verify.OpenCheckpoint(note, keys.history)
	if err != nil {
		return nil, fmt.Errorf("pgledger: prove: %w", err)
	}
	if cp.Size <= seq {
		return nil, errUncovered
	}
	out := &verify.Receipt{Index: seq, Checkpoint: note}
	err = l.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		leaf, err := tileHashes(ctx, tx, tenant, 0, seq, seq+1)
		if err != nil {
			return err
		}
		out.Leaf = leaf[0]
		tree := tlog.Tree{N: int64(cp.Size), Hash: cp.Root}
		reader := tlog.TileHashReader(tree, &tileReader{ctx: ctx, tx: tx, tenant: tenant})
		proof, err := tlog.ProveRecord(tree.N, int64(seq), reader)
		for _, h := range proof {
			out.Proof = append(out.Proof, h)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pgledger: prove: %w", err)
	}
	return out, verify.CheckInclusion(out.Proof, seq, cp.Size, out.Leaf, cp.Root)
}

// tileReader reads tiles inside one transaction; its context is that of the call.
type tileReader struct {
	ctx    context.Context
	tx     *rls.Tx
	tenant uuid.UUID
}

// Height is the tile height of C2SP tlog-tiles.
func (*tileReader) Height() int { return 8 }

// SaveTiles does nothing: the tiles are where they belong.
func (*tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles implements tlog.TileReader. Full tiles are stored; of partial ones there are the hashes.
func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		from := uint64(t.N) * tileWidth
		hashes, err := tileHashes(r.ctx, r.tx, r.tenant, t.L, from, from+uint64(t.W))
		if err != nil {
			return nil, err
		}
		out[i] = join(hashes)
	}
	return out, nil
}
