package abac

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Universe is the fixed list of permissions a product asks for. Every permission has an [ID], so that a route which knows
// its permission when it is registered decides in about a nanosecond. A Universe is immutable and safe for concurrent use.
type Universe struct {
	names   []string
	index   map[string]entry
	words   int                 // length of a bitset over all permissions
	all     []uint64            // every permission
	subtree map[string][]uint64 // resource or ancestor of one → permissions at or below it
	action  map[string][]uint64 // action → permissions with it
}

// entry is the place of a permission in a bitset.
type entry struct {
	word uint16
	leaf bool   // no registered resource lies below this one's
	bit  uint64 // exactly one
}

// ID is a registered permission. It belongs to the Universe that issued it; the zero ID belongs to none and is never
// allowed.
type ID struct {
	universe *Universe
	word     uint16
	bit      uint64
}

// String returns the permission's text, "" for the zero ID.
func (id ID) String() string {
	if id.universe == nil {
		return ""
	}
	return id.universe.first(int(id.word), id.bit)
}

// NewUniverse registers permissions such as "devices:read", at most [MaxPermissions]. A malformed or repeated permission
// is an error.
func NewUniverse(permissions ...string) (*Universe, error) {
	if len(permissions) > MaxPermissions {
		return nil, fmt.Errorf("abac: universe: %d permissions, at most %d", len(permissions), MaxPermissions)
	}
	u := &Universe{
		names:   make([]string, 0, len(permissions)),
		index:   make(map[string]entry, len(permissions)),
		words:   (len(permissions) + 63) / 64,
		subtree: make(map[string][]uint64),
		action:  make(map[string][]uint64),
	}
	u.all = make([]uint64, u.words)
	for i, text := range permissions {
		resource, action, err := ParsePermission(text)
		if err != nil {
			return nil, fmt.Errorf("abac: universe: permission %d: %w", i, err)
		}
		if _, twice := u.index[text]; twice {
			return nil, fmt.Errorf("abac: universe: permission %d: registered twice", i)
		}
		u.add(strings.Clone(text), resource, action)
	}
	u.markLeaves()
	return u, nil
}

func (u *Universe) add(text, resource, action string) {
	n := len(u.names)
	u.names = append(u.names, text)
	u.index[text] = entry{word: uint16(n >> 6), bit: 1 << (n & 63)}
	setBit(u.all, n)
	setBit(u.mask(u.action, action), n)
	for r, more := resource, true; more; r, more = parent(r) {
		setBit(u.mask(u.subtree, r), n)
	}
}

// mask returns the bitset of key in m, making it if there is none.
func (u *Universe) mask(m map[string][]uint64, key string) []uint64 {
	members, ok := m[key]
	if !ok {
		members = make([]uint64, u.words)
		m[strings.Clone(key)] = members
	}
	return members
}

// markLeaves finds the permissions for which a rule with the same text covers nothing else, so that compiling it is one
// bit instead of a mask.
func (u *Universe) markLeaves() {
	inner := make(map[string]bool)
	for _, name := range u.names {
		resource, _, _ := strings.Cut(name, ":")
		for r, more := parent(resource); more; r, more = parent(r) {
			inner[r] = true
		}
	}
	for name, e := range u.index {
		resource, _, _ := strings.Cut(name, ":")
		e.leaf = !inner[resource]
		u.index[name] = e
	}
}

// ID returns the permission's ID; ok is false, and the ID zero, if it is not registered.
func (u *Universe) ID(permission string) (id ID, ok bool) {
	e, ok := u.index[permission]
	if !ok {
		return ID{}, false
	}
	return ID{u, e.word, e.bit}, true
}

// Permissions returns the registered permissions in the order they were given.
func (u *Universe) Permissions() []string { return slices.Clone(u.names) }

// Len returns the number of registered permissions.
func (u *Universe) Len() int { return len(u.names) }

// mark sets, for every registered permission that p covers, its allow or its deny bit in words. Text is p's without "!".
func (u *Universe) mark(words []word, p Policy, text string) {
	if e, ok := u.index[text]; ok && e.leaf {
		words[e.word].set(p.Deny, e.bit)
		return
	}
	left, right := u.all, u.all
	if p.Resource != Any {
		left = u.subtree[p.Resource]
	}
	if p.Action != Any {
		right = u.action[p.Action]
	}
	if left == nil || right == nil {
		return
	}
	for i := range words {
		words[i].set(p.Deny, left[i]&right[i])
	}
}

func (w *word) set(deny bool, bits uint64) {
	if deny {
		w.deny |= bits
	} else {
		w.allow |= bits
	}
}

// parent returns the resource above r; more is false if r is at the top.
func parent(r string) (above string, more bool) {
	if i := strings.LastIndexByte(r, '.'); i >= 0 {
		return r[:i], true
	}
	return "", false
}

func setBit(words []uint64, n int) { words[n>>6] |= 1 << (n & 63) }

// first returns the text of the lowest permission in word w of a bitset.
func (u *Universe) first(w int, word uint64) string { return u.names[w<<6+bits.TrailingZeros64(word)] }
