package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/session"
)

func TestCredentialsOfARequest(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	admin := k.somebody(t, ward, abac.TenantAdmin)
	stale := k.issue(t, admin.claims(), func() time.Time { return time.Now().Add(-time.Hour) })
	early := k.issue(t, admin.claims(), func() time.Time { return time.Now().Add(time.Hour) })
	stranger := admin.claims()
	stranger.Tenant = k.tenant(t, "lab") // a session of another tenant
	tampered := strings.Replace(admin.token, ".", ".A", 1)

	for name, c := range map[string]struct {
		options []option
		status  int
		code    string
	}{
		"a bearer token":                        {[]option{as(admin)}, http.StatusOK, ""},
		"a cookie":                              {[]option{cookie(session.CookieName, admin.token)}, http.StatusOK, ""},
		"nothing":                               {nil, http.StatusUnauthorized, "no_token"},
		"an empty cookie":                       {[]option{cookie(session.CookieName, "")}, http.StatusUnauthorized, "no_token"},
		"cookie and bearer":                     {[]option{as(admin), cookie(session.CookieName, admin.token)}, http.StatusBadRequest, "ambiguous_credentials"},
		"two cookies":                           {[]option{cookie(session.CookieName, admin.token), cookie(session.CookieName, admin.token)}, http.StatusBadRequest, "ambiguous_credentials"},
		"two cookies in one line":               {[]option{cookie(session.CookieName, stale+"; "+session.CookieName+"="+admin.token)}, http.StatusBadRequest, "ambiguous_credentials"},
		"two Authorization headers":             {[]option{as(admin), as(admin)}, http.StatusBadRequest, "ambiguous_credentials"},
		"an expired token":                      {[]option{cookie(session.CookieName, stale)}, http.StatusUnauthorized, "no_token"},
		"a token from the future":               {[]option{cookie(session.CookieName, early)}, http.StatusUnauthorized, "no_token"},
		"a tampered token":                      {[]option{cookie(session.CookieName, tampered)}, http.StatusUnauthorized, "no_token"},
		"a session of another tenant":           {[]option{cookie(session.CookieName, k.issue(t, stranger, time.Now))}, http.StatusUnauthorized, "no_token"},
		"basic authentication":                  {[]option{header("Authorization", "Basic YTpi")}, http.StatusUnauthorized, "no_token"},
		"a device credential":                   {[]option{header("Authorization", "Bearer tk1_device_x")}, http.StatusUnauthorized, "no_token"},
		"a device credential beside a session":  {[]option{header("Authorization", "Bearer tk1_device_x"), cookie(session.CookieName, admin.token)}, http.StatusUnauthorized, "no_token"},
		"the token in the query":                {nil, http.StatusUnauthorized, "no_token"},
		"a token with something behind it":      {[]option{header("Authorization", "Bearer "+admin.token+" x")}, http.StatusUnauthorized, "no_token"},
		"a user id in a header of the client's": {[]option{header("X-User-Id", uuid.NewString()), header("X-Forwarded-User", "admin")}, http.StatusUnauthorized, "no_token"},
	} {
		t.Run(name, func(t *testing.T) {
			target := "/v1/devices"
			if strings.Contains(name, "query") {
				target += "?access_token=" + admin.token
			}
			a := k.do(t, http.MethodGet, target, nil, c.options...)
			require.Equalf(t, []any{c.status, c.code}, []any{a.StatusCode, a.problem.Code}, "%s", a.body)
			if c.status == http.StatusUnauthorized {
				require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"))
			}
			if strings.HasPrefix(string(a.body), "{") {
				require.NotContains(t, string(a.body), admin.token)
			}
		})
	}
	t.Run("sign-out wants one credential as well", func(t *testing.T) {
		k.do(t, http.MethodPost, "/v1/auth/sign-out", nil, as(admin), cookie(session.CookieName, admin.token)).refused(t, http.StatusBadRequest, "ambiguous_credentials")
	})
	t.Run("probes and documentation do not look at credentials", func(t *testing.T) {
		for _, path := range []string{"/livez", "/readyz", "/startupz", "/docs", "/openapi.json"} {
			k.do(t, http.MethodGet, path, nil, as(admin), cookie(session.CookieName, stale)).into(t, http.StatusOK, nil)
		}
	})
	require.NotContains(t, k.log.String(), admin.token)
}

