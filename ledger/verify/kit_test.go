package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// kit is a log with its keys, from which tests make exports, honest or not.
type kit struct {
	origin            string
	composite, critic *sign.CompositeKey
	stock             *sign.Ed25519Key
	keys              *verify.KeyHistory
	entries           []*verify.Entry
	openings          []verify.Opening
	redactions        []verify.Redaction
	later             []signers // after rotations, by position
}

// signers are the keys that sign from a position on.
type signers struct {
	from              int
	composite, critic *sign.CompositeKey
	stock             *sign.Ed25519Key
}

// signersAt returns the keys valid at a position.
func (k *kit) signersAt(position int) signers {
	s := signers{0, k.composite, k.critic, k.stock}
	for _, l := range k.later {
		if position >= l.from {
			s = l
		}
	}
	return s
}

// chain makes the hashes of the entries anew from one on.
func (k *kit) chain(from int) {
	for i := from; i < len(k.entries); i++ {
		e := k.entries[i]
		e.PreviousHash = [32]byte{}
		if i > 0 {
			e.PreviousHash = k.entries[i-1].CurrentHash
		}
		e.CurrentHash = verify.ChainHash(e.PreviousHash, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
	}
}

// parts is everything an export is made of, open to tampering before it is written.
type parts struct {
	entries     [][]byte
	leaves      [][32]byte
	signatures  []verify.EntrySignature
	openings    []verify.Opening
	redactions  []verify.Redaction
	checkpoints [][]byte
	stamps      []verify.TimestampFile // whose token is the anchor's name
	head        []byte
	keys        *verify.KeyHistory
	info        verify.LogInfo
}

var testTenant = [16]byte{0x6b, 0x1f, 0x00, 0x12, 0x94, 0x41, 0x4c, 0x01, 0xa0, 0x21, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06}

func seeded(seed int64) io.Reader { return rand.New(rand.NewSource(seed)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newKit builds a log of n entries: every seventh critical, every fifth with a personal value in details and narrative,
// two of those erased by the entry at three quarters.
func newKit(n int) *kit {
	k := &kit{origin: verify.FormatOrigin("audit.example", [16]byte{0xab, 0xcd}, 0)}
	k.composite = must(sign.NewCompositeKey(seeded(1)))
	k.critic = must(sign.NewCompositeKey(seeded(2)))
	k.stock = must(sign.NewEd25519Key(seeded(3)))
	k.keys = &verify.KeyHistory{Origin: k.origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: k.composite.Public()},
		{Purpose: verify.PurposeStock, Ed25519: k.stock.Public()},
		{Purpose: verify.PurposeEntry, Composite: k.critic.Public()},
	}}
	erasure, erased := verify.NewErasure(), n*3/4
	var prev [32]byte
	for i := range n {
		e := k.plainEntry(i, n)
		if i%5 == 2 && i != erased {
			k.addPersonal(e, i, erased, erasure)
		}
		if i == erased {
			count, digest := erasure.Sum()
			e.Action = verify.RedactionAction
			e.Details = must(verify.CanonicalDetails(map[string]any{
				verify.ErasedCount: int64(count), verify.ErasedDigest: fmt.Sprintf("%x", digest)}))
		}
		e.PreviousHash = prev
		prev = verify.ChainHash(prev, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
		e.CurrentHash = prev
		k.entries = append(k.entries, e)
	}
	return k
}

func (k *kit) plainEntry(i, n int) *verify.Entry {
	e := &verify.Entry{
		Seq: uint64(i), Tenant: testTenant, Action: "approve_draft", EntityType: "draft", EntityID: fmt.Sprintf("d-%04d", i),
		Details:   must(verify.CanonicalDetails(map[string]any{"n": int64(i), "ok": true, "tags": []any{"ä", "b"}})),
		Narrative: fmt.Sprintf("Entwurf %d wurde freigegeben.", i),
		CreatedAt: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(i/2) * 1234567 * time.Microsecond),
		Class:     verify.Normal, Scheme: verify.SchemeBound,
	}
	binary.BigEndian.PutUint64(e.ID[8:], uint64(i)+1)
	if i%3 != 0 {
		e.User = &[16]byte{7, byte(i)}
	}
	if i%7 == 3 {
		e.Class = verify.Critical
	}
	return e
}

func (k *kit) addPersonal(e *verify.Entry, i, erased int, erasure *verify.Erasure) {
	salt := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
	value := fmt.Sprintf("Erika \"Ä\" Muster\n%d", i)
	c := verify.Commitment(salt, value)
	e.Details = must(verify.CanonicalDetails(map[string]any{"who": map[string]any{"c": fmt.Sprintf("%x", c)}, "n": int64(i)}))
	e.Narrative = fmt.Sprintf("Anmeldung von {c:%x}.", c)
	if i < erased && (i == 2 || i == 12) {
		erasure.Add(uint64(i), c)
		k.redactions = append(k.redactions, verify.Redaction{Seq: uint64(i), Commitment: c, Entry: uint64(erased)})
		return
	}
	k.openings = append(k.openings, verify.Opening{Seq: uint64(i), Commitment: c, Salt: salt, Value: value})
}

// sealed caches the signatures of kits, which tests share.
var sealed sync.Map

func (k *kit) entrySignature(i int, canonical []byte) verify.EntrySignature {
	type id struct {
		k *kit
		i int
	}
	if s, ok := sealed.Load(id{k, i}); ok {
		return s.(verify.EntrySignature)
	}
	critic := k.signersAt(i).critic
	s := verify.EntrySignature{Seq: uint64(i), Key: critic.Public().ID(), Sig: must(critic.Sign(sign.ContextEntry, canonical))}
	sealed.Store(id{k, i}, s)
	return s
}

// parts returns the honest export.
func (k *kit) parts() *parts {
	p := &parts{keys: k.keys, openings: slices.Clone(k.openings), redactions: slices.Clone(k.redactions),
		info: verify.LogInfo{Origin: k.origin, Exporter: "test", ExportedAt: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Openings: true}}
	for i, e := range k.entries {
		canonical := must(e.Canonical())
		p.entries = append(p.entries, canonical)
		p.leaves = append(p.leaves, verify.LeafHash(canonical))
		if e.Class == verify.Critical {
			p.signatures = append(p.signatures, k.entrySignature(i, canonical))
		}
	}
	for _, size := range []int{len(k.entries) / 3, len(k.entries) / 2} {
		if size > 0 {
			p.checkpoints = append(p.checkpoints, k.sign(p.leaves[:size]))
		}
	}
	p.head = k.sign(p.leaves)
	return p
}

func root(leaves [][32]byte) [32]byte {
	var t verify.Tree
	for _, l := range leaves {
		t.Append(l)
	}
	return t.Root()
}

func (k *kit) sign(leaves [][32]byte) []byte {
	type id struct {
		c         verify.Checkpoint
		composite *sign.CompositeKey
	}
	by := k.signersAt(len(leaves))
	c := verify.Checkpoint{Origin: k.origin, Size: uint64(len(leaves)), Root: root(leaves)}
	if s, ok := sealed.Load(id{c, by.composite}); ok {
		return bytes.Clone(s.([]byte))
	}
	signed := must(verify.SignCheckpoint(c, by.composite, by.stock))
	sealed.Store(id{c, by.composite}, bytes.Clone(signed))
	return signed
}

// mapFiles collects an export in memory.
type mapFiles fstest.MapFS

type mapFile struct {
	bytes.Buffer
	name string
	to   mapFiles
}

func (m mapFiles) Create(name string) (io.WriteCloser, error) {
	if m[name] != nil {
		return nil, fmt.Errorf("%s is written twice", name)
	}
	m[name] = &fstest.MapFile{}
	return &mapFile{name: name, to: m}, nil
}

func (f *mapFile) Close() error {
	f.to[f.name] = &fstest.MapFile{Data: f.Bytes()}
	return nil
}

func (p *parts) writeTo(files verify.Files) error {
	w, err := verify.NewWriter(files, p.info)
	if err != nil {
		return err
	}
	for i, e := range p.entries {
		if err := w.Append(e, p.leaves[i]); err != nil {
			return err
		}
	}
	for _, s := range p.signatures {
		if err := w.Signature(s); err != nil {
			return err
		}
	}
	for _, o := range p.openings {
		if err := w.Opening(o); err != nil {
			return err
		}
	}
	for _, r := range p.redactions {
		if err := w.Redaction(r); err != nil {
			return err
		}
	}
	for _, c := range p.checkpoints {
		if err := w.Checkpoint(c); err != nil {
			return err
		}
	}
	for _, s := range p.stamps {
		if err := w.Timestamp(s, []byte(s.Anchor)); err != nil {
			return err
		}
	}
	return w.Close(p.head, p.keys)
}

func (p *parts) files() fstest.MapFS {
	files := mapFiles{}
	if err := p.writeTo(files); err != nil {
		panic(err)
	}
	return fstest.MapFS(files)
}

func check(t testing.TB, files fstest.MapFS, cfg verify.Config) *verify.Report {
	t.Helper()
	r, err := verify.Verify(context.Background(), files, cfg)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return r
}

// wantFirst asserts the first finding's kind and exact position.
func wantFirst(t testing.TB, r *verify.Report, kind verify.Kind, seq uint64) {
	t.Helper()
	if r.Intact() || len(r.Findings) == 0 {
		t.Fatalf("verdict %s with %d findings, want %s at %d", r.Verdict, len(r.Findings), kind, seq)
	}
	f := r.Findings[0]
	if f.Kind != kind || !f.Exact() || f.First != seq {
		t.Fatalf("first finding %s %d–%d (%v), want %s at %d", f.Kind, f.First, f.Last, f.Err, kind, seq)
	}
}

// proof makes an RFC 6962 inclusion proof the slow way.
func proof(leaves [][32]byte, index int) [][32]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	if index < k {
		return append(proof(leaves[:k], index), root(leaves[k:]))
	}
	return append(proof(leaves[k:], index-k), root(leaves[:k]))
}

func (k *kit) receipt(leaves [][32]byte, index int) *verify.Receipt {
	return &verify.Receipt{Index: uint64(index), Leaf: leaves[index], Proof: proof(leaves, index), Checkpoint: k.sign(leaves)}
}

var small = sync.OnceValue(func() *kit { return newKit(40) })
var large = sync.OnceValue(func() *kit { return newKit(700) })
