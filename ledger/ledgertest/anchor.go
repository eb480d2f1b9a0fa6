package ledgertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// AnchorLog is a log to show an anchor: leaves that mean nothing, signed as a real log is, that can be forked.
type AnchorLog struct {
	Origin string
	Keys   *verify.KeyHistory

	composite *sign.CompositeKey
	stock     *sign.Ed25519Key
	leaves    [][32]byte
}

// NewAnchorLog returns a log of so many leaves. The id decides about origin, keys and leaves.
func NewAnchorLog(t testing.TB, id byte, size int) *AnchorLog {
	t.Helper()
	random := rand.New(rand.NewSource(int64(id)))
	composite, err := sign.NewCompositeKey(random)
	require.NoError(t, err)
	stock, err := sign.NewEd25519Key(random)
	require.NoError(t, err)
	l := &AnchorLog{Origin: verify.FormatOrigin("anchor.example", [16]byte{id}, 0), composite: composite, stock: stock}
	l.Keys = &verify.KeyHistory{Origin: l.Origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: composite.Public()}, {Purpose: verify.PurposeStock, Ed25519: stock.Public()},
	}}
	return l.Fork(0, size)
}

// Fork returns a log of the same origin and keys that has the first common leaves in common with l, and size of them. If
// size is larger than common, the leaf after the common ones is another one than l has there.
func (l *AnchorLog) Fork(common, size int) *AnchorLog {
	f := *l
	f.leaves = slices.Clone(l.leaves[:common])
	for i := common; i < size; i++ {
		f.leaves = append(f.leaves, sha256.Sum256(binary.BigEndian.AppendUint64([]byte{byte(len(l.leaves)), byte(common)}, uint64(i))))
	}
	return &f
}

// NextEpoch returns the log after a recovery: the same leaves and keys under the origin of the next epoch.
func (l *AnchorLog) NextEpoch() *AnchorLog {
	next := *l
	domain, id, epoch, err := verify.ParseOrigin(l.Origin)
	if err != nil {
		panic(err)
	}
	next.Origin = verify.FormatOrigin(domain, id, epoch+1)
	next.Keys = &verify.KeyHistory{Origin: next.Origin, Keys: l.Keys.Keys}
	return &next
}

// VerifierKey returns the key of the log's Ed25519 line as witnesses configure it.
func (l *AnchorLog) VerifierKey(t testing.TB) string {
	t.Helper()
	vkey, err := l.stock.Public().VerifierKey(l.Origin)
	require.NoError(t, err)
	return vkey
}

// CompositeVerifierKey returns the key of the log's composite line in the same form.
func (l *AnchorLog) CompositeVerifierKey(t testing.TB) string {
	t.Helper()
	vkey, err := l.composite.Public().VerifierKey(l.Origin)
	require.NoError(t, err)
	return vkey
}

// Size returns the number of leaves.
func (l *AnchorLog) Size() int { return len(l.leaves) }

// Root returns the root of the first size leaves.
func (l *AnchorLog) Root(size int) [32]byte { return subtree(l.leaves[:size]) }

// Checkpoint returns the signed checkpoint at a size.
func (l *AnchorLog) Checkpoint(t testing.TB, size int) []byte {
	t.Helper()
	signed, err := l.Sign(verify.Checkpoint{Origin: l.Origin, Size: uint64(size), Root: l.Root(size)})
	require.NoError(t, err)
	return signed
}

// Sign signs any claim with the log's keys.
func (l *AnchorLog) Sign(c verify.Checkpoint) ([]byte, error) {
	return verify.SignCheckpoint(c, l.composite, l.stock)
}

// Submission returns what to show an anchor at a size.
func (l *AnchorLog) Submission(t testing.TB, size int) ledger.Submission {
	t.Helper()
	return ledger.Submission{Checkpoint: l.Checkpoint(t, size), Consistency: func(ctx context.Context, from uint64) ([][32]byte, error) {
		if from > uint64(size) {
			return nil, fmt.Errorf("ledgertest: consistency: from %d to %d", from, size)
		}
		return l.Consistency(int(from), size), ctx.Err()
	}}
}

// Consistency returns the proof between two sizes (RFC 6962 §2.1.2), which is empty where none is needed or there is none.
func (l *AnchorLog) Consistency(from, to int) [][32]byte {
	if from == 0 || from >= to {
		return nil
	}
	return subproof(from, l.leaves[:to], true)
}

