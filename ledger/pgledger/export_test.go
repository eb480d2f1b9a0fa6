package pgledger

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Frontier gives tests the tree's right edge.
type Frontier struct{ f frontier }

// Add adds a leaf and returns the paths and hashes of the tiles it filled.
func (f *Frontier) Add(leaf [32]byte) (tiles []struct {
	Level  int
	Index  uint64
	Hashes []byte
}) {
	f.f.add(leaf, func(t fullTile) {
		tiles = append(tiles, struct {
			Level  int
			Index  uint64
			Hashes []byte
		}{t.level, t.index, t.hashes})
	})
	return tiles
}

func (f *Frontier) Root() [32]byte { return f.f.root() }

// Placed returns the canonical form that place patched, and the one the entry's own encoder writes.
func (l *Log) Placed(ev record.Event, seq uint64, prev [32]byte, at time.Time) (patched, encoded []byte, err error) {
	p, err := l.prepare(ev)
	if err != nil {
		return nil, nil, err
	}
	p.place(seq, prev, at)
	encoded, err = p.entry.Canonical()
	return p.canonical(), encoded, err
}

// ArraySum gives tests the hash over an array of bytea.
func ArraySum(list [][]byte) [32]byte { return arraySum(list) }

// AppendSQL is the statement of every append.
const AppendSQL = appendSQL

// Waiting returns the number of batchers.
func (l *Log) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.batchers)
}

// AppendAlso appends ev with further statements in the same transaction.
func (l *Log) AppendAlso(ctx context.Context, ev record.Event, also func(b *pgx.Batch, seq uint64, generation int) error) error {
	p, err := l.prepare(ev)
	if err != nil {
		return err
	}
	p.also = func(b *pgx.Batch, k *keyring) error { return also(b, p.entry.Seq, k.generation) }
	return l.commit(ctx, ev.Tenant, []*pending{p}, nil)
}

// AppendOneSQL is the statement of an append behind whatever head there is.
const AppendOneSQL = appendOneSQL

// AppendOneArgs makes its arguments for whoever holds the door key.
func AppendOneArgs(door [32]byte, tenant uuid.UUID, generation int, at time.Time, e verify.Entry, openings []ledger.Opening) ([]any, error) {
	p := &pending{entry: e, openings: openings}
	if err := p.encode(); err != nil {
		return nil, err
	}
	var b pgx.Batch
	queueOne(&b, &keyring{tenant: tenant, generation: generation, door: door}, at, p)
	return b.QueuedQueries[0].Arguments, nil
}
