package auditor

import (
	"fmt"

	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// receiptCommand checks a receipt.
type receiptCommand struct {
	File      string `arg:"" help:"The receipt (.tlog-proof)."`
	Keys      string `required:"" help:"The log's key history, keys.json." placeholder:"FILE" aliases:"key"`
	Entry     string `help:"The entry's bytes, which the receipt must be of." placeholder:"FILE"`
	Witnesses `embed:""`
	Lang      words.Lang `help:"Language of what is printed: en or de." enum:"en,de" default:"en"`
	Quiet     bool       `short:"q" help:"Print nothing but errors."`
}

// Run is called by kong with the parsed command line.
func (c *receiptCommand) Run(s *streams) error {
	keys, err := readKeys(c.Keys)
	if err != nil {
		return err
	}
	witnesses, quorum, err := c.parse()
	if err != nil {
		return err
	}
	receipt, err := readReceipt("receipt", c.File)
	if err != nil {
		return err
	}
	var canonical []byte
	if c.Entry != "" {
		if canonical, err = readFile("--entry", c.Entry, verify.MaxEntry); err != nil {
			return err
		}
	}
	checkpoint, err := receipt.Verify(keys)
	if err != nil {
		return broken(c.Lang.T("the receipt does not hold: %s", err))
	}
	have, err := cosigned(receipt.Checkpoint, witnesses)
	switch {
	case err != nil:
		return broken(c.Lang.T("the receipt does not hold: %s", c.Lang.T(err.Error())))
	case have < quorum:
		return broken(c.Lang.T("the receipt does not hold: %s", c.Lang.T("cosigned by %d witnesses, must be %d", have, quorum)))
	}
	if canonical != nil && verify.LeafHash(canonical) != receipt.Leaf {
		return broken(c.Lang.T("the receipt is not of this entry"))
	}
	if c.Quiet {
		return nil
	}
	printReceipt(s.stdout, c.Lang, receipt, checkpoint, true)
	if len(witnesses) > 0 {
		fmt.Fprintln(s.stdout, c.Lang.T("cosigned by %d of %d witnesses", have, len(witnesses)))
	}
	if canonical == nil {
		return nil
	}
	return printEntry(s.stdout, c.Lang, canonical, nil)
}
