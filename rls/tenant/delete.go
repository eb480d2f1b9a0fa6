package tenant

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// Removed says how many rows a deletion took from a table.
type Removed struct {
	// Table is its name as SQL writes it, such as tomkit.devices. The rows of partitions count for their root.
	Table string
	// Rows is how many there were.
	Rows int64
}

var (
	//go:embed deleted.sql
	deletedSQL string
	//go:embed unlinked.sql
	unlinkedSQL string
)

// Delete deletes a tenant and every row of it (Art. 17 GDPR), and reports what went, in the order of the tables' names. tx
// is a System scope. Rows go by foreign key, and in protected tables without one by statement. The ledger's stay: its
// tables have no foreign key, and the system login may not delete there (system_privileges of tomkit.protect). Any product's
// table is kept in the same way.
//
// The tenant's row is locked first. Writers that are not done are waited for and their rows deleted; those that come later
// fail with a foreign key violation. A writer that holds a row and then inserts another may end in a deadlock, which
// PostgreSQL resolves by failing one of the two (40P01): try again. The operator is ErrOperator.
//
// The report is exact unless the server runs with track_counts off; then it is empty.
func Delete(ctx context.Context, tx *rls.Tx, id uuid.UUID) ([]Removed, error) {
	if _, err := lockTenant(ctx, tx, id, "FOR UPDATE"); err != nil {
		return nil, err
	}
	before, err := deletedSoFar(ctx, tx)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, unlinkedSQL)
	if err != nil {
		return nil, fmt.Errorf("tenant: delete: %w", err)
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("tenant: delete: %w", err)
	}
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql, id); err != nil {
			return nil, fmt.Errorf("tenant: delete: %w", err)
		}
	}
	if err := one(ctx, tx, ErrUnknown, `DELETE FROM tomkit.tenants WHERE id = $1`, id); err != nil {
		return nil, err
	}
	after, err := deletedSoFar(ctx, tx)
	if err != nil {
		return nil, err
	}
	return difference(before, after), nil
}

// deletedSoFar reads PostgreSQL's counters of rows this connection deleted, cascades included. They may hold those of
// transactions before this one, so that only differences mean anything.
func deletedSoFar(ctx context.Context, tx *rls.Tx) (map[string]int64, error) {
	rows, err := tx.Query(ctx, deletedSQL)
	if err != nil {
		return nil, fmt.Errorf("tenant: delete: count: %w", err)
	}
	counts := make(map[string]int64)
	var table string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&table, &n}, func() error { counts[table] = n; return nil })
	if err != nil {
		return nil, fmt.Errorf("tenant: delete: count: %w", err)
	}
	return counts, nil
}

func difference(before, after map[string]int64) []Removed {
	var removed []Removed
	for _, table := range slices.Sorted(maps.Keys(after)) {
		if n := after[table] - before[table]; n > 0 {
			removed = append(removed, Removed{Table: table, Rows: n})
		}
	}
	return removed
}

// DeleteMSP deletes an MSP without tenants. tx is a System scope. One with tenants is ErrNotEmpty: delete or [Move] them
// first. The operator's own is ErrOperator.
func DeleteMSP(ctx context.Context, tx *rls.Tx, id uuid.UUID) error {
	const state = `SELECT id = operator_id, EXISTS (SELECT FROM tomkit.tenants t WHERE t.msp_id = m.id) FROM tomkit.msps m WHERE id = $1`
	if err := one(ctx, tx, ErrUnknown, `SELECT FROM tomkit.msps WHERE id = $1 FOR UPDATE`, id); err != nil {
		return err
	}
	var operator, tenants bool
	if err := tx.QueryRow(ctx, state, id).Scan(&operator, &tenants); err != nil {
		return fmt.Errorf("tenant: delete: %w", err)
	}
	switch {
	case operator:
		return ErrOperator
	case tenants:
		return ErrNotEmpty
	}
	return one(ctx, tx, ErrUnknown, `DELETE FROM tomkit.msps WHERE id = $1`, id)
}
