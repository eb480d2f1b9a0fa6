package ledgertest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// replays puts an old checkpoint in the place of another.
func (m *matrix) replays() {
	n := len(m.h.entries)
	for size := 1; size < n; size++ {
		old := func() []byte { return m.h.checkpoint(m.base.leaves, size, true) }
		m.add("replay checkpoint", size, Broken, func() fstest.MapFS {
			files := m.clone()
			files["checkpoint"] = &fstest.MapFile{Data: old()}
			return files
		}, "of size %d over all entries", size)
		m.add("replay checkpoint", size, Exact, func() fstest.MapFS {
			x := m.h.cut(size)
			x.head = old()
			return rebundle(x.files(), m.base.raw)
		}, "of size %d over all entries, tiles made good", size)
		f := m.add("replay checkpoint", size, Exact, func() fstest.MapFS {
			x := m.h.cut(size)
			x.head = old()
			return x.files()
		}, "of size %d, with the entries it covers, against a later one", size)
		f.Perfect = true
		f.with(func(c *verify.Config) { c.Since = m.base.head })
		m.add("replay checkpoint", size, Broken, m.edited(func(x *export) {
			x.older = [][]byte{bytes.Replace(old(), fmt.Appendf(nil, "\n%d\n", size), fmt.Appendf(nil, "\n%d\n", size+1), 1)}
		}), "of size %d under the name of another", size)
	}
}

// rotations forges the key history and the announcement of keys.
func (m *matrix) rotations() {
	n := len(m.h.entries)
	at := rotationAt(n)
	stranger := newSigners(6000, at+1)
	history := func(edit func(*verify.KeyHistory)) func() fstest.MapFS {
		return m.edited(func(x *export) {
			x.keys = &verify.KeyHistory{Origin: m.h.origin, Keys: slices.Clone(m.h.keys.Keys)}
			edit(x.keys)
		})
	}
	pinFirst := func(c *verify.Config) {
		c.Keys = &verify.KeyHistory{Origin: m.h.origin, Keys: slices.Clone(m.h.keys.Keys[:3])}
		for i := range c.Keys.Keys {
			c.Keys.Keys[i].Until = 0
		}
	}
	for i := range 3 {
		for name, edit := range map[string]func(*verify.KeyHistory){
			"a stranger's key in its place": func(k *verify.KeyHistory) { k.Keys[3+i] = stranger.keys(0)[i] },
			"valid one later":               func(k *verify.KeyHistory) { k.Keys[3+i].From++ },
			"left out":                      func(k *verify.KeyHistory) { k.Keys = slices.Delete(k.Keys, 3+i, 4+i) },
			"its predecessor stays valid":   func(k *verify.KeyHistory) { k.Keys[i].Until = 0 },
		} {
			f := m.add("forge rotation", at, Broken, history(edit), "key %d: %s", i, name)
			f.with(pinFirst)
		}
	}
	// The owner of the database and of the new keys, not of the old entry key.
	announced := func(edit func(h *honest, e *verify.Entry), by *sign.CompositeKey) func() fstest.MapFS {
		return func() fstest.MapFS {
			h := m.h.fork()
			edit(h, &h.entries[at])
			h.chain(at)
			x := h.resign()
			for i := range x.signatures {
				if int(x.signatures[i].Seq) == at {
					x.signatures[i] = verify.EntrySignature{Seq: uint64(at), Key: by.Public().ID(), Sig: must(by.Sign(sign.ContextEntry, x.raw[at]))}
				}
			}
			return x.files()
		}
	}
	same := func(*honest, *verify.Entry) {}
	for name, build := range map[string]func() fstest.MapFS{
		"signed by the new key":  announced(same, m.h.signers[1].critic),
		"signed by a stranger":   announced(same, stranger.critic),
		"signed by a checkpoint": announced(same, m.h.signers[0].composite),
		"not critical":           announced(func(_ *honest, e *verify.Entry) { e.Class = verify.Normal }, m.h.signers[0].critic),
		"of another log":         announced(func(_ *honest, e *verify.Entry) { e.EntityID = strings.Repeat("0", 32) }, m.h.signers[0].critic),
		"of another position": announced(func(_ *honest, e *verify.Entry) {
			e.Details = bytes.ReplaceAll(e.Details, fmt.Appendf(nil, `"from":%d`, at+1), fmt.Appendf(nil, `"from":%d`, at+2))
		}, m.h.signers[0].critic),
		"under another action": announced(func(_ *honest, e *verify.Entry) { e.Action = "login" }, m.h.signers[0].critic),
	} {
		f := m.add("forge rotation", at, Broken, build, "announcement %s", name)
		f.with(pinFirst)
	}
}

