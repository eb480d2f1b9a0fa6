package auditor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor/sample"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestProveWritesAReceiptThatReceiptChecks(t *testing.T) {
	s := newKit(t)
	dir := t.TempDir()
	proof, entry := filepath.Join(dir, "p"), filepath.Join(dir, "e")
	code, stdout, stderr := runVerify(t, "prove", "7", s.zip(t, 20), "--keys", keysFile(t, s.keys), "-o", proof, "--entry", "--entry-out", entry)
	require.Equal(t, 0, code, stderr)
	require.Empty(t, stderr)
	for _, want := range []string{"entry 7 of 20", "holds under the keys given by you", "nis2_narrative", "Anmeldung.", "u-7"} {
		require.Contains(t, stdout, want)
	}
	code, stdout, stderr = runVerify(t, "receipt", proof, "--keys", keysFile(t, s.keys), "--entry", entry)
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, "u-7")
	code, _, stderr = runVerify(t, "receipt", proof, "--keys", keysFile(t, s.keys), "--quiet")
	require.Equal(t, 0, code, stderr)

	code, _, stderr = runVerify(t, "prove", "7", s.zip(t, 20), "-o", proof)
	require.Equal(t, 2, code, "an existing file is not written over")
	require.Contains(t, stderr, "exists")

	code, stdout, stderr = runVerify(t, "prove", "8", s.zip(t, 20), "-o", "-", "--lang", "de")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stderr, "NICHT VORGEGEBEN")
	other, err := verify.ParseReceipt([]byte(stdout))
	require.NoError(t, err)
	require.Equal(t, uint64(8), other.Index)
	code, _, stderr = runVerify(t, "receipt", file(t, []byte(stdout)), "--keys", keysFile(t, s.keys), "--entry", entry)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "not of this entry")

	t.Chdir(dir)
	code, _, stderr = runVerify(t, "prove", "19", s.dir(t, 20, nil), "--quiet")
	require.Equal(t, 0, code, stderr)
	_, err = os.Stat("entry-19.tlog-proof")
	require.NoError(t, err)
}

func TestReceiptsCountCosignatures(t *testing.T) {
	log, export, keys, _ := life(t)
	dir := t.TempDir()
	proof := filepath.Join(dir, "p")
	code, _, stderr := runVerify(t, "prove", "7", export, "-o", proof)
	require.Equal(t, 0, code, stderr)
	other := sample.New(1, sample.Options{Witness: true, Foreign: true})
	code, stdout, stderr := runVerify(t, "receipt", proof, "--keys", keys, "--witness", log.Witness.String())
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, "cosigned by 1 of 1 witnesses")
	code, _, stderr = runVerify(t, "receipt", proof, "--keys", keys, "--witness", log.Witness.String(), "--witness", other.Witness.String())
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "cosigned by 1 witnesses, must be 2")
	code, _, _ = runVerify(t, "receipt", proof, "--keys", keys, "--witness", other.Witness.String(), "--quorum", "0")
	require.Equal(t, 0, code)

	text, err := os.ReadFile(proof)
	require.NoError(t, err)
	at := strings.LastIndex(strings.TrimSpace(string(text)), " ") + 30 // inside the last line, the witness's
	text[at] ^= 1
	code, _, stderr = runVerify(t, "receipt", file(t, text), "--keys", keys, "--witness", log.Witness.String())
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "cosignature")
	code, _, _ = runVerify(t, "receipt", proof, "--keys", keys, "--witness", "x")
	require.Equal(t, 2, code)
}

func TestProveAndReceiptRefuse(t *testing.T) {
	s := newKit(t)
	good, foreign := s.dir(t, 20, nil), keysFile(t, newForeign(t, s).keys)
	out := []string{"-o", filepath.Join(t.TempDir(), "p")}
	changed := s.dir(t, 20, func(e [][]byte) { e[13][len(e[13])-8] ^= 1 })
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"a changed entry":         {append([]string{"prove", "13", changed}, out...), 1},
		"other keys":              {append([]string{"prove", "3", good, "--keys", foreign}, out...), 1},
		"an entry beyond":         {append([]string{"prove", "20", good}, out...), 2},
		"no number":               {append([]string{"prove", "-1", good}, out...), 2},
		"no export":               {append([]string{"prove", "1", t.TempDir()}, out...), 2},
		"nowhere to write":        {[]string{"prove", "1", good, "-o", "/nothing/here"}, 2},
		"receipt, other keys":     {[]string{"receipt", s.tailReceipt(t), "--keys", foreign}, 1},
		"receipt without keys":    {[]string{"receipt", s.tailReceipt(t)}, 2},
		"no receipt":              {[]string{"receipt", file(t, []byte("x")), "--keys", foreign}, 2},
		"receipt, no such entry":  {[]string{"receipt", s.tailReceipt(t), "--keys", keysFile(t, s.keys), "--entry", "/nothing"}, 2},
		"receipt, another entry":  {[]string{"receipt", s.tailReceipt(t), "--keys", keysFile(t, s.keys), "--entry", file(t, s.entries[3])}, 1},
		"receipt, malformed keys": {[]string{"receipt", s.tailReceipt(t), "--keys", file(t, nil)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runVerify(t, c.args...)
			require.Equal(t, c.code, code, stderr)
			require.Empty(t, stdout)
			require.NotContains(t, strings.TrimSuffix(stderr, "\n"), "\x1b")
		})
	}
}

func TestWhatAnEntrySaysCannotSteerATerminal(t *testing.T) {
	s := newKit(t)
	s.edit(t, 9, func(e *verify.Entry) {
		e.EntityID = "u\x1b[2J\r\u202e9"
		e.Narrative = "Zeile\neins \u009b2J"
	})
	code, stdout, stderr := runVerify(t, "prove", "9", s.dir(t, 20, nil), "--entry", "-o", filepath.Join(t.TempDir(), "p"))
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, `u\u001b[2J\u000d\u202e9`)
	require.Contains(t, stdout, `Zeile\u000aeins`)
	require.NotContains(t, stdout, "\x1b")
	require.NotContains(t, stdout, "\u202e")
}

func TestGermanOnTheTerminal(t *testing.T) {
	s := newKit(t)
	code, stdout, stderr := runVerify(t, "--lang", "de", s.dir(t, 20, func(e [][]byte) { e[13][len(e[13])-8] ^= 1 }))
	require.Equal(t, 1, code)
	require.Contains(t, stdout, "VERÄNDERT")
	require.Contains(t, stdout, "Eintrag 13")
	require.Contains(t, stderr, "das Protokoll ist verändert: Eintrag 13: ")
	require.Contains(t, stderr, "Warnung:")
	code, _, stderr = runVerify(t, "--lang", "fr", s.dir(t, 20, nil))
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--lang")
}
