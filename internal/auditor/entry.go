package auditor

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func printReceipt(out io.Writer, l words.Lang, r *verify.Receipt, c verify.Checkpoint, pinned bool) {
	t := newTable(out, l)
	t.data("log", c.Origin)
	t.row("position", "entry %s of %s", l.Number(r.Index), l.Number(c.Size))
	t.data("leaf", hex.EncodeToString(r.Leaf[:]))
	t.data("root", hex.EncodeToString(c.Root[:]))
	if pinned {
		t.row("proof", "holds under the keys given by you")
	} else {
		t.row("proof", "holds under the export's own keys: NOT PINNED")
	}
	t.w.Flush()
}

// printEntry prints an entry's fields. Everything of it is data of unknown origin.
func printEntry(out io.Writer, l words.Lang, canonical []byte, opened map[[32]byte]string) error {
	e, err := verify.ParseEntry(canonical)
	if err != nil { // hashed into the tree all the same
		fmt.Fprintf(out, "\n%s\n", l.T("the entry is not in the form it should be: %s", err))
		return nil
	}
	fmt.Fprintln(out)
	t := newTable(out, l)
	for _, f := range entryFields(e) {
		t.data(f[0], f[1])
	}
	if e.Scheme == verify.SchemeBound {
		readable := narrative.Readable(e.Narrative, func(c [32]byte) (string, bool) { v, ok := opened[c]; return v, ok })
		t.data("readable", readable)
	}
	return t.w.Flush()
}

// entryFields are an entry's fields under the names of their columns.
func entryFields(e *verify.Entry) [][2]string {
	user := "–"
	if e.User != nil {
		user = words.UUID(*e.User)
	}
	return [][2]string{
		{"seq", fmt.Sprint(e.Seq)}, {"id", words.UUID(e.ID)}, {"tenant_id", words.UUID(e.Tenant)}, {"user_id", user},
		{"action", e.Action}, {"entity_type", e.EntityType}, {"entity_id", e.EntityID}, {"details", string(e.Details)},
		{"nis2_narrative", e.Narrative}, {"previous_hash", hex.EncodeToString(e.PreviousHash[:])},
		{"current_hash", hex.EncodeToString(e.CurrentHash[:])}, {"created_at", e.CreatedAt.Format("2006-01-02T15:04:05.000000Z")},
		{"class", e.Class.String()}, {"scheme", e.Scheme.String()},
	}
}
