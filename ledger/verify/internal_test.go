package verify

import (
	"encoding/hex"
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

func TestDigitsOfHashesAreThoseOfPackageHex(t *testing.T) {
	random := rand.New(rand.NewSource(2))
	var h [32]byte
	for i := range 256 {
		h[i%32], h[(i+1)%32] = byte(i), byte(255-i)
		random.Read(h[2:9])
		if got := string(appendHex([]byte("x"), &h)); got != "x"+hex.EncodeToString(h[:]) {
			t.Fatalf("%x: %s", h, got)
		}
	}
}

// Every character at every place of the eight bytes that are looked at together, beside every other.
func TestTextWalksFindEveryCharacterWhereverItStands(t *testing.T) {
	parts := []string{"a", " ", "!", "#", "[", "]", "\x7f", "ä", "\u0080", "\u07ff", "\u0800", "„", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff",
		"\x00", "\x1f", "\"", "\\", "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc3\xc3", "\xdf", "\xe0\x9f\xbf", "\xe2\x80", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xff"}
	for _, fill := range []string{"x", "ö"} {
		for lead := range 18 {
			for _, p := range parts {
				for _, q := range parts {
					s := strings.Repeat(fill, lead) + p + q + strings.Repeat(fill, 9)
					for _, cut := range []int{0, 1, 9} {
						checkWalks(t, []byte(s[:len(s)-cut]))
					}
				}
			}
		}
	}
}

func FuzzTextWalks(f *testing.F) {
	for _, s := range []string{"", "abcdefgh", "abcdefg\x00", "Käse, größer", "12345678\xc3", "\xed\xa0\x80", "a\"b\\c\x1f", "\xf0\x9f\x98\x80", "\xc2", "1234567\u20ac1234567\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkWalks(t, b) })
}

// checkWalks holds the walks over eight bytes at a time against package utf8.
func checkWalks(t *testing.T, b []byte) {
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
}
