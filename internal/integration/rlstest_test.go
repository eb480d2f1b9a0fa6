package integration_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/rlstest"
)

// known are functions that tell what they are for.
var known = map[string]string{
	"tomkit.tenant_by_slug": "it gives the id of a tenant to whoever knows its slug, for the sign-in",
	"tomkit.tenant_by_host": "it gives the id of a tenant to whoever knows its host, for the sign-in",
	"tomkit.msp_branding":   "its rows are MSPs', not tenants'",
}

// mostNotes is above the number of payloads that leave something on a session, and far below that of all payloads.
const mostNotes = 30

// TestGeneratedIsolation runs what rls/rlstest generates, directly and through PgBouncer.
func TestGeneratedIsolation(t *testing.T) {
	h := newHospital(t)
	t.Run("directly", func(t *testing.T) { generated(t, h.pg, h.pg) })
	t.Run("through PgBouncer", func(t *testing.T) {
		report := generated(t, h.pg, behindPgBouncer(t, h.pg))
		require.Less(t, len(report.Notes), mostNotes, "what a payload leaves on the pooler's session must be gone before the next, which proves nothing otherwise")
	})
}

func TestGeneratedIsolationOfTheReferenceSchema(t *testing.T) {
	pg := pgtest.New(t, server.Migrations()...)
	generated(t, pg, pg, rlstest.Matrix)
}

// generated runs the suites with logins that may lead through a pooler.
func generated(t *testing.T, pg, logins *pgtest.DB, parts ...rlstest.Part) rlstest.Report {
	t.Helper()
	return rlstest.Run(t, rlstest.Config{
		SuperuserURL: pg.SuperuserURL(), ContextKey: pgtest.ContextKey(), Parts: parts, Skip: known, Statements: 1_000,
		AppURL: unprepared(logins.URL(rls.RoleApp)), MSPURL: unprepared(logins.URL(rls.RoleMSP)), SystemURL: unprepared(logins.URL(rls.RoleSystem)),
	})
}

// unprepared keeps a client without scopes from preparing statements by name, which a pooler does not carry.
func unprepared(url string) string { return url + "&default_query_exec_mode=cache_describe" }
