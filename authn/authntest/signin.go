package authntest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/password"
)

func signingIn(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Run("password and code make a session that names both", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		state, err := h.flow.Password(t.Context(), p.request())
		require.NoError(t, err)
		challenge, ok := state.(*authn.Challenge)
		require.True(t, ok)
		require.Equal(t, h.clock.Now().Add(5*time.Minute), challenge.ExpiresAt)
		require.Equal(t, p.tenant, challenge.StepToken.Tenant())

		g, err := h.finish(t, challenge.StepToken.Reveal(), h.code(t, p.secret))
		require.NoError(t, err)
		require.Equal(t, p.id, g.Session.User)
		require.Equal(t, p.tenant, g.Session.Tenant)
		require.Equal(t, []string{"pwd", "otp"}, g.Session.AMR)
		require.Equal(t, h.clock.Now(), g.Session.AuthTime)
		require.Equal(t, []string{"alerts:write", "devices:read"}, g.Session.Policies)
		require.True(t, h.live(t, g.Session))
		require.Equal(t, []string{"login_first_factor", "login"}, h.Actions(t, p.tenant))
	})
	t.Run("the access token says what the session says", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		g := h.signIn(t, p)
		claims, err := h.tokens.Verify(string(g.Access))
		require.NoError(t, err)
		require.Equal(t, p.id, claims.Subject)
		require.Equal(t, p.tenant, claims.Tenant)
		require.Equal(t, g.Session.ID, claims.Session)
		require.Equal(t, "Technician", claims.Role)
		require.Equal(t, g.Session.Policies, claims.Policies)
		require.Equal(t, []string{"pwd", "otp"}, claims.Methods)
		require.Equal(t, g.ExpiresAt, claims.Expires)
	})
	t.Run("the address of the account matters, not its spelling", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		p.email = "  Ada@KLINIKUM.example "
		h.challenge(t, p)
	})
	t.Run("where no factor is required and none exists the password is enough", func(t *testing.T) {
		h := setUp(t, newFixture)
		tenant := h.AddTenant(t)
		h.RequireMFA(t, tenant, false)
		p := h.join(t, tenant, "ada@klinikum.example", false)
		state, err := h.flow.Password(t.Context(), p.request())
		require.NoError(t, err)
		g, ok := state.(*authn.Granted)
		require.True(t, ok)
		require.Equal(t, []string{"pwd"}, g.Session.AMR)
		require.True(t, h.live(t, g.Session))
		require.Equal(t, []string{"login"}, h.Actions(t, tenant))
	})
	t.Run("a factor that exists is asked for even where none is required", func(t *testing.T) {
		h := setUp(t, newFixture)
		tenant := h.AddTenant(t)
		h.RequireMFA(t, tenant, false)
		h.challenge(t, h.join(t, tenant, "ada@klinikum.example", true))
	})
	t.Run("a tenant that begins to require a factor meanwhile gives no session without", func(t *testing.T) {
		h := setUp(t, newFixture)
		tenant := h.AddTenant(t)
		h.RequireMFA(t, tenant, false)
		p := h.join(t, tenant, "ada@klinikum.example", false)
		h.pw.during = func() { h.RequireMFA(t, tenant, true) }
		_, err := h.flow.Password(t.Context(), p.request())
		require.ErrorIs(t, err, authn.ErrSignIn)
		require.Zero(t, h.count(t, tenant, "login"))
	})
	t.Run("two tenants with the same address have two accounts", func(t *testing.T) {
		h := setUp(t, newFixture)
		a, b := h.someone(t), h.someone(t)
		ga, gb := h.signIn(t, a), h.signIn(t, b)
		require.NotEqual(t, ga.Session.User, gb.Session.User)
		_, err := h.finish(t, h.challenge(t, a), h.code(t, b.secret))
		require.ErrorIs(t, err, authn.ErrCode)
	})
	t.Run("a sign-in without a binding is refused before any work", func(t *testing.T) {
		h := setUp(t, newFixture)
		r := h.someone(t).request()
		r.Binding = authn.Binding{}
		_, err := h.flow.Password(t.Context(), r)
		require.Error(t, err)
		require.Zero(t, h.pw.verified.Load())
	})
}

