package session_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/session"
	"github.com/pioneerdesk/tomkit/authn/token"
)

// The claims of authn/token are the claims of a session: this conversion is what a server writes.
var _ = session.Claims(token.Claims{})

var (
	claims = session.Claims{
		Subject: uuid.MustParse("11111111-1111-4111-8111-111111111111"), Tenant: uuid.MustParse("22222222-2222-4222-8222-222222222222"),
		Session: uuid.MustParse("33333333-3333-4333-8333-333333333333"), ID: uuid.MustParse("44444444-4444-4444-8444-444444444444"),
		Role: "Technician", Policies: []string{"devices:read", "!audit:write"}, PolicyVersion: 7, Methods: []string{"pwd", "otp"},
		AuthTime: time.Unix(1_800_000_000, 0), IssuedAt: time.Unix(1_800_000_001, 0), Expires: time.Unix(1_800_000_901, 0),
	}
	errForged = errors.New("forged")
)

// accepting verifies exactly the token "good".
func accepting(t string) (session.Claims, error) {
	if t == "good" {
		return claims, nil
	}
	return session.Claims{}, errForged
}

func never(context.Context, uuid.UUID, uuid.UUID) (bool, error) { return false, nil }

func guard(t testing.TB, cfg session.Config) *session.Guard {
	t.Helper()
	if cfg.Verifier == nil {
		cfg.Verifier = session.VerifierFunc(accepting)
	}
	if cfg.Revocations == nil {
		cfg.Revocations = session.ByID(never)
	}
	g, err := session.New(cfg)
	require.NoError(t, err)
	return g
}

func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://tomkit.example/v1/me", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestCookieAndBearerCarryTheSameSession(t *testing.T) {
	g := guard(t, session.Config{})
	for via, r := range map[session.Via]*http.Request{
		session.ViaCookie: request("Cookie", "theme=dark; __Host-tomkit=good; lang=de"),
		session.ViaBearer: request("Authorization", "Bearer good"),
	} {
		s, err := g.Authenticate(r)
		require.NoError(t, err)
		require.Equal(t, via, s.Via())
		require.Equal(t, claims.Session, s.ID())
		require.Equal(t, claims.Subject, s.User())
		require.Equal(t, claims.Tenant, s.Tenant())
		require.Equal(t, claims.ID, s.TokenID())
		require.Equal(t, "Technician", s.Role())
		require.Equal(t, int64(7), s.PolicyVersion())
		require.Equal(t, []string{"pwd", "otp"}, s.Methods())
		require.True(t, s.HasMethod("otp"))
		require.False(t, s.HasMethod("hwk"))
		require.Equal(t, claims.Expires, s.Expires())
		require.Equal(t, claims.IssuedAt, s.IssuedAt())
		require.Equal(t, claims.AuthTime, s.AuthTime())
	}
	_, err := g.Authenticate(request("Authorization", "bEaReR good"))
	require.NoError(t, err, "schemes have no case")
}

