package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/vault/seal"
)

var (
	keyA = bytes.Repeat([]byte{0xa1}, 32)
	keyB = bytes.Repeat([]byte{0xb2}, 32)
	row  = seal.AAD("mfa/totp", uuid.MustParse("11111111-1111-4111-8111-111111111111"), uuid.MustParse("22222222-2222-4222-8222-222222222222"))
)

func ring(t testing.TB, cfg seal.Config) *seal.Ring {
	t.Helper()
	r, err := seal.New(cfg)
	require.NoError(t, err)
	return r
}

func active(key []byte) seal.Config { return seal.Config{Active: seal.Key{Bytes: key}} }

// legacy writes the document's format: no key id, no associated data.
func legacy(t testing.TB, key []byte, plaintext string) string {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	nonce := []byte("twelve bytes")
	return "$enc$" + base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, []byte(plaintext), nil))
}

func TestWhatIsSealedOpensAgainInItsRow(t *testing.T) {
	r := ring(t, active(keyA))
	rapid.Check(t, func(t *rapid.T) {
		plaintext := rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "plaintext")
		aad := rapid.SliceOfN(rapid.Byte(), 1, 80).Draw(t, "aad")
		sealed, err := r.Seal(plaintext, aad)
		require.NoError(t, err)
		opened, err := r.Open(sealed, aad)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, opened))
		require.False(t, r.NeedsReseal(sealed))
	})
}

func TestTheFormIsTheDocumentedOne(t *testing.T) {
	r := ring(t, seal.Config{Active: seal.Key{ID: "k-2026", Bytes: keyA}})
	sealed, err := r.Seal([]byte("JBSWY3DPEHPK3PXP"), row)
	require.NoError(t, err)
	require.Regexp(t, `^\$enc2\$k-2026\$[A-Za-z0-9+/]+={0,2}$`, sealed)
	body, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sealed, "$enc2$k-2026$"))
	require.NoError(t, err)
	require.Len(t, body, 12+16+16)
	block, err := aes.NewCipher(keyA)
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	plaintext, err := gcm.Open(nil, body[:12], body[12:], row)
	require.NoError(t, err, "nonce, ciphertext, tag in this order, with aad as given")
	require.Equal(t, "JBSWY3DPEHPK3PXP", string(plaintext))
}

func TestSealingTwiceGivesDifferentValues(t *testing.T) {
	r := ring(t, active(keyA))
	seen := map[string]bool{}
	for range 1000 {
		s, err := r.Seal([]byte("same"), row)
		require.NoError(t, err)
		seen[s] = true
	}
	require.Len(t, seen, 1000)
}

func TestAValueFitsNoOtherRow(t *testing.T) {
	r := ring(t, active(keyA))
	tenant, user := uuid.New(), uuid.New()
	aad := seal.AAD("mfa/totp", tenant, user)
	sealed, err := r.Seal([]byte("x"), aad)
	require.NoError(t, err)
	for name, other := range map[string][]byte{
		"another tenant":      seal.AAD("mfa/totp", uuid.New(), user),
		"another user":        seal.AAD("mfa/totp", tenant, uuid.New()),
		"tenant and user":     seal.AAD("mfa/totp", user, tenant),
		"another purpose":     seal.AAD("ledger/key", tenant, user),
		"a longer purpose":    seal.AAD("mfa/totp2", tenant, user),
		"a cut aad":           aad[:len(aad)-1],
		"an extended aad":     append(bytes.Clone(aad), 0),
		"nothing but a space": []byte(" "),
	} {
		_, err := r.Open(sealed, other)
		require.ErrorIs(t, err, seal.ErrOpen, name)
	}
}

