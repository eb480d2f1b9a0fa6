package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// attackLedger tries to change the ledger's table from every login, inside transactions that are rolled back.
func (d *demo) attackLedger(ctx context.Context) error {
	for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleMigrator, rls.RoleBackup} {
		d.try(ctx, "T3.3-12", "UPDATE, DELETE, TRUNCATE and INSERT as "+role, "refused four times", func(ctx context.Context) (string, bool, error) {
			conn, err := pgx.Connect(ctx, d.server.Logins.URL(role))
			if err != nil {
				return "", false, err
			}
			defer conn.Close(ctx)
			var seen []string
			held := 0
			for _, attack := range [][2]string{
				{"UPDATE", `UPDATE tomkit.audit_logs SET nis2_narrative = 'nothing happened'`},
				{"DELETE", `DELETE FROM tomkit.audit_logs`},
				{"TRUNCATE", `TRUNCATE tomkit.audit_logs`},
				{"INSERT", `INSERT INTO tomkit.audit_logs SELECT * FROM tomkit.audit_logs LIMIT 1`},
			} {
				err := attempt(ctx, conn, role, attack[1])
				if refused(err, "42501") { // permission denied; anything else would be luck
					held++
				}
				seen = append(seen, attack[0]+" "+sqlState(err))
			}
			return strings.Join(seen, ", "), held == len(seen), nil
		})
	}
	d.try(ctx, "T3.3-07", "the other tenant's ledger through the request login", "0 entries, not even a count", func(ctx context.Context) (string, bool, error) {
		var n int
		err := d.server.DB.Tenant(d.world.clinic).QueryRow(ctx, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1`, d.world.utility).Scan(&n)
		return fmt.Sprintf("%d entries", n), n == 0, err
	})
	return nil
}

// attempt runs one statement with everything the login can turn on, and takes it back.
func attempt(ctx context.Context, conn *pgx.Conn, role, sql string) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, `SELECT set_config('app.bypass_rls', 'on', true)`); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, sql)
	if err == nil && tag.RowsAffected() == 0 && !strings.HasPrefix(sql, "TRUNCATE") {
		return fmt.Errorf("%s: no row was reached", role)
	}
	return err
}
