//go:build ignore

package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// log is a small log with its keys: every fourth entry critical, 2 and 5 with personal values, that of 2 erased by 9.
type log struct {
	origin            string
	composite, critic *sign.CompositeKey
	stock             *sign.Ed25519Key
	keys              *verify.KeyHistory
	entries           []verify.Entry
	raw               [][]byte
	leaves            [][32]byte
	openings          []verify.Opening
	redactions        []verify.Redaction
}

func newLog(n int) *log {
	seeded := func(seed int64) io.Reader { return rand.New(rand.NewSource(seed)) }
	l := &log{origin: verify.FormatOrigin("audit.example", [16]byte{0xab, 0xcd}, 0), composite: must(sign.NewCompositeKey(seeded(1))),
		critic: must(sign.NewCompositeKey(seeded(2))), stock: must(sign.NewEd25519Key(seeded(3)))}
	l.keys = &verify.KeyHistory{Origin: l.origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: l.composite.Public()}, {Purpose: verify.PurposeStock, Ed25519: l.stock.Public()},
		{Purpose: verify.PurposeEntry, Composite: l.critic.Public()},
	}}
	erasure := verify.NewErasure()
	for i := range n {
		e := verify.Entry{Seq: uint64(i), Tenant: [16]byte{0x6b, 15: 6}, Action: "approve_draft", EntityType: "draft", EntityID: fmt.Sprintf("d-%d", i),
			Details: must(verify.CanonicalDetails(map[string]any{"n": int64(i), "tags": []any{"ä", true}})), Narrative: fmt.Sprintf("Entwurf %d wurde freigegeben.", i),
			CreatedAt: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(i/2) * 1234567 * time.Microsecond), Scheme: verify.SchemeBound}
		binary.BigEndian.PutUint64(e.ID[8:], uint64(i)+1)
		if i%3 != 0 {
			e.User = &[16]byte{7, byte(i)}
		}
		if i%4 == 3 && i < 12 {
			e.Class = verify.Critical
		}
		switch i {
		case 2, 5:
			salt := sha256.Sum256([]byte{byte(i)})
			value := fmt.Sprintf("Erika \"Ä\" Muster\n%d", i)
			c := verify.Commitment(salt, value)
			e.Details = must(verify.CanonicalDetails(map[string]any{"who": map[string]any{"c": hex32(c)}}))
			e.Narrative = "Anmeldung von {c:" + hex32(c) + "}."
			if i == 2 {
				erasure.Add(2, c)
				l.redactions = append(l.redactions, verify.Redaction{Seq: 2, Commitment: c, Entry: 9})
			} else {
				l.openings = append(l.openings, verify.Opening{Seq: 5, Commitment: c, Salt: salt, Value: value})
			}
		case 9:
			count, digest := erasure.Sum()
			e.Action = verify.RedactionAction
			e.Details = must(verify.CanonicalDetails(map[string]any{verify.ErasedCount: int64(count), verify.ErasedDigest: hex32(digest)}))
		}
		l.entries = append(l.entries, e)
	}
	l.chain(0)
	return l
}

