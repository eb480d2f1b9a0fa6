package browser

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor/sample"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

// program finds the browser.
func program(t *testing.T) string {
	if path := os.Getenv("TOMKIT_TEST_CHROMIUM"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	pgtest.Missing(t, "browser: no Chromium for tests: install one with `apt-get install chromium` or set TOMKIT_TEST_CHROMIUM")
	return ""
}

// page builds the page and opens it; what the browser asks the network for, and what its console says, is collected.
type page struct {
	ctx context.Context
	url string

	mu       sync.Mutex
	requests []string
	console  []string
}

func open(t *testing.T) *page {
	path := program(t)
	file := filepath.Join(t.TempDir(), "verify.html")
	build := exec.CommandContext(t.Context(), "go", "run", "./examples/verify-in-browser/build", "-o", file)
	build.Dir = "../../.."
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("lang", "en"))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute) // a browser that hangs must not hang the suite
	t.Cleanup(cancel)
	p := &page{ctx: ctx, url: "file://" + file}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			p.requests = append(p.requests, e.Request.URL)
		case *runtime.EventExceptionThrown:
			p.console = append(p.console, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			p.console = append(p.console, fmt.Sprint(e.Args))
		case *cdplog.EventEntryAdded:
			p.console = append(p.console, e.Entry.Text)
		}
	}))
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(p.url), chromedp.WaitVisible(chromedp.CSS("#drop"))))
	return p
}

// outcome is what the page shows.
type outcome struct {
	Kind, Verdict, Findings, Notices string
}

// shown waits for a result and reads it.
func (p *page) shown(t *testing.T) outcome {
	t.Helper()
	require.NoError(t, chromedp.Do(p.ctx, chromedp.WaitVisible(chromedp.CSS("#result")), chromedp.WaitNotVisible(chromedp.CSS("#working"))))
	o, err := chromedp.Run(p.ctx, chromedp.Evaluate[outcome](`({Kind: document.getElementById("result").className, Verdict: document.getElementById("verdict").textContent,
		Findings: document.getElementById("findings").tBodies[0].textContent, Notices: document.getElementById("notices").innerText})`))
	require.NoError(t, err)
	if dir := os.Getenv("TOMKIT_TEST_PAGES"); dir != "" { // to look at
		picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "browser-"+o.Kind+".png"), picture, 0o600))
	}
	return o
}

func (p *page) hideResult() chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](`void (document.getElementById("result").hidden = true)`)
}

// choose gives files to the page through its button.
func (p *page) choose(t *testing.T, files ...string) outcome {
	t.Helper()
	require.NoError(t, chromedp.Do(p.ctx, p.hideResult(), chromedp.SetUploadFiles(chromedp.CSS("#files"), files)))
	return p.shown(t)
}

// drop drops files on the page.
func (p *page) drop(t *testing.T, files ...string) outcome {
	t.Helper()
	require.NoError(t, chromedp.Do(p.ctx, p.hideResult()))
	for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		_, err := chromedp.Call(p.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{
			Type: kind, X: 300, Y: 300, Data: &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1}})
		require.NoError(t, err)
	}
	return p.shown(t)
}

func TestExportsDroppedOnThePage(t *testing.T) {
	p := open(t)
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	log := sample.New(1500, sample.Options{Rotation: 500, Recovery: 900})
	keys, err := log.Keys.Marshal()
	require.NoError(t, err)
	intact := file("intact.zip", log.Zip(nil))
	broken := file("broken.zip", log.Zip(func(e [][]byte) { e[1077] = bytes.Replace(e[1077], []byte("am 2026-"), []byte("am 2027-"), 1) }))
	garbage := file("garbage.zip", []byte(strings.Repeat("garbage", 1000)))
	other := sample.New(300, sample.Options{Foreign: true})
	foreign, err := other.Keys.Marshal()
	require.NoError(t, err)

	o := p.drop(t, intact, file("keys.json", keys))
	require.Equal(t, outcome{Kind: "intact", Verdict: "INTACT", Notices: "DECLARED GAP: entries 900–939"}, o)
	o = p.choose(t, intact)
	require.Equal(t, "intact", o.Kind)
	require.Contains(t, o.Notices, "Only the export's own keys")
	o = p.choose(t, broken)
	require.Equal(t, "broken", o.Kind)
	require.Contains(t, o.Findings, "entry 1,077")
	o = p.drop(t, garbage)
	require.Equal(t, outcome{Kind: "unusable", Verdict: "NOT AN EXPORT"}, o)
	o = p.choose(t, intact, file("other.json", foreign))
	require.Equal(t, "broken", o.Kind, "under keys of another log")

	require.NoError(t, chromedp.Do(p.ctx, chromedp.Evaluate[chromedp.Void](`void speak("de")`)))
	o = p.choose(t, broken)
	require.Equal(t, "VERÄNDERT", o.Verdict)
	require.Contains(t, o.Findings, "Eintrag 1.077")
	report, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`report`))
	require.NoError(t, err)
	require.True(t, strings.Contains(report, `<html lang="de">`))

	p.mu.Lock()
	defer p.mu.Unlock()
	require.Empty(t, p.console)
	for _, url := range p.requests {
		require.True(t, strings.HasPrefix(url, "file://") || strings.HasPrefix(url, "blob:"), url)
	}
}
