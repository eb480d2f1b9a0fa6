package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func TestRunWorksForEveryLoginAndLeavesNothingBehind(t *testing.T) {
	db := pgtest.New(t, rls.Migrations(), tenant.Migrations(), shop)
	_, err := db.Superuser(t).Exec(t.Context(), "CREATE POLICY leak ON shop.orders TO tomkit_app USING (true)")
	require.NoError(t, err)
	for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleBackup, rls.RoleMigrator} {
		t.Run(role, func(t *testing.T) {
			conn, err := pgx.Connect(t.Context(), db.URL(role))
			require.NoError(t, err)
			defer conn.Close(context.Background())
			var before, after string
			require.NoError(t, conn.QueryRow(t.Context(), "SHOW search_path").Scan(&before))
			r, err := audit.Run(t.Context(), conn, audit.Options{})
			require.NoError(t, err)
			require.Len(t, r.AtLeast(audit.Fatal), 1)
			require.Equal(t, "RLS201", r.AtLeast(audit.Fatal)[0].Rule)
			require.Equal(t, "DROP POLICY leak ON shop.orders;", r.AtLeast(audit.Fatal)[0].SQL)
			require.Equal(t, audit.Fatal, r.Max())
			require.Equal(t, []string{role, role}, []string{r.Server.Session, r.Server.Current})
			require.NoError(t, conn.QueryRow(t.Context(), "SHOW search_path").Scan(&after))
			require.Equal(t, before, after)
		})
	}
	t.Run("inside a transaction the search path comes back too", func(t *testing.T) {
		tx, err := db.Superuser(t).Begin(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Rollback(context.Background())) }()
		_, err = tx.Exec(t.Context(), "SET LOCAL search_path = shop, pg_catalog")
		require.NoError(t, err)
		_, err = audit.Run(t.Context(), tx, audit.Options{})
		require.NoError(t, err)
		var path string
		require.NoError(t, tx.QueryRow(t.Context(), "SHOW search_path").Scan(&path))
		require.Equal(t, "shop, pg_catalog", path)
	})
	t.Run("the gate refuses what the audit calls fatal, until it is accepted", func(t *testing.T) {
		open := func(o audit.Options) error {
			d, err := rls.Open(t.Context(), rls.Config{AppURL: db.URL(rls.RoleApp), ContextKey: pgtest.ContextKey(), Check: audit.Gate(o)})
			if err == nil {
				d.Close()
			}
			return err
		}
		err := open(audit.Options{})
		require.ErrorIs(t, err, audit.ErrRefused)
		require.ErrorIs(t, err, rls.ErrUnsafeLogin)
		require.ErrorContains(t, err, "RLS201 policy leak on shop.orders (constant-using)")
		require.NoError(t, open(audit.Options{Accept: []audit.Exception{{Rule: "RLS201", Object: "policy leak*", Reason: "a test"}}}))
	})
	t.Run("a connection that is gone is an error", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), db.URL(rls.RoleApp))
		require.NoError(t, err)
		require.NoError(t, conn.Close(t.Context()))
		_, err = audit.Run(t.Context(), conn, audit.Options{})
		require.ErrorContains(t, err, "audit: read catalogues")
	})
}

func TestExceptions(t *testing.T) {
	list, err := audit.ReadExceptions(strings.NewReader(`[{"rule": "RLS101", "object": "table a.b", "reason": "staging"}]`))
	require.NoError(t, err)
	require.Len(t, list, 1)
	for name, text := range map[string]string{
		"no JSON": `x`, "no list": `{}`, "an unknown field": `[{"rule": "RLS101", "object": "a", "reason": "b", "until": "c"}]`,
		"an unknown rule": `[{"rule": "RLS000", "object": "a", "reason": "b"}]`, "no reason": `[{"rule": "RLS101", "object": "a", "reason": " "}]`,
		"no object": `[{"rule": "RLS101", "reason": "b"}]`, "more than a list": `[] []`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := audit.ReadExceptions(strings.NewReader(text))
			require.ErrorIs(t, err, audit.ErrException)
		})
	}
}

// hostile is a report whose names try to break out of the formats.
func hostile() audit.Report {
	return audit.Report{
		Server: audit.Server{Version: "15.20", Database: "shop"}, RequestRoles: []string{"tomkit_app"}, Tables: 2, Rules: len(audit.Rules()),
		Findings: []audit.Finding{
			{Rule: "RLS201", Name: "constant-using", Severity: audit.Fatal, Object: "policy \"a`|\n# b\x1b[31m\" on shop.x", Detail: "USING `true`\r\n", SQL: "DROP POLICY x ON y;"},
			{Rule: "RLS023", Name: "bypass-login", Severity: audit.Warn, Object: "role tomkit_backup", Accepted: "dumps | all"},
		},
	}
}

