package pgledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger"
)

// head is where a log ends. The zero head is that of an empty log.
type head struct {
	size uint64
	hash [32]byte
	at   time.Time
}

func parseHash(text string) (h [32]byte, err error) {
	if len(text) != 64 {
		return h, errors.New("pgledger: hash is not 64 digits")
	}
	_, err = hex.Decode(h[:], []byte(text))
	return h, err
}

// chain is what this process knows about one tenant's log. It is never more than a guess: the database compares it with
// what is there. Whoever holds turn may use the fields below it. Writers that need the head take turns; one that has sent
// its entries passes the turn on with the head they lead to, before their commit is answered.
type chain struct {
	tenant uuid.UUID
	turn   chan struct{} // holds one token

	keys  *keyring // nil until read
	head  head
	known bool // head is what the last commit left, or will leave
	// contended counts down the writes that lock before they look, after another process was met.
	contended int

	ring     atomic.Pointer[keyring] // keys, for writers without a turn; see letIn
	seen     atomic.Pointer[head]    // the newest committed head
	doubtful atomic.Bool             // what head was passed on with may not come

	published published // publish.go
	guard     guard     // guard.go

	users int   // guarded by chains.mu
	used  int64 // order of last use, for eviction; guarded by chains.mu
}

// contention is how many writes take the extra round trip after a stale head. Locking first costs one round trip, a
// stale head two and an error in the server's log.
const contention = 32

func (c *chain) take(ctx context.Context) error {
	select {
	case <-c.turn:
		return nil
	default:
	}
	select {
	case <-c.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *chain) pass() { c.turn <- struct{}{} }

// saw notes a committed head.
func (c *chain) saw(h head) {
	for {
		old := c.seen.Load()
		if old != nil && old.size >= h.size || c.seen.CompareAndSwap(old, &h) {
			return
		}
	}
}

// found notes a head that was read under the database's lock or, without it, is as good as any. The caller has the turn.
func (c *chain) found(h head) {
	c.seen.Store(&h) // also where it is less than what was there before a restore
	c.head, c.known = h, true
}

// guess brings head up to date with what was seen since. The caller has the turn.
func (c *chain) guess() {
	if c.doubtful.Swap(false) {
		c.known = false
	}
	if seen := c.seen.Load(); c.known && seen != nil && seen.size > c.head.size {
		c.head = *seen
	}
}

// hasKeys sets the keys, nil for none. The caller has the turn.
func (c *chain) hasKeys(k *keyring) {
	c.keys = k
	c.ring.Store(nil)
}

// letIn lets writers without a turn use the keys, once every anchor was heard: they compare the log with nothing. The caller
// has the turn.
func (l *Log) letIn(c *chain) {
	if g := &c.guard; len(l.cfg.Anchors) == 0 || g.broken == nil && g.origin == c.keys.origin && len(g.answered) == len(l.cfg.Anchors) {
		c.ring.Store(c.keys)
	}
}

// chains holds the chains of this process, at most about max of them when idle.
type chains struct {
	mu    sync.Mutex
	byID  map[uuid.UUID]*chain
	clock int64
	max   int
}

// hold returns the tenant's chain and keeps it from eviction until let go.
func (s *chains) hold(tenant uuid.UUID) *chain {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byID[tenant]
	if c == nil {
		if len(s.byID) >= s.max {
			s.evict()
		}
		c = &chain{tenant: tenant, turn: make(chan struct{}, 1)}
		c.published.changed = make(chan struct{})
		c.turn <- struct{}{}
		s.byID[tenant] = c
	}
	c.users++
	s.clock++
	c.used = s.clock
	return c
}

func (s *chains) letGo(c *chain) {
	s.mu.Lock()
	c.users--
	s.mu.Unlock()
}

// evict forgets the least recently used idle eighth, so that a full map is not searched for every new tenant.
func (s *chains) evict() {
	var oldest int64
	for range s.max/8 + 1 {
		var victim *chain
		for _, c := range s.byID {
			if c.users == 0 && c.used > oldest && (victim == nil || c.used < victim.used) {
				victim = c
			}
		}
		if victim == nil {
			return
		}
		oldest = victim.used
		delete(s.byID, victim.tenant)
	}
}

// querier is what loading needs of a transaction or scope.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const stateSQL = `SELECT epoch, origin, door_sealed, size, head_hash, last_at, generation, key_purposes, key_publics, key_seals,
key_valid_from FROM tomkit.ledger_state($1::uuid)`

const compromisedSQL = `SELECT coalesce(array_agg(key_id), '{}') FROM tomkit.ledger_keys WHERE tenant_id = $1::uuid AND compromised`

// load reads keys and head. It wraps ledger.ErrNoLog if the tenant has no log. The caller has the turn.
func (l *Log) load(ctx context.Context, q querier, c *chain) error {
	var s sealedKeyring
	var size int64
	var hash string
	var at time.Time
	err := q.QueryRow(ctx, stateSQL, c.tenant).Scan(&s.epoch, &s.origin, &s.door, &size, &hash, &at,
		&s.generation, &s.purposes, &s.publics, &s.seals, &s.validFrom)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("pgledger: load: %w", ledger.ErrNoLog)
	}
	if err != nil {
		return err
	}
	if c.keys == nil || c.keys.epoch != s.epoch || c.keys.generation != s.generation {
		if err := q.QueryRow(ctx, compromisedSQL, c.tenant).Scan(&s.compromised); err != nil {
			return err
		}
		keys, err := l.open(c.tenant, &s)
		if err != nil {
			return err
		}
		c.hasKeys(keys)
	}
	h, err := parseHash(hash)
	if err != nil {
		return err
	}
	c.found(head{size: uint64(size), hash: h, at: at.UTC()})
	return nil
}

// lock takes the database's lock on the log until the end of the transaction and reads the head under it, and the keys if
// they are not the ones this process has.
func (l *Log) lock(ctx context.Context, q querier, c *chain) error {
	var size int64
	var hash string
	var at time.Time
	var generation int
	err := q.QueryRow(ctx, `SELECT size, head_hash, last_at, generation FROM tomkit.ledger_lock($1::uuid)`, c.tenant).
		Scan(&size, &hash, &at, &generation)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("pgledger: lock: %w", ledger.ErrNoLog)
	}
	if err != nil {
		return err
	}
	if c.keys == nil || c.keys.generation != generation {
		return l.load(ctx, q, c)
	}
	h, err := parseHash(hash)
	if err != nil {
		return err
	}
	c.found(head{size: uint64(size), hash: h, at: at.UTC()})
	return nil
}
