package password_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/pioneerdesk/tomkit/authn/password"
)

// phc builds a PHC string of cheap cost for tests that need many.
func phc(costs, salt, tag string) string {
	enc := base64.RawStdEncoding
	return "$argon2id$v=19$" + costs + "$" + enc.EncodeToString([]byte(salt)) + "$" + enc.EncodeToString([]byte(tag))
}

func cheap(pw, salt string) string {
	return phc("m=64,t=1,p=1", salt, string(argon2.IDKey([]byte(pw), []byte(salt), 1, 64, 1, 32)))
}

// The vectors are made by the reference implementation's command line (echo -n password | argon2 somesalt -id …); x/crypto
// tests the same ones.
func TestKnownAnswersOfTheReferenceImplementation(t *testing.T) {
	h := hasher(t, password.Config{})
	for _, stored := range []string{
		phc("m=64,t=1,p=1", "somesalt", unhex(t, "655ad15eac652dc59f7170a7332bf49b8469be1fdb9c28bb")),
		phc("m=64,t=2,p=1", "somesalt", unhex(t, "068d62b26455936aa6ebe60060b0a65870dbfa3ddf8d41f7")),
		phc("m=64,t=2,p=2", "somesalt", unhex(t, "350ac37222f436ccb5c0972f1ebd3bf6b958bf2071841362")),
		phc("m=256,t=3,p=2", "somesalt", unhex(t, "4668d30ac4187e6878eedeacf0fd83c5a0a30db2cc16ef0b")),
		phc("m=4096,t=4,p=4", "somesalt", unhex(t, "145db9733a9f4ee43edf33c509be96b934d505a4efb33c5a")),
		phc("m=1024,t=4,p=8", "somesalt", unhex(t, "8dafa8e004f8ea96bf7c0f93eecf67a6047476143d15577f")),
	} {
		res, err := h.Verify(t.Context(), stored, "password")
		require.NoError(t, err, stored)
		require.True(t, res.NeedsRehash)
		_, err = h.Verify(t.Context(), stored, "Password")
		require.ErrorIs(t, err, password.ErrMismatch)
	}
}

