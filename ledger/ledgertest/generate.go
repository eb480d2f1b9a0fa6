//go:build ignore

// Generate writes the files of testdata that are named. The vectors are published: run it for a new file or a new version of
// a form only, never to make a test pass.
//
//	go run generate.go log.go life.go life.json cosignatures.json
package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	if err := os.MkdirAll("testdata/exports", 0o755); err != nil {
		panic(err)
	}
	for _, name := range os.Args[1:] {
		switch name {
		case "entries.json":
			write(name, entries())
		case "details.json":
			write(name, details())
		case "trees.json":
			write(name, trees())
		case "personal.json":
			write(name, personal())
		case "erasures.json":
			write(name, erasures())
		case "notes.json":
			write(name, notes())
		case "exports.json":
			write(name, exports())
		case "life.json":
			write(name, life())
		case "cosignatures.json":
			write(name, cosignatures())
		default:
			panic("no file " + name)
		}
	}
}

func write(name string, v any) {
	text := must(json.MarshalIndent(v, "", " "))
	if err := os.WriteFile("testdata/"+name, append(text, '\n'), 0o644); err != nil {
		panic(err)
	}
}

func hexes(hashes [][32]byte) []string {
	out := make([]string, len(hashes))
	for i, h := range hashes {
		out[i] = hex.EncodeToString(h[:])
	}
	return out
}

