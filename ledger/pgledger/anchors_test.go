package pgledger_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// anchor is a ledger.Anchor in memory, which may be out of order.
type anchor struct {
	name string

	mu     sync.Mutex
	sizes  map[string]ledger.Memory
	shown  int
	err    error
	lines  func(checkpoint []byte) []byte
	token  []byte
	proven int // consistency proofs that were right
}

func newAnchor(name string) *anchor { return &anchor{name: name, sizes: map[string]ledger.Memory{}} }

func (a *anchor) Name() string { return a.name }

func (a *anchor) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
}

func (a *anchor) Latest(_ context.Context, origin string, _ []byte) (ledger.Memory, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sizes[origin], a.err
}

func (a *anchor) remembers(origin string) ledger.Memory {
	m, _ := a.Latest(context.Background(), origin, nil)
	return m
}

func (a *anchor) Submit(ctx context.Context, s ledger.Submission) (ledger.Evidence, error) {
	_, err := note.Open(s.Checkpoint, nil)
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return ledger.Evidence{}, err
	}
	cp, err := verify.ParseCheckpoint(unverified.Note.Text)
	if err != nil {
		return ledger.Evidence{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return ledger.Evidence{}, a.err
	}
	have := a.sizes[cp.Origin]
	if have.Size > cp.Size {
		return ledger.Evidence{}, &ledger.RollbackError{Anchor: a.name, Size: have.Size, Head: cp.Size}
	}
	if have.Size > 0 {
		proof, err := s.Consistency(ctx, have.Size)
		if err != nil {
			return ledger.Evidence{}, err
		}
		if verify.CheckConsistency(proof, have.Size, cp.Size, *have.Root, cp.Root) != nil {
			return ledger.Evidence{}, &ledger.RollbackError{Anchor: a.name, Size: have.Size, Head: cp.Size, Fork: true}
		}
		a.proven++
	}
	a.sizes[cp.Origin] = ledger.Memory{Size: cp.Size, Root: &cp.Root}
	a.shown++
	e := ledger.Evidence{Token: a.token}
	if a.lines != nil {
		e.Lines = a.lines(s.Checkpoint)
	}
	return e, nil
}

func anchored(anchors ...ledger.Anchor) pgledger.Config {
	cfg := config()
	cfg.Anchors = anchors
	cfg.CheckpointInterval, cfg.AnchorInterval = 5*time.Millisecond, 5*time.Millisecond
	return cfg
}

// run runs a log until the returned function is called.
func run(t testing.TB, log *pgledger.Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := log.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return func() { cancel(); <-done }
}

func origin(t testing.TB, log *pgledger.Log, tenant uuid.UUID) string {
	t.Helper()
	h, err := log.KeyHistory(context.Background(), tenant)
	require.NoError(t, err)
	return h.Origin
}

