package words

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestFindingsInBothLanguages(t *testing.T) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		err    error
		en, de string
	}{
		{&verify.SequenceError{Seq: 7, Have: 1234}, "has seq 1234", "trägt die Nummer 1.234"},
		{&verify.TimeError{Seq: 7, Before: at, Have: at}, "created 2026-03-01T08:00:00Z, before its predecessor's 2026-03-01T08:00:00Z", "entstand 2026-03-01T08:00:00Z, vor seinem Vorgänger (2026-03-01T08:00:00Z)"},
		{&verify.TruncatedError{Seq: 7, Size: 9, By: "the earlier checkpoint"}, "is missing: the earlier checkpoint says there are 9 entries", "fehlt: laut dem früheren Checkpoint sind es 9 Einträge"},
		{&verify.RootError{First: 1, Last: 7, File: "checkpoint"}, "do not give the root of checkpoint", "die Einträge ergeben nicht die Wurzel von Checkpoint"},
		{&verify.KeyError{Seq: 7, Key: "ab", Reason: "announces keys but is not critical"}, "key ab announces keys but is not critical", "Schlüssel ab: kündigt Schlüssel an, ist aber nicht kritisch"},
		{&verify.WitnessError{File: "checkpoint", Reason: "cosigned by 1 witnesses, must be 3"}, "checkpoint: cosigned by 1 witnesses, must be 3", "checkpoint: Zeuge: von 1 Zeugen mitgezeichnet, nötig sind 3"},
		{&verify.GapError{Seq: 7, Reason: "declares another witnessed root than receipt 1 has"}, "declares another witnessed root than receipt 1 has", "erklärt eine andere bezeugte Wurzel, als receipt 1 sie hat"},
		{&verify.FileError{File: "a\x1b[2J", Err: fs.ErrNotExist}, `a\u001b[2J: file does not exist`, `a\u001b[2J: fehlt`},
		{&verify.MalformedEntryError{Seq: 7, Err: &verify.FieldError{Field: "action", Reason: "70 bytes, limit 64", Err: verify.ErrTooLarge}}, "malformed: too large: action: 70 bytes, limit 64", "fehlerhaft: action hat 70 Bytes, erlaubt sind 64"},
		{errors.New("verify: something new"), "something new", "something new"},
	} {
		f := verify.Finding{Err: c.err}
		require.Equal(t, c.en, English.Finding(f))
		require.Equal(t, c.de, German.Finding(f))
	}
}

func TestPositionsAndNumbers(t *testing.T) {
	require.Equal(t, "entry 1,234,567", English.Range(1234567, 1234567))
	require.Equal(t, "Einträge 0–1.000", German.Range(0, 1000))
	require.Equal(t, "broken link", English.Where(verify.Finding{Kind: verify.KindLink}))
	require.Equal(t, "Eintrag 5", German.Where(verify.Finding{Located: true, First: 5, Last: 5}))
	require.Equal(t, "UNVERSEHRT", German.Verdict(verify.Intact))
	require.Equal(t, "BROKEN", English.Verdict(verify.Broken))
	require.Equal(t, "999", German.Number(999))
}

func TestNothingOfUnknownOriginSteersATerminal(t *testing.T) {
	require.Equal(t, `{"a":"\n"}`, Clean(`{"a":"\n"}`))
	require.Equal(t, `\u001b]0;x\u0007\u202e\u2066`, Clean("\x1b]0;x\a\u202e\u2066"))
	require.Equal(t, `\xff{}`, Clean("\xff{}"))
}
