package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

// ticket makes a ticket that was closed that many years ago.
func (k *kit) ticket(t *testing.T, p *person, years int) {
	t.Helper()
	_, err := k.super.Exec(t.Context(), `INSERT INTO tomkit.tickets (tenant_id, title, status, requester_id, created_at, resolved_at, closed_at)
		SELECT $1, 'x', 'closed', $2, at, at, at FROM (SELECT now() - make_interval(years => $3)) x (at)`, p.tenant, p.user, years)
	require.NoError(t, err)
}

// exposes reports whether the metrics have the line.
func (k *kit) exposes(line string) bool {
	w := httptest.NewRecorder()
	k.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return strings.Contains(w.Body.String(), line+"\n")
}

func TestARunningServerAppliesRetention(t *testing.T) {
	k := open(t, func(c *server.Config) { c.RetentionEvery = 20 * time.Millisecond })
	ward := k.somebody(t, k.tenant(t, "ward"), abac.TenantAdmin)
	k.ticket(t, ward, 4)
	k.ticket(t, ward, 1)
	newest := time.Now().UTC().AddDate(0, 0, 1-time.Now().UTC().Day()).AddDate(0, 6, 0).Format("device_events_2006_01")
	_, err := k.super.Exec(t.Context(), `DROP TABLE tomkit.`+newest)
	require.NoError(t, err)
	k.serve(t)
	require.Eventually(t, func() bool {
		return k.count(t, `SELECT count(*) FROM tomkit.tickets`) == 1 && k.count(t, `SELECT count(to_regclass('tomkit.' || $1))`, newest) == 1
	}, time.Minute, 5*time.Millisecond)
	require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'retention_applied'`, ward.tenant))
	require.Eventually(t, func() bool { return k.exposes(`tomkit_retention_rows_total{action="delete",category="tickets"} 1`) }, time.Minute, 5*time.Millisecond)
	t.Run("and again at every interval", func(t *testing.T) {
		k.ticket(t, ward, 5)
		require.Eventually(t, func() bool { return k.count(t, `SELECT count(*) FROM tomkit.tickets`) == 1 }, time.Minute, 5*time.Millisecond)
		require.Eventually(t, func() bool { return k.exposes(`tomkit_retention_rows_total{action="delete",category="tickets"} 2`) }, time.Minute, 5*time.Millisecond)
	})
}

// TestARunningServerGoesOnWithDeletions kills a deletion after its first transaction.
func TestARunningServerGoesOnWithDeletions(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	k.ticket(t, k.somebody(t, ward, abac.TenantAdmin), 1)
	ctx, kill := context.WithCancel(t.Context())
	eraser, err := k.Eraser(func(int64) { kill() })
	require.NoError(t, err)
	_, err = eraser.DeleteTenant(ctx, erasure.Deletion{Tenant: ward, Confirm: "ward", Reason: "contract_ended"})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.tenants WHERE id = $1`, ward))
	k.serve(t)
	require.Eventually(t, func() bool { return k.count(t, `SELECT count(*) FROM tomkit.erasure_jobs WHERE step = 'done'`) == 1 }, time.Minute, 5*time.Millisecond)
	require.NoError(t, eraser.ProveErased(t.Context(), ward))
	t.Run("both logs end with it", func(t *testing.T) {
		for log, action := range map[uuid.UUID]string{ward: "tenant_deleted", k.db.Operator(t): "tenant_erased"} {
			require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = $2 AND entity_id = $3`, log, action, ward.String()))
		}
	})
}
