package authn

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Backoff is how one kind of failure is slowed down: Free attempts cost nothing, each further one doubles the wait from
// Base up to Max, and a counter that was quiet for Forget starts again.
type Backoff struct {
	// Free is the number of attempts without a wait.
	Free int
	// Base is the first wait, Max the longest.
	Base, Max time.Duration
	// Forget resets a counter that was quiet for this long.
	Forget time.Duration
}

// Throttle holds the back-off of each counter. A zero Backoff means its default; a partly filled one is an error.
type Throttle struct {
	// Pair counts wrong passwords per account and address. Default: 5 free, 1 s doubling to 15 min, forgotten after 24 h.
	Pair Backoff
	// Address counts them per address over all accounts of the tenant. A site behind one address shares it, so the default
	// is lenient: 100 free, 1 s doubling to 1 min, forgotten after 1 h. IPv6 addresses count by /64.
	Address Backoff
	// Account counts them per account over all addresses. Addresses the user signed in from within 30 days are exempt, so a
	// stranger cannot keep the user out. Default: 100 free, 1 s doubling to 5 min, forgotten after 24 h.
	Account Backoff
	// Code counts wrong codes per account over all step tokens. Whoever gets there knows the password.
	// Default: 10 free, 1 s doubling to 15 min, forgotten after 24 h.
	Code Backoff
}

// trustFor is how long an address stays exempt from the account-wide counter after a sign-in.
const trustFor = 30 * 24 * time.Hour

var defaultThrottle = Throttle{
	Pair:    Backoff{Free: 5, Base: time.Second, Max: 15 * time.Minute, Forget: 24 * time.Hour},
	Address: Backoff{Free: 100, Base: time.Second, Max: time.Minute, Forget: time.Hour},
	Account: Backoff{Free: 100, Base: time.Second, Max: 5 * time.Minute, Forget: 24 * time.Hour},
	Code:    Backoff{Free: 10, Base: time.Second, Max: 15 * time.Minute, Forget: 24 * time.Hour},
}

// resolve fills in the default or checks b.
func (b Backoff) resolve(def Backoff) (Backoff, error) {
	if b == (Backoff{}) {
		return def, nil
	}
	if b.Free < 0 || b.Base <= 0 || b.Max < b.Base || b.Forget < b.Max {
		return b, errors.New("authn: config: a back-off needs Free >= 0 and 0 < Base <= Max <= Forget")
	}
	return b, nil
}

func (t Throttle) resolve() (Throttle, error) {
	var errs [4]error
	t.Pair, errs[0] = t.Pair.resolve(defaultThrottle.Pair)
	t.Address, errs[1] = t.Address.resolve(defaultThrottle.Address)
	t.Account, errs[2] = t.Account.resolve(defaultThrottle.Account)
	t.Code, errs[3] = t.Code.resolve(defaultThrottle.Code)
	return t, errors.Join(errs[:]...)
}

// take counts one attempt at now, or returns how long c is blocked.
func (b Backoff) take(c *Counter, now time.Time) time.Duration {
	if wait := c.BlockedUntil.Sub(now); wait > 0 {
		return wait
	}
	if now.Sub(c.LastAt) >= b.Forget {
		c.Failures = 0
	}
	c.Failures++
	c.LastAt = now
	if over := c.Failures - b.Free; over > 0 {
		c.BlockedUntil = now.Add(b.wait(over))
	}
	return 0
}

// wait is Base · 2^(over−1), at most Max.
func (b Backoff) wait(over int) time.Duration {
	d := b.Base
	for i := 1; i < over && d < b.Max; i++ {
		d *= 2
	}
	return min(d, b.Max)
}

// counterTag separates these hashes from all others.
const counterTag = "tomkit/authn/counter/v1"

// counterKey hashes what is counted; every part is length-prefixed.
func counterKey(kind string, parts ...[]byte) CounterKey {
	h := sha256.New()
	h.Write([]byte(counterTag))
	for _, p := range append([][]byte{[]byte(kind)}, parts...) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(p)))) // parts are far below 4 GiB
		h.Write(p)
	}
	return CounterKey(h.Sum(nil))
}

// network is the part of an address that is counted: all of IPv4, the /64 of IPv6 (a subscriber owns at least that).
func network(ip netip.Addr) []byte {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		p, err := ip.Prefix(64)
		if err != nil {
			return nil
		}
		ip = p.Addr()
	}
	return ip.AsSlice()
}

// guess is one password attempt: the three counters it touches.
type guess [3]CounterKey

const (
	pair = iota
	address
	account
)

// newGuess covers the tenant too, so that one account's counters of two tenants share nothing.
func newGuess(tenant uuid.UUID, email string, ip netip.Addr) guess {
	// The address is attacker-chosen and unbounded for unknown accounts; only its hash is kept.
	return guess{
		pair:    counterKey("pair", tenant[:], []byte(email), network(ip)),
		address: counterKey("address", tenant[:], network(ip)),
		account: counterKey("account", tenant[:], []byte(email)),
	}
}

// counting is what both the store and the strangers' memory offer.
type counting func(ctx context.Context, keys []CounterKey, fn func([]Counter) error) error

// admit counts the attempt before any work is done for it.
func (t Throttle) admit(ctx context.Context, count counting, g guess, now time.Time) error {
	return count(ctx, g[:], func(c []Counter) error {
		known := c[pair].TrustedUntil.After(now)
		wait := t.Pair.take(&c[pair], now)
		wait = max(wait, t.Address.take(&c[address], now))
		if !known {
			wait = max(wait, t.Account.take(&c[account], now))
		}
		return throttled(wait)
	})
}

// forgive takes back what admit counted, after a right password.
func (t Throttle) forgive(ctx context.Context, count counting, g guess, now time.Time) error {
	return count(ctx, g[:], func(c []Counter) error {
		c[pair] = Counter{LastAt: now, TrustedUntil: now.Add(trustFor)}
		// Blocks of the shared counters stay: an attacker's own account must not lift them.
		c[address].Failures = max(0, c[address].Failures-1)
		c[account].Failures = max(0, c[account].Failures-1)
		return nil
	})
}

// throttled is the error for a wait, nil for none.
func throttled(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	return &ThrottledError{RetryAfter: (wait + time.Second - 1).Truncate(time.Second)}
}

// maxStrangers bounds the memory spent on attempts at tenants that do not exist: about 2 MiB.
const maxStrangers = 10_000

// strangers counts attempts at unknown tenants. No store row can belong to them; without a count they would be the only
// sign-ins nobody slows down.
type strangers struct {
	mu       sync.Mutex
	counters map[CounterKey]Counter
}

func (s *strangers) count(_ context.Context, keys []CounterKey, fn func([]Counter) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make([]Counter, len(keys))
	for i, k := range keys {
		c[i] = s.counters[k]
	}
	if err := fn(c); err != nil {
		return err
	}
	if s.counters == nil || len(s.counters)+len(keys) > maxStrangers {
		s.counters = make(map[CounterKey]Counter) // forgetting all is cheaper than an order, and bounded either way
	}
	for i, k := range keys {
		s.counters[k] = c[i]
	}
	return nil
}

// wrap names the operation a dependency failed in.
func wrap(op string, err error) error { return fmt.Errorf("authn: %s: %w", op, err) }
