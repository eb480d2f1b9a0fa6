package authntest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
)

// guess tries a wrong password.
func (h *harness) guess(t *testing.T, p person, from netip.Addr) error {
	t.Helper()
	r := p.request()
	r.Password, r.Address = "guess", from
	_, err := h.flow.Password(t.Context(), r)
	require.Error(t, err)
	return err
}

func throttling(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Run("the seventh wrong password has to wait, twice as long each time", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		for range 6 {
			require.ErrorIs(t, h.guess(t, p, here), authn.ErrSignIn)
		}
		for _, wait := range []time.Duration{1, 2, 4, 8} {
			var throttled *authn.ThrottledError
			require.ErrorAs(t, h.guess(t, p, here), &throttled)
			require.Equal(t, wait*time.Second, throttled.RetryAfter)
			h.clock.advance(throttled.RetryAfter)
			require.ErrorIs(t, h.guess(t, p, here), authn.ErrSignIn)
		}
	})
	t.Run("while waiting not even the right password is looked at", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		for range 6 {
			require.ErrorIs(t, h.guess(t, p, here), authn.ErrSignIn)
		}
		before := h.pw.verified.Load()
		_, err := h.flow.Password(t.Context(), p.request())
		require.ErrorIs(t, err, authn.ErrThrottled)
		require.Equal(t, before, h.pw.verified.Load())
		h.clock.advance(time.Second)
		h.challenge(t, p)
	})
	t.Run("waiting does not prolong the wait", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		for range 6 {
			require.ErrorIs(t, h.guess(t, p, here), authn.ErrSignIn)
		}
		for range 20 {
			require.ErrorIs(t, h.guess(t, p, here), authn.ErrThrottled)
		}
		h.clock.advance(time.Second)
		h.challenge(t, p)
	})
	t.Run("a right password forgives", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		for range 4 {
			for range 5 {
				require.ErrorIs(t, h.guess(t, p, here), authn.ErrSignIn)
			}
			h.challenge(t, p)
		}
	})
	t.Run("unknown accounts are slowed down like known ones", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		p.email = "nobody@klinikum.example"
		for range 6 {
			require.ErrorIs(t, h.guess(t, p, here), authn.ErrSignIn)
		}
		require.ErrorIs(t, h.guess(t, p, here), authn.ErrThrottled)
	})
	t.Run("guesses from elsewhere do not keep the owner out", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		h.challenge(t, p) // the owner was here before
		for i := range 130 {
			_ = h.guess(t, p, netip.AddrFrom4([4]byte{203, 0, byte(i), 1}))
		}
		require.ErrorIs(t, h.guess(t, p, there), authn.ErrThrottled, "the account is under attack from many addresses")
		h.challenge(t, p)
	})
	t.Run("one address guessing at many accounts is slowed down", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		var last error
		for i := range 130 {
			p.email = string(rune('a'+i%26)) + string(rune('a'+i/26)) + "@klinikum.example"
			last = h.guess(t, p, there)
		}
		require.ErrorIs(t, last, authn.ErrThrottled)
		require.ErrorIs(t, h.guess(t, p, here), authn.ErrSignIn)
	})
	t.Run("an attacker's own account does not lift the wait of the address", func(t *testing.T) {
		h := setUp(t, newFixture, func(c *authn.Config) {
			c.Throttle.Address = authn.Backoff{Free: 3, Base: time.Minute, Max: time.Hour, Forget: 24 * time.Hour}
		})
		p := h.someone(t)
		mallory := h.join(t, p.tenant, "mallory@klinikum.example", true)
		for range 3 {
			require.ErrorIs(t, h.guess(t, p, here), authn.ErrSignIn)
		}
		h.challenge(t, mallory)
		require.ErrorIs(t, h.guess(t, p, here), authn.ErrThrottled)
	})
	t.Run("parallel guesses cannot overtake the counter", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		_, _ = race(32, func(int) error { return h.guess(t, p, here) })
		require.EqualValues(t, 6, h.pw.verified.Load())
	})
	t.Run("IPv6 neighbours count as one, zones and mapped addresses do not help", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		for _, a := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::ffff", "2001:db8::1%eth0", "2001:db8::5", "2001:db8::6"} {
			require.ErrorIs(t, h.guess(t, p, netip.MustParseAddr(a)), authn.ErrSignIn)
		}
		require.ErrorIs(t, h.guess(t, p, netip.MustParseAddr("2001:db8::7")), authn.ErrThrottled)
		for range 6 {
			require.ErrorIs(t, h.guess(t, p, there), authn.ErrSignIn)
		}
		require.ErrorIs(t, h.guess(t, p, netip.MustParseAddr("::ffff:203.0.113.9")), authn.ErrThrottled)
	})
	t.Run("tenants do not share counters", func(t *testing.T) {
		h := setUp(t, newFixture)
		p, q := h.someone(t), h.someone(t)
		for range 6 {
			require.ErrorIs(t, h.guess(t, p, here), authn.ErrSignIn)
		}
		h.challenge(t, q)
	})
	t.Run("wrong codes are counted over all step tokens", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		wrong := h.wrong(t, p.secret)
		for range 11 {
			_, err := h.finish(t, h.challenge(t, p), wrong)
			require.ErrorIs(t, err, authn.ErrCode)
		}
		step := h.challenge(t, p)
		_, err := h.finish(t, step, h.code(t, p.secret))
		require.ErrorIs(t, err, authn.ErrThrottled)
		h.clock.advance(time.Second)
		_, err = h.finish(t, step, h.code(t, p.secret))
		require.NoError(t, err, "a wait costs no attempt")
		h.clock.advance(30 * time.Second)
		for range 10 {
			_, err := h.finish(t, h.challenge(t, p), h.wrong(t, p.secret))
			require.ErrorIs(t, err, authn.ErrCode, "a right code starts the count again")
		}
	})
}
