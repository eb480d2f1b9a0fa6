package abac

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

// CacheConfig tunes a [Cache]. The zero value is ready for production.
type CacheConfig struct {
	// MaxSets is the number of compiled sets kept. Zero means 1,024; negative is an error. One set of 64 policies takes
	// about 10 KiB with 256 registered permissions.
	MaxSets int
	// Roles lets Explain tell the policies of a token's role from those granted to the person. Nil attributes all of them
	// to the role.
	Roles *Roles
}

// Cache compiles the policies carried by tokens, each distinct list once. It is bounded and safe for concurrent use.
//
// Its key is the whole content, not a hash of it: two lists never share a set.
type Cache struct {
	universe *Universe
	roles    *Roles
	half     int
	seed     maphash.Seed

	mu         sync.RWMutex
	young, old map[uint64]*cached // an entry used while old is copied to young; a full young becomes old
}

type cached struct {
	role     string
	policies []string
	set      *Set
}

// NewCache returns an empty Cache that compiles for universe.
func NewCache(universe *Universe, cfg CacheConfig) (*Cache, error) {
	if universe == nil {
		return nil, fmt.Errorf("abac: cache: universe is nil")
	}
	if cfg.MaxSets < 0 {
		return nil, fmt.Errorf("abac: cache: MaxSets is negative")
	}
	if cfg.MaxSets == 0 {
		cfg.MaxSets = 1024
	}
	return &Cache{
		universe: universe,
		roles:    cfg.Roles,
		half:     max(1, cfg.MaxSets/2),
		seed:     maphash.MakeSeed(),
		young:    make(map[uint64]*cached),
	}, nil
}

// Set returns the compiled form of the policies that a token carries for a holder of role. It never returns nil: policies
// that cannot be compiled give a void set, whose Err says why. The strings are copied if they are kept.
func (c *Cache) Set(role string, policies []string) *Set {
	key := c.key(role, policies)
	c.mu.RLock()
	hit, old := c.young[key], false
	if hit == nil {
		hit, old = c.old[key], true
	}
	c.mu.RUnlock()
	if !hit.holds(role, policies) {
		hit, old = c.compile(role, policies), true
	}
	if old {
		c.keep(key, hit)
	}
	return hit.set
}

// Len returns the number of sets held, counting one twice while it moves between generations.
func (c *Cache) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.young) + len(c.old)
}

func (c *Cache) key(role string, policies []string) uint64 {
	const odd = 0x9e3779b97f4a7c15 // spreads the bits of each position before the next is mixed in
	h := maphash.String(c.seed, role)
	for _, p := range policies {
		h = h*odd ^ maphash.String(c.seed, p)
	}
	return h
}

func (e *cached) holds(role string, policies []string) bool {
	return e != nil && e.role == role && slices.Equal(e.policies, policies)
}

// compile copies role and policies before keeping them: they are usually parts of a whole token.
func (c *Cache) compile(role string, policies []string) *cached {
	e := &cached{role: strings.Clone(role), policies: make([]string, len(policies))}
	text := strings.Join(policies, "")
	for i, at := 0, 0; i < len(policies); i++ {
		e.policies[i] = text[at : at+len(policies[i])]
		at += len(policies[i])
	}
	own, granted := c.roles.attribute(e.role, e.policies)
	e.set, _ = c.universe.Compile(own, granted) // the set remembers the error
	return e
}

func (c *Cache) keep(key uint64, e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.half {
		c.old, c.young = c.young, make(map[uint64]*cached, c.half)
	}
	c.young[key] = e
}
