package ledgertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// honest is a log with everything a log can have, and all its keys, from which forgeries are made.
type honest struct {
	origin    string
	tenant    [16]byte
	signers   []signers // by position
	keys      *verify.KeyHistory
	witnesses []*sign.WitnessKey
	entries   []verify.Entry
	openings  []verify.Opening
	redacted  []verify.Redaction
}

// signers are the keys that sign from a position on.
type signers struct {
	from              int
	composite, critic *sign.CompositeKey
	stock             *sign.Ed25519Key
}

// Positions in an honest log of n entries.
func rotationAt(n int) int { return n / 3 }
func erasureAt(n int) int  { return n * 3 / 4 }

func must[T any](v T, err error) T {
	if err != nil {
		panic("ledgertest: " + err.Error()) // everything here is built from constants
	}
	return v
}

func seeded(seed int64) io.Reader { return rand.New(rand.NewSource(seed)) }

func newSigners(seed int64, from int) signers {
	return signers{from, must(sign.NewCompositeKey(seeded(seed))), must(sign.NewCompositeKey(seeded(seed + 1))), must(sign.NewEd25519Key(seeded(seed + 2)))}
}

func (s *signers) keys(until int) []verify.Key {
	from, end := uint64(s.from), uint64(until)
	return []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: s.composite.Public(), From: from, Until: end},
		{Purpose: verify.PurposeStock, Ed25519: s.stock.Public(), From: from, Until: end},
		{Purpose: verify.PurposeEntry, Composite: s.critic.Public(), From: from, Until: end},
	}
}

// newHonest builds a log of n entries: users and the system, critical ones, personal values of which two are erased, and a
// rotation of all keys.
func newHonest(n int, id byte) *honest {
	h := &honest{origin: verify.FormatOrigin("audit.example", [16]byte{id}, 0), tenant: [16]byte{6: 0x40, 8: 0x80, 15: id}}
	h.signers = []signers{newSigners(int64(id)*10, 0), newSigners(int64(id)*10+1000, rotationAt(n)+1)}
	h.keys = &verify.KeyHistory{Origin: h.origin, Keys: slices.Concat(h.signers[0].keys(h.signers[1].from), h.signers[1].keys(0))}
	h.witnesses = []*sign.WitnessKey{
		must(sign.NewWitnessKey("a.witness.example", seeded(7))), must(sign.NewMLDSA44WitnessKey("b.witness.example", seeded(8))),
	}
	erasure := verify.NewErasure()
	for i := range n {
		h.entries = append(h.entries, h.entry(i, n, erasure))
	}
	h.chain(0)
	return h
}

func (h *honest) entry(i, n int, erasure *verify.Erasure) verify.Entry {
	e := verify.Entry{
		Seq: uint64(i), Tenant: h.tenant, Action: "approve_draft", EntityType: "draft", EntityID: fmt.Sprintf("d-%04d", i),
		Details:   must(verify.CanonicalDetails(map[string]any{"n": int64(i), "ok": true, "tags": []any{"ä", "b"}})),
		Narrative: fmt.Sprintf("Entwurf %d wurde freigegeben.", i), Scheme: verify.SchemeBound,
		CreatedAt: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(i/2) * 1234567 * time.Microsecond),
	}
	e.ID[0] = h.tenant[15]
	binary.BigEndian.PutUint64(e.ID[8:], uint64(i)+1)
	if i%3 != 0 {
		e.User = &[16]byte{7, byte(i)}
	}
	if i%7 == 3 {
		e.Class = verify.Critical
	}
	switch {
	case i == rotationAt(n):
		h.speaks(&e, verify.RotationAction, (&verify.Rotation{Reason: "scheduled", Keys: h.signers[1].keys(0)}).Details())
	case i == erasureAt(n):
		count, digest := erasure.Sum()
		e.Action = verify.RedactionAction
		e.Details = must(verify.CanonicalDetails(map[string]any{verify.ErasedCount: int64(count), verify.ErasedDigest: fmt.Sprintf("%x", digest)}))
	case i%5 == 2:
		h.personal(&e, i, n, erasure)
	}
	return e
}

// speaks makes e an entry in which the log speaks about itself.
func (h *honest) speaks(e *verify.Entry, action string, details map[string]any) {
	e.Action, e.EntityType, e.EntityID, e.Class = action, verify.LedgerEntity, strings.Split(h.origin, "/")[2], verify.Critical
	e.Details = must(verify.CanonicalDetails(details))
}

func (h *honest) personal(e *verify.Entry, i, n int, erasure *verify.Erasure) {
	salt := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
	value := fmt.Sprintf("Erika \"Ä\" Muster\n%d", i)
	c := verify.Commitment(salt, value)
	e.Details = must(verify.CanonicalDetails(map[string]any{"who": map[string]any{"c": fmt.Sprintf("%x", c)}, "n": int64(i)}))
	e.Narrative = fmt.Sprintf("Anmeldung von {c:%x}.", c)
	if i == 2 || i == 7 {
		erasure.Add(uint64(i), c)
		h.redacted = append(h.redacted, verify.Redaction{Seq: uint64(i), Commitment: c, Entry: uint64(erasureAt(n))})
		return
	}
	h.openings = append(h.openings, verify.Opening{Seq: uint64(i), Commitment: c, Salt: salt, Value: value})
}