func TestAADIsTheContractsBytesAndInjective(t *testing.T) {
	require.Equal(t, "6d66612f746f7470"+"00"+strings.Repeat("11", 4)+"1111411181111111"+"11111111"+strings.Repeat("22", 4)+"2222422282222222"+"22222222",
		hex.EncodeToString(row))
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (string, [16]byte, [16]byte) {
			p := rapid.StringN(0, 6, 6).Draw(t, label+"purpose")
			return p, [16]byte(rapid.SliceOfN(rapid.ByteRange(0, 1), 16, 16).Draw(t, label+"tenant")),
				[16]byte(rapid.SliceOfN(rapid.ByteRange(0, 1), 16, 16).Draw(t, label+"user"))
		}
		p1, t1, u1 := draw("a")
		p2, t2, u2 := draw("b")
		require.Equal(t, p1 == p2 && t1 == t2 && u1 == u2, bytes.Equal(seal.AAD(p1, t1, u1), seal.AAD(p2, t2, u2)))
	})
}

func TestEveryFlippedBitAndEveryCutIsRefused(t *testing.T) {
	r := ring(t, seal.Config{Active: seal.Key{ID: "k", Bytes: keyA}, ReadLegacy: true})
	sealed, err := r.Seal([]byte("secret of sixteen"), row)
	require.NoError(t, err)
	body, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sealed, "$enc2$k$"))
	require.NoError(t, err)
	for i := range body {
		for bit := range 8 {
			forged := bytes.Clone(body)
			forged[i] ^= 1 << bit
			_, err := r.Open("$enc2$k$"+base64.StdEncoding.EncodeToString(forged), row)
			require.ErrorIs(t, err, seal.ErrOpen)
		}
	}
	for n := range len(body) {
		_, err := r.Open("$enc2$k$"+base64.StdEncoding.EncodeToString(body[:n]), row)
		require.Error(t, err)
	}
	_, err = r.Open("$enc2$k$"+base64.StdEncoding.EncodeToString(append(body, 0)), row)
	require.ErrorIs(t, err, seal.ErrOpen)
	for i := range len(sealed) {
		_, err := r.Open(sealed[:i], row)
		require.Error(t, err)
	}
	_, err = r.Open("$enc$"+base64.StdEncoding.EncodeToString(body), row)
	require.ErrorIs(t, err, seal.ErrOpen, "a new value does not pass as a legacy one, which is bound to nothing")
}

func TestTheParserTakesOneForm(t *testing.T) {
	r := ring(t, seal.Config{Active: seal.Key{ID: "k", Bytes: keyA}, ReadLegacy: true})
	sealed, err := r.Seal([]byte("0123456789"), row) // 38 bytes: one "="
	require.NoError(t, err)
	body := strings.TrimPrefix(sealed, "$enc2$k$")
	for name, s := range map[string]string{
		"empty":                "",
		"plaintext":            "JBSWY3DPEHPK3PXP",
		"another version":      "$enc3$k$" + body,
		"upper-case prefix":    "$ENC2$k$" + body,
		"no key id":            "$enc2$" + body,
		"an empty key id":      "$enc2$$" + body,
		"an upper-case key id": "$enc2$K$" + body,
		"a long key id":        "$enc2$" + strings.Repeat("k", 33) + "$" + body,
		"a leading space":      " " + sealed,
		"a trailing space":     sealed + " ",
		"a line break":         "$enc2$k$" + body[:20] + "\n" + body[20:],
		"a final line break":   sealed + "\n",
		"carriage returns":     "$enc2$k$" + body[:8] + "\r\n" + body[8:],
		"no padding":           strings.TrimRight(sealed, "="),
		"more padding":         sealed + "=",
		"a fourth part":        sealed + "$x",
		"URL alphabet":         "$enc2$k$" + strings.Repeat("-_", 32),
		"too short":            "$enc2$k$" + base64.StdEncoding.EncodeToString(make([]byte, 27)),
		"a legacy prefix":      "$enc$",
		"enormous":             "$enc2$k$" + strings.Repeat("A", 1<<20),
	} {
		_, err := r.Open(s, row)
		require.ErrorIs(t, err, seal.ErrFormat, name)
		require.True(t, r.NeedsReseal(s), name)
	}
	last := strings.TrimRight(body, "=")
	forged := last[:len(last)-1] + nextLetter(last[len(last)-1]) + "="
	_, err = r.Open("$enc2$k$"+forged, row)
	require.ErrorIs(t, err, seal.ErrFormat, "trailing bits that decode to the same bytes")
}

