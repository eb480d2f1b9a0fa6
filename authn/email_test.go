package authn_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
)

func TestNormalizeEmail(t *testing.T) {
	long := strings.Repeat("a", 64)
	domain := strings.Repeat(strings.Repeat("b", 61)+".", 3) + "cc"
	accepted := map[string]string{
		"ada@klinikum.example":            "ada@klinikum.example",
		"  Ada.Lovelace@KLINIKUM.Example": "ada.lovelace@klinikum.example",
		"o'hara+ward=3@x-y.de":            "o'hara+ward=3@x-y.de",
		"a@localhost":                     "a@localhost",
		"1@1":                             "1@1",
		long + "@" + domain:               long + "@" + domain,
	}
	for in, want := range accepted {
		got, err := authn.NormalizeEmail(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got)
	}
	refused := []string{
		"", "@", "ada", "ada@", "@x.de", "a@@x.de", "a@b@c", "a b@x.de", "a@x..de", ".a@x.de", "a.@x.de", "a@.de", "a@x.de.",
		"a@-x.de", "a@x-.de", "a@x_y.de", `"a b"@x.de`, "a@[127.0.0.1]", "a@x.de\x00", "a@x.de\r\nBcc: b@y.de", "a\u200b@x.de",
		"\u212aim@x.de", "ädä@x.de", "ada@klinikum\u3002example", "a@" + strings.Repeat("b", 64) + ".de",
		strings.Repeat("a", 65) + "@x.de", long + "@" + domain + "." + strings.Repeat("d", 60), "a\xff@x.de",
	}
	for _, in := range refused {
		_, err := authn.NormalizeEmail(in)
		require.ErrorIs(t, err, authn.ErrEmail, "%q", in)
		require.NotContains(t, err.Error(), "klinikum")
	}
}

func FuzzNormalizeEmail(f *testing.F) {
	for _, s := range []string{"ada@klinikum.example", "A@B", "\u212a@x", "a@b.c.d", " a@b\n", "@", "a..b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := authn.NormalizeEmail(s)
		if err != nil {
			return
		}
		again, err := authn.NormalizeEmail(n)
		if err != nil || again != n {
			t.Fatalf("%q becomes %q becomes %q, %v", s, n, again, err)
		}
		if !strings.EqualFold(strings.Trim(s, " \t\r\n"), n) || len(n) > 254 || strings.Count(n, "@") != 1 {
			t.Fatalf("%q becomes %q", s, n)
		}
		for i := range len(n) {
			if n[i] <= ' ' || n[i] >= 0x7f || n[i] >= 'A' && n[i] <= 'Z' {
				t.Fatalf("%q becomes %q", s, n)
			}
		}
	})
}

func FuzzStepToken(f *testing.F) {
	f.Add("tk1_step_AAAAAAAAAAAAAAAAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "123456")
	f.Add("tk1_step_", "")
	f.Add("", "\x00")
	flow, binding := newFlow(f), authn.BindTo("nonce")
	f.Fuzz(func(t *testing.T, token, code string) {
		_, err := flow.TOTP(t.Context(), authn.CodeRequest{StepToken: token, Code: code, Binding: binding})
		if err != authn.ErrStepToken { // no detail may come with it
			t.Fatalf("%q: %v", token, err)
		}
	})
}
