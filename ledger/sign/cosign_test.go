package sign_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
)

const checkpointText = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

var cosignedAt = time.Unix(1679315147, 0).UTC()

func witnesses(t testing.TB) []*sign.WitnessKey {
	ed, err := sign.NewWitnessKey("witness.example/w1", bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
	require.NoError(t, err)
	ml, err := sign.NewMLDSA44WitnessKey("witness.example/w1", bytes.NewReader(bytes.Repeat([]byte{8}, 32)))
	require.NoError(t, err)
	return []*sign.WitnessKey{ed, ml}
}

// blobOf returns what a note line encodes after the 32-bit key id, and checks the rest of the line.
func blobOf(t testing.TB, k *sign.WitnessKey, noteLine []byte) []byte {
	prefix := "— " + k.Public().Name() + " "
	require.True(t, strings.HasPrefix(string(noteLine), prefix) && strings.HasSuffix(string(noteLine), "\n"), string(noteLine))
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(string(noteLine), prefix), "\n"))
	require.NoError(t, err)
	require.Equal(t, k.Public().KeyHash(), binary.BigEndian.Uint32(raw))
	return raw[4:]
}

func TestCosignaturesOfAnotherImplementationVerify(t *testing.T) {
	text, err := os.ReadFile("testdata/cosign.json")
	require.NoError(t, err)
	var vectors []struct {
		Algorithm, Vkey, Skey, Note string
		Time                        int64
	}
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.Len(t, vectors, 2)
	for _, v := range vectors {
		key, err := sign.ParseWitnessKey(v.Skey)
		require.NoError(t, err)
		pub, err := sign.ParseWitnessPublicKey(v.Vkey)
		require.NoError(t, err)
		require.True(t, pub.Equal(key.Public()), "both texts are of one key")
		require.Equal(t, v.Algorithm, pub.Algorithm())

		opened, err := note.Open([]byte(v.Note), note.VerifierList(pub.NoteVerifier()))
		require.NoError(t, err)
		raw, err := base64.StdEncoding.DecodeString(opened.Sigs[0].Base64)
		require.NoError(t, err)
		at, err := pub.VerifyCosignature([]byte(opened.Text), raw[4:])
		require.NoError(t, err)
		require.Equal(t, v.Time, at.Unix())
		if v.Algorithm == sign.Ed25519Name { // deterministic, so ours is the same line
			ours, err := key.Cosign([]byte(opened.Text), time.Unix(v.Time, 0))
			require.NoError(t, err)
			require.True(t, strings.HasSuffix(v.Note, "\n\n"+string(ours)))
		}
	}
}

// handMadeCosigned writes the message of each type out, byte by byte, as the specification has it.
func handMadeCosigned(algorithm string, at time.Time) []byte {
	if algorithm == sign.Ed25519Name {
		return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at.Unix(), checkpointText)
	}
	root, _ := base64.StdEncoding.DecodeString("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
	be := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	return slicesConcat([]byte("subtree/v1\n\x00\x12witness.example/w1"), be(uint64(at.Unix())), []byte("\x1bexample.com/behind-the-sofa"), be(0), be(20852163), root)
}

func TestCosignaturesVerifyAloneOverTheHandMadeMessage(t *testing.T) {
	for _, k := range witnesses(t) {
		noteLine, err := k.Cosign([]byte(checkpointText), cosignedAt.Add(999*time.Millisecond))
		require.NoError(t, err)
		blob, msg := blobOf(t, k, noteLine), handMadeCosigned(k.Public().Algorithm(), cosignedAt)
		require.Equal(t, uint64(1679315147), binary.BigEndian.Uint64(blob), "whole seconds")
		if k.Public().Algorithm() == sign.Ed25519Name {
			require.True(t, ed25519.Verify(k.Public().Bytes(), msg, blob[8:]))
		} else {
			var pub mldsa44.PublicKey
			require.NoError(t, pub.UnmarshalBinary(k.Public().Bytes()))
			require.True(t, mldsa44.Verify(&pub, msg, nil, blob[8:]))
			again, err := k.Cosign([]byte(checkpointText), cosignedAt)
			require.NoError(t, err)
			require.NotEqual(t, noteLine, again, "signing is hedged")
		}
		at, err := k.Public().VerifyCosignature([]byte(checkpointText), blob)
		require.NoError(t, err)
		require.Equal(t, cosignedAt, at)
		at, err = k.Public().VerifyLine([]byte(checkpointText), noteLine)
		require.NoError(t, err)
		require.Equal(t, cosignedAt, at)
		for _, bad := range []string{"", string(noteLine[:len(noteLine)-1]), " " + string(noteLine), string(noteLine) + "\n", strings.Replace(string(noteLine), "/w1", "/w2", 1), "— witness.example/w1 AAAA\n", "— witness.example/w1 AAAAAAAA\n"} {
			_, err := k.Public().VerifyLine([]byte(checkpointText), []byte(bad))
			require.ErrorIs(t, err, sign.ErrInvalidSignature, "%q", bad)
		}
	}
}

