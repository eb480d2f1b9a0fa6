package token_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/token"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time  { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) Set(t time.Time) { c.mu.Lock(); defer c.mu.Unlock(); c.now = t }

func cached(t testing.TB, entries int, c *clock, keys ...token.PublicKey) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(keys, token.VerifierConfig{Issuer: issuerName, Audience: audience, CacheEntries: entries, Now: c.Now})
	require.NoError(t, err)
	return v
}

func TestACachedTokenStillExpiresAndDiesWithItsKey(t *testing.T) {
	k, other := newKey(t, seed), newKey(t, bytes.Repeat([]byte{0x43}, 32))
	c := &clock{now: base}
	v := cached(t, 100, c, k.Public())
	s := issued(t, claims(3))
	first, err := v.Verify(s)
	require.NoError(t, err)
	second, err := v.Verify(s)
	require.NoError(t, err)
	require.Equal(t, first, second)

	c.Set(base.Add(-time.Hour))
	_, err = v.Verify(s)
	require.ErrorIs(t, err, token.ErrNotYetValid)
	c.Set(base.Add(15 * time.Minute))
	_, err = v.Verify(s)
	require.ErrorIs(t, err, token.ErrExpired)

	c.Set(base)
	require.NoError(t, v.SetKeys(other.Public()))
	_, err = v.Verify(s)
	require.ErrorIs(t, err, token.ErrHeader)
	require.NoError(t, v.SetKeys(other.Public(), k.Public()))
	_, err = v.Verify(s)
	require.NoError(t, err)
}

func TestACachedTokenDoesNotVouchForASimilarOne(t *testing.T) {
	v := cached(t, 100, &clock{now: base}, newKey(t, seed).Public())
	good := issued(t, claims(1))
	_, err := v.Verify(good)
	require.NoError(t, err)
	for i := range good {
		forged := []byte(good)
		forged[i] ^= 1
		_, err := v.Verify(string(forged))
		require.ErrorIs(t, err, token.ErrInvalid)
	}
}

func TestTheCacheStaysBoundedAndRight(t *testing.T) {
	k := newKey(t, seed)
	v := cached(t, 32, &clock{now: base}, k.Public())
	i := newIssuer(t, k, base)
	var tokens []string
	for range 200 {
		c := claims(0)
		c.ID = uuid.New()
		s, _, err := i.Issue(c)
		require.NoError(t, err)
		tokens = append(tokens, s)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for round := range 3 {
				for j := range tokens {
					s := tokens[(j*7+w+round)%len(tokens)]
					if _, err := v.Verify(s); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if err := v.SetKeys(k.Public()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}
