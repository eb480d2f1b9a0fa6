package pgledger_test

import (
	"context"
	"log/slog"

	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
)

// Open a log over the request and system logins and keep its checkpoints fresh.
func Example() {
	start := func(ctx context.Context, cfg rls.Config, seal pgledger.Sealer) error {
		db, err := rls.Open(ctx, cfg)
		if err != nil {
			return err
		}
		defer db.Close()
		log, err := pgledger.Open(ctx, db, pgledger.Config{Domain: "log.example.org", Sealer: seal, Logger: slog.Default()})
		if err != nil {
			return err // among them: the tables are not protected as they must be
		}
		defer log.Close()
		return log.Run(ctx)
	}
	_ = start
}
