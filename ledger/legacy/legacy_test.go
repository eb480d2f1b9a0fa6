package legacy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/cloudflare/circl/sign/dilithium/mode3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/legacy"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// entry is the document's entry as the old system wrote it. Members stay as they are given, so that a test can break one.
type entry map[string]any

// chain is the old system: it writes the document's format with the document's formula and signs with round-3 Dilithium.
type chain struct {
	public *sign.Dilithium3PublicKey
	key    *mode3.PrivateKey
	raw    bool // sign the bytes of the hash, not its digits

	signUntil int // entries from here on are not signed
	tenant    uuid.UUID

	entries []entry
	prev    string
}

const genesis = "0000000000000000000000000000000000000000000000000000000000000000"

func newChain(t testing.TB, n int) *chain {
	t.Helper()
	return oldSystem(n)
}

func oldSystem(n int) *chain {
	pub, key := mode3.NewKeyFromSeed((*[32]byte)(bytes.Repeat([]byte{7}, 32)))
	public, err := sign.ParseDilithium3PublicKey(pub.Bytes())
	if err != nil {
		panic(err)
	}
	c := &chain{public: public, key: key, tenant: uuid.MustParse("6f1d9c6e-8c36-4f0d-9d53-21f0a1b7c001"), prev: genesis, signUntil: 30}
	for i := range n {
		c.add(i)
	}
	return c
}

// add appends entry i: signed ones and others, users and the system, details of every sort.
func (c *chain) add(i int) {
	at := time.Date(2026, 3, 9, 14, 23, i, 120_000*i, time.UTC)
	e := entry{
		"id": uuid.NewSHA1(c.tenant, []byte{byte(i), byte(i >> 8)}).String(), "tenant_id": c.tenant.String(), "user_id": uuid.NewSHA1(c.tenant, []byte("u")).String(),
		"action": "approve_draft", "entity_type": "draft", "entity_id": fmt.Sprintf("d-%d", i), "details": json.RawMessage(`{"n":1,"tags":["a","ü"]}`),
		"nis2_narrative": fmt.Sprintf("Benutzer admin@klinikum.de hat Entwurf d-%d freigegeben.", i), "created_at": at.Format(time.RFC3339Nano),
	}
	switch i % 4 {
	case 1:
		e["user_id"], e["details"] = nil, nil
	case 2:
		e["details"] = json.RawMessage(`{ "z": 1, "a": {"load": 0.5} }`)
	case 3:
		e["details"] = json.RawMessage(`{"b":true,"a":"x"}`)
	}
	c.link(e, i%3 != 2 && i < c.signUntil)
	c.entries = append(c.entries, e)
}

// link computes the document's formula, written down here from TOM 3.3.
func (c *chain) link(e entry, signed bool) {
	e["previous_hash"] = c.prev
	sum := sha256.Sum256([]byte(c.prev + e["action"].(string) + e["entity_id"].(string) + e["nis2_narrative"].(string) + e["created_at"].(string)))
	c.prev = hex.EncodeToString(sum[:])
	e["current_hash"] = c.prev
	e["dilithium_signature"] = nil
	if signed {
		e["dilithium_signature"] = c.sign(sum)
	}
}

func (c *chain) sign(sum [32]byte) string {
	msg := []byte(hex.EncodeToString(sum[:]))
	if c.raw {
		msg = sum[:]
	}
	sig := make([]byte, mode3.SignatureSize)
	mode3.SignTo(c.key, msg, sig)
	return base64.StdEncoding.EncodeToString(sig)
}

func (e entry) line() []byte {
	text, err := json.Marshal(map[string]any(e))
	if err != nil {
		panic(err)
	}
	return append(text, '\n')
}

func (c *chain) bytes() []byte {
	var b bytes.Buffer
	for _, e := range c.entries {
		b.Write(e.line())
	}
	return b.Bytes()
}

func opener(text []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
}

// files keeps an export in memory.
type files fstest.MapFS

