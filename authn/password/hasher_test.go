package password_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/pioneerdesk/tomkit/authn/password"
)

func hasher(t testing.TB, cfg password.Config) *password.Hasher {
	t.Helper()
	h, err := password.New(cfg)
	require.NoError(t, err)
	return h
}

func unhex(t testing.TB, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return string(b)
}

func pepper(id string) *password.Pepper {
	return &password.Pepper{ID: id, Key: []byte(strings.Repeat(id[:1], 32))}
}

var profiles = map[string]password.Profile{"TOM6": password.TOM6, "RFC9106": password.RFC9106, "OWASP": password.OWASP}

func TestEveryProfileVerifiesItsOwnHashes(t *testing.T) {
	costs := map[string]string{"TOM6": "$m=65536,t=1,p=4$", "RFC9106": "$m=65536,t=3,p=4$", "OWASP": "$m=19456,t=2,p=1$"}
	for name, p := range profiles {
		t.Run(name, func(t *testing.T) {
			h := hasher(t, password.Config{Profile: p})
			a, err := h.Hash(t.Context(), "Grüße, Welt")
			require.NoError(t, err)
			require.Contains(t, a, costs[name])
			b, err := h.Hash(t.Context(), "Grüße, Welt")
			require.NoError(t, err)
			require.NotEqual(t, a, b, "salts differ")
			res, err := h.Verify(t.Context(), a, "Grüße, Welt")
			require.NoError(t, err)
			require.False(t, res.NeedsRehash)
			for _, wrong := range []string{"Grüße, Wel", "Grüße, Welt ", "grüße, Welt", "x"} {
				_, err = h.Verify(t.Context(), a, wrong)
				require.ErrorIs(t, err, password.ErrMismatch)
			}
		})
	}
}

func TestARehashIsAskedForOnlyUpwards(t *testing.T) {
	stored := map[string]string{}
	for name, p := range profiles {
		var err error
		stored[name], err = hasher(t, password.Config{Profile: p}).Hash(t.Context(), "pw")
		require.NoError(t, err)
	}
	for _, tc := range []struct {
		have, active string
		want         bool
	}{
		{"TOM6", "TOM6", false}, {"TOM6", "RFC9106", true}, {"RFC9106", "TOM6", false},
		{"OWASP", "TOM6", true}, {"OWASP", "RFC9106", true}, {"RFC9106", "OWASP", false}, {"TOM6", "OWASP", true},
	} {
		h := hasher(t, password.Config{Profile: profiles[tc.active], MemoryKiB: 64 << 10})
		res, err := h.Verify(t.Context(), stored[tc.have], "pw")
		require.NoError(t, err)
		require.Equal(t, tc.want, res.NeedsRehash, "%s under %s", tc.have, tc.active)
	}
}

func TestPasswordsOutsideTheLengthLimitsAreRefused(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP})
	stored, err := h.Hash(t.Context(), strings.Repeat("x", password.MaxPassword))
	require.NoError(t, err)
	_, err = h.Verify(t.Context(), stored, strings.Repeat("x", password.MaxPassword))
	require.NoError(t, err)
	for _, bad := range []string{"", strings.Repeat("x", password.MaxPassword+1)} {
		_, err := h.Hash(t.Context(), bad)
		require.ErrorIs(t, err, password.ErrLength)
		_, err = h.Verify(t.Context(), stored, bad)
		require.ErrorIs(t, err, password.ErrLength)
		require.ErrorIs(t, err, password.ErrMismatch)
		require.Equal(t, err, h.VerifyDummy(t.Context(), bad), "the same for nobody")
	}
}

func TestBytesAfterANULCount(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP})
	stored, err := h.Hash(t.Context(), "pw\x00one")
	require.NoError(t, err)
	_, err = h.Verify(t.Context(), stored, "pw\x00two")
	require.ErrorIs(t, err, password.ErrMismatch)
}

func TestVerifyDummyNeverSucceeds(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP, Pepper: pepper("p1")})
	for _, pw := range []string{"x", "password", strings.Repeat("x", 1024)} {
		require.ErrorIs(t, h.VerifyDummy(t.Context(), pw), password.ErrMismatch)
	}
}

func TestBcryptIsVerifiedAndReportedForRehash(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP})
	made, err := bcrypt.GenerateFromPassword([]byte("pw"), bcrypt.MinCost)
	require.NoError(t, err)
	for _, prefix := range []string{"$2a$", "$2b$", "$2y$"} {
		stored := prefix + string(made[4:])
		res, err := h.Verify(t.Context(), stored, "pw")
		require.NoError(t, err, prefix)
		require.True(t, res.NeedsRehash)
		_, err = h.Verify(t.Context(), stored, "pW")
		require.ErrorIs(t, err, password.ErrMismatch)
	}
}

func TestBcryptStillTakesPasswordsOver72Bytes(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP})
	long := strings.Repeat("0123456789", 8)
	made, err := bcrypt.GenerateFromPassword([]byte(long[:72]), bcrypt.MinCost)
	require.NoError(t, err)
	res, err := h.Verify(t.Context(), string(made), long)
	require.NoError(t, err)
	require.True(t, res.NeedsRehash)
}

// reversed is a foreign format: the password backwards, in clear. It stands for whatever a product used to have.
type reversed struct {
	prefix string
	err    error
	hold   chan struct{}
	inside chan struct{}
}

func (r reversed) Prefix() string { return r.prefix }

func (r reversed) Verify(stored, given string) (bool, error) {
	if r.hold != nil {
		r.inside <- struct{}{}
		<-r.hold
	}
	b := []byte(given)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return stored == r.prefix+string(b), r.err
}

