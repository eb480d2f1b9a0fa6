package token

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	// MaxTTL is the longest lifetime of a token (TOM 1.2.3).
	MaxTTL = 15 * time.Minute
	// MaxBytes is the largest token: with the name of its cookie it still fits the 4,096 bytes browsers keep
	// (RFC 6265bis section 5.6, ASVS 3.3.5).
	MaxBytes = 4080
)

// IssuerConfig tunes an Issuer.
type IssuerConfig struct {
	// Issuer is the iss claim. Required.
	Issuer string
	// Audience is the aud claim. Required.
	Audience string
	// TTL is the lifetime of a token, in whole seconds. Zero means 15m; over 15m is an error.
	TTL time.Duration
	// MaxBytes limits the size of a token. Zero means MaxBytes, which is also the most allowed.
	MaxBytes int
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Issuer makes tokens with one key. It is immutable and safe for concurrent use; rotate by making a new one.
type Issuer struct {
	key *Key
	cfg IssuerConfig
}

// NewIssuer returns an Issuer that signs with key.
func NewIssuer(key *Key, cfg IssuerConfig) (*Issuer, error) {
	if key == nil || key.sign == nil {
		return nil, errors.New("token: new issuer: no key")
	}
	if !text(cfg.Issuer) || !text(cfg.Audience) {
		return nil, errors.New("token: new issuer: issuer and audience must be plain non-empty ASCII")
	}
	if cfg.TTL == 0 {
		cfg.TTL = MaxTTL
	}
	if cfg.TTL < time.Second || cfg.TTL > MaxTTL || cfg.TTL%time.Second != 0 {
		return nil, fmt.Errorf("token: new issuer: TTL %v is not whole seconds from 1s to %v", cfg.TTL, MaxTTL)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = MaxBytes
	}
	if cfg.MaxBytes < 0 || cfg.MaxBytes > MaxBytes {
		return nil, fmt.Errorf("token: new issuer: MaxBytes %d is not from 1 to %d", cfg.MaxBytes, MaxBytes)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Issuer{key: key, cfg: cfg}, nil
}

// TTL returns the lifetime of the tokens made here.
func (i *Issuer) TTL() time.Duration { return i.cfg.TTL }

// Issue signs a token for c, which must name Subject, Tenant, Session, Role, Methods and AuthTime; the issuer sets Issuer,
// Audience, ID (if nil) and the times. It returns the token and the claims as a verifier will read them.
// Errors: ErrClaims for a missing or inexpressible claim, ErrTooLarge if the token would not fit a cookie.
func (i *Issuer) Issue(c Claims) (string, Claims, error) {
	now := i.cfg.Now().UTC().Truncate(time.Second)
	c.Issuer, c.Audience = i.cfg.Issuer, i.cfg.Audience
	c.IssuedAt, c.NotBefore, c.Expires = now, now, now.Add(i.cfg.TTL)
	c.AuthTime = c.AuthTime.UTC().Truncate(time.Second)
	c.Policies, c.Methods = slices.Clone(c.Policies), slices.Clone(c.Methods)
	if c.ID == uuid.Nil {
		id, err := uuid.NewRandom()
		if err != nil {
			return "", Claims{}, fmt.Errorf("token: issue: random source: %w", err)
		}
		c.ID = id
	}
	if !c.expressible() {
		return "", Claims{}, ErrClaims
	}
	payload := c.appendJSON(make([]byte, 0, 512+32*len(c.Policies)))
	size := len(i.key.public.header) + strict.EncodedLen(len(payload)) + 1 + strict.EncodedLen(ed25519.SignatureSize)
	if size > i.cfg.MaxBytes {
		return "", Claims{}, ErrTooLarge
	}
	out := make([]byte, 0, size)
	out = append(out, i.key.public.header...)
	out = strict.AppendEncode(out, payload)
	signature := i.key.sign(out)
	out = append(out, '.')
	out = strict.AppendEncode(out, signature)
	return string(out), c, nil
}
