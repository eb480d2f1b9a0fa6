package verify

import (
	"time"
)

// Chain checks entries one after another against the rules that bind them to their predecessor, in constant memory. The
// zero value expects a log's first entry. It is not safe for concurrent use.
//
// After a fault it goes on from the faulty entry, so that one fault is one error, at the first entry that shows it.
type Chain struct {
	tenant    [16]byte
	hasTenant bool
	pos       uint64 // position of the next entry
	seq       uint64 // seq it must have; differs from pos only after a fault
	prev      [32]byte
	alt       [32]byte // what prev would have been, had the entry before told the truth
	skipPrev  bool     // the entry before could not be read
	last      int64

	v       view
	scratch []byte
}

// ResumeChain returns a chain whose next entry is at position pos, after an entry with the given hash, time and tenant.
func ResumeChain(pos uint64, tenant [16]byte, hash [32]byte, at time.Time) *Chain {
	return &Chain{tenant: tenant, hasTenant: true, pos: pos, seq: pos, prev: hash, alt: hash, last: at.UnixMicro()}
}

// Expect fixes the tenant before the first entry, which otherwise sets it.
func (c *Chain) Expect(tenant [16]byte) { c.tenant, c.hasTenant = tenant, true }

// Check checks the canonical form of the next entry. It returns nil or the first of these that applies, all of them
// naming the entry's position: *MalformedEntryError, *SequenceError, *TenantError, *TimeError, *BrokenLinkError,
// *HashError.
func (c *Chain) Check(canonical []byte) error {
	pos := c.pos
	c.pos++
	if err := c.v.parse(canonical); err != nil {
		c.seq++
		c.skipPrev = true
		return &MalformedEntryError{Seq: pos, Err: err}
	}
	var sum [32]byte
	sum, c.scratch = c.v.link(c.scratch)
	err := c.rules(pos, sum)

	c.seq = c.v.seq + 1
	c.prev, c.alt, c.skipPrev = c.v.cur, sum, false
	c.last = c.v.micros
	return err
}

func (c *Chain) rules(pos uint64, sum [32]byte) error {
	v := &c.v
	if !c.hasTenant {
		c.Expect(v.tenant)
	}
	switch {
	case v.seq != c.seq:
		return &SequenceError{Seq: pos, Have: v.seq}
	case v.tenant != c.tenant:
		return &TenantError{Seq: pos}
	case v.micros < c.last:
		return &TimeError{Seq: pos, Before: time.UnixMicro(c.last).UTC(), Have: time.UnixMicro(v.micros).UTC()}
	case v.prev != c.prev && v.prev != c.alt && !c.skipPrev:
		return &BrokenLinkError{Seq: pos, Want: c.prev, Have: v.prev}
	case v.cur != sum:
		return &HashError{Seq: pos, Want: sum, Have: v.cur}
	}
	return nil
}
