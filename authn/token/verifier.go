package token

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	defaultLeeway  = 5 * time.Second
	maxLeeway      = time.Minute
	maxKeys        = 16
	signatureChars = 86 // unpadded base64url of 64 bytes
)

// VerifierConfig tunes a Verifier.
type VerifierConfig struct {
	// Issuer is the only iss accepted. Required.
	Issuer string
	// Audience is the only aud accepted. Required.
	Audience string
	// Leeway is how far nbf and iat may lie in the future. Zero means 5s; over 1m is an error. Expiry has none.
	Leeway time.Duration
	// MaxBytes limits the size of a token. Zero means MaxBytes, which is also the most allowed.
	MaxBytes int
	// CacheEntries is the number of verified tokens remembered, by SHA-256 of the whole token, so that the next request
	// with the same token costs a hash instead of a signature. About 600 bytes each, plus the claims. Zero means no cache.
	CacheEntries int
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Verifier checks tokens against a set of keys. It is safe for concurrent use.
type Verifier struct {
	cfg   VerifierConfig
	state atomic.Pointer[keyState]
}

// keyState is one generation of keys. The cache belongs to it, so a verification that straddles a change of keys can
// only write to the cache that nobody reads any more.
type keyState struct {
	keys  []PublicKey
	cache *cache
}

// NewVerifier returns a Verifier that accepts tokens of any of keys, at most 16.
func NewVerifier(keys []PublicKey, cfg VerifierConfig) (*Verifier, error) {
	if !text(cfg.Issuer) || !text(cfg.Audience) {
		return nil, errors.New("token: new verifier: issuer and audience must be plain non-empty ASCII")
	}
	if cfg.Leeway == 0 {
		cfg.Leeway = defaultLeeway
	}
	if cfg.Leeway < 0 || cfg.Leeway > maxLeeway {
		return nil, fmt.Errorf("token: new verifier: leeway %v is not from 0 to %v", cfg.Leeway, maxLeeway)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = MaxBytes
	}
	if cfg.MaxBytes < 0 || cfg.MaxBytes > MaxBytes {
		return nil, fmt.Errorf("token: new verifier: MaxBytes %d is not from 1 to %d", cfg.MaxBytes, MaxBytes)
	}
	if cfg.CacheEntries < 0 || cfg.CacheEntries > maxCache {
		return nil, fmt.Errorf("token: new verifier: CacheEntries %d is not from 0 to %d", cfg.CacheEntries, maxCache)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	v := &Verifier{cfg: cfg}
	if err := v.SetKeys(keys...); err != nil {
		return nil, err
	}
	return v, nil
}

// SetKeys replaces the keys at once and empties the cache. Tokens of a key that is no longer among them are refused from
// now on.
func (v *Verifier) SetKeys(keys ...PublicKey) error {
	if len(keys) < 1 || len(keys) > maxKeys {
		return fmt.Errorf("token: set keys: %d keys, want 1 to %d", len(keys), maxKeys)
	}
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if k.header == "" || seen[k.id] {
			return errors.New("token: set keys: empty or repeated key")
		}
		seen[k.id] = true
	}
	v.state.Store(&keyState{keys: slices.Clone(keys), cache: newCache(v.cfg.CacheEntries)})
	return nil
}

// JWKS returns the current keys as a JSON Web Key Set.
func (v *Verifier) JWKS() []byte { return JWKS(v.state.Load().keys...) }

// Verify checks token and returns its claims. Every error matches ErrInvalid and tells nothing of the token's content.
// It does not know about revocation: ask for that with the claims, each time.
func (v *Verifier) Verify(token string) (Claims, error) {
	if len(token) > v.cfg.MaxBytes {
		return Claims{}, ErrTooLarge
	}
	state := v.state.Load()
	key := state.find(token)
	if key == nil {
		return Claims{}, ErrHeader
	}
	return v.verify(state, key, token)
}

// verify goes on with a token whose header is key's.
func (v *Verifier) verify(state *keyState, key *PublicKey, token string) (Claims, error) {
	// Converting the string would put a copy on the heap for each use; one copy on the stack serves them all.
	var buffer [MaxBytes]byte
	b := buffer[:copy(buffer[:], token)]
	var digest [sha256.Size]byte
	if state.cache != nil {
		digest = sha256.Sum256(b)
		if c, ok := state.cache.get(digest); ok {
			return v.current(c)
		}
	}
	c, err := v.authenticate(key, b)
	if err != nil {
		return Claims{}, err
	}
	if c, err = v.current(c); err != nil {
		return Claims{}, err
	}
	if state.cache != nil {
		state.cache.put(digest, c)
	}
	return c, nil
}

// find returns the key whose header token starts with, or nil. Headers are public, so the comparison need not hide time.
func (s *keyState) find(token string) *PublicKey {
	for i := range s.keys {
		if strings.HasPrefix(token, s.keys[i].header) {
			return &s.keys[i]
		}
	}
	return nil
}

// authenticate checks the signature and only then decodes the payload, and checks all that does not change with time.
// It overwrites token.
func (v *Verifier) authenticate(key *PublicKey, token []byte) (Claims, error) {
	dot := len(token) - signatureChars - 1
	if dot <= len(key.header) || token[dot] != '.' {
		return Claims{}, ErrMalformed
	}
	var signature [ed25519.SignatureSize]byte
	// encoding/base64 skips line breaks even in strict mode; the number of decoded bytes gives them away.
	if n, err := strict.Decode(signature[:], token[dot+1:]); err != nil || n != len(signature) {
		return Claims{}, ErrMalformed
	}
	if !ed25519.Verify(key.key, token[:dot], signature[:]) {
		return Claims{}, ErrSignature
	}
	encoded := token[len(key.header):dot]
	// Decoding in place is safe: base64 shrinks, and writing starts a whole header before reading does.
	payload := token[:strict.DecodedLen(len(encoded))]
	if n, err := strict.Decode(payload, encoded); err != nil || n != len(payload) {
		return Claims{}, ErrMalformed
	}
	c, ok := decodeClaims(string(payload))
	if !ok {
		return Claims{}, ErrClaims
	}
	return c, v.fixed(&c)
}

// fixed checks the claims whose truth does not depend on the time.
func (v *Verifier) fixed(c *Claims) error {
	switch {
	case c.Issuer != v.cfg.Issuer:
		return ErrIssuer
	case c.Audience != v.cfg.Audience:
		return ErrAudience
	case c.Subject == uuid.Nil || c.Tenant == uuid.Nil || c.Session == uuid.Nil || c.ID == uuid.Nil, len(c.Methods) == 0,
		c.AuthTime.After(c.IssuedAt), c.NotBefore.Before(c.IssuedAt), !c.Expires.After(c.NotBefore):
		return ErrClaims
	case c.Expires.Sub(c.IssuedAt) > MaxTTL:
		return ErrLifetime
	}
	return nil
}

// current checks the claims against the clock, for cached and fresh tokens alike.
func (v *Verifier) current(c Claims) (Claims, error) {
	now := v.cfg.Now()
	if !now.Before(c.Expires) {
		return Claims{}, ErrExpired
	}
	horizon := now.Add(v.cfg.Leeway)
	if c.NotBefore.After(horizon) || c.IssuedAt.After(horizon) {
		return Claims{}, ErrNotYetValid
	}
	return c, nil
}
