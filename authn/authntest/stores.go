package authntest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

// scene is a user with a pending step token and a live session, below the flow.
type scene struct {
	*harness
	p       person
	now     time.Time
	step    authn.Step
	session authn.Session
	used    bool // the step token was consumed on purpose
}

func newScene(t *testing.T, newFixture func(t *testing.T) Fixture) *scene {
	t.Helper()
	h := setUp(t, newFixture)
	s := &scene{harness: h, p: h.someone(t), now: h.clock.Now()}
	s.session = h.signIn(t, s.p).Session
	a, err := h.Account(t.Context(), s.p.tenant, s.p.email)
	require.NoError(t, err)
	s.step = authn.Step{
		Tenant: s.p.tenant, User: s.p.id, Hash: [32]byte{1, 2, 3}, Purpose: authn.PurposeTOTP, Binding: home,
		UserVersion: a.Version, CreatedAt: s.now, ExpiresAt: s.now.Add(5 * time.Minute), Attempts: 3,
	}
	require.NoError(t, h.CreateStep(t.Context(), s.step))
	return s
}

// grant is a grant that would succeed.
func (s *scene) grant() authn.Grant {
	session := s.session
	session.ID = uuid.New()
	return authn.Grant{
		Session: session, Purpose: authn.PurposeTOTP, Step: s.step.Hash, Version: s.step.UserVersion, TOTPStep: 1 << 40, Now: s.now,
	}
}

func stores(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Run("a step token comes back as it went in", func(t *testing.T) {
		s := newScene(t, newFixture)
		got, a, err := s.Step(t.Context(), s.p.tenant, s.step.Hash)
		require.NoError(t, err)
		require.Equal(t, s.step, got)
		require.Equal(t, s.p.id, a.User)
		require.True(t, a.HasTOTP)
		require.True(t, a.MFARequired)
	})
	t.Run("a session comes back as it went in", func(t *testing.T) {
		s := newScene(t, newFixture)
		got, err := s.Session(t.Context(), s.p.tenant, s.session.ID, s.now, 0)
		require.NoError(t, err)
		require.Equal(t, s.session, got)
	})
	t.Run("a step token is not made twice", func(t *testing.T) {
		s := newScene(t, newFixture)
		require.Error(t, s.CreateStep(t.Context(), s.step))
	})
	t.Run("another tenant sees and changes nothing", func(t *testing.T) { crossTenant(t, newScene(t, newFixture)) })
	t.Run("a rehash needs the hash it replaces", func(t *testing.T) {
		s := newScene(t, newFixture)
		require.ErrorIs(t, s.Rehash(t.Context(), s.p.tenant, s.p.id, "other", "new"), authn.ErrConflict)
		won, _ := race(8, func(int) error {
			return s.Rehash(t.Context(), s.p.tenant, s.p.id, hashOf(rightPassword), uuid.NewString())
		})
		require.Equal(t, 1, won)
	})
	t.Run("attempts are spent once each", func(t *testing.T) {
		s := newScene(t, newFixture)
		won, lost := race(16, func(int) error {
			_, err := s.SpendAttempt(t.Context(), s.p.tenant, s.step.Hash, s.now)
			return err
		})
		require.Equal(t, 3, won)
		for _, err := range lost {
			require.ErrorIs(t, err, authn.ErrConflict)
		}
	})
	t.Run("no attempt is left of an expired or consumed step token", func(t *testing.T) {
		s := newScene(t, newFixture)
		_, err := s.SpendAttempt(t.Context(), s.p.tenant, s.step.Hash, s.step.ExpiresAt)
		require.ErrorIs(t, err, authn.ErrConflict)
		require.NoError(t, s.Grant(t.Context(), s.grant()))
		_, err = s.SpendAttempt(t.Context(), s.p.tenant, s.step.Hash, s.now)
		require.ErrorIs(t, err, authn.ErrConflict)
		_, err = s.OfferSecret(t.Context(), s.p.tenant, s.step.Hash, "late", s.now)
		require.ErrorIs(t, err, authn.ErrConflict)
	})
	t.Run("the first offered secret stays", func(t *testing.T) {
		s := newScene(t, newFixture)
		offered := make([]string, 8)
		won, _ := race(len(offered), func(i int) (err error) {
			offered[i], err = s.OfferSecret(t.Context(), s.p.tenant, s.step.Hash, uuid.NewString(), s.now)
			return err
		})
		require.Equal(t, len(offered), won)
		for _, o := range offered {
			require.Equal(t, offered[0], o)
		}
		_, err := s.OfferSecret(t.Context(), s.p.tenant, s.step.Hash, "late", s.step.ExpiresAt)
		require.ErrorIs(t, err, authn.ErrConflict)
	})
	t.Run("a grant is all or nothing", func(t *testing.T) { grants(t, newFixture) })
	t.Run("counters", func(t *testing.T) { counters(t, newFixture) })
}

