package pgledger_test

import (
	"context"
	"crypto/rand"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

// newWitness runs a witness for one tenant's log, whose keys its operator learns from time to time, and returns the anchor
// that asks it and its public keys.
func newWitness(t testing.TB, name string, keys func() (*verify.KeyHistory, error)) (*witness.Client, []*sign.WitnessPublicKey) {
	t.Helper()
	ed, err := sign.NewWitnessKey(name, rand.Reader)
	require.NoError(t, err)
	ml, err := sign.NewMLDSA44WitnessKey(name, rand.Reader)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "state")
	require.NoError(t, witness.CreateFileStore(dir))
	store, err := witness.OpenFileStore(dir)
	require.NoError(t, err)
	server, err := witness.NewServer(witness.ServerConfig{Keys: []*sign.WitnessKey{ed, ml}, Store: store, Rate: 1e6,
		Log: func(origin string) (witness.Log, bool) {
			history, err := keys()
			if err != nil || history.Origin != origin {
				return witness.Log{}, false
			}
			log, err := witness.LogOfKeys(history)
			return log, err == nil
		}})
	require.NoError(t, err)
	listening := httptest.NewServer(server)
	transport := witness.Direct(nil)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		listening.Close()
		store.Close()
	})
	public := []*sign.WitnessPublicKey{ed.Public(), ml.Public()}
	client, err := witness.NewClient(witness.ClientConfig{Name: name, URL: listening.URL, Keys: public, Transport: transport})
	require.NoError(t, err)
	return client, public
}

// A log, two witnesses, an auditor who knows their keys; then its operator restores a backup and finds no way around them.
func TestALogUnderWitnesses(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 20)
	pinned, err := k.log.KeyHistory(t.Context(), tenant)
	require.NoError(t, err)
	keys := func() (*verify.KeyHistory, error) { return pinned, nil }
	one, oneKeys := newWitness(t, "witness-1", keys)
	two, twoKeys := newWitness(t, "witness-2", keys)
	cfg := anchored(one, two)
	k.log = k.open(t, cfg)
	k.show(t, tenant)
	backup := dump(t, k.pg)

	k.fill(t, tenant, 20)
	k.show(t, tenant)
	dir, size := exportDir(t, k.log, tenant, pgledger.ExportOptions{})
	report := verifyDir(t, dir, verify.Config{Keys: pinned, Witnesses: append(oneKeys, twoKeys...), Quorum: 2})
	require.True(t, report.Intact(), "%+v", report.Findings)
	require.Len(t, report.Witnesses, 4, "two keys of each")
	for _, w := range report.Witnesses {
		require.Equal(t, size, w.Size)
		require.Equal(t, 2, w.Checkpoints)
		require.WithinDuration(t, time.Now(), w.At, 10*time.Minute)
	}
	third, thirdKeys := newWitness(t, "witness-3", keys)
	report = verifyDir(t, dir, verify.Config{Keys: pinned, Witnesses: append(thirdKeys, oneKeys...), Quorum: 2})
	require.False(t, report.Intact(), "one of these two has not seen it")

	k.restore(t, backup)
	k.log = k.open(t, cfg)
	restored, err := k.log.Head(t.Context(), tenant)
	require.NoError(t, err)
	_, err = k.log.Append(t.Context(), system(tenant, 1))
	var behind *ledger.RollbackError
	require.ErrorAs(t, err, &behind)
	require.Equal(t, size, behind.Size)
	require.Equal(t, restored.Size, behind.Head)

	// Without the check at the start it gets no further: the same number of other entries, and more of them.
	k.log = k.open(t, config())
	for _, n := range []uint64{size - restored.Size, 5} {
		k.fill(t, tenant, int(n))
		rewritten, err := k.log.Checkpoint(context.Background(), tenant)
		require.NoError(t, err)
		_, err = two.Latest(t.Context(), pinned.Origin, rewritten)
		if n != 5 {
			require.ErrorIs(t, err, ledger.ErrRolledBack, "other entries at the size the witness knows")
			_, err = k.open(t, cfg).Append(t.Context(), system(tenant, 1))
			require.ErrorAs(t, err, &behind)
			require.True(t, behind.Fork, "and so the log is not written either")
		}
		_, err = two.Submit(t.Context(), ledger.Submission{Checkpoint: rewritten, Consistency: func(context.Context, uint64) ([][32]byte, error) {
			return make([][32]byte, 5), nil
		}})
		require.ErrorAs(t, err, &behind)
		require.True(t, behind.Fork)
	}
	_, err = third.Latest(t.Context(), pinned.Origin, nil)
	require.ErrorIs(t, err, ledger.ErrNoMemory)
}
