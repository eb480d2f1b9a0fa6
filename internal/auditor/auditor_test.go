package auditor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// sample is a log of 20 entries with its keys, and what somebody may hold of it from outside.
type sample struct {
	composite, critic *sign.CompositeKey
	stock             *sign.Ed25519Key
	keys              *verify.KeyHistory
	entries           [][]byte
	origin            string
}

func newSample(t *testing.T) *sample {
	s := &sample{origin: verify.FormatOrigin("audit.example", [16]byte{1}, 0)}
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
	var prev [32]byte
	for i := range 20 {
		e := verify.Entry{Seq: uint64(i), ID: [16]byte{15: byte(i)}, Tenant: [16]byte{0xaa}, Action: "login", EntityType: "user",
			EntityID: fmt.Sprint("u-", i), Details: []byte(`{}`), Narrative: "Anmeldung.", PreviousHash: prev, Scheme: verify.SchemeBound,
			CreatedAt: time.Date(2026, 3, 1, 8, 0, i, 0, time.UTC)}
		if i == 5 {
			e.Class = verify.Critical
		}
		prev = verify.ChainHash(prev, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
		e.CurrentHash = prev
		b, err := e.Canonical()
		require.NoError(t, err)
		s.entries = append(s.entries, b)
	}
	return s
}

func (s *sample) tree(n int) *verify.Tree {
	var tree verify.Tree
	for _, e := range s.entries[:n] {
		tree.Append(verify.LeafHash(e))
	}
	return &tree
}

func (s *sample) checkpoint(t *testing.T, n int) []byte {
	tree := s.tree(n)
	signed, err := verify.SignCheckpoint(verify.Checkpoint{Origin: s.origin, Size: tree.Size(), Root: tree.Root()}, s.composite, s.stock)
	require.NoError(t, err)
	return signed
}

// write writes the first n entries as an export, with an edit made to the entries but not to what vouches for them.
func (s *sample) write(t *testing.T, files verify.Files, n int, edit func(entries [][]byte)) {
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

func (s *sample) dir(t *testing.T, n int, edit func(entries [][]byte)) string {
	path := filepath.Join(t.TempDir(), "export")
	files, err := verify.NewDir(path)
	require.NoError(t, err)
	s.write(t, files, n, edit)
	require.NoError(t, files.Close())
	return path
}

func (s *sample) zip(t *testing.T, n int) string {
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
func (s *sample) tailReceipt(t *testing.T) string {
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

func verifyCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestIntactExportsExitZero(t *testing.T) {
	s := newSample(t)
	for name, args := range map[string][]string{
		"directory":                 {s.dir(t, 20, nil)},
		"zip":                       {s.zip(t, 20)},
		"with all outside memory":   {s.zip(t, 20), "--keys", keysFile(t, s.keys), "--receipt", s.tailReceipt(t), "--since", file(t, s.checkpoint(t, 7)), "--origin", s.origin, "--tenant", "aa000000-0000-0000-0000-000000000000"},
		"empty log":                 {s.dir(t, 0, nil)},
		"flags in front, key alias": {"--key", keysFile(t, s.keys), s.dir(t, 20, nil)},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := verifyCommand(t, args...)
			require.Equal(t, 0, code, stderr)
			require.Contains(t, stdout, "INTACT")
			pinned := strings.Contains(strings.Join(args, " "), "--key")
			require.Equal(t, !pinned, strings.Contains(stderr, "warning: only the export's own keys"))
			require.Equal(t, !pinned, strings.Contains(stdout, "NOT PINNED"))
		})
	}
}

func TestBrokenExportsExitOneAndNameThePosition(t *testing.T) {
	s := newSample(t)
	other := *s
	foreign, err := sign.ParseCompositeKey(bytes.Repeat([]byte{9}, 64))
	require.NoError(t, err)
	other.keys = &verify.KeyHistory{Origin: s.origin, Keys: []verify.Key{{Purpose: verify.PurposeCheckpoint, Composite: foreign.Public()}}}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a flipped byte":   {[]string{s.dir(t, 20, func(e [][]byte) { e[13][len(e[13])-8] ^= 1 })}, "entry 13: "},
		"a swapped pair":   {[]string{s.dir(t, 20, func(e [][]byte) { e[3], e[4] = e[4], e[3] })}, "entry 3: "},
		"a cut tail":       {[]string{s.dir(t, 12, nil), "--receipt", s.tailReceipt(t)}, "entry 12: is missing"},
		"a roll back":      {[]string{s.dir(t, 12, nil), "--since", file(t, s.checkpoint(t, 18))}, "entry 12: is missing"},
		"another tenant":   {[]string{s.dir(t, 12, nil), "--tenant", "bb000000-0000-0000-0000-000000000000"}, "entry 0: belongs to another tenant"},
		"another origin":   {[]string{s.dir(t, 12, nil), "--origin", "other.example/ledger/00000000000000000000000000000000/0"}, "checkpoint: "},
		"other keys given": {[]string{s.dir(t, 12, nil), "--keys", keysFile(t, other.keys)}, "the log is broken"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := verifyCommand(t, c.args...)
			require.Equal(t, 1, code, stderr)
			require.Contains(t, stderr, c.want)
			require.Contains(t, stdout, "BROKEN")

			code, stdout, stderr = verifyCommand(t, append(c.args, "--quiet")...)
			require.Equal(t, 1, code)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

func TestUnusableInputExitsTwoWithOneLine(t *testing.T) {
	s := newSample(t)
	good := s.dir(t, 12, nil)
	for name, args := range map[string][]string{
		"no such path":          {filepath.Join(t.TempDir(), "nothing")},
		"an empty directory":    {t.TempDir()},
		"neither nor":           {file(t, []byte("hello"))},
		"an empty file":         {file(t, nil)},
		"malformed keys":        {good, "--keys", file(t, []byte("{}"))},
		"missing keys":          {good, "--keys", "/nothing/here"},
		"malformed receipt":     {good, "--receipt", file(t, []byte("x"))},
		"oversized receipt":     {good, "--receipt", file(t, make([]byte, verify.MaxReceipt+1))},
		"malformed checkpoint":  {good, "--since", file(t, []byte("x"))},
		"a directory as keys":   {good, "--keys", t.TempDir()},
		"malformed tenant":      {good, "--tenant", "aa"},
		"tenant with a bad end": {good, "--tenant", "aa000000-0000-0000-0000-00000000000g"},
		"no findings wanted":    {good, "--findings", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := verifyCommand(t, args...)
			require.Equal(t, 2, code, stderr)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
	code, _, stderr := verifyCommand(t)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--help")
	code, _, _ = verifyCommand(t, good, "--unknown")
	require.Equal(t, 2, code)
}

func TestJSONReportIsMachineReadable(t *testing.T) {
	s := newSample(t)
	code, stdout, _ := verifyCommand(t, "--json", s.dir(t, 20, func(e [][]byte) { e[13][len(e[13])-8] ^= 1 }))
	require.Equal(t, 1, code)
	var report struct {
		Verdict    string `json:"verdict"`
		Entries    int    `json:"entries"`
		KeysPinned *bool  `json:"keys_pinned"`
		Findings   []struct {
			Kind string `json:"kind"`
			Seq  *int   `json:"seq"`
			Text string `json:"text"`
		} `json:"findings"`
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Equal(t, "broken", report.Verdict)
	require.Equal(t, 20, report.Entries)
	require.False(t, *report.KeysPinned)
	require.Equal(t, 13, *report.Findings[0].Seq)
	require.Equal(t, "hash", report.Findings[0].Kind)

	code, stdout, stderr := verifyCommand(t, "--json", s.zip(t, 20))
	require.Equal(t, 0, code)
	require.Empty(t, stderr)
	require.Contains(t, stdout, `"findings": []`)
}

func TestHelpTeachesAndVersionPrints(t *testing.T) {
	code, stdout, _ := verifyCommand(t, "--help")
	require.Equal(t, 0, code)
	for _, want := range []string{"--keys", "--receipt", "--since", "Exit codes", "export.zip"} {
		require.Contains(t, stdout, want)
	}
	code, stdout, _ = verifyCommand(t, "--version")
	require.Equal(t, 0, code)
	require.NotEmpty(t, strings.TrimSpace(stdout))
}

func TestCancelledRunIsNotAVerdict(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	require.Equal(t, 2, Run(ctx, []string{newSample(t).dir(t, 20, nil)}, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "canceled")
}

func TestProgressLine(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	b := &bar{out: &out, now: func() time.Time { return now }, start: now}
	now = now.Add(2 * time.Second)
	b.update(verify.Progress{Entries: 1_000_000, Size: 5_000_000})
	b.update(verify.Progress{Entries: 1_000_001, Size: 5_000_000})
	b.done()
	require.Equal(t, "\r\x1b[K1,000,000 of 5,000,000 entries, 20 %, 500,000/s, 8s left\r\x1b[K", out.String())
	require.Equal(t, "0 of 0 entries", barText(verify.Progress{}, time.Second))
	require.Equal(t, "7 of 7 entries, 100 %, 7/s", barText(verify.Progress{Entries: 7, Size: 7}, time.Second))

	newBar(&out, false).update(verify.Progress{Entries: 1, Size: 2}) // a buffer is no terminal
}
