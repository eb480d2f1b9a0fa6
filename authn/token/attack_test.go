package token_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/token"
)

func payload(parts ...string) string { return "{" + strings.Join(parts, ",") + "}" }

// with replaces the part of the named claim, or adds one.
func with(name, part string) string {
	parts := slices.Clone(payloadParts)
	for i, p := range parts {
		if strings.HasPrefix(p, `"`+name+`":`) {
			parts[i] = part
			return payload(parts...)
		}
	}
	return payload(append(parts, part)...)
}

func without(name string) string {
	return payload(slices.DeleteFunc(slices.Clone(payloadParts), func(p string) bool { return strings.HasPrefix(p, `"`+name+`":`) })...)
}

func TestTheForgersPayloadIsValidUnchanged(t *testing.T) {
	k := newKey(t, seed)
	v := newVerifier(t, base, k.Public())
	c, err := v.Verify(signed(header(k), payload(payloadParts...)))
	require.NoError(t, err, "otherwise the attacks below prove nothing")
	require.Equal(t, []string{"devices:read", "!audit:write"}, c.Policies)
	reversed := slices.Clone(payloadParts)
	slices.Reverse(reversed)
	again, err := v.Verify(signed(header(k), payload(reversed...)))
	require.NoError(t, err)
	require.Equal(t, c, again, "the order of claims does not matter")
}