// chain makes hashes, canonical forms and leaves anew from an entry on.
func (l *log) chain(from int) {
	l.raw, l.leaves = l.raw[:from:from], l.leaves[:from:from]
	var prev [32]byte
	if from > 0 {
		prev = l.entries[from-1].CurrentHash
	}
	for i := from; i < len(l.entries); i++ {
		e := &l.entries[i]
		e.PreviousHash = prev
		prev = verify.ChainHash(prev, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
		e.CurrentHash = prev
		l.raw = append(l.raw, must(e.Canonical()))
		l.leaves = append(l.leaves, verify.LeafHash(l.raw[i]))
	}
}

func (l *log) checkpoint(size int) []byte {
	return must(verify.SignCheckpoint(verify.Checkpoint{Origin: l.origin, Size: uint64(size), Root: root(l.leaves[:size])}, l.composite, l.stock))
}

// files writes the export with one older checkpoint.
func (l *log) files() map[string][]byte {
	var b bytes.Buffer
	z := verify.NewZip(&b, time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
	w := must(verify.NewWriter(z, verify.LogInfo{Origin: l.origin, Exporter: "vectors", ExportedAt: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Openings: true}))
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	for i := range l.raw {
		check(w.Append(l.raw[i], l.leaves[i]))
	}
	for i, e := range l.entries {
		if e.Class == verify.Critical {
			check(w.Signature(verify.EntrySignature{Seq: uint64(i), Key: l.critic.Public().ID(), Sig: must(l.critic.Sign(sign.ContextEntry, l.raw[i]))}))
		}
	}
	for _, o := range l.openings {
		check(w.Opening(o))
	}
	for _, r := range l.redactions {
		check(w.Redaction(r))
	}
	check(w.Checkpoint(l.checkpoint(4)))
	check(w.Close(l.checkpoint(len(l.raw)), l.keys))
	check(z.Close())
	return unzip(b.Bytes())
}

func unzip(data []byte) map[string][]byte {
	files := map[string][]byte{}
	for _, f := range must(zip.NewReader(bytes.NewReader(data), int64(len(data)))).File {
		files[f.Name] = must(io.ReadAll(must(f.Open())))
	}
	return files
}

// exports are an honest log and the same log tampered with in one way each.
func exports() (out []ledgertest.ExportVector) {
	add := func(name string, files map[string][]byte, composite bool) {
		data := zipped(files)
		v := ledgertest.ExportVector{Name: name, File: strings.ReplaceAll(name, " ", "-") + ".zip", Composite: composite}
		r := must(verify.Verify(context.Background(), must(zip.NewReader(bytes.NewReader(data), int64(len(data)))), verify.Config{}))
		v.Intact = r.Intact()
		if !v.Intact {
			f := r.Findings[0]
			v.Kind = string(f.Kind)
			if f.Located {
				v.First, v.Last = &f.First, &f.Last
			}
		}
		if err := os.WriteFile("testdata/exports/"+v.File, data, 0o644); err != nil {
			panic(err)
		}
		out = append(out, v)
	}
	honest := newLog(12)
	base := honest.files()
	bundle := verify.Tile{Entries: true, Width: 12}.Path()
	change := func(name string, edit func(files map[string][]byte)) {
		files := maps.Clone(base)
		edit(files)
		add(name, files, strings.Contains(name, "critical signature"))
	}
	// entries replaces the bundle, tiles left alone.
	entries := func(edit func(raw [][]byte) [][]byte) func(map[string][]byte) {
		return func(files map[string][]byte) {
			var b []byte
			for _, raw := range edit(slices.Clone(honest.raw)) {
				b = verify.AppendBundle(b, raw)
			}
			files[bundle] = b
		}
	}
	entry := func(at int, edit func(*verify.Entry)) func(map[string][]byte) {
		return entries(func(raw [][]byte) [][]byte {
			e := honest.entries[at]
			edit(&e)
			raw[at] = e.AppendRaw(nil)
			return raw
		})
	}
	line := func(file, old, new string) func(map[string][]byte) {
		return func(files map[string][]byte) {
			if !bytes.Contains(files[file], []byte(old)) {
				panic(file + old)
			}
			files[file] = bytes.Replace(files[file], []byte(old), []byte(new), 1)
		}
	}
	add("intact", base, false)
	add("intact and empty", newLog(0).emptyFiles(), false)
	large := newLog(300)
	add("intact over two bundles", large.files(), false)
	change("narrative changed", entry(6, func(e *verify.Entry) { e.Narrative += "!" }))
	change("user changed", entry(7, func(e *verify.Entry) { e.User = &[16]byte{1} }))
	change("user removed", entry(7, func(e *verify.Entry) { e.User = nil }))
	change("details changed", entry(4, func(e *verify.Entry) { e.Details = []byte(`{"n":5}`) }))
	change("tenant changed", entry(4, func(e *verify.Entry) { e.Tenant[0] = 1 }))
	change("time moved back", entry(8, func(e *verify.Entry) { e.CreatedAt = e.CreatedAt.Add(-time.Hour) }))
	change("time moved on within the second", entry(1, func(e *verify.Entry) { e.CreatedAt = e.CreatedAt.Add(time.Microsecond) }))
	change("hash changed", entry(3, func(e *verify.Entry) { e.CurrentHash[0] ^= 1 }))
	change("link changed", entry(3, func(e *verify.Entry) { e.PreviousHash[0] ^= 1 }))
	change("seq changed", entry(10, func(e *verify.Entry) { e.Seq = 11 }))
	change("class lowered", entry(3, func(e *verify.Entry) { e.Class = verify.Normal }))
	change("form broken", entry(5, func(e *verify.Entry) { e.Details = []byte(`{"b":1,"a":1}`) }))
	change("entry deleted", entries(func(raw [][]byte) [][]byte { return slices.Delete(raw, 6, 7) }))
	change("entry repeated", entries(func(raw [][]byte) [][]byte { return slices.Insert(raw, 6, raw[5]) }))
	change("entries swapped", entries(func(raw [][]byte) [][]byte { raw[4], raw[5] = raw[5], raw[4]; return raw }))
	change("tail cut off", entries(func(raw [][]byte) [][]byte { return raw[:10] }))
	change("entry appended", entries(func(raw [][]byte) [][]byte { return append(raw, raw[11]) }))
	change("tile changed", func(files map[string][]byte) {
		name := verify.Tile{Width: 12}.Path()
		files[name] = slices.Clone(files[name])
		files[name][5*32] ^= 1
	})
	change("opening changed", line("openings.jsonl", "Muster", "Nuster"))
	change("opening missing", func(files map[string][]byte) { delete(files, "openings.jsonl") })
	change("redaction missing", func(files map[string][]byte) { delete(files, "redactions.jsonl") })
	change("redaction by another entry", line("redactions.jsonl", `"entry":9`, `"entry":8`))
	change("signature missing", func(files map[string][]byte) {
		_, rest, _ := bytes.Cut(files["signatures.jsonl"], []byte("\n"))
		files["signatures.jsonl"] = rest
	})
	change("critical signature of another entry", func(files map[string][]byte) {
		lines := bytes.SplitAfter(files["signatures.jsonl"], []byte("\n"))
		sig := func(l []byte) []byte { return l[bytes.Index(l, []byte(`"sig":"`)):] }
		files["signatures.jsonl"] = slices.Concat(lines[0][:bytes.Index(lines[0], []byte(`"sig":"`))], sig(lines[1]), lines[1], lines[2])
	})
	change("checkpoint not signed", func(files map[string][]byte) {
		text, _, _ := bytes.Cut(files["checkpoint"], []byte("\n\n"))
		files["checkpoint"] = append(slices.Clone(text), "\n\n"...)
	})
	change("older checkpoint of another log", func(files map[string][]byte) {
		name := fmt.Sprintf("checkpoints/%020d", 4)
		files[name] = bytes.Replace(files[name], []byte("\n4\n"), []byte("\n5\n"), 1)
	})
	forged := newLog(12)
	forged.entries[6].EntityID = "forged"
	forged.chain(6)
	files := forged.files()
	files["checkpoint"] = base["checkpoint"]
	add("rewritten from an entry on", files, false)
	foreign := newLog(12)
	foreign.entries[2].Action = "grant_admin"
	foreign.chain(2)
	files = foreign.files()
	files["checkpoint"], files[fmt.Sprintf("checkpoints/%020d", 4)] = base["checkpoint"], base[fmt.Sprintf("checkpoints/%020d", 4)]
	add("rewritten before an older checkpoint", files, false)
	return out
}

// emptyFiles is an export of a log without entries.
func (l *log) emptyFiles() map[string][]byte {
	var b bytes.Buffer
	z := verify.NewZip(&b, time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
	w := must(verify.NewWriter(z, verify.LogInfo{Origin: l.origin, Exporter: "vectors", ExportedAt: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Openings: true}))
	if err := w.Close(l.checkpoint(0), l.keys); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return unzip(b.Bytes())
}

func root(leaves [][32]byte) [32]byte {
	var t verify.Tree
	for _, l := range leaves {
		t.Append(l)
	}
	return t.Root()
}

// split is the largest power of two below n.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func inclusion(leaves [][32]byte, index int) [][32]byte {
	if len(leaves) == 1 {
		return nil
	}
	if k := split(len(leaves)); index < k {
		return append(inclusion(leaves[:k], index), root(leaves[k:]))
	} else {
		return append(inclusion(leaves[k:], index-k), root(leaves[:k]))
	}
}

// consistency is RFC 6962 §2.1.2.
func consistency(leaves [][32]byte, old int, whole bool) [][32]byte {
	if old == len(leaves) {
		if whole {
			return nil
		}
		return [][32]byte{root(leaves)}
	}
	if k := split(len(leaves)); old <= k {
		return append(consistency(leaves[:k], old, whole), root(leaves[k:]))
	} else {
		return append(consistency(leaves[k:], old-k, false), root(leaves[:k]))
	}
}

func hex32(h [32]byte) string { return hex.EncodeToString(h[:]) }
func b64(h [32]byte) string   { return base64.StdEncoding.EncodeToString(h[:]) }