func TestRequestsThatCannotBeBelievedAreRefused(t *testing.T) {
	g := guard(t, session.Config{})
	for name, tc := range map[string]struct {
		headers []string
		want    error
		status  int
	}{
		"nothing":                          {nil, session.ErrNone, 401},
		"another cookie":                   {[]string{"Cookie", "tomkit=good"}, session.ErrNone, 401},
		"the name without prefix case":     {[]string{"Cookie", "__host-tomkit=good"}, session.ErrNone, 401},
		"a longer name":                    {[]string{"Cookie", "__Host-tomkit2=good"}, session.ErrNone, 401},
		"an empty cookie":                  {[]string{"Cookie", "__Host-tomkit="}, session.ErrNone, 401},
		"cookie and bearer":                {[]string{"Cookie", "__Host-tomkit=good", "Authorization", "Bearer good"}, session.ErrAmbiguous, 400},
		"cookie and basic":                 {[]string{"Cookie", "__Host-tomkit=good", "Authorization", "Basic Og=="}, session.ErrAmbiguous, 400},
		"an empty cookie and bearer":       {[]string{"Cookie", "__Host-tomkit=", "Authorization", "Bearer good"}, session.ErrAmbiguous, 400},
		"two cookies":                      {[]string{"Cookie", "__Host-tomkit=good; __Host-tomkit=good"}, session.ErrAmbiguous, 400},
		"two cookies in two headers":       {[]string{"Cookie", "__Host-tomkit=good", "Cookie", "__Host-tomkit=evil"}, session.ErrAmbiguous, 400},
		"a second one net/http would drop": {[]string{"Cookie", "__Host-tomkit=good; __Host-tomkit=e\x01vil"}, session.ErrAmbiguous, 400},
		"a second one with a spaced name":  {[]string{"Cookie", "__Host-tomkit=good; __Host-tomkit =evil"}, session.ErrAmbiguous, 400},
		"two bearers":                      {[]string{"Authorization", "Bearer good", "Authorization", "Bearer good"}, session.ErrAmbiguous, 400},
		"two bearers in one header":        {[]string{"Authorization", "Bearer good, Bearer good"}, session.ErrInvalid, 401},
		"basic":                            {[]string{"Authorization", "Basic Og=="}, session.ErrInvalid, 401},
		"a bare token":                     {[]string{"Authorization", "good"}, session.ErrInvalid, 401},
		"a scheme alone":                   {[]string{"Authorization", "Bearer "}, session.ErrInvalid, 401},
		"an empty header":                  {[]string{"Authorization", ""}, session.ErrInvalid, 401},
		"two spaces":                       {[]string{"Authorization", "Bearer  good"}, session.ErrInvalid, 401},
		"a forged token":                   {[]string{"Authorization", "Bearer evil"}, errForged, 401},
		"a quoted cookie":                  {[]string{"Cookie", `__Host-tomkit="good"`}, session.ErrInvalid, 401},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := g.Authenticate(request(tc.headers...))
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, uuid.Nil, s.User())
			require.Equal(t, tc.status, session.Status(err))
		})
	}
}

func TestATokenInURLOrFormIsNoCredential(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "https://tomkit.example/?access_token=good&__Host-tomkit=good", strings.NewReader("access_token=good"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err := guard(t, session.Config{}).Authenticate(r)
	require.ErrorIs(t, err, session.ErrNone)
}

func TestRevocationIsAskedEachTimeWithTenantAndSession(t *testing.T) {
	revoked := false
	var asked int
	g := guard(t, session.Config{Revocations: session.ByID(func(_ context.Context, tenant, id uuid.UUID) (bool, error) {
		asked++
		require.Equal(t, claims.Tenant, tenant)
		require.Equal(t, claims.Session, id)
		return revoked, nil
	})})
	for range 3 {
		_, err := g.Authenticate(request("Authorization", "Bearer good"))
		require.NoError(t, err)
	}
	revoked = true
	s, err := g.Authenticate(request("Authorization", "Bearer good"))
	require.ErrorIs(t, err, session.ErrRevoked)
	require.Equal(t, uuid.Nil, s.User())
	require.Equal(t, 4, asked)
	_, _ = g.Authenticate(request("Authorization", "Bearer evil"))
	require.Equal(t, 4, asked, "nobody is asked about a forged token")
}

func TestRevocationThatCannotBeAnsweredRefuses(t *testing.T) {
	down := errors.New("down")
	for name, answer := range map[string]session.ByID{
		"an error":                    func(context.Context, uuid.UUID, uuid.UUID) (bool, error) { return false, down },
		"an error beside a 'revoked'": func(context.Context, uuid.UUID, uuid.UUID) (bool, error) { return true, down },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := guard(t, session.Config{Revocations: answer}).Authenticate(request("Authorization", "Bearer good"))
			require.ErrorIs(t, err, session.ErrUnavailable)
			require.ErrorIs(t, err, down)
			require.Equal(t, 503, session.Status(err))
		})
	}
	t.Run("an answer after the time limit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := guard(t, session.Config{RevocationTimeout: time.Second, Revocations: session.ByID(
				func(context.Context, uuid.UUID, uuid.UUID) (bool, error) {
					time.Sleep(2 * time.Second)
					return false, nil
				})})
			_, err := g.Authenticate(request("Authorization", "Bearer good"))
			require.ErrorIs(t, err, session.ErrUnavailable)
		})
	})
	t.Run("no answer at all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := guard(t, session.Config{Revocations: session.ByID(
				func(ctx context.Context, _, _ uuid.UUID) (bool, error) { <-ctx.Done(); return false, ctx.Err() })})
			start := time.Now()
			_, err := g.Authenticate(request("Authorization", "Bearer good"))
			require.ErrorIs(t, err, session.ErrUnavailable)
			require.Equal(t, 2*time.Second, time.Since(start)) // virtual time
		})
	})
}

