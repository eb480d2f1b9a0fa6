package page

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor/sample"
	"github.com/pioneerdesk/tomkit/internal/auditor/survey"
	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// render verifies an export and writes its page.
func render(t testing.TB, l words.Lang, archive []byte, cfg verify.Config) string {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	var s survey.Survey
	cfg.Entry = s.Entry
	r, err := verify.Verify(context.Background(), z, cfg)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, Write(&b, Input{Lang: l, Report: r, Survey: &s, Export: z, Source: "export.zip", Tool: "tomkit-verify test",
		Command: "tomkit-verify --report report.html export.zip", At: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC),
		Files: []File{{"export.zip", "0123"}}}))
	if dir := os.Getenv("TOMKIT_TEST_PAGES"); dir != "" { // to look at them
		name := filepath.Base(t.Name()) + "-" + string(l) + ".html"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600))
	}
	return b.String()
}

func tamper(seq int) func([][]byte) {
	return func(e [][]byte) { e[seq][len(e[seq])-8] ^= 1 }
}

func TestPageOfAnIntactLog(t *testing.T) {
	log := sample.New(3000, sample.Options{Witness: true})
	for _, l := range []words.Lang{"de", "en"} {
		text := render(t, l, log.Zip(nil), verify.Config{Keys: log.Keys})
		require.Contains(t, text, "3")
	}
}

func TestPageOfABrokenLog(t *testing.T) {
	log := sample.New(3000, sample.Options{})
	for _, l := range []words.Lang{"de", "en"} {
		text := render(t, l, log.Zip(tamper(2077)), verify.Config{})
		require.Contains(t, text, "2")
	}
}
