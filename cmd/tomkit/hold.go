package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

type holdCmd struct {
	Set     setHoldCmd     `cmd:"" help:"Keep a tenant's data from being deleted, whatever the periods say."`
	Release releaseHoldCmd `cmd:"" help:"End a hold."`
	List    listHoldsCmd   `cmd:"" help:"List a tenant's holds in force."`
}

// ofTenant is a command about one tenant's data.
type ofTenant struct {
	Tenant string `help:"Short name of the tenant." required:""`
}

// with opens what the command works on, and finds the tenant.
func (o ofTenant) with(ctx context.Context, c *console, e *erasureCmd, work func(*erasure.Eraser, uuid.UUID) error) error {
	return e.withEraser(ctx, c, func(s *server.Server, eraser *erasure.Eraser) error {
		id, err := findTenant(ctx, s, o.Tenant)
		if err != nil {
			return err
		}
		return work(eraser, id)
	})
}

type setHoldCmd struct {
	ofTenant
	Reason   string    `help:"Why, as a code such as litigation-2026-14; it is recorded and names no person." required:""`
	Category string    `help:"The one category of the record of processing that is held. Default: all."`
	Person   uuid.UUID `help:"The one person whose data is held. Default: everybody's." placeholder:"UUID"`
	Until    time.Time `help:"When it ends by itself (RFC 3339). Default: when it is released." placeholder:"TIME"`
}

// Run places the hold.
func (h *setHoldCmd) Run(ctx context.Context, c *console, e *erasureCmd) error {
	return h.with(ctx, c, e, func(eraser *erasure.Eraser, id uuid.UUID) error {
		hold, err := eraser.PlaceHold(ctx, erasure.Hold{Tenant: id, Category: h.Category, Subject: h.Person, Reason: h.Reason, Until: h.Until}, erasure.By{})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "hold %s\n", hold)
		return err
	})
}

type releaseHoldCmd struct {
	ofTenant
	ID uuid.UUID `name:"id" help:"The hold's id." required:"" placeholder:"UUID"`
}

// Run ends the hold.
func (h *releaseHoldCmd) Run(ctx context.Context, c *console, e *erasureCmd) error {
	return h.with(ctx, c, e, func(eraser *erasure.Eraser, id uuid.UUID) error {
		if err := eraser.ReleaseHold(ctx, id, h.ID, erasure.By{}); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.out, "hold %s is released\n", h.ID)
		return err
	})
}

type listHoldsCmd struct{ ofTenant }

// Run lists the holds.
func (h *listHoldsCmd) Run(ctx context.Context, c *console, e *erasureCmd) error {
	return h.with(ctx, c, e, func(eraser *erasure.Eraser, id uuid.UUID) error {
		holds, err := eraser.Holds(ctx, id)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "HOLD\tREASON\tCATEGORY\tPERSON\tUNTIL")
		for _, hold := range holds {
			category, person, until := "all", "everybody", "released"
			if hold.Category != "" {
				category = hold.Category
			}
			if hold.Subject != uuid.Nil {
				person = hold.Subject.String()
			}
			if !hold.Until.IsZero() {
				until = hold.Until.Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", hold.ID, hold.Reason, category, person, until)
		}
		return w.Flush()
	})
}

type overrideCmd struct {
	Set setOverrideCmd `cmd:"" help:"Give a tenant a period of its own for a category, within the category's bounds."`
}

type setOverrideCmd struct {
	ofTenant
	Category string `help:"Category of the record of processing." required:""`
	Period   string `help:"Period such as P2Y or P90D (ISO 8601), or standard to take the tenant's own back." required:""`
}

// Run sets the period or takes it back.
func (o *setOverrideCmd) Run(ctx context.Context, c *console, e *erasureCmd) error {
	var period erasure.Period
	if o.Period != "standard" {
		var err error
		if period, err = erasure.ParsePeriod(o.Period); err != nil || period.Zero() {
			return cli.UsageError("--period is neither standard nor a period such as P2Y")
		}
	}
	return o.with(ctx, c, e, func(eraser *erasure.Eraser, id uuid.UUID) error {
		if err := eraser.Override(ctx, id, o.Category, period, erasure.By{}); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.out, "%s of tenant %s are kept for: %s\n", o.Category, o.Tenant, o.Period)
		return err
	})
}
