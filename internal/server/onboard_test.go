package server_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func TestBootstrapWorksOnce(t *testing.T) {
	k := open(t)
	admin := server.Person{Email: "ops@operator.example", Name: "Ops", Password: secretWord}
	t.Run("what goes wrong before anybody can sign in does not count", func(t *testing.T) {
		for _, bad := range []server.Person{{Email: "no address", Password: secretWord}, {Email: admin.Email, Password: strings.Repeat("x", 2000)}, {Email: admin.Email, Name: "a\x00b", Password: secretWord}} {
			_, secret, err := k.Bootstrap(t.Context(), tenant.New{Slug: "operator", Name: "Operator"}, bad)
			require.Error(t, err)
			require.False(t, errors.Is(err, server.ErrBootstrapped), err)
			require.Nil(t, secret)
			require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.users`))
		}
	})
	t.Run("of eight at once one makes the superadmin", func(t *testing.T) {
		const racers = 8
		var wg sync.WaitGroup
		errs := make([]error, racers)
		for i := range racers {
			wg.Go(func() {
				who := admin
				who.Email = fmt.Sprintf("ops%d@operator.example", i)
				_, _, errs[i] = k.Bootstrap(t.Context(), tenant.New{Slug: "operator", Name: "Operator"}, who)
			})
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			require.ErrorIs(t, err, server.ErrBootstrapped)
		}
		require.Equal(t, 1, made)
		require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.users`))
	})
	t.Run("a second one is refused, whatever it is called", func(t *testing.T) {
		for _, slug := range []string{"operator", "another"} {
			_, _, err := k.Bootstrap(t.Context(), tenant.New{Slug: slug, Name: "Another"}, server.Person{Email: "thief@operator.example", Password: secretWord})
			require.ErrorIs(t, err, server.ErrBootstrapped)
		}
		require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.users`))
		require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.tenants`))
	})
	require.NotContains(t, k.log.String(), secretWord)
}

func TestOnboardingIsRecordedAndCanBeFinished(t *testing.T) {
	k := open(t)
	operator, _, err := k.Bootstrap(t.Context(), tenant.New{Slug: "operator", Name: "Operator"}, server.Person{Email: "ops@operator.example", Password: secretWord})
	require.NoError(t, err)
	house, err := k.CreateMSP(t.Context(), tenant.New{Slug: "house", Name: "House"})
	require.NoError(t, err)
	other, err := k.CreateMSP(t.Context(), tenant.New{Slug: "other", Name: "Other"})
	require.NoError(t, err)
	require.Equal(t, 2, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'msp_created'`, operator))

	id, err := k.CreateTenant(t.Context(), house, tenant.New{Slug: "ward", Name: "Ward"})
	require.NoError(t, err)
	require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'tenant_created'`, id))
	require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.roles WHERE tenant_id = $1 AND name = $2`, id, abac.Superadmin), "a tenant's administrator could grant the operator's role")

	t.Run("an address that is none leaves no half a person", func(t *testing.T) {
		_, _, err := k.AddPerson(t.Context(), id, server.Person{Email: "none", Password: secretWord, Role: abac.TenantAdmin})
		require.ErrorIs(t, err, authn.ErrEmail)
		_, _, err = k.AddPerson(t.Context(), id, server.Person{Email: "a@ward.example", Password: secretWord, Role: abac.Superadmin})
		require.Error(t, err)
		require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.users WHERE tenant_id = $1`, id))
	})
	t.Run("the same again finishes it", func(t *testing.T) {
		again, err := k.CreateTenant(t.Context(), house, tenant.New{Slug: "ward", Name: "Ward"})
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
	t.Run("another provider does not get it", func(t *testing.T) {
		_, err := k.CreateTenant(t.Context(), other, tenant.New{Slug: "ward", Name: "Ward"})
		require.ErrorIs(t, err, tenant.ErrTaken)
	})
	t.Run("with people in it, it is taken", func(t *testing.T) {
		_, secret, err := k.AddPerson(t.Context(), id, server.Person{Email: "head@ward.example", Password: secretWord, Role: abac.TenantAdmin})
		require.NoError(t, err)
		require.NotEmpty(t, secret)
		_, err = k.CreateTenant(t.Context(), house, tenant.New{Slug: "ward", Name: "Ward"})
		require.ErrorIs(t, err, tenant.ErrTaken)
	})
	t.Run("the operator's own slug is not up for grabs", func(t *testing.T) {
		_, err := k.CreateTenant(t.Context(), house, tenant.New{Slug: "operator", Name: "Operator"})
		require.ErrorIs(t, err, tenant.ErrTaken)
	})
	t.Run("a provider that does not exist", func(t *testing.T) {
		_, err := k.FindMSP(t.Context(), "nobody")
		require.ErrorIs(t, err, tenant.ErrUnknown)
		_, err = k.CreateTenant(t.Context(), uuid.New(), tenant.New{Slug: "lost", Name: "Lost"})
		require.ErrorIs(t, err, tenant.ErrNoParent)
	})
}
