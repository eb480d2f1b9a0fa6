package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall/js"
	"time"

	"github.com/pioneerdesk/tomkit/internal/auditor/page"
	"github.com/pioneerdesk/tomkit/internal/auditor/survey"
	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// main offers the page one function, verifyExport(files, language, progress), which returns a promise.
func main() {
	js.Global().Set("verifyExport", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return promise(func() (any, error) {
			return check(args[0], words.Lang(args[1].String()), args[2])
		})
	}))
	select {}
}

// yield is the time between two looks at the page: a browser has one thread, and it wants to draw.
const yield = 100 * time.Millisecond

// check verifies the dropped files and returns what the page shows.
func check(files js.Value, l words.Lang, progress js.Value) (any, error) {
	d, err := sort(files)
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(d.export, d.export.size)
	if err != nil {
		return nil, errors.New(l.T("%s is not a zip archive", words.Clean(d.export.name)))
	}
	var seen survey.Survey
	var last time.Time
	cfg := verify.Config{Keys: d.keys, Receipts: d.receipts, Since: d.since, MaxFindings: 50, Entry: seen.Entry}
	cfg.Progress = func(p verify.Progress) {
		if time.Since(last) < yield {
			return
		}
		progress.Invoke(float64(p.Entries)/float64(max(p.Size, 1)), l.T("%s of %s entries", l.Number(p.Entries), l.Number(p.Size)))
		time.Sleep(time.Millisecond)
		last = time.Now()
	}
	r, err := verify.Verify(context.Background(), archive, cfg)
	if err != nil {
		return nil, errors.New(words.Clean(err.Error()))
	}
	var report bytes.Buffer
	err = page.Write(&report, page.Input{Lang: l, Report: r, Survey: &seen, Export: archive, Source: d.export.name, Given: d.given(r),
		Command: "tomkit-verify " + d.export.name, Tool: "verify-in-browser " + cli.Version(), At: time.Now()})
	if err != nil {
		return nil, err
	}
	return answer(l, r, report.String()), nil
}

// answer is what the page shows, as plain values.
func answer(l words.Lang, r *verify.Report, report string) map[string]any {
	findings, notices := []any{}, []any{}
	for _, f := range r.Findings {
		findings = append(findings, map[string]any{"where": l.Where(f), "text": l.Finding(f)})
	}
	for _, g := range r.Gaps {
		notices = append(notices, l.T("DECLARED GAP")+": "+l.Range(g.From, g.Until-1))
	}
	if !r.KeysPinned {
		notices = append(notices, l.T("Only the export's own keys were used. They show that the export is consistent, not who signed it. Whoever controls a log can write it anew and sign it with new keys."))
	}
	return map[string]any{
		"intact": r.Intact(), "verdict": l.Verdict(r.Verdict), "findings": findings, "notices": notices, "report": report,
		"summary": fmt.Sprintf("%s – %s", words.Clean(r.Origin), l.T("%s of %s entries", l.Number(r.Entries), l.Number(r.Size))),
	}
}

// dropped is what was dropped on the page.
type dropped struct {
	export   *blob
	keys     *verify.KeyHistory
	receipts []*verify.Receipt
	since    []byte
	names    []string // of receipts
}

// sort tells the files by their names.
func sort(files js.Value) (*dropped, error) {
	d := &dropped{}
	for i := range files.Length() {
		b := newBlob(files.Index(i))
		var err error
		switch {
		case strings.HasSuffix(b.name, ".json"):
			if d.keys, err = read(b, verify.MaxKeysFile, verify.ParseKeys); err != nil {
				return nil, err
			}
		case strings.HasSuffix(b.name, ".tlog-proof"):
			r, err := read(b, verify.MaxReceipt, verify.ParseReceipt)
			if err != nil {
				return nil, err
			}
			d.receipts, d.names = append(d.receipts, r), append(d.names, b.name)
		case strings.HasPrefix(b.name, "checkpoint"):
			if d.since, err = read(b, verify.MaxCheckpoint, func(text []byte) ([]byte, error) { return text, verify.CheckNote(text) }); err != nil {
				return nil, err
			}
		default:
			d.export = b
		}
	}
	if d.export == nil {
		return nil, errors.New("no export among the files")
	}
	return d, nil
}

func read[T any](b *blob, limit int64, parse func([]byte) (T, error)) (v T, err error) {
	if b.size > limit {
		return v, fmt.Errorf("%s is too large", words.Clean(b.name))
	}
	text := make([]byte, b.size)
	if _, err := b.ReadAt(text, 0); err != nil {
		return v, err
	}
	if v, err = parse(text); err != nil {
		return v, fmt.Errorf("%s: %w", words.Clean(b.name), err)
	}
	return v, nil
}

// given says what was dropped beside the export; a broken log says in its findings what contradicts it.
func (d *dropped) given(r *verify.Report) []page.Given {
	var list []page.Given
	add := func(what, name, yes string) {
		g := page.Given{What: what, Name: name, Result: yes, Good: r.Intact()}
		if !g.Good {
			g.Result = "see the findings"
		}
		list = append(list, g)
	}
	if d.keys != nil {
		add("keys", "keys.json", "the checkpoint is signed by them")
	}
	for _, name := range d.names {
		add("receipt", name, "contained in the log")
	}
	if d.since != nil {
		add("earlier checkpoint", "checkpoint", "continued by the log")
	}
	return list
}
