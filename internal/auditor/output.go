package auditor

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func (g *grammar) print(s *streams, r *verify.Report) error {
	if !r.KeysPinned && !g.Quiet && !g.JSON {
		fmt.Fprintln(s.stderr, "warning: only the export's own keys were used. They show that the export is consistent, not who signed it; "+
			"pass --keys with a key history obtained by another way.")
	}
	switch {
	case g.JSON:
		e := json.NewEncoder(s.stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	case g.Quiet:
		return nil
	}
	return printText(s.stdout, r)
}

func printText(out io.Writer, r *verify.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}

	row("log", "%s", or(r.Origin, "unknown"))
	row("tenant", "%s", or(r.Tenant, "none: the log is empty"))
	row("entries", "%s of %s%s", group(r.Entries), group(r.Size), span(r.First, r.Last))
	row("root", "%s", or(r.Root, "unknown"))
	row("signatures", "%s critical entries", group(r.Critical))
	row("personal", "%s readable, %s erased, %s withheld", group(r.Openings), group(r.Redacted), group(r.Withheld))
	row("older", "%d checkpoints and %d receipts confirmed", r.Checkpoints, r.Receipts)
	row("keys", "%s", keysText(r))
	row("verdict", "%s", strings.ToUpper(string(r.Verdict)))
	if err := w.Flush(); err != nil {
		return err
	}
	return printFindings(out, r)
}

func printFindings(out io.Writer, r *verify.Report) error {
	if len(r.Findings) == 0 {
		return nil
	}
	fmt.Fprintf(out, "\nfindings, the first to look at in front:\n")
	for _, f := range r.Findings {
		fmt.Fprintf(out, "  %-20s %s\n", position(f), strings.TrimPrefix(f.Err.Error(), "verify: "))
	}
	if r.Omitted > 0 {
		fmt.Fprintf(out, "  and %s more\n", group(r.Omitted))
	}
	_, err := fmt.Fprintln(out)
	return err
}

func position(f verify.Finding) string {
	switch {
	case f.Exact():
		return "entry " + group(f.First)
	case f.Located:
		return "entries " + group(f.First) + "–" + group(f.Last)
	}
	return string(f.Kind)
}

func keysText(r *verify.Report) string {
	if r.KeysPinned {
		return fmt.Sprintf("%d, given by you", len(r.Keys))
	}
	return fmt.Sprintf("%d, from the export itself: NOT PINNED", len(r.Keys))
}

func span(first, last *time.Time) string {
	if first == nil || last == nil {
		return ""
	}
	return ", " + first.Format(time.RFC3339) + " to " + last.Format(time.RFC3339)
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// group writes a number with a comma before every three digits.
func group(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