func TestCheckpointsAreAnchored(t *testing.T) {
	k := newKit(t)
	witness, broken := newAnchor("witness-1"), newAnchor("tsa")
	signer, _, err := note.GenerateKey(nil, "witness.example.org")
	require.NoError(t, err)
	key, err := note.NewSigner(signer)
	require.NoError(t, err)
	witness.lines = func(checkpoint []byte) []byte {
		text := string(checkpoint[:strings.Index(string(checkpoint), "\n\n")+1])
		signed, err := note.Sign(&note.Note{Text: text}, key)
		require.NoError(t, err)
		return signed[len(text)+1:]
	}
	witness.token = []byte{0x30, 3, 2, 1, 0}
	broken.fail(errors.New("down"))
	k.log = k.open(t, anchored(witness, broken))
	tenant := uuid.New()
	k.fill(t, tenant, 5)
	stop := run(t, k.log)
	for range 5 {
		_, err := k.log.Append(t.Context(), system(tenant, 1))
		require.NoError(t, err, "an anchor that is down delays no entry")
		require.Eventually(t, func() bool {
			head, err := k.log.Head(t.Context(), tenant)
			return err == nil && witness.remembers(origin(t, k.log, tenant)).Size == head.Size
		}, time.Minute, time.Millisecond)
	}
	var health pgledger.Health
	require.Eventually(t, func() bool { // the anchor has seen it; that it has is stored a moment later
		health, err = k.log.Health(t.Context())
		return err == nil && health.Anchors[0].Behind == 0
	}, time.Minute, time.Millisecond)
	require.EqualValues(t, 1, health.Logs)
	require.Len(t, health.Anchors, 2)
	require.Zero(t, health.Unpublished)
	require.Zero(t, health.Anchors[0].Behind)
	require.NotZero(t, health.Anchors[1].Behind)
	require.Error(t, health.Anchors[1].Err)
	require.True(t, health.OK(), "nothing is older than five minutes")
	stop()
	require.Positive(t, witness.proven)

	t.Run("and exports carry what they gave", func(t *testing.T) {
		dir, size := exportDir(t, k.log, tenant, pgledger.ExportOptions{})
		report := verifyDir(t, dir, verify.Config{})
		require.True(t, report.Intact(), "%+v", report.Findings)
		text := readFile(t, dir, "checkpoint")
		require.Contains(t, text, "witness.example.org")
		stamps, err := verify.Timestamps(osDir(dir))
		require.NoError(t, err)
		require.NotEmpty(t, stamps)
		require.Equal(t, verify.TimestampFile{Size: size, Anchor: "witness-1"}, stamps[len(stamps)-1])
		live, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.True(t, live.Intact(), "%+v", live.Findings)
	})
	t.Run("and what is late is said", func(t *testing.T) {
		cfg := anchored(witness, broken)
		cfg.MaxCheckpointAge = time.Nanosecond
		health, err := k.open(t, cfg).Health(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"tsa"}, health.Late)
	})
	t.Run("and another process catches up what waits", func(t *testing.T) {
		broken.fail(nil)
		defer run(t, k.open(t, anchored(broken)))()
		require.Eventually(t, func() bool { return broken.remembers(origin(t, k.log, tenant)).Size > 0 }, time.Minute, time.Millisecond)
	})
}

func TestConsistency(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	roots := map[uint64][32]byte{}
	for _, n := range []int{3, 250, 7, 300} {
		k.fill(t, tenant, n)
		text, err := k.log.Checkpoint(t.Context(), tenant)
		require.NoError(t, err)
		h, err := k.log.KeyHistory(t.Context(), tenant)
		require.NoError(t, err)
		cp, err := verify.OpenCheckpoint(text, h)
		require.NoError(t, err)
		roots[cp.Size] = cp.Root
	}
	for from, old := range roots {
		for to, root := range roots {
			proof, err := k.log.Consistency(t.Context(), tenant, from, to)
			if from > to {
				require.ErrorIs(t, err, ledger.ErrInvalid)
				continue
			}
			require.NoError(t, err)
			require.NoError(t, verify.CheckConsistency(proof, from, to, old, root))
		}
	}
	for _, c := range [][2]uint64{{0, 1}, {1, 10_000}} {
		_, err := k.log.Consistency(t.Context(), tenant, c[0], c[1])
		require.ErrorIs(t, err, ledger.ErrInvalid)
	}
}

func TestAnAnchorThatCannotBeAsked(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 1)
	down := newAnchor("down")
	down.fail(errors.New("no route"))
	t.Run("refuses nothing by default", func(t *testing.T) {
		_, err := k.open(t, anchored(down)).Append(t.Context(), system(tenant, 1))
		require.NoError(t, err)
	})
	cfg := anchored(down)
	cfg.RequireAnchors = true
	strict := k.open(t, cfg)
	t.Run("refuses writing where it is required", func(t *testing.T) {
		_, err := strict.Append(t.Context(), system(tenant, 1))
		require.ErrorIs(t, err, ledger.ErrUnanchored)
	})
	t.Run("and no longer once it answers", func(t *testing.T) {
		down.fail(nil)
		_, err := strict.Append(t.Context(), system(tenant, 1))
		require.NoError(t, err)
	})
	t.Run("an anchor without memory is none that has to be asked", func(t *testing.T) {
		down.fail(ledger.ErrNoMemory)
		_, err := k.open(t, cfg).Append(t.Context(), system(tenant, 1))
		require.NoError(t, err)
	})
	for name, bad := range map[string][]ledger.Anchor{"twice": {newAnchor("a"), newAnchor("a")}, "malformed": {newAnchor("Ä")}, "nil": {nil}} {
		t.Run(name, func(t *testing.T) {
			_, err := pgledger.Open(t.Context(), k.db, anchored(bad...))
			require.ErrorContains(t, err, "anchor")
		})
	}
}
