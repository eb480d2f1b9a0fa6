package server_test

import (
	"context"
	"encoding/base32"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/authn/session"
	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

const secretWord = "a long enough passphrase 1"

type signInState struct {
	State     string
	StepToken string `json:"step_token"`
	Factors   []string
}

func passwordBody(tenant, email, password string) map[string]string {
	return map[string]string{"tenant": tenant, "email": email, "password": password}
}

func codeOf(t *testing.T, secret []byte, at time.Time) string {
	t.Helper()
	app, err := totp.New(totp.Config{})
	require.NoError(t, err)
	code, err := app.Code(secret, at)
	require.NoError(t, err)
	return code
}

// setCookie returns the only Set-Cookie line for name, as it was sent.
func setCookie(t *testing.T, a *answer, name string) (line, value string) {
	t.Helper()
	for _, l := range a.Header.Values("Set-Cookie") {
		if v, ok := strings.CutPrefix(l, name+"="); ok {
			require.Empty(t, line, "%s is set twice", name)
			line = l
			value, _, _ = strings.Cut(v, ";")
		}
	}
	require.NotEmptyf(t, line, "%s is not set", name)
	return line, value
}

const nonceCookie = "__Host-tomkit-browser"

func TestSignInTakesPasswordThenCode(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	id, secret, err := k.AddPerson(t.Context(), ward, server.Person{Email: "head@ward.example", Name: "Head", Password: secretWord, Role: abac.TenantAdmin})
	require.NoError(t, err)

	stale := k.issue(t, (&person{tenant: ward, user: id, session: uuid.New(), role: abac.TenantAdmin}).claims(), func() time.Time { return time.Now().Add(-time.Hour) })
	a := k.do(t, http.MethodPost, "/v1/auth/password", passwordBody("ward", "Head@Ward.example", secretWord), cookie(session.CookieName, stale), header("User-Agent", "ua/1"))
	var state signInState
	a.into(t, http.StatusOK, &state) // the expired cookie does not stand in the way
	require.Equal(t, "challenge", state.State)
	require.Equal(t, []string{"totp"}, state.Factors)
	line, nonce := setCookie(t, a, nonceCookie)
	require.Equal(t, nonceCookie+"="+nonce+"; Path=/; HttpOnly; Secure; SameSite=Strict", line)
	require.NotContains(t, strings.Join(a.Header.Values("Set-Cookie"), "\n"), session.CookieName+"=", "a session before the second factor")

	browser := []option{cookie(nonceCookie, nonce), header("User-Agent", "ua/1")}
	code := codeOf(t, secret, time.Now())
	body := map[string]string{"step_token": state.StepToken, "code": code}
	t.Run("the step token belongs to the browser it was given to", func(t *testing.T) {
		k.do(t, http.MethodPost, "/v1/auth/totp", body, cookie(nonceCookie, "another"), header("User-Agent", "ua/1")).refused(t, http.StatusUnauthorized, "step_token")
	})
	a = k.do(t, http.MethodPost, "/v1/auth/totp", body, append(browser, cookie(session.CookieName, stale))...)
	a.into(t, http.StatusOK, &state)
	require.Equal(t, "signed_in", state.State)
	line, access := setCookie(t, a, session.CookieName)
	require.Equal(t, "__Host-tomkit="+access+"; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Strict", line)
	require.NotContains(t, string(a.body), access, "the token is in reach of scripts")

	t.Run("the session knows who it is", func(t *testing.T) {
		var me struct {
			User, Tenant  uuid.UUID
			Role          string
			AMR, Policies []string
		}
		k.do(t, http.MethodGet, "/v1/me", nil, cookie(session.CookieName, access)).into(t, http.StatusOK, &me)
		require.Equal(t, []any{id, ward, abac.TenantAdmin, []string{"pwd", "otp"}}, []any{me.User, me.Tenant, me.Role, me.AMR})
		require.Contains(t, me.Policies, "devices:*")
	})
	t.Run("neither step token nor code work again", func(t *testing.T) {
		k.do(t, http.MethodPost, "/v1/auth/totp", body, browser...).refused(t, http.StatusUnauthorized, "step_token")
		var again signInState
		k.do(t, http.MethodPost, "/v1/auth/password", passwordBody("ward", "head@ward.example", secretWord), browser...).into(t, http.StatusOK, &again)
		k.do(t, http.MethodPost, "/v1/auth/totp", map[string]string{"step_token": again.StepToken, "code": code}, browser...).refused(t, http.StatusUnauthorized, "code")
	})
	t.Run("signing out ends the cookie and every copy at once", func(t *testing.T) {
		bearer := header("Authorization", "Bearer "+access)
		k.do(t, http.MethodGet, "/v1/devices", nil, bearer).into(t, http.StatusOK, nil)
		out := k.do(t, http.MethodPost, "/v1/auth/sign-out", nil, cookie(session.CookieName, access))
		out.into(t, http.StatusNoContent, nil)
		line, _ := setCookie(t, out, session.CookieName)
		require.Equal(t, "__Host-tomkit=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict", line)
		k.do(t, http.MethodGet, "/v1/devices", nil, bearer).refused(t, http.StatusUnauthorized, "no_token")
		k.do(t, http.MethodGet, "/v1/devices", nil, cookie(session.CookieName, access)).refused(t, http.StatusUnauthorized, "no_token")
		k.do(t, http.MethodPost, "/v1/auth/sign-out", nil, bearer).refused(t, http.StatusUnauthorized, "no_token")
	})
	t.Run("nothing of it is in the log", func(t *testing.T) {
		for name, text := range map[string]string{
			"password": secretWord, "code": `"` + code, "access token": access, "step token": state.StepToken, "nonce": nonce, "address": "head@ward.example",
			"TOTP secret": base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret),
		} {
			if text != "" {
				require.NotContainsf(t, k.log.String(), text, "the %s", name)
			}
		}
	})
}

