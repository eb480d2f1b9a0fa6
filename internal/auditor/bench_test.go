package auditor

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor/remote"
	"github.com/pioneerdesk/tomkit/internal/auditor/sample"
	"github.com/pioneerdesk/tomkit/internal/auditor/survey"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// BenchmarkSources verifies a log from a directory, from an archive and over the network, and says what the survey costs.
func BenchmarkSources(b *testing.B) {
	const n = 40_000
	log := sample.New(n, sample.Options{Plain: true})
	dir := filepath.Join(b.TempDir(), "export")
	files, err := verify.NewDir(dir)
	require.NoError(b, err)
	require.NoError(b, log.Write(files, nil))
	archive := filepath.Join(b.TempDir(), "export.zip")
	require.NoError(b, log.ZipFile(archive, nil))
	server := httptest.NewServer(http.FileServerFS(os.DirFS(dir)))
	defer server.Close()
	run := func(name string, open func() (*export, error), look bool) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e, err := open()
				require.NoError(b, err)
				var cfg verify.Config
				if look {
					cfg.Entry = new(survey.Survey).Entry
				}
				r, err := verify.Verify(context.Background(), e.files, cfg)
				require.NoError(b, err)
				require.NoError(b, r.Err())
				e.Close()
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
	local := func(path string) func() (*export, error) { return func() (*export, error) { return openLocal(path) } }
	run("directory, not looked at", local(dir), false)
	run("directory", local(dir), true)
	run("archive", local(archive), true)
	run("network", func() (*export, error) {
		f, err := remote.Open(context.Background(), server.URL, remote.Config{})
		if err != nil {
			return nil, err
		}
		return &export{f, f.Close, f.Fault}, nil
	}, true)
}
