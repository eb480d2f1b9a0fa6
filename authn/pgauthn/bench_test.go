package pgauthn_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

// BenchmarkRevoked asks what every request asks, in a tenant with 10,000 sessions.
func BenchmarkRevoked(b *testing.B) {
	db := pgtest.New(b, rls.Migrations(), tenant.Migrations(), pgauthn.Migrations())
	ring, err := seal.New(seal.Config{Active: seal.Key{Bytes: []byte("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk")}})
	require.NoError(b, err)
	codes, err := totp.New(totp.Config{})
	require.NoError(b, err)
	store, err := pgauthn.New(pgauthn.Config{DB: db.Open(b), Record: &recorder{}, Seal: ring, Passwords: hasher{}, Codes: codes})
	require.NoError(b, err)
	ward, session := db.Tenant(b, "ward"), uuid.New()
	_, err = db.Superuser(b).Exec(b.Context(), `WITH r AS (
			INSERT INTO tomkit.roles (tenant_id, id, name, created_at) VALUES ($1, gen_random_uuid(), 'Technician', now()) RETURNING id
		), u AS (
			INSERT INTO tomkit.users (tenant_id, id, email, role_id, created_at) SELECT $1, gen_random_uuid(), 'ada@x.de', id, now() FROM r RETURNING id
		)
		INSERT INTO tomkit.sessions (tenant_id, id, user_id, amr, auth_time, binding, idle_at, ends_at, created_at)
		SELECT $1, CASE n WHEN 1 THEN $2::uuid ELSE gen_random_uuid() END, u.id, '{pwd,otp}', now(), sha256(''), now() + interval '1 day', now() + interval '1 day', now()
		FROM u, generate_series(1, 10000) n`, ward, session)
	require.NoError(b, err)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		revoked, err := store.Revoked(b.Context(), ward, session, now)
		if err != nil || revoked {
			b.Fatal(revoked, err)
		}
	}
}
