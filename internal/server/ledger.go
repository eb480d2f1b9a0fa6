package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pioneerdesk/tomkit/ledger/journal"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
)

// openLedger opens the ledger with its memory outside the database.
func (s *Server) openLedger(ctx context.Context, keys *secrets) error {
	cfg := pgledger.Config{
		Domain: s.cfg.Operator, Sealer: keys.ledger, CheckpointInterval: s.cfg.CheckpointEvery, Now: s.cfg.Now, Logger: s.log,
		NoJournalUnsafe: s.cfg.LedgerJournal == "", // the database ends with the process, and no backup of it exists
	}
	if s.cfg.LedgerJournal != "" {
		if err := os.MkdirAll(filepath.Dir(s.cfg.LedgerJournal), 0o700); err != nil {
			return fmt.Errorf("server: erasure journal: %w", err)
		}
		j, err := journal.Open(s.cfg.LedgerJournal)
		if err != nil {
			return fmt.Errorf("server: erasure journal: %w", err)
		}
		s.closers = append(s.closers, func(context.Context) error { return j.Close() })
		cfg.Journal = j
	}
	var err error
	if cfg.Anchors, err = s.openAnchors(); err != nil {
		return err
	}
	if len(cfg.Anchors) == 0 && s.cfg.Production {
		s.log.WarnContext(ctx, "the ledger has no anchor: a restored or rewritten database is not noticed here (TOMKIT_LEDGER_ANCHORS)")
	}
	if s.Ledger, err = pgledger.Open(ctx, s.DB, cfg); err != nil {
		return err
	}
	s.lag = s.metrics.ledger(s.Ledger.Health, s.cfg.Now)
	s.closers = append(s.closers, func(context.Context) error { s.Ledger.Close(); return nil }, s.closeAccounts)
	return nil
}
