package auditor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// kit is a log of 20 entries with its keys, and what somebody may hold of it from outside.
type kit struct {
	composite, critic *sign.CompositeKey
	stock             *sign.Ed25519Key
	keys              *verify.KeyHistory
	entries           [][]byte
	origin            string
	change            func(*verify.Entry)
}

func newKit(t *testing.T) *kit {
	s := &kit{origin: verify.FormatOrigin("audit.example", [16]byte{1}, 0)}
	var err error
	s.composite, err = sign.ParseCompositeKey(bytes.Repeat([]byte{1}, 64))
	require.NoError(t, err)
	s.critic, err = sign.ParseCompositeKey(bytes.Repeat([]byte{2}, 64))
	require.NoError(t, err)
	s.stock, err = sign.ParseEd25519Key(bytes.Repeat([]byte{3}, 32))
	require.NoError(t, err)
	s.keys = &verify.KeyHistory{Origin: s.origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: s.composite.Public()},
		{Purpose: verify.PurposeStock, Ed25519: s.stock.Public()},
		{Purpose: verify.PurposeEntry, Composite: s.critic.Public()},
	}}
	s.chain(t)
	return s
}

// newForeign is the kit with keys of somebody else.
func newForeign(t *testing.T, s *kit) *kit {
	key, err := sign.ParseCompositeKey(bytes.Repeat([]byte{9}, 64))
	require.NoError(t, err)
	other := *s
	other.keys = &verify.KeyHistory{Origin: s.origin, Keys: []verify.Key{{Purpose: verify.PurposeCheckpoint, Composite: key.Public()}}}
	return &other
}

// edit changes an entry before the log is chained and signed: the log is consistent with it.
func (s *kit) edit(t *testing.T, seq uint64, change func(*verify.Entry)) {
	s.change = func(e *verify.Entry) {
		if e.Seq == seq {
			change(e)
		}
	}
	s.chain(t)
}

// chain makes the entries.
func (s *kit) chain(t *testing.T) {
	var prev [32]byte
	s.entries = nil
	for i := range 20 {
		e := verify.Entry{Seq: uint64(i), ID: [16]byte{15: byte(i)}, Tenant: [16]byte{0xaa}, Action: "login", EntityType: "user",
			EntityID: fmt.Sprint("u-", i), Details: []byte(`{}`), Narrative: "Anmeldung.", PreviousHash: prev, Scheme: verify.SchemeBound,
			CreatedAt: time.Date(2026, 3, 1, 8, 0, i, 0, time.UTC)}
		if i == 5 {
			e.Class = verify.Critical
		}
		if s.change != nil {
			s.change(&e)
		}
		prev = verify.ChainHash(prev, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
		e.CurrentHash = prev
		b, err := e.Canonical()
		require.NoError(t, err)
		s.entries = append(s.entries, b)
	}
}

func (s *kit) tree(n int) *verify.Tree {
	var tree verify.Tree
	for _, e := range s.entries[:n] {
		tree.Append(verify.LeafHash(e))
	}
	return &tree
}

func (s *kit) checkpoint(t *testing.T, n int) []byte {
	tree := s.tree(n)
	signed, err := verify.SignCheckpoint(verify.Checkpoint{Origin: s.origin, Size: tree.Size(), Root: tree.Root()}, s.composite, s.stock)
	require.NoError(t, err)
	return signed
}

// write writes the first n entries as an export, with an edit made to the entries but not to what vouches for them.
func (s *kit) write(t *testing.T, files verify.Files, n int, edit func(entries [][]byte)) {
	w, err := verify.NewWriter(files, verify.LogInfo{Origin: s.origin, Exporter: "test", Openings: true})
	require.NoError(t, err)
	entries := make([][]byte, n)
	for i := range entries {
		entries[i] = bytes.Clone(s.entries[i])
	}
	if edit != nil {
		edit(entries)
	}
	for i, e := range entries {
		require.NoError(t, w.Append(e, verify.LeafHash(s.entries[i])))
	}
	if n > 5 {
		sig, err := s.critic.Sign(sign.ContextEntry, s.entries[5])
		require.NoError(t, err)
		require.NoError(t, w.Signature(verify.EntrySignature{Seq: 5, Key: s.critic.Public().ID(), Sig: sig}))
	}
	require.NoError(t, w.Close(s.checkpoint(t, n), s.keys))
}

func (s *kit) dir(t *testing.T, n int, edit func(entries [][]byte)) string {
	path := filepath.Join(t.TempDir(), "export")
	files, err := verify.NewDir(path)
	require.NoError(t, err)
	s.write(t, files, n, edit)
	require.NoError(t, files.Close())
	return path
}

func (s *kit) zip(t *testing.T, n int) string {
	path := filepath.Join(t.TempDir(), "export.zip")
	f, err := os.Create(path)
	require.NoError(t, err)
	z := verify.NewZip(f, time.Time{})
	s.write(t, z, n, nil)
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	return path
}

func file(t *testing.T, content []byte) string {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func keysFile(t *testing.T, h *verify.KeyHistory) string {
	text, err := h.Marshal()
	require.NoError(t, err)
	return file(t, text)
}

// tailReceipt is a receipt of the last of 20 entries: its proof is the peaks to its left.
func (s *kit) tailReceipt(t *testing.T) string {
	peaks := s.tree(16).Peaks()
	leaf := func(i int) [32]byte { return verify.LeafHash(s.entries[i]) }
	var left verify.Tree
	left.Append(leaf(16))
	left.Append(leaf(17))
	r := verify.Receipt{Index: 19, Leaf: leaf(19), Proof: [][32]byte{leaf(18), left.Root(), peaks[0]}, Checkpoint: s.checkpoint(t, 20)}
	_, err := r.Verify(s.keys)
	require.NoError(t, err)
	return file(t, r.Marshal())
}

func runVerify(t *testing.T, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}