func TestARevokedSessionIsRefusedAtOnce(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	for name, revoke := range map[string]string{
		"ended":              `UPDATE tomkit.sessions SET ended_at = now() WHERE id = $1`,
		"idle":               `UPDATE tomkit.sessions SET idle_at = now() - interval '1 second' WHERE id = $1`,
		"of a disabled user": `UPDATE tomkit.users SET disabled_at = now() WHERE id = (SELECT user_id FROM tomkit.sessions WHERE id = $1)`,
		"removed":            `DELETE FROM tomkit.sessions WHERE id = $1`,
	} {
		t.Run("a session that is "+name, func(t *testing.T) {
			p := k.somebody(t, ward, abac.TenantAdmin)
			k.do(t, http.MethodGet, "/v1/devices", nil, as(p)).into(t, http.StatusOK, nil)
			_, err := k.super.Exec(t.Context(), revoke, p.session)
			require.NoError(t, err)
			k.do(t, http.MethodGet, "/v1/devices", nil, as(p)).refused(t, http.StatusUnauthorized, "no_token")
		})
	}
	t.Run("a suspended tenant", func(t *testing.T) {
		p := k.somebody(t, ward, abac.TenantAdmin)
		_, err := k.super.Exec(t.Context(), `UPDATE tomkit.tenants SET status = 'suspended' WHERE id = $1`, ward)
		require.NoError(t, err)
		k.do(t, http.MethodGet, "/v1/devices", nil, as(p)).refused(t, http.StatusUnauthorized, "no_token")
	})
}

func TestChangesFromAnotherOriginAreRefused(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	admin := k.somebody(t, ward, abac.TenantAdmin)
	session := cookie(session.CookieName, admin.token)
	for name, o := range map[string]option{
		"a page of another site":             header("Sec-Fetch-Site", "cross-site"),
		"a page of a sister host":            header("Sec-Fetch-Site", "same-site"),
		"a value nobody knows":               header("Sec-Fetch-Site", "whatever"),
		"an old browser on another host":     header("Origin", "https://evil.example"),
		"an old browser on another port":     header("Origin", "https://example.com:8444"),
		"a sandboxed frame":                  header("Origin", "null"),
		"a host that only starts like ours":  header("Origin", "https://example.com.evil.example"),
		"an origin with our name as a login": header("Origin", "https://example.com@evil.example"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"/v1/devices/enrolments", "/v1/auth/password", "/v1/auth/sign-out", "/v1/audit/verify", "/v1/nothing"} {
				k.do(t, http.MethodPost, target, "{}", session, o).refused(t, http.StatusForbidden, "cross_origin")
			}
			k.do(t, http.MethodDelete, "/v1/devices/"+uuid.NewString(), nil, session, o).refused(t, http.StatusForbidden, "cross_origin")
		})
	}
	require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.enrol_tokens`))
	t.Run("our own pages may", func(t *testing.T) {
		k.do(t, http.MethodPost, "/v1/devices/enrolments", nil, session, header("Sec-Fetch-Site", "same-origin"), header("Origin", "https://example.com")).into(t, http.StatusCreated, nil)
	})
	t.Run("no answer allows another origin to read it", func(t *testing.T) {
		a := k.do(t, http.MethodOptions, "/v1/devices", nil, header("Origin", "https://evil.example"), header("Access-Control-Request-Method", "GET"))
		for name := range a.Header {
			require.False(t, strings.HasPrefix(name, "Access-Control-"), name)
		}
	})
}
