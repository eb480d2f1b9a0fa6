package vaulttest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// accountKey is the service account's key.
type accountKey struct {
	id, kid, issuer, subject, audience string
	private                            *rsa.PrivateKey
	validUntil                         time.Time
	assertions                         []Assertion
}

func newAccountKey() (accountKey, error) {
	private, err := shared()
	return accountKey{
		id: randomUUID(), kid: randomUUID(), issuer: "boot-" + randomHex(4) + "@sa.example.org", subject: randomUUID(),
		audience: "https://service-account.example.org", private: private,
	}, err
}

// KeyFile returns the service account key as the service would hand it out, a new document at each call.
func (s *Server) KeyFile() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.account
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		panic(err) // an RSA key can be marshalled
	}
	public, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		panic(err)
	}
	document := map[string]any{
		"id": k.id, "active": true, "createdAt": s.cfg.Now().UTC().Format(time.RFC3339),
		"keyType": "USER_MANAGED", "keyOrigin": "GENERATED", "keyAlgorithm": "RSA_2048",
		"publicKey": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"credentials": map[string]any{
			"kid": k.kid, "iss": k.issuer, "sub": k.subject, "aud": k.audience, "tokenEndpoint": s.TokenEndpoint(),
			"privateKey": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		},
	}
	if !k.validUntil.IsZero() {
		document["validUntil"] = k.validUntil.UTC().Format(time.RFC3339)
	}
	body, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		panic(err)
	}
	return body
}

// ExpireKey makes key files say that the key is valid until t, and assertions be refused from then on.
func (s *Server) ExpireKey(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account.validUntil = t
}

// ForgetKey makes the service not know the key any more.
func (s *Server) ForgetKey() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account.kid = randomUUID()
}

// Assertion is a decoded assertion whose signature was right.
type Assertion struct {
	Header, Claims map[string]any // numbers as json.Number
}

// Assertions returns those that were accepted, in order.
func (s *Server) Assertions() []Assertion {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Assertion(nil), s.account.assertions...)
}

// exchange is the token endpoint.
func (s *Server) exchange(r *request) answer {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	form, err := url.ParseQuery(string(r.body))
	if kind != "application/x-www-form-urlencoded" || err != nil || len(form["assertion"]) != 1 || len(form["grant_type"]) != 1 {
		return refuse(http.StatusBadRequest, "invalid_request", "a form with one grant_type and one assertion is required")
	}
	if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return refuse(http.StatusBadRequest, "unsupported_grant_type", "")
	}
	if problem := s.verify(form.Get("assertion")); problem != "" {
		return refuse(http.StatusBadRequest, "invalid_grant", problem)
	}
	end := s.cfg.Now().Add(s.cfg.AccessTTL)
	access := accessToken(end)
	s.access[access] = end
	return reply(http.StatusOK, map[string]any{
		"access_token": access, "expires_in": int(s.cfg.AccessTTL / time.Second), "refresh_token": "", "scope": "", "token_type": "Bearer",
	})
}

func refuse(status int, code, text string) answer {
	return reply(status, map[string]any{"error": code, "error_description": text})
}

// accessToken returns a JWT that only its end can be read from; it is known by being in the list.
func accessToken(end time.Time) string {
	claims, _ := json.Marshal(map[string]any{"exp": end.Unix(), "jti": randomUUID()}) // does not fail
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"alg":"RS512","typ":"JWT"}`)) + "." + enc.EncodeToString(claims) + "." + enc.EncodeToString([]byte(randomHex(64)))
}

// verify returns what is wrong with an assertion, or "" and remembers its id.
func (s *Server) verify(assertion string) string {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return "not a JWT"
	}
	header, claims := decodeSegment(parts[0]), decodeSegment(parts[1])
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if header == nil || claims == nil || err != nil {
		return "not a JWT"
	}
	k := &s.account
	sum := sha512.Sum512([]byte(parts[0] + "." + parts[1]))
	switch {
	case header["alg"] != "RS512":
		return "algorithm not allowed"
	case header["kid"] != k.kid:
		return fmt.Sprintf("Key with kid %v was not found", header["kid"])
	case rsa.VerifyPKCS1v15(&k.private.PublicKey, crypto.SHA512, sum[:], signature) != nil:
		return "signature invalid"
	case !k.validUntil.IsZero() && !s.cfg.Now().Before(k.validUntil):
		return "key expired"
	case claims["iss"] != k.issuer || claims["sub"] != k.subject || claims["aud"] != k.audience:
		return "issuer, subject or audience wrong"
	}
	if problem := s.verifyTimes(claims); problem != "" {
		return problem
	}
	id, _ := claims["jti"].(string)
	if len(id) != 36 || s.used[id] {
		return "jti missing or used before"
	}
	s.used[id] = true
	k.assertions = append(k.assertions, Assertion{header, claims})
	return ""
}

// skew is how far the clocks of client and service may be apart.
const skew = time.Minute

func (s *Server) verifyTimes(claims map[string]any) string {
	issued, ok1 := unix(claims["iat"])
	end, ok2 := unix(claims["exp"])
	now := s.cfg.Now()
	switch {
	case !ok1 || !ok2:
		return "iat or exp missing"
	case issued.After(now.Add(skew)):
		return "issued in the future"
	case !end.After(now.Add(-skew)):
		return "expired"
	case end.Sub(issued) > s.cfg.MaxAssertion:
		return "valid for too long"
	}
	return ""
}

func unix(v any) (time.Time, bool) {
	n, ok := v.(json.Number)
	seconds, err := n.Int64()
	return time.Unix(seconds, 0), ok && err == nil
}

func decodeSegment(segment string) map[string]any {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return nil
	}
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&out) != nil {
		return nil
	}
	return out
}

// SignAssertion returns a signed JWT with the given header and claims on top of those that are right: for tests of the
// endpoint itself. A nil value removes a member.
func (s *Server) SignAssertion(header, claims map[string]any) (string, error) {
	s.mu.Lock()
	k, now := s.account, s.cfg.Now()
	s.mu.Unlock()
	h := merge(map[string]any{"alg": "RS512", "typ": "JWT", "kid": k.kid}, header)
	c := merge(map[string]any{
		"iss": k.issuer, "sub": k.subject, "aud": k.audience, "jti": randomUUID(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}, claims)
	text := base64.RawURLEncoding.EncodeToString(reply(0, h).body) + "." + base64.RawURLEncoding.EncodeToString(reply(0, c).body)
	sum := sha512.Sum512([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.private, crypto.SHA512, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

func merge(base, over map[string]any) map[string]any {
	for name, value := range over {
		if value == nil {
			delete(base, name)
			continue
		}
		base[name] = value
	}
	return base
}
