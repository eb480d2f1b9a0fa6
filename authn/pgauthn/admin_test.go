package pgauthn_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/rls"
)

// staff is a tenant with a role, an administrator and a user.
func (w *world) staff(t *testing.T) (tenant uuid.UUID, by pgauthn.By, user uuid.UUID) {
	t.Helper()
	ctx := t.Context()
	tenant = w.AddTenant(t)
	require.NoError(t, w.DefineRole(ctx, pgauthn.By{}, tenant, "Tenant-Admin", []string{"*:*"}))
	require.NoError(t, w.DefineRole(ctx, pgauthn.By{}, tenant, "Technician", []string{"devices:read", "alerts:write"}))
	admin, err := w.CreateUser(ctx, pgauthn.By{}, tenant, pgauthn.NewUser{Email: "root@klinikum.example", Role: "Tenant-Admin"})
	require.NoError(t, err)
	by = pgauthn.By{User: admin, Email: "root@klinikum.example"}
	user, err = w.CreateUser(ctx, by, tenant, pgauthn.NewUser{
		Email: " Ada@Klinikum.example", DisplayName: "Ada L.", Password: "first password", Role: "Technician",
	})
	require.NoError(t, err)
	w.exec(t, `DELETE FROM tomkit.test_events WHERE tenant_id = $1`, tenant)
	return tenant, by, user
}

// open makes a live session and a pending step token of the user.
func (w *world) open(t *testing.T, tenant, user uuid.UUID) (session uuid.UUID, step [32]byte) {
	t.Helper()
	var version int64
	require.NoError(t, w.super.QueryRow(t.Context(), `SELECT version FROM tomkit.users WHERE id = $1`, user).Scan(&version))
	now := time.Now().UTC().Truncate(time.Microsecond)
	session, step = uuid.New(), [32]byte(append(uuid.NodeID(), []byte(uuid.NewString())...)[:32])
	w.exec(t, `INSERT INTO tomkit.sessions (tenant_id, id, user_id, amr, auth_time, binding, idle_at, ends_at, created_at)
		VALUES ($1, $2, $3, '{pwd,otp}', $4, $5, $6, $6, $4)`, tenant, session, user, now, make([]byte, 32), now.Add(time.Hour))
	require.NoError(t, w.CreateStep(t.Context(), authn.Step{
		Tenant: tenant, User: user, Hash: step, Purpose: authn.PurposeTOTP, UserVersion: version, Attempts: 5,
		CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}))
	return session, step
}

func (w *world) revoked(t *testing.T, tenant, session uuid.UUID) bool {
	t.Helper()
	revoked, err := w.Revoked(t.Context(), tenant, session, time.Now())
	require.NoError(t, err)
	return revoked
}

// voided reports whether the step token is of an older version than the account.
func (w *world) voided(t *testing.T, tenant uuid.UUID, step [32]byte) bool {
	t.Helper()
	s, a, err := w.Step(t.Context(), tenant, step)
	require.NoError(t, err)
	return s.UserVersion != a.Version
}

func TestCreateUser(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tenant, by, user := w.staff(t)
	t.Run("the user is there as described", func(t *testing.T) {
		u, err := w.User(ctx, tenant, user)
		require.NoError(t, err)
		require.Equal(t, "ada@klinikum.example", u.Email)
		require.Equal(t, "Ada L.", u.DisplayName)
		require.Equal(t, "Technician", u.Role)
		require.True(t, u.HasPassword)
		require.False(t, u.HasTOTP)
		require.False(t, u.Disabled)
		a, err := w.Account(ctx, tenant, "ada@klinikum.example")
		require.NoError(t, err)
		require.Equal(t, []string{"alerts:write", "devices:read"}, a.Policies)
		require.True(t, a.MFARequired, "a tenant without a setting requires a second factor")
	})
	for name, c := range map[string]struct {
		user pgauthn.NewUser
		want error
	}{
		"a taken address":             {pgauthn.NewUser{Email: "ADA@klinikum.example", Role: "Technician"}, pgauthn.ErrEmailTaken},
		"an unknown role":             {pgauthn.NewUser{Email: "eve@klinikum.example", Role: "Superadmin"}, pgauthn.ErrRole},
		"no address":                  {pgauthn.NewUser{Email: "eve", Role: "Technician"}, authn.ErrEmail},
		"a long name":                 {pgauthn.NewUser{Email: "eve@x.de", DisplayName: strings.Repeat("x", 257), Role: "Technician"}, pgauthn.ErrInput},
		"control characters in it":    {pgauthn.NewUser{Email: "eve@x.de", DisplayName: "Eve\n", Role: "Technician"}, pgauthn.ErrInput},
		"what is no text in the name": {pgauthn.NewUser{Email: "eve@x.de", DisplayName: "\xff", Role: "Technician"}, pgauthn.ErrInput},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := w.CreateUser(ctx, by, tenant, c.user)
			require.ErrorIs(t, err, c.want)
			require.Zero(t, len(w.Actions(t, tenant)))
		})
	}
	t.Run("the same address in another tenant is another user", func(t *testing.T) {
		other, _, twin := w.staff(t)
		require.NotEqual(t, user, twin)
		_, err := w.User(ctx, other, user)
		require.ErrorIs(t, err, pgauthn.ErrUser)
	})
	t.Run("a taken address does not spoil the caller's transaction", func(t *testing.T) {
		err := w.scopes.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
			_, err := w.CreateUserTx(ctx, tx, by, pgauthn.NewUser{Email: "ada@klinikum.example", Role: "Technician"})
			require.ErrorIs(t, err, pgauthn.ErrEmailTaken)
			_, err = w.CreateUserTx(ctx, tx, by, pgauthn.NewUser{Email: "bob@klinikum.example", Role: "Technician"})
			return err
		})
		require.NoError(t, err)
		require.Equal(t, []string{"user_created"}, w.Actions(t, tenant))
	})
}