// chain makes positions and hashes anew from an entry on.
func (h *honest) chain(from int) {
	for i := from; i < len(h.entries); i++ {
		e := &h.entries[i]
		e.Seq, e.PreviousHash = uint64(i), [32]byte{}
		if i > 0 {
			e.PreviousHash = h.entries[i-1].CurrentHash
		}
		e.CurrentHash = verify.ChainHash(e.PreviousHash, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
	}
}

func (h *honest) at(position int) *signers {
	s := &h.signers[0]
	for i := range h.signers {
		if position >= h.signers[i].from {
			s = &h.signers[i]
		}
	}
	return s
}

// export is everything an export is made of, open to forgery before it is written.
type export struct {
	h          *honest
	raw        [][]byte
	leaves     [][32]byte
	signatures []verify.EntrySignature
	openings   []verify.Opening
	redactions []verify.Redaction
	older      [][]byte
	head       []byte
	keys       *verify.KeyHistory
	info       verify.LogInfo
}

// export returns the honest export, with two older checkpoints and two witnesses on the newest.
func (h *honest) export() *export {
	x := &export{h: h, openings: slices.Clone(h.openings), redactions: slices.Clone(h.redacted), keys: h.keys,
		info: verify.LogInfo{Origin: h.origin, Exporter: "ledgertest", ExportedAt: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Openings: true}}
	for i := range h.entries {
		x.raw = append(x.raw, must(h.entries[i].Canonical()))
		x.leaves = append(x.leaves, verify.LeafHash(x.raw[i]))
		if h.entries[i].Class == verify.Critical {
			x.signatures = append(x.signatures, h.sign(i, x.raw[i]))
		}
	}
	x.older = [][]byte{h.checkpoint(x.leaves, h.olderSizes()[0], false), h.checkpoint(x.leaves, h.olderSizes()[1], false)}
	x.head = h.checkpoint(x.leaves, len(x.leaves), true)
	return x
}

func (h *honest) olderSizes() [2]int { return [2]int{len(h.entries) / 4, len(h.entries) / 2} }

func (h *honest) sign(i int, canonical []byte) verify.EntrySignature {
	critic := h.at(i).critic
	return verify.EntrySignature{Seq: uint64(i), Key: critic.Public().ID(), Sig: must(critic.Sign(sign.ContextEntry, canonical))}
}

// checkpoint signs the first size leaves, with the witnesses' lines if asked.
func (h *honest) checkpoint(leaves [][32]byte, size int, cosign bool) []byte {
	by := h.at(size)
	c := verify.Checkpoint{Origin: h.origin, Size: uint64(size), Root: root(leaves[:size])}
	note := must(verify.SignCheckpoint(c, by.composite, by.stock))
	if !cosign {
		return note
	}
	text := note[:bytes.Index(note, []byte("\n\n"))+1]
	for i, w := range h.witnesses {
		note = append(note, must(w.Cosign(text, time.Date(2026, 4, 1, 0, i, 0, 0, time.UTC)))...)
	}
	return note
}

func (h *honest) witnessKeys() (keys []*sign.WitnessPublicKey) {
	for _, w := range h.witnesses {
		keys = append(keys, w.Public())
	}
	return keys
}

// receipt is what the tenant got for an entry when the log had size entries.
func (h *honest) receipt(leaves [][32]byte, index, size int) *verify.Receipt {
	return &verify.Receipt{Index: uint64(index), Leaf: leaves[index], Proof: inclusion(leaves[:size], index), Checkpoint: h.checkpoint(leaves, size, false)}
}

func root(leaves [][32]byte) [32]byte {
	var t verify.Tree
	for _, l := range leaves {
		t.Append(l)
	}
	return t.Root()
}

// inclusion is RFC 6962 §2.1.1, the slow way.
func inclusion(leaves [][32]byte, index int) [][32]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	if index < k {
		return append(inclusion(leaves[:k], index), root(leaves[k:]))
	}
	return append(inclusion(leaves[k:], index-k), root(leaves[:k]))
}

// memFiles collects an export in memory.
type memFiles fstest.MapFS

type memFile struct {
	bytes.Buffer
	name string
	to   memFiles
}

// Create implements verify.Files.
func (m memFiles) Create(name string) (io.WriteCloser, error) {
	return &memFile{name: name, to: m}, nil
}

func (f *memFile) Close() error {
	f.to[f.name] = &fstest.MapFile{Data: f.Bytes()}
	return nil
}

// files writes the export.
func (x *export) files() fstest.MapFS {
	out := memFiles{}
	w := must(verify.NewWriter(out, x.info))
	check := func(err error) { must(0, err) }
	for i := range x.raw {
		check(w.Append(x.raw[i], x.leaves[i]))
	}
	for _, s := range x.signatures {
		check(w.Signature(s))
	}
	for _, o := range x.openings {
		check(w.Opening(o))
	}
	for _, r := range x.redactions {
		check(w.Redaction(r))
	}
	for _, c := range x.older {
		check(w.Checkpoint(c))
	}
	check(w.Close(x.head, x.keys))
	return fstest.MapFS(out)
}

// rebundle replaces the entry bundles by others, tiles and all else left alone.
func rebundle(files fstest.MapFS, raw [][]byte) fstest.MapFS {
	for name := range files {
		if strings.HasPrefix(name, "tile/entries/") {
			delete(files, name)
		}
	}
	for start := 0; start < len(raw); start += verify.TileWidth {
		end := min(start+verify.TileWidth, len(raw))
		var b []byte
		for _, e := range raw[start:end] {
			b = verify.AppendBundle(b, e)
		}
		files[verify.Tile{Entries: true, Index: uint64(start / verify.TileWidth), Width: end - start}.Path()] = &fstest.MapFile{Data: b}
	}
	return files
}