// split is the largest power of two below n.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func subtree(leaves [][32]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := split(len(leaves))
	left, right := subtree(leaves[:k]), subtree(leaves[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

func subproof(m int, leaves [][32]byte, whole bool) [][32]byte {
	n := len(leaves)
	if m == n {
		if whole {
			return nil
		}
		return [][32]byte{subtree(leaves)}
	}
	if k := split(n); m <= k {
		return append(subproof(m, leaves[:k], whole), subtree(leaves[k:]))
	} else {
		return append(subproof(m-k, leaves[k:], false), subtree(leaves[:k]))
	}
}

// AnchorSuite is what every [ledger.Anchor] must do.
type AnchorSuite struct {
	// New returns an anchor that remembers nothing and takes checkpoints of these logs.
	New func(t *testing.T, logs ...*AnchorLog) ledger.Anchor
	// Forgets says that the anchor takes checkpoints without remembering any: a log collector, a time-stamping authority.
	Forgets bool
}

// Anchor runs the suite.
func Anchor(t *testing.T, s AnchorSuite) {
	t.Run("a name says nothing about a tenant", func(t *testing.T) {
		require.Regexp(t, regexp.MustCompile(`^[a-z0-9._-]{1,64}$`), s.New(t, NewAnchorLog(t, 1, 1)).Name())
	})
	t.Run("a checkpoint that is no checkpoint is an error", s.malformed)
	t.Run("an ended context is its error and leaves nothing behind", s.cancelled)
	if s.Forgets {
		t.Run("it takes every checkpoint and cannot be asked", s.forgets)
		return
	}
	t.Run("it remembers the newest", s.grows)
	t.Run("an origin it never saw is no memory", s.unknown)
	t.Run("the same again is no error", s.resubmits)
	t.Run("an older one is no fork and changes nothing", s.older)
	t.Run("a fork is found at every size", s.forks)
	t.Run("proofs that do not hold are found", s.badProofs)
	t.Run("logs do not mix", s.separate)
	t.Run("many at once never move it back", s.concurrent)
}

func (s AnchorSuite) latest(t *testing.T, a ledger.Anchor, l *AnchorLog) ledger.Memory {
	t.Helper()
	m, err := a.Latest(t.Context(), l.Origin, l.Checkpoint(t, l.Size()))
	require.NoError(t, err)
	return m
}

// remembers asserts that the anchor's newest is l at size.
func (s AnchorSuite) remembers(t *testing.T, a ledger.Anchor, l *AnchorLog, size int) {
	t.Helper()
	m := s.latest(t, a, l.Fork(size, size))
	require.Equal(t, uint64(size), m.Size)
	if m.Root != nil {
		require.Equal(t, l.Root(size), *m.Root)
	}
}

func submit(t *testing.T, a ledger.Anchor, l *AnchorLog, size int) ledger.Evidence {
	t.Helper()
	e, err := a.Submit(t.Context(), l.Submission(t, size))
	require.NoError(t, err)
	return e
}

func requireRollback(t *testing.T, err error) *ledger.RollbackError {
	t.Helper()
	require.ErrorIs(t, err, ledger.ErrRolledBack)
	var r *ledger.RollbackError
	require.ErrorAs(t, err, &r)
	return r
}

func (s AnchorSuite) malformed(t *testing.T) {
	l := NewAnchorLog(t, 1, 3)
	a := s.New(t, l)
	good := l.Checkpoint(t, 3)
	for name, bad := range map[string][]byte{
		"nothing": nil, "no signature": good[:bytes.Index(good, []byte("\n\n"))+2], "cut": good[:len(good)-1],
		"not text": append([]byte{0xff}, good...), "huge": append(bytes.Repeat([]byte("x"), verify.MaxCheckpoint), good...),
		"wrong size": bytes.Replace(good, []byte("\n3\n"), []byte("\n03\n"), 1), "a line more": append([]byte("x\n"), good...),
	} {
		_, err := a.Submit(t.Context(), ledger.Submission{Checkpoint: bad})
		require.Error(t, err, name)
		require.NotErrorIs(t, err, ledger.ErrRolledBack, name)
	}
	if !s.Forgets {
		require.Zero(t, s.latest(t, a, l.Fork(0, 0)).Size)
	}
}

func (s AnchorSuite) cancelled(t *testing.T) {
	l := NewAnchorLog(t, 1, 3)
	a := s.New(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.Submit(ctx, l.Submission(t, 3))
	require.ErrorIs(t, err, context.Canceled)
	if !s.Forgets {
		require.Zero(t, s.latest(t, a, l.Fork(0, 0)).Size)
	}
}

func (s AnchorSuite) forgets(t *testing.T) {
	l := NewAnchorLog(t, 1, 9)
	a := s.New(t, l)
	for _, size := range []int{4, 9, 9, 4} {
		submit(t, a, l, size)
	}
	submit(t, a, l.Fork(2, 9), 9)
	_, err := a.Latest(t.Context(), l.Origin, l.Checkpoint(t, 9))
	require.ErrorIs(t, err, ledger.ErrNoMemory)
}

func (s AnchorSuite) grows(t *testing.T) {
	l := NewAnchorLog(t, 1, 70)
	a := s.New(t, l)
	for _, size := range []int{1, 2, 3, 7, 8, 64, 70} {
		submit(t, a, l, size)
		s.remembers(t, a, l, size)
	}
	require.Equal(t, uint64(70), s.latest(t, a, l.Fork(64, 64)).Size, "asked by a database that is behind")
}

func (s AnchorSuite) unknown(t *testing.T) {
	a := s.New(t, NewAnchorLog(t, 1, 3))
	m, err := a.Latest(t.Context(), NewAnchorLog(t, 9, 3).Origin, nil)
	if !errors.Is(err, ledger.ErrNoMemory) {
		require.NoError(t, err)
	}
	require.Zero(t, m)
}

func (s AnchorSuite) resubmits(t *testing.T) {
	l := NewAnchorLog(t, 1, 5)
	a := s.New(t, l)
	first := submit(t, a, l, 5)
	again := submit(t, a, l, 5)
	require.Equal(t, len(first.Lines) > 0, len(again.Lines) > 0, "a log whose first answer was lost gets another")
	s.remembers(t, a, l, 5)
}

func (s AnchorSuite) older(t *testing.T) {
	l := NewAnchorLog(t, 1, 9)
	a := s.New(t, l)
	submit(t, a, l, 4)
	submit(t, a, l, 9)
	if _, err := a.Submit(t.Context(), l.Submission(t, 4)); err != nil {
		r := requireRollback(t, err)
		require.Equal(t, [2]uint64{9, 4}, [2]uint64{r.Size, r.Head})
		require.False(t, r.Fork)
	}
	s.remembers(t, a, l, 9)
}

func (s AnchorSuite) forks(t *testing.T) {
	l := NewAnchorLog(t, 1, 9)
	a := s.New(t, l)
	submit(t, a, l, 7)
	for _, common := range []int{0, 3, 6} {
		for _, size := range []int{7, 8, 16} {
			fork := l.Fork(common, size)
			_, err := a.Submit(t.Context(), fork.Submission(t, size))
			r := requireRollback(t, err)
			require.True(t, r.Fork, "common %d size %d", common, size)
			require.Equal(t, uint64(7), r.Size)
		}
	}
	fork := l.Fork(1, 5)
	_, err := a.Submit(t.Context(), fork.Submission(t, 5))
	require.Equal(t, uint64(7), requireRollback(t, err).Size)
	s.remembers(t, a, l, 7)
	submit(t, a, l, 9)
}

func (s AnchorSuite) badProofs(t *testing.T) {
	l := NewAnchorLog(t, 1, 11)
	a := s.New(t, l)
	submit(t, a, l, 5)
	good := l.Consistency(5, 11)
	failed := errors.New("no database")
	for name, proof := range map[string][][32]byte{
		"empty": nil, "too short": good[:len(good)-1], "too long": append(slices.Clone(good), [32]byte{1}),
		"of other sizes": l.Consistency(4, 11), "far too long": make([][32]byte, 64),
	} {
		sub := l.Submission(t, 11)
		sub.Consistency = func(context.Context, uint64) ([][32]byte, error) { return proof, nil }
		_, err := a.Submit(t.Context(), sub)
		require.Error(t, err, name)
	}
	sub := l.Submission(t, 11)
	sub.Consistency = func(context.Context, uint64) ([][32]byte, error) { return nil, failed }
	_, err := a.Submit(t.Context(), sub)
	require.ErrorIs(t, err, failed)
	s.remembers(t, a, l, 5)
}

func (s AnchorSuite) separate(t *testing.T) {
	one, two := NewAnchorLog(t, 1, 9), NewAnchorLog(t, 2, 4)
	a := s.New(t, one, two)
	submit(t, a, one, 9)
	submit(t, a, two, 4)
	s.remembers(t, a, one, 9)
	s.remembers(t, a, two, 4)
}

func (s AnchorSuite) concurrent(t *testing.T) {
	l := NewAnchorLog(t, 1, 24)
	a := s.New(t, l)
	submissions := make([]ledger.Submission, 24)
	for i := range submissions {
		submissions[i] = l.Submission(t, i+1)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(submissions))
	for i, sub := range submissions {
		wg.Go(func() { _, errs[i] = a.Submit(context.Background(), sub) })
	}
	wg.Wait()
	for _, err := range errs {
		var r *ledger.RollbackError
		if errors.As(err, &r) {
			require.False(t, r.Fork, "two sizes of one log are no fork")
			require.Greater(t, r.Size, r.Head)
		}
	}
	submit(t, a, l, 24)
	s.remembers(t, a, l, 24)
}
