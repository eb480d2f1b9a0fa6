package verify_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// known is the entry of which the package comment's layout is spelled out below.
func known() *verify.Entry {
	return &verify.Entry{
		Seq: 258, ID: [16]byte{15: 1}, Tenant: [16]byte{15: 2}, User: &[16]byte{15: 3},
		Action: "login", EntityType: "user", EntityID: "u-1", Details: []byte(`{"ok":true}`), Narrative: "Anmeldung.",
		PreviousHash: [32]byte{31: 4}, CurrentHash: [32]byte{31: 5},
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 120000000, time.UTC), Class: verify.Critical, Scheme: verify.SchemeBound,
	}
}

func TestCanonicalFormIsTheDocumentedOne(t *testing.T) {
	want := strings.Join([]string{
		"01",                                     // version
		"0000000000000102",                       // seq
		"00000000000000000000000000000001",       // id
		"00000000000000000000000000000002",       // tenant
		"01", "00000000000000000000000000000003", // user
		"01", "01", // class, scheme
		"0006475ef64ec800", // microseconds since 1970
		strings.Repeat("0", 63) + "4",
		strings.Repeat("0", 63) + "5",
		"0005" + hex.EncodeToString([]byte("login")),
		"0004" + hex.EncodeToString([]byte("user")),
		"0003" + hex.EncodeToString([]byte("u-1")),
		"000a" + hex.EncodeToString([]byte("Anmeldung.")),
		"0000000b" + hex.EncodeToString([]byte(`{"ok":true}`)),
	}, "")
	if got := hex.EncodeToString(must(known().Canonical())); got != want {
		t.Errorf("canonical form\n%s, want\n%s", got, want)
	}
	e := known()
	e.User = nil
	if got := must(e.Canonical()); got[41] != 0 || len(got) != len(want)/2-16 {
		t.Errorf("system action: %x", got)
	}
}

func TestParsingIsTheInverseOfEncoding(t *testing.T) {
	for _, e := range small().entries {
		b := must(e.Canonical())
		back := must(verify.ParseEntry(b))
		if !bytes.Equal(must(back.Canonical()), b) || back.CreatedAt != e.CreatedAt || back.Narrative != e.Narrative {
			t.Fatalf("entry %d does not survive", e.Seq)
		}
	}
}

func TestEntriesOutOfFormAreRefused(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		edit func(e *verify.Entry)
		want error
	}{
		"action empty":               {func(e *verify.Entry) { e.Action = "" }, verify.ErrMalformed},
		"action empty, imported":     {func(e *verify.Entry) { e.Action, e.Scheme = "", verify.SchemePlain }, verify.ErrMalformed},
		"action upper case":          {func(e *verify.Entry) { e.Action = "Login" }, verify.ErrMalformed},
		"action too long":            {func(e *verify.Entry) { e.Action = long(65) }, verify.ErrTooLarge},
		"entity type empty":          {func(e *verify.Entry) { e.EntityType = "" }, verify.ErrMalformed},
		"entity type too long":       {func(e *verify.Entry) { e.EntityType = long(65) }, verify.ErrTooLarge},
		"entity id too long":         {func(e *verify.Entry) { e.EntityID = long(257) }, verify.ErrTooLarge},
		"entity id not UTF-8":        {func(e *verify.Entry) { e.EntityID = "\xff" }, verify.ErrMalformed},
		"entity id with U+0000":      {func(e *verify.Entry) { e.EntityID = "a\x00b" }, verify.ErrMalformed},
		"narrative too long":         {func(e *verify.Entry) { e.Narrative = long(4097) }, verify.ErrTooLarge},
		"narrative far too long":     {func(e *verify.Entry) { e.Narrative = long(1 << 20) }, verify.ErrTooLarge},
		"narrative overlong UTF-8":   {func(e *verify.Entry) { e.Narrative = "abcdefg\xc0\xaf" }, verify.ErrMalformed},
		"narrative with a surrogate": {func(e *verify.Entry) { e.Narrative = "\xed\xa0\x80" }, verify.ErrMalformed},
		"details missing":            {func(e *verify.Entry) { e.Details = nil }, verify.ErrMalformed},
		"details no object":          {func(e *verify.Entry) { e.Details = []byte("[]") }, verify.ErrMalformed},
		"details too long":           {func(e *verify.Entry) { e.Details = []byte(`{"a":"` + long(48<<10) + `"}`) }, verify.ErrTooLarge},
		"class unknown":              {func(e *verify.Entry) { e.Class = 2 }, verify.ErrMalformed},
		"scheme unknown":             {func(e *verify.Entry) { e.Scheme = 0 }, verify.ErrMalformed},
		"time before 1970":           {func(e *verify.Entry) { e.CreatedAt = time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC) }, verify.ErrMalformed},
		"time zero":                  {func(e *verify.Entry) { e.CreatedAt = time.Time{} }, verify.ErrMalformed},
		"time after 9999":            {func(e *verify.Entry) { e.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, verify.ErrMalformed},
		"time with nanoseconds":      {func(e *verify.Entry) { e.CreatedAt = e.CreatedAt.Add(1) }, verify.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			e := known()
			c.edit(e)
			b, err := e.Canonical()
			if !errors.Is(err, c.want) || b != nil {
				t.Errorf("Canonical: %d bytes, %v", len(b), err)
			}
			if _, err := verify.ParseEntry(e.AppendRaw(nil)); err == nil && !strings.HasPrefix(name, "time") {
				t.Error("the raw form parses")
			}
		})
	}
}