// entries are valid ones at the edges of every rule, then bytes that break one rule each.
func entries() (out []ledgertest.EntryVector) {
	at := func(text string) time.Time { return must(time.Parse(time.RFC3339Nano, text)) }
	base := verify.Entry{Seq: 7, ID: [16]byte{1}, Tenant: [16]byte{2}, Action: "login", EntityType: "user", EntityID: "7", Details: []byte(`{}`),
		Narrative: "Anmeldung.", CreatedAt: at("2026-03-01T08:00:00.12Z"), Scheme: verify.SchemeBound}
	commitment := strings.Repeat("ab", 32)
	good := map[string]func(*verify.Entry){
		"a plain entry":                 func(*verify.Entry) {},
		"of a user":                     func(e *verify.Entry) { e.User = &[16]byte{15: 9} },
		"critical":                      func(e *verify.Entry) { e.Class = verify.Critical },
		"seq 2^53+1":                    func(e *verify.Entry) { e.Seq = 1<<53 + 1 },
		"a whole second":                func(e *verify.Entry) { e.CreatedAt = at("2026-03-01T08:00:00Z") },
		"all six digits of a second":    func(e *verify.Entry) { e.CreatedAt = at("2026-03-01T08:00:00.123456Z") },
		"a trailing zero of a second":   func(e *verify.Entry) { e.CreatedAt = at("2026-03-01T08:00:00.10001Z") },
		"the first time":                func(e *verify.Entry) { e.CreatedAt = at("1970-01-01T00:00:00Z") },
		"the last time":                 func(e *verify.Entry) { e.CreatedAt = at("9999-12-31T23:59:59.999999Z") },
		"empty entity id and narrative": func(e *verify.Entry) { e.EntityID, e.Narrative = "", "" },
		"the longest action":            func(e *verify.Entry) { e.Action = strings.Repeat("a", 64) },
		"the longest entity id":         func(e *verify.Entry) { e.EntityID = strings.Repeat("ä", 128) },
		"the longest narrative":         func(e *verify.Entry) { e.Narrative = strings.Repeat("€", 1365) + "x" },
		"text beyond the basic plane":   func(e *verify.Entry) { e.Narrative = "Ω \U0001F510 e\u0301" },
		"a commitment in the narrative": func(e *verify.Entry) { e.Narrative = "Anmeldung von {c:" + commitment + "}." },
		"a commitment in details":       func(e *verify.Entry) { e.Details = []byte(`{"who":{"c":"` + commitment + `"}}`) },
		"one commitment twice":          func(e *verify.Entry) { e.Narrative = "{c:" + commitment + "}{c:" + commitment + "}" },
		"a commitment that is none":     func(e *verify.Entry) { e.Narrative = "{c:" + strings.ToUpper(commitment) + "}" },
		"scheme plain":                  func(e *verify.Entry) { e.Scheme, e.Action, e.EntityType = verify.SchemePlain, "Änderung!", "" },
		"a commitment in scheme plain":  func(e *verify.Entry) { e.Scheme, e.Narrative = verify.SchemePlain, "{c:"+commitment+"}" },
		"details of 16 levels": func(e *verify.Entry) {
			e.Details = []byte(strings.Repeat(`{"a":`, 15) + "{}" + strings.Repeat("}", 15))
		},
		"hashes that are not those of a log": func(e *verify.Entry) { e.PreviousHash, e.CurrentHash = [32]byte{1}, [32]byte{2} },
	}
	for _, name := range sorted(good) {
		e := base
		good[name](&e)
		if !strings.HasPrefix(name, "hashes") {
			e.CurrentHash = verify.ChainHash(e.PreviousHash, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
		}
		raw := must(e.Canonical())
		leaf, link := verify.LeafHash(raw), verify.ChainHash(e.PreviousHash, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
		out = append(out, ledgertest.EntryVector{Name: name, Hex: hex.EncodeToString(raw), Valid: true, Seq: e.Seq, Action: e.Action,
			Time: e.CreatedAt.UTC().Format(time.RFC3339Nano), Leaf: hex.EncodeToString(leaf[:]), Link: hex.EncodeToString(link[:]), Commitments: hexes(e.Commitments())})
	}
	raw := must(base.Canonical())
	bad := map[string][]byte{
		"nothing": {}, "a byte too few": raw[:len(raw)-1], "a byte too many": append(slices.Clone(raw), 0), "version 0": patch(raw, 0, 0), "version 2": patch(raw, 0, 2),
		"user flag 2": patch(raw, 41, 2), "class 2": patch(raw, 42, 2), "scheme 0": patch(raw, 43, 0), "scheme 3": patch(raw, 43, 3),
		"a time before 1970":         patch(raw, 44, bytes.Repeat([]byte{0xff}, 8)...),
		"a time in the year 10000":   patch(raw, 44, binary.BigEndian.AppendUint64(nil, uint64(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()))...),
		"a length beyond the end":    patch(raw, 116, 0xff, 0xff),
		"a user that is cut off":     patch(raw[:50], 41, 1),
		"only the version and a seq": raw[:9],
	}
	broken := map[string]func(*verify.Entry){
		"an empty action": func(e *verify.Entry) { e.Action = "" }, "an action in capitals": func(e *verify.Entry) { e.Action = "Login" },
		"an action of 65 bytes": func(e *verify.Entry) { e.Action = strings.Repeat("a", 65) }, "an empty entity type": func(e *verify.Entry) { e.EntityType = "" },
		"an entity id of 257 bytes": func(e *verify.Entry) { e.EntityID = strings.Repeat("a", 257) }, "a narrative of 4097 bytes": func(e *verify.Entry) { e.Narrative = strings.Repeat("a", 4097) },
		"U+0000 in the narrative": func(e *verify.Entry) { e.Narrative = "a\x00b" }, "a narrative that is no UTF-8": func(e *verify.Entry) { e.Narrative = "\xc3(" },
		"a surrogate in the narrative": func(e *verify.Entry) { e.Narrative = "\xed\xa0\x80" }, "an overlong form": func(e *verify.Entry) { e.EntityID = "\xc0\xaf" },
		"details that are an array": func(e *verify.Entry) { e.Details = []byte(`[]`) }, "empty details": func(e *verify.Entry) { e.Details = nil },
		"an empty action in scheme plain": func(e *verify.Entry) { e.Scheme, e.Action = verify.SchemePlain, "" },
	}
	for name, change := range broken {
		e := base
		change(&e)
		bad[name] = e.AppendRaw(nil)
	}
	for _, name := range sorted(bad) {
		if _, err := verify.ParseEntry(bad[name]); err == nil {
			panic(name)
		}
		out = append(out, ledgertest.EntryVector{Name: name, Hex: hex.EncodeToString(bad[name])})
	}
	return out
}

func patch(b []byte, at int, with ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], with)
	return b
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func details() (out []ledgertest.DetailsVector) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	for _, c := range []struct {
		name, text string
		valid      bool
	}{
		{"an empty object", `{}`, true}, {"every kind of value", `{"a":[true,false,"x",-1,0,{}],"b":{"c":1}}`, true},
		{"the largest integer", `{"n":9007199254740991}`, true}, {"the smallest integer", `{"n":-9007199254740991}`, true},
		{"keys by UTF-16 units", "{\"\U0001F600\":1,\"\uFB33\":2}", true}, {"keys by code points", "{\"\uFB33\":2,\"\U0001F600\":1}", false},
		{"an empty key", `{"":1,"a":2}`, true}, {"short escapes", `{"s":"\"\\\b\t\n\f\r"}`, true}, {"a control character", `{"s":"\u001f"}`, true}, {"delete as it is", "{\"s\":\"\x7f\"}", true},
		{"a slash as it is", `{"s":"/"}`, true}, {"umlauts as they are", `{"s":"ä"}`, true}, {"U+2028 as it is", "{\"s\":\"\u2028\"}", true}, {"16 levels", deep(16), true},
		{"the longest", `{"s":"` + strings.Repeat("a", 49152-8) + `"}`, true}, {"a byte too long", `{"s":"` + strings.Repeat("a", 49152-7) + `"}`, false},
		{"17 levels", deep(17), false}, {"an array", `[]`, false}, {"a string", `"x"`, false}, {"nothing", ``, false}, {"null", `{"a":null}`, false}, {"a fraction", `{"a":1.5}`, false}, {"a whole fraction", `{"a":1.0}`, false},
		{"an exponent", `{"a":1e3}`, false}, {"minus zero", `{"a":-0}`, false}, {"a leading zero", `{"a":01}`, false}, {"a plus", `{"a":+1}`, false}, {"2^53", `{"a":9007199254740992}`, false}, {"-2^53", `{"a":-9007199254740992}`, false},
		{"an integer of 40 digits", `{"a":1000000000000000000000000000000000000000}`, false}, {"white space", `{"a": 1}`, false}, {"a line break at the end", "{}\n", false}, {"a second value", `{}{}`, false},
		{"keys out of order", `{"b":1,"a":2}`, false}, {"a key twice", `{"a":1,"a":1}`, false}, {"a needless escape", `{"s":"\/"}`, false}, {"a letter escaped", `{"s":"\u0061"}`, false}, {"capitals in an escape", `{"s":"\u001F"}`, false},
		{"a long form of a short escape", `{"s":"\u000a"}`, false}, {"a raw control character", "{\"s\":\"\x1f\"}", false}, {"U+0000", `{"s":"\u0000"}`, false}, {"a lone surrogate", `{"s":"\ud800"}`, false},
		{"a pair of surrogates", `{"s":"\ud83d\ude00"}`, false}, {"no UTF-8", "{\"s\":\"\xff\"}", false}, {"an open object", `{"a":1`, false}, {"a comma at the end", `{"a":1,}`, false}, {"a key without value", `{"a"}`, false}, {"a byte order mark", "\ufeff{}", false},
	} {
		if (verify.CheckDetails([]byte(c.text)) == nil) != c.valid {
			panic(c.name)
		}
		out = append(out, ledgertest.DetailsVector{Name: c.name, Base64: []byte(c.text), Valid: c.valid})
	}
	return out
}

