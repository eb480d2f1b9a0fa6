package server

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/server/reference"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

const reasonPartitions rls.Reason = "partitions"

// eventMonths is how long a month of device events stays: a month more than the longest period of their category.
const eventMonths = 13

// Eraser returns what applies the record of processing activities to the server's database: retention, erasure of persons, deletion
// of tenants. progress is told how many rows a long work has affected so far; nil means nobody is told.
func (s *Server) Eraser(progress func(rows int64)) (*erasure.Eraser, error) {
	return erasure.New(erasure.Config{
		DB: s.DB, Record: lastEntry{s.Ledger}, Register: reference.Processing(), Ledger: s.Ledger, Observe: s.metrics.retained, Progress: progress, Now: s.cfg.Now,
	})
}

// lastEntry ends a deleted tenant's own log together with the entry about it in the operator's.
type lastEntry struct{ *pgledger.Log }

// RecordTx implements erasure.Recorder.
func (l lastEntry) RecordTx(ctx context.Context, tx *rls.Tx, ev record.Event) error {
	if err := l.Log.RecordTx(ctx, tx, ev); err != nil || ev.Action != "tenant_erased" {
		return err
	}
	id, err := uuid.Parse(ev.EntityID)
	if err != nil {
		return err
	}
	ev.Tenant, ev.Action = id, "tenant_deleted"
	args := ev.Narrative.Args
	ev.Narrative = record.Narrative{Template: "tenant_deleted", Args: map[string]any{"tenant": args["tenant"], "at": args["at"]}}
	return l.Log.RecordTx(ctx, tx, ev)
}

// CloseDeletedLogs ends the logs of tenants whose deletion is done: the log stays, closed, for as long as it has to be kept.
func (s *Server) CloseDeletedLogs(ctx context.Context) error {
	var open []uuid.UUID
	err := s.DB.System(ctx, "ledger_close", func(ctx context.Context, tx *rls.Tx) error {
		rows, err := tx.Query(ctx, `SELECT j.tenant_id FROM tomkit.erasure_jobs j JOIN tomkit.ledger_heads h USING (tenant_id)
WHERE j.step = 'done' AND h.closed_at IS NULL`)
		if err != nil {
			return err
		}
		open, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil {
		return fmt.Errorf("server: close logs: %w", err)
	}
	for _, tenant := range open {
		if _, err := s.Ledger.CloseLog(ctx, tenant, pgledger.Closing{Reason: "tenant_deleted"}); err != nil {
			return fmt.Errorf("server: close logs: %w", err)
		}
	}
	return nil
}

// sweep does what is due now and then, at once and at every interval: it removes what is over from the sign-in's tables, keeps
// partitions ahead and applies retention. Any number of processes may do so. What fails is tried again at the next turn.
func (s *Server) sweep(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.RetentionEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		s.duty(ctx, "sign-in", func() error { _, err := s.People.Sweep(ctx); return err })
		s.duty(ctx, "partitions", func() error { return s.maintain(ctx) })
		s.duty(ctx, "retention", func() error { _, err := s.retention.Once(ctx); return err })
		s.duty(ctx, "logs", func() error { return s.CloseDeletedLogs(ctx) })
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (s *Server) duty(ctx context.Context, name string, do func() error) {
	if err := do(); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "sweep failed", "duty", name, "error", err.Error())
	}
}

func (s *Server) maintain(ctx context.Context) error {
	return s.DB.System(ctx, reasonPartitions, func(ctx context.Context, tx *rls.Tx) error {
		done, err := reference.Maintain(ctx, tx, s.cfg.Now(), eventMonths)
		if err == nil {
			s.log.InfoContext(ctx, "partitions are ready", "made", done.Made, "dropped", done.Dropped)
		}
		return err
	})
}
