package sign_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/stretchr/testify/require"
)

func testKey(t testing.TB, fill byte) *sign.CompositeKey {
	key, err := sign.ParseCompositeKey(bytes.Repeat([]byte{fill}, sign.CompositeSeedSize))
	require.NoError(t, err)
	return key
}

// handMade builds M' from the bytes the draft prints, independent of the package.
func handMade(t testing.TB, ctx string, msg []byte) []byte {
	prefix, err := hex.DecodeString("436f6d706f73697465416c676f726974686d5369676e61747572657332303235")
	require.NoError(t, err)
	label, err := hex.DecodeString("434f4d505349472d4d4c44534136352d456432353531392d534841353132")
	require.NoError(t, err)
	sum := sha512.Sum512(msg)
	return slicesConcat(prefix, label, []byte{byte(len(ctx))}, []byte(ctx), sum[:])
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

var label = []byte("COMPSIG-MLDSA65-Ed25519-SHA512")

func TestTheWorkingGroupsVectorVerifies(t *testing.T) {
	text, err := os.ReadFile("testdata/lamps.json")
	require.NoError(t, err)
	var v struct {
		Algorithm, Context string
		Message, Signature []byte
		Private            []byte `json:"private_key"`
	}
	require.NoError(t, json.Unmarshal(text, &v))
	require.Equal(t, sign.CompositeName, v.Algorithm)

	key, err := sign.ParseCompositeKey(v.Private)
	require.NoError(t, err)
	require.NoError(t, key.Public().Verify(v.Context, v.Message, v.Signature))

	ours, err := key.Sign(v.Context, v.Message)
	require.NoError(t, err)
	require.Equal(t, v.Signature[mldsa65.SignatureSize:], ours[mldsa65.SignatureSize:], "the Ed25519 half is deterministic")
	require.NotEqual(t, v.Signature[:mldsa65.SignatureSize], ours[:mldsa65.SignatureSize], "the ML-DSA half is hedged")
}

func TestEachHalfVerifiesAloneOverTheHandMadeRepresentative(t *testing.T) {
	key := testKey(t, 1)
	for _, ctx := range []string{"", sign.ContextEntry, strings.Repeat("c", 255)} {
		for _, msg := range [][]byte{nil, []byte("m"), bytes.Repeat([]byte{7}, 100_000)} {
			sig, err := key.Sign(ctx, msg)
			require.NoError(t, err)
			require.Len(t, sig, sign.CompositeSignatureSize)

			m, pub := handMade(t, ctx, msg), key.Public().Bytes()
			var ml mldsa65.PublicKey
			require.NoError(t, ml.UnmarshalBinary(pub[:1952]))
			require.True(t, mldsa65.Verify(&ml, m, label, sig[:3309]))
			require.True(t, ed25519.Verify(pub[1952:], m, sig[3309:]))
			require.NoError(t, key.Public().Verify(ctx, msg, sig))
		}
	}
	require.Len(t, handMade(t, "", nil), 127)
}

func TestSizesAreTheDrafts(t *testing.T) {
	require.Equal(t, 64, sign.CompositeSeedSize)
	require.Equal(t, 1984, sign.CompositePublicKeySize)
	require.Equal(t, 3373, sign.CompositeSignatureSize)
}

func TestHalfValidSignaturesAreRefused(t *testing.T) {
	key, other := testKey(t, 1), testKey(t, 2)
	msg := []byte("approve")
	sig, err := key.Sign(sign.ContextEntry, msg)
	require.NoError(t, err)
	foreign, err := other.Sign(sign.ContextEntry, msg)
	require.NoError(t, err)
	elsewhere, err := key.Sign(sign.ContextAgentPayload, msg)
	require.NoError(t, err)
	verify := func(sig []byte) error { return key.Public().Verify(sign.ContextEntry, msg, sig) }

	for name, bad := range map[string][]byte{
		"ML-DSA of another key":       slicesConcat(foreign[:3309], sig[3309:]),
		"Ed25519 of another key":      slicesConcat(sig[:3309], foreign[3309:]),
		"ML-DSA under other context":  slicesConcat(elsewhere[:3309], sig[3309:]),
		"Ed25519 under other context": slicesConcat(sig[:3309], elsewhere[3309:]),
		"halves swapped":              slicesConcat(sig[3309:], sig[:3309]),
		"ML-DSA zero":                 slicesConcat(make([]byte, 3309), sig[3309:]),
		"Ed25519 zero":                slicesConcat(sig[:3309], make([]byte, 64)),
		"nothing":                     nil,
		"ML-DSA alone":                sig[:3309],
		"Ed25519 alone":               sig[3309:],
		"a byte short":                sig[:3372],
		"a byte long":                 append(bytes.Clone(sig), 0),
		"non-canonical S":             slicesConcat(sig[:3341], plusOrder(sig[3341:])),
	} {
		require.ErrorIs(t, verify(bad), sign.ErrInvalidSignature, name)
	}
	for i := range sig {
		if i%97 == 0 || i >= 3309 {
			flipped := bytes.Clone(sig)
			flipped[i] ^= 1 << (i % 8)
			require.ErrorIs(t, verify(flipped), sign.ErrInvalidSignature, "bit in byte %d", i)
		}
	}
	require.NoError(t, verify(sig))
}

// plusOrder adds the group's order to a scalar: the same number to a sloppy verifier.
func plusOrder(s []byte) []byte {
	order, _ := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	out, carry := make([]byte, 32), 0
	for i := range out {
		carry += int(s[i]) + int(order[i])
		out[i] = byte(carry)
		carry >>= 8
	}
	return out
}

func TestContextsSeparatePurposes(t *testing.T) {
	key := testKey(t, 1)
	contexts := []string{"", sign.ContextCheckpoint, sign.ContextEntry, sign.ContextAgentPayload}
	for _, a := range contexts {
		sig, err := key.Sign(a, []byte("m"))
		require.NoError(t, err)
		for _, b := range contexts {
			require.Equal(t, a == b, key.Public().Verify(b, []byte("m"), sig) == nil, "%q as %q", a, b)
		}
	}
	_, err := key.Sign(strings.Repeat("c", 256), nil)
	require.ErrorIs(t, err, sign.ErrInvalidContext)
	require.ErrorIs(t, key.Public().Verify(strings.Repeat("c", 256), nil, make([]byte, 3373)), sign.ErrInvalidContext)
}

func TestSigningIsHedged(t *testing.T) {
	key := testKey(t, 1)
	a, err := key.Sign("", []byte("m"))
	require.NoError(t, err)
	b, err := key.Sign("", []byte("m"))
	require.NoError(t, err)
	require.NotEqual(t, a[:3309], b[:3309])
	require.Equal(t, a[3309:], b[3309:])
}

func TestKeysRoundTripThroughTheirSeeds(t *testing.T) {
	key, err := sign.NewCompositeKey(rand.Reader)
	require.NoError(t, err)
	seed := key.Seed()
	again, err := sign.ParseCompositeKey(seed)
	require.NoError(t, err)
	require.True(t, again.Public().Equal(key.Public()))
	require.False(t, key.Public().Equal(testKey(t, 1).Public()))
	require.False(t, key.Public().Equal(nil))

	clear(seed)
	require.NotEqual(t, seed, key.Seed(), "Seed returns a copy")
	pub := key.Public().Bytes()
	clear(pub)
	require.NotEqual(t, pub, key.Public().Bytes(), "Bytes returns a copy")
	parsed, err := sign.ParseCompositePublicKey(key.Public().Bytes())
	require.NoError(t, err)
	require.Equal(t, key.Public().ID(), parsed.ID())
}

func TestMalformedKeysAreRefused(t *testing.T) {
	for _, n := range []int{0, 1, 32, 63, 65, 128} {
		_, err := sign.ParseCompositeKey(make([]byte, n))
		require.ErrorIs(t, err, sign.ErrInvalidKey, "%d bytes of seed", n)
	}
	for _, n := range []int{0, 32, 1952, 1983, 1985} {
		_, err := sign.ParseCompositePublicKey(make([]byte, n))
		require.ErrorIs(t, err, sign.ErrInvalidKey, "%d bytes of public key", n)
	}
	for _, n := range []int{0, 31, 33} {
		_, err := sign.ParseEd25519Key(make([]byte, n))
		require.ErrorIs(t, err, sign.ErrInvalidKey)
		_, err = sign.ParseEd25519PublicKey(make([]byte, n))
		require.ErrorIs(t, err, sign.ErrInvalidKey)
	}
	_, err := sign.NewCompositeKey(strings.NewReader("too short"))
	require.Error(t, err)
	_, err = sign.NewEd25519Key(strings.NewReader("too short"))
	require.Error(t, err)
}

func TestPointsOfSmallOrderAreRefused(t *testing.T) {
	good := testKey(t, 1).Public().Bytes()
	for _, point := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		for _, sign_ := range []byte{0, 0x80} {
			raw, err := hex.DecodeString(point)
			require.NoError(t, err)
			raw[31] |= sign_
			_, err = sign.ParseEd25519PublicKey(raw)
			require.ErrorIs(t, err, sign.ErrInvalidKey, point)
			_, err = sign.ParseCompositePublicKey(slicesConcat(good[:1952], raw))
			require.ErrorIs(t, err, sign.ErrInvalidKey, point)
		}
	}
}

