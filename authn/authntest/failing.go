package authntest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/authn/token"
)

func failingClosed(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Run("without a record there is no step token", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		h.FailRecorder(t, true)
		state, err := h.flow.Password(t.Context(), p.request())
		require.Error(t, err)
		require.Nil(t, state)
	})
	t.Run("without a record there is no session, and the code is not spent", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		step, code := h.challenge(t, p), h.code(t, p.secret)
		h.FailRecorder(t, true)
		_, err := h.finish(t, step, code)
		require.Error(t, err)
		require.NotErrorIs(t, err, authn.ErrCode)
		h.FailRecorder(t, false)
		require.Zero(t, h.count(t, p.tenant, "login"))
		_, err = h.finish(t, step, code)
		require.NoError(t, err)
	})
	t.Run("without a record no factor is enrolled", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.join(t, h.AddTenant(t), "ada@klinikum.example", false)
		step := h.enrolment(t, p)
		offer, err := h.flow.BeginTOTP(t.Context(), step, home)
		require.NoError(t, err)
		h.FailRecorder(t, true)
		_, err = h.flow.ConfirmTOTP(t.Context(), authn.CodeRequest{StepToken: step, Code: h.code(t, decodeSecret(t, offer.Secret)), Binding: home})
		require.Error(t, err)
		h.FailRecorder(t, false)
		_, err = h.TOTP(t.Context(), p.tenant, p.id)
		require.ErrorIs(t, err, authn.ErrNotFound)
	})
	t.Run("without a record nobody is signed out, and the caller knows", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		g := h.signIn(t, p)
		h.FailRecorder(t, true)
		require.Error(t, h.flow.SignOut(t.Context(), p.tenant, g.Session.ID))
		require.True(t, h.live(t, g.Session))
	})
	t.Run("without a record no hash is replaced", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		h.SetPasswordHash(t, p.tenant, p.id, staleHash+p.password)
		h.FailRecorder(t, true)
		_, err := h.flow.Password(t.Context(), p.request())
		require.Error(t, err)
		a, err := h.Account(t.Context(), p.tenant, p.email)
		require.NoError(t, err)
		require.Equal(t, staleHash+p.password, a.PasswordHash)
	})
	t.Run("without a record a wrong password is an error, not an answer", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		h.FailRecorder(t, true)
		err := h.guess(t, p, here)
		require.NotErrorIs(t, err, authn.ErrSignIn)
	})
	t.Run("with a broken store every door is shut", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		step := h.challenge(t, p)
		h.cfg.Store = h.Broken(t)
		flow, err := authn.New(h.cfg)
		require.NoError(t, err)
		_, err = flow.Password(t.Context(), p.request())
		require.Error(t, err)
		require.NotErrorIs(t, err, authn.ErrSignIn)
		_, err = flow.TOTP(t.Context(), authn.CodeRequest{StepToken: step, Code: h.code(t, p.secret), Binding: home})
		require.Error(t, err)
		_, err = flow.BeginTOTP(t.Context(), step, home)
		require.Error(t, err)
		_, err = flow.Renew(t.Context(), p.tenant, uuid.New(), home)
		require.Error(t, err)
		require.Error(t, flow.SignOut(t.Context(), p.tenant, uuid.New()))
		revoked, err := flow.Revoked(t.Context(), p.tenant, uuid.New())
		require.Error(t, err)
		require.True(t, revoked)
	})
	t.Run("overload of the hasher is passed on", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		for _, email := range []string{p.email, "nobody@klinikum.example"} {
			busy := error(&password.OverloadError{RetryAfter: time.Second})
			h.pw.fail.Store(&busy)
			p.email = email
			_, err := h.flow.Password(t.Context(), p.request())
			require.ErrorIs(t, err, password.ErrOverloaded)
			require.NotErrorIs(t, err, authn.ErrSignIn)
		}
	})
	t.Run("a token that cannot be made makes no session", func(t *testing.T) {
		h := setUp(t, newFixture, func(c *authn.Config) { c.Tokens = noTokens{} })
		p := h.someone(t)
		_, err := h.finish(t, h.challenge(t, p), h.code(t, p.secret))
		require.ErrorIs(t, err, token.ErrTooLarge)
		require.Zero(t, h.count(t, p.tenant, "login"))
	})
	t.Run("a request that was given up changes nothing", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := h.flow.Password(ctx, p.request())
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, h.Actions(t, p.tenant))
	})
}

// noTokens cannot sign.
type noTokens struct{}

func (noTokens) Issue(token.Claims) (string, token.Claims, error) {
	return "", token.Claims{}, token.ErrTooLarge
}