// The attacks of RFC 8725 and of the CVEs of JOSE libraries, most of them with a right signature over the wrong thing.
func TestAttacksOnHeaderAndForm(t *testing.T) {
	k := newKey(t, seed)
	v := newVerifier(t, base, k.Public())
	good := signed(header(k), payload(payloadParts...))
	body := payload(payloadParts...)
	head, rest, _ := strings.Cut(good, ".")
	_, signature, _ := strings.Cut(rest, ".")
	unsigned := func(h string) string {
		return b64.EncodeToString([]byte(h)) + "." + b64.EncodeToString([]byte(body)) + "."
	}
	hs256 := func(h string, key []byte) string {
		input := b64.EncodeToString([]byte(h)) + "." + b64.EncodeToString([]byte(body))
		m := hmac.New(sha256.New, key)
		m.Write([]byte(input))
		return input + "." + b64.EncodeToString(m.Sum(nil))
	}
	edit := func(old, new string) string {
		h := strings.Replace(header(k), old, new, 1)
		require.NotEqual(t, header(k), h)
		return signed(h, body)
	}
	attacks := map[string]struct {
		token string
		want  error
	}{
		"alg none without signature":       {unsigned(`{"alg":"none","typ":"at+jwt"}`), token.ErrHeader},
		"alg None":                         {unsigned(`{"alg":"None","typ":"at+jwt"}`), token.ErrHeader},
		"alg NONE":                         {unsigned(`{"alg":"NONE"}`), token.ErrHeader},
		"alg nOnE with the key's kid":      {unsigned(strings.Replace(header(k), "EdDSA", "nOnE", 1)), token.ErrHeader},
		"no alg":                           {unsigned(`{"typ":"at+jwt"}`), token.ErrHeader},
		"right header without signature":   {unsigned(header(k)), token.ErrMalformed},
		"HS256 with the public key":        {hs256(`{"alg":"HS256","typ":"at+jwt"}`, k.Public().Bytes()), token.ErrHeader},
		"HS256 with key and kid":           {hs256(strings.Replace(header(k), "EdDSA", "HS256", 1), k.Public().Bytes()), token.ErrHeader},
		"an HMAC under the right header":   {hs256(header(k), k.Public().Bytes()), token.ErrMalformed},
		"alg Ed25519":                      {edit("EdDSA", "Ed25519"), token.ErrHeader},
		"alg eddsa":                        {edit("EdDSA", "eddsa"), token.ErrHeader},
		"alg ES256":                        {edit("EdDSA", "ES256"), token.ErrHeader},
		"an unknown kid":                   {edit(k.ID(), "AAAAAAAAAAAAAAAA"), token.ErrHeader},
		"no kid":                           {signed(`{"alg":"EdDSA","typ":"at+jwt"}`, body), token.ErrHeader},
		"kid as a path":                    {edit(k.ID(), "../../dev/null"), token.ErrHeader},
		"kid as SQL":                       {edit(k.ID(), "x' UNION SELECT 'k"), token.ErrHeader},
		"typ JWT":                          {edit("at+jwt", "JWT"), token.ErrHeader},
		"typ of another use":               {edit("at+jwt", "dpop+jwt"), token.ErrHeader},
		"typ AT+JWT":                       {edit("at+jwt", "AT+JWT"), token.ErrHeader},
		"no typ":                           {edit(`,"typ":"at+jwt"`, ""), token.ErrHeader},
		"an embedded jwk":                  {edit(`}`, `,"jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}}`), token.ErrHeader},
		"a jku":                            {edit(`}`, `,"jku":"https://evil.example/jwks"}`), token.ErrHeader},
		"an x5u":                           {edit(`}`, `,"x5u":"https://evil.example/c"}`), token.ErrHeader},
		"an x5c":                           {edit(`}`, `,"x5c":["AA"]}`), token.ErrHeader},
		"a crit":                           {edit(`}`, `,"crit":["exp"]}`), token.ErrHeader},
		"b64 false":                        {edit(`}`, `,"b64":false,"crit":["b64"]}`), token.ErrHeader},
		"zip":                              {edit(`}`, `,"zip":"DEF"}`), token.ErrHeader},
		"cty JWT":                          {edit(`}`, `,"cty":"JWT"}`), token.ErrHeader},
		"a repeated alg":                   {edit(`}`, `,"alg":"none"}`), token.ErrHeader},
		"a header with a space":            {edit(`,"kid"`, `, "kid"`), token.ErrHeader},
		"a header in another order":        {signed(`{"kid":"`+k.ID()+`","alg":"EdDSA","typ":"at+jwt"}`, body), token.ErrHeader},
		"a header with escapes":            {edit("EdDSA", `\u0045dDSA`), token.ErrHeader},
		"a nested token":                   {signed(header(k), good), token.ErrClaims},
		"a JWE of five parts":              {head + "." + rest + "." + signature + "." + signature, token.ErrSignature},
		"a JWE with a fitting end":         {head + ".." + signature + "." + signature + "." + signature, token.ErrSignature},
		"general JSON serialisation":       {`{"payload":"` + rest[:20] + `","signatures":[{"protected":"` + head + `","signature":"` + signature + `"}]}`, token.ErrHeader},
		"flattened JSON serialisation":     {`{"payload":"` + rest[:20] + `","protected":"` + head + `","signature":"` + signature + `"}`, token.ErrHeader},
		"a detached payload":               {head + ".." + signature, token.ErrMalformed},
		"an empty token":                   {"", token.ErrHeader},
		"one dot":                          {".", token.ErrHeader},
		"two dots":                         {"..", token.ErrHeader},
		"the header alone":                 {head, token.ErrHeader},
		"the header with a dot":            {head + ".", token.ErrMalformed},
		"a flood of dots":                  {strings.Repeat(".", token.MaxBytes), token.ErrHeader},
		"a flood of dots under the header": {head + strings.Repeat(".", token.MaxBytes-len(head)), token.ErrMalformed},
		"an oversized token":               {good + strings.Repeat("A", token.MaxBytes), token.ErrTooLarge},
		"a megabyte":                       {strings.Repeat("a", 1<<20), token.ErrTooLarge},
		"a leading space":                  {" " + good, token.ErrHeader},
		"the scheme still there":           {"Bearer " + good, token.ErrHeader},
		"a trailing space":                 {good + " ", token.ErrMalformed},
		"a trailing line break":            {good + "\n", token.ErrMalformed},
		"a padded signature":               {good + "==", token.ErrMalformed},
		"a line break in the signature":    {good[:len(good)-10] + "\n" + good[len(good)-9:], token.ErrMalformed},
		"trailing bits in the signature":   {good[:len(good)-1] + otherBits(good[len(good)-1]), token.ErrMalformed},
		"standard base64 in the signature": {good[:len(good)-1] + "+", token.ErrMalformed},
		"a signature of zeros":             {head + "." + rest[:strings.IndexByte(rest, '.')] + "." + b64.EncodeToString(make([]byte, 64)), token.ErrSignature},
	}
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			c, err := v.Verify(a.token)
			require.ErrorIs(t, err, a.want)
			require.ErrorIs(t, err, token.ErrInvalid)
			require.Zero(t, c)
		})
	}
}

