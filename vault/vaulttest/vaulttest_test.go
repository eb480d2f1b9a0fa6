package vaulttest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/vaulttest"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func setup(t *testing.T, cfg vaulttest.Config) (*vaulttest.Server, *vaulttest.Clock) {
	clock := vaulttest.NewClock(start)
	cfg.Now = clock.Now
	return vaulttest.New(t, cfg), clock
}

// call sends a request and returns the status and document of the answer.
func call(t *testing.T, s *vaulttest.Server, method, path, token, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("X-Vault-Token", token)
	req.Header.Set("Authorization", "Bearer "+token)
	if path == "/token" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := vaulttest.HTTPClient(s).Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var document map[string]any
	if len(data) > 0 {
		require.NoError(t, json.Unmarshal(data, &document))
	}
	return res.StatusCode, document
}

func exchange(t *testing.T, s *vaulttest.Server, assertion string) (int, map[string]any) {
	t.Helper()
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	return call(t, s, http.MethodPost, "/token", "", form.Encode())
}

func TestAssertionsAreReallyVerified(t *testing.T) {
	s, _ := setup(t, vaulttest.Config{MaxAssertion: 10 * time.Minute})
	now := start.Unix()
	for name, tc := range map[string]struct{ header, claims map[string]any }{
		"another algorithm":   {header: map[string]any{"alg": "none"}},
		"another key":         {header: map[string]any{"kid": "x"}},
		"another issuer":      {claims: map[string]any{"iss": "x"}},
		"another subject":     {claims: map[string]any{"sub": "x"}},
		"another audience":    {claims: map[string]any{"aud": "x"}},
		"no id":               {claims: map[string]any{"jti": nil}},
		"no end":              {claims: map[string]any{"exp": nil}},
		"no time":             {claims: map[string]any{"iat": nil}},
		"a time as text":      {claims: map[string]any{"iat": fmt.Sprint(now)}},
		"a time in future":    {claims: map[string]any{"iat": now + 61, "exp": now + 100}},
		"an end in the past":  {claims: map[string]any{"iat": now - 100, "exp": now - 61}},
		"too long a lifetime": {claims: map[string]any{"exp": now + 601}},
	} {
		t.Run(name, func(t *testing.T) {
			assertion, err := s.SignAssertion(tc.header, tc.claims)
			require.NoError(t, err)
			status, document := exchange(t, s, assertion)
			require.Equal(t, http.StatusBadRequest, status)
			require.Equal(t, "invalid_grant", document["error"])
		})
	}
	good, err := s.SignAssertion(nil, map[string]any{"exp": now + 600})
	require.NoError(t, err)
	parts := strings.Split(good, ".")
	other, err := s.SignAssertion(nil, nil)
	require.NoError(t, err)
	for _, forged := range []string{
		"", "a.b", parts[0] + "." + parts[1] + ".", parts[0] + "." + strings.Split(other, ".")[1] + "." + parts[2], good + "A",
	} {
		status, _ := exchange(t, s, forged)
		require.Equal(t, http.StatusBadRequest, status)
	}
	status, document := exchange(t, s, good)
	require.Equal(t, http.StatusOK, status)
	require.EqualValues(t, 600, document["expires_in"])
	status, _ = exchange(t, s, good)
	require.Equal(t, http.StatusBadRequest, status, "an id is used once")
	require.Len(t, s.Assertions(), 1)
	s.ForgetKey()
	_, document = exchange(t, s, other)
	require.Contains(t, document["error_description"], "was not found")
}