func TestLimitsAreInclusiveAndFitABundle(t *testing.T) {
	e := known()
	e.Action, e.EntityType = strings.Repeat("a", verify.MaxAction), strings.Repeat("b", verify.MaxEntityType)
	e.EntityID, e.Narrative = strings.Repeat("c", verify.MaxEntityID), strings.Repeat("d", verify.MaxNarrative)
	e.Details = []byte(`{"a":"` + strings.Repeat("e", verify.MaxDetails-8) + `"}`)
	b, err := e.Canonical()
	if err != nil || len(b) > verify.MaxEntry {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestImportedEntriesMayUseOtherNames(t *testing.T) {
	e := known()
	e.Scheme, e.Action, e.EntityType = verify.SchemePlain, "Änderung / Genehmigung", ""
	if _, err := e.Canonical(); err != nil {
		t.Error(err)
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	b := must(known().Canonical())
	for n := range b {
		if _, err := verify.ParseEntry(b[:n]); err == nil {
			t.Fatalf("%d of %d bytes parse", n, len(b))
		}
	}
	if _, err := verify.ParseEntry(append(b, 0)); err == nil {
		t.Error("a byte after the details is accepted")
	}
	if _, err := verify.ParseEntry(make([]byte, verify.MaxEntry+1)); !errors.Is(err, verify.ErrTooLarge) {
		t.Error("an oversized entry is not ErrTooLarge")
	}
}

func TestErrorsNeverRepeatTheRefusedText(t *testing.T) {
	for _, secret := range []string{"GEHEIM", "geheim\x00", "geheim\xff"} {
		e := known()
		e.Action, e.Details = secret, []byte(`{"x":`+secret+`}`)
		_, err1 := e.Canonical()
		err2 := verify.CheckDetails(e.Details)
		_, err3 := verify.CanonicalDetails(map[string]any{secret: 1.5})
		for _, err := range []error{err1, err2, err3} {
			if err == nil || strings.Contains(strings.ToLower(err.Error()), "geheim") {
				t.Errorf("error %v", err)
			}
		}
	}
}

func TestChainHashIsTheDocumentsFormula(t *testing.T) {
	// printf '%s' 0000…0000 approve_draft d-1 'Entwurf freigegeben.' 2026-03-01T08:00:00.12Z | sha256sum
	at := time.Date(2026, 3, 1, 9, 0, 0, 120000999, time.FixedZone("CET", 3600))
	got := verify.ChainHash([32]byte{}, "approve_draft", "d-1", "Entwurf freigegeben.", at)
	want := "1409e1d767b02a9f68dfb300f8353eafc4ced1edb864bf062001ea1b4586816f"
	if hex.EncodeToString(got[:]) != want {
		t.Errorf("chain hash %x, want %s", got, want)
	}
}

func TestLeafAndCommitmentHashesAreTheDocumentedOnes(t *testing.T) {
	leaf := verify.LeafHash([]byte("L123456"))
	if got := hex.EncodeToString(leaf[:]); got != "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56" {
		t.Errorf("leaf %s", got) // printf '\0L123456' | sha256sum
	}
	c := verify.Commitment([32]byte{}, "Erika Muster")
	if got := hex.EncodeToString(c[:]); got != "095ac9e5eed02a15a5518649bd188c46604c8cd11de065a032da7c14b77ef061" {
		t.Errorf("commitment %s", got)
	}
	big := bytes.Repeat([]byte{7}, 5000)
	if verify.LeafHash(big) == verify.LeafHash(big[1:]) {
		t.Error("long entries hash alike")
	}
}
