package verify

import (
	"math/rand"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestMicrosecondsPrintAsPackageTimeDoes(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	check := func(micros int64) {
		want := time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
		if got := string(appendMicros(nil, micros)); got != want {
			t.Fatalf("%d: %s, want %s", micros, got, want)
		}
	}
	for _, m := range []int64{0, 1, 10, 999_999, 1_000_000, 951_782_400_000_000, 951_868_799_999_999, 1_709_164_800_120_000, maxMicros} {
		check(m)
	}
	for day := int64(0); day < 2_932_897; day += 13 {
		check(day * 86_400_000_000)
	}
	for range 200_000 {
		check(random.Int63n(maxMicros + 1))
	}
}

func FuzzTextWalks(f *testing.F) {
	for _, s := range []string{"", "abcdefgh", "abcdefg\x00", "Käse, größer", "12345678\xc3", "\xed\xa0\x80", "a\"b\\c\x1f", "\xf0\x9f\x98\x80", "\xc2", "1234567\u20ac1234567\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if want := utf8.Valid(b) && !strings.Contains(string(b), "\x00"); textOK(b) != want {
			t.Fatalf("textOK(%q) is %v", b, !want)
		}
		end := strings.IndexFunc(string(b), func(r rune) bool { return r == '"' || r == '\\' || r < 0x20 })
		if end < 0 {
			end = len(b)
		}
		want := end
		if !utf8.Valid(b[:end]) {
			want = -1
		}
		if got := plainRun(b); got != want {
			t.Fatalf("plainRun(%q) is %d, want %d", b, got, want)
		}
	})
}
