package pgauthn_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/rls"
)

var tables = []string{
	"tenant_auth", "roles", "policies", "users", "user_passwords", "user_totp", "step_tokens", "sessions", "sign_in_failures",
}

// secretTables hold what people prove themselves by.
var secretTables = []string{"user_passwords", "user_totp", "step_tokens", "sign_in_failures"}

// fill gives a tenant a row in every table.
func (w *world) fill(t *testing.T) (tenant, user uuid.UUID) {
	t.Helper()
	tenant, by, user := w.staff(t)
	_, err := w.EnrolTOTP(t.Context(), by, tenant, user)
	require.NoError(t, err)
	require.NoError(t, w.Store.RequireMFA(t.Context(), by, tenant, false))
	w.open(t, tenant, user)
	require.NoError(t, w.Count(t.Context(), tenant, []authn.CounterKey{{1}}, func(c []authn.Counter) error {
		c[0].LastAt = time.Now()
		return nil
	}))
	return tenant, user
}

func TestIsolation(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	mine, _ := w.fill(t)
	theirs, theirUser := w.fill(t)
	app := w.db.Pool(t, rls.RoleApp)
	msp := w.db.Pool(t, rls.RoleMSP)
	for _, table := range tables {
		t.Run(table, func(t *testing.T) {
			var n, foreign int
			require.NoError(t, app.QueryRow(ctx, `SELECT count(*) FROM tomkit.`+table).Scan(&n))
			require.Zero(t, n, "no context, no rows")
			require.NoError(t, w.scopes.Tenant(mine).QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM tomkit.`+table, mine).Scan(&n, &foreign))
			require.Positive(t, n)
			require.Zero(t, foreign)
			tag, err := w.scopes.Tenant(mine).Exec(ctx, `UPDATE tomkit.`+table+` SET tenant_id = tenant_id WHERE tenant_id = $1`, theirs)
			require.NoError(t, err)
			require.Zero(t, tag.RowsAffected())
			_, err = w.scopes.Tenant(mine).Exec(ctx, `UPDATE tomkit.`+table+` SET tenant_id = $1`, theirs)
			require.Error(t, err, "no row can be given away")
			_, err = app.Exec(ctx, `TRUNCATE tomkit.`+table)
			require.Error(t, err)
		})
	}
	t.Run("an MSP reads no secrets", func(t *testing.T) {
		for _, table := range secretTables {
			_, err := msp.Exec(ctx, `SELECT FROM tomkit.`+table)
			require.ErrorContains(t, err, "permission denied")
		}
	})
	t.Run("no row can hang on another tenant's user", func(t *testing.T) {
		for _, sql := range []string{
			`INSERT INTO tomkit.user_totp (tenant_id, user_id, secret, created_at) VALUES ($1, $2, 'x', now())`,
			`INSERT INTO tomkit.user_passwords (tenant_id, user_id, hash, changed_at) VALUES ($1, $2, 'x', now())`,
			`INSERT INTO tomkit.policies (tenant_id, id, user_id, policy) VALUES ($1, gen_random_uuid(), $2, '*:*')`,
			`INSERT INTO tomkit.sessions (tenant_id, id, user_id, amr, auth_time, binding, idle_at, ends_at, created_at)
				VALUES ($1, gen_random_uuid(), $2, '{pwd}', now(), sha256(''), now(), now(), now())`,
		} {
			_, err := w.scopes.Tenant(mine).Exec(ctx, sql, mine, theirUser)
			require.ErrorContains(t, err, "foreign key")
		}
	})
	t.Run("deleting a tenant takes everything along and nothing else", func(t *testing.T) {
		w.exec(t, `DELETE FROM tomkit.tenants WHERE id = $1`, theirs)
		for _, table := range tables {
			var left, other int
			require.NoError(t, w.super.QueryRow(ctx, `SELECT count(*) FILTER (WHERE tenant_id = $1), count(*) FILTER (WHERE tenant_id = $2) FROM tomkit.`+table,
				theirs, mine).Scan(&left, &other))
			require.Zero(t, left, table)
			require.Positive(t, other, table)
		}
	})
	t.Run("the database refuses addresses that are not normalised", func(t *testing.T) {
		for _, email := range []string{"Ada@x.de", "ada", "a b@x.de", "", "ada@x.de\n"} {
			_, err := w.super.Exec(ctx, `UPDATE tomkit.users SET email = $1 WHERE tenant_id = $2`, email, mine)
			require.Error(t, err, "%q", email)
		}
	})
}

func TestNothingOfATokenIsStored(t *testing.T) {
	w := newWorld(t)
	tenant, user := w.fill(t)
	var hash []byte
	require.NoError(t, w.super.QueryRow(t.Context(), `SELECT token_hash FROM tomkit.step_tokens WHERE tenant_id = $1 AND user_id = $2`, tenant, user).Scan(&hash))
	require.Len(t, hash, 32)
	var columns []string
	require.NoError(t, w.super.QueryRow(t.Context(), `SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = 'tomkit.step_tokens'::regclass AND attnum > 0`).Scan(&columns))
	require.Equal(t, []string{
		"tenant_id", "token_hash", "user_id", "purpose", "binding", "user_version", "attempts", "offered", "created_at", "expires_at", "consumed_at",
	}, columns)
}
