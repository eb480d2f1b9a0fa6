package oracle_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// value draws what details may hold, at most depth levels deep.
func value(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Custom(func(t *rapid.T) any { return text().Draw(t, "string") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Bool().Draw(t, "bool") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Int64Range(-(1<<53-1), 1<<53-1).Draw(t, "int") }),
	}
	if depth > 0 {
		kinds = append(kinds,
			rapid.Custom(func(t *rapid.T) any { return rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "array") }),
			rapid.Custom(func(t *rapid.T) any { return rapid.MapOfN(text(), value(depth-1), 0, 4).Draw(t, "object") }))
	}
	return rapid.OneOf(kinds...)
}

// text draws strings with everything that a canonical form treats in its own way.
func text() *rapid.Generator[string] {
	special := rapid.SampledFrom([]rune{'"', '\\', '/', '\b', '\f', '\n', '\r', '\t', 0x01, 0x1f, 0x7f, 0x80,
		'<', '>', '&', 0x2028, 0x2029, 0xfeff, 0xfffd, 'é', '€', 0xe000, 0xffff, 0x10000, 0x1f600, 0x10ffff})
	return rapid.StringOfN(rapid.OneOf(special, rapid.RuneFrom([]rune("abcXYZ019 ")), rapid.Rune()), 0, 12, -1).
		Filter(func(s string) bool {
			for _, r := range s {
				if r == 0 {
					return false // refused in details
				}
			}
			return utf8.ValidString(s)
		})
}

func TestCanonicalDetailsIsRFC8785(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		details := rapid.MapOfN(text(), value(3), 0, 6).Draw(t, "details")
		got, err := verify.CanonicalDetails(details)
		if err != nil {
			t.Fatalf("canonical form of %v: %v", details, err)
		}
		plain, err := json.Marshal(details)
		if err != nil {
			t.Fatal(err)
		}
		want, err := jcs.Transform(plain)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Fatalf("canonical form:\n got %q\nwant %q", got, want)
		}
		if err := verify.CheckDetails(got); err != nil {
			t.Fatalf("the strict reader refuses its own form %q: %v", got, err)
		}
	})
}

// FuzzCanonicalDetails feeds JSON of any kind: what the strict reader accepts must be
// exactly what the other implementation makes of it.
func FuzzCanonicalDetails(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, `{"b":[true,false,"\u20ac\n"],"a":{"c":-9007199254740991}}`,
		`{"a":1,"a":2}`, `{"a":1.0}`, `{"a":1e2}`, `{"a":null}`, `{"a":-0}`, `{"\ud83d\ude00":"\ufb33"}`, `[1]`, `{"a":"\u0000"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if verify.CheckDetails(in) != nil {
			return
		}
		want, err := jcs.Transform(in)
		if err != nil {
			t.Fatalf("accepted %q, the other refuses it: %v", in, err)
		}
		require.Equal(t, string(want), string(in), "accepted although not canonical")
	})
}

func TestIntegersAtTheLimits(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 1<<53 - 1, -(1<<53 - 1), 1e15, 999999999999999, 1e6} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			got, err := verify.CanonicalDetails(map[string]any{"n": n})
			require.NoError(t, err)
			want, err := jcs.Transform(fmt.Appendf(nil, `{"n":%d}`, n))
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}