type file struct {
	bytes.Buffer
	done func([]byte)
}

func (f *file) Close() error { f.done(f.Bytes()); return nil }

func (f files) Create(name string) (io.WriteCloser, error) {
	return &file{done: func(b []byte) { f[name] = &fstest.MapFile{Data: b} }}, nil
}

func config(t testing.TB, c *chain) legacy.Config {
	t.Helper()
	composite, err := sign.ParseCompositeKey(bytes.Repeat([]byte{1}, 64))
	require.NoError(t, err)
	stock, err := sign.ParseEd25519Key(bytes.Repeat([]byte{2}, 32))
	require.NoError(t, err)
	return legacy.Config{Key: c.public, Domain: "log.example.org", Checkpoint: composite, Stock: stock, Rand: rand.Reader,
		Now: func() time.Time { return time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC) }}
}

func TestAChainBecomesAnExport(t *testing.T) {
	for _, raw := range []bool{false, true} {
		c := newChain(t, 0)
		c.raw = raw
		for i := range 300 {
			c.add(i)
		}
		cfg := config(t, c)
		if raw {
			cfg.Signed = legacy.RawHash
		}
		out := files{}
		report, err := legacy.Import(t.Context(), opener(c.bytes()), out, cfg)
		require.NoError(t, err)
		require.EqualValues(t, 300, report.Entries)
		require.EqualValues(t, 20, report.Signed)
		require.EqualValues(t, 20, report.Verified)
		require.EqualValues(t, 280, report.Unsigned)
		require.EqualValues(t, []uint64{75, 150, 75}, []uint64{report.Canonical, report.Rewritten, report.Kept})
		require.Equal(t, c.prev, report.Head)
		require.Len(t, report.Findings, 75)
		require.Equal(t, legacy.Finding{Seq: 2, What: "details kept as text: a number that is no integer within ±(2^53−1)"}, report.Findings[0])

		keys, err := verify.ParseKeys(out["keys.json"].Data)
		require.NoError(t, err)
		tenant := [16]byte(c.tenant)
		r, err := verify.Verify(t.Context(), fstest.MapFS(out), verify.Config{Keys: keys, Tenant: &tenant, Origin: report.Origin})
		require.NoError(t, err)
		require.True(t, r.Intact(), "%v", r.Findings)
		require.EqualValues(t, 300, r.Entries)
		require.Zero(t, r.Critical)

		n, err := legacy.Recheck(t.Context(), fstest.MapFS(out), r.Size, c.public, cfg.Signed)
		require.NoError(t, err)
		require.Equal(t, report.Signed, n)
		_, err = legacy.Recheck(t.Context(), fstest.MapFS(out), r.Size, c.public, 1-cfg.Signed)
		require.ErrorIs(t, err, legacy.ErrSignature, "what a signature covers is not guessed")

		var again legacy.Report
		require.NoError(t, json.Unmarshal(out[legacy.ReportFile].Data, &again))
		require.Equal(t, report.Digest, again.Digest)
		require.NotContains(t, string(out[legacy.ReportFile].Data), "klinikum", "the report holds no content")
	}
}

