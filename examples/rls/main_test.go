package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/rlstest"
)

func TestTenantsAreApart(t *testing.T) {
	db := pgtest.New(t, rls.Migrations())
	report, err := protect(t.Context(), db.SuperuserURL())
	require.NoError(t, err)
	require.Equal(t, report.Accepted(), report.Findings) // no other
	rlstest.Run(t, rlstest.Config{SuperuserURL: db.SuperuserURL(), AppURL: db.URL(rls.RoleApp), ContextKey: pgtest.ContextKey()})
}
