package rlstest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/rlstest"
)

// checksPerTable are those of the matrix that every table has: nine verbs in four contexts.
const checksPerTable = 36

func TestReferenceSchema(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, server.Migrations()...)
	report := rlstest.Run(t, rlstest.Config{
		SuperuserURL: db.SuperuserURL(), AppURL: db.URL(rls.RoleApp), MSPURL: db.URL(rls.RoleMSP), SystemURL: db.URL(rls.RoleSystem),
		ContextKey: pgtest.ContextKey(),
		Skip: map[string]string{
			"tomkit.tenant_by_slug": "it gives the id of a tenant to whoever knows its slug, for the sign-in",
			"tomkit.msp_branding":   "its rows are MSPs', not tenants'",
			"tomkit.tenant_by_host": "it gives the id of a tenant to whoever knows its host, for the sign-in",
		},
	})
	require.GreaterOrEqual(t, report.Checks(rlstest.Matrix), checksPerTable*report.Tables)
	require.Empty(t, report.Faults())
	t.Logf("%d tables, %d checks", report.Tables, report.Checks(rlstest.Matrix))
}
