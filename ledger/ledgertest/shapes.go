package ledgertest

import (
	"slices"
	"testing/fstest"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// shapes deletes, inserts, reorders, duplicates and cuts entries: as they are, and renumbered with everything made anew.
func (m *matrix) shapes() {
	n := len(m.h.entries)
	for at := range n {
		if at < n-1 {
			m.shape("delete", at, func(e []verify.Entry) []verify.Entry { return slices.Delete(e, at, at+1) })
			m.shape("duplicate", at+1, func(e []verify.Entry) []verify.Entry { return slices.Insert(e, at+1, e[at]) })
			m.shape("reorder", at, func(e []verify.Entry) []verify.Entry { e[at], e[at+1] = e[at+1], e[at]; return e })
			m.shape("truncate", at+1, func(e []verify.Entry) []verify.Entry { return e[:at+1] })
		}
		if at > 1 {
			m.shape("reorder", 0, func(e []verify.Entry) []verify.Entry {
				moved := e[at]
				return slices.Insert(slices.Delete(e, at, at+1), 0, moved)
			})
		}
		m.shape("insert", at, func(e []verify.Entry) []verify.Entry {
			forged := e[at]
			forged.Action, forged.ID, forged.Class = "grant_admin", [16]byte{1}, verify.Normal
			forged.CurrentHash = verify.ChainHash(forged.PreviousHash, forged.Action, forged.EntityID, forged.Narrative, forged.CreatedAt)
			return slices.Insert(e, at, forged)
		})
	}
	m.add("insert", n, Exact, func() fstest.MapFS {
		return rebundle(m.clone(), append(slices.Clone(m.base.raw), m.base.raw[n-1]))
	}, "an entry behind the last")
}

func (m *matrix) shape(operation string, at int, edit func([]verify.Entry) []verify.Entry) {
	n := len(m.h.entries)
	edited := func() *honest {
		h := m.h.fork()
		h.entries = edit(h.entries)
		return h
	}
	m.add(operation, at, Exact, func() fstest.MapFS {
		x := m.base.copy()
		x.take(edited(), 0)
		return rebundle(m.clone(), x.raw)
	}, "at %d, in the bundles", at)
	m.add(operation, at, Exact, func() fstest.MapFS {
		x := m.base.copy()
		x.take(edited(), 0)
		files := rebundle(m.clone(), x.raw)
		last := verify.Tile{Entries: true, Index: uint64(len(x.raw)-1) / verify.TileWidth, Width: (len(x.raw)-1)%verify.TileWidth + 1}
		want := verify.Tile{Entries: true, Index: uint64(n-1) / verify.TileWidth, Width: (n-1)%verify.TileWidth + 1}
		if last != want && last.Index == want.Index {
			files[want.Path()] = files[last.Path()]
			delete(files, last.Path())
		}
		return files
	}, "at %d, in the bundles under their old names", at)
	rule := Covered
	if operation == "truncate" || operation == "delete" {
		rule = After
	}
	m.add(operation, at, rule, func() fstest.MapFS {
		h := edited()
		h.chain(min(at, len(h.entries)))
		x := m.base.copy()
		x.take(h, 0)
		return x.files()
	}, "at %d, renumbered, everything after it made anew", at)
}

// resign signs everything in x anew with the keys of h: the thief's export.
func (h *honest) resign() *export {
	x := h.export()
	x.head = h.checkpoint(x.leaves, len(x.leaves), false) // the witnesses' keys are elsewhere
	return x
}

// stolen rewrites the log from an entry on with all keys. Only memory from outside tells.
func (m *matrix) stolen() {
	n := len(m.h.entries)
	for at := range n {
		forged := func() fstest.MapFS {
			h := m.h.fork()
			h.entries[at].Narrative += " Und nichts weiter."
			h.chain(at)
			return h.resign().files()
		}
		for _, later := range []int{at, (at + n) / 2, n - 1} {
			f := m.add("stolen key", later, Exact, forged, "rewritten from %d, against the receipt of %d", at, later)
			f.Perfect = true
			f.with(func(c *verify.Config) { c.Receipts = []*verify.Receipt{m.h.receipt(m.base.leaves, later, n)} })
		}
		f := m.add("stolen key", at, Covered, forged, "rewritten from %d, against an earlier checkpoint", at)
		f.Perfect = true
		f.with(func(c *verify.Config) { c.Since = m.h.checkpoint(m.base.leaves, at+1, false) })
		f = m.add("stolen key", at, Broken, forged, "rewritten from %d, against a quorum", at)
		f.Perfect = true
		f.with(func(c *verify.Config) { c.Witnesses, c.Quorum = m.h.witnessKeys(), 1 })
	}
}

// cut returns the log's first size entries, signed anew.
func (h *honest) cut(size int) *export {
	g := h.fork()
	g.entries = g.entries[:size]
	within := func(seq uint64) bool { return seq < uint64(size) }
	g.openings = slices.DeleteFunc(g.openings, func(o verify.Opening) bool { return !within(o.Seq) })
	g.redacted = slices.DeleteFunc(g.redacted, func(r verify.Redaction) bool { return !within(r.Entry) })
	x := g.resign()
	x.info.Openings = within(uint64(erasureAt(len(h.entries)))) // what was erased later is withheld
	x.older = nil
	return x
}

// rollbacks restores an older state of the log and signs it. Its own witnesses had cosigned it then.
func (m *matrix) rollbacks() {
	n := len(m.h.entries)
	for size := 2; size < n; size++ {
		back := func() fstest.MapFS {
			x := m.h.cut(size)
			x.head = m.h.checkpoint(m.base.leaves, size, true)
			return x.files()
		}
		f := m.add("roll back", size, Exact, back, "to %d, against a lost entry's receipt", size)
		f.Perfect = true
		f.with(func(c *verify.Config) { c.Receipts = []*verify.Receipt{m.h.receipt(m.base.leaves, n-1, n)} })
		f = m.add("roll back", size, Exact, back, "to %d, against a kept entry's later receipt", size)
		f.Perfect = true
		f.with(func(c *verify.Config) { c.Receipts = []*verify.Receipt{m.h.receipt(m.base.leaves, 0, size+1)} })
		f = m.add("roll back", size, Exact, back, "to %d, against a later checkpoint", size)
		f.Perfect = true
		f.with(func(c *verify.Config) { c.Since = m.base.head })
		m.add("roll back", size, Broken, func() fstest.MapFS {
			files := back()
			files["checkpoint"] = m.files["checkpoint"]
			return files
		}, "to %d under today's checkpoint", size)
	}
}

// tenants puts another tenant's entries, or everything, in place of this one's.
func (m *matrix) tenants() {
	theirs := m.other.export()
	for at := range m.h.entries {
		m.add("swap tenants", at, Exact, m.replaced(at, theirs.raw[at]), "entry %d of another tenant", at)
		relabelled := m.other.entries[at]
		relabelled.Tenant = m.h.tenant
		m.add("swap tenants", at, Exact, m.replaced(at, relabelled.AppendRaw(nil)), "entry %d of another tenant under this one's name", at)
		m.add("swap tenants", at, Near, func() fstest.MapFS {
			x := m.base.copy()
			x.raw[at], x.leaves[at] = theirs.raw[at], theirs.leaves[at]
			return x.files()
		}, "entry %d of another tenant, tiles made good", at)
		relabelled.Seq = uint64(at)
		m.add("swap tenants", at, Covered, func() fstest.MapFS {
			h := m.h.fork()
			for i := at; i < len(h.entries); i++ {
				h.entries[i] = m.other.entries[i]
				h.entries[i].Tenant = h.tenant
			}
			h.chain(at)
			x := m.base.copy()
			x.take(h, at)
			return x.files()
		}, "everything from %d on another tenant's, made anew", at)
	}
	whole := func(edit func(x *export)) func() fstest.MapFS {
		return func() fstest.MapFS {
			x := theirs.copy()
			edit(x)
			return x.files()
		}
	}
	m.add("swap tenants", 0, Broken, whole(func(*export) {}), "the whole export")
	m.add("swap tenants", 0, Broken, whole(func(x *export) { x.keys = m.h.keys }), "the whole export with this one's keys")
	m.add("swap tenants", 0, Broken, whole(func(x *export) { x.head, x.older, x.info.Origin = m.base.head, m.base.older, m.h.origin }), "the entries under this one's checkpoint")
	m.add("swap tenants", 0, Broken, whole(func(x *export) { x.older = m.base.older }), "the export with this one's older checkpoints")
	m.add("swap tenants", 0, Broken, func() fstest.MapFS {
		x := m.base.copy()
		x.older[0] = theirs.older[0]
		return x.files()
	}, "one older checkpoint")
}
