package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// reasonAccounting is the purpose of the scope that writes the accounts of the others.
const reasonAccounting rls.Reason = "system_accounting"

// account logs, counts and accounts for each use of the system login.
func (s *Server) account(ctx context.Context, use rls.SystemUse) {
	s.metrics.used(use)
	s.accounts.Account(ctx, use)
	s.log.DebugContext(ctx, "system scope", "reason", string(use.Reason), "took", use.Took, "failed", use.Err != nil)
}

// storeAccounts writes one entry for each account into the operator's log, all in one transaction.
func (s *Server) storeAccounts(ctx context.Context, accounts []rls.SystemAccount) error {
	return s.DB.System(ctx, reasonAccounting, func(ctx context.Context, tx *rls.Tx) error {
		operator, err := tenant.OperatorID(ctx, tx)
		if errors.Is(err, tenant.ErrUnknown) { // accounts wait for the operator, in whose log they belong
			return fmt.Errorf("server: accounting: there is no operator yet: %w", err)
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
