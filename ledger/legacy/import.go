package legacy

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Names of the files beside the export.
const (
	SignaturesFile = "legacy-signatures.jsonl"
	ReportFile     = "legacy-report.json"
)

// exporter names this package in exports.
const exporter = "tomkit ledger/legacy"

// Import verifies a chain as Check does and writes it as an export into files, which the caller closes. open is called twice
// and must give the same bytes: first for the entries, then for the signatures. On an error the export is incomplete and
// carries no checkpoint; remove it. An empty chain is an error.
func Import(ctx context.Context, open func() (io.ReadCloser, error), files verify.Files, cfg Config) (*Report, error) {
	if err := cfg.checkImport(); err != nil {
		return nil, err
	}
	var id [16]byte
	if _, err := io.ReadFull(cfg.Rand, id[:]); err != nil {
		return nil, fmt.Errorf("legacy: randomness: %w", err)
	}
	origin := verify.FormatOrigin(cfg.Domain, id, 0)
	now := cfg.Now()
	w, err := verify.NewWriter(files, verify.LogInfo{Origin: origin, Exporter: exporter, ExportedAt: now, Openings: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	report, root, err := writeEntries(ctx, open, w, &cfg)
	if err != nil {
		return report, err
	}
	report.Origin = origin
	note, err := verify.SignCheckpoint(verify.Checkpoint{Origin: origin, Size: report.Entries, Root: root}, cfg.Checkpoint, cfg.Stock)
	if err != nil {
		return report, fmt.Errorf("legacy: sign: %w", err)
	}
	// The checkpoint comes last: an import that was interrupted is no export.
	if err := writeSides(ctx, open, files, &cfg, report); err != nil {
		return report, err
	}
	if err := w.Close(note, cfg.Keys(origin)); err != nil {
		return report, fmt.Errorf("legacy: write: %w", err)
	}
	return report, nil
}

// Keys returns the key history of an import with the given origin, for auditors to pin.
func (c *Config) Keys(origin string) *verify.KeyHistory {
	return &verify.KeyHistory{Origin: origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: c.Checkpoint.Public()},
		{Purpose: verify.PurposeStock, Ed25519: c.Stock.Public()},
	}}
}

func (c *Config) checkImport() error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Checkpoint == nil || c.Stock == nil {
		return fmt.Errorf("%w: the importer's keys are missing", ErrConfig)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return nil
}

// writeEntries is the first pass: everything is verified, and the entries are written.
func writeEntries(ctx context.Context, open func() (io.ReadCloser, error), w *verify.Writer, cfg *Config) (*Report, [32]byte, error) {
	var tree verify.Tree
	chain, err := open()
	if err != nil {
		return nil, [32]byte{}, fmt.Errorf("legacy: open: %w", err)
	}
	defer chain.Close()
	s := newScan(chain, cfg)
	for {
		l, err := s.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = s.verify(l)
		}
		if err == nil {
			leaf := verify.LeafHash(s.canonical)
			tree.Append(leaf)
			err = w.Append(s.canonical, leaf)
		}
		if err != nil {
			return s.done(), [32]byte{}, err
		}
	}
	if s.entries == 0 {
		return s.done(), [32]byte{}, malformed("no entry")
	}
	return s.done(), tree.Root(), nil
}

// writeSides is the second pass: the original signatures, and the report.
func writeSides(ctx context.Context, open func() (io.ReadCloser, error), files verify.Files, cfg *Config, report *Report) error {
	chain, err := open()
	if err != nil {
		return fmt.Errorf("legacy: open: %w", err)
	}
	defer chain.Close()
	f, err := files.Create(SignaturesFile)
	if err != nil {
		return fmt.Errorf("legacy: write: %w", err)
	}
	err = writeSignatures(ctx, newScan(chain, cfg), f, report)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("legacy: write: %w", cerr)
	}
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("legacy: report: %w", err)
	}
	if f, err = files.Create(ReportFile); err != nil {
		return fmt.Errorf("legacy: write: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("legacy: write: %w", err)
	}
	return nil
}

func writeSignatures(ctx context.Context, s *scan, f io.Writer, first *Report) error {
	out := bufio.NewWriterSize(f, 64<<10)
	var b []byte
	for {
		l, err := s.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(ErrChanged, err)
		}
		if l.signature == nil {
			continue
		}
		b = append(strconv.AppendUint(append(b[:0], `{"seq":`...), l.entry.Seq, 10), `,"sig":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, l.signature), "\"}\n"...)
		if _, err := out.Write(b); err != nil {
			return fmt.Errorf("legacy: write: %w", err)
		}
	}
	if s.done().Digest != first.Digest {
		return ErrChanged
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("legacy: write: %w", err)
	}
	return nil
}
