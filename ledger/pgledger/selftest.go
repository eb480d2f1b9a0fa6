package pgledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pioneerdesk/tomkit/rls"
)

// tables are the ledger's tables.
var tables = []string{
	"audit_logs", "ledger_heads", "ledger_logs", "ledger_keys", "ledger_openings", "ledger_tiles", "ledger_checkpoints",
	"ledger_redactions", "ledger_evidence", "ledger_closings",
}

// SelfTestError lists what [Open] found wrong with the protection of the ledger's tables. It names tables and roles only.
type SelfTestError struct {
	Findings []string
}

// Error implements error.
func (e *SelfTestError) Error() string {
	return "pgledger: self-test: " + strings.Join(e.Findings, "; ")
}

// errUndo rolls an attack back that should not have been possible.
var errUndo = errors.New("pgledger: self-test: undone")

// selfTest tries what nobody may do, on the request login, and looks at what protects the tables from the others.
func selfTest(ctx context.Context, db *rls.DB) error {
	report := &SelfTestError{}
	if err := inspect(ctx, db, report); err != nil {
		return fmt.Errorf("pgledger: self-test: %w", err)
	}
	if len(report.Findings) > 0 {
		return report // no need to try
	}
	for _, table := range tables {
		for _, attack := range []struct{ name, sql string }{
			{"UPDATE", "UPDATE tomkit." + table + " SET tenant_id = tenant_id WHERE false"},
			{"DELETE", "DELETE FROM tomkit." + table + " WHERE false"},
			{"TRUNCATE", "TRUNCATE tomkit." + table},
			{"INSERT", "INSERT INTO tomkit." + table + " SELECT * FROM tomkit." + table + " WHERE false"},
		} {
			err := db.Anonymous().InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				if _, err := tx.Exec(ctx, attack.sql); err != nil {
					return err
				}
				return errUndo
			})
			switch {
			case errors.Is(err, errUndo):
				report.Findings = append(report.Findings, attack.name+" on tomkit."+table+" succeeded on the request login")
			case sqlState(err) != insufficientPrivilege && sqlState(err) != stateRefused:
				return fmt.Errorf("pgledger: self-test: %s on tomkit.%s: %w", attack.name, table, err)
			}
		}
	}
	if len(report.Findings) > 0 {
		return report
	}
	return nil
}

const insufficientPrivilege = "42501"

// inspectSQL returns one line per weakness the catalogs show.
const inspectSQL = `
WITH t AS (
    SELECT c.oid, c.relname, c.relowner, c.relrowsecurity AND c.relforcerowsecurity AS forced
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'tomkit' AND c.relname = ANY ($1::text[]) AND c.relkind = 'r'
), logins AS (
    SELECT r.rolname FROM pg_catalog.pg_roles r WHERE r.rolname IN ('tomkit_app', 'tomkit_msp', 'tomkit_system', 'tomkit_backup')
)
SELECT 'table tomkit.' || w.name || ' is missing' FROM unnest($1::text[]) AS w (name)
WHERE NOT EXISTS (SELECT FROM t WHERE t.relname = w.name)
UNION ALL
SELECT 'tomkit.' || t.relname || ' is not under forced row-level security' FROM t WHERE NOT t.forced
UNION ALL
SELECT 'tomkit.' || t.relname || ' is owned by ' || r.rolname FROM t JOIN pg_catalog.pg_roles r ON r.oid = t.relowner
WHERE r.rolname <> 'tomkit_ledger' OR r.rolcanlogin
UNION ALL
SELECT 'trigger ' || x.name || ' on tomkit.' || t.relname || ' is not enabled always'
FROM t CROSS JOIN unnest(ARRAY['refuse_truncate', 'refuse_delete', 'refuse_delete_row', 'refuse_direct', 'refuse_update']) AS x (name)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = t.oid AND g.tgname = x.name AND g.tgenabled = 'A')
UNION ALL
SELECT l.rolname || ' has ' || p.name || ' on tomkit.' || t.relname
FROM t CROSS JOIN logins l CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) AS p (name)
WHERE pg_catalog.has_table_privilege(l.rolname, t.oid, p.name)
UNION ALL
SELECT 'the foreign key ' || k.conname || ' lets others delete from tomkit.' || t.relname
FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' AND k.confdeltype <> 'r' AND k.confdeltype <> 'a'
UNION ALL
SELECT 'the database is not encoded in UTF8' WHERE pg_catalog.current_setting('server_encoding') <> 'UTF8'`

func inspect(ctx context.Context, db *rls.DB, report *SelfTestError) error {
	rows, err := db.Anonymous().Query(ctx, inspectSQL, tables)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var finding string
		if err := rows.Scan(&finding); err != nil {
			return err
		}
		report.Findings = append(report.Findings, finding)
	}
	return rows.Err()
}