func TestSignInWithoutAFactorLeadsToEnrolment(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	_, err := k.People.CreateUser(t.Context(), pgauthn.By{}, ward, pgauthn.NewUser{Email: "new@ward.example", Password: secretWord, Role: abac.TenantUser})
	require.NoError(t, err)
	first := k.do(t, http.MethodPost, "/v1/auth/password", passwordBody("ward", "new@ward.example", secretWord))
	var state signInState
	first.into(t, http.StatusOK, &state)
	require.Equal(t, "enrolment", state.State)
	_, nonce := setCookie(t, first, nonceCookie)
	browser := cookie(nonceCookie, nonce)

	t.Run("the step token opens nothing else", func(t *testing.T) {
		k.do(t, http.MethodGet, "/v1/me", nil, header("Authorization", "Bearer "+state.StepToken), browser).refused(t, http.StatusUnauthorized, "no_token")
	})
	t.Run("the offer is for this browser", func(t *testing.T) {
		k.do(t, http.MethodPost, "/v1/auth/totp/enrolment", map[string]string{"step_token": state.StepToken}).refused(t, http.StatusUnauthorized, "step_token")
	})
	var offer, reload struct{ Secret, URI string }
	k.do(t, http.MethodPost, "/v1/auth/totp/enrolment", map[string]string{"step_token": state.StepToken}, browser).into(t, http.StatusOK, &offer)
	k.do(t, http.MethodPost, "/v1/auth/totp/enrolment", map[string]string{"step_token": state.StepToken}, browser).into(t, http.StatusOK, &reload)
	require.Equal(t, offer, reload, "a reloaded page would void the scanned code")
	require.True(t, strings.HasPrefix(offer.URI, "otpauth://totp/"), offer.URI)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(offer.Secret)
	require.NoError(t, err)

	confirm := func(code string) *answer {
		return k.do(t, http.MethodPost, "/v1/auth/totp/enrolment/confirm", map[string]string{"step_token": state.StepToken, "code": code}, browser)
	}
	confirm(codeOf(t, secret, time.Now().Add(-time.Hour))).refused(t, http.StatusUnauthorized, "code")
	done := confirm(codeOf(t, secret, time.Now()))
	done.into(t, http.StatusOK, &state)
	require.Equal(t, "signed_in", state.State)
	_, access := setCookie(t, done, session.CookieName)
	k.do(t, http.MethodGet, "/v1/devices", nil, cookie(session.CookieName, access)).into(t, http.StatusOK, nil)
	require.NotContains(t, k.log.String(), offer.Secret)
}

