package auditor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// proveCommand makes the receipt of one entry.
type proveCommand struct {
	Seq      uint64 `arg:"" help:"Position of the entry, from 0."`
	Source   `embed:""`
	Keys     string     `help:"Key history to trust instead of the export's own." placeholder:"FILE" aliases:"key"`
	Out      string     `short:"o" help:"File to write the receipt to, which must not exist; - is standard output. Default: entry-SEQ.tlog-proof." placeholder:"FILE"`
	Entry    bool       `help:"Print the entry, its narrative with the personal values the export opens."`
	EntryOut string     `help:"File to write the entry's bytes to, for tomkit-verify receipt --entry." placeholder:"FILE"`
	Lang     words.Lang `help:"Language of what is printed: en or de." enum:"en,de" default:"en"`
	Quiet    bool       `short:"q" help:"Print nothing but errors."`
}

// Run is called by kong with the parsed command line.
func (c *proveCommand) Run(ctx context.Context, s *streams) error {
	keys, err := readKeys(c.Keys)
	if err != nil {
		return err
	}
	export, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer export.Close()
	receipt, canonical, err := verify.Prove(export.files, c.Seq)
	if fault := errors.Join(ctx.Err(), export.fault()); fault != nil {
		return unusable(fault)
	}
	switch {
	case errors.Is(err, verify.ErrProof):
		return broken(c.Lang.T("the log is broken: %s", err))
	case err != nil:
		return unusable(err)
	}
	pinned := keys != nil
	if !pinned {
		if keys, err = exportKeys(export); err != nil {
			return unusable(err)
		}
	}
	checkpoint, err := receipt.Verify(keys)
	if err != nil {
		return broken(c.Lang.T("the receipt does not hold: %s", err))
	}
	out := s.stdout
	if c.Out == "-" {
		out = s.stderr // the receipt is the output
	}
	if err := c.write(s.stdout, receipt, canonical); err != nil {
		return unusable(err)
	}
	if c.Quiet {
		return nil
	}
	if !pinned {
		warnUnpinned(s.stderr, c.Lang)
	}
	printReceipt(out, c.Lang, receipt, checkpoint, pinned)
	if !c.Entry {
		return nil
	}
	return printEntry(out, c.Lang, canonical, openingsOf(export, c.Seq))
}

// write writes the receipt and, if wanted, the entry.
func (c *proveCommand) write(stdout io.Writer, r *verify.Receipt, canonical []byte) error {
	if c.EntryOut != "" {
		if err := newFile(c.EntryOut, canonical); err != nil {
			return err
		}
	}
	switch c.Out {
	case "-":
		_, err := stdout.Write(r.Marshal())
		return err
	case "":
		c.Out = fmt.Sprintf("entry-%d.tlog-proof", c.Seq)
	}
	return newFile(c.Out, r.Marshal())
}

// newFile writes a file that must not exist.
func newFile(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// exportKeys reads the export's own key history.
func exportKeys(e *export) (*verify.KeyHistory, error) {
	f, err := e.files.Open("keys.json")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, verify.MaxKeysFile+1))
	if err != nil {
		return nil, err
	}
	return verify.ParseKeys(text)
}

// openingsOf collects an entry's openings that fit their commitments.
func openingsOf(e *export, seq uint64) map[[32]byte]string {
	values := map[[32]byte]string{}
	for o, err := range verify.Openings(e.files) {
		if err != nil || o.Seq > seq {
			break
		}
		if o.Seq == seq && verify.Commitment(o.Salt, o.Value) == o.Commitment {
			values[o.Commitment] = o.Value
		}
	}
	return values
}
