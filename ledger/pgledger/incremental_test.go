package pgledger_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestVerifyingFromATrustedCheckpoint(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 700)
	trusted, err := k.log.Checkpoint(t.Context(), tenant)
	require.NoError(t, err)
	k.fill(t, tenant, 100)
	incremental := func() *verify.Report {
		report, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{From: trusted})
		require.NoError(t, err)
		return report
	}
	report := incremental()
	require.True(t, report.Intact(), "%+v", report.Findings)
	require.EqualValues(t, 512, report.From, "the last full bundle the checkpoint covers")
	k.tamper(t, `UPDATE tomkit.audit_logs SET entity_id = 'x' WHERE tenant_id = $1 AND seq = 750`, tenant)
	report = incremental()
	require.False(t, report.Intact())
	require.EqualValues(t, 750, report.Findings[0].First)
	k.tamper(t, `UPDATE tomkit.audit_logs SET leaf_hash = sha256('x') WHERE tenant_id = $1 AND seq = 600`, tenant)
	require.False(t, incremental().Intact(), "what the trusted root covers is still bound by it")
}