func TestFormats(t *testing.T) {
	r := hostile()
	write := func(to func(*bytes.Buffer) error) string {
		var b bytes.Buffer
		require.NoError(t, to(&b))
		return b.String()
	}
	t.Run("text, in both languages, one line each and no control characters", func(t *testing.T) {
		en := write(func(b *bytes.Buffer) error { return r.Text(b, audit.English) })
		require.Contains(t, en, "FATAL   RLS201 policy \"a`| # b [31m\" on shop.x: A permissive policy is true for every row\n")
		require.Contains(t, en, "accepted: dumps | all")
		require.NotContains(t, en, "\x1b")
		de := write(func(b *bytes.Buffer) error { return r.Text(b, audit.German) })
		require.Contains(t, de, "Eine permissive Policy gilt für jede Zeile")
		require.Contains(t, de, "1 Befund(e), 1 akzeptiert")
	})
	t.Run("Markdown, in both languages, names escaped", func(t *testing.T) {
		md := write(func(b *bytes.Buffer) error { return r.Markdown(b, audit.German) })
		require.Contains(t, md, "### FATAL RLS201: policy \"a\\`\\| \\# b \\[31m\" on shop.x\n")
		require.Contains(t, md, "`` USING `true` ``")
		require.Contains(t, md, "| RLS023 | WARNUNG | role tomkit\\_backup |  | dumps \\| all |")
		require.Contains(t, write(func(b *bytes.Buffer) error { return audit.Report{}.Markdown(b, audit.English) }), "No finding.")
	})
	t.Run("JSON, read back", func(t *testing.T) {
		var have struct {
			audit.Report
			Max audit.Severity `json:"max"`
		}
		require.NoError(t, json.Unmarshal([]byte(write(func(b *bytes.Buffer) error { return r.JSON(b) })), &have))
		require.Equal(t, r, have.Report)
		require.Equal(t, audit.Fatal, have.Max)
		require.Contains(t, write(func(b *bytes.Buffer) error { return audit.Report{}.JSON(b) }), `"findings": []`)
	})
	t.Run("SARIF", func(t *testing.T) {
		requireSARIF(t, r, write(func(b *bytes.Buffer) error { return r.SARIF(b, audit.German) }))
	})
}

// requireSARIF checks what SARIF 2.1.0 demands beyond types: sections 3.13 (log), 3.14 (run), 3.19 (driver), 3.27 (result), 3.35 (suppression).
func requireSARIF(t *testing.T, r audit.Report, text string) {
	t.Helper()
	type message struct{ Text string }
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Language string
			Tool     struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID                                      string
						ShortDescription, FullDescription, Help message
						DefaultConfiguration                    struct{ Level string }
					}
				}
			}
			Results []struct {
				RuleID, Level string
				RuleIndex     int
				Message       message
				Locations     []struct {
					LogicalLocations []struct{ FullyQualifiedName, Kind string }
				}
				PartialFingerprints map[string]string
				Suppressions        []struct{ Kind, Justification string }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &log))
	require.Equal(t, "2.1.0", log.Version)
	require.Contains(t, log.Schema, "sarif-schema-2.1.0.json")
	require.Len(t, log.Runs, 1)
	run := log.Runs[0]
	require.Regexp(t, `^[a-z]{2}$`, run.Language)
	require.Len(t, run.Tool.Driver.Rules, len(audit.Rules()))
	levels := []string{"none", "note", "warning", "error"}
	for _, rule := range run.Tool.Driver.Rules {
		require.NotEmpty(t, rule.ShortDescription.Text)
		require.NotEmpty(t, rule.FullDescription.Text)
		require.NotEmpty(t, rule.Help.Text)
		require.Contains(t, levels, rule.DefaultConfiguration.Level)
	}
	require.Len(t, run.Results, len(r.Findings))
	for i, result := range run.Results {
		require.Equal(t, r.Findings[i].Rule, result.RuleID)
		require.Equal(t, result.RuleID, run.Tool.Driver.Rules[result.RuleIndex].ID)
		require.Contains(t, levels, result.Level)
		require.NotEmpty(t, result.Message.Text)
		require.NotEmpty(t, result.Locations[0].LogicalLocations[0].FullyQualifiedName)
		require.NotEmpty(t, result.PartialFingerprints)
		require.Equal(t, r.Findings[i].Accepted != "", len(result.Suppressions) == 1)
		for _, s := range result.Suppressions {
			require.Equal(t, "external", s.Kind)
			require.NotEmpty(t, s.Justification)
		}
	}
}