func TestDetailsComeThroughOrAreKept(t *testing.T) {
	long := strings.Repeat("x", 100)
	for name, c := range map[string]struct {
		details, want, finding string
	}{
		"canonical":               {`{"a":1,"b":[true,"x"]}`, `{"a":1,"b":[true,"x"]}`, ""},
		"another order, spaces":   {`{ "b": 1, "a": 2 }`, `{"a":2,"b":1}`, ""},
		"escapes":                 {`{"a":"\u00fc\/"}`, `{"a":"ü/"}`, ""},
		"none":                    {`null`, `{}`, ""},
		"a fraction":              {`{"a":0.5}`, `{"imported_json":"{\"a\":0.5}"}`, "a number that is no integer within ±(2^53−1)"},
		"an exponent":             {`{"a":1e2}`, `{"imported_json":"{\"a\":1e2}"}`, "a number that is no integer within ±(2^53−1)"},
		"2^53":                    {`{"a":9007199254740992}`, `{"imported_json":"{\"a\":9007199254740992}"}`, "a number that is no integer within ±(2^53−1)"},
		"2^53−1":                  {`{"a":9007199254740991}`, `{"a":9007199254740991}`, ""},
		"minus zero":              {`{"a":-0}`, `{"imported_json":"{\"a\":-0}"}`, "a number that is no integer within ±(2^53−1)"},
		"null within":             {`{"a":null}`, `{"imported_json":"{\"a\":null}"}`, "null"},
		"a list":                  {`[1]`, `{"imported_json":"[1]"}`, "no object"},
		"a text":                  {`"x"`, `{"imported_json":"\"x\""}`, "no object"},
		"a repeated member":       {`{"a":1,"a":2}`, `{"imported_json":"{\"a\":1,\"a\":2}"}`, "a repeated member"},
		"half a surrogate pair":   {`{"a":"\ud800"}`, `{"imported_json":"{\"a\":\"\\ud800\"}"}`, "half a surrogate pair"},
		"a surrogate pair":        {`{"a":"\ud83d\ude00"}`, `{"a":"😀"}`, ""},
		"an escaped backslash":    {`{"a":"\\ud800"}`, `{"a":"\\ud800"}`, ""},
		"U+0000":                  {`{"a":"\u0000"}`, `{"imported_json":"{\"a\":\"\\u0000\"}"}`, "contains U+0000"},
		"nested too deeply":       {strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17), "", "nested too deeply"},
		"nested far too deeply":   {strings.Repeat(`[`, 500) + strings.Repeat("]", 500), "", "nested too deeply"},
		"the importer's own name": {`{"imported_json":"x"}`, `{"imported_json":"{\"imported_json\":\"x\"}"}`, "a member of the importer's name"},
		"long":                    {`{"a":"` + long + `"}`, `{"a":"` + long + `"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k := newChain(t, 1)
			k.entries[0]["details"] = json.RawMessage(c.details)
			text := bytes.Replace(k.bytes(), compact(t, c.details), []byte(c.details), 1) // json.Marshal compacts
			out := files{}
			report, err := legacy.Import(t.Context(), opener(text), out, config(t, k))
			require.NoError(t, err)
			for canonical, err := range verify.Entries(fstest.MapFS(out), 0, 1) {
				require.NoError(t, err)
				e, err := verify.ParseEntry(canonical)
				require.NoError(t, err)
				if c.want != "" {
					require.Equal(t, c.want, string(e.Details))
				}
			}
			if c.finding == "" {
				require.Empty(t, report.Findings)
			} else {
				require.Equal(t, []legacy.Finding{{What: "details kept as text: " + c.finding}}, report.Findings)
			}
		})
	}
}

func compact(t *testing.T, text string) []byte {
	t.Helper()
	b, err := json.Marshal(json.RawMessage(text))
	require.NoError(t, err)
	return b
}

// Each thing a line can be wrong in, at a position in the middle: the fault is named there, and nothing is signed.
func TestTheFirstFaultIsNamedExactly(t *testing.T) {
	const at = 5
	set := func(name string, v any) func(*chain) { return func(c *chain) { c.entries[at][name] = v } }
	drop := func(name string) func(*chain) { return func(c *chain) { delete(c.entries[at], name) } }
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	link := func(err error) bool { return errors.As(err, new(*verify.BrokenLinkError)) }
	hash := func(err error) bool { return errors.As(err, new(*verify.HashError)) }
	form := func(err error) bool { return errors.As(err, new(*verify.MalformedEntryError)) }
	for name, c := range map[string]struct {
		edit func(*chain)
		want func(error) bool
	}{
		"another action":                     {set("action", "reject_draft"), hash},
		"another entity":                     {set("entity_id", "d-6"), hash},
		"another narrative":                  {set("nis2_narrative", "Nichts geschah."), hash},
		"another time":                       {set("created_at", "2026-03-09T14:23:05.000601Z"), hash},
		"another hash":                       {set("current_hash", strings.Repeat("ab", 32)), hash},
		"another link":                       {set("previous_hash", strings.Repeat("ab", 32)), link},
		"genesis in between":                 {set("previous_hash", genesis), link},
		"a time before":                      {set("created_at", "2026-03-09T14:22:05Z"), func(err error) bool { return errors.As(err, new(*verify.TimeError)) }},
		"another tenant":                     {set("tenant_id", uuid.NewString()), func(err error) bool { return errors.As(err, new(*verify.TenantError)) }},
		"deleted":                            {func(c *chain) { c.entries = slices.Delete(c.entries, at, at+1) }, link},
		"doubled":                            {func(c *chain) { c.entries = slices.Insert(c.entries, at, c.entries[at-1]) }, link},
		"swapped":                            {func(c *chain) { c.entries[at], c.entries[at+1] = c.entries[at+1], c.entries[at] }, link},
		"an unknown member":                  {set("extra", 1), is(legacy.ErrMalformed)},
		"a missing member":                   {drop("entity_type"), is(legacy.ErrMalformed)},
		"no signature member":                {drop("dilithium_signature"), is(legacy.ErrMalformed)},
		"an empty action":                    {set("action", ""), form},
		"action null":                        {set("action", nil), is(legacy.ErrMalformed)},
		"a number as text":                   {set("entity_id", 5), is(legacy.ErrMalformed)},
		"an id that is none":                 {set("id", "5"), is(legacy.ErrMalformed)},
		"an id in braces":                    {set("id", "{"+uuid.NewString()+"}"), is(legacy.ErrMalformed)},
		"a hash in capitals":                 {set("current_hash", strings.Repeat("AB", 32)), is(legacy.ErrMalformed)},
		"a short hash":                       {set("current_hash", "ab"), is(legacy.ErrMalformed)},
		"a time zone":                        {set("created_at", "2026-03-09T15:23:05+01:00"), is(legacy.ErrMalformed)},
		"nanoseconds":                        {set("created_at", "2026-03-09T14:23:05.000000001Z"), is(legacy.ErrMalformed)},
		"no time":                            {set("created_at", "gestern"), is(legacy.ErrMalformed)},
		"an early year":                      {set("created_at", "1969-03-09T14:23:05Z"), form},
		"a long narrative":                   {set("nis2_narrative", strings.Repeat("x", 4097)), form},
		"U+0000 in a text":                   {set("entity_type", "a\x00"), form},
		"large details":                      {set("details", map[string]any{"x": strings.Repeat("x", 48<<10)}), is(legacy.ErrMalformed)},
		"a huge line":                        {set("details", map[string]any{"x": strings.Repeat("x", 600<<10)}), is(legacy.ErrMalformed)},
		"a signature cut off":                {set("dilithium_signature", base64.StdEncoding.EncodeToString(make([]byte, 3292))), is(legacy.ErrMalformed)},
		"a signature of the document's size": {set("dilithium_signature", base64.StdEncoding.EncodeToString(make([]byte, 2701))), is(legacy.ErrMalformed)},
		"a signature of nobody":              {set("dilithium_signature", base64.StdEncoding.EncodeToString(make([]byte, 3293))), is(legacy.ErrSignature)},
		"the signature of another entry": {func(c *chain) {
			c.entries[at-2]["dilithium_signature"], c.entries[at]["dilithium_signature"] = nil, c.entries[at-2]["dilithium_signature"]
		},
			is(legacy.ErrSignature)},
	} {
		t.Run(name, func(t *testing.T) {
			k := newChain(t, 0)
			k.signUntil = 0
			for i := range 10 {
				k.add(i)
			}
			k.entries[at-2]["dilithium_signature"] = k.sign([32]byte(must(hex.DecodeString(k.entries[at-2]["current_hash"].(string)))))
			for i := range k.entries {
				k.entries[i] = maps.Clone(k.entries[i])
			}
			c.edit(k)
			out := files{}
			report, err := legacy.Import(t.Context(), opener(k.bytes()), out, config(t, k))
			var le *legacy.LineError
			require.ErrorAs(t, err, &le)
			require.EqualValues(t, at, le.Seq, "%v", err)
			require.EqualValues(t, at+1, le.Line, "%v", err)
			require.True(t, c.want(err), "%T: %v", errors.Unwrap(err), err)
			require.EqualValues(t, at, report.Entries)
			require.NotContains(t, out, "checkpoint")
			require.NotContains(t, err.Error(), "klinikum")
			_, err2 := legacy.Check(t.Context(), bytes.NewReader(k.bytes()), config(t, k))
			require.Equal(t, err.Error(), err2.Error())
		})
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestFilesThatAreNoChain(t *testing.T) {
	k := newChain(t, 2)
	good := k.bytes()
	twice := bytes.Replace(good, []byte(`"action":`), []byte(`"action":"x","action":`), 1)
	for name, text := range map[string][]byte{
		"nothing":               nil,
		"an empty line":         []byte("\n"),
		"a list":                append([]byte("["), append(bytes.TrimSpace(bytes.Clone(good)), []byte("]")...)...),
		"no newline at the end": bytes.TrimSuffix(good, []byte("\n")),
		"a member twice":        twice,
		"letter case":           bytes.Replace(good, []byte(`"action"`), []byte(`"Action"`), 1),
		"not UTF-8":             bytes.Replace(good, []byte("freigegeben"), []byte("freigegeb\xffn"), 1),
		"half a surrogate pair": bytes.Replace(good, []byte("freigegeben"), []byte(`\ud800`), 1),
		"bytes behind a line":   bytes.Replace(good, []byte("}\n"), []byte("}}\n"), 1),
		"a byte order mark":     append([]byte("\xef\xbb\xbf"), good...),
	} {
		_, err := legacy.Import(t.Context(), opener(text), files{}, config(t, k))
		require.ErrorIs(t, err, legacy.ErrMalformed, name)
	}
	crlf, err := legacy.Check(t.Context(), bytes.NewReader(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n"))), config(t, k))
	require.NoError(t, err, "white space around the object is JSON")
	require.EqualValues(t, 2, crlf.Entries)
}

// What the document's formula leaves out can be changed unseen. The report says which members these are.
func TestTheReportNamesWhatTheFormulaLeavesOut(t *testing.T) {
	for _, name := range []string{"id", "tenant_id", "user_id", "entity_type", "details"} {
		k := newChain(t, 6)
		for _, e := range k.entries { // the tenant everywhere, since two are refused
			switch name {
			case "entity_type":
				e[name] = "other"
			case "details":
				e[name] = map[string]any{"forged": true}
			default:
				e[name] = "00000000-0000-4000-8000-000000000000"
			}
		}
		report, err := legacy.Check(t.Context(), bytes.NewReader(k.bytes()), config(t, k))
		require.NoError(t, err)
		require.Contains(t, report.Unbound, name)
	}
}

func TestSeveralTenantsAreRefusedOrTakenApart(t *testing.T) {
	a, b := newChain(t, 0), newChain(t, 0)
	b.tenant = uuid.MustParse("6f1d9c6e-8c36-4f0d-9d53-21f0a1b7c002")
	var text []byte
	for i := range 20 {
		a.add(i)
		b.add(i)
		text = append(append(text, a.entries[i].line()...), b.entries[i].line()...)
	}
	_, err := legacy.Check(t.Context(), bytes.NewReader(text), config(t, a))
	var le *legacy.LineError
	require.ErrorAs(t, err, &le)
	require.EqualValues(t, 2, le.Line)
	require.ErrorAs(t, err, new(*verify.TenantError))
	for _, c := range []*chain{a, b} {
		cfg := config(t, c)
		cfg.Tenant = c.tenant
		out := files{}
		report, err := legacy.Import(t.Context(), opener(text), out, cfg)
		require.NoError(t, err)
		require.EqualValues(t, 20, report.Entries)
		require.EqualValues(t, 20, report.Skipped)
		require.Equal(t, c.tenant.String(), report.Tenant)
		n, err := legacy.Recheck(t.Context(), fstest.MapFS(out), 20, c.public, legacy.HexHash)
		require.NoError(t, err)
		require.Equal(t, report.Signed, n)
	}
	cfg := config(t, a)
	cfg.Tenant = uuid.New()
	_, err = legacy.Import(t.Context(), opener(text), files{}, cfg)
	require.ErrorIs(t, err, legacy.ErrMalformed, "a tenant without entries has no chain")
}

func TestConfiguration(t *testing.T) {
	k := newChain(t, 3)
	for name, change := range map[string]func(*legacy.Config){
		"no Dilithium3 key":       func(c *legacy.Config) { c.Key = nil },
		"no checkpoint key":       func(c *legacy.Config) { c.Checkpoint = nil },
		"no Ed25519 key":          func(c *legacy.Config) { c.Stock = nil },
		"an unknown form":         func(c *legacy.Config) { c.Signed = 2 },
		"a domain that is no one": func(c *legacy.Config) { c.Domain = "Not A Domain" },
	} {
		cfg := config(t, k)
		change(&cfg)
		_, err := legacy.Import(t.Context(), opener(k.bytes()), files{}, cfg)
		require.ErrorIs(t, err, legacy.ErrConfig, name)
	}
	cfg := config(t, k)
	cfg.Key, cfg.KeepUnverifiedUnsafe = nil, true
	report, err := legacy.Import(t.Context(), opener(k.bytes()), files{}, cfg)
	require.NoError(t, err)
	require.Zero(t, report.Verified)
	require.EqualValues(t, 2, report.Signed)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = legacy.Import(ctx, opener(k.bytes()), files{}, config(t, k))
	require.ErrorIs(t, err, context.Canceled)
}

func TestAChainMustStayTheSame(t *testing.T) {
	k := newChain(t, 6)
	other := newChain(t, 6)
	other.entries[3]["entity_type"] = "swapped" // the formula does not see it
	cut := newChain(t, 5)
	for name, second := range map[string][]byte{"changed": other.bytes(), "shorter": cut.bytes(), "broken": k.bytes()[10:]} {
		first := true
		_, err := legacy.Import(t.Context(), func() (io.ReadCloser, error) {
			if first {
				first = false
				return io.NopCloser(bytes.NewReader(k.bytes())), nil
			}
			return io.NopCloser(bytes.NewReader(second)), nil
		}, files{}, config(t, k))
		require.ErrorIs(t, err, legacy.ErrChanged, name)
	}
}

func TestRecheckFindsWhatWasChangedBesideTheExport(t *testing.T) {
	k := newChain(t, 9)
	for name, c := range map[string]struct {
		edit func(lines []string) []string
		want error
	}{
		"a signature changed":   {func(l []string) []string { l[1] = strings.Replace(l[1], `"sig":"`, `"sig":"AAAA`, 1); return l }, legacy.ErrMalformed},
		"signatures swapped":    {func(l []string) []string { l[0], l[1] = swapSigs(l[0], l[1]); return l }, legacy.ErrSignature},
		"lines swapped":         {func(l []string) []string { l[0], l[1] = l[1], l[0]; return l }, legacy.ErrMalformed},
		"a line twice":          {func(l []string) []string { return slices.Insert(l, 0, l[0]) }, legacy.ErrMalformed},
		"of an entry not there": {func(l []string) []string { return append(l, strings.Replace(l[0], `"seq":0`, `"seq":99`, 1)) }, legacy.ErrMalformed},
		"no JSON":               {func(l []string) []string { l[2] = "x\n"; return l }, legacy.ErrMalformed},
		"a member more":         {func(l []string) []string { l[2] = strings.Replace(l[2], "{", `{"a":1,`, 1); return l }, legacy.ErrMalformed},
	} {
		out := files{}
		report, err := legacy.Import(t.Context(), opener(k.bytes()), out, config(t, k))
		require.NoError(t, err)
		lines := strings.SplitAfter(string(out[legacy.SignaturesFile].Data), "\n")
		lines = c.edit(lines[:len(lines)-1])
		out[legacy.SignaturesFile].Data = []byte(strings.Join(lines, ""))
		_, err = legacy.Recheck(t.Context(), fstest.MapFS(out), report.Entries, k.public, legacy.HexHash)
		require.ErrorIs(t, err, c.want, name)
	}
	out := files{}
	report, err := legacy.Import(t.Context(), opener(k.bytes()), out, config(t, k))
	require.NoError(t, err)
	lines := strings.SplitAfter(string(out[legacy.SignaturesFile].Data), "\n")
	out[legacy.SignaturesFile].Data = []byte(strings.Join(lines[1:], ""))
	n, err := legacy.Recheck(t.Context(), fstest.MapFS(out), report.Entries, k.public, legacy.HexHash)
	require.NoError(t, err)
	require.Equal(t, report.Signed-1, n, "a line left out shows in the number")
}

func swapSigs(a, b string) (string, string) {
	ca, cb := strings.Index(a, `"sig"`), strings.Index(b, `"sig"`)
	return a[:ca] + b[cb:], b[:cb] + a[ca:]
}

// stream makes a long chain as it is read.
type stream struct {
	c    *chain
	left int
	buf  []byte
}

func (s *stream) Read(p []byte) (int, error) {
	for len(s.buf) == 0 {
		if s.left == 0 {
			return 0, io.EOF
		}
		s.left--
		s.c.entries = s.c.entries[:0]
		at := time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC).Add(time.Duration(1<<30-s.left) * time.Microsecond)
		e := entry{"id": uuid.Nil.String(), "tenant_id": s.c.tenant.String(), "user_id": nil, "action": "login", "entity_type": "user", "entity_id": "7",
			"details": nil, "nis2_narrative": "Anmeldung.", "created_at": at.Format(time.RFC3339Nano)}
		s.c.link(e, false)
		s.buf = e.line()
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}

func TestMemoryDoesNotGrowWithTheChain(t *testing.T) {
	n := 4_000
	if os.Getenv("TOMKIT_SOAK") != "" {
		n = 2_000_000
	}
	peak := func(n int) uint64 {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		report, err := legacy.Check(t.Context(), &stream{c: newChain(t, 0), left: n}, config(t, newChain(t, 0)))
		require.NoError(t, err)
		require.EqualValues(t, n, report.Entries)
		runtime.GC()
		runtime.ReadMemStats(&after)
		return max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
	}
	require.Less(t, peak(n), uint64(8<<20))
}

// Whatever a chain is: nothing panics, and what is imported verifies.
func FuzzImport(f *testing.F) {
	k := newChain(f, 3)
	f.Add(k.bytes())
	f.Add([]byte(`{"id":"` + uuid.Nil.String() + `"}` + "\n"))
	cfg := config(f, k)
	cfg.Key, cfg.KeepUnverifiedUnsafe = nil, true
	f.Fuzz(func(t *testing.T, text []byte) {
		out := files{}
		report, err := legacy.Import(context.Background(), opener(text), out, cfg)
		if err != nil {
			return
		}
		r, err := verify.Verify(context.Background(), fstest.MapFS(out), verify.Config{})
		require.NoError(t, err)
		require.True(t, r.Intact(), "%v", r.Findings)
		require.Equal(t, report.Entries, r.Entries)
	})
}

func BenchmarkCheck(b *testing.B) {
	k := newChain(b, 100)
	text := k.bytes()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := legacy.Check(context.Background(), bytes.NewReader(text), config(b, k)); err != nil {
			b.Fatal(err)
		}
	}
}
