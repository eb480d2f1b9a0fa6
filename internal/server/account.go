package server

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// reasonAccounting is the purpose of the scope that writes the accounts of the others.
const reasonAccounting rls.Reason = "system_accounting"

// errNoOperator keeps accounts waiting until the operator, in whose log they belong, is made.
var errNoOperator = errors.New("server: accounting: there is no operator yet")

// account logs, counts and accounts for each use of the system login.
func (s *Server) account(ctx context.Context, use rls.SystemUse) {
	s.metrics.used(use)
	s.accounts.Account(ctx, use)
	s.log.DebugContext(ctx, "system scope", "reason", string(use.Reason), "took", use.Took, "failed", use.Err != nil)
}

// storeAccounts writes one entry for each account into the operator's log, all in one transaction.
func (s *Server) storeAccounts(ctx context.Context, accounts []rls.SystemAccount) error {
	return s.DB.System(ctx, reasonAccounting, func(ctx context.Context, tx *rls.Tx) error {
		var operator uuid.UUID
		err := tx.QueryRow(ctx, `SELECT id FROM tomkit.operators`).Scan(&operator)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNoOperator
		}
		if err != nil {
			return err
		}
		for _, account := range accounts {
			if err := s.Ledger.RecordTx(ctx, tx, accountEvent(operator, account)); err != nil {
				return err
			}
		}
		return nil
	})
}

func accountEvent(operator uuid.UUID, a rls.SystemAccount) record.Event {
	return record.Event{
		Tenant: operator, Action: "system_access", EntityType: "system_scope", EntityID: string(a.Reason),
		Details: map[string]any{
			"from": a.From.Format(time.RFC3339), "until": a.Until.Format(time.RFC3339), "count": a.Count, "failed": a.Failed,
			"longest_ms": a.Longest.Milliseconds(), "total_ms": a.Total.Milliseconds(),
		},
		Narrative: record.Narrative{Template: "system_scope_used", Args: map[string]any{
			"reason": string(a.Reason), "at": a.Until, "seconds": int64(a.Until.Sub(a.From) / time.Second), "count": a.Count,
		}},
	}
}

// closeAccounts stores what no Run has stored, as after a command that served nothing.
func (s *Server) closeAccounts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownLimit)
	defer cancel()
	if err := s.accounts.Flush(ctx); err != nil {
		s.log.WarnContext(ctx, "accounts of system scopes are lost", "error", err.Error())
	}
	return nil
}
