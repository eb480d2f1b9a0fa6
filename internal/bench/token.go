package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn/token"
)

const (
	issuer   = "https://bench.example"
	audience = "bench"
)

// benchToken compares full verification with the bare signature check, which no verifier can undercut, and the verified-token
// cache with golang-jwt.
func benchToken(_ context.Context, r *reporter) error {
	seed := make([]byte, token.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return err
	}
	key, err := token.NewKey(seed)
	if err != nil {
		return err
	}
	for _, size := range []struct {
		name     string
		policies int
		want     target
	}{{"token-verify-576B", 2, atMost(1.10)}, {"token-verify-1.5kB", 40, atMost(1.15)}} {
		raw, err := sampleToken(key, size.policies)
		if err != nil {
			return err
		}
		ours, err := verifying(key, raw, 0)
		if err != nil {
			return err
		}
		bare, err := bareVerify(key, raw)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s(%dB)", size.name, len(raw))
		if err := r.cost(name, ours, bare, size.want); err != nil {
			return err
		}
	}
	raw, err := sampleToken(key, 2)
	if err != nil {
		return err
	}
	warm, err := verifying(key, raw, 1024)
	if err != nil {
		return err
	}
	if err := r.cost("token-verify-warm", warm, golangJWT(key, raw), atLeast(100)); err != nil {
		return err
	}
	cold, err := verifying(key, raw, 0)
	if err != nil {
		return err
	}
	return r.cost("token-verify-cold", cold, golangJWT(key, raw), atLeast(1))
}

func sampleToken(key *token.Key, policies int) (string, error) {
	i, err := token.NewIssuer(key, token.IssuerConfig{Issuer: issuer, Audience: audience})
	if err != nil {
		return "", err
	}
	claims := token.Claims{
		Subject: uuid.New(), Tenant: uuid.New(), Session: uuid.New(), Role: "technician", PolicyVersion: 7,
		Methods: []string{"pwd", "otp"}, AuthTime: time.Now(),
	}
	for n := range policies {
		claims.Policies = append(claims.Policies, fmt.Sprintf("resource-%02d:read", n))
	}
	raw, _, err := i.Issue(claims)
	return raw, err
}

func verifying(key *token.Key, raw string, cache int) (candidate, error) {
	v, err := token.NewVerifier([]token.PublicKey{key.Public()}, token.VerifierConfig{Issuer: issuer, Audience: audience, CacheEntries: cache})
	return candidate{"tomkit", func(n int) error {
		for range n {
			if _, err := v.Verify(raw); err != nil {
				return err
			}
		}
		return nil
	}}, err
}

func bareVerify(key *token.Key, raw string) (candidate, error) {
	dot := strings.LastIndexByte(raw, '.')
	message, public := []byte(raw[:dot]), ed25519.PublicKey(key.Public().Bytes())
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	return candidate{"ed25519.Verify", func(n int) error {
		for range n {
			if !ed25519.Verify(public, message, signature) {
				return errors.New("bare verification refused a good signature")
			}
		}
		return nil
	}}, err
}

func golangJWT(key *token.Key, raw string) candidate {
	public := ed25519.PublicKey(key.Public().Bytes())
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	return candidate{"golang-jwt", func(n int) error {
		for range n {
			var claims jwt.MapClaims
			if _, err := parser.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return public, nil }); err != nil {
				return err
			}
		}
		return nil
	}}
}
