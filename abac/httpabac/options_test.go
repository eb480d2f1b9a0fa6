package httpabac_test

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
	"github.com/pioneerdesk/tomkit/abac/label"
)

func TestCleared(t *testing.T) {
	f := newFixture(t)
	secret, err := label.NATO().Label("SECRET")
	require.NoError(t, err)
	restricted, err := label.NATO().Label("RESTRICTED")
	require.NoError(t, err)
	labels := map[string]any{"secret": secret, "restricted": restricted, "zero": label.Label{}}
	mux := httpabac.NewMux(f.guard)
	mux.Handle("GET /v1/reports/{id}", f.handler(), httpabac.Policy("audit:read", httpabac.Cleared(func(r *http.Request) any {
		return labels[r.PathValue("id")]
	})))
	sub := f.subject("audit:read")
	for path, want := range map[string]int{"restricted": 200, "secret": 403, "zero": 403, "missing": 403} {
		sub.Clearance, err = label.NATO().Clearance("CONFIDENTIAL", nil)
		require.NoError(t, err)
		w := call(mux, "GET", "/v1/reports/"+path, sub, nil)
		require.Equal(t, want, w.Code, path)
		if want == 403 {
			require.Contains(t, w.Body.String(), `"code":"label_too_low"`)
			require.NotContains(t, w.Body.String(), "SECRET")
		}
		sub.Clearance = nil
		require.Equal(t, 403, call(mux, "GET", "/v1/reports/"+path, sub, nil).Code)
	}
	require.Equal(t, 1, f.ran)
	require.True(t, mux.Routes()[0].Labelled)
	require.Contains(t, call(mux, "GET", "/v1/reports/secret", f.subject(), nil).Body.String(), "no_match", "no label is told to who lacks the permission")
	require.Panics(t, func() { f.guard.RequirePolicy("audit:read", httpabac.Cleared(nil)) })
}

func TestWhen(t *testing.T) {
	f := newFixture(t)
	inside := netip.MustParsePrefix("10.0.0.0/8")
	guard, err := httpabac.New(httpabac.Config{
		Universe: f.universe, Now: func() time.Time { return noon }, Record: func(_ context.Context, rec httpabac.Record) error {
			f.records = append(f.records, rec)
			return nil
		},
		Facts: func(r *http.Request, req *abac.Request) {
			if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
				req.Addr = addr.Addr()
			}
		},
	})
	require.NoError(t, err)
	mux := httpabac.NewMux(guard)
	mux.Handle("GET /inside", f.handler(), httpabac.Policy("audit:read", httpabac.When(nil, abac.From(inside))))
	mux.Handle("GET /nowhere", f.handler(), httpabac.Policy("audit:read", httpabac.When(func(_ *http.Request, req *abac.Request) {
		require.True(t, req.Addr.IsValid(), "the facts of the route come after those of the guard")
		require.Equal(t, noon, req.Now)
		req.Addr = netip.Addr{}
	}, abac.From(inside))))
	mux.Handle("GET /two", f.handler(), httpabac.Policy("audit:read", httpabac.When(nil, abac.From(inside)), httpabac.When(nil, abac.DualControl(time.Hour))))
	get := func(path, from string) string {
		r, err := http.NewRequestWithContext(httpabac.WithSubject(context.Background(), f.subject("audit:read")), "GET", path, http.NoBody)
		require.NoError(t, err)
		r.RemoteAddr = from
		w := newRecorder()
		mux.ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			return "ok"
		}
		require.Equal(t, http.StatusForbidden, w.Code)
		return code(t, w)
	}
	require.Equal(t, "ok", get("/inside", "10.1.2.3:4"))
	require.Equal(t, "network_not_allowed", get("/inside", "192.0.2.1:4"))
	require.Equal(t, "network_not_allowed", get("/inside", "nonsense"))
	require.Equal(t, "network_not_allowed", get("/nowhere", "10.1.2.3:4"))
	require.Equal(t, "dual_control_required", get("/two", "10.1.2.3:4"))
	require.Equal(t, 2, mux.Routes()[2].Conditions)
	require.Panics(t, func() { guard.RequirePolicy("audit:read", httpabac.When(nil)) })
	require.Panics(t, func() { guard.RequirePolicy("audit:read", httpabac.When(nil, abac.Condition{})) })
	t.Run("options leave an access that is used again alone", func(t *testing.T) {
		first := httpabac.When(nil, abac.From(inside))
		a, b := httpabac.Policy("audit:read", first, first), httpabac.Policy("audit:read", first)
		mux := httpabac.NewMux(guard)
		mux.Handle("GET /a", f.handler(), a)
		mux.Handle("GET /b", f.handler(), b)
		require.Equal(t, 2, mux.Routes()[0].Conditions)
		require.Equal(t, 1, mux.Routes()[1].Conditions)
	})
}

