package erasure

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Lang is a language of the record of processing activities.
type Lang string

// The languages.
const (
	German  Lang = "de"
	English Lang = "en"
)

func (l Lang) of(t Text) string {
	if l == German {
		return t.DE
	}
	return t.EN
}

func (l Lang) check() error {
	if l != German && l != English {
		return fmt.Errorf("%w: record of processing: language must be de or en", ErrInvalid)
	}
	return nil
}

// activity is a category as the record of processing shows it.
type activity struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Purpose    string         `json:"purpose"`
	Basis      string         `json:"legal_basis"`
	Subjects   string         `json:"data_subjects"`
	Recipients string         `json:"recipients"`
	Transfers  string         `json:"third_country_transfers"`
	Retention  string         `json:"retention"`
	Period     Period         `json:"period,omitzero"`
	Min        Period         `json:"minimum,omitzero"`
	Max        Period         `json:"maximum,omitzero"`
	Data       []activityData `json:"data"`
}

type activityData struct {
	Table   string   `json:"table"`
	Expires string   `json:"expires,omitempty"` // time column
	Action  Action   `json:"action,omitempty"`
	People  []string `json:"people,omitempty"`
}

// recordOfProcessing is the whole document.
type recordOfProcessing struct {
	Schema     string     `json:"schema"`
	Language   Lang       `json:"language"`
	Controller string     `json:"controller"`
	Officer    string     `json:"data_protection_officer"`
	Measures   string     `json:"measures"`
	Activities []activity `json:"activities"`
}

// RecordSchema names the form of what WriteJSON writes.
const RecordSchema = "tomkit/record-of-processing/v1"

func (r *Register) render(l Lang) recordOfProcessing {
	doc := recordOfProcessing{Schema: RecordSchema, Language: l, Controller: r.Controller, Officer: r.Officer, Measures: l.of(r.Measures)}
	for i := range r.Categories {
		c := &r.Categories[i]
		a := activity{
			ID: c.ID, Name: l.of(c.Name), Purpose: l.of(c.Purpose), Basis: l.of(c.Basis), Subjects: l.of(c.Subjects),
			Recipients: l.of(c.Recipients), Transfers: l.of(c.Transfers), Retention: c.Retention.describe(l),
			Period: c.Retention.Period, Min: c.Retention.Min, Max: c.Retention.Max,
		}
		if c.Transfers.empty() {
			a.Transfers = l.of(Text{"keine", "none"})
		}
		for j := range c.Tables {
			a.Data = append(a.Data, c.Tables[j].describe())
		}
		doc.Activities = append(doc.Activities, a)
	}
	return doc
}

func (t *Table) describe() activityData {
	d := activityData{Table: t.Name, Expires: t.Time}
	if t.Time != "" {
		d.Action = Delete
		if t.Anonymise != nil {
			d.Action = Anonymise
		}
	}
	for _, p := range t.People {
		d.People = append(d.People, p.Column)
	}
	return d
}

// describe says the retention in words.
func (r Retention) describe(l Lang) string {
	note := l.of(r.Note)
	if r.Period.Zero() {
		return note
	}
	text := r.Period.words(l)
	if note != "" {
		text += "; " + note
	}
	return text
}

// words names the period's units in a language.
func (p Period) words(l Lang) string {
	units := [][2]Text{
		{{"Jahr", "year"}, {"Jahre", "years"}}, {{"Monat", "month"}, {"Monate", "months"}},
		{{"Tag", "day"}, {"Tage", "days"}}, {{"Stunde", "hour"}, {"Stunden", "hours"}},
	}
	var parts []string
	for i, n := range []int{p.Years, p.Months, p.Days, p.Hours} {
		switch {
		case n == 1:
			parts = append(parts, "1 "+l.of(units[i][0]))
		case n > 1:
			parts = append(parts, strconv.Itoa(n)+" "+l.of(units[i][1]))
		}
	}
	return strings.Join(parts, ", ")
}

// WriteJSON writes the record of processing activities (Art. 30) as one JSON document in one language.
func (r *Register) WriteJSON(w io.Writer, l Lang) error {
	if err := l.check(); err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r.render(l))
}

// WriteMarkdown writes the record of processing activities (Art. 30) for people, in one language.
func (r *Register) WriteMarkdown(w io.Writer, l Lang) error {
	if err := l.check(); err != nil {
		return err
	}
	doc := r.render(l)
	gap := l.of(Text{"(auszufüllen)", "(to be filled in)"})
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", l.of(Text{"Verzeichnis von Verarbeitungstätigkeiten (Art. 30 DS-GVO)", "Record of processing activities (Art. 30 GDPR)"}))
	fmt.Fprintf(&b, "- %s: %s\n", l.of(Text{"Verantwortlicher", "Controller"}), orGap(doc.Controller, gap))
	fmt.Fprintf(&b, "- %s: %s\n", l.of(Text{"Datenschutzbeauftragter", "Data protection officer"}), orGap(doc.Officer, gap))
	fmt.Fprintf(&b, "- %s: %s\n", l.of(Text{"Technische und organisatorische Maßnahmen", "Technical and organisational measures"}), orGap(doc.Measures, gap))
	for _, a := range doc.Activities {
		a.markdown(&b, l)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orGap(text, gap string) string {
	if text == "" {
		return gap
	}
	return cell(text)
}

func (a activity) markdown(b *strings.Builder, l Lang) {
	fmt.Fprintf(b, "\n## %s (%s)\n\n| | |\n|---|---|\n", cell(a.Name), cell(a.ID))
	bounds := ""
	if !a.Min.Zero() {
		bounds += "; " + l.of(Text{"mindestens ", "at least "}) + a.Min.words(l)
	}
	if !a.Max.Zero() {
		bounds += "; " + l.of(Text{"höchstens ", "at most "}) + a.Max.words(l)
	}
	for _, line := range []struct {
		title Text
		text  string
	}{
		{Text{"Zweck", "Purpose"}, a.Purpose}, {Text{"Rechtsgrundlage", "Legal basis"}, a.Basis},
		{Text{"Betroffene", "Data subjects"}, a.Subjects}, {Text{"Empfänger", "Recipients"}, a.Recipients},
		{Text{"Drittlandübermittlung", "Third-country transfers"}, a.Transfers}, {Text{"Speicherdauer", "Retention"}, a.Retention + bounds},
	} {
		fmt.Fprintf(b, "| %s | %s |\n", l.of(line.title), cell(line.text))
	}
	for _, d := range a.Data {
		fmt.Fprintf(b, "| %s | %s |\n", l.of(Text{"Daten", "Data"}), d.markdown(l))
	}
}

func (d activityData) markdown(l Lang) string {
	text := "`" + strings.ReplaceAll(cell(d.Table), "`", "") + "`"
	switch d.Action {
	case Delete:
		text += ", " + l.of(Text{"gelöscht nach ", "deleted after "}) + cell(d.Expires)
	case Anonymise:
		text += ", " + l.of(Text{"anonymisiert nach ", "anonymised after "}) + cell(d.Expires)
	}
	if len(d.People) > 0 {
		text += ", " + l.of(Text{"Personenbezug: ", "persons: "}) + cell(strings.Join(d.People, ", "))
	}
	return text
}

// cell keeps a text within its table cell, and from becoming markup.
func cell(text string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "\r", " ", "\n", " ", "<", "&lt;", "[", "\\[", "`", "'").Replace(text)
}
