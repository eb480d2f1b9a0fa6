package tlog_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestMain(m *testing.M) {
	flags := flag.NewFlagSet("klog", flag.PanicOnError) // the tools log to stderr what they are tested to find
	klog.InitFlags(flags)
	if err := flags.Parse([]string{"-logtostderr=false", "-stderrthreshold=4"}); err != nil {
		panic(err)
	}
	klog.SetOutput(discard{})
	os.Exit(m.Run())
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// size is enough for full and partial tiles at two levels.
const size = 256*2 + 88

// export is a log's export in a directory.
type export struct {
	dir, origin, vkey string
	composite         *sign.CompositeKey
	stock             *sign.Ed25519Key
	keys              *verify.KeyHistory
	entries           [][]byte
	checkpoint        []byte
	root              [32]byte
}

func newExport(t *testing.T) *export {
	t.Helper()
	composite, err := sign.ParseCompositeKey(bytes.Repeat([]byte{1}, 64))
	require.NoError(t, err)
	stock, err := sign.ParseEd25519Key(bytes.Repeat([]byte{3}, 32))
	require.NoError(t, err)
	x := &export{dir: filepath.Join(t.TempDir(), "export"), origin: verify.FormatOrigin("audit.example", [16]byte{1}, 0),
		composite: composite, stock: stock}
	x.vkey, err = stock.Public().VerifierKey(x.origin)
	require.NoError(t, err)
	x.keys = &verify.KeyHistory{Origin: x.origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: composite.Public()}, {Purpose: verify.PurposeStock, Ed25519: stock.Public()},
	}}
	files, err := verify.NewDir(x.dir)
	require.NoError(t, err)
	w, err := verify.NewWriter(files, verify.LogInfo{Origin: x.origin, Exporter: "test", Openings: true})
	require.NoError(t, err)
	var prev [32]byte
	var tree verify.Tree
	for i := range size {
		e := verify.Entry{Seq: uint64(i), ID: [16]byte{14: byte(i >> 8), 15: byte(i)}, Tenant: [16]byte{0xaa}, Action: "login", EntityType: "user",
			EntityID: fmt.Sprint("u-", i), Details: []byte(`{}`), Narrative: "Anmeldung.", PreviousHash: prev, Scheme: verify.SchemeBound,
			CreatedAt: time.Date(2026, 3, 1, 8, 0, i, 0, time.UTC)}
		prev = verify.ChainHash(prev, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
		e.CurrentHash = prev
		canonical, err := e.Canonical()
		require.NoError(t, err)
		x.entries = append(x.entries, canonical)
		tree.Append(verify.LeafHash(canonical))
		require.NoError(t, w.Append(canonical, verify.LeafHash(canonical)))
	}
	x.root = tree.Root()
	x.checkpoint, err = verify.SignCheckpoint(verify.Checkpoint{Origin: x.origin, Size: size, Root: x.root}, composite, stock)
	require.NoError(t, err)
	require.NoError(t, w.Close(x.checkpoint, x.keys))
	require.NoError(t, files.Close())

	report, err := verify.Verify(context.Background(), os.DirFS(x.dir), verify.Config{Keys: x.keys})
	require.NoError(t, err)
	require.True(t, report.Intact())
	return x
}

// rootAt returns the root of the first n entries.
func (x *export) rootAt(n int) [32]byte {
	var tree verify.Tree
	for _, e := range x.entries[:n] {
		tree.Append(verify.LeafHash(e))
	}
	return tree.Root()
}

// damage flips a bit in the middle of a file of the export.
func (x *export) damage(t *testing.T, name string) {
	t.Helper()
	path := filepath.Join(x.dir, filepath.FromSlash(name))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	x.replace(t, name, b)
}

func (x *export) replace(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(x.dir, filepath.FromSlash(name))
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

// sign puts another checkpoint, properly signed, into the export.
func (x *export) sign(t *testing.T, c verify.Checkpoint) {
	t.Helper()
	signed, err := verify.SignCheckpoint(c, x.composite, x.stock)
	require.NoError(t, err)
	x.replace(t, "checkpoint", signed)
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
