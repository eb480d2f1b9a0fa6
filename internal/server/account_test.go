package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// accessed is what an entry of the operator's log says about one purpose in one minute.
type accessed struct {
	Reason   string `json:"-"`
	Sentence string `json:"-"`
	From     time.Time
	Until    time.Time
	Count    int
	Failed   int
	Longest  int `json:"longest_ms"`
}

// accesses reads the entries of the operator's log about a purpose, or all of them.
func (k *kit) accesses(t *testing.T, operator uuid.UUID, reason rls.Reason) (found []accessed) {
	t.Helper()
	entries, err := k.Ledger.Entries(t.Context(), operator, ledger.Filter{Action: "system_access", Limit: 1000})
	require.NoError(t, err)
	for i := range entries {
		e := &entries[i]
		if reason != "" && e.EntityID != string(reason) {
			continue
		}
		a := accessed{Reason: e.EntityID, Sentence: e.Narrative}
		require.NoError(t, json.Unmarshal(e.Details, &a))
		found = append(found, a)
	}
	return found
}

func (k *kit) bootstrap(t *testing.T) (operator uuid.UUID) {
	t.Helper()
	operator, _, err := k.Bootstrap(t.Context(), tenant.New{Slug: "operator", Name: "Operator"}, server.Person{Email: "ops@operator.example", Password: secretWord})
	require.NoError(t, err)
	return operator
}

func TestSystemScopesAreAccountedFor(t *testing.T) {
	k := open(t)
	_, err := k.FindMSP(t.Context(), "house")
	require.ErrorIs(t, err, tenant.ErrUnknown)
	t.Run("what happens before there is an operator is kept and logged", func(t *testing.T) {
		require.ErrorContains(t, k.FlushAccounts(t.Context()), "no operator")
		require.Contains(t, k.log.String(), "kept until they can be stored")
	})
	operator := k.bootstrap(t)
	var seen int
	// told returns what the entries say about a purpose that were written since the last call; a minute may have ended.
	told := func(t *testing.T, reason rls.Reason) (count, failed int) {
		require.NoError(t, k.FlushAccounts(t.Context()))
		all := k.accesses(t, operator, "")
		for _, a := range all[seen:] {
			require.LessOrEqual(t, a.Until.Sub(a.From), time.Minute)
			require.Contains(t, a.Sentence, "Systemzugriff mit dem Zweck "+a.Reason+" wurde bis "+a.Until.UTC().Format(time.RFC3339)+" innerhalb von ")
			require.Contains(t, a.Sentence, fmt.Sprintf(" %d Mal genutzt.", a.Count))
			if a.Reason == string(reason) {
				count += a.Count
				failed += a.Failed
			}
		}
		seen = len(all)
		return count, failed
	}
	t.Run("entries say how often each purpose was used, and how often in vain", func(t *testing.T) {
		count, failed := told(t, "onboard")
		require.Equal(t, []int{2, 1}, []int{count, failed}, "one in vain, and the bootstrap's")
		for range 30 {
			_, err := k.FindMSP(t.Context(), "house")
			require.ErrorIs(t, err, tenant.ErrUnknown)
		}
		entries := seen
		count, failed = told(t, "onboard")
		require.Equal(t, []int{30, 30}, []int{count, failed})
		require.LessOrEqual(t, seen-entries, 6, "not one entry for each")
		_, err := k.CreateMSP(t.Context(), tenant.New{Slug: "house", Name: "House"})
		require.NoError(t, err)
		count, failed = told(t, "onboard")
		require.Equal(t, []int{1, 0}, []int{count, failed})
	})
	t.Run("its own scopes are told with the others and cause no entry", func(t *testing.T) {
		before := seen
		for range 5 {
			count, _ := told(t, "system_accounting")
			require.Zero(t, count)
		}
		require.Equal(t, before, seen)
		_, err := k.FindMSP(t.Context(), "house")
		require.NoError(t, err)
		count, _ := told(t, "system_accounting")
		require.Equal(t, 1, count)
	})
	t.Run("the operator's log is intact", func(t *testing.T) {
		report, err := k.Ledger.VerifyChain(t.Context(), operator, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.True(t, report.Intact(), "%+v", report.Findings)
	})
	t.Run("no tenant's log has such an entry", func(t *testing.T) {
		require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE action = 'system_access' AND tenant_id <> $1`, operator))
	})
}

func TestTheLastAccountsAreStored(t *testing.T) {
	t.Run("when serving ends", func(t *testing.T) {
		k := open(t)
		operator := k.bootstrap(t)
		require.NoError(t, k.Listen(t.Context()))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- k.Run(ctx) }()
		_, err := k.FindMSP(t.Context(), "house")
		require.ErrorIs(t, err, tenant.ErrUnknown)
		require.Empty(t, k.accesses(t, operator, ""))
		stop()
		require.NoError(t, <-ended)
		require.NotEmpty(t, k.accesses(t, operator, "onboard"))
	})
	t.Run("when a command that served nothing closes the server", func(t *testing.T) {
		k := open(t)
		operator := k.bootstrap(t)
		require.NoError(t, k.Close(t.Context()))
		require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND entity_id = 'onboard'`, operator))
	})
	t.Run("and without an operator serving ends in order", func(t *testing.T) {
		k := open(t)
		k.serve(t) // requires at its end that Run returned nil
		_, err := k.FindMSP(t.Context(), "house")
		require.ErrorIs(t, err, tenant.ErrUnknown)
	})
}

func TestMetricsShowThePools(t *testing.T) {
	k := open(t)
	w := httptest.NewRecorder()
	k.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, login := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
		for _, name := range []string{"connections_max", "connections_acquired", "waits_total", "wait_seconds_total"} {
			require.Contains(t, w.Body.String(), "tomkit_database_"+name+`{login="`+login+`"} `)
		}
	}
}

func TestServesThroughAPooler(t *testing.T) {
	k := open(t)
	pooler := k.db.PgBouncer(t, nil)
	through := open(t, func(c *server.Config) {
		c.AppURL, c.MSPURL, c.SystemURL = pooler.URL(rls.RoleApp), pooler.URL(rls.RoleMSP), pooler.URL(rls.RoleSystem)
		c.MigratorURL, c.DataDir = k.db.URL(rls.RoleMigrator), k.dir
	})
	require.Contains(t, through.log.String(), "through a pooler")
	operator := through.bootstrap(t)
	require.NoError(t, through.FlushAccounts(t.Context()))
	require.NotEmpty(t, through.accesses(t, operator, "onboard"))
	report, err := through.Ledger.VerifyChain(t.Context(), operator, pgledger.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, report.Intact(), "%+v", report.Findings)
}
