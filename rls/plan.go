package rls

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Plan is what stands between a table and its protection.
type Plan struct {
	// Statements are what [Protect] would run, in order. They can be run by any tool as the table's owner, in one
	// transaction or one by one: at no point is the table more open than before. None means nothing is to do.
	Statements []string
	// Notes say what deserves a look and no statement of the plan puts right.
	Notes []Note
}

// Note is a finding that does not keep a table from being protected.
type Note struct {
	// Code is one of materialized_view, view_past_policies, rule, unvalidated_key, default_privileges and schema_usage.
	Code string
	// Object is the view, rule, key, role or schema meant, as SQL writes it.
	Object string
	// Fact says what is so, Fix is SQL that ends it.
	Fact, Fix string
}

// PlanProtect returns what [Protect] would do to table, and changes nothing. It fails like Protect where Protect would
// refuse. The same statements come from psql with
//
//	SELECT tomkit.protection_plan(tomkit.protection('shop.orders'));
func PlanProtect(ctx context.Context, tx pgx.Tx, table string, p Protection) (Plan, error) {
	var plan Plan
	if table == "" {
		return plan, errors.New("rls: protect: no table")
	}
	rows, err := tx.Query(ctx, "SELECT tomkit.protection_plan(tomkit.protection("+protectionArgs+"))", p.args(table)...)
	if err != nil {
		return plan, protectError(err)
	}
	if plan.Statements, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return plan, protectError(err)
	}
	rows, err = tx.Query(ctx, "SELECT code, object, fact, fix FROM tomkit.protection_notes(tomkit.protection("+protectionArgs+"))", p.args(table)...)
	if err != nil {
		return plan, protectError(err)
	}
	if plan.Notes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Note]); err != nil {
		return plan, protectError(err)
	}
	return plan, nil
}

// ProtectProblem is the reason why a table cannot be protected as it is.
type ProtectProblem string

// Problems.
const (
	// ProblemNotATable is a view, sequence or the like, or nothing.
	ProblemNotATable ProtectProblem = "not_a_table"
	// ProblemPartition is a partition or inheritance child, which is closed and protected with its parent.
	ProblemPartition ProtectProblem = "partition"
	// ProblemNoTenantColumn is a table without the tenant column.
	ProblemNoTenantColumn ProtectProblem = "no_tenant_column"
	// ProblemTenantColumnType is a tenant column that is not uuid NOT NULL.
	ProblemTenantColumnType ProtectProblem = "tenant_column_type"
	// ProblemNoTenantIndex is a table without an index over all rows that begins with the tenant column.
	ProblemNoTenantIndex ProtectProblem = "no_tenant_index"
	// ProblemOwnedByLogin is a table that one of the runtime logins owns and could open again.
	ProblemOwnedByLogin ProtectProblem = "owned_by_login"
	// ProblemForeignPolicy is a permissive policy for a runtime login besides tomkit's: policies add up.
	ProblemForeignPolicy ProtectProblem = "foreign_policy"
	// ProblemOpenMaterializedView is a materialized view over the table that a runtime login may read.
	ProblemOpenMaterializedView ProtectProblem = "open_materialized_view"
	// ProblemOpenDefaultPrivileges are default privileges that would open a partition made later.
	ProblemOpenDefaultPrivileges ProtectProblem = "open_default_privileges"
	// ProblemCrossTenantKey is a foreign key between tenant tables, from or to this one, that does not pair tenant with
	// tenant.
	ProblemCrossTenantKey ProtectProblem = "cross_tenant_key"
	// ProblemGlobalUnique is a unique or exclusion key without the tenant column that AcrossTenants does not name.
	ProblemGlobalUnique ProtectProblem = "global_unique"
	// ProblemUnknownKey is a name in AcrossTenants that no such key has.
	ProblemUnknownKey ProtectProblem = "unknown_key"
)

// codeRefused is the SQLSTATE of tomkit.protection_check.
const codeRefused = "TKP01"

// ProtectError reports a table that cannot be protected as it is. Nothing was changed.
type ProtectError struct {
	// Table is the table, as SQL writes it in full.
	Table string
	// Problem is the first problem; tomkit.protection_problems lists all of them.
	Problem ProtectProblem
	// Object is the column, key, policy, role or relation at fault, as SQL writes it.
	Object string
	// Fix is SQL that solves the problem; empty where there is no general one. It was not run.
	Fix string
	// Err is PostgreSQL's answer.
	Err error
}

// Error gives PostgreSQL's sentence, which names table and object.
func (e *ProtectError) Error() string {
	var pg *pgconn.PgError
	if errors.As(e.Err, &pg) {
		return pg.Message
	}
	return fmt.Sprintf("rls: protect: %s: %s", e.Table, e.Problem)
}

// Unwrap returns Err.
func (e *ProtectError) Unwrap() error { return e.Err }

func protectError(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == codeRefused {
		return &ProtectError{Table: pg.TableName, Problem: ProtectProblem(pg.ConstraintName), Object: pg.ColumnName, Fix: pg.Hint, Err: err}
	}
	return fmt.Errorf("rls: protect: %w", err)
}