func TestAVerifierThatForgetsIdsIsNotBelieved(t *testing.T) {
	for _, change := range []func(*session.Claims){
		func(c *session.Claims) { c.Subject = uuid.Nil },
		func(c *session.Claims) { c.Tenant = uuid.Nil },
		func(c *session.Claims) { c.Session = uuid.Nil },
	} {
		c := claims
		change(&c)
		g := guard(t, session.Config{Verifier: session.VerifierFunc(func(string) (session.Claims, error) { return c, nil })})
		_, err := g.Authenticate(request("Authorization", "Bearer good"))
		require.ErrorIs(t, err, session.ErrInvalid)
	}
}

func TestTheHandlerRunsOnlyForASession(t *testing.T) {
	ran := 0
	h := guard(t, session.Config{}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ran++
		s, ok := session.FromContext(r.Context())
		require.True(t, ok)
		require.Equal(t, claims.Subject, s.User())
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request("Cookie", "__Host-tomkit=good"))
	require.Equal(t, 200, w.Code)
	require.Equal(t, 1, ran)
	require.Empty(t, w.Header().Values("Set-Cookie"), "a session is never extended")

	w = httptest.NewRecorder()
	h.ServeHTTP(w, request("Cookie", "__Host-tomkit=evil"))
	require.Equal(t, 401, w.Code)
	require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.NotContains(t, w.Body.String(), "forged")
	require.Equal(t, 1, ran)
}

func TestAnOuterSessionIsNotInherited(t *testing.T) {
	other := claims
	other.Subject = uuid.New()
	r := request("Authorization", "Bearer good")
	r = r.WithContext(session.NewContext(r.Context(), session.NewSession(other, session.ViaCookie)))
	guard(t, session.Config{}).Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		require.Equal(t, claims.Subject, s.User())
	})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestOnErrorAnswersInPlaceOfTheHandler(t *testing.T) {
	var got error
	h := guard(t, session.Config{OnError: func(w http.ResponseWriter, _ *http.Request, err error) {
		got = err
		w.WriteHeader(http.StatusTeapot)
	}}).Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("handler ran") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request())
	require.ErrorIs(t, got, session.ErrNone)
	require.Equal(t, http.StatusTeapot, w.Code)
}

func TestASessionCannotBeChangedThroughItsAccessors(t *testing.T) {
	c := claims
	c.Policies, c.Methods = []string{"a:b"}, []string{"pwd"}
	s := session.NewSession(c, session.ViaCookie)
	c.Policies[0], c.Methods[0] = "x", "x"
	s.Policies()[0], s.Methods()[0] = "y", "y"
	require.Equal(t, []string{"a:b"}, s.Policies())
	require.Equal(t, []string{"pwd"}, s.Methods())
}

func TestFreshnessCountsFromTheLastFactor(t *testing.T) {
	s := session.NewSession(claims, session.ViaCookie)
	require.True(t, s.Fresh(claims.AuthTime.Add(5*time.Minute), 5*time.Minute))
	require.False(t, s.Fresh(claims.AuthTime.Add(5*time.Minute+1), 5*time.Minute))
	require.False(t, s.Fresh(claims.AuthTime.Add(-1), 5*time.Minute), "the future is not fresh")
	require.False(t, session.Session{}.Fresh(time.Time{}, time.Hour))
}

