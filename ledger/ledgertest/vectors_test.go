package ledgertest_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func vectors(t testing.TB) *ledgertest.Set {
	t.Helper()
	s, err := ledgertest.Vectors()
	require.NoError(t, err)
	return s
}

func hash(t testing.TB, text string) (h [32]byte) {
	t.Helper()
	raw, err := hex.DecodeString(text)
	require.NoError(t, err)
	require.Len(t, raw, 32)
	return [32]byte(raw)
}

func hashes(t testing.TB, texts []string) [][32]byte {
	t.Helper()
	out := make([][32]byte, len(texts))
	for i, text := range texts {
		out[i] = hash(t, text)
	}
	return out
}

func TestEntryVectors(t *testing.T) {
	for _, v := range vectors(t).Entries {
		t.Run(v.Name, func(t *testing.T) {
			raw, err := hex.DecodeString(v.Hex)
			require.NoError(t, err)
			e, err := verify.ParseEntry(raw)
			require.Equal(t, v.Valid, err == nil, err)
			if err != nil {
				return
			}
			again, err := e.Canonical()
			require.NoError(t, err)
			require.Equal(t, raw, again)
			require.Equal(t, hash(t, v.Leaf), verify.LeafHash(raw))
			require.Equal(t, hash(t, v.Link), verify.ChainHash(e.PreviousHash, e.Action, e.EntityID, e.Narrative, e.CreatedAt))
			require.Equal(t, v.Time, e.CreatedAt.UTC().Format(time.RFC3339Nano))
			require.Equal(t, v.Seq, e.Seq)
			require.Equal(t, v.Action, e.Action)
			require.Equal(t, hashes(t, v.Commitments), append([][32]byte{}, e.Commitments()...))
		})
	}
}

func TestDetailsVectors(t *testing.T) {
	for _, v := range vectors(t).Details {
		t.Run(v.Name, func(t *testing.T) { require.Equal(t, v.Valid, verify.CheckDetails(v.Base64) == nil) })
	}
}

func TestTreeVectors(t *testing.T) {
	for _, v := range vectors(t).Trees {
		t.Run(v.Name, func(t *testing.T) {
			leaves, root := hashes(t, v.Leaves), hash(t, v.Root)
			var tree verify.Tree
			for _, l := range leaves {
				tree.Append(l)
			}
			size := uint64(len(leaves))
			included := verify.CheckInclusion(hashes(t, v.Inclusion), v.Index, size, leaves[v.Index], root)
			grown := verify.CheckConsistency(hashes(t, v.Consistency), v.OldSize, size, hash(t, v.OldRoot), root)
			require.Equal(t, v.Valid, included == nil)
			require.Equal(t, v.Valid, grown == nil)
			if v.Valid {
				require.Equal(t, root, tree.Root())
			}
		})
	}
}

func TestPersonalVectors(t *testing.T) {
	for _, v := range vectors(t).Personal {
		require.Equal(t, v.Valid, verify.Commitment(hash(t, v.Salt), v.Value) == hash(t, v.Commitment), v.Name)
	}
	for _, v := range vectors(t).Erasures {
		e := verify.NewErasure()
		for i, seq := range v.Seqs {
			e.Add(seq, hash(t, v.Commitments[i]))
		}
		_, digest := e.Sum()
		require.Equal(t, hash(t, v.Digest), digest, v.Name)
	}
}

func TestNoteVectors(t *testing.T) {
	for _, v := range vectors(t).Notes {
		t.Run(v.Name, func(t *testing.T) {
			keys, err := verify.ParseKeys(v.Keys)
			require.NoError(t, err)
			err = open(v, keys)
			require.Equal(t, v.Valid, err == nil, err)
		})
	}
}

func open(v ledgertest.NoteVector, keys *verify.KeyHistory) error {
	if v.Kind == "checkpoint" {
		_, err := verify.OpenCheckpoint([]byte(v.Text), keys)
		return err
	}
	r, err := verify.ParseReceipt([]byte(v.Text))
	if err != nil {
		return err
	}
	_, err = r.Verify(keys)
	return err
}

func TestCosignatureVectors(t *testing.T) {
	for _, v := range vectors(t).Cosignatures {
		t.Run(v.Name, func(t *testing.T) {
			require.Equal(t, v.Valid, v.Check() == nil, v.Check())
			if v.Valid {
				key, err := sign.ParseWitnessPublicKey(v.Key)
				require.NoError(t, err)
				at, err := key.VerifyLine([]byte(v.Text), []byte(v.Line))
				require.NoError(t, err)
				require.Equal(t, v.Time, at.Unix())
			}
		})
	}
}

func TestExportVectors(t *testing.T) {
	set := vectors(t)
	for _, v := range append(set.Exports, set.Life...) {
		t.Run(v.Name, func(t *testing.T) {
			data, err := ledgertest.Export(v)
			require.NoError(t, err)
			archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
			require.NoError(t, err)
			cfg, err := v.Config()
			require.NoError(t, err)
			r, err := verify.Verify(context.Background(), archive, cfg)
			require.NoError(t, err)
			require.Equal(t, v.Intact, r.Intact(), r.Err())
			require.Equal(t, v.Gaps, len(r.Gaps))
			require.Equal(t, v.LostReceipts, r.LostReceipts)
			require.Equal(t, v.Closed, r.Closed != nil)
			if v.Intact {
				return
			}
			f := r.Findings[0]
			require.Equal(t, v.Kind, string(f.Kind))
			require.Equal(t, v.First != nil, f.Located)
			if f.Located {
				require.Equal(t, [2]uint64{*v.First, *v.Last}, [2]uint64{f.First, f.Last})
			}
		})
	}
}

func TestThereAreVectorsOfEveryKindGoodAndBroken(t *testing.T) {
	s := vectors(t)
	count := map[bool]int{}
	for _, v := range s.Entries {
		count[v.Valid]++
	}
	for _, v := range s.Details {
		count[v.Valid]++
	}
	for _, v := range append(s.Exports, s.Life...) {
		count[v.Intact]++
	}
	for _, v := range s.Cosignatures {
		count[v.Valid]++
	}
	require.Greater(t, count[true], 50)
	require.Greater(t, count[false], 140)
}

// python is Debian's own, which has the package cryptography; others on the path may not.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import cryptography").Run() == nil {
			return name
		}
	}
	pgtest.Missing(t, "no python3 with the package cryptography (Debian: python3-cryptography)")
	return ""
}

func TestTheSecondImplementationAgreesWithAllVectors(t *testing.T) {
	out, err := exec.Command(python(t), "independent/verify.py", "--vectors", "testdata").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Regexp(t, `^2[0-9]{2} vectors, 0 disagree\n$`, string(out))
}

func TestTheSecondImplementationJudgesExports(t *testing.T) {
	program := python(t)
	for file, want := range map[string]struct {
		code int
		text string
	}{
		"intact.zip": {0, "intact"}, "a-declared-gap.zip": {0, "DECLARED GAP"}, "keys-rotated-twice.zip": {0, "intact"}, "narrative-changed.zip": {1, "broken, first at entry 6"}, "none.zip": {2, "unusable"},
	} {
		cmd := exec.Command(program, "independent/verify.py", "testdata/exports/"+file)
		out, _ := cmd.CombinedOutput()
		require.Equal(t, want.code, cmd.ProcessState.ExitCode(), string(out))
		require.Contains(t, string(out), want.text)
	}
}

func ExampleVectors() {
	set, err := ledgertest.Vectors()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Entries[0].Name, set.Entries[0].Valid)
	// Output: a commitment in details true
}
