package pgledger_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// exportDir exports a log into a directory and opens it for verification.
func exportDir(t *testing.T, log *pgledger.Log, tenant uuid.UUID, opts pgledger.ExportOptions) (dir string, size uint64) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "export")
	files, err := verify.NewDir(dir)
	require.NoError(t, err)
	size, err = log.Export(t.Context(), tenant, files, opts)
	require.NoError(t, err)
	require.NoError(t, files.Close())
	return dir, size
}

func verifyDir(t *testing.T, dir string, cfg verify.Config) *verify.Report {
	t.Helper()
	report, err := verify.Verify(t.Context(), os.DirFS(dir), cfg)
	require.NoError(t, err)
	return report
}

func TestExport(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 100)
	_, err := k.log.Checkpoint(t.Context(), tenant)
	require.NoError(t, err)
	k.fill(t, tenant, 500)
	r, err := k.log.Append(t.Context(), approval(tenant, 1))
	require.NoError(t, err)
	proof, err := k.waitFor(t, r)
	require.NoError(t, err)

	t.Run("as a directory verifies offline", func(t *testing.T) {
		dir, size := exportDir(t, k.log, tenant, pgledger.ExportOptions{})
		require.EqualValues(t, 602, size)
		report := verifyDir(t, dir, verify.Config{Receipts: []*verify.Receipt{proof}})
		require.True(t, report.Intact(), "%+v", report.Findings)
		require.EqualValues(t, 602, report.Entries)
		require.EqualValues(t, 122, report.Critical)
		require.Equal(t, 1, report.Checkpoints)
		require.Equal(t, tenant.String(), report.Tenant)
		require.NotZero(t, report.Openings)
		require.Zero(t, report.Withheld)
	})
	t.Run("as a zip verifies offline", func(t *testing.T) {
		var buf bytes.Buffer
		files := verify.NewZip(&buf, time.Now())
		_, err := k.log.Export(t.Context(), tenant, files, pgledger.ExportOptions{})
		require.NoError(t, err)
		require.NoError(t, files.Close())
		z, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
		require.NoError(t, err)
		report, err := verify.Verify(t.Context(), z, verify.Config{})
		require.NoError(t, err)
		require.True(t, report.Intact(), "%+v", report.Findings)
	})
	t.Run("without personal data verifies too", func(t *testing.T) {
		dir, _ := exportDir(t, k.log, tenant, pgledger.ExportOptions{WithholdPersonal: true})
		report := verifyDir(t, dir, verify.Config{})
		require.True(t, report.Intact(), "%+v", report.Findings)
		require.NotZero(t, report.Withheld)
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				require.NotContains(t, string(b), "klinikum.de")
			}
			return err
		}))
	})
	t.Run("changed afterwards fails at the place", func(t *testing.T) {
		dir, _ := exportDir(t, k.log, tenant, pgledger.ExportOptions{})
		name := filepath.Join(dir, "tile/entries/001")
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		i := bytes.LastIndex(b, []byte(`"n":`)) // the last entry of the bundle with details
		require.NoError(t, os.Chmod(name, 0o600))
		b[i+4] ^= 1
		require.NoError(t, os.WriteFile(name, b, 0o600))
		report := verifyDir(t, dir, verify.Config{})
		require.Equal(t, verify.Broken, report.Verdict)
		require.True(t, report.Findings[0].Exact())
		require.Equal(t, uint64(511), report.Findings[0].First)
	})
	t.Run("a cut one fails", func(t *testing.T) {
		dir, _ := exportDir(t, k.log, tenant, pgledger.ExportOptions{})
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "tile/entries/002.p")))
		report := verifyDir(t, dir, verify.Config{})
		require.Equal(t, verify.Broken, report.Verdict)
		require.Equal(t, uint64(512), report.Findings[0].First)
	})
	t.Run("of a damaged log shows the damage offline", func(t *testing.T) {
		k.tamper(t, `UPDATE tomkit.audit_logs SET details = '{"n":77}' WHERE tenant_id = $1 AND seq = 321`, tenant)
		dir, _ := exportDir(t, k.open(t, config()), tenant, pgledger.ExportOptions{})
		report := verifyDir(t, dir, verify.Config{})
		require.Equal(t, verify.Broken, report.Verdict)
		require.True(t, report.Findings[0].Exact())
		require.Equal(t, uint64(321), report.Findings[0].First)
	})
	t.Run("of a cut log fails", func(t *testing.T) {
		k.tamper(t, `DELETE FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq >= 590`, tenant)
		dir, _ := exportDir(t, k.open(t, config()), tenant, pgledger.ExportOptions{})
		report := verifyDir(t, dir, verify.Config{})
		require.Equal(t, verify.Broken, report.Verdict)
	})
	t.Run("of another tenant has nothing to write", func(t *testing.T) {
		_, err := k.log.Export(t.Context(), uuid.New(), nil, pgledger.ExportOptions{})
		require.ErrorIs(t, err, ledger.ErrNoLog)
	})
}

// waitFor makes a checkpoint and waits for the proof.
func (k kit) waitFor(t *testing.T, r ledger.Receipt) (*verify.Receipt, error) {
	_, err := k.log.Checkpoint(t.Context(), r.Tenant)
	require.NoError(t, err)
	return r.Wait(t.Context())
}
