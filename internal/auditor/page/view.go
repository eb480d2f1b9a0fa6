package page

import (
	"html/template"

	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// view is what the template sees.
type view struct {
	Input
	CSS      template.CSS
	Policy   string
	Intact   bool
	Verdict  string
	Headline string
	Notices  []notice
	Figures  []figure
	Chart    *chart
	Events   []event
	Findings []finding
	Spots    []spot
	Keys     []keyRow
	Critical []critical
	Faults   []fault
}

// notice is what nobody should miss.
type notice struct{ Title, Text string }

type figure struct{ Name, Value, Note string }

type finding struct{ Where, Kind, Text string }

type event struct{ Where, At, What string }

type fault struct{ Where, What string }

// critical is one of the newest critical entries.
type critical struct {
	Seq        uint64
	At, Action string
	Sentence   string
	Status     narrative.Status
	StatusText string
}

func newView(in Input) *view {
	v := &view{Input: in, CSS: template.CSS(css), Policy: policy(), Intact: in.Report.Intact()}
	v.Verdict = in.Lang.Verdict(in.Report.Verdict)
	v.headline()
	v.notices()
	v.figures()
	v.Chart = newChart(in)
	for _, e := range in.Survey.Events() {
		v.Events = append(v.Events, event{in.Lang.Range(e.Seq, e.Seq), in.Lang.Time(e.At), in.Lang.T(eventNames[e.Action])})
	}
	for _, f := range in.Report.Findings {
		v.Findings = append(v.Findings, finding{in.Lang.Where(f), in.Lang.Kind(f.Kind), in.Lang.Finding(f)})
	}
	for _, f := range in.Survey.Narratives.Faults {
		v.Faults = append(v.Faults, fault{in.Lang.Range(f.Seq, f.Seq), statusText(in.Lang, f.Status)})
	}
	v.Spots = newSpots(in)
	v.Keys = newKeys(in)
	v.critical()
	return v
}

func (v *view) headline() {
	l, r := v.Lang, v.Report
	switch {
	case !v.Intact:
		first := r.Findings[0]
		v.Headline = l.T("First fault: %s: %s", l.Where(first), l.Finding(first))
	case r.Entries == 0:
		v.Headline = l.T("The log is empty.")
	default:
		v.Headline = l.T("All %s entries are in their order and their form, and give what was signed.", l.Number(r.Entries))
	}
}

func (v *view) notices() {
	l, r := v.Lang, v.Report
	for _, g := range r.Gaps {
		v.Notices = append(v.Notices, notice{l.T("DECLARED GAP"),
			l.T("After a restore the entries %s to %s are lost: %s entries. Entry %s of %s declares it, decided by two people. What they said, nobody can tell from this log.",
				l.Number(g.From), l.Number(g.Until-1), l.Number(g.Until-g.From), l.Number(g.Entry), l.Time(g.At))})
	}
	if r.LostReceipts > 0 {
		v.Notices = append(v.Notices, notice{l.T("RECEIPTS OF LOST ENTRIES"),
			l.T("%d of the receipts given prove entries that lie in a declared gap.", r.LostReceipts)})
	}
	if !r.KeysPinned {
		v.Notices = append(v.Notices, notice{l.T("KEYS NOT PINNED"),
			l.T("Only the export's own keys were used. They show that the export is consistent, not who signed it. Whoever controls a log can write it anew and sign it with new keys.")})
	}
	for _, k := range r.Keys {
		if k.Compromised {
			v.Notices = append(v.Notices, notice{l.T("COMPROMISED KEYS"),
				l.T("Keys of this log got into wrong hands. Only what witnesses, receipts and earlier checkpoints confirm is beyond doubt up to the change of keys.")})
			break
		}
	}
	if r.From > 0 {
		v.Notices = append(v.Notices, notice{l.T("INCREMENTAL CHECK"),
			l.T("Entries before %s were not read: the earlier checkpoint that was given is trusted for them.", l.Number(r.From))})
	}
	if r.Closed != nil {
		v.Notices = append(v.Notices, notice{l.T("CLOSED LOG"), l.T("The log was ended on %s; no entry follows.", l.Time(*r.Closed))})
	}
}

func (v *view) figures() {
	l, r, s := v.Lang, v.Report, v.Survey.Narratives
	add := func(name, value, note string) {
		v.Figures = append(v.Figures, figure{l.T(name), value, note})
	}
	add("entries read", l.Number(r.Entries), l.T("of %s", l.Number(r.Size)))
	add("critical entries", l.Number(r.Critical), l.T("with a valid signature of their own"))
	add("older checkpoints", l.Number(uint64(r.Checkpoints)), l.T("confirmed"))
	add("narratives", l.Number(s.Rendered), l.T("rendered again, %s differ, %s unknown", l.Number(s.Differing), l.Number(s.Unknown)))
	add("personal values", l.Number(r.Openings), l.T("readable, %s erased, %s withheld", l.Number(r.Redacted), l.Number(r.Withheld)))
	add("erasures", l.Number(v.Survey.Redactions), l.T("in the log"))
}

// eventNames are the texts for what a log says about itself.
var eventNames = map[string]string{
	verify.RotationAction: "keys changed", verify.RecoveryAction: "restored with a declared gap", verify.ClosingAction: "log closed",
}

func statusText(l words.Lang, s narrative.Status) string {
	switch s {
	case narrative.Rendered:
		return l.T("rendered again")
	case narrative.Unknown:
		return l.T("unknown template")
	case narrative.Differs:
		return l.T("DIFFERS from its arguments")
	}
	return l.T("bound text only")
}

func (v *view) critical() {
	list := v.Survey.Critical()
	opened := openings(v.Export, list)
	for _, e := range list {
		c := critical{Seq: e.Seq, At: v.Lang.Time(e.CreatedAt), Action: words.Clean(e.Action)}
		c.Sentence = words.Clean(e.Narrative)
		if e.Scheme == verify.SchemeBound {
			c.Sentence = words.Clean(narrative.Readable(e.Narrative, func(key [32]byte) (string, bool) {
				value, ok := opened[key]
				return value, ok
			}))
		}
		c.Status, _ = narrative.Check(e)
		c.StatusText = statusText(v.Lang, c.Status)
		v.Critical = append(v.Critical, c)
	}
}