func crossTenant(t *testing.T, s *scene) {
	other := s.AddTenant(t)
	ctx := t.Context()
	_, err := s.Account(ctx, other, s.p.email)
	require.ErrorIs(t, err, authn.ErrNotFound)
	_, _, err = s.Step(ctx, other, s.step.Hash)
	require.ErrorIs(t, err, authn.ErrNotFound)
	_, err = s.SpendAttempt(ctx, other, s.step.Hash, s.now)
	require.ErrorIs(t, err, authn.ErrConflict)
	_, err = s.TOTP(ctx, other, s.p.id)
	require.ErrorIs(t, err, authn.ErrNotFound)
	_, err = s.OfferSecret(ctx, other, s.step.Hash, "x", s.now)
	require.ErrorIs(t, err, authn.ErrConflict)
	_, err = s.Session(ctx, other, s.session.ID, s.now, time.Minute)
	require.ErrorIs(t, err, authn.ErrNotFound)
	require.ErrorIs(t, s.EndSession(ctx, other, s.p.id, s.session.ID, s.now), authn.ErrConflict)
	require.ErrorIs(t, s.Rehash(ctx, other, s.p.id, hashOf(rightPassword), "x"), authn.ErrConflict)
	revoked, err := s.Revoked(ctx, other, s.session.ID, s.now)
	require.NoError(t, err)
	require.True(t, revoked)
	g := s.grant()
	g.Session.Tenant = other
	require.ErrorIs(t, s.Grant(ctx, g), authn.ErrConflict)
	step := s.step
	step.Tenant, step.Hash = other, [32]byte{9}
	require.Error(t, s.CreateStep(ctx, step), "a step token for another tenant's user")
	require.NoError(t, s.Grant(ctx, s.grant()), "nothing was used up")
}

func grants(t *testing.T, newFixture func(t *testing.T) Fixture) {
	cases := map[string]struct {
		spoil func(t *testing.T, s *scene, g *authn.Grant)
		want  error
	}{
		"of another version":       {func(_ *testing.T, _ *scene, g *authn.Grant) { g.Version++ }, authn.ErrConflict},
		"of an unknown user":       {func(_ *testing.T, _ *scene, g *authn.Grant) { g.Session.User = uuid.New() }, authn.ErrConflict},
		"of an unknown step token": {func(_ *testing.T, _ *scene, g *authn.Grant) { g.Step = [32]byte{7} }, authn.ErrConflict},
		"of an expired step token": {func(_ *testing.T, s *scene, g *authn.Grant) { g.Now = s.step.ExpiresAt }, authn.ErrConflict},
		"for another purpose":      {func(_ *testing.T, _ *scene, g *authn.Grant) { g.Purpose, g.Sealed = authn.PurposeEnrolTOTP, "x" }, authn.ErrConflict},
		"for no known purpose":     {func(_ *testing.T, _ *scene, g *authn.Grant) { g.Purpose = "all" }, authn.ErrConflict},
		"of a used step token": {func(t *testing.T, s *scene, _ *authn.Grant) {
			used := s.grant()
			used.TOTPStep--
			require.NoError(t, s.Grant(t.Context(), used))
			s.used = true
		}, authn.ErrConflict},
		"without a factor":         {func(_ *testing.T, _ *scene, g *authn.Grant) { g.Purpose = "" }, authn.ErrConflict},
		"with a used code":         {func(_ *testing.T, _ *scene, g *authn.Grant) { g.TOTPStep = 0 }, authn.ErrCode},
		"of a disabled user":       {func(t *testing.T, s *scene, _ *authn.Grant) { s.Disable(t, s.p.tenant, s.p.id) }, authn.ErrConflict},
		"in a suspended tenant":    {func(t *testing.T, s *scene, _ *authn.Grant) { s.Suspend(t, s.p.tenant) }, authn.ErrConflict},
		"of a user's changed hash": {func(t *testing.T, s *scene, _ *authn.Grant) { s.SetPasswordHash(t, s.p.tenant, s.p.id, "x") }, authn.ErrConflict},
		"of a user's changed role": {func(t *testing.T, s *scene, _ *authn.Grant) { s.SetRole(t, s.p.tenant, s.p.id, "Tenant-User") }, authn.ErrConflict},
		"of another user's session": {func(t *testing.T, s *scene, g *authn.Grant) {
			g.Session.User = s.join(t, s.p.tenant, "eve@x.example", true).id
		}, authn.ErrConflict},
	}
	for name, c := range cases {
		t.Run("and nothing "+name, func(t *testing.T) {
			s := newScene(t, newFixture)
			g := s.grant()
			c.spoil(t, s, &g)
			before := len(s.Actions(t, s.p.tenant))
			err := s.Grant(t.Context(), g, record.Event{Tenant: s.p.tenant, Action: "login", EntityType: "user", EntityID: "x"})
			require.ErrorIs(t, err, c.want)
			require.Len(t, s.Actions(t, s.p.tenant), before)
			revoked, err := s.Revoked(t.Context(), s.p.tenant, g.Session.ID, s.now)
			require.NoError(t, err)
			require.True(t, revoked)
			step, _, err := s.Step(t.Context(), s.p.tenant, s.step.Hash)
			require.NoError(t, err)
			require.Equal(t, s.used, !step.ConsumedAt.IsZero())
		})
	}
	t.Run("and all when everything holds, once", func(t *testing.T) {
		s := newScene(t, newFixture)
		won, _ := race(16, func(int) error { return s.Grant(t.Context(), s.grant()) })
		require.Equal(t, 1, won)
		f, err := s.TOTP(t.Context(), s.p.tenant, s.p.id)
		require.NoError(t, err)
		require.EqualValues(t, 1<<40, f.LastStep)
		step, _, err := s.Step(t.Context(), s.p.tenant, s.step.Hash)
		require.NoError(t, err)
		require.Equal(t, s.now, step.ConsumedAt)
	})
}