// TestThePoliciesInForceBindEveryRoute changes them under a running guard.
func TestThePoliciesInForceBindEveryRoute(t *testing.T) {
	f := newFixture(t)
	set := abac.TOM6PolicySet()
	set.Version, set.MinVersion = 9, 7
	set.Constraints = []abac.Constraint{{Policy: "*:read", When: []abac.Condition{abac.MFA(abac.PhishingResistant, 0)}}}
	strict, err := set.Compile(f.universe)
	require.NoError(t, err)
	var inForce *abac.Policies
	guard, err := httpabac.New(httpabac.Config{
		Universe: f.universe, Policies: func() *abac.Policies { return inForce },
		Record: func(context.Context, httpabac.Record) error { return nil },
		Facts:  func(_ *http.Request, req *abac.Request) { req.Constraints, req.MinVersion = nil, 0 },
	})
	require.NoError(t, err)
	h := guard.RequirePolicy("devices:read")(f.handler())
	sub := f.subject("*:*")
	require.Equal(t, http.StatusOK, call(h, "GET", "/", sub, nil).Code)
	inForce = strict
	require.Equal(t, "stale_policy", code(t, call(h, "GET", "/", sub, nil)))
	sub.Version = 7
	require.Equal(t, "mfa_required", code(t, call(h, "GET", "/", sub, nil)))
	sub.Level = abac.PhishingResistant
	require.Equal(t, http.StatusOK, call(h, "GET", "/", sub, nil).Code)
}

func TestFactsThatPanicLetNobodyThrough(t *testing.T) {
	f := newFixture(t)
	h := f.guard.RequirePolicy("audit:read", httpabac.When(func(*http.Request, *abac.Request) { panic("facts") }, abac.SameTenant()))(f.handler())
	require.Panics(t, func() { call(h, "GET", "/", f.subject("*:*"), nil) })
	h = f.guard.RequirePolicy("audit:read", httpabac.Cleared(func(*http.Request) any { panic("label") }))(f.handler())
	require.Panics(t, func() { call(h, "GET", "/", f.subject("*:*"), nil) })
	require.Zero(t, f.ran)
}

