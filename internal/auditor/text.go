package auditor

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func (c *verifyCommand) print(s *streams, r *result) error {
	if !r.KeysPinned && !c.Quiet && !c.JSON {
		warnUnpinned(s.stderr, c.Lang)
	}
	switch {
	case c.JSON:
		return printJSON(s.stdout, r)
	case c.Quiet:
		return nil
	}
	return printText(s.stdout, c.Lang, r)
}

func warnUnpinned(stderr io.Writer, l words.Lang) {
	fmt.Fprintln(stderr, l.T("warning: only the export's own keys were used. They show that the export is consistent, not who signed it; "+
		"pass --keys with a key history obtained by another way."))
}

// table writes rows of a name and a value, aligned.
type table struct {
	w *tabwriter.Writer
	l words.Lang
}

func newTable(out io.Writer, l words.Lang) table {
	return table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), l}
}

// row writes a name and a value, both of this program.
func (t table) row(name, format string, args ...any) {
	fmt.Fprintf(t.w, "%s\t%s\n", t.l.T(name), t.l.T(format, args...))
}

// data writes a name and a value of unknown origin.
func (t table) data(name, value string) {
	fmt.Fprintf(t.w, "%s\t%s\n", t.l.T(name), words.Clean(value))
}

func printText(out io.Writer, l words.Lang, r *result) error {
	printGaps(out, l, r.Report)
	t, n := newTable(out, l), l.Number
	t.data("log", or(r.Origin, l.T("unknown")))
	t.data("tenant", or(r.Tenant, l.T("none: the log is empty")))
	t.row("entries", "%s of %s%s", n(r.Entries), n(r.Size), span(l, r.First, r.Last))
	t.data("root", or(r.Root, l.T("unknown")))
	t.row("signatures", "%s critical entries", n(r.Critical))
	t.row("personal", "%s readable, %s erased, %s withheld", n(r.Openings), n(r.Redacted), n(r.Withheld))
	if told := &r.survey.Narratives; told.Rendered+told.Unknown+told.Differing > 0 {
		t.row("narratives", "%s rendered again, %s differ, %s unknown", n(told.Rendered), n(told.Differing), n(told.Unknown))
	}
	t.row("older", "%d checkpoints and %d receipts confirmed", r.Checkpoints, r.Receipts)
	for _, w := range r.Witnesses {
		t.row("witness", "%s: %s checkpoints, up to size %s on %s", words.Clean(w.Name), n(uint64(w.Checkpoints)), n(w.Size), l.Time(w.At))
	}
	switch newest, valid, others := r.newestStamp(); {
	case newest != nil:
		t.row("time stamps", "%d valid, %d not; size %s existed on %s, says %s", valid, others, n(newest.Size), l.Time(*newest.Time),
			words.Clean(or(newest.Authority, newest.Anchor)))
	case others > 0:
		t.row("time stamps", "%d, none of them confirmed", others)
	}
	if r.Closed != nil {
		t.row("closed", "on %s", l.Time(*r.Closed))
	}
	if r.From > 0 {
		t.row("read", "from entry %s on; the earlier checkpoint is trusted for what is before", n(r.From))
	}
	if r.KeysPinned {
		t.row("keys", "%d, given by you", len(r.Keys))
	} else {
		t.row("keys", "%d, from the export itself: NOT PINNED", len(r.Keys))
	}
	t.data("verdict", l.Verdict(r.Verdict))
	if err := t.w.Flush(); err != nil {
		return err
	}
	return printFindings(out, l, r.Report)
}

// printGaps says in front of everything what the log declares lost.
func printGaps(out io.Writer, l words.Lang, r *verify.Report) {
	for _, g := range r.Gaps {
		fmt.Fprintf(out, "%s: %s\n", l.T("DECLARED GAP"), l.T("entries %s to %s are lost after a restore, says entry %s of %s",
			l.Number(g.From), l.Number(g.Until-1), l.Number(g.Entry), l.Time(g.At)))
	}
	if r.LostReceipts > 0 {
		fmt.Fprintf(out, "%s: %s\n", l.T("DECLARED GAP"), l.T("%d of the receipts given prove entries that lie in a declared gap.", r.LostReceipts))
	}
	if len(r.Gaps)+r.LostReceipts > 0 {
		fmt.Fprintln(out)
	}
}

func printFindings(out io.Writer, l words.Lang, r *verify.Report) error {
	if len(r.Findings) == 0 {
		return nil
	}
	fmt.Fprintf(out, "\n%s\n", l.T("findings, the first to look at in front:"))
	for _, f := range r.Findings {
		fmt.Fprintf(out, "  %-20s %s\n", l.Where(f), l.Finding(f))
	}
	if r.Omitted > 0 {
		fmt.Fprintf(out, "  %s\n", l.T("and %s more", l.Number(r.Omitted)))
	}
	_, err := fmt.Fprintln(out)
	return err
}

func span(l words.Lang, first, last *time.Time) string {
	if first == nil || last == nil {
		return ""
	}
	return l.T(", %s to %s", l.Time(*first), l.Time(*last))
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