func TestTheManagementPlaneNeedsALivingToken(t *testing.T) {
	s, clock := setup(t, vaulttest.Config{})
	assertion, err := s.SignAssertion(nil, nil)
	require.NoError(t, err)
	_, document := exchange(t, s, assertion)
	token := document["access_token"].(string)
	path := "/v1/projects/" + s.Project() + "/instances/" + s.Instance()
	for _, wrong := range []string{"", "x", s.RootToken()} {
		status, _ := call(t, s, http.MethodGet, path, wrong, "")
		require.Equal(t, http.StatusUnauthorized, status)
	}
	status, document := call(t, s, http.MethodGet, path, token, "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, s.URL(), document["apiUrl"])
	for method, wrong := range map[string]string{http.MethodPatch: path + "/users", http.MethodGet: path + "x"} {
		status, _ = call(t, s, method, wrong, token, "")
		require.Equal(t, http.StatusNotFound, status)
	}
	for _, body := range []string{"", "{}", `{"description":"d"}`, `{"write":false}`, `{"description":1,"write":false}`} {
		status, _ = call(t, s, http.MethodPost, path+"/users", token, body)
		require.Equal(t, http.StatusBadRequest, status, body)
	}
	status, user := call(t, s, http.MethodPost, path+"/users", token, `{"description":"d","write":true}`)
	require.Equal(t, http.StatusOK, status)
	require.NotEmpty(t, user["password"])
	one := path + "/users/" + user["id"].(string)
	_, document = call(t, s, http.MethodGet, one, token, "")
	require.Empty(t, document["password"])
	status, _ = call(t, s, http.MethodPut, one, token, `{"write":false}`)
	require.Equal(t, http.StatusNoContent, status)
	require.False(t, s.Users()[0].Write)
	status, acl := call(t, s, http.MethodPost, path+"/acls", token, `{"cidr":"192.0.2.0/24"}`)
	require.Equal(t, http.StatusOK, status)
	status, _ = call(t, s, http.MethodPost, path+"/acls", token, `{"cidr":"192.0.2.0/24"}`)
	require.Equal(t, http.StatusConflict, status)
	status, _ = call(t, s, http.MethodDelete, path+"/acls/"+acl["id"].(string), token, "")
	require.Equal(t, http.StatusNoContent, status)
	status, _ = call(t, s, http.MethodDelete, one, token, "")
	require.Equal(t, http.StatusNoContent, status)
	clock.Advance(10 * time.Minute)
	status, _ = call(t, s, http.MethodGet, path, token, "")
	require.Equal(t, http.StatusUnauthorized, status, "the token has ended")
}

// login returns a Vault token of a new user.
func login(t *testing.T, s *vaulttest.Server, write bool) string {
	t.Helper()
	username, password := s.AddUser("test", write, start)
	status, document := call(t, s, http.MethodPost, "/v1/auth/userpass/login/"+username, "", `{"password":"`+password+`"}`)
	require.Equal(t, http.StatusOK, status)
	return document["auth"].(map[string]any)["client_token"].(string)
}

func TestAReaderCannotWrite(t *testing.T) {
	s, _ := setup(t, vaulttest.Config{Secrets: map[string]map[string]string{"a": {"v": "1"}}})
	reader, writer := login(t, s, false), login(t, s, true)
	mount := "/v1/" + s.Instance()
	for _, try := range []struct{ method, path, body string }{
		{http.MethodPost, "/data/a", `{"data":{"v":"2"}}`}, {http.MethodPut, "/data/b", `{"data":{}}`}, {http.MethodDelete, "/data/a", ""},
		{http.MethodDelete, "/metadata/a", ""}, {http.MethodPost, "/destroy/a", `{"versions":[1]}`}, {http.MethodPost, "/undelete/a", `{"versions":[1]}`},
	} {
		status, _ := call(t, s, try.method, mount+try.path, reader, try.body)
		require.Equal(t, http.StatusForbidden, status, try.path)
	}
	status, _ := call(t, s, http.MethodGet, mount+"/data/a", "", "")
	require.Equal(t, http.StatusForbidden, status)
	status, document := call(t, s, http.MethodPost, mount+"/data/a", writer, `{"data":{"v":"2"},"options":{"cas":1}}`)
	require.Equal(t, http.StatusOK, status)
	require.EqualValues(t, 2, document["data"].(map[string]any)["version"])
	status, _ = call(t, s, http.MethodPost, mount+"/data/a", writer, `{"data":{"v":"3"},"options":{"cas":1}}`)
	require.Equal(t, http.StatusBadRequest, status)
	status, _ = call(t, s, http.MethodPost, mount+"/delete/a", writer, `{"versions":[2]}`)
	require.Equal(t, http.StatusNoContent, status)
	status, _ = call(t, s, http.MethodGet, mount+"/data/a", reader, "")
	require.Equal(t, http.StatusNotFound, status)
	_, _ = call(t, s, http.MethodPost, mount+"/undelete/a", writer, `{"versions":[2]}`)
	status, _ = call(t, s, http.MethodGet, mount+"/data/a", reader, "")
	require.Equal(t, http.StatusOK, status)
	_, _ = call(t, s, http.MethodDelete, mount+"/metadata/a", writer, "")
	status, _ = call(t, s, "LIST", mount+"/metadata/", reader, "")
	require.Equal(t, http.StatusNotFound, status)
}

func TestOldVersionsGo(t *testing.T) {
	s, _ := setup(t, vaulttest.Config{})
	for i := range 12 {
		require.NoError(t, s.Put("a", map[string]string{"v": fmt.Sprint(i + 1)}))
	}
	mount := "/v1/" + s.Instance()
	for version, want := range map[int]int{1: 404, 2: 404, 3: 200, 12: 200, 13: 404} {
		status, _ := call(t, s, http.MethodGet, fmt.Sprintf("%s/data/a?version=%d", mount, version), s.RootToken(), "")
		require.Equal(t, want, status, version)
	}
	_, document := call(t, s, http.MethodGet, mount+"/metadata/a", s.RootToken(), "")
	require.EqualValues(t, 3, document["data"].(map[string]any)["oldest_version"])
	for _, path := range []string{"", "/a", "a/", "a//b"} {
		require.Error(t, s.Put(path, nil))
	}
}

func TestANewUserIsKnownAfterTheGrace(t *testing.T) {
	s, clock := setup(t, vaulttest.Config{LoginGrace: 3 * time.Second})
	username, password := s.AddUser("test", false, clock.Now())
	try := func() int {
		status, _ := call(t, s, http.MethodPost, "/v1/auth/userpass/login/"+username, "", `{"password":"`+password+`"}`)
		return status
	}
	require.Equal(t, http.StatusBadRequest, try())
	clock.Advance(3 * time.Second)
	require.Equal(t, http.StatusOK, try())
	require.Len(t, s.Tokens(), 1)
	clock.Advance(15 * time.Minute)
	require.Empty(t, s.Tokens(), "tokens end by time")
}

func TestFaultsHitTheCallsTheyAreMeantFor(t *testing.T) {
	s, _ := setup(t, vaulttest.Config{})
	s.Inject(vaulttest.StepHealth, 2, vaulttest.Fault{Status: 500})
	s.Inject(vaulttest.StepHealth, 3, vaulttest.Fault{Status: 502, RetryAfter: "7"})
	var got []int
	for range 4 {
		status, _ := call(t, s, http.MethodGet, "/v1/sys/health", "", "")
		got = append(got, status)
		status, _ = call(t, s, http.MethodGet, "/v1/sys/seal-status", "", "")
		require.Equal(t, http.StatusOK, status)
	}
	require.Equal(t, []int{200, 500, 502, 200}, got)
	s.Inject(vaulttest.StepHealth, vaulttest.Every, vaulttest.Fault{Reset: true})
	for range 2 {
		_, err := vaulttest.HTTPClient(s).Get(s.URL() + "/v1/sys/health")
		require.Error(t, err)
	}
	s.Heal()
	status, _ := call(t, s, http.MethodGet, "/v1/sys/health?standbycode=299&activecode=298", "", "")
	require.Equal(t, 298, status)
	journal := s.Journal()
	require.Equal(t, vaulttest.StepHealth, journal[0].Step)
	require.Zero(t, journal[8].Status)
	require.False(t, journal[8].Happened)
	require.Empty(t, journal[0].Header.Get("X-Vault-Token"))
}

func TestCertificatesAreShownOnNewConnections(t *testing.T) {
	s, _ := setup(t, vaulttest.Config{})
	for kind, want := range map[vaulttest.Certificate]string{
		vaulttest.Expired: "expired", vaulttest.OtherHost: "not localhost", vaulttest.Stranger: "unknown authority",
	} {
		s.Show(kind)
		_, err := vaulttest.HTTPClient(s).Get(s.URL() + "/v1/sys/health")
		require.ErrorContains(t, err, want)
	}
	s.Show(vaulttest.Valid)
	status, _ := call(t, s, http.MethodGet, "/v1/sys/health", "", "")
	require.Equal(t, http.StatusOK, status)
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for _, cfg := range []vaulttest.Config{{TokenTTL: -1}, {AccessTTL: -1}, {MaxAssertion: -1}, {LoginGrace: -1}, {Listen: "nowhere"}} {
		_, err := vaulttest.Start(cfg)
		require.Error(t, err)
	}
}

func Example() {
	fake, err := vaulttest.Start(vaulttest.Config{Secrets: map[string]map[string]string{"database": {"password": "correct horse"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer fake.Close()
	fake.Inject(vaulttest.StepHealth, 1, vaulttest.Fault{Status: http.StatusServiceUnavailable, RetryAfter: "2"})
	for range 2 {
		req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, fake.URL()+"/v1/sys/health", nil)
		res, err := vaulttest.HTTPClient(fake).Do(req)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.StatusCode)
		res.Body.Close()
	}
	// Output:
	// 503
	// 200
}