func TestTheCookieIsTheDocumentedOne(t *testing.T) {
	w := httptest.NewRecorder()
	session.SetCookie(w, "a.b.c")
	require.Equal(t, []string{"__Host-tomkit=a.b.c; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Strict"}, w.Header().Values("Set-Cookie"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	w = httptest.NewRecorder()
	session.ClearCookie(w)
	require.Equal(t, []string{"__Host-tomkit=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"}, w.Header().Values("Set-Cookie"))
}

func TestALargestTokenSurvivesTheCookie(t *testing.T) {
	big := strings.Repeat("x", token.MaxBytes)
	w := httptest.NewRecorder()
	session.SetCookie(w, big)
	line := w.Header().Get("Set-Cookie")
	pair, _, _ := strings.Cut(line, ";")
	require.LessOrEqual(t, len(pair), 4096)
	got, via, err := session.Read(request("Cookie", pair))
	require.NoError(t, err)
	require.Equal(t, session.ViaCookie, via)
	require.Equal(t, big, got)
}

func TestRealTokensPassTheGuard(t *testing.T) {
	key, err := token.NewKey(bytes.Repeat([]byte{9}, 32))
	require.NoError(t, err)
	issuer, err := token.NewIssuer(key, token.IssuerConfig{Issuer: "i", Audience: "a"})
	require.NoError(t, err)
	verifier, err := token.NewVerifier([]token.PublicKey{key.Public()}, token.VerifierConfig{Issuer: "i", Audience: "a"})
	require.NoError(t, err)
	text, _, err := issuer.Issue(token.Claims{Subject: claims.Subject, Tenant: claims.Tenant, Session: claims.Session,
		Role: "Technician", Methods: []string{"pwd"}, AuthTime: time.Now()})
	require.NoError(t, err)
	g := guard(t, session.Config{Verifier: session.VerifierFunc(func(s string) (session.Claims, error) {
		c, err := verifier.Verify(s)
		return session.Claims(c), err
	})})
	s, err := g.Authenticate(request("Cookie", "__Host-tomkit="+text))
	require.NoError(t, err)
	require.Equal(t, claims.Subject, s.User())
	_, err = g.Authenticate(request("Cookie", "__Host-tomkit="+text+"A"))
	require.ErrorIs(t, err, session.ErrInvalid)
	require.ErrorIs(t, err, token.ErrInvalid)
}

func TestABrowserSendsTheCookieBackOverTLSOnly(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /in", func(w http.ResponseWriter, _ *http.Request) { session.SetCookie(w, "good") })
	mux.Handle("GET /me", guard(t, session.Config{}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprint(w, s.Role())
	})))
	srv := httptest.NewTLSServer(mux)
	defer srv.Close()
	client := srv.Client()
	client.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS13
	res, err := client.Post(srv.URL+"/in", "", nil)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	cookies := res.Cookies()
	require.Len(t, cookies, 1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/me", nil)
	require.NoError(t, err)
	req.AddCookie(cookies[0])
	res, err = client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, 200, res.StatusCode)
}

func TestASessionLogsIdsOnly(t *testing.T) {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "session", session.NewSession(claims, session.ViaCookie))
	require.Contains(t, b.String(), "session.user=11111111")
	require.NotContains(t, b.String(), "devices:read")
}

func TestAGuardNeedsItsParts(t *testing.T) {
	v, r := session.VerifierFunc(accepting), session.ByID(never)
	for _, cfg := range []session.Config{{}, {Verifier: v}, {Revocations: r}, {Verifier: v, Revocations: r, RevocationTimeout: -1}} {
		_, err := session.New(cfg)
		require.Error(t, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("__Host-tomkit=a.b.c", "", "")
	f.Add("", "Bearer a.b.c", "")
	f.Add("__Host-tomkit=a; x=\"__Host-tomkit=b\"", "", "__Host-tomkit=c")
	f.Fuzz(func(t *testing.T, cookie, authorization, second string) {
		r := request()
		for _, c := range []string{cookie, second} {
			if c != "" {
				r.Header.Add("Cookie", c)
			}
		}
		if authorization != "" {
			r.Header.Add("Authorization", authorization)
		}
		got, via, err := session.Read(r)
		require.Equal(t, err == nil, got != "")
		require.Equal(t, err == nil, via != 0)
		if err == nil && len(r.CookiesNamed(session.CookieName)) > 0 {
			require.Equal(t, session.ViaCookie, via)
			require.Len(t, r.CookiesNamed(session.CookieName), 1, "never a choice between two")
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	g := guard(b, session.Config{})
	r := request("Cookie", "theme=dark; __Host-tomkit=good")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = g.Authenticate(r)
	}
}

func Example() {
	guard, err := session.New(session.Config{
		Verifier:    session.VerifierFunc(accepting), // authn/token's Verify in real life
		Revocations: session.ByID(never),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := guard.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Println("hello,", s.Role(), s.User())
	}))
	handler.ServeHTTP(httptest.NewRecorder(), request("Cookie", "__Host-tomkit=good"))

	refused := httptest.NewRecorder()
	handler.ServeHTTP(refused, request("Cookie", "__Host-tomkit=good; __Host-tomkit=other"))
	fmt.Println(refused.Code)
	// Output:
	// hello, Technician 11111111-1111-4111-8111-111111111111
	// 400
}
