package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func (a *api) audit() {
	tags := []string{"audit"}
	protected(a, huma.Operation{OperationID: "list-audit", Method: http.MethodGet, Path: "/v1/audit", Summary: "Entries of the tenant's ledger", Tags: tags}, "audit:read", a.listAudit)
	protected(a, huma.Operation{OperationID: "verify-audit", Method: http.MethodPost, Path: "/v1/audit/verify", Summary: "Verify the tenant's whole chain: hashes, predecessors, signatures, checkpoints", Tags: tags}, "audit:verify", a.verifyAudit)
	protected(a, huma.Operation{OperationID: "export-audit", Method: http.MethodGet, Path: "/v1/audit/export", Summary: "Export the ledger for offline verification, as a zip archive", Tags: tags}, "audit:export", a.exportAudit)
}

// auditEntry carries the names of TOM 3.3.
type auditEntry struct {
	Seq       uint64          `json:"seq"`
	ID        uuid.UUID       `json:"id"`
	User      *uuid.UUID      `json:"user_id" doc:"Null for system actions"`
	Action    string          `json:"action"`
	Type      string          `json:"entity_type"`
	Entity    string          `json:"entity_id"`
	Details   json.RawMessage `json:"details"`
	Narrative string          `json:"nis2_narrative" doc:"As bound in the hash: personal values are commitments"`
	Readable  string          `json:"readable" doc:"The sentence with the personal values that still exist"`
	Previous  string          `json:"previous_hash"`
	Current   string          `json:"current_hash"`
	Class     string          `json:"class" enum:"normal,critical"`
	CreatedAt time.Time       `json:"created_at"`
}

type listAuditInput struct {
	After  int64     `query:"after" minimum:"-1" default:"-1" doc:"Seq of the last entry of the page before"`
	Newest bool      `query:"newest" doc:"Newest first"`
	Action string    `query:"action" maxLength:"64" pattern:"^[a-z0-9_]*$"`
	From   time.Time `query:"from" doc:"From this time on"`
	Until  time.Time `query:"until" doc:"Before this time"`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type listAuditOutput struct {
	Body struct {
		Entries []auditEntry `json:"entries"`
	}
}

func (a *api) listAudit(ctx context.Context, in *listAuditInput) (*listAuditOutput, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	filter := ledger.Filter{Newest: in.Newest, Action: in.Action, From: in.From, Until: in.Until, Limit: in.Limit}
	if in.After >= 0 {
		after := uint64(in.After)
		filter.After = &after
	}
	entries, err := a.ledger.Entries(ctx, s.Tenant(), filter)
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	out := &listAuditOutput{}
	out.Body.Entries = make([]auditEntry, len(entries))
	for i := range entries {
		out.Body.Entries[i] = shown(&entries[i])
	}
	return out, nil
}

func shown(e *ledger.Entry) auditEntry {
	shown := auditEntry{
		Seq: e.Seq, ID: e.ID, Action: e.Action, Type: e.EntityType, Entity: e.EntityID, Details: e.Details,
		Narrative: e.Narrative, Readable: e.Readable, Previous: hexHash(e.PreviousHash), Current: hexHash(e.CurrentHash),
		Class: e.Class.String(), CreatedAt: e.CreatedAt,
	}
	if e.User != nil {
		user := uuid.UUID(*e.User)
		shown.User = &user
	}
	return shown
}

type verifyAuditOutput struct {
	Body *verify.Report
}

func (a *api) verifyAudit(ctx context.Context, _ *struct{}) (*verifyAuditOutput, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	report, err := a.ledger.VerifyChain(ctx, s.Tenant(), pgledger.VerifyOptions{})
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	return &verifyAuditOutput{Body: report}, nil
}

// exportAudit records the export before the first byte leaves, then streams the archive. An archive that breaks off has no central
// directory, so no reader takes a part for the whole.
func (a *api) exportAudit(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	s, by, err := a.actor(ctx)
	if err != nil {
		return nil, err
	}
	head, err := a.ledger.Head(ctx, s.Tenant())
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	now := a.now().UTC().Truncate(time.Microsecond)
	_, err = a.ledger.Append(ctx, record.Event{
		Tenant: s.Tenant(), Actor: uuid.NullUUID{UUID: by.User, Valid: true}, Action: "ledger_exported", EntityType: "ledger", EntityID: s.Tenant().String(),
		Narrative: record.Narrative{Template: "ledger_exported", Args: map[string]any{
			"user": record.Personal{Subject: by.User, Value: by.Email}, "seq": int64(head.Size), "at": now,
		}},
	})
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", "application/zip")
		hctx.SetHeader("Content-Disposition", `attachment; filename="ledger-`+now.Format("20060102-150405")+`.zip"`)
		archive := verify.NewZip(hctx.BodyWriter(), now)
		if _, err := a.ledger.Export(hctx.Context(), s.Tenant(), archive, pgledger.ExportOptions{}); err != nil {
			a.log.ErrorContext(ctx, "export broke off", "request_id", requestID(ctx), "error", err.Error())
			return
		}
		if err := archive.Close(); err != nil {
			a.log.WarnContext(ctx, "export broke off", "request_id", requestID(ctx), "error", err.Error())
		}
	}}, nil
}