func leaves(n int) [][32]byte {
	out := make([][32]byte, n)
	for i := range out {
		out[i] = sha256.Sum256([]byte{byte(i)})
	}
	return out
}

func trees() (out []ledgertest.TreeVector) {
	for _, c := range [][3]int{{1, 0, 1}, {2, 1, 1}, {3, 2, 2}, {7, 3, 4}, {8, 0, 6}, {13, 12, 8}, {21, 17, 13}} {
		all := leaves(c[0])
		v := ledgertest.TreeVector{Name: fmt.Sprintf("leaf %d of %d, grown from %d", c[1], c[0], c[2]), Leaves: hexes(all), Root: hex32(root(all)), Valid: true,
			Index: uint64(c[1]), Inclusion: hexes(inclusion(all, c[1])), OldSize: uint64(c[2]), OldRoot: hex32(root(all[:c[2]])), Consistency: hexes(consistency(all, c[2], true))}
		out = append(out, v)
		if c[0] < 3 {
			continue
		}
		for name, breaks := range map[string]func(*ledgertest.TreeVector){
			"a hash too few": func(v *ledgertest.TreeVector) { v.Inclusion, v.Consistency = v.Inclusion[1:], v.Consistency[1:] },
			"a hash too many": func(v *ledgertest.TreeVector) {
				v.Inclusion, v.Consistency = append(slices.Clone(v.Inclusion), v.Root), append(slices.Clone(v.Consistency), v.Root)
			},
			"another root": func(v *ledgertest.TreeVector) { v.Root = v.Leaves[0] },
		} {
			b := v
			b.Valid, b.Name = false, v.Name+", "+name
			if breaks(&b); len(v.Inclusion) > 0 && len(v.Consistency) > 0 {
				out = append(out, b)
			}
		}
	}
	slices.SortFunc(out, func(a, b ledgertest.TreeVector) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func personal() (out []ledgertest.PersonalVector) {
	salt := sha256.Sum256([]byte("salt"))
	for _, c := range []struct{ name, value string }{{"a name", "Erika Muster"}, {"text in UTF-8", "Jürgen \U0001F510"}, {"an empty value", ""}, {"the longest value", strings.Repeat("a", 1024)}} {
		out = append(out, ledgertest.PersonalVector{Name: c.name, Salt: hex32(salt), Value: c.value, Commitment: hex32(verify.Commitment(salt, c.value)), Valid: true})
	}
	wrong := out[0]
	wrong.Name, wrong.Value, wrong.Valid = "another value", "Erika Mustermann", false
	return append(out, wrong)
}

func erasures() []ledgertest.ErasureVector {
	e := verify.NewErasure()
	v := ledgertest.ErasureVector{Name: "three values of two entries, those of one entry by commitment"}
	all := [][32]byte{verify.Commitment([32]byte{1}, "x"), verify.Commitment([32]byte{2}, "x")}
	slices.SortFunc(all, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	for i, c := range append(all, [32]byte{}) {
		seq := []uint64{3, 3, 900}[i]
		v.Seqs, v.Commitments = append(v.Seqs, seq), append(v.Commitments, hex32(c))
		e.Add(seq, c)
	}
	_, digest := e.Sum()
	v.Digest = hex32(digest)
	return []ledgertest.ErasureVector{v}
}

func notes() (out []ledgertest.NoteVector) {
	l := newLog(12)
	keys := must(l.keys.Marshal())
	add := func(name, kind, text string, valid, composite bool) {
		v := ledgertest.NoteVector{Name: name, Kind: kind, Text: text, Keys: keys, Valid: valid, Composite: composite}
		if ok := judge(v) == nil; ok != valid {
			panic(fmt.Sprint(name, judge(v)))
		}
		out = append(out, v)
	}
	good := string(l.checkpoint(12))
	lines := strings.SplitAfter(good, "\n") // origin, size, root, empty, composite, Ed25519
	witness := strings.Replace(lines[5], "audit.example/", "witness.example/", 1)
	add("a checkpoint", "checkpoint", good, true, false)
	add("a checkpoint of an empty log", "checkpoint", string(l.checkpoint(0)), true, false)
	add("with a line by an unknown key", "checkpoint", good+witness, true, false)
	add("another size", "checkpoint", strings.Replace(good, "\n12\n", "\n11\n", 1), false, false)
	add("a size with a leading zero", "checkpoint", strings.Replace(good, "\n12\n", "\n012\n", 1), false, false)
	add("an extension line", "checkpoint", strings.Replace(good, "\n\n", "\nextension\n\n", 1), false, false)
	add("without the Ed25519 line", "checkpoint", strings.Join(lines[:5], ""), false, false)
	add("without the composite line", "checkpoint", strings.Join(append(slices.Clone(lines[:4]), lines[5]), ""), false, false)
	add("without signatures", "checkpoint", strings.Join(lines[:4], ""), false, false)
	add("a flipped bit in the Ed25519 line", "checkpoint", flip(good, 5), false, false)
	add("a flipped bit in the composite line", "checkpoint", flip(good, 4), false, true)
	add("a line break in two bytes", "checkpoint", strings.ReplaceAll(good, "\n", "\r\n"), false, false)
	receipt := string((&verify.Receipt{Index: 5, Leaf: l.leaves[5], Proof: inclusion(l.leaves, 5), Checkpoint: l.checkpoint(12)}).Marshal())
	add("a receipt", "receipt", receipt, true, false)
	add("a receipt for another position", "receipt", strings.Replace(receipt, "index 5", "index 6", 1), false, false)
	add("a receipt with another leaf", "receipt", strings.Replace(receipt, "extra "+b64(l.leaves[5]), "extra "+b64(l.leaves[6]), 1), false, false)
	add("a receipt without its proof", "receipt", strings.Replace(receipt, "index 5\n"+b64(inclusion(l.leaves, 5)[0])+"\n", "index 5\n", 1), false, false)
	add("a receipt beyond the log", "receipt", strings.Replace(receipt, "index 5", "index 12", 1), false, false)
	add("a receipt of another version", "receipt", strings.Replace(receipt, "@v1", "@v2", 1), false, false)
	return out
}

// flip changes one bit inside the signature of a line.
func flip(note string, line int) string {
	lines := strings.SplitAfter(note, "\n")
	at := len(lines[line]) - 10
	c := lines[line][at]
	other := byte('A')
	if c == 'A' {
		other = 'B'
	}
	lines[line] = lines[line][:at] + string(other) + lines[line][at+1:]
	return strings.Join(lines, "")
}

func judge(v ledgertest.NoteVector) error {
	keys := must(verify.ParseKeys(v.Keys))
	if v.Kind == "checkpoint" {
		_, err := verify.OpenCheckpoint([]byte(v.Text), keys)
		return err
	}
	r, err := verify.ParseReceipt([]byte(v.Text))
	if err != nil {
		return err
	}
	_, err = r.Verify(keys)
	return err
}

// zipped packs files with fixed times, so that only signatures differ between two runs.
func zipped(files map[string][]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range sorted(files) {
		w := must(z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}))
		must(w.Write(files[name]))
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