func TestForeignCosignaturesAreRefused(t *testing.T) {
	for _, k := range witnesses(t) {
		noteLine, err := k.Cosign([]byte(checkpointText), cosignedAt)
		require.NoError(t, err)
		blob := blobOf(t, k, noteLine)
		other, err := sign.ParseWitnessKey(strings.Replace(k.SecretText(), "/w1+", "/w2+", 1))
		require.ErrorIs(t, err, sign.ErrInvalidKey, "another name has another hash")
		require.Nil(t, other)
		another, err := sign.NewMLDSA44WitnessKey("witness.example/w2", bytes.NewReader(bytes.Repeat([]byte{8}, 32)))
		require.NoError(t, err)
		stranger, err := sign.NewWitnessKey("witness.example/w1", rand.Reader)
		require.NoError(t, err)
		for _, wrong := range []*sign.WitnessKey{another, stranger} { // the same ML-DSA key under another name is another witness
			_, err := wrong.Public().VerifyCosignature([]byte(checkpointText), blob)
			require.ErrorIs(t, err, sign.ErrInvalidSignature)
		}
		pub := k.Public()
		for _, text := range []string{
			strings.Replace(checkpointText, "20852163", "20852164", 1), strings.Replace(checkpointText, "sofa", "sofb", 1),
			strings.Replace(checkpointText, "Csu", "Ctu", 1) + "x\n", strings.Replace(checkpointText, "CsU", "CsV", 1),
		} {
			_, err := pub.VerifyCosignature([]byte(text), blob)
			if pub.Algorithm() == sign.MLDSA44Name && strings.HasSuffix(text, "x\n") {
				require.NoError(t, err, "ML-DSA-44 witnesses leave extension lines out")
				continue
			}
			require.ErrorIs(t, err, sign.ErrInvalidSignature, text)
		}
		for i := range blob {
			if i > 16 && i < len(blob)-16 && i%61 != 0 {
				continue
			}
			flipped := bytes.Clone(blob)
			flipped[i] ^= 1
			_, err := pub.VerifyCosignature([]byte(checkpointText), flipped)
			require.ErrorIs(t, err, sign.ErrInvalidSignature, "bit in byte %d", i)
		}
		for _, bad := range [][]byte{nil, blob[:7], blob[:8], blob[:len(blob)-1], append(bytes.Clone(blob), 0), slicesConcat(make([]byte, 8), blob[8:]), slicesConcat([]byte{0x80}, blob[1:])} {
			_, err := pub.VerifyCosignature([]byte(checkpointText), bad)
			require.ErrorIs(t, err, sign.ErrInvalidSignature)
		}
	}
}

func TestACosignatureWithoutTimeIsRefused(t *testing.T) {
	ed := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	sig := ed25519.Sign(ed, []byte("cosignature/v1\ntime 0\n"+checkpointText))
	_, err := witnesses(t)[0].Public().VerifyCosignature([]byte(checkpointText), append(make([]byte, 8), sig...))
	require.ErrorIs(t, err, sign.ErrInvalidSignature)
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(-5, 0)} {
		_, err := witnesses(t)[0].Cosign([]byte(checkpointText), at)
		require.Error(t, err)
	}
}

func TestWitnessesSignCheckpointsOnly(t *testing.T) {
	root := "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
	for name, text := range map[string]string{
		"nothing": "", "a line": "a\n", "no newline at the end": "a\n1\n" + root, "no origin": "\n1\n" + root + "\n", "no size": "a\n\n" + root + "\n",
		"a size with a zero in front": "a\n01\n" + root + "\n", "a negative size": "a\n-1\n" + root + "\n", "a huge size": "a\n18446744073709551616\n" + root + "\n",
		"a short root": "a\n1\nAAAA\n", "no base64": "a\n1\n" + strings.Repeat("!", 44) + "\n", "stray bits": "a\n1\n" + strings.Replace(root, "I=", "J=", 1) + "\n",
		"signature lines too": "a\n1\n" + root + "\n\n— x AAAA\n", "a long origin": strings.Repeat("a", 256) + "\n1\n" + root + "\n", "carriage returns": "a\r\n1\r\n" + root + "\r\n",
	} {
		for _, k := range witnesses(t) {
			_, err := k.Cosign([]byte(text), cosignedAt)
			require.ErrorIs(t, err, sign.ErrNotCheckpoint, name)
			_, err = k.Public().VerifyCosignature([]byte(text), binary.BigEndian.AppendUint64(nil, 1))
			require.ErrorIs(t, err, sign.ErrNotCheckpoint, name)
		}
	}
	for _, k := range witnesses(t) {
		noteLine, err := k.Cosign([]byte("a\n1\n"+root+"\nextension\n"), cosignedAt)
		require.NoError(t, err, "other logs have extension lines")
		_, err = k.Public().VerifyCosignature([]byte("a\n1\n"+root+"\nextension\n"), blobOf(t, k, noteLine))
		require.NoError(t, err)
	}
}