// changes are the administrative changes of a user, all with the same obligations.
func changes(w *world, by pgauthn.By) map[string]func(ctx context.Context, tx *rls.Tx, user uuid.UUID) error {
	return map[string]func(context.Context, *rls.Tx, uuid.UUID) error{
		"SetPassword": func(ctx context.Context, tx *rls.Tx, u uuid.UUID) error {
			return w.SetPasswordTx(ctx, tx, by, u, "second password")
		},
		"SetRole": func(ctx context.Context, tx *rls.Tx, u uuid.UUID) error {
			return w.SetRoleTx(ctx, tx, by, u, "Tenant-Admin")
		},
		"DisableUser": func(ctx context.Context, tx *rls.Tx, u uuid.UUID) error { return w.DisableUserTx(ctx, tx, by, u) },
		"EnrolTOTP": func(ctx context.Context, tx *rls.Tx, u uuid.UUID) error {
			_, err := w.EnrolTOTPTx(ctx, tx, by, u)
			return err
		},
		"RevokeSessions": func(ctx context.Context, tx *rls.Tx, u uuid.UUID) error { return w.RevokeSessionsTx(ctx, tx, by, u) },
	}
}

func TestChangesOfUsers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	endsSessions := map[string]bool{"SetPassword": true, "DisableUser": true, "RevokeSessions": true}
	for name := range changes(w, pgauthn.By{}) {
		t.Run(name, func(t *testing.T) {
			tenant, by, user := w.staff(t)
			change := changes(w, by)[name]
			session, step := w.open(t, tenant, user)

			t.Run("leaves nothing when the transaction is not committed", func(t *testing.T) {
				undo := errors.New("undo")
				err := w.scopes.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
					require.NoError(t, change(ctx, tx, user))
					return undo
				})
				require.ErrorIs(t, err, undo)
				require.False(t, w.revoked(t, tenant, session))
				require.False(t, w.voided(t, tenant, step))
				require.Empty(t, w.Actions(t, tenant))
			})
			t.Run("does not happen without a record", func(t *testing.T) {
				w.rec.fail.Store(true)
				defer w.rec.fail.Store(false)
				err := w.scopes.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error { return change(ctx, tx, user) })
				require.ErrorIs(t, err, errRecorder)
				require.False(t, w.revoked(t, tenant, session))
				require.False(t, w.voided(t, tenant, step))
			})
			t.Run("does not reach another tenant's user", func(t *testing.T) {
				other, _, _ := w.staff(t)
				err := w.scopes.Tenant(other).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error { return change(ctx, tx, user) })
				require.ErrorIs(t, err, pgauthn.ErrUser)
				require.False(t, w.voided(t, tenant, step))
			})
			t.Run("needs a tenant", func(t *testing.T) {
				err := w.scopes.System(ctx, "test", func(ctx context.Context, tx *rls.Tx) error { return change(ctx, tx, user) })
				require.ErrorIs(t, err, pgauthn.ErrNoTenant)
			})
			t.Run("voids pending sign-ins, and sessions where it must", func(t *testing.T) {
				require.NoError(t, w.scopes.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error { return change(ctx, tx, user) }))
				require.True(t, w.voided(t, tenant, step))
				require.Equal(t, endsSessions[name], w.revoked(t, tenant, session))
				require.Len(t, w.Actions(t, tenant), 1)
			})
		})
	}
}