func enrolling(t *testing.T, newFixture func(t *testing.T) Fixture) {
	begin := func(t *testing.T, h *harness) (person, string, authn.TOTPOffer) {
		t.Helper()
		p := h.join(t, h.AddTenant(t), "ada@klinikum.example", false)
		step := h.enrolment(t, p)
		offer, err := h.flow.BeginTOTP(t.Context(), step, home)
		require.NoError(t, err)
		p.secret = decodeSecret(t, offer.Secret)
		return p, step, offer
	}
	confirm := func(t *testing.T, h *harness, step, code string) (*authn.Granted, error) {
		t.Helper()
		return h.flow.ConfirmTOTP(t.Context(), authn.CodeRequest{StepToken: step, Code: code, Binding: home})
	}
	t.Run("a first code enrols the factor and finishes the sign-in", func(t *testing.T) {
		h := setUp(t, newFixture)
		p, step, offer := begin(t, h)
		require.True(t, strings.HasPrefix(offer.URI, "otpauth://totp/tomkit:ada"), "an otpauth URI")
		g, err := confirm(t, h, step, h.code(t, p.secret))
		require.NoError(t, err)
		require.Equal(t, []string{"pwd", "otp"}, g.Session.AMR)
		require.True(t, h.live(t, g.Session))
		require.Equal(t, []string{"login_first_factor", "mfa_enabled", "login"}, h.Actions(t, p.tenant))
		h.challenge(t, p) // from now on
	})
	t.Run("the confirming code is consumed", func(t *testing.T) {
		h := setUp(t, newFixture)
		p, step, _ := begin(t, h)
		code := h.code(t, p.secret)
		_, err := confirm(t, h, step, code)
		require.NoError(t, err)
		_, err = h.finish(t, h.challenge(t, p), code)
		require.ErrorIs(t, err, authn.ErrCode)
		h.clock.advance(30 * time.Second)
		h.signIn(t, p)
	})
	t.Run("asking again offers the same secret", func(t *testing.T) {
		h := setUp(t, newFixture)
		_, step, offer := begin(t, h)
		again, err := h.flow.BeginTOTP(t.Context(), step, home)
		require.NoError(t, err)
		require.Equal(t, offer, again)
	})
	t.Run("a secret is offered to its browser alone", func(t *testing.T) {
		h := setUp(t, newFixture)
		p, step, _ := begin(t, h)
		_, err := h.flow.BeginTOTP(t.Context(), step, away)
		require.ErrorIs(t, err, authn.ErrStepToken)
		require.Equal(t, 1, h.count(t, p.tenant, "mfa_failed"))
	})
	t.Run("an expired step token offers nothing, not even what it offered before", func(t *testing.T) {
		h := setUp(t, newFixture)
		_, step, _ := begin(t, h)
		h.clock.advance(5 * time.Minute)
		_, err := h.flow.BeginTOTP(t.Context(), step, home)
		require.ErrorIs(t, err, authn.ErrStepToken)
	})
	t.Run("a used step token offers nothing", func(t *testing.T) {
		h := setUp(t, newFixture)
		p, step, _ := begin(t, h)
		_, err := confirm(t, h, step, h.code(t, p.secret))
		require.NoError(t, err)
		_, err = h.flow.BeginTOTP(t.Context(), step, home)
		require.ErrorIs(t, err, authn.ErrStepToken)
		require.Equal(t, 1, h.count(t, p.tenant, "step_token_reused"))
	})
	t.Run("nothing is enrolled without an offer", func(t *testing.T) {
		h := setUp(t, newFixture)
		step := h.enrolment(t, h.join(t, h.AddTenant(t), "ada@klinikum.example", false))
		_, err := confirm(t, h, step, "123456")
		require.ErrorIs(t, err, authn.ErrStepToken)
	})
	t.Run("a wrong code enrols nothing", func(t *testing.T) {
		h := setUp(t, newFixture)
		p, step, _ := begin(t, h)
		_, err := confirm(t, h, step, h.wrong(t, p.secret))
		require.ErrorIs(t, err, authn.ErrCode)
		h.enrolment(t, p)
	})
	t.Run("a user with a factor cannot enrol another with a password alone", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		step := h.challenge(t, p)
		_, err := h.flow.BeginTOTP(t.Context(), step, home)
		require.ErrorIs(t, err, authn.ErrStepToken)
		_, err = confirm(t, h, step, h.code(t, p.secret))
		require.ErrorIs(t, err, authn.ErrStepToken)
	})
	t.Run("of two enrolments at once one wins", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.join(t, h.AddTenant(t), "ada@klinikum.example", false)
		var steps, codes []string
		for range 4 {
			step := h.enrolment(t, p)
			offer, err := h.flow.BeginTOTP(t.Context(), step, home)
			require.NoError(t, err)
			steps, codes = append(steps, step), append(codes, h.code(t, decodeSecret(t, offer.Secret)))
		}
		won, lost := race(len(steps), func(i int) error { _, err := confirm(t, h, steps[i], codes[i]); return err })
		require.Equal(t, 1, won)
		for _, err := range lost {
			require.ErrorIs(t, err, authn.ErrStepToken)
		}
		require.Equal(t, 1, h.count(t, p.tenant, "mfa_enabled"))
	})
}

