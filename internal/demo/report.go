package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// Check is the outcome of one check.
type Check struct {
	Control  string        `json:"control"`  // line of CONTROLS.md
	Name     string        `json:"name"`     // what was tried
	Expected string        `json:"expected"` // what has to happen
	Seen     string        `json:"seen"`     // what happened
	OK       bool          `json:"ok"`
	Took     time.Duration `json:"took_ns"`
}

// Report is the outcome of a run.
type Report struct {
	Checks []Check       `json:"checks"`
	Passed int           `json:"passed"`
	Failed int           `json:"failed"`
	Took   time.Duration `json:"took_ns"`
}

// printer writes progress as it happens: text for people, one JSON object per line for machines.
type printer struct {
	mu    sync.Mutex
	out   io.Writer
	json  bool
	color bool
	began time.Time
	done  []Check
}

// stage announces what comes next.
func (p *printer) stage(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(map[string]any{"stage": fmt.Sprintf(format, args...)})
		return
	}
	fmt.Fprintf(p.out, "\n%s %s\n", p.dim(fmt.Sprintf("[%5.1fs]", time.Since(p.began).Seconds())), p.bold(fmt.Sprintf(format, args...)))
}

// fact tells something worth knowing that is not a check.
func (p *printer) fact(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(map[string]any{"fact": fmt.Sprintf(format, args...)})
		return
	}
	fmt.Fprintf(p.out, "         %s\n", fmt.Sprintf(format, args...))
}

func (p *printer) check(c Check) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = append(p.done, c)
	if p.json {
		p.line(map[string]any{"check": c})
		return
	}
	mark := p.green("  ok   ")
	if !c.OK {
		mark = p.red(" FAIL  ")
	}
	fmt.Fprintf(p.out, "%s  %-10s %s\n", mark, c.Control, c.Name)
	fmt.Fprintf(p.out, "%s\n", p.dim(fmt.Sprintf("         %-10s expected: %s\n         %-10s seen:     %s", "", c.Expected, "", c.Seen)))
}

// summary prints the table of all checks and returns the report.
func (p *printer) summary() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := Report{Checks: p.done, Took: time.Since(p.began)}
	for _, c := range p.done {
		if c.OK {
			r.Passed++
		} else {
			r.Failed++
		}
	}
	if p.json {
		p.line(map[string]any{"summary": map[string]any{"passed": r.Passed, "failed": r.Failed, "took_ns": r.Took}})
		return r
	}
	fmt.Fprintf(p.out, "\n%s\n", p.bold("Summary"))
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, c := range p.done {
		mark := "ok"
		if !c.OK {
			mark = "FAIL"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", mark, c.Control, c.Name)
	}
	_ = w.Flush()
	fmt.Fprintf(p.out, "\n  %d checks passed, %d failed, in %.1f s\n", r.Passed, r.Failed, r.Took.Seconds())
	return r
}

func (p *printer) line(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(`{"error":"demo: report: not encodable"}`)
	}
	_, _ = p.out.Write(append(b, '\n'))
}

func (p *printer) paint(code, s string) string {
	if !p.color {
		return s
	}
	var b strings.Builder
	b.WriteString("\x1b[" + code + "m")
	b.WriteString(s)
	b.WriteString("\x1b[0m")
	return b.String()
}

func (p *printer) bold(s string) string  { return p.paint("1", s) }
func (p *printer) dim(s string) string   { return p.paint("2", s) }
func (p *printer) green(s string) string { return p.paint("32", s) }
func (p *printer) red(s string) string   { return p.paint("31;1", s) }