func TestTheStoredFormIsTheDocumentsOne(t *testing.T) {
	stored, err := hasher(t, password.Config{}).Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	require.Regexp(t, `^\$argon2id\$v=19\$m=65536,t=1,p=4\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, stored)
	parts := strings.Split(stored, "$")
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	require.NoError(t, err)
	tag, err := base64.RawStdEncoding.DecodeString(parts[5])
	require.NoError(t, err)
	require.Equal(t, tag, argon2.IDKey([]byte("correct horse"), salt, 1, 65536, 4, 32), "anybody's Argon2id agrees")
}

func TestOnlyTheStrictFormWithinBoundsIsUsed(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP})
	good := cheap("pw", "somesalt")
	_, err := h.Verify(t.Context(), good, "pw")
	require.NoError(t, err)
	salt, tag := "somesalt", strings.Repeat("x", 32)
	for name, stored := range map[string]string{
		"empty":                     "",
		"plaintext":                 "pw",
		"argon2i":                   strings.Replace(good, "argon2id", "argon2i", 1),
		"argon2d":                   strings.Replace(good, "argon2id", "argon2d", 1),
		"version 16":                strings.Replace(good, "v=19", "v=16", 1),
		"no version":                strings.Replace(good, "v=19$", "", 1),
		"no passes":                 phc("m=64,t=0,p=1", salt, tag),
		"no lanes":                  phc("m=64,t=1,p=0", salt, tag),
		"no memory":                 phc("m=0,t=1,p=1", salt, tag),
		"less memory than lanes":    phc("m=15,t=1,p=2", salt, tag),
		"too many passes":           phc("m=64,t=17,p=1", salt, tag),
		"too many lanes":            phc("m=1024,t=1,p=33", salt, tag),
		"lanes that wrap to one":    phc("m=8192,t=1,p=257", salt, tag),
		"memory over a gibibyte":    phc("m=1048577,t=1,p=1", salt, tag),
		"memory that wraps":         phc("m=4294967360,t=1,p=1", salt, tag),
		"an absurd number":          phc("m=99999999999999999999,t=1,p=1", salt, tag),
		"negative":                  phc("m=-64,t=1,p=1", salt, tag),
		"signed":                    phc("m=+64,t=1,p=1", salt, tag),
		"leading zero":              phc("m=064,t=1,p=1", salt, tag),
		"hexadecimal":               phc("m=0x40,t=1,p=1", salt, tag),
		"another order":             phc("t=1,m=64,p=1", salt, tag),
		"a repeated parameter":      phc("m=64,t=1,p=1,p=1", salt, tag),
		"a missing parameter":       phc("m=64,t=1", salt, tag),
		"an unknown parameter":      phc("m=64,t=1,p=1,data=AAAA", salt, tag),
		"an empty key id":           phc("m=64,t=1,p=1,keyid=", salt, tag),
		"a long key id":             phc("m=64,t=1,p=1,keyid=QUFBQUFBQUFB", salt, tag),
		"a key id out of alphabet":  phc("m=64,t=1,p=1,keyid=JCQ", salt, tag),
		"a short salt":              phc("m=64,t=1,p=1", "1234567", tag),
		"a long salt":               phc("m=64,t=1,p=1", strings.Repeat("s", 65), tag),
		"a short tag":               phc("m=64,t=1,p=1", salt, "fifteen bytes!!"),
		"a long tag":                phc("m=64,t=1,p=1", salt, strings.Repeat("x", 65)),
		"no tag":                    good[:strings.LastIndex(good, "$")],
		"an empty tag":              phc("m=64,t=1,p=1", salt, ""),
		"a sixth part":              good + "$x",
		"padding":                   good + "=",
		"a trailing line break":     good + "\n",
		"a line break for a digit":  good[:len(good)-1] + "\n",
		"an inner line break":       good[:len(good)-5] + "\n" + good[len(good)-4:],
		"trailing bits":             trailingBits(good),
		"URL alphabet":              phc("m=64,t=1,p=1", salt, "")[:0] + "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$" + strings.Repeat("-_", 21) + "A",
		"a leading space":           " " + good,
		"longer than any hash":      good + strings.Repeat("A", 500),
		"an unknown legacy format":  "$5$rounds=5000$saltstring$x",
		"bcrypt cut short":          "$2b$10$abcdefghijklmnopqrstuu",
		"bcrypt of absurd cost":     "$2b$31$" + strings.Repeat("a", 53),
		"bcrypt of impossible cost": "$2b$99$" + strings.Repeat("a", 53),
		"bcrypt of the buggy kind":  "$2x$10$" + strings.Repeat("a", 53),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.Verify(t.Context(), stored, "pw")
			require.ErrorIs(t, err, password.ErrFormat)
			require.NotErrorIs(t, err, password.ErrMismatch)
			require.Equal(t, "password: verify: unusable stored hash", err.Error(), "nothing of the stored string shows")
		})
	}
}

// trailingBits changes bits of the last digit that no byte uses: a second text of the same hash.
func trailingBits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return s[:len(s)-1] + string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])^1])
}

func TestAStoredHashBeyondTheBudgetIsRefusedBeforeItRuns(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP, MemoryKiB: 20 << 10})
	_, err := h.Verify(t.Context(), phc("m=1048576,t=16,p=4", "somesalt", strings.Repeat("x", 32)), "pw")
	require.ErrorIs(t, err, password.ErrCost)
}

func FuzzVerify(f *testing.F) {
	h := hasher(f, password.Config{Profile: password.OWASP, MemoryKiB: 19 << 10})
	f.Add(cheap("pw", "somesalt"))
	f.Add(phc("m=64,t=1,p=1,keyid=cDE", "somesalt", strings.Repeat("x", 32)))
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$\n")
	f.Add("$2b$10$" + strings.Repeat("a", 53))
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // parse everything, compute nothing
	f.Fuzz(func(t *testing.T, stored string) {
		_, err := h.Verify(ctx, stored, "pw")
		require.ErrorIs(t, err, context.Canceled)
	})
}
