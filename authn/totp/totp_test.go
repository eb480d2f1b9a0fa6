package totp_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/authn/totp"
)

var (
	sha1Secret   = []byte("12345678901234567890")             // RFC 6238 appendix B
	sha256Secret = []byte("12345678901234567890123456789012") // RFC 6238 appendix B, errata 2866
)

func verifier(t testing.TB, cfg totp.Config) *totp.Verifier {
	t.Helper()
	v, err := totp.New(cfg)
	require.NoError(t, err)
	return v
}

// The RFC's codes have eight digits. Truncation is a remainder, so six-digit codes are their last six digits.
func TestRFC6238AppendixB(t *testing.T) {
	for _, tc := range []struct {
		unix         int64
		sha1, sha256 string
	}{
		{59, "94287082", "46119246"},
		{1111111109, "07081804", "68084774"},
		{1111111111, "14050471", "67062674"},
		{1234567890, "89005924", "91819424"},
		{2000000000, "69279037", "90698825"},
		{20000000000, "65353130", "77737706"},
	} {
		t.Run(fmt.Sprint(tc.unix), func(t *testing.T) {
			at := time.Unix(tc.unix, 0)
			for _, c := range []struct {
				v      *totp.Verifier
				secret []byte
				want   string
			}{
				{verifier(t, totp.Config{}), sha1Secret, tc.sha1[2:]},
				{verifier(t, totp.Config{Algorithm: totp.SHA256}), sha256Secret, tc.sha256[2:]},
			} {
				code, err := c.v.Code(c.secret, at)
				require.NoError(t, err)
				require.Equal(t, c.want, code)
				step, err := c.v.Match(c.secret, c.want, at, totp.Never)
				require.NoError(t, err)
				require.Equal(t, tc.unix/30, step)
			}
		})
	}
}

func TestACodeWorksOneStepEarlyAndLateAndNoFurther(t *testing.T) {
	v := verifier(t, totp.Config{})
	at := time.Unix(1111111111, 0)
	now := at.Unix() / 30
	code, err := v.Code(sha1Secret, at)
	require.NoError(t, err)
	for offset, ok := range map[int64]bool{-3: false, -2: false, -1: true, 0: true, 1: true, 2: false, 3: false} {
		step, err := v.Match(sha1Secret, code, at.Add(time.Duration(offset)*totp.Period), totp.Never)
		if ok {
			require.NoError(t, err, offset)
			require.Equal(t, now, step, "the step of the code, not of the clock")
		} else {
			require.ErrorIs(t, err, totp.ErrMismatch, offset)
		}
	}
	strict := verifier(t, totp.Config{CurrentStepOnly: true})
	for offset, ok := range map[int64]bool{-1: false, 0: true, 1: false} {
		_, err := strict.Match(sha1Secret, code, at.Add(time.Duration(offset)*totp.Period), totp.Never)
		require.Equal(t, ok, err == nil, offset)
	}
}

func TestACodeWorksOnce(t *testing.T) {
	v := verifier(t, totp.Config{})
	at := time.Unix(1700000000, 0)
	code, err := v.Code(sha1Secret, at)
	require.NoError(t, err)
	step, err := v.Match(sha1Secret, code, at, totp.Never)
	require.NoError(t, err)
	for _, later := range []time.Duration{0, time.Second, totp.Period} {
		_, err = v.Match(sha1Secret, code, at.Add(later), step)
		require.ErrorIs(t, err, totp.ErrReused)
		require.ErrorIs(t, err, totp.ErrMismatch, "users get the same answer")
	}
	next, err := v.Code(sha1Secret, at.Add(totp.Period))
	require.NoError(t, err)
	got, err := v.Match(sha1Secret, next, at.Add(totp.Period), step)
	require.NoError(t, err)
	require.Equal(t, step+1, got)
}

func TestAnEarlierStepIsRefusedAfterALaterOne(t *testing.T) {
	v := verifier(t, totp.Config{})
	at := time.Unix(1700000000, 0)
	early, err := v.Code(sha1Secret, at)
	require.NoError(t, err)
	_, err = v.Match(sha1Secret, early, at, at.Unix()/30+1)
	require.ErrorIs(t, err, totp.ErrReused)
}