// otherBits changes the unused low bits of a final base64 digit.
func otherBits(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestAttacksOnThePayloadsForm(t *testing.T) {
	k := newKey(t, seed)
	v := newVerifier(t, base, k.Public())
	good := payload(payloadParts...)
	for name, p := range map[string]string{
		"empty object":               `{}`,
		"a list":                     `[]`,
		"null":                       `null`,
		"not JSON":                   `hello`,
		"something after":            good + " ",
		"a second object":            good + good,
		"white space":                strings.Replace(good, ":", ": ", 1),
		"a leading line break":       "\n" + good,
		"a trailing comma":           good[:len(good)-1] + ",}",
		"a leading comma":            "{," + good[1:],
		"no closing brace":           good[:len(good)-1],
		"a byte order mark":          "\ufeff" + good,
		"an unknown claim":           with("admin", `"admin":"true"`),
		"a nested claim":             with("act", `"act":{"sub":"x"}`),
		"a repeated exp":             payload(append(slices.Clone(payloadParts), `"exp":9999999999`)...),
		"a repeated equal claim":     payload(append(slices.Clone(payloadParts), payloadParts[3])...),
		"EXP besides exp":            payload(append(slices.Clone(payloadParts), `"EXP":9999999999`)...),
		"EXP instead of exp":         with("exp", `"EXP":1800000900`),
		"an escaped name":            with("exp", `"\u0065xp":1800000900`),
		"an empty name":              payload(append(slices.Clone(payloadParts), `"":1`)...),
		"exp as a string":            with("exp", `"exp":"1800000900"`),
		"exp as a float":             with("exp", `"exp":1800000900.5`),
		"exp with an exponent":       with("exp", `"exp":1.8e9`),
		"exp NaN":                    with("exp", `"exp":NaN`),
		"exp Infinity":               with("exp", `"exp":Infinity`),
		"exp null":                   with("exp", `"exp":null`),
		"exp true":                   with("exp", `"exp":true`),
		"an empty exp":               with("exp", `"exp":`),
		"a huge exp":                 with("exp", `"exp":99999999999999999999`),
		"an exp over year 9999":      with("exp", `"exp":253402300800`),
		"a leading zero":             with("exp", `"exp":01800000900`),
		"a negative nbf":             with("nbf", `"nbf":-1`),
		"a plus sign":                with("nbf", `"nbf":+1800000000`),
		"a negative zero":            with("pv", `"pv":-0`),
		"pv beyond exact integers":   with("pv", `"pv":9007199254740992`),
		"aud as a list":              with("aud", `"aud":["tomkit","evil"]`),
		"an empty aud":               with("aud", `"aud":""`),
		"an empty role":              with("role", `"role":""`),
		"role as a list":             with("role", `"role":["Superadmin"]`),
		"role as null":               with("role", `"role":null`),
		"an escape in a string":      with("role", `"role":"Tenant\u002dAdmin"`),
		"a control character":        with("role", "\"role\":\"a\x01b\""),
		"a non-ASCII role":           with("role", `"role":"Techniker ü"`),
		"invalid UTF-8":              with("role", "\"role\":\"\xff\""),
		"an open string":             strings.TrimSuffix(with("role", `"role":"abc`), "}"),
		"pol as a string":            with("pol", `"pol":"devices:read"`),
		"a number in pol":            with("pol", `"pol":[1]`),
		"a list in pol":              with("pol", `"pol":[["a:b"]]`),
		"an empty string in pol":     with("pol", `"pol":[""]`),
		"a trailing comma in pol":    with("pol", `"pol":["a:b",]`),
		"pol without an end":         with("pol", `"pol":["a:b"`),
		"513 policies":               with("pol", `"pol":[`+strings.TrimSuffix(strings.Repeat(`"a",`, 513), ",")+`]`),
		"an empty amr":               with("amr", `"amr":[]`),
		"9 methods":                  with("amr", `"amr":["a","b","c","d","e","f","g","h","i"]`),
		"an upper-case UUID":         with("tid", `"tid":"ABCDEFAB-2222-4222-8222-222222222222"`),
		"a URN":                      with("tid", `"tid":"urn:uuid:22222222-2222-4222-8222-222222222222"`),
		"a UUID in braces":           with("tid", `"tid":"{22222222-2222-4222-8222-222222222222}"`),
		"a UUID without dashes":      with("tid", `"tid":"22222222222242228222222222222222"`),
		"a UUID with a moved dash":   with("tid", `"tid":"2222222-22222-4222-8222-222222222222"`),
		"a UUID with a letter":       with("tid", `"tid":"2222222g-2222-4222-8222-222222222222"`),
		"a nil tenant":               with("tid", `"tid":"00000000-0000-0000-0000-000000000000"`),
		"a nil user":                 with("sub", `"sub":"00000000-0000-0000-0000-000000000000"`),
		"a nil session":              with("sid", `"sid":"00000000-0000-0000-0000-000000000000"`),
		"a nil token id":             with("jti", `"jti":"00000000-0000-0000-0000-000000000000"`),
		"issued before signing in":   with("auth_time", `"auth_time":1800000001`),
		"valid before it was issued": with("nbf", `"nbf":1799999999`),
		"expired before it is valid": with("exp", `"exp":1800000000`),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := v.Verify(signed(header(k), p))
			if name == "513 policies" && err == nil {
				t.Fatal("accepted")
			}
			require.ErrorIs(t, err, token.ErrClaims)
			require.Zero(t, c)
		})
	}
	for _, p := range payloadParts {
		name, _, _ := strings.Cut(p[1:], `"`)
		t.Run("without "+name, func(t *testing.T) {
			_, err := v.Verify(signed(header(k), without(name)))
			require.ErrorIs(t, err, token.ErrClaims)
		})
	}
}

