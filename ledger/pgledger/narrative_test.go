package pgledger_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
)

// Every entry the log writes, its own among them, gives its sentence again: from what is stored, and from nothing else.
func TestStoredNarrativesAreRenderedAgain(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 20)
	page, err := k.log.Entries(t.Context(), tenant, ledger.Filter{})
	require.NoError(t, err)
	var s narrative.Summary
	for i := range page {
		s.Add(&page[i].Entry)
		text, err := narrative.Render(page[i].Details)
		require.NoError(t, err)
		require.Equal(t, page[i].Readable, narrative.Readable(text, func(c [32]byte) (string, bool) {
			for _, o := range page[i].Openings {
				if o.Commitment == c {
					return o.Value, true
				}
			}
			return "", false
		}))
	}
	require.Equal(t, narrative.Summary{Rendered: 21}, s)
}

// VerifyChain renders every sentence again on request. One that differs is named, whatever else is found.
func TestVerifyChainReportsNarrativesThatDiffer(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 20)
	var s narrative.Summary
	report, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Narratives: &s})
	require.NoError(t, err)
	require.True(t, report.Intact())
	require.Equal(t, narrative.Summary{Rendered: 21}, s)

	k.tamper(t, `UPDATE tomkit.audit_logs SET nis2_narrative = nis2_narrative || '!' WHERE tenant_id = $1 AND seq = 7`, tenant)
	s = narrative.Summary{}
	requireBrokenAt(t, k.log, tenant, 7, pgledger.VerifyOptions{Narratives: &s})
	require.Len(t, s.Faults, 1)
	require.EqualValues(t, 7, s.Faults[0].Seq)
	require.Equal(t, narrative.Differs, s.Faults[0].Status)
}