func TestAFailedSignInTellsNothing(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	_, err := k.People.CreateUser(t.Context(), pgauthn.By{}, ward, pgauthn.NewUser{Email: "head@ward.example", Password: secretWord, Role: abac.TenantUser})
	require.NoError(t, err)
	normal := func(a *answer) (string, http.Header) {
		a.refused(t, http.StatusUnauthorized, "sign_in")
		head := a.Header.Clone()
		head.Del("X-Request-Id")
		return strings.ReplaceAll(string(a.body), a.problem.RequestID, ""), head
	}
	want, wantHeader := normal(k.do(t, http.MethodPost, "/v1/auth/password", passwordBody("ward", "head@ward.example", "wrong")))
	for name, body := range map[string]map[string]string{
		"an unknown user":             passwordBody("ward", "nobody@ward.example", secretWord),
		"an unknown tenant":           passwordBody("nowhere", "head@ward.example", secretWord),
		"a slug no tenant can have":   passwordBody("No Such\x00Slug", "head@ward.example", secretWord),
		"a host of nobody":            {"email": "head@ward.example", "password": secretWord},
		"an address that is none":     passwordBody("ward", "not an address", secretWord),
		"an address with a zero byte": passwordBody("ward", "head\x00@ward.example", secretWord),
	} {
		t.Run(name+" looks like a wrong password", func(t *testing.T) {
			got, gotHeader := normal(k.do(t, http.MethodPost, "/v1/auth/password", body))
			require.Equal(t, want, got)
			require.Equal(t, wantHeader, gotHeader)
		})
	}
	require.NotContains(t, k.log.String(), "nobody@ward.example")
	require.NotContains(t, k.log.String(), secretWord)
}

// TestTheHostNamesTheTenantWhereNothingElseDoes signs the same person of two tenants in.
func TestTheHostNamesTheTenantWhereNothingElseDoes(t *testing.T) {
	k := open(t)
	ward, lab := k.tenant(t, "ward"), k.tenant(t, "lab")
	for id, password := range map[uuid.UUID]string{ward: secretWord, lab: "another " + secretWord} {
		_, err := k.People.CreateUser(t.Context(), pgauthn.By{}, id, pgauthn.NewUser{Email: "head@ward.example", Password: password, Role: abac.TenantUser})
		require.NoError(t, err)
	}
	system := func(fn func(context.Context, *rls.Tx) error) {
		require.NoError(t, k.DB.System(t.Context(), "test", fn))
	}
	system(func(ctx context.Context, tx *rls.Tx) error { return tenant.AddHost(ctx, tx, ward, "ward.example") })
	at := func(host string) option { return func(r *http.Request) { r.Host = host } }
	byHost := map[string]string{"email": "head@ward.example", "password": secretWord}
	var state signInState
	k.do(t, http.MethodPost, "/v1/auth/password", byHost, at("Ward.Example:8443")).into(t, http.StatusOK, &state)
	require.Equal(t, "enrolment", state.State)
	t.Run("a slug wins over the host", func(t *testing.T) {
		k.do(t, http.MethodPost, "/v1/auth/password", passwordBody("lab", "head@ward.example", secretWord), at("ward.example")).refused(t, http.StatusUnauthorized, "sign_in")
		k.do(t, http.MethodPost, "/v1/auth/password", passwordBody("lab", "head@ward.example", "another "+secretWord), at("ward.example")).into(t, http.StatusOK, &state)
	})
	t.Run("headers that proxies write do not", func(t *testing.T) {
		k.do(t, http.MethodPost, "/v1/auth/password", byHost, at("lab.example"), header("X-Forwarded-Host", "ward.example"), header("Forwarded", "host=ward.example")).refused(t, http.StatusUnauthorized, "sign_in")
	})
	t.Run("a host that is none, and a suspended tenant's, are strangers", func(t *testing.T) {
		k.do(t, http.MethodPost, "/v1/auth/password", byHost, at("ward.example\x00")).refused(t, http.StatusUnauthorized, "sign_in")
		system(func(ctx context.Context, tx *rls.Tx) error { return tenant.SetStatus(ctx, tx, ward, tenant.Suspended) })
		k.do(t, http.MethodPost, "/v1/auth/password", byHost, at("ward.example")).refused(t, http.StatusUnauthorized, "sign_in")
	})
}

func TestGuessingIsSlowedDown(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	_, err := k.People.CreateUser(t.Context(), pgauthn.By{}, ward, pgauthn.NewUser{Email: "head@ward.example", Password: secretWord, Role: abac.TenantUser})
	require.NoError(t, err)
	guess := func(password, addr string) *answer {
		return k.do(t, http.MethodPost, "/v1/auth/password", passwordBody("ward", "head@ward.example", password), from(addr))
	}
	for range 6 {
		guess("wrong", "192.0.2.7:1").refused(t, http.StatusUnauthorized, "sign_in")
	}
	a := guess(secretWord, "192.0.2.7:2") // the right one, too: the port is not the client
	a.refused(t, http.StatusTooManyRequests, "throttled")
	require.Regexp(t, `^[1-9][0-9]{0,3}$`, a.Header.Get("Retry-After"))
	var state signInState
	guess(secretWord, "192.0.2.8:1").into(t, http.StatusOK, &state) // the user is not locked out elsewhere
}