func TestAForeignFormatIsVerifiedByItsPrefix(t *testing.T) {
	h := hasher(t, password.Config{Profile: password.OWASP, Legacy: []password.Legacy{reversed{prefix: "$rev$"}}})
	res, err := h.Verify(t.Context(), "$rev$cba", "abc")
	require.NoError(t, err)
	require.True(t, res.NeedsRehash)
	_, err = h.Verify(t.Context(), "$rev$cba", "cba")
	require.ErrorIs(t, err, password.ErrMismatch)
}

func TestAForeignVerifiersErrorDecidesNothing(t *testing.T) {
	broken := errors.New("table missing")
	h := hasher(t, password.Config{Profile: password.OWASP, Legacy: []password.Legacy{reversed{prefix: "$rev$", err: broken}}})
	_, err := h.Verify(t.Context(), "$rev$cba", "abc")
	require.ErrorIs(t, err, password.ErrFormat)
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, password.ErrMismatch)
}

func TestPeppersAreAppliedNamedAndRotated(t *testing.T) {
	plain := hasher(t, password.Config{Profile: password.OWASP})
	one := hasher(t, password.Config{Profile: password.OWASP, Pepper: pepper("a1")})
	two := hasher(t, password.Config{Profile: password.OWASP, Pepper: pepper("b2"), OldPeppers: []password.Pepper{*pepper("a1")}})
	stored, err := one.Hash(t.Context(), "pw")
	require.NoError(t, err)
	require.Contains(t, stored, "$m=19456,t=2,p=1,keyid=YTE$")

	res, err := one.Verify(t.Context(), stored, "pw")
	require.NoError(t, err)
	require.False(t, res.NeedsRehash)
	_, err = one.Verify(t.Context(), stored, "pW")
	require.ErrorIs(t, err, password.ErrMismatch)

	res, err = two.Verify(t.Context(), stored, "pw")
	require.NoError(t, err)
	require.True(t, res.NeedsRehash, "made with an old pepper")

	_, err = plain.Verify(t.Context(), stored, "pw")
	require.ErrorIs(t, err, password.ErrPepper)
	_, err = plain.Verify(t.Context(), strings.Replace(stored, ",keyid=YTE", "", 1), "pw")
	require.ErrorIs(t, err, password.ErrMismatch, "a stripped key id does not strip the pepper")

	wrong := hasher(t, password.Config{Profile: password.OWASP, Pepper: &password.Pepper{ID: "a1", Key: []byte(strings.Repeat("z", 32))}})
	_, err = wrong.Verify(t.Context(), stored, "pw")
	require.ErrorIs(t, err, password.ErrMismatch)

	unpeppered, err := plain.Hash(t.Context(), "pw")
	require.NoError(t, err)
	res, err = one.Verify(t.Context(), unpeppered, "pw")
	require.NoError(t, err)
	require.True(t, res.NeedsRehash, "made before there was a pepper")
}

func TestConfigurationsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, cfg := range map[string]password.Config{
		"an unknown profile":        {Profile: 9},
		"a negative profile":        {Profile: -1},
		"a negative budget":         {MemoryKiB: -1},
		"a budget below one hash":   {MemoryKiB: 64<<10 - 1},
		"a negative queue":          {MaxQueue: -1},
		"a negative wait":           {MaxWait: -1},
		"a negative delay":          {RetryAfter: -1},
		"a pepper without id":       {Pepper: &password.Pepper{Key: make([]byte, 32)}},
		"a pepper with a long id":   {Pepper: &password.Pepper{ID: "123456789", Key: make([]byte, 32)}},
		"a pepper with a comma":     {Pepper: &password.Pepper{ID: "a,b", Key: make([]byte, 32)}},
		"a short pepper":            {Pepper: &password.Pepper{ID: "a", Key: make([]byte, 31)}},
		"the same pepper id twice":  {Pepper: pepper("a"), OldPeppers: []password.Pepper{*pepper("a")}},
		"a verifier without prefix": {Legacy: []password.Legacy{reversed{}}},
		"no verifier":               {Legacy: []password.Legacy{nil}},
		"a prefix of Argon2id":      {Legacy: []password.Legacy{reversed{prefix: "$argon2"}}},
		"a prefix under Argon2id":   {Legacy: []password.Legacy{reversed{prefix: "$argon2id$v=16"}}},
		"a prefix of bcrypt":        {Legacy: []password.Legacy{reversed{prefix: "$2"}}},
		"two overlapping prefixes":  {Legacy: []password.Legacy{reversed{prefix: "$r"}, reversed{prefix: "$rev"}}},
	} {
		_, err := password.New(cfg)
		require.Error(t, err, name)
	}
}

func TestAPepperIsCopied(t *testing.T) {
	p := pepper("a1")
	h := hasher(t, password.Config{Profile: password.OWASP, Pepper: p})
	stored, err := h.Hash(t.Context(), "pw")
	require.NoError(t, err)
	clear(p.Key)
	_, err = h.Verify(t.Context(), stored, "pw")
	require.NoError(t, err)
}

func BenchmarkHash(b *testing.B) {
	for name, p := range profiles {
		b.Run(name, func(b *testing.B) {
			h := hasher(b, password.Config{Profile: p})
			b.ReportAllocs()
			for b.Loop() {
				_, _ = h.Hash(context.Background(), "correct horse battery staple")
			}
		})
	}
}

func Example() {
	ctx := context.Background()
	h, err := password.New(password.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, _ := h.Hash(ctx, "correct horse battery staple")
	fmt.Println(stored[:29])

	res, err := h.Verify(ctx, stored, "correct horse battery staple")
	fmt.Println(res.NeedsRehash, err)

	_, err = h.Verify(ctx, stored, "incorrect horse")
	fmt.Println(err)
	// Output:
	// $argon2id$v=19$m=65536,t=1,p=
	// false <nil>
	// password: verify: mismatch
}
