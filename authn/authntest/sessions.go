package authntest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
)

func sessions(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Run("signing out ends the session at once", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		g := h.signIn(t, p)
		h.clock.advance(30 * time.Second)
		other := h.signIn(t, p)
		require.NoError(t, h.flow.SignOut(t.Context(), p.tenant, g.Session.ID))
		require.False(t, h.live(t, g.Session))
		require.True(t, h.live(t, other.Session), "the user's other session goes on")
		require.Equal(t, 1, h.count(t, p.tenant, "logout"))
		_, err := h.flow.Renew(t.Context(), p.tenant, g.Session.ID, home)
		require.ErrorIs(t, err, authn.ErrSession)
	})
	t.Run("signing out again or from nothing is no error and no entry", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		g := h.signIn(t, p)
		for range 3 {
			require.NoError(t, h.flow.SignOut(t.Context(), p.tenant, g.Session.ID))
		}
		require.NoError(t, h.flow.SignOut(t.Context(), p.tenant, uuid.New()))
		require.Equal(t, 1, h.count(t, p.tenant, "logout"))
	})
	t.Run("a session unknown or of another tenant is revoked", func(t *testing.T) {
		h := setUp(t, newFixture)
		p, q := h.someone(t), h.someone(t)
		g := h.signIn(t, p)
		for _, tenant := range []uuid.UUID{q.tenant, uuid.New()} {
			revoked, err := h.flow.Revoked(t.Context(), tenant, g.Session.ID)
			require.NoError(t, err)
			require.True(t, revoked)
		}
		revoked, err := h.flow.Revoked(t.Context(), p.tenant, uuid.New())
		require.NoError(t, err)
		require.True(t, revoked)
		require.NoError(t, h.flow.SignOut(t.Context(), q.tenant, g.Session.ID))
		require.True(t, h.live(t, g.Session), "no tenant ends another's session")
	})
	t.Run("a session ends when it was idle", func(t *testing.T) {
		h := setUp(t, newFixture)
		g := h.signIn(t, h.someone(t))
		h.clock.advance(30*time.Minute - time.Second)
		require.True(t, h.live(t, g.Session))
		h.clock.advance(time.Second)
		require.False(t, h.live(t, g.Session), "asking is no activity")
	})
	t.Run("renewing moves the idle end, never the absolute one", func(t *testing.T) {
		h := setUp(t, newFixture, func(c *authn.Config) { c.Idle, c.Absolute = 10*time.Minute, 25*time.Minute })
		p := h.someone(t)
		g := h.signIn(t, p)
		began := h.clock.Now()
		for range 3 {
			h.clock.advance(8 * time.Minute)
			again, err := h.flow.Renew(t.Context(), p.tenant, g.Session.ID, home)
			require.NoError(t, err)
			require.Equal(t, began, again.Session.AuthTime)
			require.False(t, again.Session.IdleAt.After(again.Session.EndsAt))
			claims, err := h.tokens.Verify(string(again.Access))
			require.NoError(t, err)
			require.Equal(t, g.Session.ID, claims.Session)
		}
		h.clock.advance(time.Minute)
		require.False(t, h.live(t, g.Session))
		_, err := h.flow.Renew(t.Context(), p.tenant, g.Session.ID, home)
		require.ErrorIs(t, err, authn.ErrSession)
	})
	t.Run("renewing takes up a new role", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		g := h.signIn(t, p)
		h.SetRole(t, p.tenant, p.id, "Tenant-User", "devices:read")
		again, err := h.flow.Renew(t.Context(), p.tenant, g.Session.ID, home)
		require.NoError(t, err)
		require.Equal(t, "Tenant-User", again.Session.Role)
		require.Equal(t, []string{"devices:read"}, again.Session.Policies)
		require.Greater(t, again.Session.PolicyVersion, g.Session.PolicyVersion)
	})
	t.Run("another browser cannot renew", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		g := h.signIn(t, p)
		h.clock.advance(20 * time.Minute)
		_, err := h.flow.Renew(t.Context(), p.tenant, g.Session.ID, away)
		require.ErrorIs(t, err, authn.ErrSession)
		h.clock.advance(10 * time.Minute)
		require.False(t, h.live(t, g.Session), "the attempt did not keep it alive")
	})
	t.Run("disabling the user ends the sessions", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		g := h.signIn(t, p)
		h.Disable(t, p.tenant, p.id)
		require.False(t, h.live(t, g.Session))
	})
	t.Run("suspending the tenant ends the sessions", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		g := h.signIn(t, p)
		h.Suspend(t, p.tenant)
		require.False(t, h.live(t, g.Session))
		_, err := h.flow.Renew(t.Context(), p.tenant, g.Session.ID, home)
		require.ErrorIs(t, err, authn.ErrSession)
	})
}
