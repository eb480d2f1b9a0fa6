package server_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
)

// TestTheServerRefusesADatabaseThatDoesNotKeepTenantsApart breaks the isolation of one table and starts a server on it.
func TestTheServerRefusesADatabaseThatDoesNotKeepTenantsApart(t *testing.T) {
	for name, c := range map[string]struct{ sql, rule, object string }{
		"a policy across tenants": {"CREATE POLICY leak ON tomkit.devices TO tomkit_app USING (true)", "RLS201", "policy leak on tomkit.devices"},
		"a table without FORCE":   {"ALTER TABLE tomkit.devices NO FORCE ROW LEVEL SECURITY", "RLS102", "table tomkit.devices"},
	} {
		t.Run(name, func(t *testing.T) {
			db := pgtest.New(t, server.Migrations()...)
			_, err := db.Superuser(t).Exec(t.Context(), c.sql)
			require.NoError(t, err)
			_, err = server.Open(t.Context(), server.Config{
				AppURL: db.URL(rls.RoleApp), MSPURL: db.URL(rls.RoleMSP), SystemURL: db.URL(rls.RoleSystem), MigratorURL: db.URL(rls.RoleMigrator),
				DataDir: t.TempDir(),
			})
			require.ErrorIs(t, err, audit.ErrRefused)
			require.True(t, server.IsConfiguration(err))
			require.ErrorContains(t, err, c.rule+" "+c.object)
			var refused *audit.GateError
			require.ErrorAs(t, err, &refused)
			require.Len(t, refused.Findings, 1)
			_, err = db.Superuser(t).Exec(t.Context(), "DROP POLICY IF EXISTS leak ON tomkit.devices; ALTER TABLE tomkit.devices FORCE ROW LEVEL SECURITY")
			require.NoError(t, err)
			s, err := server.Open(t.Context(), server.Config{
				AppURL: db.URL(rls.RoleApp), MSPURL: db.URL(rls.RoleMSP), SystemURL: db.URL(rls.RoleSystem), MigratorURL: db.URL(rls.RoleMigrator),
				DataDir: t.TempDir(),
			})
			require.NoError(t, err)
			require.NoError(t, s.Close(context.Background()))
		})
	}
}
