package auditor

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestIntactExportsExitZero(t *testing.T) {
	s := newKit(t)
	for name, args := range map[string][]string{
		"directory":                 {s.dir(t, 20, nil)},
		"zip":                       {s.zip(t, 20)},
		"with all outside memory":   {s.zip(t, 20), "--keys", keysFile(t, s.keys), "--receipt", s.tailReceipt(t), "--since", file(t, s.checkpoint(t, 7)), "--origin", s.origin, "--tenant", "aa000000-0000-0000-0000-000000000000"},
		"empty log":                 {s.dir(t, 0, nil)},
		"flags in front, key alias": {"--key", keysFile(t, s.keys), s.dir(t, 20, nil)},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runVerify(t, args...)
			require.Equal(t, 0, code, stderr)
			require.Contains(t, stdout, "INTACT")
			pinned := strings.Contains(strings.Join(args, " "), "--key")
			require.Equal(t, !pinned, strings.Contains(stderr, "warning: only the export's own keys"))
			require.Equal(t, !pinned, strings.Contains(stdout, "NOT PINNED"))
		})
	}
}

func TestBrokenExportsExitOneAndNameThePosition(t *testing.T) {
	s := newKit(t)
	other := newForeign(t, s)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a flipped byte":   {[]string{s.dir(t, 20, func(e [][]byte) { e[13][len(e[13])-8] ^= 1 })}, "entry 13: "},
		"a swapped pair":   {[]string{s.dir(t, 20, func(e [][]byte) { e[3], e[4] = e[4], e[3] })}, "entry 3: "},
		"a cut tail":       {[]string{s.dir(t, 12, nil), "--receipt", s.tailReceipt(t)}, "entry 12: is missing"},
		"a roll back":      {[]string{s.dir(t, 12, nil), "--since", file(t, s.checkpoint(t, 18))}, "entry 12: is missing"},
		"another tenant":   {[]string{s.dir(t, 12, nil), "--tenant", "bb000000-0000-0000-0000-000000000000"}, "entry 0: belongs to another tenant"},
		"another origin":   {[]string{s.dir(t, 12, nil), "--origin", "other.example/ledger/00000000000000000000000000000000/0"}, "checkpoint: "},
		"other keys given": {[]string{s.dir(t, 12, nil), "--keys", keysFile(t, other.keys)}, "the log is broken"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runVerify(t, c.args...)
			require.Equal(t, 1, code, stderr)
			require.Contains(t, stderr, c.want)
			require.Contains(t, stdout, "BROKEN")

			code, stdout, stderr = runVerify(t, append(c.args, "--quiet")...)
			require.Equal(t, 1, code)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

func TestUnusableInputExitsTwoWithOneLine(t *testing.T) {
	s := newKit(t)
	good := s.dir(t, 12, nil)
	for name, args := range map[string][]string{
		"no such path":          {filepath.Join(t.TempDir(), "nothing")},
		"an empty directory":    {t.TempDir()},
		"neither nor":           {file(t, []byte("hello"))},
		"an empty file":         {file(t, nil)},
		"malformed keys":        {good, "--keys", file(t, []byte("{}"))},
		"missing keys":          {good, "--keys", "/nothing/here"},
		"malformed receipt":     {good, "--receipt", file(t, []byte("x"))},
		"oversized receipt":     {good, "--receipt", file(t, make([]byte, verify.MaxReceipt+1))},
		"malformed checkpoint":  {good, "--since", file(t, []byte("x"))},
		"a directory as keys":   {good, "--keys", t.TempDir()},
		"malformed tenant":      {good, "--tenant", "aa"},
		"tenant with a bad end": {good, "--tenant", "aa000000-0000-0000-0000-00000000000g"},
		"no findings wanted":    {good, "--findings", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runVerify(t, args...)
			require.Equal(t, 2, code, stderr)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
	code, _, stderr := runVerify(t)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--help")
	code, _, _ = runVerify(t, good, "--unknown")
	require.Equal(t, 2, code)
}

func TestJSONReportIsMachineReadable(t *testing.T) {
	s := newKit(t)
	code, stdout, _ := runVerify(t, "--json", s.dir(t, 20, func(e [][]byte) { e[13][len(e[13])-8] ^= 1 }))
	require.Equal(t, 1, code)
	var report struct {
		Verdict    string `json:"verdict"`
		Entries    int    `json:"entries"`
		KeysPinned *bool  `json:"keys_pinned"`
		Findings   []struct {
			Kind string `json:"kind"`
			Seq  *int   `json:"seq"`
			Text string `json:"text"`
		} `json:"findings"`
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Equal(t, "broken", report.Verdict)
	require.Equal(t, 20, report.Entries)
	require.False(t, *report.KeysPinned)
	require.Equal(t, 13, *report.Findings[0].Seq)
	require.Equal(t, "hash", report.Findings[0].Kind)

	code, stdout, stderr := runVerify(t, "--json", s.zip(t, 20))
	require.Equal(t, 0, code)
	require.Empty(t, stderr)
	require.Contains(t, stdout, `"findings": []`)
}

func TestHelpTeachesAndVersionPrints(t *testing.T) {
	code, stdout, _ := runVerify(t, "--help")
	require.Equal(t, 0, code)
	for _, want := range []string{"--keys", "--receipt", "--since", "Exit codes", "export.zip"} {
		require.Contains(t, stdout, want)
	}
	code, stdout, _ = runVerify(t, "--version")
	require.Equal(t, 0, code)
	require.NotEmpty(t, strings.TrimSpace(stdout))
}

func TestCancelledRunIsNotAVerdict(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	require.Equal(t, 2, Run(ctx, []string{newKit(t).dir(t, 20, nil)}, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "canceled")
}

func TestProgressLine(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	b := &bar{out: &out, now: func() time.Time { return now }, start: now}
	now = now.Add(2 * time.Second)
	b.update(verify.Progress{Entries: 1_000_000, Size: 5_000_000})
	b.update(verify.Progress{Entries: 1_000_001, Size: 5_000_000})
	b.done()
	require.Equal(t, "\r\x1b[K1,000,000 of 5,000,000 entries, 20 %, 500,000/s, 8s left\r\x1b[K", out.String())
	require.Equal(t, "0 of 0 entries", barText("en", verify.Progress{}, time.Second))
	require.Equal(t, "7 of 7 entries, 100 %, 7/s", barText("en", verify.Progress{Entries: 7, Size: 7}, time.Second))

	newBar(&out, "en", false).update(verify.Progress{Entries: 1, Size: 2}) // a buffer is no terminal
}
