package token_test

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
)

func benchTokens(b *testing.B) map[string]string {
	return map[string]string{"1 policy": issued(b, claims(1)), "40 policies": issued(b, claims(40))}
}

func BenchmarkVerify(b *testing.B) {
	pub := private.Public().(ed25519.PublicKey)
	v := newVerifier(b, base, newKey(b, seed).Public())
	warm := cached(b, 1000, &clock{now: base}, newKey(b, seed).Public())
	for name, s := range benchTokens(b) {
		dot := strings.LastIndexByte(s, '.')
		message := []byte(s[:dot])
		signature, _ := b64.DecodeString(s[dot+1:])
		b.Run(fmt.Sprintf("%s (%d bytes)/bare", name, len(s)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !ed25519.Verify(pub, message, signature) {
					b.Fatal()
				}
			}
		})
		b.Run(name+"/cold", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(s); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/warm", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := warm.Verify(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	wrong := signed(`{"alg":"RS256","kid":"x","typ":"JWT"}`, payload(payloadParts...))
	b.Run("wrong algorithm", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = v.Verify(wrong)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	i := newIssuer(b, newKey(b, seed), base)
	c := claims(10)
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = i.Issue(c)
	}
}