func TestSmallOrderKeysWouldAcceptForgeries(t *testing.T) {
	// Why they are refused: under the key of order 4, the signature R = identity, S = 0 fits a quarter of all messages.
	key := make([]byte, 32)
	sig := make([]byte, 64)
	sig[0] = 1
	fits := 0
	for i := range 256 {
		if ed25519.Verify(key, []byte{byte(i)}, sig) {
			fits++
		}
	}
	require.NotZero(t, fits)
}

func TestSecretsDoNotPrint(t *testing.T) {
	seed := bytes.Repeat([]byte{0xa7}, 64)
	key, err := sign.ParseCompositeKey(seed)
	require.NoError(t, err)
	ed, err := sign.ParseEd25519Key(seed[:32])
	require.NoError(t, err)
	for _, k := range []any{key, *key, ed, *ed, []any{key, ed}, struct{ K any }{key}, struct{ k *sign.CompositeKey }{key}, struct{ k sign.CompositeKey }{*key}} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k)
		asJSON, _ := json.Marshal(k)
		out := log.String() + string(asJSON)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p"} {
			out += fmt.Sprintf(verb, k)
		}
		for _, secret := range []string{"a7a7", "A7A7", "167 167", "0xa7, 0xa7", "p6enp6en", "83804"} {
			require.False(t, strings.Contains(out, secret), "%T shows %s", k, secret)
		}
	}
	_, err = json.Marshal(key)
	require.Error(t, err)
}

