package token_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/authn/token"
)

func TestIssuedClaimsAreReadBack(t *testing.T) {
	k := newKey(t, seed)
	s, want, err := newIssuer(t, k, base.Add(300*time.Millisecond)).Issue(claims(3))
	require.NoError(t, err)
	got, err := newVerifier(t, base.Add(time.Second), k.Public()).Verify(s)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, base.Add(15*time.Minute), got.Expires)
	require.Equal(t, base, got.IssuedAt)
}

func TestAnyExpressibleClaimsAreReadBack(t *testing.T) {
	k := newKey(t, seed)
	v := newVerifier(t, base, k.Public())
	i := newIssuer(t, k, base)
	word := rapid.StringMatching(`[ !#-\[\]-~]{1,20}`)
	id := rapid.Custom(func(t *rapid.T) uuid.UUID {
		return uuid.UUID(rapid.SliceOfN(rapid.ByteRange(1, 255), 16, 16).Draw(t, "id"))
	})
	rapid.Check(t, func(t *rapid.T) {
		s, want, err := i.Issue(token.Claims{
			Subject: id.Draw(t, "sub"), Tenant: id.Draw(t, "tid"), Session: id.Draw(t, "sid"), ID: id.Draw(t, "jti"),
			Role: word.Draw(t, "role"), Policies: rapid.SliceOfN(word, 0, 30).Draw(t, "pol"),
			PolicyVersion: rapid.Int64Range(0, 1<<53-1).Draw(t, "pv"), Methods: rapid.SliceOfN(word, 1, 8).Draw(t, "amr"),
			AuthTime: base.Add(-time.Duration(rapid.Int64Range(0, 1e6).Draw(t, "age")) * time.Second),
		})
		require.NoError(t, err)
		got, err := v.Verify(s)
		require.NoError(t, err)
		if len(want.Policies) == 0 {
			want.Policies, got.Policies = nil, nil
		}
		require.Equal(t, want, got)
	})
}

func TestThePayloadIsJSONForEverybodyElse(t *testing.T) {
	parts := strings.Split(issued(t, claims(2)), ".")
	require.Len(t, parts, 3)
	raw, err := b64.DecodeString(parts[1])
	require.NoError(t, err)
	require.JSONEq(t, `{"iss":"https://tomkit.example","aud":"tomkit","sub":"11111111-1111-4111-8111-111111111111",
		"tid":"22222222-2222-4222-8222-222222222222","role":"Technician","pol":["resource00:read","resource01:read"],"pv":7,
		"amr":["pwd","otp"],"auth_time":1799999940,"sid":"33333333-3333-4333-8333-333333333333",
		"jti":"44444444-4444-4444-8444-444444444444","iat":1800000000,"nbf":1800000000,"exp":1800000900}`, string(raw))
	head, err := b64.DecodeString(parts[0])
	require.NoError(t, err)
	require.Equal(t, header(newKey(t, seed)), string(head))
	signature, err := b64.DecodeString(parts[2])
	require.NoError(t, err)
	require.True(t, ed25519.Verify(private.Public().(ed25519.PublicKey), []byte(parts[0]+"."+parts[1]), signature))
}

func TestIssueRefusesClaimsThatCannotBeExpressed(t *testing.T) {
	i := newIssuer(t, newKey(t, seed), base)
	for name, change := range map[string]func(*token.Claims){
		"no user":              func(c *token.Claims) { c.Subject = uuid.Nil },
		"no tenant":            func(c *token.Claims) { c.Tenant = uuid.Nil },
		"no session":           func(c *token.Claims) { c.Session = uuid.Nil },
		"no role":              func(c *token.Claims) { c.Role = "" },
		"a quoted role":        func(c *token.Claims) { c.Role = `a"b` },
		"a backslash":          func(c *token.Claims) { c.Policies = []string{`a\b`} },
		"a control character":  func(c *token.Claims) { c.Policies = []string{"a\nb"} },
		"an empty policy":      func(c *token.Claims) { c.Policies = []string{""} },
		"a non-ASCII policy":   func(c *token.Claims) { c.Policies = []string{"geräte:lesen"} },
		"no method":            func(c *token.Claims) { c.Methods = nil },
		"nine methods":         func(c *token.Claims) { c.Methods = strings.Split("a b c d e f g h i", " ") },
		"a negative version":   func(c *token.Claims) { c.PolicyVersion = -1 },
		"an inexact version":   func(c *token.Claims) { c.PolicyVersion = 1 << 53 },
		"no time of sign-in":   func(c *token.Claims) { c.AuthTime = time.Time{} },
		"sign-in after issue":  func(c *token.Claims) { c.AuthTime = base.Add(time.Second) },
		"five hundred thirty!": func(c *token.Claims) { c.Policies = strings.Split(strings.Repeat("a ", 530)+"a", " ") },
	} {
		c := claims(1)
		change(&c)
		s, _, err := i.Issue(c)
		require.ErrorIs(t, err, token.ErrClaims, name)
		require.Empty(t, s)
	}
}

