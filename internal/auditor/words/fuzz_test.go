package words

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzClean(f *testing.F) {
	f.Add("\x1b[2J\u202e\xff{}\\")
	f.Add("Benutzer {c:00} ä\u2028")
	f.Fuzz(func(t *testing.T, text string) {
		clean := Clean(text)
		if !utf8.ValidString(clean) {
			t.Fatal("no UTF-8")
		}
		for _, r := range clean {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
				t.Fatalf("%U", r)
			}
		}
		if Clean(clean) != clean {
			t.Fatal("not at rest")
		}
	})
}