func counters(t *testing.T, newFixture func(t *testing.T) Fixture) {
	a, b := authn.CounterKey{1}, authn.CounterKey{2}
	read := func(t *testing.T, s *scene, tenant uuid.UUID, keys ...authn.CounterKey) (out []authn.Counter) {
		t.Helper()
		require.NoError(t, s.Count(t.Context(), tenant, keys, func(c []authn.Counter) error {
			out = append(out, c...)
			return nil
		}))
		return out
	}
	t.Run("come back as they went in, in the order of the keys", func(t *testing.T) {
		s := newScene(t, newFixture)
		want := []authn.Counter{
			{Failures: 3, BlockedUntil: s.now.Add(time.Second), LastAt: s.now, TrustedUntil: s.now.Add(time.Hour)},
			{Failures: 1, LastAt: s.now},
		}
		require.NoError(t, s.Count(t.Context(), s.p.tenant, []authn.CounterKey{b, a}, func(c []authn.Counter) error {
			require.Equal(t, make([]authn.Counter, 2), c)
			copy(c, want)
			return nil
		}))
		require.Equal(t, want, read(t, s, s.p.tenant, b, a))
		require.Equal(t, []authn.Counter{want[1], want[0]}, read(t, s, s.p.tenant, a, b))
		require.Equal(t, make([]authn.Counter, 2), read(t, s, s.AddTenant(t), a, b), "another tenant has its own")
	})
	t.Run("stay as they are when the function objects", func(t *testing.T) {
		s := newScene(t, newFixture)
		objection := errors.New("no")
		err := s.Count(t.Context(), s.p.tenant, []authn.CounterKey{a}, func(c []authn.Counter) error {
			c[0].Failures = 99
			return objection
		})
		require.ErrorIs(t, err, objection)
		require.Equal(t, make([]authn.Counter, 1), read(t, s, s.p.tenant, a))
	})
	t.Run("lose no increment, in whatever order the keys come", func(t *testing.T) {
		s := newScene(t, newFixture)
		won, lost := race(32, func(i int) error {
			keys := []authn.CounterKey{a, b}
			if i%2 == 1 {
				keys = []authn.CounterKey{b, a}
			}
			return s.Count(t.Context(), s.p.tenant, keys, func(c []authn.Counter) error {
				c[0].Failures++
				c[1].Failures++
				return nil
			})
		})
		require.Equal(t, 32, won, lost)
		for _, c := range read(t, s, s.p.tenant, a, b) {
			require.Equal(t, 32, c.Failures)
		}
	})
}