func TestIssueRefusesATokenThatDoesNotFitACookie(t *testing.T) {
	i := newIssuer(t, newKey(t, seed), base)
	fits := 0
	for n := 100; n < 220; n++ {
		s, _, err := i.Issue(claims(n))
		if err == nil {
			require.LessOrEqual(t, len("__Host-tomkit")+len(s), 4096)
			fits = n
			continue
		}
		require.ErrorIs(t, err, token.ErrTooLarge)
		break
	}
	require.Greater(t, fits, 100)
}

func TestIssueDoesNotKeepTheCallersSlices(t *testing.T) {
	c := claims(1)
	_, out, err := newIssuer(t, newKey(t, seed), base).Issue(c)
	require.NoError(t, err)
	c.Policies[0] = "changed"
	require.Equal(t, "resource00:read", out.Policies[0])
}

func TestATokenIDIsMadeWhenNoneIsGiven(t *testing.T) {
	c := claims(0)
	c.ID = uuid.Nil
	i := newIssuer(t, newKey(t, seed), base)
	_, a, err := i.Issue(c)
	require.NoError(t, err)
	_, b, err := i.Issue(c)
	require.NoError(t, err)
	require.NotEqual(t, a.ID, b.ID)
	require.Equal(t, uuid.Version(4), a.ID.Version())
}

func TestKeysOverlapDuringRotation(t *testing.T) {
	oldKey, newer := newKey(t, seed), newKey(t, bytes.Repeat([]byte{0x43}, 32))
	v := newVerifier(t, base, oldKey.Public())
	byOld, _, err := newIssuer(t, oldKey, base).Issue(claims(0))
	require.NoError(t, err)
	byNew, _, err := newIssuer(t, newer, base).Issue(claims(0))
	require.NoError(t, err)
	accepts := func(s string) bool { _, err := v.Verify(s); return err == nil }

	require.True(t, accepts(byOld))
	require.False(t, accepts(byNew))
	require.NoError(t, v.SetKeys(oldKey.Public(), newer.Public()))
	require.True(t, accepts(byOld))
	require.True(t, accepts(byNew))
	require.NoError(t, v.SetKeys(newer.Public()))
	require.False(t, accepts(byOld))
	require.True(t, accepts(byNew))

	require.Error(t, v.SetKeys())
	require.Error(t, v.SetKeys(newer.Public(), newer.Public()))
	require.Error(t, v.SetKeys(token.PublicKey{}))
	require.True(t, accepts(byNew), "a refused change changes nothing")
}

