package rls

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Privilege is what [Protect] may grant to RoleApp.
type Privilege string

// The four verbs policies know. TRUNCATE, REFERENCES and TRIGGER go past them and are never granted.
const (
	Select Privilege = "SELECT"
	Insert Privilege = "INSERT"
	Update Privilege = "UPDATE"
	Delete Privilege = "DELETE"
)

// Protection tunes [Protect]. The zero value suits most tables.
type Protection struct {
	// TenantColumn is the column that holds the tenant, uuid NOT NULL. Empty means tenant_id.
	TenantColumn string
	// App is what requests may do with rows of their own tenant. Nil means all four; an empty slice nothing.
	App []Privilege
}

// Protect puts a table under row-level security: ENABLE and FORCE, one policy for each of RoleApp, RoleMSP, RoleSystem
// and the owner's migrations, and grants to match, whatever was granted to those roles and to PUBLIC before. The table may
// be any product's, in any schema; table is its name as SQL writes it, such as "shop.orders". tx must run as the table's
// owner, with EXECUTE on tomkit.protect (RoleOwner, RoleLedger and RoleMigrator have it). Calling it again is harmless.
//
// It refuses a table without such a column, without an index led by it, with a foreign permissive policy for the same
// roles, or a partition. Partitions and inheritance children are closed to direct access; one attached later needs
// Protect called again.
func Protect(ctx context.Context, tx pgx.Tx, table string, p Protection) error {
	if table == "" {
		return errors.New("rls: protect: no table")
	}
	if p.TenantColumn == "" {
		p.TenantColumn = "tenant_id"
	}
	if p.App == nil {
		p.App = []Privilege{Select, Insert, Update, Delete}
	}
	grants := make([]string, len(p.App))
	for i, g := range p.App {
		grants[i] = string(g)
	}
	_, err := tx.Exec(ctx, "SELECT tomkit.protect($1::text::regclass, $2::text[], $3::text::name)", table, grants, p.TenantColumn)
	if err != nil {
		return fmt.Errorf("rls: protect: %w", err)
	}
	return nil
}
