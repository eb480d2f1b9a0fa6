package token_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/token"
)

const (
	issuerName = "https://tomkit.example"
	audience   = "tomkit"
)

var (
	seed    = bytes.Repeat([]byte{0x42}, 32)
	private = ed25519.NewKeyFromSeed(seed)
	base    = time.Unix(1_800_000_000, 0).UTC()
	b64     = base64.RawURLEncoding

	user    = uuid.MustParse("11111111-1111-4111-8111-111111111111")
	tenant  = uuid.MustParse("22222222-2222-4222-8222-222222222222")
	session = uuid.MustParse("33333333-3333-4333-8333-333333333333")
	jti     = uuid.MustParse("44444444-4444-4444-8444-444444444444")
)

func newKey(t testing.TB, seed []byte) *token.Key {
	t.Helper()
	k, err := token.NewKey(seed)
	require.NoError(t, err)
	return k
}

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func newIssuer(t testing.TB, k *token.Key, now time.Time) *token.Issuer {
	t.Helper()
	i, err := token.NewIssuer(k, token.IssuerConfig{Issuer: issuerName, Audience: audience, Now: at(now)})
	require.NoError(t, err)
	return i
}

func newVerifier(t testing.TB, now time.Time, keys ...token.PublicKey) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(keys, token.VerifierConfig{Issuer: issuerName, Audience: audience, Now: at(now)})
	require.NoError(t, err)
	return v
}

// claims with n policies: 1 makes a token of about 660 bytes, 40 one of about 1,600.
func claims(n int) token.Claims {
	c := token.Claims{
		Subject: user, Tenant: tenant, Session: session, ID: jti, Role: "Technician", PolicyVersion: 7,
		Methods: []string{"pwd", "otp"}, AuthTime: base.Add(-time.Minute),
	}
	for i := range n {
		c.Policies = append(c.Policies, fmt.Sprintf("resource%02d:read", i))
	}
	return c
}

func issued(t testing.TB, c token.Claims) string {
	t.Helper()
	s, _, err := newIssuer(t, newKey(t, seed), base).Issue(c)
	require.NoError(t, err)
	return s
}

// header returns the one header the key's tokens have.
func header(k *token.Key) string {
	return `{"alg":"EdDSA","kid":"` + k.ID() + `","typ":"at+jwt"}`
}

// signed puts a token together from any header and payload, with a right signature.
func signed(header, payload string) string {
	head := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	return head + "." + b64.EncodeToString(ed25519.Sign(private, []byte(head)))
}

// payload is a valid one, claim by claim, for tests that change one of them.
var payloadParts = []string{
	`"iss":"https://tomkit.example"`, `"aud":"tomkit"`, `"sub":"11111111-1111-4111-8111-111111111111"`,
	`"tid":"22222222-2222-4222-8222-222222222222"`, `"role":"Technician"`, `"pol":["devices:read","!audit:write"]`, `"pv":7`,
	`"amr":["pwd","otp"]`, `"auth_time":1799999940`, `"sid":"33333333-3333-4333-8333-333333333333"`,
	`"jti":"44444444-4444-4444-8444-444444444444"`, `"iat":1800000000`, `"nbf":1800000000`, `"exp":1800000900`,
}