// Over any sequence of attempts with a compare-and-swap caller, no step is accepted twice and steps only grow.
func TestStepsOnlyGrow(t *testing.T) {
	v := verifier(t, totp.Config{})
	rapid.Check(t, func(t *rapid.T) {
		last := totp.Never
		base := rapid.Int64Range(1000, 1<<33).Draw(t, "base")
		for range rapid.IntRange(1, 20).Draw(t, "attempts") {
			clock := time.Unix(base+rapid.Int64Range(0, 150).Draw(t, "clock"), 0)
			shown := time.Unix(base+rapid.Int64Range(0, 150).Draw(t, "shown"), 0)
			code, err := v.Code(sha1Secret, shown)
			require.NoError(t, err)
			step, err := v.Match(sha1Secret, code, clock, last)
			if err != nil {
				continue
			}
			require.Greater(t, step, last)
			require.InDelta(t, clock.Unix()/30, step, 1)
			last = step
		}
	})
}

func TestOnlySixASCIIDigitsAreACode(t *testing.T) {
	v := verifier(t, totp.Config{})
	at := time.Unix(59, 0) // code 287082
	_, err := v.Match(sha1Secret, "287082", at, totp.Never)
	require.NoError(t, err)
	for _, code := range []string{
		"", "287 082", " 287082", "287082 ", "287082\n", "+87082", "-87082", "2870820", "28708", "94287082", "0287082",
		"２８７０８２", "٢٨٧٠٨٢", "28708x", "\x00\x00\x00\x00\x00\x00", "0x4619", strings.Repeat("2", 1<<16),
	} {
		_, err := v.Match(sha1Secret, code, at, totp.Never)
		require.ErrorIs(t, err, totp.ErrMismatch, "%q", code)
	}
}

func TestAnotherSecretOrAlgorithmDoesNotMatch(t *testing.T) {
	v := verifier(t, totp.Config{})
	at := time.Unix(1700000000, 0)
	code, err := v.Code(sha1Secret, at)
	require.NoError(t, err)
	_, err = v.Match([]byte("12345678901234567891"), code, at, totp.Never)
	require.ErrorIs(t, err, totp.ErrMismatch)
	_, err = verifier(t, totp.Config{Algorithm: totp.SHA256}).Match(sha1Secret, code, at, totp.Never)
	require.ErrorIs(t, err, totp.ErrMismatch)
}

func TestSecretsHaveTheLengthOfTheirHash(t *testing.T) {
	for alg, want := range map[totp.Algorithm]int{totp.SHA1: 20, totp.SHA256: 32} {
		a, err := verifier(t, totp.Config{Algorithm: alg}).NewSecret()
		require.NoError(t, err)
		b, err := verifier(t, totp.Config{Algorithm: alg}).NewSecret()
		require.NoError(t, err)
		require.Len(t, a, want)
		require.NotEqual(t, a, b)
	}
}

func TestUnusableArgumentsAreRefused(t *testing.T) {
	v := verifier(t, totp.Config{})
	for _, n := range []int{0, 1, totp.MinSecret - 1, totp.MaxSecret + 1} {
		_, err := v.Match(make([]byte, n), "000000", time.Unix(59, 0), totp.Never)
		require.ErrorIs(t, err, totp.ErrSecret)
		_, err = v.Code(make([]byte, n), time.Unix(59, 0))
		require.ErrorIs(t, err, totp.ErrSecret)
		_, err = v.URI("i", "a", make([]byte, n))
		require.ErrorIs(t, err, totp.ErrSecret)
	}
	for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Unix(1<<60, 0)} {
		_, err := v.Match(sha1Secret, "000000", at, totp.Never)
		require.ErrorIs(t, err, totp.ErrTime)
	}
	_, err := totp.New(totp.Config{Algorithm: 7})
	require.Error(t, err)
	_, err = v.Match(sha1Secret, "755224", time.Unix(0, 0), totp.Never) // step 0; RFC 4226 appendix D, counter 0
	require.NoError(t, err)
}