// gaps forges the declaration of a gap: the operator holds all keys, and is bound by the rules all the same.
func (m *matrix) gaps(n int) {
	at, until := n/2, n/2+5
	recovered := func(edit func(*verify.Recovery, *verify.Entry), older ...int) func() fstest.MapFS {
		return func() fstest.MapFS {
			h := m.h.fork()
			remembered := root(m.base.leaves[:until])
			r := &verify.Recovery{Epoch: 1, LostFrom: uint64(at), LostUntil: uint64(until), WitnessedRoot: &remembered, Approvers: [2][16]byte{{1}, {2}}}
			e := &h.entries[at]
			edit(r, nil)
			m.h.speaks(e, verify.RecoveryAction, r.Details())
			e.Narrative = "Das Protokoll wird fortgesetzt."
			edit(r, e)
			h.openings = slices.DeleteFunc(h.openings, func(o verify.Opening) bool { return o.Seq == uint64(at) })
			h.origin = verify.FormatOrigin("audit.example", [16]byte{1}, 1)
			h.keys = &verify.KeyHistory{Origin: h.origin, Keys: m.h.keys.Keys}
			h.chain(at)
			x := h.resign()
			x.keys, x.info.Origin, x.older = h.keys, h.origin, nil
			for _, size := range older {
				x.older = append(x.older, m.h.checkpoint(m.base.leaves, size, false))
			}
			return x.files()
		}
	}
	note := func(edit func(*verify.Recovery)) func(*verify.Recovery, *verify.Entry) {
		return func(r *verify.Recovery, e *verify.Entry) {
			if e == nil {
				edit(r)
			}
		}
	}
	entry := func(edit func(*verify.Entry)) func(*verify.Recovery, *verify.Entry) {
		return func(_ *verify.Recovery, e *verify.Entry) {
			if e != nil {
				edit(e)
			}
		}
	}
	for name, build := range map[string]func() fstest.MapFS{
		"one approver twice":         recovered(note(func(r *verify.Recovery) { r.Approvers[1] = r.Approvers[0] })),
		"from another position":      recovered(note(func(r *verify.Recovery) { r.LostFrom-- })),
		"that loses nothing":         recovered(note(func(r *verify.Recovery) { r.LostUntil = r.LostFrom })),
		"of another epoch":           recovered(note(func(r *verify.Recovery) { r.Epoch = 2 })),
		"with another root":          recovered(note(func(r *verify.Recovery) { r.WitnessedRoot = &[32]byte{1} }), until),
		"shorter than was witnessed": recovered(note(func(r *verify.Recovery) { r.LostUntil-- }), until),
		"without a signature":        recovered(entry(func(e *verify.Entry) { e.Class = verify.Normal })),
		"of another log":             recovered(entry(func(e *verify.Entry) { e.EntityID = strings.Repeat("0", 32) })),
		"under another action":       recovered(entry(func(e *verify.Entry) { e.Action = "login" }), until),
		"that no entry declares":     recovered(entry(func(e *verify.Entry) { e.Action, e.Class = "login", verify.Normal }), until),
	} {
		f := m.add("forge gap", at, Broken, build, "a gap %s", name)
		f.with(func(c *verify.Config) { c.Origin = "" })
	}
}

