package rls

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ProtectedTable is the state of one protected table as the catalogue has it.
type ProtectedTable struct {
	// Table and TenantColumn are names as SQL writes them, Owner is a role.
	Table, TenantColumn, Owner string
	// Forced reports whether row-level security is enabled and binds the owner.
	Forced bool
	// Policies are the names of tomkit's policies it has; only tomkit_msp may be missing.
	Policies []string
	// App, MSP and System are what those roles hold on the table.
	App, MSP, System []string
	// Open lists partitions and children that a runtime login or PUBLIC may name directly. [Protect] closes them.
	Open []string
}

// Protected lists the tables of the database that are protected, by name. It reads the catalogue only; whether a table is
// just as wanted is for [PlanProtect] to say.
func Protected(ctx context.Context, tx pgx.Tx) ([]ProtectedTable, error) {
	rows, err := tx.Query(ctx, `SELECT tbl::text, pg_catalog.quote_ident(tenant_column), owner::text, forced, policies, app, msp, system, open_parts
		FROM tomkit.protected() ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("rls: protected: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ProtectedTable])
	if err != nil {
		return nil, fmt.Errorf("rls: protected: %w", err)
	}
	return tables, nil
}
