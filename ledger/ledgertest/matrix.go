package ledgertest

import (
	"fmt"
	"io/fs"
	"testing/fstest"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Rule says what a verifier must make of a forgery.
type Rule uint8

// The rules, from the sharpest on.
const (
	// Exact: the first finding names exactly position At. It holds whenever the tiles were left alone, and for a receipt.
	Exact Rule = iota
	// Near: the first finding has a position, and its range reaches an entry from At to the one after To. It holds where the
	// tiles were made good for the changed entries.
	Near
	// Covered: a finding's range contains At, and no finding lies wholly before it. It holds where everything from At on
	// was made anew without the keys.
	Covered
	// After: the first finding has a position, and it is At or later. It holds where the log was shortened and renumbered
	// without the keys: what is missing is named where the log ends.
	After
	// Broken: the log is not intact. No position exists, since no entry differs, or since it is not there any more.
	Broken
)

// Forgery is a tampered export with what its judge knows.
type Forgery struct {
	Operation string // one of those of the matrix: flip, swap, delete, …
	Name      string
	At, To    uint64 // first and last entry that was changed by itself
	Rule      Rule
	// Perfect says that the export is intact for a judge without memory from outside: the forger held all keys.
	Perfect bool

	build func() (fstest.MapFS, verify.Config)
}

// Build makes the export and the judge's knowledge.
func (f *Forgery) Build() (fs.FS, verify.Config) { return f.build() }

// Judge returns what a report lacks, or nil if it says what it must.
func (f *Forgery) Judge(r *verify.Report) error {
	if r.Intact() || len(r.Findings) == 0 {
		return fmt.Errorf("ledgertest: %s: not detected", f.Name)
	}
	first := &r.Findings[0]
	ok := true
	switch f.Rule {
	case Exact:
		ok = first.Exact() && first.First == f.At
	case Near:
		ok = first.Located && first.First <= f.To+1 && first.Last >= f.At
	case Covered:
		ok = first.Located && first.Last >= f.At
		covers := false
		for i := range r.Findings {
			g := &r.Findings[i]
			covers = covers || g.Located && g.First <= f.At && g.Last >= f.At
		}
		ok = ok && covers
	case After:
		ok = first.Located && first.Last >= f.At
	case Broken:
	}
	if !ok {
		return fmt.Errorf("ledgertest: %s: first finding %s %d–%d (%w), want position %d", f.Name, first.Kind, first.First, first.Last, first.Err, f.At)
	}
	return nil
}

// Matrix returns forgeries of a log of n entries, n at least 20: every field of every entry and of every file beside them,
// under every operation, by forgers of growing power. The forgeries are built when they are asked for.
//
// The forgers: one who changes the entries alone; one who makes the entry's hash good; one who makes the tiles good as
// well; one who makes everything anew from an entry on, without the keys; and a thief with all keys, against whom only
// memory from outside helps: a receipt, an earlier checkpoint, a quorum of witnesses.
func Matrix(n int) []Forgery {
	m := &matrix{h: newHonest(n, 1), other: newHonest(n, 2)}
	m.base = m.h.export()
	m.files = m.base.files()
	m.flips()
	m.swaps()
	m.shapes()
	m.stolen()
	m.rollbacks()
	m.tenants()
	m.redactions()
	m.sides()
	m.replays()
	m.rotations()
	m.gaps(n)
	m.cosignatures()
	m.bytes()
	return m.list
}

// Honest returns the export that the forgeries of Matrix(n) are made of, and what its judge knows: it is intact.
func Honest(n int) (fs.FS, verify.Config) {
	h := newHonest(n, 1)
	x := h.export()
	return x.files(), verify.Config{Keys: h.keys, Tenant: &h.tenant, Origin: h.origin, Since: x.older[1], Witnesses: h.witnessKeys(), Quorum: 2,
		Receipts: []*verify.Receipt{h.receipt(x.leaves, 1, n/2), h.receipt(x.leaves, n-1, n)}}
}

type matrix struct {
	h, other *honest
	base     *export
	files    fstest.MapFS
	list     []Forgery
}

// add adds a forgery of which the judge knows the keys, the tenant and the origin.
func (m *matrix) add(operation string, at int, rule Rule, build func() fstest.MapFS, name string, args ...any) *Forgery {
	m.list = append(m.list, Forgery{Operation: operation, Name: operation + ": " + fmt.Sprintf(name, args...), At: uint64(at), To: uint64(at), Rule: rule,
		build: func() (fstest.MapFS, verify.Config) { return build(), m.config() }})
	return &m.list[len(m.list)-1]
}

func (m *matrix) config() verify.Config {
	return verify.Config{Keys: m.h.keys, Tenant: &m.h.tenant, Origin: m.h.origin}
}

// with adds what the judge remembers.
func (f *Forgery) with(know func(*verify.Config)) {
	build := f.build
	f.build = func() (fstest.MapFS, verify.Config) {
		files, cfg := build()
		know(&cfg)
		return files, cfg
	}
}

// clone returns the honest files, to be changed.
func (m *matrix) clone() fstest.MapFS {
	files := make(fstest.MapFS, len(m.files))
	for name, f := range m.files {
		files[name] = f
	}
	return files
}

// copy returns the honest export, to be changed in its lists.
func (x *export) copy() *export {
	y := *x
	y.raw = append([][]byte(nil), x.raw...)
	y.leaves = append([][32]byte(nil), x.leaves...)
	y.signatures = append([]verify.EntrySignature(nil), x.signatures...)
	y.openings = append([]verify.Opening(nil), x.openings...)
	y.redactions = append([]verify.Redaction(nil), x.redactions...)
	y.older = append([][]byte(nil), x.older...)
	return &y
}
