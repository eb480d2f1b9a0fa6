package page

import (
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"time"

	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// The chart's plane, in units of its own.
const (
	chartWidth = 1000
	plotLeft   = 8
	plotWidth  = chartWidth - 2*plotLeft
	plotTop    = 34
	plotBottom = 174
	maxMarks   = 160 // checkpoints drawn
)

// chart is the timeline: entries over time, and what happened to the log.
type chart struct {
	Summary     string
	Most        string // label of the highest bar
	Bars        []bar
	Checkpoints []length
	Events      []mark
	Faults      []mark
	Ranges      []bar
	Gaps        []bar
	Ticks       []mark
}

// length is a length or place on the plane, written to a tenth.
type length float64

// String writes it.
func (n length) String() string {
	return strconv.FormatFloat(math.Round(float64(n)*10)/10, 'f', -1, 64)
}

type bar struct {
	X, Y, Width, Height length
	Critical            length // height of the part that is critical
	CriticalY           length
	Title               string
}

type mark struct {
	X      length
	Label  string
	Anchor string // of the label: start, middle or end
}

func newChart(in Input) *chart {
	line := &in.Survey.Timeline
	bins := line.Bins()
	if len(bins) == 0 {
		return nil
	}
	most := uint64(1)
	for _, b := range bins {
		most = max(most, b.Entries)
	}
	l := in.Lang
	c := &chart{Most: l.T("%s entries in %s", l.Number(most), span(l, line.Width()))}
	c.Summary = l.T("%s entries from %s to %s", l.Number(in.Report.Entries), l.Time(line.At(0)), l.Time(line.At(1)))
	width := float64(plotWidth) / float64(len(bins))
	scale := float64(plotBottom-plotTop) / float64(most)
	for i, b := range bins {
		if b.Entries == 0 {
			continue
		}
		height, red := max(float64(b.Entries)*scale, 1), 0.0
		if b.Critical > 0 {
			red = max(float64(b.Critical)*scale, 2)
		}
		c.Bars = append(c.Bars, bar{X: length(plotLeft + float64(i)*width), Y: length(plotBottom - height), Width: length(max(width-0.6, 0.5)), Height: length(height),
			Critical: length(red), CriticalY: length(plotBottom - red),
			Title: l.T("%s: %s entries, %s critical", l.Time(line.At(float64(i)/float64(len(bins)))), l.Number(b.Entries), l.Number(b.Critical))})
	}
	c.marks(in)
	return c
}

func (c *chart) marks(in Input) {
	line, l := &in.Survey.Timeline, in.Lang
	x := func(seq uint64) length { return length(plotLeft + plotWidth*line.Share(seq)) }
	for _, size := range checkpoints(in.Export) {
		c.Checkpoints = append(c.Checkpoints, x(size))
	}
	for _, e := range in.Survey.Events() {
		if e.Action != verify.RecoveryAction {
			c.Events = append(c.Events, mark{X: x(e.Seq), Label: l.T(eventNames[e.Action]) + ", " + l.Range(e.Seq, e.Seq)})
		}
	}
	for _, g := range in.Report.Gaps {
		c.Gaps = append(c.Gaps, bar{X: x(g.From) - 4, Width: 8, Title: l.T("declared gap: %s", l.Range(g.From, g.Until-1))})
	}
	for _, f := range in.Report.Findings {
		switch {
		case !f.Located:
		case f.Exact() && len(c.Faults) < 50:
			m := mark{X: x(f.First), Label: l.Where(f)}
			m.Anchor = anchor(m.X)
			c.Faults = append(c.Faults, m)
		case len(c.Faults)+len(c.Ranges) == 0: // further ranges only get wider
			from := x(f.First)
			c.Ranges = append(c.Ranges, bar{X: from, Width: max(x(f.Last+1)-from, 2), Title: l.Where(f)})
		}
	}
	const ticks = 5
	for i := range ticks + 1 {
		share := float64(i) / ticks
		m := mark{X: length(plotLeft + plotWidth*share), Label: line.At(share).Format(layout(line.At(1).Sub(line.At(0))))}
		m.Anchor = anchor(m.X)
		c.Ticks = append(c.Ticks, m)
	}
}

// anchor keeps a label inside the plane.
func anchor(x length) string {
	switch {
	case x < 80:
		return "start"
	case x > chartWidth-80:
		return "end"
	}
	return "middle"
}

// layout is how fine the times of an axis over a span are written.
func layout(span time.Duration) string {
	switch {
	case span > 10*24*time.Hour:
		return "2006-01-02"
	case span > 10*time.Minute:
		return "01-02 15:04"
	}
	return "15:04:05"
}

// span writes a length of time in its largest unit.
func span(l words.Lang, d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return l.T("%s days", l.Number(uint64(d/(24*time.Hour))))
	case d >= 2*time.Hour:
		return l.T("%s hours", l.Number(uint64(d/time.Hour)))
	case d >= 2*time.Minute:
		return l.T("%s minutes", l.Number(uint64(d/time.Minute)))
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

// checkpoints lists the sizes of the export's older checkpoints, evenly thinned out to maxMarks.
func checkpoints(fsys fs.FS) []uint64 {
	list, err := fs.ReadDir(fsys, "checkpoints")
	if err != nil {
		return nil
	}
	var sizes []uint64
	step := len(list)/maxMarks + 1
	for i := 0; i < len(list); i += step {
		if n, err := strconv.ParseUint(list[i].Name(), 10, 63); err == nil {
			sizes = append(sizes, n)
		}
	}
	return sizes
}

// keyRow is a key and its life.
type keyRow struct {
	ID, Purpose, Algorithm string
	Life                   string
	X, Width               length // of 160
	Used                   string
	Trust                  string
	Bad                    bool
}

// purposes are the texts for what keys sign.
var purposes = map[verify.Purpose]string{
	verify.PurposeCheckpoint: "checkpoints", verify.PurposeStock: "checkpoints, for stock tools", verify.PurposeEntry: "critical entries",
}

func newKeys(in Input) []keyRow {
	l, size := in.Lang, float64(max(in.Report.Size, 1))
	var rows []keyRow
	for _, k := range in.Report.Keys {
		until := l.T("still valid")
		end := size
		if k.Until != 0 {
			until, end = l.T("until %s", l.Number(k.Until)), min(float64(k.Until), size)
		}
		row := keyRow{ID: k.ID, Purpose: l.T(purposes[k.Purpose]), Algorithm: k.Algorithm, Bad: k.Compromised,
			Life: l.T("from %s", l.Number(k.From)) + ", " + until, Used: l.Number(k.Used)}
		row.X = length(160 * min(float64(k.From)/size, 1))
		row.Width = max(length(160*end/size)-row.X, 2)
		switch {
		case k.Compromised:
			row.Trust = l.T("COMPROMISED")
		case k.Pinned:
			row.Trust = l.T("pinned")
		case k.Announced != nil:
			row.Trust = l.T("announced by entry %s", l.Number(*k.Announced))
		default:
			row.Trust = l.T("from the export only")
		}
		rows = append(rows, row)
	}
	return rows
}
