package rls

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Privilege is what [Protect] may grant to a role: one of the four verbs, or one of them on a column, see [OnColumns].
type Privilege string

// The four verbs policies know. TRUNCATE, REFERENCES and TRIGGER go past them and are never granted.
const (
	Select Privilege = "SELECT"
	Insert Privilege = "INSERT"
	Update Privilege = "UPDATE"
	Delete Privilege = "DELETE"
)

// OnColumns narrows Select, Insert or Update to columns.
func OnColumns(p Privilege, columns ...string) []Privilege {
	narrowed := make([]Privilege, len(columns))
	for i, c := range columns {
		narrowed[i] = Privilege(fmt.Sprintf("%s (%s)", p, pgx.Identifier{c}.Sanitize()))
	}
	return narrowed
}

// Protection is the whole state [Protect] brings a table to. The zero value suits most tables.
type Protection struct {
	// TenantColumn is the column that holds the tenant, uuid NOT NULL. Empty means tenant_id.
	TenantColumn string
	// App is what requests may do with rows of their own tenant. Nil means all four verbs; an empty slice nothing.
	App []Privilege
	// MSP is what MSP sessions may do with rows of their tenants: Select, on columns or not. Nil means Select; an empty
	// slice nothing.
	MSP []Privilege
	// System is what background work may do. Nil means all four verbs; an empty slice nothing.
	System []Privilege
	// AcrossTenants names the unique, exclusion and foreign keys that may span tenants, such as a primary key of random
	// ids. All others must hold per tenant.
	AcrossTenants []string
	// MSPItself says that TenantColumn holds MSPs and an MSP reads its own row, in place of those of its tenants.
	MSPItself bool
}

// Protect puts a table under row-level security: ENABLE and FORCE, one policy for each of RoleApp, RoleMSP, RoleSystem
// and the owner's migrations, and exactly the wanted grants, whatever was granted to those roles and to PUBLIC before.
// The table may be any product's, in any schema; table is its name as SQL writes it, such as "shop.orders". tx must run as
// the table's owner, with EXECUTE on tomkit.protect (RoleOwner, RoleLedger and RoleMigrator have it).
//
// It runs the statements [PlanProtect] shows. If there are none, it takes no lock and writes nothing, so it may be called
// at every start; calls at the same time wait for each other. A table that cannot be protected as it is gives a
// [ProtectError].
//
// Partitions and inheritance children of all levels are closed to direct access. One that is created or attached later has
// the grants it was given, by default none; the next call closes it for certain.
func Protect(ctx context.Context, tx pgx.Tx, table string, p Protection) error {
	if table == "" {
		return errors.New("rls: protect: no table")
	}
	if _, err := tx.Exec(ctx, "SELECT tomkit.protect("+protectionArgs+")", p.args(table)...); err != nil {
		return protectError(err)
	}
	return nil
}

// protectionArgs are the arguments of tomkit.protect and tomkit.protection, in the order of args.
const protectionArgs = "$1::text::regclass, $2::text[], $3::text::name, $4::text[], $5::text[], $6::text[]::name[], $7::boolean"

func (p Protection) args(table string) []any {
	verbs := []Privilege{Select, Insert, Update, Delete}
	column := p.TenantColumn
	if column == "" {
		column = "tenant_id"
	}
	return []any{table, orDefault(p.App, verbs), column, orDefault(p.MSP, verbs[:1]), orDefault(p.System, verbs),
		append([]string{}, p.AcrossTenants...), p.MSPItself}
}

// orDefault returns what to send for a list of privileges; nil means the default.
func orDefault(list, unset []Privilege) []string {
	if list == nil {
		list = unset
	}
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = string(p)
	}
	return texts
}
