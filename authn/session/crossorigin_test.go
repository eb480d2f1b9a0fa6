package session_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/session"
)

func TestCrossOriginRequestsThatChangeStateAreRefused(t *testing.T) {
	mw, err := session.CrossOrigin(session.CrossOriginConfig{TrustedOrigins: []string{"https://console.example"}})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		method  string
		headers []string
		status  int
	}{
		"a cross-site POST":              {"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a same-site POST of a sibling":  {"POST", []string{"Sec-Fetch-Site", "same-site"}, 403},
		"a same-origin POST":             {"POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"a POST typed by the user":       {"POST", []string{"Sec-Fetch-Site", "none"}, 200},
		"an old browser's foreign POST":  {"POST", []string{"Origin", "https://evil.example"}, 403},
		"an old browser's POST":          {"POST", []string{"Origin", "https://tomkit.example"}, 200},
		"an opaque origin":               {"POST", []string{"Origin", "null"}, 403},
		"a trusted origin":               {"POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://console.example"}, 200},
		"a trusted origin's other port":  {"POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://console.example:8443"}, 403},
		"a trusted origin without TLS":   {"POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://console.example"}, 403},
		"no browser":                     {"POST", nil, 200},
		"a cross-site GET":               {"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"a cross-site DELETE":            {"DELETE", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a cross-site PUT":               {"PUT", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a method nobody knows":          {"BREW", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"an unknown Sec-Fetch-Site word": {"POST", []string{"Sec-Fetch-Site", "friendly"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(tc.headers...)
			r.Method = tc.method
			ran := false
			w := httptest.NewRecorder()
			mw(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })).ServeHTTP(w, r)
			require.Equal(t, tc.status, w.Code)
			require.Equal(t, tc.status == 200, ran)
		})
	}
	for _, bad := range []string{"console.example", "https://console.example/path", ""} {
		_, err := session.CrossOrigin(session.CrossOriginConfig{TrustedOrigins: []string{bad}})
		require.Error(t, err, bad)
	}
	var got error
	mw, err = session.CrossOrigin(session.CrossOriginConfig{OnError: func(_ http.ResponseWriter, _ *http.Request, err error) { got = err }})
	require.NoError(t, err)
	r := request("Sec-Fetch-Site", "cross-site")
	r.Method = http.MethodPost
	mw(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	require.ErrorIs(t, got, session.ErrCrossOrigin)
}