// nextLetter changes only the lowest bit of a base64 digit, which a final digit before "=" does not use.
func nextLetter(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestKeysRotate(t *testing.T) {
	old := ring(t, active(keyA))
	sealed, err := old.Seal([]byte("x"), row)
	require.NoError(t, err)

	both := ring(t, seal.Config{Active: seal.Key{Bytes: keyB}, Old: []seal.Key{{Bytes: keyA}}})
	require.True(t, both.NeedsReseal(sealed))
	plaintext, err := both.Open(sealed, row)
	require.NoError(t, err)
	resealed, err := both.Seal(plaintext, row)
	require.NoError(t, err)
	require.False(t, both.NeedsReseal(resealed))
	require.Contains(t, resealed, "$"+both.ActiveKeyID()+"$")

	onlyNew := ring(t, active(keyB))
	_, err = onlyNew.Open(sealed, row)
	require.ErrorIs(t, err, seal.ErrKeyID)
	_, err = onlyNew.Open(resealed, row)
	require.NoError(t, err)
}

func TestAKeyUnderAnothersIDDoesNotOpen(t *testing.T) {
	a := ring(t, seal.Config{Active: seal.Key{ID: "k", Bytes: keyA}})
	b := ring(t, seal.Config{Active: seal.Key{ID: "k", Bytes: keyB}})
	sealed, err := a.Seal([]byte("x"), row)
	require.NoError(t, err)
	_, err = b.Open(sealed, row)
	require.ErrorIs(t, err, seal.ErrOpen)
	two := ring(t, seal.Config{Active: seal.Key{ID: "a", Bytes: keyA}, Old: []seal.Key{{ID: "b", Bytes: keyB}}})
	sealed, err = two.Seal([]byte("x"), row)
	require.NoError(t, err)
	_, err = two.Open(strings.Replace(sealed, "$a$", "$b$", 1), row)
	require.ErrorIs(t, err, seal.ErrOpen, "a swapped key id")
}

func TestLegacyValuesAreReadOnlyWhereAllowed(t *testing.T) {
	stored := legacy(t, keyA, "JBSWY3DPEHPK3PXP")
	_, err := ring(t, active(keyA)).Open(stored, row)
	require.ErrorIs(t, err, seal.ErrLegacy)

	r := ring(t, seal.Config{Active: seal.Key{Bytes: keyB}, Old: []seal.Key{{Bytes: keyA}}, ReadLegacy: true})
	plaintext, err := r.Open(stored, row)
	require.NoError(t, err)
	require.Equal(t, "JBSWY3DPEHPK3PXP", string(plaintext))
	require.True(t, r.NeedsReseal(stored))

	foreign := ring(t, seal.Config{Active: seal.Key{Bytes: keyB}, ReadLegacy: true})
	_, err = foreign.Open(stored, row)
	require.ErrorIs(t, err, seal.ErrOpen)
}

// The vector is test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B.
func TestAKnownAnswerOpens(t *testing.T) {
	h := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	r := ring(t, seal.Config{Active: seal.Key{ID: "tc16", Bytes: h("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")}})
	body := h("cafebabefacedbaddecaf888" +
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" +
		"76fc6ece0f4e1768cddf8853bb2d551b")
	plaintext, err := r.Open("$enc2$tc16$"+base64.StdEncoding.EncodeToString(body), h("feedfacedeadbeeffeedfacedeadbeefabaddad2"))
	require.NoError(t, err)
	require.Equal(t, h("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"), plaintext)
}

func TestSealRefusesMissingAADAndLargeFields(t *testing.T) {
	r := ring(t, active(keyA))
	_, err := r.Seal([]byte("x"), nil)
	require.ErrorIs(t, err, seal.ErrAAD)
	_, err = r.Open("$enc2$k$", nil)
	require.ErrorIs(t, err, seal.ErrAAD)
	_, err = r.Seal(make([]byte, seal.MaxPlaintext+1), row)
	require.ErrorIs(t, err, seal.ErrTooLarge)
	s, err := r.Seal(make([]byte, seal.MaxPlaintext), row)
	require.NoError(t, err)
	_, err = r.Open(s, row)
	require.NoError(t, err)
}

func TestNewRefusesUnusableKeys(t *testing.T) {
	for name, cfg := range map[string]seal.Config{
		"none":               {},
		"16 bytes":           active(make([]byte, 16)),
		"31 bytes":           active(keyA[:31]),
		"33 bytes":           active(append(bytes.Clone(keyA), 1)),
		"all zero":           active(make([]byte, 32)),
		"an unusable id":     {Active: seal.Key{ID: "K$", Bytes: keyA}},
		"the same key twice": {Active: seal.Key{Bytes: keyA}, Old: []seal.Key{{Bytes: keyA}}},
		"the same id twice":  {Active: seal.Key{ID: "a", Bytes: keyA}, Old: []seal.Key{{ID: "a", Bytes: keyB}}},
		"a short old key":    {Active: seal.Key{Bytes: keyA}, Old: []seal.Key{{ID: "b", Bytes: keyB[:8]}}},
	} {
		_, err := seal.New(cfg)
		require.Error(t, err, name)
	}
}

func TestNewKeepsNoReferenceToTheKeyAndPrintsNone(t *testing.T) {
	key := bytes.Clone(keyA)
	r := ring(t, active(key))
	sealed, err := r.Seal([]byte("x"), row)
	require.NoError(t, err)
	clear(key)
	_, err = r.Open(sealed, row)
	require.NoError(t, err)
	out := fmt.Sprintf("%v %+v %#v", r, *r, r)
	require.NotContains(t, out, "161 161")
	require.NotContains(t, out, "a1a1")
}

func FuzzOpen(f *testing.F) {
	r := ring(f, seal.Config{Active: seal.Key{ID: "k", Bytes: keyA}, ReadLegacy: true})
	sealed, err := r.Seal([]byte("x"), row)
	require.NoError(f, err)
	f.Add(sealed)
	f.Add(legacy(f, keyA, "x"))
	f.Add("$enc2$k$")
	f.Add("$enc$AAAA\n")
	f.Fuzz(func(t *testing.T, s string) {
		plaintext, err := r.Open(s, row)
		if err != nil {
			require.Nil(t, plaintext)
			return
		}
		// Whatever opens is canonical: nobody can make a second text of the same value.
		i := strings.LastIndexByte(s, '$')
		body, err := base64.StdEncoding.DecodeString(s[i+1:])
		require.NoError(t, err)
		require.Equal(t, s[i+1:], base64.StdEncoding.EncodeToString(body))
	})
}

func BenchmarkSeal(b *testing.B) {
	r := ring(b, active(keyA))
	secret := make([]byte, 20)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.Seal(secret, row)
	}
}

func BenchmarkOpen(b *testing.B) {
	r := ring(b, active(keyA))
	s, err := r.Seal(make([]byte, 20), row)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.Open(s, row)
	}
}

func Example() {
	ring, err := seal.New(seal.Config{Active: seal.Key{ID: "2026", Bytes: bytes.Repeat([]byte{7}, 32)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	tenant, user := [16]byte{1}, [16]byte{2}
	sealed, _ := ring.Seal([]byte("totp secret"), seal.AAD("mfa/totp", tenant, user))
	fmt.Println(sealed[:11])

	secret, err := ring.Open(sealed, seal.AAD("mfa/totp", tenant, user))
	fmt.Println(string(secret), err)

	_, err = ring.Open(sealed, seal.AAD("mfa/totp", tenant, [16]byte{3}))
	fmt.Println(err)
	// Output:
	// $enc2$2026$
	// totp secret <nil>
	// seal: open: refused
}