func TestTheURIIsReadByOtherLibraries(t *testing.T) {
	v := verifier(t, totp.Config{Algorithm: totp.SHA256})
	uri, err := v.URI("Klinikum Süd & Co", "anna+test@example.org", sha256Secret)
	require.NoError(t, err)
	require.NotContains(t, uri, "+", "apps disagree about plus signs")
	key, err := otp.NewKeyFromURL(uri)
	require.NoError(t, err)
	require.Equal(t, "Klinikum Süd & Co", key.Issuer())
	require.Equal(t, "anna+test@example.org", key.AccountName())
	require.Equal(t, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA", key.Secret())
	require.Equal(t, otp.AlgorithmSHA256, key.Algorithm())
	require.Equal(t, otp.DigitsSix, key.Digits())
	require.Equal(t, uint64(30), key.Period())
}

func TestAHostileAccountCannotAddParameters(t *testing.T) {
	v := verifier(t, totp.Config{})
	uri, err := v.URI("tomkit", "x?secret=AAAA&issuer=evil#/../%2f", sha1Secret)
	require.NoError(t, err)
	u, err := url.Parse(uri)
	require.NoError(t, err)
	require.Equal(t, []string{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}, u.Query()["secret"])
	require.Equal(t, []string{"tomkit"}, u.Query()["issuer"])
	require.Equal(t, "/tomkit:x?secret=AAAA&issuer=evil#/../%2f", u.Path)
	require.Empty(t, u.Fragment)
	for _, bad := range []string{"", "a:b", "a\nb", "a\x00", "\xff", "a\u202eb", strings.Repeat("x", 129)} {
		_, err := v.URI("tomkit", bad, sha1Secret)
		require.ErrorIs(t, err, totp.ErrLabel, "%q", bad)
		_, err = v.URI(bad, "account", sha1Secret)
		require.ErrorIs(t, err, totp.ErrLabel, "%q", bad)
	}
}

func FuzzMatch(f *testing.F) {
	v := verifier(f, totp.Config{})
	f.Add("287082", int64(59), int64(-1))
	f.Add("28708２", int64(59), int64(0))
	f.Fuzz(func(t *testing.T, code string, unix, after int64) {
		step, err := v.Match(sha1Secret, code, time.Unix(unix, 0), after)
		if err == nil {
			require.Greater(t, step, after)
			want, err := v.Code(sha1Secret, time.Unix(step*30, 0))
			require.NoError(t, err)
			require.Equal(t, want, code)
		}
	})
}

func FuzzURI(f *testing.F) {
	v := verifier(f, totp.Config{})
	f.Add("tomkit", "anna@example.org")
	f.Fuzz(func(t *testing.T, issuer, account string) {
		uri, err := v.URI(issuer, account, sha1Secret)
		if err != nil {
			return
		}
		u, err := url.Parse(uri)
		require.NoError(t, err)
		require.Equal(t, "/"+issuer+":"+account, u.Path)
		require.Equal(t, issuer, u.Query().Get("issuer"))
	})
}

func BenchmarkMatch(b *testing.B) {
	v := verifier(b, totp.Config{})
	at := time.Unix(1700000000, 0)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = v.Match(sha1Secret, "000000", at, totp.Never)
	}
}

func Example() {
	v, err := totp.New(totp.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	secret := []byte("12345678901234567890") // v.NewSecret in real life
	uri, _ := v.URI("tomkit", "anna@example.org", secret)
	fmt.Println(uri)

	now := time.Unix(59, 0)
	code, _ := v.Code(secret, now)
	step, err := v.Match(secret, code, now, totp.Never)
	fmt.Println(code, step, err)

	_, err = v.Match(secret, code, now, step)
	fmt.Println(err)
	// Output:
	// otpauth://totp/tomkit:anna%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=tomkit&algorithm=SHA1&digits=6&period=30
	// 287082 1 <nil>
	// totp: match: wrong code: step already used
}
