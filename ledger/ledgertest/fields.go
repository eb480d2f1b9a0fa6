package ledgertest

import (
	"bytes"
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// field is one field of an entry: ways to change it, and to swap it with another entry's.
type field struct {
	name    string
	changes []func(*verify.Entry)
	swap    func(a, b *verify.Entry)
}

// fields are all fields of an entry.
var fields = []field{
	{"seq", []func(*verify.Entry){
		func(e *verify.Entry) { e.Seq++ }, func(e *verify.Entry) { e.Seq ^= 1 << 62 }, func(e *verify.Entry) { e.Seq = ^uint64(0) },
	}, func(a, b *verify.Entry) { a.Seq, b.Seq = b.Seq, a.Seq }},
	{"id", []func(*verify.Entry){
		func(e *verify.Entry) { e.ID[0] ^= 0x80 }, func(e *verify.Entry) { e.ID[15] ^= 1 }, func(e *verify.Entry) { e.ID = [16]byte{} },
	}, func(a, b *verify.Entry) { a.ID, b.ID = b.ID, a.ID }},
	{"tenant", []func(*verify.Entry){
		func(e *verify.Entry) { e.Tenant[15] ^= 1 }, func(e *verify.Entry) { e.Tenant = [16]byte{} },
	}, func(a, b *verify.Entry) { a.Tenant, b.Tenant = b.Tenant, a.Tenant }},
	{"user", []func(*verify.Entry){
		func(e *verify.Entry) { e.User = &[16]byte{0xee} },
		func(e *verify.Entry) {
			if e.User == nil {
				e.User = &[16]byte{}
			} else {
				e.User = nil
			}
		},
	}, func(a, b *verify.Entry) { a.User, b.User = b.User, a.User }},
	{"class", []func(*verify.Entry){func(e *verify.Entry) { e.Class ^= 1 }, func(e *verify.Entry) { e.Class = 9 }},
		func(a, b *verify.Entry) { a.Class, b.Class = b.Class, a.Class }},
	{"scheme", []func(*verify.Entry){func(e *verify.Entry) { e.Scheme = verify.SchemePlain }, func(e *verify.Entry) { e.Scheme = 0 }},
		func(a, b *verify.Entry) { a.Scheme, b.Scheme = b.Scheme, a.Scheme }},
	{"created_at", []func(*verify.Entry){
		func(e *verify.Entry) { e.CreatedAt = e.CreatedAt.Add(time.Microsecond) },
		func(e *verify.Entry) { e.CreatedAt = e.CreatedAt.Add(-time.Microsecond) },
		func(e *verify.Entry) { e.CreatedAt = e.CreatedAt.AddDate(-1, 0, 0) },
		func(e *verify.Entry) { e.CreatedAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
	}, func(a, b *verify.Entry) { a.CreatedAt, b.CreatedAt = b.CreatedAt, a.CreatedAt }},
	{"previous_hash", []func(*verify.Entry){
		func(e *verify.Entry) { e.PreviousHash[0] ^= 1 }, func(e *verify.Entry) { e.PreviousHash[31] ^= 0x80 },
		func(e *verify.Entry) { e.PreviousHash = e.CurrentHash },
	}, func(a, b *verify.Entry) { a.PreviousHash, b.PreviousHash = b.PreviousHash, a.PreviousHash }},
	{"current_hash", []func(*verify.Entry){
		func(e *verify.Entry) { e.CurrentHash[0] ^= 1 }, func(e *verify.Entry) { e.CurrentHash[31] ^= 0x80 },
		func(e *verify.Entry) { e.CurrentHash = e.PreviousHash },
	}, func(a, b *verify.Entry) { a.CurrentHash, b.CurrentHash = b.CurrentHash, a.CurrentHash }},
	{"action", []func(*verify.Entry){
		func(e *verify.Entry) { e.Action = "reject_draft" }, func(e *verify.Entry) { e.Action = "Login!" }, func(e *verify.Entry) { e.Action = "" },
	}, func(a, b *verify.Entry) { a.Action, b.Action = b.Action, a.Action }},
	{"entity_type", []func(*verify.Entry){
		func(e *verify.Entry) { e.EntityType = "tariff" }, func(e *verify.Entry) { e.EntityType = "" },
	}, func(a, b *verify.Entry) { a.EntityType, b.EntityType = b.EntityType, a.EntityType }},
	{"entity_id", []func(*verify.Entry){
		func(e *verify.Entry) { e.EntityID += "0" }, func(e *verify.Entry) { e.EntityID = "" },
		func(e *verify.Entry) { e.EntityID = "\xff" },
		// The chain's formula has no separators: this keeps its hash.
		func(e *verify.Entry) { e.EntityID, e.Narrative = e.EntityID+e.Narrative[:1], e.Narrative[1:] },
	}, func(a, b *verify.Entry) { a.EntityID, b.EntityID = b.EntityID, a.EntityID }},
	{"nis2_narrative", []func(*verify.Entry){
		func(e *verify.Entry) { e.Narrative = strings.ToUpper(e.Narrative) }, func(e *verify.Entry) { e.Narrative = "" },
		func(e *verify.Entry) { e.Narrative += " " },
	}, func(a, b *verify.Entry) { a.Narrative, b.Narrative = b.Narrative, a.Narrative }},
	{"details", []func(*verify.Entry){
		func(e *verify.Entry) { e.Details = []byte(`{"n":99}`) }, func(e *verify.Entry) { e.Details = []byte(`{}`) },
		func(e *verify.Entry) { e.Details = append(bytes.Clone(e.Details), ' ') },
		func(e *verify.Entry) { e.Details = []byte(`{"b":1,"a":2}`) },
	}, func(a, b *verify.Entry) { a.Details, b.Details = b.Details, a.Details }},
}

// flips changes every field of every entry, by the first four forgers.
func (m *matrix) flips() {
	for at := range m.h.entries {
		for _, f := range fields {
			for i, change := range f.changes {
				e := m.h.entries[at]
				change(&e)
				raw := e.AppendRaw(nil)
				if bytes.Equal(raw, m.base.raw[at]) {
					continue
				}
				name := fmt.Sprintf("%s of entry %d, change %d", f.name, at, i)
				m.add("flip", at, Exact, m.replaced(at, raw), "%s", name)
				good := e
				good.CurrentHash = verify.ChainHash(e.PreviousHash, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
				goodRaw := good.AppendRaw(nil)
				if bytes.Equal(goodRaw, m.base.raw[at]) {
					continue // it was the hash that was changed
				}
				m.add("flip", at, Exact, m.replaced(at, goodRaw), "%s, hash made good", name)
				m.add("flip", at, Near, func() fstest.MapFS {
					x := m.base.copy()
					x.raw[at], x.leaves[at] = goodRaw, verify.LeafHash(goodRaw)
					return x.files()
				}, "%s, hash and tiles made good", name)
				m.anew("flip", at, change, name)
			}
		}
	}
}

// replaced replaces one entry in its bundle.
func (m *matrix) replaced(at int, raw []byte) func() fstest.MapFS {
	return func() fstest.MapFS {
		entries := append([][]byte(nil), m.base.raw...)
		entries[at] = raw
		return rebundle(m.clone(), entries)
	}
}

// anew changes an entry and makes the chain and the tree from there on anew, without the keys. Changes that break an
// entry's form, its place or its hashes are none this forger would make.
func (m *matrix) anew(operation string, at int, change func(*verify.Entry), name string) {
	e := m.h.entries[at]
	change(&e)
	if e.Seq != uint64(at) || e.PreviousHash != m.h.entries[at].PreviousHash || e.CurrentHash != m.h.entries[at].CurrentHash {
		return
	}
	if _, err := e.Canonical(); err != nil {
		return
	}
	m.add(operation, at, Covered, func() fstest.MapFS {
		h := m.h.fork()
		h.entries[at] = e
		h.chain(at)
		x := m.base.copy()
		x.take(h, at)
		return x.files()
	}, "%s, everything after it made anew", name)
}

// fork returns a log that can be changed.
func (h *honest) fork() *honest {
	g := *h
	g.entries = append([]verify.Entry(nil), h.entries...)
	g.openings = append([]verify.Opening(nil), h.openings...)
	g.redacted = append([]verify.Redaction(nil), h.redacted...)
	return &g
}

// take puts another log's entries from a position on into an export. Nothing is signed.
func (x *export) take(h *honest, from int) {
	x.raw, x.leaves = x.raw[:from], x.leaves[:from]
	for i := from; i < len(h.entries); i++ {
		x.raw = append(x.raw, h.entries[i].AppendRaw(nil))
		x.leaves = append(x.leaves, verify.LeafHash(x.raw[i]))
	}
}

// swaps exchanges a field between two entries.
func (m *matrix) swaps() {
	n := len(m.h.entries)
	for at := range n - 1 {
		for _, with := range []int{at + 1, at + 1 + (at*7+3)%(n-at-1)} {
			for _, f := range fields {
				a, b := m.h.entries[at], m.h.entries[with]
				f.swap(&a, &b)
				rawA, rawB := a.AppendRaw(nil), b.AppendRaw(nil)
				if bytes.Equal(rawA, m.base.raw[at]) {
					continue
				}
				m.add("swap", at, Exact, func() fstest.MapFS {
					entries := append([][]byte(nil), m.base.raw...)
					entries[at], entries[with] = rawA, rawB
					return rebundle(m.clone(), entries)
				}, "%s of entries %d and %d", f.name, at, with)
				m.add("swap", at, Near, func() fstest.MapFS {
					x := m.base.copy()
					x.raw[at], x.raw[with] = rawA, rawB
					x.leaves[at], x.leaves[with] = verify.LeafHash(rawA), verify.LeafHash(rawB)
					return x.files()
				}, "%s of entries %d and %d, tiles made good", f.name, at, with).To = uint64(with)
			}
		}
	}
}