// RFC 8037 appendix A.1 to A.3: seed, public key and thumbprint.
func TestTheKeyIDIsTheBeginningOfTheRFC7638Thumbprint(t *testing.T) {
	raw, err := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	require.NoError(t, err)
	k := newKey(t, raw)
	require.Equal(t, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", b64.EncodeToString(k.Public().Bytes()))
	require.Equal(t, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"[:16], k.ID())
}

func TestJWKSIsReadableAndHoldsOnlyPublicKeys(t *testing.T) {
	k := newKey(t, seed)
	v := newVerifier(t, base, k.Public(), newKey(t, bytes.Repeat([]byte{0x43}, 32)).Public())
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(v.JWKS(), &set))
	require.Len(t, set.Keys, 2)
	require.Equal(t, map[string]string{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": k.ID(),
		"x": b64.EncodeToString(k.Public().Bytes())}, set.Keys[0])
}

func TestUnusableSeedsAndConfigurationsAreRefused(t *testing.T) {
	for _, n := range []int{0, 31, 33, 64} {
		_, err := token.NewKey(bytes.Repeat([]byte{1}, n))
		require.ErrorIs(t, err, token.ErrSeed)
	}
	_, err := token.NewKey(make([]byte, 32))
	require.ErrorIs(t, err, token.ErrSeed, "all zero")
	k := newKey(t, seed)
	for name, cfg := range map[string]token.IssuerConfig{
		"no issuer":          {Audience: "a"},
		"no audience":        {Issuer: "i"},
		"a quoted issuer":    {Issuer: `i"`, Audience: "a"},
		"over 15 minutes":    {Issuer: "i", Audience: "a", TTL: 15*time.Minute + time.Second},
		"a negative TTL":     {Issuer: "i", Audience: "a", TTL: -time.Second},
		"a broken second":    {Issuer: "i", Audience: "a", TTL: 1500 * time.Millisecond},
		"less than a second": {Issuer: "i", Audience: "a", TTL: time.Millisecond},
		"a negative size":    {Issuer: "i", Audience: "a", MaxBytes: -1},
		"over the cookie":    {Issuer: "i", Audience: "a", MaxBytes: token.MaxBytes + 1},
	} {
		_, err := token.NewIssuer(k, cfg)
		require.Error(t, err, name)
	}
	_, err = token.NewIssuer(nil, token.IssuerConfig{Issuer: "i", Audience: "a"})
	require.Error(t, err)
	_, err = token.NewIssuer(new(token.Key), token.IssuerConfig{Issuer: "i", Audience: "a"})
	require.Error(t, err)
	for name, cfg := range map[string]token.VerifierConfig{
		"no issuer":         {Audience: "a"},
		"no audience":       {Issuer: "i"},
		"a negative leeway": {Issuer: "i", Audience: "a", Leeway: -1},
		"a large leeway":    {Issuer: "i", Audience: "a", Leeway: 61 * time.Second},
		"a negative size":   {Issuer: "i", Audience: "a", MaxBytes: -1},
		"over the cookie":   {Issuer: "i", Audience: "a", MaxBytes: token.MaxBytes + 1},
		"a negative cache":  {Issuer: "i", Audience: "a", CacheEntries: -1},
		"an endless cache":  {Issuer: "i", Audience: "a", CacheEntries: 1 << 30},
	} {
		_, err := token.NewVerifier([]token.PublicKey{k.Public()}, cfg)
		require.Error(t, err, name)
	}
	_, err = token.NewVerifier(nil, token.VerifierConfig{Issuer: "i", Audience: "a"})
	require.Error(t, err)
}

func FuzzVerify(f *testing.F) {
	k := newKey(f, seed)
	v := newVerifier(f, base, k.Public())
	good := issued(f, claims(2))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(strings.Repeat(".", 100))
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := v.Verify(s); err == nil {
			require.Equal(t, user, c.Subject, "nobody else has the key")
		}
	})
}

// FuzzPayload signs whatever the fuzzer invents. What is accepted must mean the same to encoding/json.
func FuzzPayload(f *testing.F) {
	k := newKey(f, seed)
	v := newVerifier(f, base, k.Public())
	f.Add(payload(payloadParts...))
	f.Add(with("pol", `"pol":["a]:b","c"]`))
	f.Add(with("exp", `"exp":1800000900,"exp":1`))
	f.Fuzz(func(t *testing.T, p string) {
		c, err := v.Verify(signed(header(k), p))
		if err != nil {
			return
		}
		var m struct {
			Role string   `json:"role"`
			Tid  string   `json:"tid"`
			Pol  []string `json:"pol"`
			Exp  int64    `json:"exp"`
		}
		var names map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(p), &m))
		require.NoError(t, json.Unmarshal([]byte(p), &names))
		require.Len(t, names, len(payloadParts))
		require.Equal(t, m.Role, c.Role)
		require.Equal(t, m.Tid, c.Tenant.String())
		require.Equal(t, m.Exp, c.Expires.Unix())
		require.Equal(t, len(m.Pol), len(c.Policies))
	})
}

func Example() {
	key, err := token.NewKey([]byte("a 32-byte seed out of the vault!"))
	if err != nil {
		fmt.Println(err)
		return
	}
	issuer, _ := token.NewIssuer(key, token.IssuerConfig{Issuer: "https://tomkit.example", Audience: "tomkit"})
	verifier, _ := token.NewVerifier([]token.PublicKey{key.Public()}, token.VerifierConfig{Issuer: "https://tomkit.example", Audience: "tomkit"})

	text, _, err := issuer.Issue(token.Claims{
		Subject: uuid.New(), Tenant: uuid.New(), Session: uuid.New(), Role: "Technician",
		Policies: []string{"devices:read"}, Methods: []string{"pwd", "otp"}, AuthTime: time.Now(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := verifier.Verify(text)
	fmt.Println(claims.Role, claims.Policies, err)

	_, err = verifier.Verify(strings.ToUpper(text))
	fmt.Println(err)
	// Output:
	// Technician [devices:read] <nil>
	// token: verify: header of no current key
}