func TestAttacksOnThePayloadsEncoding(t *testing.T) {
	k := newKey(t, seed)
	v := newVerifier(t, base, k.Public())
	encoded := b64.EncodeToString([]byte(payload(payloadParts...)))
	for len(encoded)%4 == 0 { // a payload whose last digit has unused bits
		encoded = b64.EncodeToString([]byte(with("role", `"role":"`+strings.Repeat("x", len(encoded)%7+1)+`"`)))
	}
	for name, e := range map[string]string{
		"trailing bits":         encoded[:len(encoded)-1] + otherBits(encoded[len(encoded)-1]),
		"padding":               encoded + "=",
		"a line break":          encoded[:8] + "\n" + encoded[8:],
		"a carriage return":     encoded + "\r",
		"a space":               encoded[:8] + " " + encoded[8:],
		"the standard alphabet": "+/" + encoded[2:],
		"an extra dot":          encoded + ".",
		"one digit too few":     encoded[:len(encoded)/4*4+1],
		"empty":                 "",
	} {
		t.Run(name, func(t *testing.T) {
			input := b64.EncodeToString([]byte(header(k))) + "." + e
			_, err := v.Verify(input + "." + b64.EncodeToString(ed25519.Sign(private, []byte(input))))
			require.ErrorIs(t, err, token.ErrMalformed, "although the signature is right")
		})
	}
}

func TestClaimsAreCheckedAgainstTheVerifierAndTheClock(t *testing.T) {
	k := newKey(t, seed)
	for name, tc := range map[string]struct {
		payload string
		now     time.Time
		want    error
	}{
		"another issuer":               {with("iss", `"iss":"https://tomkit.example.evil"`), base, token.ErrIssuer},
		"an issuer with a slash":       {with("iss", `"iss":"https://tomkit.example/"`), base, token.ErrIssuer},
		"another audience":             {with("aud", `"aud":"billing"`), base, token.ErrAudience},
		"an audience in upper case":    {with("aud", `"aud":"TOMKIT"`), base, token.ErrAudience},
		"one second longer than 15m":   {with("exp", `"exp":1800000901`), base, token.ErrLifetime},
		"a lifetime of years":          {with("exp", `"exp":253402300799`), base, token.ErrLifetime},
		"at its last nanosecond":       {payload(payloadParts...), base.Add(15*time.Minute - 1), nil},
		"at its end":                   {payload(payloadParts...), base.Add(15 * time.Minute), token.ErrExpired},
		"long after":                   {payload(payloadParts...), base.Add(24 * time.Hour), token.ErrExpired},
		"issued 5s ahead":              {payload(payloadParts...), base.Add(-5 * time.Second), nil},
		"issued 6s ahead":              {payload(payloadParts...), base.Add(-6 * time.Second), token.ErrNotYetValid},
		"not before, outside leeway":   {with("nbf", `"nbf":1800000006`), base, token.ErrNotYetValid},
		"not before, inside leeway":    {with("nbf", `"nbf":1800000005`), base, nil},
		"a clock at the zero time":     {payload(payloadParts...), time.Time{}, token.ErrNotYetValid},
		"expired and not yet issued":   {with("exp", `"exp":1800000899`), base.Add(time.Hour), token.ErrExpired},
		"a 0 exp":                      {with("exp", `"exp":0`), base, token.ErrClaims},
		"an empty list of policies":    {with("pol", `"pol":[]`), base, nil},
		"a bracket inside of a policy": {with("pol", `"pol":["a]:b","c:d","e:f"]`), base, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newVerifier(t, tc.now, k.Public()).Verify(signed(header(k), tc.payload))
			if tc.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, tc.want)
		})
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	v := newVerifier(t, base, newKey(t, seed).Public())
	good := []byte(issued(t, claims(2)))
	for i := range good {
		for bit := range 8 {
			forged := bytes.Clone(good)
			forged[i] ^= 1 << bit
			_, err := v.Verify(string(forged))
			require.ErrorIs(t, err, token.ErrInvalid)
		}
		_, err := v.Verify(string(good[:i]))
		require.ErrorIs(t, err, token.ErrInvalid)
	}
}

