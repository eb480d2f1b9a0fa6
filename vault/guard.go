package vault

import "runtime"

// Protection says how the bytes of a Secret are kept, beyond what [Secret] promises for all.
type Protection struct {
	// OffHeap says that they are in a mapping of their own between two inaccessible pages, where the garbage collector
	// makes no copies.
	OffHeap bool
	// NoDump says that the kernel leaves the mapping out of core dumps (MADV_DONTDUMP).
	NoDump bool
	// Locked says that the mapping is never swapped out (mlock). It needs room within RLIMIT_MEMLOCK.
	Locked bool
}

// NewGuardedSecret is [NewSecret] with the strongest keeping the system has: off the Go heap, out of core dumps, locked in
// memory. What the system refuses is left out, and [Secret.Protection] reports what is in force; on systems other than
// Linux that is nothing. Each takes at least three pages and three mappings until it is wiped or collected, so it suits
// keys that live as long as the process, not tokens by the thousand. [Manifest.Load] keeps all its secrets this way.
func NewGuardedSecret(b []byte) Secret {
	m := mapBytes(len(b))
	if m == nil {
		return NewSecret(b)
	}
	copy(m.bytes, b)
	clear(b)
	c := &cell{bytes: m.bytes, mapping: m}
	runtime.AddCleanup(c, (*mapping).release, m)
	return Secret{cell: func() *cell { return c }}
}

// Protection reports how the bytes are kept. It is zero for an empty or wiped Secret.
func (s Secret) Protection() Protection {
	if s.cell == nil {
		return Protection{}
	}
	c := s.cell()
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.mapping == nil {
		return Protection{}
	}
	return c.mapping.protection
}

// Hardening says what [HardenProcess] has put in force.
type Hardening struct {
	// NoCoreDump says that the process's limit for core files is zero (RLIMIT_CORE).
	NoCoreDump bool
	// NotDumpable says that other processes of the same user can neither trace the process nor read its memory
	// (PR_SET_DUMPABLE).
	NotDumpable bool
	// Erasure says that the program is built with GOEXPERIMENT=runtimesecret for a platform it works on, so that what the
	// decoding of secrets leaves on stacks and heap is erased (Go's package runtime/secret).
	Erasure bool
}

// HardenProcess keeps the process's memory from other processes and from disk, as far as the system lets it, and reports
// what is in force. Programs that hold secrets call it first. Debuggers and crash reporters of the same user stop working.
func HardenProcess() Hardening {
	h := hardenProcess()
	h.Erasure = erases
	return h
}