// cosignatures forges the witnesses' lines on the newest checkpoint.
func (m *matrix) cosignatures() {
	n := len(m.h.entries)
	quorum := func(c *verify.Config) { c.Witnesses, c.Quorum = m.h.witnessKeys(), 2 }
	lines := bytes.SplitAfter(m.base.head, []byte("\n"))
	lines = lines[:len(lines)-1]
	own := len(lines) - len(m.h.witnesses)
	head := func(edit func(lines [][]byte) [][]byte) func() fstest.MapFS {
		return func() fstest.MapFS {
			files := m.clone()
			files["checkpoint"] = &fstest.MapFile{Data: bytes.Join(edit(slices.Clone(lines)), nil)}
			return files
		}
	}
	impostor := must(sign.NewWitnessKey("a.witness.example", seeded(99)))
	text := bytes.Join(lines[:own-3], nil)
	for i := range m.h.witnesses {
		at := own + i
		for name, build := range map[string]func() fstest.MapFS{
			"missing":               head(func(l [][]byte) [][]byte { return slices.Delete(l, at, at+1) }),
			"the other one's twice": head(func(l [][]byte) [][]byte { l[at] = l[own+1-i]; return l }),
			"of an older size": head(func(l [][]byte) [][]byte {
				old := bytes.SplitAfter(m.h.checkpoint(m.base.leaves, n-1, true), []byte("\n"))
				l[at] = old[at]
				return l
			}),
			"by an impostor": head(func(l [][]byte) [][]byte {
				l[at] = must(impostor.Cosign(text, time.Unix(1, 0)))
				return l
			}),
		} {
			m.add("forge cosignature", n, Broken, build, "witness %d: %s", i, name).with(quorum)
		}
		name, blob, _ := strings.Cut(strings.TrimSuffix(string(lines[at]), "\n")[len("— "):], " ")
		raw := must(base64.StdEncoding.DecodeString(blob))
		for _, offset := range []int{0, 3, 4, 11, 12, len(raw) / 2, len(raw) - 1} { // key hash, time, signature
			m.add("forge cosignature", n, Broken, head(func(l [][]byte) [][]byte {
				forged := slices.Clone(raw)
				forged[offset] ^= 1
				l[at] = []byte("— " + name + " " + base64.StdEncoding.EncodeToString(forged) + "\n")
				return l
			}), "witness %d: byte %d", i, offset).with(quorum)
		}
	}
}

// bytes changes single bytes of every file that something vouches for, and cuts files off.
func (m *matrix) bytes() {
	random := rand.New(rand.NewSource(1))
	names := make([]string, 0, len(m.files))
	for name := range m.files {
		if name != "log.json" && name != "keys.json" { // descriptions, which the judge knows better
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		data := m.files[name].Data
		change := func(kind string, edit func([]byte) []byte) {
			m.add("bytes", 0, Broken, func() fstest.MapFS {
				files := m.clone()
				files[name] = &fstest.MapFile{Data: edit(bytes.Clone(data))}
				return files
			}, "%s: %s", name, kind).with(func(c *verify.Config) { c.Witnesses, c.Quorum = m.h.witnessKeys(), 2 })
		}
		for range 150 {
			at, bit := random.Intn(len(data)), byte(1)<<random.Intn(8)
			change(fmt.Sprintf("bit %#x of byte %d", bit, at), func(b []byte) []byte { b[at] ^= bit; return b })
		}
		for range 20 {
			at := random.Intn(len(data))
			change(fmt.Sprintf("cut off at %d", at), func(b []byte) []byte { return b[:at] })
			change(fmt.Sprintf("byte %d gone", at), func(b []byte) []byte { return slices.Delete(b, at, at+1) })
			change(fmt.Sprintf("byte %d twice", at), func(b []byte) []byte { return slices.Insert(b, at, b[at]) })
		}
		change("bytes behind it", func(b []byte) []byte { return append(b, '\n') })
		if strings.HasPrefix(name, "checkpoint") {
			continue // without the newest there is nothing to judge, and an export may be without older ones
		}
		m.add("bytes", 0, Broken, func() fstest.MapFS {
			files := m.clone()
			delete(files, name)
			return files
		}, "%s: gone", name)
	}
}
