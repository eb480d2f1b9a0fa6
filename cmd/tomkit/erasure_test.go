package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
)

func TestTheRecordOfProcessingIsPrinted(t *testing.T) {
	plain(t)
	german := tomkit(t, "", "erasure", "record", "--controller=Klinik GmbH").done(t)
	require.Contains(t, german, "Verzeichnis von Verarbeitungstätigkeiten")
	require.Contains(t, german, "Klinik GmbH")
	english := tomkit(t, "", "erasure", "record", "--lang=en", "--format=json").done(t)
	require.True(t, json.Valid([]byte(english)))
	require.Contains(t, english, `"language": "en"`)
	tomkit(t, "", "erasure", "record", "--lang=fr").failed(t, 2, "--lang")
	tomkit(t, "", "erasure", "plan").failed(t, 2, "--data")
	tomkit(t, "", "erasure", "delete-tenant").failed(t, 2, "--confirm")
	tomkit(t, "", "erasure", "export-person", "--tenant=a", "--person=nobody").failed(t, 2, "--person")
}

func TestErasureOnTheCommandLine(t *testing.T) {
	plain(t)
	db := pgtest.New(t, server.Migrations()...)
	t.Setenv("TOMKIT_DATA", t.TempDir())
	for name, role := range map[string]string{"": rls.RoleApp, "MSP_": rls.RoleMSP, "SYSTEM_": rls.RoleSystem, "MIGRATOR_": rls.RoleMigrator} {
		t.Setenv("TOMKIT_DATABASE_"+name+"URL", db.URL(role))
	}
	tomkit(t, secretWord+"\n", "admin", "bootstrap", "--slug=op", "--name=Op", "--email=ops@op.example").done(t)
	tomkit(t, "", "admin", "msp", "--slug=house", "--name=House").done(t)
	for _, slug := range []string{"ward", "lab"} {
		tomkit(t, secretWord+"\n", "admin", "tenant", "--msp=house", "--slug="+slug, "--name=X", "--email=head@"+slug+".example").done(t)
	}
	super := db.Superuser(t)
	count := func(sql string, args ...any) (n int) {
		require.NoError(t, super.QueryRow(context.Background(), sql, args...).Scan(&n))
		return n
	}
	var ward, head uuid.UUID
	require.NoError(t, super.QueryRow(t.Context(), `SELECT tenant_id, id FROM tomkit.users WHERE email = 'head@ward.example'`).Scan(&ward, &head))
	for i, age := range []string{"4 years", "1 day"} {
		_, err := super.Exec(t.Context(), `INSERT INTO tomkit.tickets (tenant_id, title, status, requester_id, created_at, resolved_at, closed_at)
			VALUES ($1, 'x', 'closed', $2, now() - $3::text::interval, now() - $3::text::interval, now() - $3::text::interval)`, ward, head, age)
		require.NoError(t, err, i)
	}

	require.Contains(t, tomkit(t, "", "erasure", "plan").done(t), "3 tenant(s), 1 row(s) would be deleted")
	require.Equal(t, 2, count(`SELECT count(*) FROM tomkit.tickets`))
	require.Contains(t, tomkit(t, "", "erasure", "run").done(t), "1 row(s) deleted")
	require.Equal(t, 1, count(`SELECT count(*) FROM tomkit.tickets`))

	who := []string{"--tenant=ward", "--person=" + head.String()}
	t.Run("a person's export", func(t *testing.T) {
		out := tomkit(t, "", append([]string{"erasure", "export-person"}, who...)...).done(t)
		require.True(t, json.Valid([]byte(out)), out)
		require.Contains(t, out, "head@ward.example")
		require.NotContains(t, out, "argon2")
		file := filepath.Join(t.TempDir(), "export.json")
		tomkit(t, "", append([]string{"erasure", "export-person", "--output=" + file}, who...)...).done(t)
		written, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, json.Valid(written))
		tomkit(t, "", append([]string{"erasure", "export-person", "--output=" + file}, who...)...).failed(t, 1, "exists")
		other := tomkit(t, "", "erasure", "export-person", "--tenant=lab", "--person="+head.String()).done(t)
		require.NotContains(t, other, "head@ward.example")
		tomkit(t, "", "erasure", "export-person", "--tenant=nobody", "--person="+head.String()).failed(t, 2, "unknown")
	})
	t.Run("a person's erasure", func(t *testing.T) {
		out := tomkit(t, "", append([]string{"erasure", "erase-person"}, who...)...).done(t)
		require.Contains(t, out, "tomkit.users")
		require.NotContains(t, out, "not complete")
		require.Zero(t, count(`SELECT count(*) FROM tomkit.users WHERE id = $1`, head))
		require.Equal(t, 1, count(`SELECT count(*) FROM tomkit.tickets WHERE requester_id IS NULL`))
	})
	t.Run("a tenant's deletion", func(t *testing.T) {
		require.Contains(t, tomkit(t, "", "erasure", "delete-tenant", "--confirm=ward", "--dry-run").done(t), "nothing was changed")
		require.Equal(t, 1, count(`SELECT count(*) FROM tomkit.tenants WHERE id = $1`, ward))
		require.Contains(t, tomkit(t, "", "erasure", "delete-tenant", "--confirm=ward").done(t), "done")
		require.Zero(t, count(`SELECT count(*) FROM tomkit.tenants WHERE id = $1`, ward))
		require.Positive(t, count(`SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1`, ward))
		require.Equal(t, 2, count(`SELECT count(*) FROM tomkit.audit_logs WHERE action LIKE 'tenant_eras%'`))
		require.Equal(t, 1, strings.Count(tomkit(t, "", "erasure", "jobs").done(t), "ward"))
		require.NotContains(t, tomkit(t, "", "erasure", "jobs", "--resume").done(t), "ward")
		tomkit(t, "", "erasure", "delete-tenant", "--confirm=ward").failed(t, 2, "unknown")
		tomkit(t, "", "erasure", "delete-tenant", "--confirm=op").failed(t, 2, "operator")
	})
}
