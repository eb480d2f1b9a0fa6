package demo

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/vault"
)

var b64 = base64.RawURLEncoding

// attackTokens presents access tokens that must not work. The attacker knows everything but the signing key.
func (d *demo) attackTokens(ctx context.Context) error {
	good := d.world.browsers[d.world.tech].token()
	parts := strings.Split(good, ".")
	if len(parts) != 3 {
		return fmt.Errorf("the access token has %d parts", len(parts))
	}
	payload, err := b64.DecodeString(parts[1])
	if err != nil {
		return err
	}
	expired, public, err := d.oldToken(ctx)
	if err != nil {
		return err
	}
	foreign, err := strangersToken(d.server.Issuer)
	if err != nil {
		return err
	}
	promoted := b64.EncodeToString([]byte(strings.Replace(string(payload), `"role":"technician"`, `"role":"superadmin"`, 1)))
	none := b64.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "."
	for _, attack := range []struct{ name, token string }{
		{"a token with the role changed and the old signature", parts[0] + "." + promoted + "." + parts[2]},
		{"a token signed with the attacker's own key", foreign},
		{"a token that expired a minute ago, signed with the real key", expired},
		{"a token with algorithm none", none},
		{"a token with HMAC, keyed with the public key", confused(parts[1], public)},
		{"a token with a bit of its signature flipped", flipped(good)},
	} {
		d.refusedToken(ctx, attack.name, attack.token)
	}
	return d.revokedToken(ctx)
}

// refusedToken asks for the caller's own account with a token that must be refused; the token that works answers 200 beside it.
func (d *demo) refusedToken(ctx context.Context, name, bad string) {
	d.try(ctx, "T1.2.3-01", name, "401; the unchanged token: 200", func(ctx context.Context) (string, bool, error) {
		b, err := newBrowser(d.server.URL(), d.server.Authority.Pool())
		if err != nil {
			return "", false, err
		}
		with := func(t string) (answer, error) {
			return b.call(ctx, http.MethodGet, "/v1/me", nil, "Authorization", "Bearer "+t)
		}
		refused, err := with(bad)
		if err != nil {
			return "", false, err
		}
		accepted, err := with(d.world.browsers[d.world.tech].token())
		return fmt.Sprintf("%s; unchanged: %s", refused, accepted), refused.Status == http.StatusUnauthorized && accepted.Status == http.StatusOK, err
	})
}

// revokedToken signs somebody out and goes on using the token, which is valid for another quarter of an hour.
func (d *demo) revokedToken(ctx context.Context) error {
	b := d.world.browsers[d.world.otherAdmin]
	stolen := b.token()
	d.try(ctx, "T1.2.3-03", "a token copied before its owner signed out", "200 before, 401 after", func(ctx context.Context) (string, bool, error) {
		thief, err := newBrowser(d.server.URL(), d.server.Authority.Pool())
		if err != nil {
			return "", false, err
		}
		before, err := thief.call(ctx, http.MethodGet, "/v1/me", nil, "Authorization", "Bearer "+stolen)
		if err != nil {
			return "", false, err
		}
		if out, err := b.call(ctx, http.MethodPost, "/v1/auth/sign-out", nil); err != nil || out.Status != http.StatusNoContent {
			return "sign-out: " + out.String(), false, err
		}
		after, err := thief.call(ctx, http.MethodGet, "/v1/me", nil, "Authorization", "Bearer "+stolen)
		return fmt.Sprintf("%s before, %s after", before, after), before.Status == http.StatusOK && after.Status == http.StatusUnauthorized, err
	})
	return nil
}

// oldToken makes a token as the server would have made it sixteen minutes ago, with the server's own key, and returns the public key
// beside it.
func (d *demo) oldToken(ctx context.Context) (expired string, public []byte, err error) {
	source, err := vault.DevelopmentFileUnsafe(filepath.Join(d.dir, server.KeyFile), vault.DevelopmentConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", nil, err
	}
	keys, err := vault.Manifest{{Key: vault.JWTSeed}}.Load(ctx, source)
	if err != nil {
		return "", nil, err
	}
	defer keys.Wipe()
	seed, _ := keys.Secret(vault.JWTSeed)
	raw := seed.Reveal()
	defer clear(raw)
	key, err := token.NewKey(raw)
	if err != nil {
		return "", nil, err
	}
	past := func() time.Time { return time.Now().Add(-token.MaxTTL - time.Minute) }
	expired, err = issue(key, d.server.Issuer, past)
	return expired, key.Public().Bytes(), err
}

func strangersToken(issuer string) (string, error) {
	seed := make([]byte, token.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return "", err
	}
	key, err := token.NewKey(seed)
	if err != nil {
		return "", err
	}
	return issue(key, issuer, time.Now)
}

func issue(key *token.Key, issuer string, now func() time.Time) (string, error) {
	i, err := token.NewIssuer(key, token.IssuerConfig{Issuer: issuer, Audience: server.Audience, Now: now})
	if err != nil {
		return "", err
	}
	t, _, err := i.Issue(token.Claims{
		Subject: uuid.New(), Tenant: uuid.New(), Session: uuid.New(), Role: "superadmin", Policies: []string{"*:*"},
		Methods: []string{"pwd", "otp"}, AuthTime: now(),
	})
	return t, err
}

// confused uses the public key, which everybody knows, as the secret of an HMAC.
func confused(payload string, public []byte) string {
	message := b64.EncodeToString([]byte(`{"alg":"HS256","typ":"at+jwt"}`)) + "." + payload
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(message))
	return message + "." + b64.EncodeToString(mac.Sum(nil))
}

func flipped(t string) string {
	dot := strings.LastIndexByte(t, '.')
	signature, err := b64.DecodeString(t[dot+1:])
	if err != nil || len(signature) == 0 {
		return t + "x"
	}
	signature[0] ^= 1
	return t[:dot+1] + b64.EncodeToString(signature)
}
