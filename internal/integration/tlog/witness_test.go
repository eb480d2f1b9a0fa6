package tlog_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	cosig "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	stockclient "github.com/transparency-dev/witness/client/http"
	"github.com/transparency-dev/witness/persistence/inmemory"
	stock "github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

const witnessName = "witness.example/w1"

func witnessKeys(t *testing.T) (ed, ml *sign.WitnessKey) {
	t.Helper()
	ed, err := sign.NewWitnessKey(witnessName, rand.Reader)
	require.NoError(t, err)
	ml, err = sign.NewMLDSA44WitnessKey(witnessName, rand.Reader)
	require.NoError(t, err)
	return ed, ml
}

// stockWitness is transparency-dev/witness with our secret keys, for the logs it is given.
func stockWitness(t *testing.T, ed, ml *sign.WitnessKey, logs ...*ledgertest.AnchorLog) http.Handler {
	t.Helper()
	one, err := cosig.NewSignerForCosignatureV1(ed.SecretText())
	require.NoError(t, err, "reads our Ed25519 witness keys")
	two, err := cosig.NewMLDSASigner(ml.SecretText())
	require.NoError(t, err, "reads our ML-DSA-44 witness keys")
	w, err := stock.New(t.Context(), stock.Opts{
		Persistence: inmemory.New(), Signers: []note.Signer{one, two},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			for _, l := range logs {
				if l.Origin == origin {
					v, err := note.NewVerifier(l.VerifierKey(t))
					return v, true, err
				}
			}
			return nil, false, nil
		},
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", stock.NewHTTPHandler(w).AddCheckpoint)
	return mux
}

func newClient(t *testing.T, url string, keys ...*sign.WitnessKey) *witness.Client {
	t.Helper()
	transport := witness.Direct(nil)
	t.Cleanup(transport.CloseIdleConnections)
	cfg := witness.ClientConfig{Name: "w1", URL: url, Transport: transport}
	for _, k := range keys {
		cfg.Keys = append(cfg.Keys, k.Public())
	}
	c, err := witness.NewClient(cfg)
	require.NoError(t, err)
	return c
}

// requireCosigned asserts that the formats library finds both cosignatures under a checkpoint.
func requireCosigned(t *testing.T, signed []byte, ed, ml *sign.WitnessKey) {
	t.Helper()
	one, err := cosig.NewVerifierForCosignatureV1(ed.Public().String())
	require.NoError(t, err)
	two, err := cosig.NewMLDSAVerifier(ml.Public().String())
	require.NoError(t, err)
	opened, err := note.Open(signed, note.VerifierList(one, two))
	require.NoError(t, err)
	require.Len(t, opened.Sigs, 2)
}

// The stock witness cosigns our checkpoints, composite line and all, and is in every respect an anchor.
func TestAStockWitnessCosignsThroughOurClient(t *testing.T) {
	ed, ml := witnessKeys(t)
	l := ledgertest.NewAnchorLog(t, 1, 40)
	c := newClient(t, serve(t, stockWitness(t, ed, ml, l)), ed, ml)
	for _, size := range []int{10, 10, 33, 40} {
		e, err := c.Submit(t.Context(), l.Submission(t, size))
		require.NoError(t, err)
		requireCosigned(t, append(l.Checkpoint(t, size), e.Lines...), ed, ml)
	}
	ledgertest.Anchor(t, ledgertest.AnchorSuite{New: func(t *testing.T, logs ...*ledgertest.AnchorLog) ledger.Anchor {
		return newClient(t, serve(t, stockWitness(t, ed, ml, logs...)), ed, ml)
	}})
}

func ourWitness(t *testing.T, ed, ml *sign.WitnessKey, log witness.Log) *witness.Server {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	require.NoError(t, witness.CreateFileStore(dir))
	store, err := witness.OpenFileStore(dir)
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	logs, err := witness.Fixed(log)
	require.NoError(t, err)
	s, err := witness.NewServer(witness.ServerConfig{Keys: []*sign.WitnessKey{ed, ml}, Log: logs, Store: store})
	require.NoError(t, err)
	return s
}

// The stock client reads every answer of our witness.
func TestOurWitnessServesTheStockClient(t *testing.T) {
	ed, ml := witnessKeys(t)
	l := ledgertest.NewAnchorLog(t, 1, 40)
	log, err := witness.LogOfKeys(l.Keys)
	require.NoError(t, err)
	prefix, err := url.Parse(serve(t, ourWitness(t, ed, ml, log)))
	require.NoError(t, err)
	c := stockclient.NewWitness(prefix, http.DefaultClient)
	update := func(l *ledgertest.AnchorLog, from, to int) ([]byte, uint64, error) {
		var proof [][]byte
		for _, h := range l.Consistency(from, to) {
			proof = append(proof, h[:])
		}
		return c.Update(t.Context(), uint64(from), l.Checkpoint(t, to), proof)
	}
	for _, step := range [][2]int{{0, 10}, {10, 10}, {10, 33}} {
		lines, _, err := update(l, step[0], step[1])
		require.NoError(t, err)
		requireCosigned(t, append(l.Checkpoint(t, step[1]), lines...), ed, ml)
	}
	_, known, err := update(l, 10, 40)
	require.ErrorIs(t, err, stock.ErrCheckpointStale)
	require.EqualValues(t, 33, known)
	_, _, err = update(l.Fork(5, 33), 33, 33)
	require.ErrorIs(t, err, stock.ErrRootMismatch)
	_, _, err = update(l.Fork(5, 40), 33, 40)
	require.ErrorIs(t, err, stock.ErrInvalidProof)
	_, _, err = update(ledgertest.NewAnchorLog(t, 2, 9), 0, 9)
	require.ErrorIs(t, err, stock.ErrUnknownLog)
	stranger := *ledgertest.NewAnchorLog(t, 3, 40)
	stranger.Origin = l.Origin
	_, _, err = update(&stranger, 33, 40)
	require.ErrorIs(t, err, stock.ErrNoValidSignature)
	_, _, err = update(l, 40, 33)
	require.ErrorIs(t, err, stock.ErrOldSizeInvalid)
}

// A Tessera log, which publishes nothing its witnesses did not cosign, grows under our witness.
func TestOurWitnessServesATesseraLog(t *testing.T) {
	ed, ml := witnessKeys(t)
	secret, vkey, err := note.GenerateKey(rand.Reader, "log.example/tessera")
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	log, err := witness.LogOfVerifierKeys("", vkey)
	require.NoError(t, err)
	prefix := serve(t, ourWitness(t, ed, ml, log))
	group, err := tessera.NewWitnessGroupFromPolicy([]byte("witness w " + ed.Public().String() + " " + prefix + "\nquorum w\n"))
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: t.TempDir()})
	require.NoError(t, err)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithBatching(4, 10*time.Millisecond).WithCheckpointInterval(100*time.Millisecond).WithWitnesses(group, nil))
	require.NoError(t, err)
	defer func() {
		ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = shutdown(ending)
	}()
	await := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 20*time.Millisecond)
	v, err := cosig.NewVerifierForCosignatureV1(ed.Public().String())
	require.NoError(t, err)
	for _, entry := range []string{"one", "two", "three"} {
		_, published, err := await.Await(ctx, appender.Add(ctx, tessera.NewEntry([]byte(entry))))
		require.NoError(t, err)
		_, err = note.Open(published, note.VerifierList(v))
		require.NoError(t, err, "published with our cosignature")
		require.True(t, strings.HasPrefix(string(published), "log.example/tessera\n"))
	}
}