func TestWitnessKeysRoundTripAndNothingElseParses(t *testing.T) {
	for _, k := range witnesses(t) {
		secret, err := sign.ParseWitnessKey(k.SecretText())
		require.NoError(t, err)
		require.True(t, secret.Public().Equal(k.Public()))
		vkey := k.Public().String()
		pub, err := sign.ParseWitnessPublicKey(vkey)
		require.NoError(t, err)
		require.Equal(t, vkey, pub.String())
		require.False(t, pub.Equal(nil))

		name, rest, _ := strings.Cut(vkey, "+")
		hash, key, _ := strings.Cut(rest, "+")
		for what, bad := range map[string]string{
			"nothing": "", "no key": name + "+" + hash, "another hash": name + "+00000000+" + key, "capitals": name + "+" + strings.ToUpper(hash) + "+" + key, "another name": "x+" + hash + "+" + key,
			"a line break": name + "+" + hash + "+" + key[:8] + "\n" + key[8:], "a space": " " + vkey, "a newline": vkey + "\n", "a byte short": name + "+" + hash + "+" + key[:len(key)-4],
			"no padding": strings.TrimRight(vkey, "=") + "A", "a secret key": k.SecretText(), "an unknown type": name + "+" + hash + "+BQ" + key[2:], "a log's type": name + "+" + hash + "+AQ" + key[2:],
		} {
			_, err := sign.ParseWitnessPublicKey(bad)
			require.ErrorIs(t, err, sign.ErrInvalidKey, what)
			_, err = sign.ParseWitnessKey("PRIVATE+KEY+" + bad)
			require.ErrorIs(t, err, sign.ErrInvalidKey, what)
			_, err = sign.ParseWitnessKey(bad)
			if what != "a secret key" {
				require.ErrorIs(t, err, sign.ErrInvalidKey, what)
			}
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\nb", "\xff", strings.Repeat("a", 256)} {
		_, err := sign.NewWitnessKey(name, rand.Reader)
		require.ErrorIs(t, err, sign.ErrInvalidKey, "%q", name)
		_, err = sign.NewMLDSA44WitnessKey(name, rand.Reader)
		require.ErrorIs(t, err, sign.ErrInvalidKey, "%q", name)
	}
	_, err := sign.NewWitnessKey("a", bytes.NewReader(nil))
	require.Error(t, err)
	small := "w+" // the point of order 1 verifies one signature for many messages
	_, err = sign.ParseWitnessPublicKey(small + "00000000+" + base64.StdEncoding.EncodeToString(append([]byte{4, 1}, make([]byte, 31)...)))
	require.ErrorIs(t, err, sign.ErrInvalidKey)
}

func TestWitnessKeysDoNotPrint(t *testing.T) {
	for _, k := range witnesses(t) {
		seed := bytes.Repeat([]byte{7}, 32)
		if k.Public().Algorithm() == sign.MLDSA44Name {
			seed = bytes.Repeat([]byte{8}, 32)
		}
		for _, v := range []any{k, *k, []any{k}, struct{ K any }{k}, struct{ k *sign.WitnessKey }{k}, struct{ k sign.WitnessKey }{*k}} {
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", v)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", v)
			asJSON, _ := json.Marshal(v)
			out := log.String() + string(asJSON)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p"} {
				out += fmt.Sprintf(verb, v)
			}
			for _, secret := range []string{fmt.Sprintf("%x", seed[:3]), "7 7 7", "8 8 8", "0x7, 0x7", "0x8, 0x8", "PRIVATE", "cHBwcH", "CAgICA"} {
				require.False(t, strings.Contains(out, secret), "%T shows %s", v, secret)
			}
		}
		_, err := json.Marshal(k)
		require.Error(t, err)
	}
}

func FuzzParseWitnessKeys(f *testing.F) {
	for _, k := range witnesses(f) {
		f.Add(k.Public().String())
		f.Add(k.SecretText())
	}
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := sign.ParseWitnessPublicKey(text); err == nil && k.String() != text {
			t.Fatal("a verifier key has two texts")
		}
		if k, err := sign.ParseWitnessKey(text); err == nil && k.SecretText() != text {
			t.Fatal("a signer key has two texts")
		}
	})
}

func FuzzVerifyCosignature(f *testing.F) {
	keys := witnesses(f)
	for _, k := range keys {
		noteLine, err := k.Cosign([]byte(checkpointText), cosignedAt)
		require.NoError(f, err)
		f.Add([]byte(checkpointText), blobOf(f, k, noteLine))
	}
	f.Fuzz(func(t *testing.T, text, blob []byte) {
		if _, err := keys[0].Public().VerifyCosignature(text, blob); err == nil && string(text) != checkpointText {
			t.Fatal("a cosignature nobody made verifies")
		}
		if _, err := keys[1].Public().VerifyCosignature(text, blob); err == nil && !strings.HasPrefix(string(text), checkpointText) {
			t.Fatal("a cosignature nobody made verifies")
		}
	})
}
