package token

import (
	"crypto/sha256"
	"sync"
)

const (
	maxCache    = 1 << 20 // entries
	cacheShards = 16
)

// cache remembers verified tokens under the SHA-256 of the whole token: never under its jti or signature alone, which do
// not cover everything, and without keeping a bearer token in memory. It is bounded; the second-chance clock evicts.
// Only successes are stored. Times are checked by the caller on every hit.
type cache struct {
	shards [cacheShards]shard
}

type shard struct {
	mu    sync.Mutex
	index map[[sha256.Size]byte]int
	slots []slot
	hand  int
	size  int
}

type slot struct {
	key    [sha256.Size]byte
	claims Claims
	recent bool
}

func newCache(entries int) *cache {
	if entries == 0 {
		return nil
	}
	c := new(cache)
	for i := range c.shards {
		c.shards[i].size = (entries + cacheShards - 1) / cacheShards
		c.shards[i].index = make(map[[sha256.Size]byte]int)
	}
	return c
}

func (c *cache) get(key [sha256.Size]byte) (Claims, bool) {
	s := &c.shards[key[0]%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.index[key]
	if !ok {
		return Claims{}, false
	}
	s.slots[i].recent = true
	return s.slots[i].claims, true
}

func (c *cache) put(key [sha256.Size]byte, claims Claims) {
	s := &c.shards[key[0]%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, have := s.index[key]; have {
		return
	}
	if len(s.slots) < s.size {
		s.index[key] = len(s.slots)
		s.slots = append(s.slots, slot{key: key, claims: claims})
		return
	}
	for s.slots[s.hand].recent {
		s.slots[s.hand].recent = false
		s.hand = (s.hand + 1) % len(s.slots)
	}
	delete(s.index, s.slots[s.hand].key)
	s.slots[s.hand] = slot{key: key, claims: claims}
	s.index[key] = s.hand
	s.hand = (s.hand + 1) % len(s.slots)
}
