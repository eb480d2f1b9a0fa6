package auditor

import (
	"archive/zip"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// config reads what the caller holds from outside the export.
func (g *grammar) config() (verify.Config, error) {
	cfg := verify.Config{Origin: g.Origin, MaxFindings: g.Findings}
	if g.Keys != "" {
		text, err := readFile("--keys", g.Keys, verify.MaxKeysFile)
		if err != nil {
			return cfg, err
		}
		if cfg.Keys, err = verify.ParseKeys(text); err != nil {
			return cfg, cli.UsageError("--keys: %v", err)
		}
	}
	for _, name := range g.Receipt {
		text, err := readFile("--receipt", name, verify.MaxReceipt)
		if err != nil {
			return cfg, err
		}
		r, err := verify.ParseReceipt(text)
		if err != nil {
			return cfg, cli.UsageError("--receipt %q: %v", name, err)
		}
		cfg.Receipts = append(cfg.Receipts, r)
	}
	if g.Since != "" {
		var err error
		if cfg.Since, err = readFile("--since", g.Since, verify.MaxCheckpoint); err != nil {
			return cfg, err
		}
		if err := verify.CheckNote(cfg.Since); err != nil {
			return cfg, cli.UsageError("--since: %v", err)
		}
	}
	if g.Tenant != "" {
		id, err := parseUUID(g.Tenant)
		if err != nil {
			return cfg, err
		}
		cfg.Tenant = &id
	}
	return cfg, nil
}

func parseUUID(s string) (id [16]byte, err error) {
	digits := strings.ReplaceAll(s, "-", "")
	if n, err := hex.Decode(id[:], []byte(digits[:min(len(digits), 32)])); err != nil || n != 16 || len(digits) != 32 || len(s) != 36 {
		return id, cli.UsageError("--tenant: not a UUID")
	}
	return id, nil
}

// readFile reads a file of at most limit bytes.
func readFile(flag, name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, cli.UsageError("%s: %v", flag, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, cli.UsageError("%s: %v", flag, err)
	}
	if int64(len(text)) > limit {
		return nil, cli.UsageError("%s: %s is larger than %d bytes", flag, name, limit)
	}
	return text, nil
}

// export is an opened export.
type export struct {
	fs.FS
	close func() error
}

// Close releases the export.
func (e *export) Close() error { return e.close() }

// openExport opens a directory, in which no symbolic link leads outside, or a zip archive.
func openExport(path string) (*export, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cli.UsageError("%v", err)
	}
	if info.IsDir() {
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, cli.UsageError("%v", err)
		}
		return &export{root.FS(), root.Close}, nil
	}
	r, err := zip.OpenReader(path)
	if errors.Is(err, zip.ErrFormat) {
		return nil, cli.UsageError("%s is neither a directory nor a zip archive", path)
	}
	if err != nil {
		return nil, cli.UsageError("%s: %v", path, err)
	}
	return &export{r, r.Close}, nil
}
