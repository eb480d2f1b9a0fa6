package pgledger_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
)

var ledgerTables = []string{
	"audit_logs", "ledger_heads", "ledger_logs", "ledger_keys", "ledger_openings", "ledger_tiles", "ledger_checkpoints",
	"ledger_redactions", "ledger_evidence", "ledger_closings",
}

// writes are the statements nobody may execute, as they would reach rows.
func writes(table string) map[string]string {
	return map[string]string{
		"UPDATE":   "UPDATE tomkit." + table + " SET tenant_id = tenant_id",
		"DELETE":   "DELETE FROM tomkit." + table,
		"TRUNCATE": "TRUNCATE tomkit." + table,
		"INSERT":   "INSERT INTO tomkit." + table + " SELECT * FROM tomkit." + table,
	}
}

func requireState(t *testing.T, err error, states ...string) {
	t.Helper()
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	require.Contains(t, states, pg.Code, "%s", pg.Message)
}

const (
	denied  = "42501"
	refused = "TKL05"
)

func TestNobodyWritesTheTables(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 300)
	_, err := k.log.Checkpoint(t.Context(), tenant)
	require.NoError(t, err)
	k.tamper(t, `INSERT INTO tomkit.ledger_redactions VALUES ($1, 1, sha256(''), 2)`, tenant)
	k.tamper(t, `INSERT INTO tomkit.ledger_evidence VALUES ($1, 1, 301, 'file', '', '', now())`, tenant)
	k.tamper(t, `INSERT INTO tomkit.ledger_closings VALUES ($1, 301, now() + interval '1 hour', now())`, tenant)
	before, err := k.log.Head(t.Context(), tenant)
	require.NoError(t, err)

	for _, table := range ledgerTables {
		for verb, sql := range writes(table) {
			for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleBackup, rls.RoleMigrator} {
				t.Run(fmt.Sprintf("%s cannot %s %s", role, verb, table), func(t *testing.T) {
					conn, err := k.pg.Pool(t, role).Acquire(t.Context())
					require.NoError(t, err)
					defer conn.Release()
					_, err = conn.Exec(t.Context(), `SELECT set_config('app.bypass_rls', 'on', false), set_config('app.tenant_id', $1, false)`, tenant.String())
					require.NoError(t, err)
					_, err = conn.Exec(t.Context(), sql)
					requireState(t, err, denied, refused)
				})
			}
			t.Run(fmt.Sprintf("the tenant's own scope cannot %s %s", verb, table), func(t *testing.T) {
				_, err := k.db.Tenant(tenant).Exec(t.Context(), sql)
				requireState(t, err, denied, refused)
			})
			t.Run(fmt.Sprintf("a system scope cannot %s %s", verb, table), func(t *testing.T) {
				err := k.db.System(t.Context(), "attack", func(ctx context.Context, tx *rls.Tx) error {
					_, err := tx.Exec(ctx, sql)
					return err
				})
				requireState(t, err, denied, refused)
			})
			t.Run(fmt.Sprintf("a superuser stumbles over the trigger on %s of %s, as replica too", verb, table), func(t *testing.T) {
				conn, err := k.pg.Superuser(t).Acquire(t.Context())
				require.NoError(t, err)
				defer conn.Release()
				_, err = conn.Exec(t.Context(), sql)
				requireState(t, err, refused)
				_, err = conn.Exec(t.Context(), "SET session_replication_role = replica; "+sql)
				requireState(t, err, refused)
			})
		}
	}
	t.Run("the migrator as owner", func(t *testing.T) {
		for _, table := range ledgerTables {
			for _, sql := range writes(table) {
				conn, err := k.pg.Pool(t, rls.RoleMigrator).Acquire(t.Context())
				require.NoError(t, err)
				_, err = conn.Exec(t.Context(), "SET ROLE tomkit_ledger; "+sql)
				conn.Release()
				requireState(t, err, denied, refused)
			}
		}
	})
	t.Run("the request login cannot switch triggers off", func(t *testing.T) {
		for _, sql := range []string{"SET session_replication_role = replica", "ALTER TABLE tomkit.audit_logs DISABLE TRIGGER ALL",
			"DROP TRIGGER refuse_update ON tomkit.audit_logs", "SET ROLE tomkit_ledger", "ALTER TABLE tomkit.audit_logs NO FORCE ROW LEVEL SECURITY"} {
			_, err := k.pg.Pool(t, rls.RoleApp).Exec(t.Context(), sql)
			requireState(t, err, denied)
		}
	})

	after, err := k.log.Head(t.Context(), tenant)
	require.NoError(t, err)
	require.Equal(t, before, after)
	k.tamper(t, `DELETE FROM tomkit.ledger_redactions`)
	report, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, report.Intact(), "%+v", report.Findings)
}

