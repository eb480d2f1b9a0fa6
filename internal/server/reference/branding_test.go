package reference_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// brands lists what a scope sees.
func brands(t *testing.T, s rls.Scope) []string {
	t.Helper()
	rows, err := s.Query(t.Context(), "SELECT product_name FROM tomkit.msp_branding")
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return names
}

func TestAnMSPShowsItselfToItsTenants(t *testing.T) {
	k := newKit(t)
	require.NoError(t, k.system(t, func(ctx context.Context, tx *rls.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tomkit.msp_branding (msp_id, product_name) VALUES ($1, 'Nordlicht'), ($2, 'Südstern')`, k.ward.msp, k.lab.msp)
		return err
	}))
	north, south := []string{"Nordlicht"}, []string{"Südstern"}
	require.Equal(t, north, brands(t, k.ward.Scope))
	require.Equal(t, south, brands(t, k.lab.Scope))
	require.Equal(t, north, brands(t, k.db.MSP(k.ward.msp)))
	require.Equal(t, south, brands(t, k.db.MSP(k.lab.msp)))
	require.Empty(t, brands(t, k.db.Anonymous()))
	require.Empty(t, brands(t, k.db.Tenant(k.ward.msp)), "an MSP's id is no tenant's")
	require.Empty(t, brands(t, k.db.MSP(k.ward.tenant)))
	t.Run("nobody but the system writes", func(t *testing.T) {
		for _, s := range []rls.Scope{k.ward.Scope, k.db.MSP(k.ward.msp)} {
			for _, sql := range []string{"UPDATE tomkit.msp_branding SET product_name = 'x'", "DELETE FROM tomkit.msp_branding",
				"INSERT INTO tomkit.msp_branding (msp_id, product_name) VALUES (gen_random_uuid(), 'x')"} {
				_, err := s.Exec(t.Context(), sql)
				requireCode(t, denied, err)
			}
		}
	})
	t.Run("a tenant that moves sees the new MSP's", func(t *testing.T) {
		require.NoError(t, k.system(t, func(ctx context.Context, tx *rls.Tx) error {
			_, err := tenant.Move(ctx, tx, k.ward.tenant, k.lab.msp)
			return err
		}))
		require.Equal(t, south, brands(t, k.ward.Scope))
	})
	t.Run("it goes with its MSP", func(t *testing.T) {
		require.NoError(t, k.system(t, func(ctx context.Context, tx *rls.Tx) error { return tenant.DeleteMSP(ctx, tx, k.ward.msp) }))
		require.Equal(t, south, k.list(t, "SELECT product_name FROM tomkit.msp_branding"))
	})
}

func TestSuspensionEndsSessionsOfTheTenantAndOfAllUnderTheMSP(t *testing.T) {
	k := newKit(t)
	active := func(s side) (on bool) {
		require.NoError(t, s.QueryRow(t.Context(), "SELECT tomkit.tenant_active()").Scan(&on)) // what every session is checked against
		return on
	}
	change := func(fn func(context.Context, *rls.Tx) error) { require.NoError(t, k.system(t, fn)) }
	require.True(t, active(k.ward))
	change(func(ctx context.Context, tx *rls.Tx) error {
		return tenant.SetStatus(ctx, tx, k.ward.tenant, tenant.Suspended)
	})
	require.False(t, active(k.ward))
	require.True(t, active(k.lab))
	_, err := tenant.Get(t.Context(), k.db.MSP(k.ward.msp), k.ward.tenant)
	require.NoError(t, err, "its MSP looks after it")
	change(func(ctx context.Context, tx *rls.Tx) error {
		return tenant.SetStatus(ctx, tx, k.ward.tenant, tenant.Active)
	})
	change(func(ctx context.Context, tx *rls.Tx) error {
		return tenant.SetMSPStatus(ctx, tx, k.ward.msp, tenant.Suspended)
	})
	require.False(t, active(k.ward))
	for _, table := range []string{"tenants", "users", "devices", "audit_logs", "tickets"} {
		var n int
		require.NoError(t, k.db.MSP(k.ward.msp).QueryRow(t.Context(), "SELECT count(*) FROM tomkit."+table).Scan(&n))
		require.Zero(t, n, "a suspended MSP sees nothing of %s", table)
	}
	change(func(ctx context.Context, tx *rls.Tx) error {
		_, err := tenant.Move(ctx, tx, k.ward.tenant, k.lab.msp)
		return err
	})
	require.True(t, active(k.ward), "a move is the way back")
}
