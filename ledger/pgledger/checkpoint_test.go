package pgledger_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func leafHash(i int) [32]byte { return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))) }

// tileFiles collects what verify's own writer makes of the same leaves.
func TestTheFrontierAgreesWithTheVerifiersTree(t *testing.T) {
	var f pgledger.Frontier
	var tree verify.Tree
	tiles := 0
	for i := range 70_000 {
		leaf := leafHash(i)
		tree.Append(leaf)
		for _, tile := range f.Add(leaf) {
			tiles++
			require.Len(t, tile.Hashes, 256*32)
			if tile.Level == 1 {
				require.Zero(t, tile.Index)
			}
		}
		if i < 600 || i%997 == 0 || i > 69_990 || i >= 65_530 && i <= 65_540 {
			require.Equal(t, tree.Root(), f.Root(), "size %d", i+1)
		}
	}
	require.Equal(t, 273+1, tiles)
}

// batch appends n small entries.
func (k kit) batch(t testing.TB, tenant uuid.UUID, n int) {
	t.Helper()
	for n > 0 {
		events := make([]record.Event, min(n, 1000))
		for i := range events {
			events[i] = system(tenant, i)
		}
		_, err := k.log.AppendBatch(context.Background(), events)
		require.NoError(t, err)
		n -= len(events)
	}
}

func TestCheckpoints(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	other := k.open(t, config())
	size := 1
	var kept []*verify.Receipt
	for _, n := range []int{1, 5, 249, 1, 1, 300, 0, 1000, 700} {
		k.batch(t, tenant, n)
		size += n
		log := k.log
		if size%2 == 0 {
			log = other // has another, older frontier in memory
		}
		note, err := log.Checkpoint(t.Context(), tenant)
		require.NoError(t, err)
		cp, err := verify.ParseCheckpoint(text(note))
		require.NoError(t, err)
		require.EqualValues(t, size, cp.Size)
		again, err := other.Checkpoint(t.Context(), tenant)
		require.NoError(t, err)
		require.Equal(t, note, again, "nothing new, no new note")
		for _, seq := range []uint64{0, uint64(size) / 2, uint64(size) - 1} {
			proof, err := other.Prove(t.Context(), tenant, seq)
			require.NoError(t, err)
			kept = append(kept, proof)
		}
	}
	fresh := k.open(t, config()) // loads its frontier from tiles
	k.batch(t, tenant, 3)
	_, err := fresh.Checkpoint(t.Context(), tenant)
	require.NoError(t, err)
	report, err := fresh.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Receipts: kept, Since: kept[0].Checkpoint})
	require.NoError(t, err)
	require.True(t, report.Intact(), "%+v", report.Findings)
	require.Equal(t, len(kept), report.Receipts)
	_, err = fresh.Prove(t.Context(), tenant, uint64(size)+3)
	require.Error(t, err)
}

// text is the signed part of a note.
func text(note []byte) string {
	for i := range note {
		if i > 0 && note[i] == '\n' && note[i-1] == '\n' {
			return string(note[:i])
		}
	}
	return ""
}

func TestRunPublishes(t *testing.T) {
	k := newKit(t)
	tenants := []uuid.UUID{uuid.New(), uuid.New()}
	cfg := config()
	cfg.CheckpointInterval, cfg.CheckpointEntries = 20*time.Millisecond, 50
	logs := []*pgledger.Log{k.open(t, cfg), k.open(t, cfg)}
	ctx, cancel := context.WithCancel(t.Context())
	var running, all sync.WaitGroup
	for _, log := range logs {
		running.Go(func() {
			if err := log.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	var mu sync.Mutex
	var proofs []*verify.Receipt
	for w := range 8 {
		all.Go(func() {
			for i := range 10 {
				r, err := logs[w%2].Append(context.Background(), login(tenants[w/4], i))
				if err != nil {
					t.Error(err)
					return
				}
				if i%3 != 0 {
					continue
				}
				proof, err := r.Wait(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if proof.Index != r.Seq || proof.Leaf != r.LeafHash {
					t.Error("a proof of another entry")
				}
				mu.Lock()
				if w/4 == 0 {
					proofs = append(proofs, proof)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	cancel()
	running.Wait()
	for _, tenant := range tenants {
		head, err := k.log.Head(t.Context(), tenant)
		require.NoError(t, err)
		note, err := k.log.LatestCheckpoint(t.Context(), tenant)
		require.NoError(t, err)
		cp, err := verify.ParseCheckpoint(text(note))
		require.NoError(t, err)
		require.Equal(t, head.Size, cp.Size, "the end of Run covers the last entry")
	}
	report, err := k.log.VerifyChain(t.Context(), tenants[0], pgledger.VerifyOptions{Receipts: proofs})
	require.NoError(t, err)
	require.True(t, report.Intact(), "%+v", report.Findings)
}

func TestRunFindsLogsLeftBehind(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 10) // by a process that never publishes
	cfg := config()
	cfg.CheckpointInterval = 10 * time.Millisecond
	log := k.open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	require.Eventually(t, func() bool {
		_, err := k.log.LatestCheckpoint(context.Background(), tenant)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
}

func TestWaitNeedsNobodyElse(t *testing.T) {
	k := newKit(t)
	cfg := config()
	cfg.CheckpointInterval = time.Millisecond
	log := k.open(t, cfg)
	r, err := log.Append(t.Context(), login(uuid.New(), 1))
	require.NoError(t, err)
	proof, err := r.Wait(t.Context())
	require.NoError(t, err)
	parsed, err := verify.ParseReceipt(proof.Marshal())
	require.NoError(t, err)
	require.Equal(t, r.LeafHash, parsed.Leaf)
	t.Run("and ends with its context", func(t *testing.T) {
		r, err := k.log.Append(t.Context(), login(uuid.New(), 1))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = r.Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("the zero receipt waits for nothing", func(t *testing.T) {
		_, err := ledger.Receipt{}.Wait(t.Context())
		require.ErrorIs(t, err, ledger.ErrNoLog)
	})
}
