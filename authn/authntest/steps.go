package authntest

import (
	"encoding/base32"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/credential"
)

// lenient takes a counter out of the way.
var lenient = authn.Backoff{Free: 1000, Base: time.Second, Max: time.Second, Forget: time.Minute}

func decodeSecret(t *testing.T, text string) []byte {
	t.Helper()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	require.NoError(t, err)
	return secret
}

func stepTokens(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Run("a step token works once and its return is recorded", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		step := h.challenge(t, p)
		_, err := h.finish(t, step, h.code(t, p.secret))
		require.NoError(t, err)
		h.clock.advance(30 * time.Second)
		_, err = h.finish(t, step, h.code(t, p.secret))
		require.ErrorIs(t, err, authn.ErrStepToken)
		require.Equal(t, 1, h.count(t, p.tenant, "step_token_reused"))
		require.Equal(t, 1, h.count(t, p.tenant, "login"))
	})
	t.Run("the holder of a used step token cannot fill the log", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		step := h.challenge(t, p)
		_, err := h.finish(t, step, h.code(t, p.secret))
		require.NoError(t, err)
		for range 50 {
			_, err = h.finish(t, step, "123456")
			require.ErrorIs(t, err, authn.ErrStepToken)
		}
		require.LessOrEqual(t, h.count(t, p.tenant, "step_token_reused"), 6)
	})
	t.Run("another browser is refused and the right one still served", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		step, code := h.challenge(t, p), h.code(t, p.secret)
		_, err := h.flow.TOTP(t.Context(), authn.CodeRequest{StepToken: step, Code: code, Binding: away})
		require.ErrorIs(t, err, authn.ErrStepToken)
		_, err = h.flow.TOTP(t.Context(), authn.CodeRequest{StepToken: step, Code: code})
		require.ErrorIs(t, err, authn.ErrStepToken)
		require.Equal(t, 2, h.count(t, p.tenant, "mfa_failed"))
		_, err = h.finish(t, step, code)
		require.NoError(t, err)
	})
	t.Run("a step token of another tenant names nothing", func(t *testing.T) {
		h := setUp(t, newFixture)
		p, q := h.someone(t), h.someone(t)
		mine, theirs := h.challenge(t, p), h.challenge(t, q)
		forged := strings.Replace(mine, tenantPart(t, mine), tenantPart(t, theirs), 1)
		_, err := credential.Parse(credential.Step, forged)
		require.NoError(t, err)
		for _, secret := range [][]byte{p.secret, q.secret} {
			_, err = h.finish(t, forged, h.code(t, secret))
			require.ErrorIs(t, err, authn.ErrStepToken)
		}
	})
	t.Run("an expired step token is refused", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		step := h.challenge(t, p)
		h.clock.advance(5 * time.Minute)
		_, err := h.finish(t, step, h.code(t, p.secret))
		require.ErrorIs(t, err, authn.ErrStepToken)
	})
	t.Run("what is no step token is refused", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		step := h.challenge(t, p)
		other, err := credential.New(credential.Step, p.tenant)
		require.NoError(t, err)
		device, err := credential.New(credential.Device, p.tenant)
		require.NoError(t, err)
		for _, text := range []string{"", "tk1_", step[:len(step)-1], step + "A", strings.ToUpper(step), other.Reveal(), device.Reveal()} {
			_, err := h.finish(t, text, h.code(t, p.secret))
			require.ErrorIs(t, err, authn.ErrStepToken)
		}
	})
	t.Run("a step token for a code enrols nothing and the other way round", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.join(t, h.AddTenant(t), "ada@klinikum.example", false)
		step := h.enrolment(t, p)
		offer, err := h.flow.BeginTOTP(t.Context(), step, home)
		require.NoError(t, err)
		_, err = h.finish(t, step, h.code(t, decodeSecret(t, offer.Secret)))
		require.ErrorIs(t, err, authn.ErrStepToken)
		require.Zero(t, h.count(t, p.tenant, "login"))
	})
	t.Run("the sixth attempt is not looked at", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		step := h.challenge(t, p)
		for left := 4; left >= 0; left-- {
			_, err := h.finish(t, step, h.wrong(t, p.secret))
			var bad *authn.CodeError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, left, bad.AttemptsLeft)
		}
		_, err := h.finish(t, step, h.code(t, p.secret))
		require.ErrorIs(t, err, authn.ErrStepToken)
		h.signIn(t, p) // a new step token has a new budget
	})
	t.Run("parallel guesses share the budget", func(t *testing.T) {
		h := setUp(t, newFixture, func(c *authn.Config) { c.Throttle.Code = lenient })
		p := h.someone(t)
		step, wrong := h.challenge(t, p), h.wrong(t, p.secret)
		_, lost := race(32, func(int) error { _, err := h.finish(t, step, wrong); return err })
		looked := 0
		for _, err := range lost {
			if errors.Is(err, authn.ErrCode) {
				looked++
			}
		}
		require.Equal(t, 5, looked)
	})
	t.Run("of many uses at once one wins", func(t *testing.T) {
		h := setUp(t, newFixture, func(c *authn.Config) { c.Throttle.Code = lenient; c.Attempts = authn.MaxAttempts })
		p := h.someone(t)
		step, code := h.challenge(t, p), h.code(t, p.secret)
		won, _ := race(32, func(int) error { _, err := h.finish(t, step, code); return err })
		require.Equal(t, 1, won)
		require.Equal(t, 1, h.count(t, p.tenant, "login"))
	})
	for name, change := range map[string]func(t *testing.T, h *harness, p person){
		"the password is changed": func(t *testing.T, h *harness, p person) {
			h.SetPasswordHash(t, p.tenant, p.id, hashOf(newPassword))
		},
		"the role is changed":     func(t *testing.T, h *harness, p person) { h.SetRole(t, p.tenant, p.id, "Tenant-User") },
		"the user is disabled":    func(t *testing.T, h *harness, p person) { h.Disable(t, p.tenant, p.id) },
		"the tenant is suspended": func(t *testing.T, h *harness, p person) { h.Suspend(t, p.tenant) },
	} {
		t.Run("it dies when "+name, func(t *testing.T) {
			h := setUp(t, newFixture)
			p := h.someone(t)
			step := h.challenge(t, p)
			change(t, h, p)
			_, err := h.finish(t, step, h.code(t, p.secret))
			require.ErrorIs(t, err, authn.ErrStepToken)
			require.Zero(t, h.count(t, p.tenant, "login"))
			require.Equal(t, 1, h.count(t, p.tenant, "mfa_failed"))
		})
	}
}

