package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// words of the reports in both languages.
var (
	wordSeverity = map[Severity]Text{
		Info: {"INFO", "HINWEIS"}, Warn: {"WARN", "WARNUNG"}, Error: {"ERROR", "FEHLER"}, Fatal: {"FATAL", "FATAL"},
	}
	wordTitle    = Text{"Tenant isolation audit", "Prüfung der Mandantentrennung"}
	wordFix      = Text{"fix", "Abhilfe"}
	wordAccepted = Text{"accepted", "akzeptiert"}
	wordNothing  = Text{"No finding.", "Kein Befund."}
	wordFindings = Text{"Findings", "Befunde"}
	wordAccepts  = Text{"Accepted exceptions", "Akzeptierte Ausnahmen"}
	wordColumns  = Text{"| Rule | Severity | Object | Detail | Reason |", "| Regel | Stufe | Objekt | Einzelheit | Begründung |"}
	wordSummary  = Text{
		"%d rules over %d tenant tables of database %s (PostgreSQL %s); request roles: %s; %d finding(s), %d accepted",
		"%d Regeln über %d Mandantentabellen der Datenbank %s (PostgreSQL %s); Anfragerollen: %s; %d Befund(e), %d akzeptiert"}
)

func (r Report) summary(l Language) string {
	roles := strings.Join(r.RequestRoles, ", ")
	if roles == "" {
		roles = "-"
	}
	return fmt.Sprintf(wordSummary.In(l), r.Rules, r.Tables, r.Server.Database, r.Server.Version, roles, len(r.AtLeast(Info)), len(r.Accepted()))
}

// line is a text without line breaks and other control characters, which names and expressions may hold.
func line(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 }), " ")
}

// Text writes the report for a terminal.
func (r Report) Text(w io.Writer, l Language) error {
	var b strings.Builder
	for _, f := range r.Findings {
		rule := Explain(f.Rule)
		fmt.Fprintf(&b, "%-7s %s %s: %s\n", wordSeverity[f.Severity].In(l), f.Rule, line(f.Object), rule.Title.In(l))
		if f.Detail != "" {
			fmt.Fprintf(&b, "        %s\n", line(f.Detail))
		}
		if f.Accepted != "" {
			fmt.Fprintf(&b, "        %s: %s\n", wordAccepted.In(l), line(f.Accepted))
			continue
		}
		fmt.Fprintf(&b, "        %s: %s\n", wordFix.In(l), rule.Fix.In(l))
		if f.SQL != "" {
			fmt.Fprintf(&b, "        %s\n", line(f.SQL))
		}
	}
	fmt.Fprintln(&b, r.summary(l))
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes the report as one JSON document: its fields, and max, the highest severity that nobody accepted.
func (r Report) JSON(w io.Writer) error {
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Report
		Max Severity `json:"max"`
	}{r, r.Max()})
}

// Markdown writes the report as a document for an audit file.
func (r Report) Markdown(w io.Writer, l Language) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\n## %s\n\n", wordTitle.In(l), cell(r.summary(l)), wordFindings.In(l))
	open := r.AtLeast(Info)
	if len(open) == 0 {
		fmt.Fprintf(&b, "%s\n", wordNothing.In(l))
	}
	for _, f := range open {
		rule := Explain(f.Rule)
		fmt.Fprintf(&b, "### %s %s: %s\n\n", wordSeverity[f.Severity].In(l), f.Rule, cell(f.Object))
		fmt.Fprintf(&b, "%s. %s\n\n", rule.Title.In(l), rule.Why.In(l))
		if f.Detail != "" {
			fmt.Fprintf(&b, "%s\n\n", code(f.Detail))
		}
		fmt.Fprintf(&b, "%s: %s\n\n", wordFix.In(l), rule.Fix.In(l))
		if f.SQL != "" {
			fmt.Fprintf(&b, "%s\n\n", code(f.SQL))
		}
		fmt.Fprintf(&b, "%s\n\n", strings.Join(rule.References, "; "))
	}
	if accepted := r.Accepted(); len(accepted) > 0 {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n|---|---|---|---|---|\n", wordAccepts.In(l), wordColumns.In(l))
		for _, f := range accepted {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Rule, wordSeverity[f.Severity].In(l), cell(f.Object), cell(f.Detail), cell(f.Accepted))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell escapes what Markdown would read as more than text.
func cell(text string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "#", `\#`).Replace(line(text))
}

// code writes text as a code span, with more backquotes around it than in it.
func code(text string) string {
	text = line(text)
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		return fence + " " + text + " " + fence
	}
	return fence + text + fence
}