func TestDeletingATenantLeavesItsLog(t *testing.T) {
	k := newKit(t)
	var n int
	require.NoError(t, k.pg.Superuser(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_constraint
WHERE contype = 'f' AND conrelid::regclass::text LIKE 'tomkit.%' AND conrelid::regclass::text ~ 'audit_logs|ledger'`).Scan(&n))
	require.Zero(t, n, "no foreign key leads from the ledger anywhere")
}

func TestKeysStayInTheDatabase(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 1)
	for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
		for _, sql := range []string{"SELECT door_inner FROM tomkit.ledger_heads", "SELECT sealed FROM tomkit.ledger_keys", "SELECT * FROM tomkit.ledger_keys"} {
			_, err := k.pg.Pool(t, role).Exec(t.Context(), sql)
			requireState(t, err, denied)
		}
	}
}

func TestOtherTenantsSeeNothing(t *testing.T) {
	k := newKit(t)
	mine, other := uuid.New(), uuid.New()
	k.fill(t, mine, 300)
	_, err := k.log.Checkpoint(t.Context(), mine)
	require.NoError(t, err)

	for _, table := range []string{"audit_logs", "ledger_heads", "ledger_openings", "ledger_tiles", "ledger_checkpoints"} {
		for name, scope := range map[string]rls.Scope{"another tenant": k.db.Tenant(other), "nobody": k.db.Anonymous()} {
			t.Run(name+" sees nothing of "+table, func(t *testing.T) {
				var n int
				require.NoError(t, scope.QueryRow(t.Context(), "SELECT count(*) FROM tomkit."+table).Scan(&n))
				require.Zero(t, n)
			})
		}
	}
	t.Run("an unsigned context sees nothing", func(t *testing.T) {
		conn, err := k.pg.Pool(t, rls.RoleApp).Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
		_, err = conn.Exec(t.Context(), `SELECT set_config('app.tenant_id', $1, false)`, mine.String())
		require.NoError(t, err)
		var n int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM tomkit.audit_logs").Scan(&n))
		require.Zero(t, n)
		_, err = conn.Exec(t.Context(), "SELECT * FROM tomkit.ledger_state($1)", mine)
		requireState(t, err, denied)
	})
	t.Run("the Go interface says there is no log", func(t *testing.T) {
		_, err := k.log.Head(t.Context(), other)
		require.ErrorIs(t, err, ledger.ErrNoLog)
		_, err = k.log.VerifyChain(t.Context(), other, pgledger.VerifyOptions{})
		require.ErrorIs(t, err, ledger.ErrNoLog)
		_, err = k.log.Checkpoint(t.Context(), other)
		require.ErrorIs(t, err, ledger.ErrNoLog)
		page, err := k.log.Entries(t.Context(), other, ledger.Filter{})
		require.NoError(t, err)
		require.Empty(t, page)
	})
	t.Run("a function called for another tenant is refused", func(t *testing.T) {
		for _, sql := range []string{"SELECT * FROM tomkit.ledger_state($1)", "SELECT * FROM tomkit.ledger_lock($1)",
			"SELECT * FROM tomkit.ledger_publishing($1, true)"} {
			_, err := k.db.Tenant(other).Exec(t.Context(), sql, mine)
			requireState(t, err, denied)
			_, err = k.db.Anonymous().Exec(t.Context(), sql, mine)
			requireState(t, err, denied)
		}
		_, err := k.db.Tenant(mine).Exec(t.Context(), "SELECT * FROM tomkit.ledger_unpublished(10)")
		requireState(t, err, denied)
	})
	t.Run("the bypass setting helps only the system login", func(t *testing.T) {
		conn, err := k.pg.Pool(t, rls.RoleApp).Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
		_, err = conn.Exec(t.Context(), "SELECT set_config('app.bypass_rls', 'on', false)")
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "SELECT * FROM tomkit.ledger_state($1)", mine)
		requireState(t, err, denied)
	})
}

func TestOpenRefusesWhatIsNotProtected(t *testing.T) {
	for name, sql := range map[string]string{
		"a grant of INSERT to the request login": "GRANT INSERT ON tomkit.audit_logs TO tomkit_app",
		"a grant of UPDATE to the system login":  "GRANT UPDATE ON tomkit.ledger_heads TO tomkit_system",
		"a grant of TRUNCATE to everybody":       "GRANT TRUNCATE ON tomkit.ledger_openings TO PUBLIC",
		"a disabled trigger":                     "ALTER TABLE tomkit.audit_logs DISABLE TRIGGER refuse_delete",
		"a trigger that replicas pass":           "ALTER TABLE tomkit.audit_logs ENABLE TRIGGER refuse_truncate",
		"row-level security that is not forced":  "ALTER TABLE tomkit.ledger_tiles NO FORCE ROW LEVEL SECURITY",
		"a table of another owner":               "ALTER TABLE tomkit.ledger_checkpoints OWNER TO tomkit_owner",
		"a missing table":                        "DROP TABLE tomkit.ledger_tiles",
		"an owner that can log in":               "ALTER ROLE tomkit_ledger LOGIN",
		"a foreign key that deletes along":       "CREATE TABLE public.x (id uuid PRIMARY KEY); ALTER TABLE tomkit.audit_logs ADD FOREIGN KEY (tenant_id) REFERENCES public.x ON DELETE CASCADE",
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			_, err := k.pg.Superuser(t).Exec(t.Context(), sql)
			require.NoError(t, err)
			if name == "an owner that can log in" { // roles belong to the server
				defer k.pg.Superuser(t).Exec(context.Background(), "ALTER ROLE tomkit_ledger NOLOGIN")
			}
			_, err = pgledger.Open(t.Context(), k.db, config())
			var failed *pgledger.SelfTestError
			require.ErrorAs(t, err, &failed)
			require.NotEmpty(t, failed.Findings)
		})
	}
}

func TestTheContextModeCanBeSwitchedWithALedgerInPlace(t *testing.T) {
	k := newKit(t)
	ctx, migrator := t.Context(), k.pg.URL(rls.RoleMigrator)
	policy := func() (text string) {
		require.NoError(t, k.pg.Superuser(t).QueryRow(ctx,
			`SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'tomkit.audit_logs'::regclass AND polname = 'tomkit_tenant'`).Scan(&text))
		return text
	}
	signed := policy()
	require.NoError(t, rls.UsePlainContextUnsafe(ctx, migrator))
	require.NotEqual(t, signed, policy())
	require.NoError(t, rls.UseSignedContext(ctx, migrator))
	require.Equal(t, signed, policy())
}
