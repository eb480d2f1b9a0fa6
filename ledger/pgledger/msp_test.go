package pgledger_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func TestAnMSPReadsItsTenantsLogs(t *testing.T) {
	pg := pgtest.New(t, rls.Migrations(), tenant.Migrations(), pgledger.Migrations())
	k := kit{pg: pg, db: pg.Open(t)}
	k.log = k.open(t, config())
	north, south := pg.TenantUnder(t, "north", "ward"), pg.TenantUnder(t, "south", "lab")
	k.fill(t, north, 4)
	k.fill(t, south, 7)
	count := func(msp uuid.UUID) (n int) {
		require.NoError(t, k.db.MSP(msp).QueryRow(t.Context(), `SELECT count(*) FROM tomkit.audit_logs`).Scan(&n))
		return n
	}
	require.Equal(t, 5, count(pg.MSP(t, "north")))
	require.Equal(t, 8, count(pg.MSP(t, "south")))
	require.Zero(t, count(uuid.New()))
	_, err := k.db.MSP(pg.MSP(t, "north")).Exec(t.Context(), `SELECT * FROM tomkit.ledger_state($1)`, north)
	requireState(t, err, denied)

	t.Run("and deleting a tenant leaves its log", func(t *testing.T) {
		_, err := pg.Superuser(t).Exec(t.Context(), `DELETE FROM tomkit.tenants WHERE id = $1`, south)
		require.NoError(t, err)
		requireIntact(t, k.log, south, 8)
	})
}
