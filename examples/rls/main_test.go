package main

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
	"github.com/pioneerdesk/tomkit/rls/rlstest"
)

func TestTenantsAreApart(t *testing.T) {
	db := pgtest.New(t, rls.Migrations())
	report, err := protect(t.Context(), db.SuperuserURL())
	require.NoError(t, err)
	findings := slices.DeleteFunc(report.Findings, func(f audit.Finding) bool {
		return f.Name == "server-vulnerable" // which speaks of the server that the test was given, not of the tables
	})
	require.Equal(t, report.Accepted(), findings) // no other
	rlstest.Run(t, rlstest.Config{SuperuserURL: db.SuperuserURL(), AppURL: db.URL(rls.RoleApp), ContextKey: pgtest.ContextKey()})
}
