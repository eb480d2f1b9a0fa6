package auditor

import (
	"encoding/hex"
	"io"
	"os"
	"strings"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Given is what the caller holds from outside the export.
type Given struct {
	Keys        string   `help:"Key history to trust instead of the export's own." placeholder:"FILE" aliases:"key"`
	Receipt     []string `help:"Receipt that the log must contain. Repeatable." placeholder:"FILE" sep:"none"`
	Since       string   `help:"Earlier checkpoint that the log must continue." placeholder:"FILE"`
	Incremental bool     `help:"Trust --since and read only what came after it."`
	Witnesses   `embed:""`
	TSARoots    string `name:"tsa-roots" help:"Certificates of time-stamping authorities in PEM, against which the export's time stamps are checked." placeholder:"FILE"`
	Origin      string `help:"Origin the log must have, the first line of its checkpoints."`
	Tenant      string `help:"UUID of the tenant the log must belong to."`
}

// config reads it.
func (g *Given) config() (cfg verify.Config, err error) {
	cfg.Origin = g.Origin
	if cfg.Keys, err = readKeys(g.Keys); err != nil {
		return cfg, err
	}
	for _, name := range g.Receipt {
		r, err := readReceipt("--receipt", name)
		if err != nil {
			return cfg, err
		}
		cfg.Receipts = append(cfg.Receipts, r)
	}
	if g.Since != "" {
		if cfg.Since, err = readFile("--since", g.Since, verify.MaxCheckpoint); err != nil {
			return cfg, err
		}
		if err := verify.CheckNote(cfg.Since); err != nil {
			return cfg, cli.UsageError("--since: %v", err)
		}
	}
	if g.Incremental {
		if cfg.Since == nil {
			return cfg, cli.UsageError("--incremental needs --since")
		}
		cfg.From = cfg.Since
	}
	if cfg.Witnesses, cfg.Quorum, err = g.parse(); err != nil {
		return cfg, err
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

// readKeys reads a key history; no name means none.
func readKeys(name string) (*verify.KeyHistory, error) {
	if name == "" {
		return nil, nil
	}
	text, err := readFile("--keys", name, verify.MaxKeysFile)
	if err != nil {
		return nil, err
	}
	keys, err := verify.ParseKeys(text)
	if err != nil {
		return nil, cli.UsageError("--keys: %v", err)
	}
	return keys, nil
}

func readReceipt(what, name string) (*verify.Receipt, error) {
	text, err := readFile(what, name, verify.MaxReceipt)
	if err != nil {
		return nil, err
	}
	r, err := verify.ParseReceipt(text)
	if err != nil {
		return nil, cli.UsageError("%s %q: %v", what, name, err)
	}
	return r, nil
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
