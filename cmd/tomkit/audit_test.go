package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func TestAuditPrintsItsRules(t *testing.T) {
	plain(t)
	list := tomkit(t, "", "audit", "--list").done(t)
	require.Equal(t, len(audit.Rules()), strings.Count(list, "\n"))
	require.Contains(t, tomkit(t, "", "audit", "--list", "--lang=de").done(t), "Eine Anfragerolle ist Superuser")
	explained := tomkit(t, "", "audit", "--explain", "rls301").done(t)
	require.Contains(t, explained, "TRUNCATE knows no policies")
	require.Contains(t, explained, "REVOKE TRUNCATE ON {1} FROM {2};")
	tomkit(t, "", "audit", "--explain=RLS000").failed(t, 2, "no rule RLS000")
}

func TestAuditCommandLinesThatCannotBeUsed(t *testing.T) {
	plain(t)
	tomkit(t, "", "audit").failed(t, 2, "TOMKIT_DATABASE_URL")
	tomkit(t, "", "audit", "--login=superuser").failed(t, 2, "TOMKIT_DATABASE_SUPERUSER_URL")
	tomkit(t, "", "audit", "--format=pdf").failed(t, 2, "--format")
	tomkit(t, "", "audit", "--accept=/nonexistent").failed(t, 2, "no such file")
	bad := filepath.Join(t.TempDir(), "accept.json")
	require.NoError(t, os.WriteFile(bad, []byte(`[{"rule":"RLS101"}]`), 0o600))
	tomkit(t, "", "audit", "--accept", bad).failed(t, 2, "object and reason are needed")
	t.Setenv("TOMKIT_DATABASE_URL", "postgres://tomkit_app:"+leak+"@[::1")
	tomkit(t, "", "audit").failed(t, 2, "malformed")
	t.Setenv("TOMKIT_DATABASE_URL", "postgres://tomkit_app:"+leak+"@127.0.0.1:1/x")
	tomkit(t, "", "audit").failed(t, 1, "connect")
}

func TestAuditJudgesADatabase(t *testing.T) {
	plain(t)
	db := pgtest.New(t, rls.Migrations(), tenant.Migrations())
	t.Setenv("TOMKIT_DATABASE_URL", db.URL(rls.RoleApp))
	t.Setenv("TOMKIT_DATABASE_SUPERUSER_URL", db.SuperuserURL())
	clean := tomkit(t, "", "audit", "--fail-on=fatal").done(t)
	require.Contains(t, clean, "accepted: a dump under row-level security would be empty")
	_, err := db.Superuser(t).Exec(t.Context(), "CREATE POLICY leak ON tomkit.tenants TO tomkit_app USING (true)")
	require.NoError(t, err)

	o := tomkit(t, "", "audit")
	require.Equal(t, 1, o.code)
	require.Contains(t, o.out, "FATAL   RLS201 policy leak on tomkit.tenants")
	require.Regexp(t, `\b[12] finding\(s\) of severity error or higher`, o.err) // the second is a server whose minor release is outdated
	tomkit(t, "", "audit", "--fail-on=never").done(t)
	require.Equal(t, 1, tomkit(t, "", "audit", "--login=superuser", "--role=tomkit_app", "--tenant-column=tenant_id").code)
	t.Run("an accepted finding does not fail", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "accept.json")
		require.NoError(t, os.WriteFile(file, []byte(`[{"rule":"RLS201","object":"policy leak on tomkit.tenants","reason":"a test"}]`), 0o600))
		require.Contains(t, tomkit(t, "", "audit", "--accept", file, "--fail-on=fatal").done(t), "accepted: a test")
	})
	t.Run("every form is written to a file", func(t *testing.T) {
		for format, want := range map[string]string{"json": `"max": "fatal"`, "sarif": `"version": "2.1.0"`, "markdown": "# Prüfung der Mandantentrennung", "text": "Eine permissive Policy"} {
			file := filepath.Join(t.TempDir(), "report")
			require.Empty(t, tomkit(t, "", "audit", "--fail-on=never", "--lang=de", "--format", format, "--output", file).done(t))
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, string(text), want)
			if format == "json" || format == "sarif" {
				require.True(t, json.Valid(text))
			}
		}
	})
}