func TestAdministration(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	t.Run("enabling undoes disabling, and neither is recorded twice", func(t *testing.T) {
		tenant, by, user := w.staff(t)
		for range 2 {
			require.NoError(t, w.DisableUser(ctx, by, tenant, user))
		}
		for range 2 {
			require.NoError(t, w.EnableUser(ctx, by, tenant, user))
		}
		require.Equal(t, []string{"user_disabled", "user_enabled"}, w.Actions(t, tenant))
		u, err := w.User(ctx, tenant, user)
		require.NoError(t, err)
		require.False(t, u.Disabled)
	})
	t.Run("a factor is enrolled once, sealed, and can be reset", func(t *testing.T) {
		tenant, by, user := w.staff(t)
		secret, err := w.EnrolTOTP(ctx, by, tenant, user)
		require.NoError(t, err)
		require.Len(t, secret, 20)
		f, err := w.TOTP(ctx, tenant, user)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(f.Sealed, "$enc2$"))
		opened, err := w.ring.Open(f.Sealed, authn.SecretAAD(tenant, user))
		require.NoError(t, err)
		require.Equal(t, secret, opened)
		_, err = w.EnrolTOTP(ctx, by, tenant, user)
		require.ErrorIs(t, err, pgauthn.ErrEnrolled)
		session, _ := w.open(t, tenant, user)
		require.NoError(t, w.ResetTOTP(ctx, by, tenant, user))
		require.True(t, w.revoked(t, tenant, session))
		require.ErrorIs(t, w.ResetTOTP(ctx, by, tenant, user), pgauthn.ErrNotEnrolled)
		require.Equal(t, []string{"mfa_enabled", "mfa_disabled"}, w.Actions(t, tenant))
	})
	t.Run("a role's policies are replaced and its users' policy version moves", func(t *testing.T) {
		tenant, by, user := w.staff(t)
		before, err := w.Account(ctx, tenant, "ada@klinikum.example")
		require.NoError(t, err)
		require.NoError(t, w.DefineRole(ctx, by, tenant, "Technician", []string{"tickets:write", "devices:read", "devices:read"}))
		after, err := w.Account(ctx, tenant, "ada@klinikum.example")
		require.NoError(t, err)
		require.Equal(t, []string{"devices:read", "tickets:write"}, after.Policies)
		require.Greater(t, after.PolicyVersion, before.PolicyVersion)
		require.NoError(t, w.DefineRole(ctx, by, tenant, "Technician", []string{"tickets:write", "devices:read"}))
		require.Equal(t, []string{"role_defined"}, w.Actions(t, tenant), "defining the same again is no change")
		require.NoError(t, w.Store.SetRole(ctx, by, tenant, user, "Technician"))
		require.Len(t, w.Actions(t, tenant), 1)
		require.ErrorIs(t, w.Store.SetRole(ctx, by, tenant, user, "Superadmin"), pgauthn.ErrRole)
		require.NoError(t, w.DefineRole(ctx, by, tenant, "Technician", nil))
		after, err = w.Account(ctx, tenant, "ada@klinikum.example")
		require.NoError(t, err)
		require.Empty(t, after.Policies)
	})
	t.Run("what a user holds stands beside what a role gives", func(t *testing.T) {
		tenant, _, user := w.staff(t)
		require.NoError(t, w.DefineRole(ctx, pgauthn.By{}, tenant, "Technician", []string{"tickets:write"}))
		require.NoError(t, w.DefineRole(ctx, pgauthn.By{}, tenant, "Auditor", []string{"audit:read"}))
		require.NoError(t, w.Store.SetRole(ctx, pgauthn.By{}, tenant, user, "Technician"))
		_, err := w.super.Exec(ctx, `INSERT INTO tomkit.policies (tenant_id, id, user_id, policy) VALUES ($1, gen_random_uuid(), $2, 'devices:read')`, tenant, user)
		require.NoError(t, err)
		holdings := func(tenant, user uuid.UUID, role string) (h pgauthn.Holdings, err error) {
			err = w.scopes.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				h, err = w.HoldingsTx(ctx, tx, user, role)
				return err
			})
			return h, err
		}
		h, err := holdings(tenant, user, "Auditor")
		require.NoError(t, err)
		require.Equal(t, pgauthn.Holdings{
			Role: "Technician", All: []string{"devices:read", "tickets:write"}, Own: []string{"devices:read"}, Given: []string{"audit:read"},
		}, h)
		_, err = holdings(tenant, user, "Nobody")
		require.ErrorIs(t, err, pgauthn.ErrRole)
		other, _, _ := w.staff(t)
		_, err = holdings(other, user, "Technician")
		require.ErrorIs(t, err, pgauthn.ErrUser)
	})
	t.Run("a role with many policies can be recorded", func(t *testing.T) {
		tenant, by, _ := w.staff(t)
		many := make([]string, 512)
		for i := range many {
			many[i] = "resource-with-a-long-name-" + uuid.NewString() + ":read"
		}
		require.NoError(t, w.DefineRole(ctx, by, tenant, "Technician", many))
		require.ErrorIs(t, w.DefineRole(ctx, by, tenant, "Technician", append(many, "one:more")), pgauthn.ErrInput)
	})
	t.Run("what is no role or policy is refused", func(t *testing.T) {
		tenant, by, _ := w.staff(t)
		for _, name := range []string{"", "1st", "a b", "a@b", strings.Repeat("x", 65), "Tech\n"} {
			require.ErrorIs(t, w.DefineRole(ctx, by, tenant, name, nil), pgauthn.ErrInput)
		}
		for _, policy := range []string{"", "a b:c", "ä:b", strings.Repeat("x", 129), "a:b\n"} {
			require.ErrorIs(t, w.DefineRole(ctx, by, tenant, "Technician", []string{policy}), pgauthn.ErrInput)
		}
	})
	t.Run("the tenant's rule is on until it is turned off", func(t *testing.T) {
		tenant, by, _ := w.staff(t)
		for _, required := range []bool{true, false, false, true} {
			require.NoError(t, w.Store.RequireMFA(ctx, by, tenant, required))
			a, err := w.Account(ctx, tenant, "ada@klinikum.example")
			require.NoError(t, err)
			require.Equal(t, required, a.MFARequired)
		}
		require.Equal(t, []string{"mfa_rule_changed", "mfa_rule_changed"}, w.Actions(t, tenant))
	})
	t.Run("sessions are listed and revoked one by one", func(t *testing.T) {
		tenant, by, user := w.staff(t)
		a, _ := w.open(t, tenant, user)
		b, _ := w.open(t, tenant, user)
		all, err := w.ListSessions(ctx, tenant, user)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.NoError(t, w.RevokeSession(ctx, by, tenant, a))
		require.ErrorIs(t, w.RevokeSession(ctx, by, tenant, a), pgauthn.ErrSession)
		require.True(t, w.revoked(t, tenant, a))
		require.False(t, w.revoked(t, tenant, b))
		all, err = w.ListSessions(ctx, tenant, user)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, b, all[0].ID)
		require.Equal(t, []string{"pwd", "otp"}, all[0].AMR)
		other, otherBy, otherUser := w.staff(t)
		require.ErrorIs(t, w.RevokeSession(ctx, otherBy, other, b), pgauthn.ErrSession)
		all, err = w.ListSessions(ctx, other, otherUser)
		require.NoError(t, err)
		require.Empty(t, all)
		require.Equal(t, []string{"session_revoked"}, w.Actions(t, tenant))
	})
	t.Run("a disabled user has no live session, however it came to be disabled", func(t *testing.T) {
		tenant, _, user := w.staff(t)
		session, _ := w.open(t, tenant, user)
		w.exec(t, `UPDATE tomkit.users SET disabled_at = now() WHERE tenant_id = $1 AND id = $2`, tenant, user)
		require.True(t, w.revoked(t, tenant, session))
		all, err := w.ListSessions(ctx, tenant, user)
		require.NoError(t, err)
		require.Empty(t, all)
	})
	t.Run("suspending the MSP ends the sessions of its tenants", func(t *testing.T) {
		tenant, _, user := w.staff(t)
		session, _ := w.open(t, tenant, user)
		require.False(t, w.revoked(t, tenant, session))
		w.exec(t, `UPDATE tomkit.msps SET status = 'suspended' WHERE slug = 'test-msp'`)
		defer w.exec(t, `UPDATE tomkit.msps SET status = 'active' WHERE slug = 'test-msp'`)
		require.True(t, w.revoked(t, tenant, session))
	})
	t.Run("a store without its parts is refused at the start", func(t *testing.T) {
		for _, spoil := range []func(*pgauthn.Config){
			func(c *pgauthn.Config) { c.DB = nil }, func(c *pgauthn.Config) { c.Record = nil }, func(c *pgauthn.Config) { c.Seal = nil },
			func(c *pgauthn.Config) { c.Passwords = nil }, func(c *pgauthn.Config) { c.Codes = nil },
		} {
			cfg := w.cfg
			spoil(&cfg)
			_, err := pgauthn.New(cfg)
			require.Error(t, err)
		}
	})
}
