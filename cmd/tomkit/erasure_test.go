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
	tomkit(t, "", "erasure", "export-person", "--tenant=a", "--person=nobody").failed(t, 2, "--person")
}

func TestErasureOnTheCommandLine(t *testing.T) {
	plain(t)
	db, _ := installed(t)
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
		tomkit(t, "", append([]string{"erasure", "export-person", "--output=" + file}, who...)...).failed(t, 2, "exists")
		other := tomkit(t, "", "erasure", "export-person", "--tenant=lab", "--person="+head.String()).done(t)
		require.NotContains(t, other, "head@ward.example")
		tomkit(t, "", "erasure", "export-person", "--tenant=nobody", "--person="+head.String()).failed(t, 2, "unknown")
	})
	t.Run("a person's erasure", func(t *testing.T) {
		out := tomkit(t, "", append([]string{"erasure", "erase-person", "--confirm=" + head.String()}, who...)...).done(t)
		require.Contains(t, out, "tomkit.users")
		require.Contains(t, out, "tomkit.ledger_openings")
		require.NotContains(t, out, "not complete")
		require.Zero(t, count(`SELECT count(*) FROM tomkit.ledger_openings WHERE subject = $1`, head))
		require.Zero(t, count(`SELECT count(*) FROM tomkit.users WHERE id = $1`, head))
		require.Equal(t, 1, count(`SELECT count(*) FROM tomkit.tickets WHERE requester_id IS NULL`))
	})
	t.Run("a tenant's holds", func(t *testing.T) {
		hold := func(args ...string) outcome { return tomkit(t, "", append([]string{"erasure", "hold"}, args...)...) }
		id := strings.Fields(hold("set", "--tenant=lab", "--reason=litigation-14", "--category=tickets", "--until=2099-01-31T00:00:00Z").done(t))[1]
		require.Regexp(t, `(?m)^`+id+` +litigation-14 +tickets +everybody +2099-01-31T00:00:00Z$`, hold("list", "--tenant=lab").done(t))
		require.NotContains(t, hold("list", "--tenant=ward").done(t), id)
		hold("set", "--tenant=lab", "--reason=Frau Müller").failed(t, 2, "hold")
		hold("release", "--tenant=ward", "--id="+id).failed(t, 2, "unknown")
		hold("release", "--tenant=lab", "--id="+id).done(t)
		hold("release", "--tenant=lab", "--id="+id).failed(t, 2, "unknown")
	})
	t.Run("a tenant's own period decides", func(t *testing.T) {
		set := func(period string) outcome {
			return tomkit(t, "", "erasure", "override", "set", "--tenant=ward", "--category=tickets", "--period="+period)
		}
		_, err := super.Exec(t.Context(), `UPDATE tomkit.tickets SET created_at = closed_at - interval '60 days', resolved_at = closed_at - interval '60 days', closed_at = closed_at - interval '60 days'`)
		require.NoError(t, err)
		set("P1D").failed(t, 2, "bounds")
		set("often").failed(t, 2, "period")
		set("P0D").failed(t, 2, "period")
		require.Contains(t, tomkit(t, "", "erasure", "plan").done(t), " 0 row(s)")
		set("P30D").done(t)
		require.Contains(t, tomkit(t, "", "erasure", "plan").done(t), " 1 row(s)")
		set("standard").done(t)
		require.Contains(t, tomkit(t, "", "erasure", "plan").done(t), " 0 row(s)")
	})
}
