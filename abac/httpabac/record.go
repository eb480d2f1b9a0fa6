package httpabac

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/pioneerdesk/tomkit/abac"
)

// Record is one decision worth keeping: a deny, a privileged allow, or a sampled one.
type Record struct {
	Seq        uint64 // set by [Log]: ascending, and the same again where a record is written twice
	Decision   abac.Decision
	Permission string        // what the route demands
	Method     string        // the request's
	Route      string        // the pattern that matched, never the path itself; empty if the router does not tell
	Subject    *abac.Subject // nil without a token; must not be changed
	Privileged bool          // the route records its allows
	RequestID  string
	Time       time.Time // UTC, microseconds
}

func (t *gate) record(r *http.Request, sub *abac.Subject, d abac.Decision) Record {
	rec := Record{
		Decision: d, Permission: t.route.Permission, Method: r.Method, Route: t.route.Pattern, Subject: sub,
		Privileged: t.route.Privileged, Time: t.guard.cfg.Now().UTC().Truncate(time.Microsecond),
		RequestID: t.guard.requestID(r.Context()),
	}
	if rec.Route == "" {
		rec.Route = r.Pattern
	}
	return rec
}

func (g *Guard) requestID(ctx context.Context) string {
	if g.cfg.RequestID == nil {
		return ""
	}
	return g.cfg.RequestID(ctx)
}

// logRecord is the default Config.Record. It logs ids, never names, paths or policies.
func logRecord(ctx context.Context, rec Record) error {
	attrs := []slog.Attr{
		slog.Bool("allowed", rec.Decision.Allowed),
		slog.String("reason", rec.Decision.Reason.String()),
		slog.String("permission", rec.Permission),
		slog.String("method", rec.Method),
		slog.String("route", rec.Route),
		slog.String("request_id", rec.RequestID),
	}
	if rec.Subject != nil {
		attrs = append(attrs, slog.String("subject", rec.Subject.ID.String()), slog.String("tenant", rec.Subject.Tenant.String()))
	}
	slog.LogAttrs(ctx, slog.LevelInfo, "access decision", attrs...)
	return nil
}