func refusing(t *testing.T, newFixture func(t *testing.T) Fixture) {
	cases := map[string]func(t *testing.T, h *harness, p *person, r *authn.PasswordRequest){
		"an unknown tenant":  func(_ *testing.T, _ *harness, _ *person, r *authn.PasswordRequest) { r.Tenant = uuid.Nil },
		"an unknown user":    func(_ *testing.T, _ *harness, _ *person, r *authn.PasswordRequest) { r.Email = "eve@klinikum.example" },
		"what is no address": func(_ *testing.T, _ *harness, _ *person, r *authn.PasswordRequest) { r.Email = "ada' OR 1=1 --@x" },
		"a wrong password":   func(_ *testing.T, _ *harness, _ *person, r *authn.PasswordRequest) { r.Password = "guess" },
		"no password at all": func(_ *testing.T, _ *harness, _ *person, r *authn.PasswordRequest) { r.Password = "" },
		"a user without a password": func(t *testing.T, h *harness, p *person, _ *authn.PasswordRequest) {
			h.SetPasswordHash(t, p.tenant, p.id, "")
		},
		"a user with a broken hash": func(t *testing.T, h *harness, p *person, _ *authn.PasswordRequest) {
			h.SetPasswordHash(t, p.tenant, p.id, "$x$")
		},
		"a disabled user":              func(t *testing.T, h *harness, p *person, _ *authn.PasswordRequest) { h.Disable(t, p.tenant, p.id) },
		"a user of a suspended tenant": func(t *testing.T, h *harness, p *person, _ *authn.PasswordRequest) { h.Suspend(t, p.tenant) },
		"a user of another tenant":     func(t *testing.T, h *harness, _ *person, r *authn.PasswordRequest) { r.Tenant = h.AddTenant(t) },
	}
	for name, arrange := range cases {
		t.Run(name+" gets the one answer after one hash", func(t *testing.T) {
			h := setUp(t, newFixture)
			p := h.someone(t)
			r := p.request()
			arrange(t, h, &p, &r)
			state, err := h.flow.Password(t.Context(), r)
			require.Nil(t, state)
			require.ErrorIs(t, err, authn.ErrSignIn)
			require.NotContains(t, err.Error(), p.email)
			require.EqualValues(t, 1, h.pw.verified.Load(), "password work")
			require.Zero(t, h.pw.hashed.Load())
			if r.Tenant == uuid.Nil {
				require.EqualValues(t, 1, h.stranger.Load())
				require.Empty(t, h.Actions(t, p.tenant))
			} else {
				require.Equal(t, []string{"login_failed"}, h.Actions(t, r.Tenant))
			}
		})
	}
	t.Run("an unknown tenant is slowed down like a known one", func(t *testing.T) {
		h := setUp(t, newFixture)
		r := h.someone(t).request()
		r.Tenant = uuid.Nil
		for range 6 {
			_, err := h.flow.Password(t.Context(), r)
			require.ErrorIs(t, err, authn.ErrSignIn)
		}
		_, err := h.flow.Password(t.Context(), r)
		require.ErrorIs(t, err, authn.ErrThrottled)
	})
}

func rehashing(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Run("a legacy hash is replaced at the first sign-in", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		h.SetPasswordHash(t, p.tenant, p.id, staleHash+p.password)
		h.signIn(t, p)
		a, err := h.Account(t.Context(), p.tenant, p.email)
		require.NoError(t, err)
		require.Equal(t, hashOf(p.password), a.PasswordHash)
		require.Equal(t, []string{"password_rehashed", "login_first_factor", "login"}, h.Actions(t, p.tenant))
		h.clock.advance(30 * time.Second)
		h.signIn(t, p)
		require.Equal(t, 1, h.count(t, p.tenant, "password_rehashed"))
	})
	t.Run("a password changed meanwhile is not undone", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		h.SetPasswordHash(t, p.tenant, p.id, staleHash+p.password)
		h.pw.during = func() { h.SetPasswordHash(t, p.tenant, p.id, hashOf(newPassword)) }
		step := h.challenge(t, p)
		a, err := h.Account(t.Context(), p.tenant, p.email)
		require.NoError(t, err)
		require.Equal(t, hashOf(newPassword), a.PasswordHash)
		require.Zero(t, h.count(t, p.tenant, "password_rehashed"))
		_, err = h.finish(t, step, h.code(t, p.secret))
		require.ErrorIs(t, err, authn.ErrStepToken, "the password was right, but is no longer")
	})
	t.Run("of many sign-ins at once one rehashes", func(t *testing.T) {
		h := setUp(t, newFixture, func(c *authn.Config) { c.Throttle.Pair = lenient })
		p := h.someone(t)
		h.SetPasswordHash(t, p.tenant, p.id, staleHash+p.password)
		won, lost := race(8, func(int) error { _, err := h.flow.Password(t.Context(), p.request()); return err })
		require.Equal(t, 8, won, lost)
		require.Equal(t, 1, h.count(t, p.tenant, "password_rehashed"))
	})
	t.Run("a hasher too busy to rehash does not keep the user out", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		h.SetPasswordHash(t, p.tenant, p.id, staleHash+p.password)
		h.pw.during = func() { busy := error(&password.OverloadError{}); h.pw.fail.Store(&busy) }
		h.challenge(t, p)
		require.Zero(t, h.count(t, p.tenant, "password_rehashed"))
	})
}
