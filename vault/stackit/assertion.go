package stackit

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// MaxAssertionLifetime is the longest an assertion may be valid.
const MaxAssertionLifetime = 10 * time.Minute

// assertion returns a JWT that proves the possession of k from now on for lifetime (RFC 7523 section 3). Each has an id of
// its own, so that none can be used twice.
func (k *Key) assertion(now time.Time, lifetime time.Duration) ([]byte, error) {
	header, err := json.Marshal(struct {
		Alg string `json:"alg"`
		KID string `json:"kid"`
		Typ string `json:"typ"`
	}{"RS512", k.KID, "JWT"})
	if err != nil {
		return nil, fmt.Errorf("stackit: assertion: %w", err)
	}
	claims, err := json.Marshal(struct {
		Aud string `json:"aud"`
		Exp int64  `json:"exp"`
		Iat int64  `json:"iat"`
		Iss string `json:"iss"`
		JTI string `json:"jti"`
		Sub string `json:"sub"`
	}{k.Audience, now.Add(lifetime).Unix(), now.Unix(), k.Issuer, randomUUID(), k.Subject})
	if err != nil {
		return nil, fmt.Errorf("stackit: assertion: %w", err)
	}
	enc := base64.RawURLEncoding
	token := enc.AppendEncode(nil, header)
	token = append(token, '.')
	token = enc.AppendEncode(token, claims)
	signature, err := k.sign(token)
	if err != nil {
		return nil, fmt.Errorf("stackit: assertion: sign: %w", err)
	}
	token = append(token, '.')
	return enc.AppendEncode(token, signature), nil
}

// randomUUID returns a version 4 UUID (RFC 9562 section 5.4).
func randomUUID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // does not fail
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	text := hex.EncodeToString(u[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
