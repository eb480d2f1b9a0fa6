package sign_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

func TestPublicKeysRoundTripAsJSON(t *testing.T) {
	key, ed := testKey(t, 3).Public(), edKey(t).Public()
	text, err := json.Marshal(key)
	require.NoError(t, err)
	again, err := sign.ParseCompositePublicKeyJSON(append(text, '\n'))
	require.NoError(t, err)
	require.True(t, again.Equal(key))
	require.Contains(t, string(text), `{"id":"`+key.ID().String()+`","algorithm":"id-MLDSA65-Ed25519-SHA512","public":"`)

	plain, err := json.Marshal(ed)
	require.NoError(t, err)
	edAgain, err := sign.ParseEd25519PublicKeyJSON(plain)
	require.NoError(t, err)
	require.True(t, edAgain.Equal(ed))

	_, err = sign.ParseEd25519PublicKeyJSON(text)
	require.ErrorIs(t, err, sign.ErrInvalidKey)
	_, err = sign.ParseCompositePublicKeyJSON(plain)
	require.ErrorIs(t, err, sign.ErrInvalidKey)
}

func TestAKeyHasOneText(t *testing.T) {
	ed := edKey(t).Public()
	plain, err := json.Marshal(ed)
	require.NoError(t, err)
	line := string(plain)
	for name, bad := range map[string]string{
		"nothing":             "",
		"null":                "null",
		"a space":             strings.Replace(line, ":", ": ", 1),
		"another letter case": strings.Replace(line, `"id"`, `"ID"`, 1),
		"a member more":       strings.Replace(line, "{", `{"use":"sig",`, 1),
		"a member twice":      strings.Replace(line, "{", `{"algorithm":"Ed25519",`, 1),
		"another order":       fmt.Sprintf(`{"algorithm":"Ed25519","id":"%s","public":%s`, ed.ID(), line[strings.LastIndex(line, ":")+1:]),
		"another id":          strings.Replace(line, ed.ID().String(), "0000000000000000", 1),
		"stray bits":          strings.Replace(line, `="}`, `"}`, 1),
		"bytes behind it":     line + "{}",
		"two newlines":        line + "\n\n",
		"an escape":           strings.Replace(line, "Ed25519", `\u0045d25519`, 1),
		"a short key":         `{"id":"0000000000000000","algorithm":"Ed25519","public":"AA=="}`,
	} {
		_, err := sign.ParseEd25519PublicKeyJSON([]byte(bad))
		require.ErrorIs(t, err, sign.ErrInvalidKey, name)
	}
	block := ed.PEM()
	crlf := bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n"))
	same, err := sign.ParseEd25519PublicKeyPEM(crlf)
	require.NoError(t, err)
	require.True(t, same.Equal(ed))
	for name, bad := range map[string][]byte{
		"text before the block": append([]byte("key\n"), block...),
		"a header":              bytes.Replace(block, []byte("KEY-----\n"), []byte("KEY-----\nA: b\n\n"), 1),
		"lines of other length": bytes.Replace(block, []byte("MCowBQYDK2Vw"), []byte("MCowBQYD\nK2Vw"), 1),
		"a null parameter":      der(t, "302c300706032b65700500032100", ed.Bytes()),
		"a long length":         der(t, "30812a300506032b6570032100", ed.Bytes()),
		"unused bits":           der(t, "302a300506032b6570032101", ed.Bytes()),
		"a byte behind it":      der(t, "302a300506032b6570032100", append(ed.Bytes(), 0)),
		"the composite's OID":   bytes.ReplaceAll(testKey(t, 1).Public().PEM(), []byte("\r"), nil),
		"a short key":           der(t, "3029300506032b6570032000", ed.Bytes()[:31]),
	} {
		_, err := sign.ParseEd25519PublicKeyPEM(bad)
		require.ErrorIs(t, err, sign.ErrInvalidKey, name)
	}
}

// der is a PEM block of a hand-made prefix and a key.
func der(t *testing.T, prefix string, key []byte) []byte {
	t.Helper()
	return pemBlock(append(unhex(t, prefix), key...))
}

func FuzzParsePublicKeyJSON(f *testing.F) {
	text, err := json.Marshal(edKey(f).Public())
	require.NoError(f, err)
	f.Add(text)
	composite, err := json.Marshal(testKey(f, 1).Public())
	require.NoError(f, err)
	f.Add(composite)
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := sign.ParseEd25519PublicKeyJSON(text); err == nil {
			again, err := json.Marshal(key)
			require.NoError(t, err)
			require.Equal(t, string(bytes.TrimSuffix(text, []byte("\n"))), string(again))
		}
		if key, err := sign.ParseCompositePublicKeyJSON(text); err == nil {
			again, err := json.Marshal(key)
			require.NoError(t, err)
			require.Equal(t, string(bytes.TrimSuffix(text, []byte("\n"))), string(again))
		}
	})
}

func pemBlock(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
