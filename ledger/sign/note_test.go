package sign_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
)

const origin = "audit.example/ledger/00000000000000000000000000000000/0"

func TestNotesCarryBothLines(t *testing.T) {
	composite, ed := testKey(t, 1), edKey(t)
	first, err := composite.NoteSigner(origin)
	require.NoError(t, err)
	second, err := ed.NoteSigner(origin)
	require.NoError(t, err)
	msg, err := note.Sign(&note.Note{Text: "a\n1\nb\n"}, first, second)
	require.NoError(t, err)

	v1, err := composite.Public().NoteVerifier(origin)
	require.NoError(t, err)
	v2, err := ed.Public().NoteVerifier(origin)
	require.NoError(t, err)
	opened, err := note.Open(msg, note.VerifierList(v1, v2))
	require.NoError(t, err)
	require.Len(t, opened.Sigs, 2)

	vkey, err := ed.Public().VerifierKey(origin)
	require.NoError(t, err)
	stock, err := note.NewVerifier(vkey)
	require.NoError(t, err, "a stock tool takes the Ed25519 verifier key")
	opened, err = note.Open(msg, note.VerifierList(stock))
	require.NoError(t, err)
	require.Len(t, opened.UnverifiedSigs, 1)

	_, err = note.Open(bytes.Replace(msg, []byte("\n1\n"), []byte("\n2\n"), 1), note.VerifierList(v1))
	require.Error(t, err)
}

func TestCompositeLineHasTheKeyHashOfTypeFF(t *testing.T) {
	key := testKey(t, 1)
	v, err := key.Public().NoteVerifier(origin)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(origin + "\n\xff1.3.6.1.5.5.7.6.48" + string(key.Public().Bytes())))
	require.Equal(t, binary.BigEndian.Uint32(sum[:]), v.KeyHash())
	require.Equal(t, origin, v.Name())
	vkey, err := key.Public().VerifierKey(origin)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(vkey, origin+"+"))
}

func TestNoteLinesAreOnlyGoodAsNotes(t *testing.T) {
	key := testKey(t, 1)
	signer, err := key.NoteSigner(origin)
	require.NoError(t, err)
	sig, err := signer.Sign([]byte("text"))
	require.NoError(t, err)
	require.NoError(t, key.Public().Verify(sign.ContextCheckpoint, []byte("text"), sig))
	require.Error(t, key.Public().Verify(sign.ContextEntry, []byte("text"), sig))

	v, err := key.Public().NoteVerifier(origin)
	require.NoError(t, err)
	require.True(t, v.Verify([]byte("text"), sig))
	require.False(t, v.Verify([]byte("text"), sig[:3372]))
	v, err = edKey(t).Public().NoteVerifier(origin)
	require.NoError(t, err)
	require.False(t, v.Verify([]byte("text"), nil))
}

func TestNoteNamesAreChecked(t *testing.T) {
	key, ed := testKey(t, 1), edKey(t)
	for _, name := range []string{"", "a b", "a+b", "a\nb", "\xff", "a\u00a0b"} {
		_, err1 := key.NoteSigner(name)
		_, err2 := key.Public().NoteVerifier(name)
		_, err3 := ed.NoteSigner(name)
		_, err4 := ed.Public().NoteVerifier(name)
		_, err5 := ed.Public().VerifierKey(name)
		for _, err := range []error{err1, err2, err3, err4, err5} {
			require.ErrorIs(t, err, sign.ErrInvalidKey, "%q", name)
		}
	}
}

func TestVerifierKeysOfLogsRoundTrip(t *testing.T) {
	key, ed := testKey(t, 1), edKey(t)
	composite, err := key.Public().VerifierKey(origin)
	require.NoError(t, err)
	stock, err := ed.Public().VerifierKey(origin)
	require.NoError(t, err)
	for vkey, public := range map[string]interface {
		NoteVerifier(name string) (note.Verifier, error)
	}{composite: key.Public(), stock: ed.Public()} {
		want, err := public.NoteVerifier(origin)
		require.NoError(t, err)
		have, err := sign.ParseVerifierKey(vkey)
		require.NoError(t, err)
		require.Equal(t, []any{want.Name(), want.KeyHash()}, []any{have.Name(), have.KeyHash()})
		for _, bad := range []string{vkey + "\n", vkey + "A", vkey[:len(vkey)-8], strings.ToUpper(vkey), "x" + vkey, strings.Replace(vkey, "+", "+0", 1)} {
			_, err := sign.ParseVerifierKey(bad)
			require.ErrorIs(t, err, sign.ErrInvalidKey, bad)
		}
	}
	for _, bad := range []string{"", "+", "a+00000000+", "a+00000000+AQ==", "a+00000000+/zEuMw==", "a+00000000+" + strings.Repeat("A", 4<<20)} {
		_, err := sign.ParseVerifierKey(bad)
		require.ErrorIs(t, err, sign.ErrInvalidKey)
	}
	witness, err := sign.NewWitnessKey("w.example", rand.Reader)
	require.NoError(t, err)
	_, err = sign.ParseVerifierKey(witness.Public().String())
	require.ErrorIs(t, err, sign.ErrInvalidKey, "a witness is no log")
}

func edKey(t testing.TB) *sign.Ed25519Key {
	key, err := sign.ParseEd25519Key(bytes.Repeat([]byte{5}, 32))
	require.NoError(t, err)
	return key
}
