// Package reference keeps the rest of the reference schema: the tables of TOM 2.1, and those a product around them needs, that no
// room of tomkit owns yet. [Tables] describes every table of the whole schema for the record of processing activities (Art. 30 GDPR).
//
// The tables are a product's, without its code: columns, limits, states, keys and privileges. A control's room takes its tables over
// when it is built: the CREATE TABLE moves into that room's migrations, and this package's lines about it go.
//
// All are protected tenant tables: keys begin with the tenant, foreign keys between them are composite, every text and JSON value has
// a limit in bytes or characters, and every table a time that retention counts from (TOM 8.2). Secrets are sealed or hashed.
// tomkit.msp_branding alone is an MSP's.
//
// tomkit.device_events is partitioned by month; the server calls [Maintain] in its sweep. Without it events are refused when the
// partitions run out, about half a year after the last call.
//
// Sources: TOM 2.1, 2.2, 8.2; Art. 5, 17 and 30 GDPR.
package reference

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of this room. They come after those of rls/tenant, authn/pgauthn and internal/server/fleet; [Maintain] also needs
// those of rls/erasure.
func Migrations() rls.Source {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the path is the embedded one
	}
	return rls.Source{Name: "reference", FS: sub}
}

// monthsAhead is how many partitions of device_events are ready beyond the present month.
const monthsAhead = 6

// Shortest and longest time that device events are kept, in months.
const (
	minKeep = 1
	maxKeep = 120
)

// ErrKeep reports a retention of device events outside 1 to 120 months.
var ErrKeep = errors.New("reference: maintain: device events are kept for 1 to 120 months")

// Maintained says what [Maintain] did.
type Maintained struct {
	// Made is the number of new partitions.
	Made int
	// Dropped names those that went, oldest first, with all their rows. It is empty if none did.
	Dropped []string
}

// Maintain makes the partitions of tomkit.device_events for now's month and the six after it, and drops those whose newest possible
// row is older than keep months; while any tenant has a legal hold none is dropped, for a month goes with all tenants' rows. tx is a System scope. It may run at any time and in many processes at once; it fails rather than
// waiting longer than five seconds for a lock, and can then be tried again. Dropping locks out readers of the table until tx
// commits, so tx should do nothing else.
func Maintain(ctx context.Context, tx *rls.Tx, now time.Time, keep int) (Maintained, error) {
	var m Maintained
	if keep < minKeep || keep > maxKeep {
		return m, ErrKeep
	}
	now = now.UTC()
	err := tx.QueryRow(ctx, `SELECT tomkit.device_events_prepare($1::date, $2)`, now.Format(time.DateOnly), 1+monthsAhead).Scan(&m.Made)
	if err != nil {
		return Maintained{}, fmt.Errorf("reference: maintain: %w", err)
	}
	var held bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tomkit.legal_holds WHERE released_at IS NULL AND (until IS NULL OR until > $1))`, now).Scan(&held)
	if err != nil {
		return Maintained{}, fmt.Errorf("reference: maintain: %w", err)
	}
	if held {
		return m, nil
	}
	rows, err := tx.Query(ctx, `SELECT tomkit.device_events_drop($1)`, now.AddDate(0, -keep, 0))
	if err != nil {
		return Maintained{}, fmt.Errorf("reference: maintain: %w", err)
	}
	if m.Dropped, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return Maintained{}, fmt.Errorf("reference: maintain: %w", err)
	}
	return m, nil
}