func TestStepUp(t *testing.T) {
	f := newFixture(t)
	build := func(challenge string, classes map[abac.Level]string) *httpabac.Mux {
		guard, err := httpabac.New(httpabac.Config{
			Universe: f.universe, Challenge: challenge, StepUp: classes, Now: func() time.Time { return noon },
			Record: func(_ context.Context, rec httpabac.Record) error { f.records = append(f.records, rec); return nil },
		})
		require.NoError(t, err)
		mux := httpabac.NewMux(guard)
		mux.Handle("PUT /keys", f.handler(), httpabac.Policy("settings:write", httpabac.MFA(abac.MultiFactor, 5*time.Minute)))
		mux.Handle("PUT /strong", f.handler(), httpabac.Policy("settings:write", httpabac.MFA(abac.PhishingResistant, 0)))
		mux.Handle("PUT /{tenant}/keys", f.handler(), httpabac.Policy("settings:write", httpabac.When(nil, abac.MFA(abac.MultiFactor, 0)), httpabac.TenantParam("tenant")))
		mux.Handle("PUT /labelled", f.handler(), httpabac.Policy("settings:write", httpabac.MFA(abac.MultiFactor, 0), httpabac.Cleared(func(*http.Request) any { return nil })))
		return mux
	}
	classes := map[abac.Level]string{abac.MultiFactor: "urn:example:mfa", abac.PhishingResistant: "phr"}
	weak := f.subject("settings:*")
	weak.Level = abac.SingleFactor
	const prefix = `Bearer error="insufficient_user_authentication", error_description="A stronger or more recent authentication is required."`
	t.Run("a stronger login would do: 401 with what it takes", func(t *testing.T) {
		w := call(build("", classes), "PUT", "/keys", weak, nil)
		require.Equal(t, http.StatusUnauthorized, w.Code)
		require.Equal(t, prefix+`, acr_values="urn:example:mfa phr", max_age="300"`, w.Header().Get("WWW-Authenticate"))
		require.Contains(t, w.Body.String(), `"code":"mfa_required"`)
		require.Contains(t, w.Body.String(), `"status":401`)
		require.Equal(t, abac.MFARequired, f.records[len(f.records)-1].Decision.Reason)
		w = call(build("", classes), "PUT", "/strong", f.subject("settings:*"), nil)
		require.Equal(t, prefix+`, acr_values="phr"`, w.Header().Get("WWW-Authenticate"))
		w = call(build(`Bearer realm="tomkit"`, map[abac.Level]string{abac.SingleFactor: "pwd"}), "PUT", "/strong", weak, nil)
		require.Equal(t, `Bearer realm="tomkit",`+prefix[len("Bearer"):], w.Header().Get("WWW-Authenticate"), "no class known: none named")
		old := f.subject("settings:*")
		old.AuthTime = noon.Add(-time.Hour)
		require.Equal(t, http.StatusUnauthorized, call(build("", classes), "PUT", "/keys", old, nil).Code)
	})
	t.Run("a stronger login would not do: 403 as documented", func(t *testing.T) {
		for name, tc := range map[string]struct {
			path     string
			policies []string
			code     string
		}{
			"without the permission":                 {"/keys", []string{"settings:read"}, "no_match"},
			"with a deny":                            {"/keys", []string{"*:*", "!settings:*"}, "explicit_deny"},
			"in another tenant":                      {"/" + "0b4e0d2c-5f0a-4b43-9d0e-0f7d8b1a2c3e" + "/keys", []string{"*:*"}, "tenant_mismatch"},
			"without a clearance, which comes later": {"/labelled", []string{"*:*"}, "mfa_required"},
		} {
			sub := f.subject(tc.policies...)
			sub.Level = abac.SingleFactor
			w := call(build("", classes), "PUT", tc.path, sub, nil)
			require.Equal(t, http.StatusForbidden, w.Code, name)
			require.Equal(t, tc.code, code(t, w), name)
			require.Empty(t, w.Header().Get("WWW-Authenticate"), name)
		}
	})
	t.Run("it is off by default", func(t *testing.T) {
		w := call(build("", nil), "PUT", "/keys", weak, nil)
		require.Equal(t, http.StatusForbidden, w.Code)
		require.Empty(t, w.Header().Get("WWW-Authenticate"))
	})
	require.Zero(t, f.ran)
	t.Run("classes that could break the header are refused", func(t *testing.T) {
		for _, class := range []string{"", "a b", `a"`, `a\`, "a\r\nX: y", "ü"} {
			_, err := httpabac.New(httpabac.Config{Universe: f.universe, StepUp: map[abac.Level]string{abac.MultiFactor: class}})
			require.Error(t, err)
		}
		_, err := httpabac.New(httpabac.Config{Universe: f.universe, StepUp: map[abac.Level]string{9: "x"}})
		require.Error(t, err)
	})
}

func TestSampleAllows(t *testing.T) {
	f := newFixture(t)
	for _, tc := range []struct {
		rate     uint32
		min, max int
	}{{0, 0, 0}, {1, 1000, 1000}, {10, 40, 200}} {
		var records []httpabac.Record
		guard, err := httpabac.New(httpabac.Config{Universe: f.universe, SampleAllows: tc.rate, Record: func(_ context.Context, rec httpabac.Record) error {
			records = append(records, rec)
			return httpabac.ErrNotRecorded // a sample that is missing refuses nothing
		}})
		require.NoError(t, err)
		h := guard.RequirePolicy("devices:read")(f.handler())
		for range 1000 {
			require.Equal(t, http.StatusOK, call(h, "GET", "/", f.subject("devices:read"), nil).Code)
		}
		require.GreaterOrEqual(t, len(records), tc.min)
		require.LessOrEqual(t, len(records), tc.max)
		for _, rec := range records {
			require.True(t, rec.Decision.Allowed && !rec.Privileged)
		}
	}
}
