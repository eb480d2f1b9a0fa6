package witness_test

import (
	"crypto/sha256"
	"io"
	"log/slog"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

const witnessName = "witness.example/w1"

// keys returns the two keys a witness has.
func keys(t testing.TB, name string) []*sign.WitnessKey {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	random := rand.New(rand.NewSource(int64(sum[0])<<8 | int64(sum[1])))
	ed, err := sign.NewWitnessKey(name, random)
	require.NoError(t, err)
	ml, err := sign.NewMLDSA44WitnessKey(name, random)
	require.NoError(t, err)
	return []*sign.WitnessKey{ed, ml}
}

func public(keys []*sign.WitnessKey) []*sign.WitnessPublicKey {
	var all []*sign.WitnessPublicKey
	for _, k := range keys {
		all = append(all, k.Public())
	}
	return all
}

func lookup(t testing.TB, logs ...*ledgertest.AnchorLog) func(string) (witness.Log, bool) {
	t.Helper()
	var all []witness.Log
	for _, l := range logs {
		one, err := witness.LogOfKeys(l.Keys)
		require.NoError(t, err)
		all = append(all, one)
	}
	find, err := witness.Fixed(all...)
	require.NoError(t, err)
	return find
}

func newStore(t testing.TB) *witness.FileStore {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	require.NoError(t, witness.CreateFileStore(dir))
	return openStore(t, dir)
}

func openStore(t testing.TB, dir string) *witness.FileStore {
	t.Helper()
	store, err := witness.OpenFileStore(dir)
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	return store
}

func newServer(t testing.TB, change func(*witness.ServerConfig), logs ...*ledgertest.AnchorLog) *witness.Server {
	t.Helper()
	cfg := witness.ServerConfig{Keys: keys(t, witnessName), Log: lookup(t, logs...), Rate: 1e6}
	if change != nil {
		change(&cfg)
	}
	if cfg.Store == nil {
		cfg.Store = newStore(t)
	}
	s, err := witness.NewServer(cfg)
	require.NoError(t, err)
	return s
}

// serve returns the URL of a witness.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func newClient(t testing.TB, url string, change func(*witness.ClientConfig)) *witness.Client {
	t.Helper()
	cfg := witness.ClientConfig{Name: "w1", URL: url, Keys: public(keys(t, witnessName)), Transport: witness.Direct(nil), Backoff: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	c, err := witness.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		if d, ok := cfg.Transport.(*http.Transport); ok {
			d.CloseIdleConnections()
		}
	})
	return c
}

// post sends a body to a handler and returns the answer.
func post(h http.Handler, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(body)))
	return w
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func readAll(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }
