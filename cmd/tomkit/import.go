package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/legacy"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/vault"
)

type importCmd struct {
	Chain        string    `arg:"" help:"The chain: JSON Lines with the document's twelve fields, oldest entry first."`
	DilithiumKey string    `help:"File with the tenant's round-3 Dilithium3 public key: 1,952 bytes, or their base64 or hexadecimal text." required:"" placeholder:"FILE"`
	ImporterKey  string    `help:"File with the keys that sign the export. It is made, readable by you alone, if it does not exist." required:"" placeholder:"FILE"`
	Domain       string    `help:"Domain of the operator, the first part of the export's origin." required:""`
	Out          string    `help:"Zip archive to write; it must not exist." required:"" placeholder:"FILE"`
	Keys         string    `help:"Write the key history here as well, for auditors to pin; it must not exist." placeholder:"FILE"`
	Tenant       uuid.UUID `help:"Take this tenant's entries and pass over others'. Default: a file with two tenants is refused." placeholder:"UUID"`
	Signed       string    `help:"What the signatures cover: the digits of current_hash (hex), or its bytes (raw)." enum:"hex,raw" default:"hex"`
	JSON         bool      `name:"json" help:"Print the report as JSON."`
}

// Run verifies the chain and writes the export.
func (i *importCmd) Run(ctx context.Context, c *console) error {
	cfg, err := i.config()
	if err != nil {
		return usage(err)
	}
	chain, err := os.Open(i.Chain)
	if err != nil {
		return usage(err)
	}
	defer chain.Close()
	if info, err := chain.Stat(); err != nil || !info.Mode().IsRegular() {
		return cli.UsageError("%s is not a file", i.Chain) // it is read twice
	}
	if _, err := os.Lstat(i.Keys); i.Keys != "" && err == nil {
		return cli.UsageError("--keys: %s exists", i.Keys)
	}
	cfg.Checkpoint, cfg.Stock, err = importerKeys(i.ImporterKey)
	if err != nil {
		return usage(err)
	}
	out, err := os.OpenFile(i.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return usage(err)
	}
	z := verify.NewZip(out, cfg.Now())
	report, err := legacy.Import(ctx, func() (io.ReadCloser, error) { return os.Open(i.Chain) }, z, cfg)
	err = errors.Join(err, z.Close(), out.Close())
	if err != nil {
		err = errors.Join(err, os.Remove(i.Out)) // what was written is no export
	}
	if report != nil {
		err = errors.Join(i.print(c.out, report, err == nil), err)
	}
	if err == nil && i.Keys != "" {
		err = i.writeKeys(cfg, report.Origin)
	}
	if errors.Is(err, legacy.ErrConfig) {
		return usage(err)
	}
	return err
}

func (i *importCmd) config() (legacy.Config, error) {
	cfg := legacy.Config{Domain: i.Domain, Tenant: i.Tenant, Now: time.Now}
	if i.Signed == "raw" {
		cfg.Signed = legacy.RawHash
	}
	text, err := readBounded(i.DilithiumKey, maxKeyText)
	if err != nil {
		return cfg, err
	}
	if cfg.Key, err = dilithiumKey(text); err != nil {
		return cfg, err
	}
	return cfg, nil
}

// maxKeyText is the length of the longest text of a public key in bytes: hexadecimal, and some space around it.
const maxKeyText = 2*sign.Dilithium3PublicKeySize + 64

// dilithiumKey reads a public key in any form it is handed around in.
func dilithiumKey(text []byte) (*sign.Dilithium3PublicKey, error) {
	if len(text) != sign.Dilithium3PublicKeySize {
		trimmed := bytes.TrimSpace(text)
		raw, err := hex.DecodeString(string(trimmed))
		if err != nil {
			raw, err = base64.StdEncoding.DecodeString(string(trimmed))
		}
		if err != nil {
			return nil, errors.New("the Dilithium3 key is neither 1,952 bytes nor their base64 or hexadecimal text")
		}
		text = raw
	}
	return sign.ParseDilithium3PublicKey(text)
}

// importerKeys reads, or makes, the hexadecimal text of the two seeds that sign imports.
func importerKeys(path string) (*sign.CompositeKey, *sign.Ed25519Key, error) {
	const size = sign.CompositeSeedSize + sign.Ed25519SeedSize
	text, err := vault.ReadPrivateFile(path, 4<<10)
	if errors.Is(err, fs.ErrNotExist) {
		seeds := make([]byte, size)
		rand.Read(seeds)
		text = []byte(hex.EncodeToString(seeds) + "\n")
		err = create(path, text)
	}
	if err != nil {
		return nil, nil, err
	}
	seeds, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(seeds) != size {
		return nil, nil, fmt.Errorf("%s does not hold an importer's keys", path)
	}
	composite, err := sign.ParseCompositeKey(seeds[:sign.CompositeSeedSize])
	if err != nil {
		return nil, nil, err
	}
	stock, err := sign.ParseEd25519Key(seeds[sign.CompositeSeedSize:])
	return composite, stock, err
}

// create writes a new file that nobody else can read.
func create(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

func (i *importCmd) writeKeys(cfg legacy.Config, origin string) error {
	text, err := cfg.Keys(origin).Marshal()
	if err != nil {
		return err
	}
	return create(i.Keys, text)
}

func (i *importCmd) print(w io.Writer, r *legacy.Report, done bool) error {
	if i.JSON {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", text)
		return err
	}
	if !done {
		_, err := fmt.Fprintf(w, "entries verified before the fault: %d\n", r.Entries)
		return err
	}
	fmt.Fprintf(w, "imported %d entries of tenant %s into %s\n", r.Entries, r.Tenant, i.Out)
	fmt.Fprintf(w, "  origin      %s\n  last hash   %s\n", r.Origin, r.Head)
	fmt.Fprintf(w, "  signatures  %d verified by key %s, %d entries unsigned\n", r.Verified, r.Key, r.Unsigned)
	fmt.Fprintf(w, "  details     %d as they were, %d rewritten in canonical form, %d kept as text\n", r.Canonical, r.Rewritten, r.Kept)
	if r.Skipped > 0 {
		fmt.Fprintf(w, "  passed over %d entries of other tenants\n", r.Skipped)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "  entry %d: %s\n", f.Seq, f.What)
	}
	_, err := fmt.Fprintf(w, "The chain's formula covers none of %v: nobody can tell whether these were changed before the import.\n", r.Unbound)
	return err
}