func TestKeyIDs(t *testing.T) {
	key := testKey(t, 1)
	id := key.Public().ID()
	parsed, err := sign.ParseKeyID(id.String())
	require.NoError(t, err)
	require.Equal(t, id, parsed)
	text, err := json.Marshal(map[string]sign.KeyID{"id": id})
	require.NoError(t, err)
	var back map[string]sign.KeyID
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, id, back["id"])
	for _, bad := range []string{"", "00", strings.Repeat("A", 16), strings.Repeat("0", 15), strings.Repeat("0", 17), strings.Repeat("g", 16)} {
		_, err := sign.ParseKeyID(bad)
		require.ErrorIs(t, err, sign.ErrInvalidKey, bad)
		require.Error(t, new(sign.KeyID).UnmarshalText([]byte(bad)))
	}
	require.NotEqual(t, id, testKey(t, 2).Public().ID())
}

func TestPublicKeysRoundTripAsPEM(t *testing.T) {
	key := testKey(t, 3)
	ed, err := sign.ParseEd25519Key(bytes.Repeat([]byte{4}, 32))
	require.NoError(t, err)

	composite, err := sign.ParseCompositePublicKeyPEM(key.Public().PEM())
	require.NoError(t, err)
	require.True(t, composite.Equal(key.Public()))
	plain, err := sign.ParseEd25519PublicKeyPEM(ed.Public().PEM())
	require.NoError(t, err)
	require.True(t, plain.Equal(ed.Public()))

	_, err = sign.ParseCompositePublicKeyPEM(ed.Public().PEM())
	require.ErrorIs(t, err, sign.ErrInvalidKey)
	_, err = sign.ParseEd25519PublicKeyPEM(key.Public().PEM())
	require.ErrorIs(t, err, sign.ErrInvalidKey)
	for _, bad := range [][]byte{nil, []byte("x"), append(ed.Public().PEM(), ed.Public().PEM()...),
		bytes.ReplaceAll(ed.Public().PEM(), []byte("PUBLIC"), []byte("PRIVATE"))} {
		_, err = sign.ParseEd25519PublicKeyPEM(bad)
		require.ErrorIs(t, err, sign.ErrInvalidKey)
	}
}

func FuzzVerify(f *testing.F) {
	key := testKey(f, 1)
	sig, err := key.Sign(sign.ContextEntry, []byte("m"))
	require.NoError(f, err)
	f.Add(sign.ContextEntry, []byte("m"), sig)
	f.Add("", []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, ctx string, msg, sig []byte) {
		if key.Public().Verify(ctx, msg, sig) == nil && (ctx != sign.ContextEntry || string(msg) != "m") {
			t.Fatal("a signature nobody made verifies")
		}
	})
}

func FuzzParsePublicKeyPEM(f *testing.F) {
	f.Add(testKey(f, 1).Public().PEM())
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := sign.ParseCompositePublicKeyPEM(text); err == nil {
			again, err := sign.ParseCompositePublicKeyPEM(key.PEM())
			require.NoError(t, err)
			require.True(t, again.Equal(key))
		}
		_, _ = sign.ParseEd25519PublicKeyPEM(text)
	})
}

func BenchmarkCompositeSign(b *testing.B) {
	key, msg := testKey(b, 1), make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := key.Sign(sign.ContextEntry, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompositeVerify(b *testing.B) {
	key, msg := testKey(b, 1), make([]byte, 1024)
	sig, err := key.Sign(sign.ContextEntry, msg)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if err := key.Public().Verify(sign.ContextEntry, msg, sig); err != nil {
			b.Fatal(err)
		}
	}
}