// tenantPart is the tenant's text in a credential; base64url may contain the separator, so it is cut by length.
func tenantPart(t *testing.T, text string) string {
	t.Helper()
	rest, ok := strings.CutPrefix(text, "tk1_step_")
	require.True(t, ok)
	return rest[:22]
}

func codes(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Run("a code works once, whatever the step token", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		code := h.code(t, p.secret)
		_, err := h.finish(t, h.challenge(t, p), code)
		require.NoError(t, err)
		_, err = h.finish(t, h.challenge(t, p), code)
		require.ErrorIs(t, err, authn.ErrCode)
		require.Equal(t, 1, h.count(t, p.tenant, "login"))
		require.Equal(t, 1, h.count(t, p.tenant, "mfa_failed"))
	})
	t.Run("an older code is refused after a newer one", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		older := h.code(t, p.secret)
		h.clock.advance(30 * time.Second)
		h.signIn(t, p)
		_, err := h.finish(t, h.challenge(t, p), older)
		require.ErrorIs(t, err, authn.ErrCode)
	})
	t.Run("thirty-two sign-ins at once with one code make one session", func(t *testing.T) {
		h := setUp(t, newFixture, func(c *authn.Config) { c.Throttle.Code, c.Throttle.Pair = lenient, lenient })
		p := h.someone(t)
		code := h.code(t, p.secret)
		steps := make([]string, 32)
		for i := range steps {
			steps[i] = h.challenge(t, p)
		}
		won, lost := race(len(steps), func(i int) error { _, err := h.finish(t, steps[i], code); return err })
		require.Equal(t, 1, won)
		for _, err := range lost {
			require.ErrorIs(t, err, authn.ErrCode)
		}
		require.Equal(t, 1, h.count(t, p.tenant, "login"))
		require.Equal(t, 31, h.count(t, p.tenant, "mfa_failed"))
	})
	t.Run("a secret moved from another user's row opens nothing", func(t *testing.T) {
		h := setUp(t, newFixture)
		p := h.someone(t)
		sealed, err := sealer{}.Seal(p.secret, authn.SecretAAD(p.tenant, p.id))
		require.NoError(t, err)
		q := person{tenant: p.tenant, email: "eve@klinikum.example", password: rightPassword, secret: p.secret}
		q.id = h.AddUser(t, q.tenant, User{Email: q.email, PasswordHash: hashOf(q.password), Role: "Technician", Secret: func(uuid.UUID) string { return sealed }})
		_, err = h.finish(t, h.challenge(t, q), h.code(t, p.secret))
		require.Error(t, err)
		require.Zero(t, h.count(t, p.tenant, "login"))
	})
}