// S and S+L are the same number modulo the group order: a verifier that does not check the range takes a second text for
// every signature.
func TestAMalleableSignatureIsRefused(t *testing.T) {
	v := newVerifier(t, base, newKey(t, seed).Public())
	good := issued(t, claims(0))
	dot := strings.LastIndexByte(good, '.')
	signature, err := b64.DecodeString(good[dot+1:])
	require.NoError(t, err)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(signature[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	_, err = v.Verify(good[:dot+1] + b64.EncodeToString(append(signature[:32:32], sum...)))
	require.ErrorIs(t, err, token.ErrSignature)
}

func TestWeakPublicKeysAreRefused(t *testing.T) {
	for name, key := range map[string]string{
		"zero":                          strings.Repeat("00", 32),
		"the neutral element":           "01" + strings.Repeat("00", 31),
		"the neutral element, sign bit": "01" + strings.Repeat("00", 30) + "80",
		"order 2":                       "ec" + strings.Repeat("ff", 30) + "7f",
		"order 4, sign bit":             strings.Repeat("00", 31) + "80",
		"order 8":                       "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, sign bit":             "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"order 8, the other":            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"order 8, the other, sign bit":  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"not canonical: p":              "ed" + strings.Repeat("ff", 30) + "7f",
		"not canonical: p+1":            "ee" + strings.Repeat("ff", 30) + "7f",
		"not canonical: all bits":       strings.Repeat("ff", 32),
		"31 bytes":                      strings.Repeat("12", 31),
		"33 bytes":                      strings.Repeat("12", 33),
		"nothing":                       "",
	} {
		raw, err := hex.DecodeString(key)
		require.NoError(t, err)
		_, err = token.NewPublicKey(raw)
		require.ErrorIs(t, err, token.ErrPublicKey, name)
	}
	for i := range 50 {
		_, err := token.NewPublicKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, 32)).Public().(ed25519.PublicKey))
		require.NoError(t, err, "honest keys pass")
	}
}

func TestAnotherKeysTokenIsRefused(t *testing.T) {
	v := newVerifier(t, base, newKey(t, seed).Public())
	other := newKey(t, bytes.Repeat([]byte{0x43}, 32))
	s, _, err := newIssuer(t, other, base).Issue(claims(0))
	require.NoError(t, err)
	_, err = v.Verify(s)
	require.ErrorIs(t, err, token.ErrHeader)
	// The same token under the known key's header.
	_, rest, _ := strings.Cut(s, ".")
	_, err = v.Verify(b64.EncodeToString([]byte(header(newKey(t, seed)))) + "." + rest)
	require.ErrorIs(t, err, token.ErrSignature)
}

func TestAWrongAlgorithmCostsNoAllocation(t *testing.T) {
	v := newVerifier(t, base, newKey(t, seed).Public())
	forged := signed(`{"alg":"RS256","kid":"x","typ":"JWT"}`, payload(payloadParts...))
	huge := strings.Repeat("A", 64<<10)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = v.Verify(forged) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = v.Verify(huge) }))
}

func TestErrorsQuoteNothingOfTheToken(t *testing.T) {
	k := newKey(t, seed)
	v := newVerifier(t, base, k.Public())
	_, err := v.Verify(signed(header(k), with("role", `"role":"Geheimnis","x":"y"`)))
	require.NotContains(t, err.Error(), "Geheimnis")
	require.NotContains(t, fmt.Sprintf("%+v", k), hex.EncodeToString(seed[:4]))
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", *k, *k, *k), "66 66 66")
}
