package kv_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

const needle = "N33dle-In-The-Haystack"

func secret(text string) vault.Secret { return vault.NewSecret([]byte(text)) }

func reveal(s vault.Secret) string { return string(s.Reveal()) }

// fixture is a fake with a virtual clock, one reader and a client.
type fixture struct {
	fake     *vaulttest.Server
	clock    *vaulttest.Clock
	client   *kv.Client
	username string
	password vault.Secret
}

func setup(t *testing.T, change ...func(*kv.Config)) fixture {
	t.Helper()
	clock := vaulttest.NewClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))
	fake := vaulttest.New(t, vaulttest.Config{Now: clock.Now, Secrets: map[string]map[string]string{
		"db": {"user": "app", "password": needle}, "folder/a": {"v": "1"}, "folder/deep/b": {"v": "2"},
	}})
	cfg := kv.Config{Address: fake.URL(), Mount: fake.Instance(), Wire: wire.Config{Roots: fake.Roots(), Now: clock.Now}}
	for _, c := range change {
		c(&cfg)
	}
	client, err := kv.New(cfg)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	username, password := fake.AddUser("test", false, clock.Now())
	return fixture{fake, clock, client, username, secret(password)}
}

func (f fixture) login(t *testing.T) *kv.Session {
	t.Helper()
	s, err := f.client.Userpass(t.Context(), f.username, f.password)
	require.NoError(t, err)
	return s
}

func TestASecretIsReadWithItsVersion(t *testing.T) {
	f := setup(t)
	s := f.login(t)
	f.clock.Advance(time.Minute)
	require.NoError(t, f.fake.Put("db", map[string]string{"password": "second"}))
	e, err := s.Read(t.Context(), "db")
	require.NoError(t, err)
	require.EqualValues(t, 2, e.Number)
	require.Equal(t, f.clock.Now(), e.Created)
	require.Equal(t, []string{"password"}, e.Fields())
	v, ok := e.Field("password")
	require.True(t, ok)
	require.Equal(t, "second", reveal(v))
	_, ok = e.Field("user")
	require.False(t, ok)
	e.Wipe()
	require.Zero(t, v.Len())

	old, err := s.ReadVersion(t.Context(), "db", 1)
	require.NoError(t, err)
	v, _ = old.Field("password")
	require.Equal(t, needle, reveal(v))
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", old, old, old), needle)

	m, err := s.Metadata(t.Context(), "db")
	require.NoError(t, err)
	require.EqualValues(t, 2, m.Current)
	require.Len(t, m.Versions, 2)
	require.Equal(t, f.clock.Now(), m.Updated)
	_, err = s.ReadVersion(t.Context(), "db", 0)
	require.Error(t, err)
}

func TestWhatIsNotThereAndWhatMayNotBeRead(t *testing.T) {
	f := setup(t)
	s := f.login(t)
	_, err := s.Read(t.Context(), "missing")
	require.ErrorIs(t, err, wire.ErrNotFound)
	require.NotErrorAs(t, err, new(*kv.DeletedError))
	_, err = s.Metadata(t.Context(), "missing")
	require.ErrorIs(t, err, wire.ErrNotFound)
	keys, err := s.List(t.Context(), "missing")
	require.NoError(t, err)
	require.Empty(t, keys)
	f.clock.Advance(time.Hour)
	_, err = s.Read(t.Context(), "db")
	require.ErrorIs(t, err, wire.ErrPermission, "the token has ended")
}

func TestADeletedVersionSaysSo(t *testing.T) {
	f := setup(t)
	require.NoError(t, vaulttest.Seed(t.Context(), httpClient(f), f.fake.URL(), f.fake.Instance(), f.fake.RootToken()))
	s := f.login(t)
	var deleted *kv.DeletedError
	_, err := s.Read(t.Context(), "gone")
	require.ErrorAs(t, err, &deleted)
	require.ErrorIs(t, err, wire.ErrNotFound)
	require.Equal(t, f.clock.Now(), deleted.Deleted)
	require.False(t, deleted.Destroyed)
	_, err = s.ReadVersion(t.Context(), "burnt", 1)
	require.ErrorAs(t, err, &deleted)
	require.True(t, deleted.Destroyed)
	require.EqualValues(t, 1, deleted.Number)
}

func TestAWalkFindsAllAndEnds(t *testing.T) {
	f := setup(t)
	s := f.login(t)
	paths, err := s.Walk(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []string{"db", "folder/a", "folder/deep/b"}, paths)
	paths, err = s.Walk(t.Context(), "folder")
	require.NoError(t, err)
	require.Equal(t, []string{"folder/a", "folder/deep/b"}, paths)

	few := setup(t, func(c *kv.Config) { c.MaxKeys = 3 })
	_, err = few.login(t).Walk(t.Context(), "")
	require.ErrorIs(t, err, kv.ErrTooMany)

	t.Run("also when each folder has a folder", func(t *testing.T) {
		f.fake.Inject(vaulttest.StepList, vaulttest.Every, vaulttest.Fault{Body: []byte(`{"data":{"keys":["a/"]}}`)})
		before := len(f.fake.Journal())
		_, err := s.Walk(t.Context(), "")
		require.ErrorIs(t, err, kv.ErrTooMany)
		require.Len(t, f.fake.Journal(), before+9, "the root and eight levels below it")
		f.fake.Heal()
	})
	for name, body := range map[string]string{
		"a way up": `["../x"]`, "a path": `["a/b"]`, "nothing": `[""]`, "only a slash": `["/"]`, "one name twice": `["a","a"]`,
		"a control character": `["a\nb"]`, "a number": `[1]`,
	} {
		t.Run("a list cannot hold "+name, func(t *testing.T) {
			f.fake.Inject(vaulttest.StepList, 1, vaulttest.Fault{Body: []byte(`{"data":{"keys":` + body + `}}`)})
			_, err := s.List(t.Context(), "")
			require.ErrorIs(t, err, wire.ErrMalformed)
			f.fake.Heal()
		})
	}
}

func TestPathsThatAreRefusedBeforeAnythingIsSent(t *testing.T) {
	f := setup(t)
	s := f.login(t)
	before := len(f.fake.Journal())
	for _, path := range []string{
		"", "/", "a//b", "/a", "a/", "..", "a/../b", "a/./b", ".", "a\x00b", "a\r\nb", "a\\b", "a\u202eb", "a\xff", strings.Repeat("x", 513),
	} {
		_, err := s.Read(t.Context(), path)
		require.ErrorIs(t, err, kv.ErrPath, "%q", path)
		_, err = s.Metadata(t.Context(), path)
		require.ErrorIs(t, err, kv.ErrPath, "%q", path)
	}
	for _, folder := range []string{"/", "a//", "../a", "a\nb"} {
		_, err := s.List(t.Context(), folder)
		require.ErrorIs(t, err, kv.ErrPath, "%q", folder)
		_, err = s.Walk(t.Context(), folder)
		require.ErrorIs(t, err, kv.ErrPath, "%q", folder)
	}
	for _, username := range []string{"", "..", "a/b", "a\nb"} {
		_, err := f.client.Userpass(t.Context(), username, f.password)
		require.ErrorIs(t, err, wire.ErrRefused, "%q", username)
	}
	require.Len(t, f.fake.Journal(), before)
}

func TestLogins(t *testing.T) {
	f := setup(t)
	t.Run("by AppRole", func(t *testing.T) {
		role, id := f.fake.AddRole()
		s, err := f.client.AppRole(t.Context(), secret(role), secret(id))
		require.NoError(t, err)
		_, err = s.Read(t.Context(), "db")
		require.NoError(t, err)
		_, err = f.client.AppRole(t.Context(), secret(role), secret("wrong"))
		require.ErrorIs(t, err, wire.ErrAuth)
		_, err = f.client.AppRole(t.Context(), secret(role), vault.Secret{})
		require.ErrorIs(t, err, wire.ErrRefused)
	})
	t.Run("by a token", func(t *testing.T) {
		given := secret(f.fake.RootToken())
		s, err := f.client.Token(t.Context(), given)
		require.NoError(t, err)
		require.Zero(t, s.Expires())
		require.False(t, s.Renewable())
		require.Positive(t, given.Len(), "the caller's own copy stays")
		_, err = f.client.Token(t.Context(), secret("hvs."+needle))
		require.ErrorIs(t, err, wire.ErrAuth)
		for _, bad := range []vault.Secret{{}, secret("a\r\nb")} {
			_, err = f.client.Token(t.Context(), bad)
			require.Error(t, err)
		}
	})
	t.Run("with a password that needs escapes", func(t *testing.T) {
		_, err := f.client.Userpass(t.Context(), f.username, secret("\"\\\n\x01ä"+needle))
		require.ErrorIs(t, err, wire.ErrAuth)
		require.NotContains(t, err.Error(), needle)
		_, err = f.client.Userpass(t.Context(), f.username, secret("\xff"))
		require.ErrorIs(t, err, wire.ErrRefused)
	})
	t.Run("from outside the ACL", func(t *testing.T) {
		f.fake.SetACLs(netip.MustParsePrefix("192.0.2.0/24"))
		defer f.fake.SetACLs()
		_, err := f.client.Userpass(t.Context(), f.username, f.password)
		require.ErrorIs(t, err, wire.ErrAuth)
	})
	t.Run("with an answer that is none", func(t *testing.T) {
		for _, body := range []string{
			`{}`, `{"auth":null}`, `{"auth":{}}`, `{"auth":{"client_token":"","lease_duration":1,"renewable":true}}`,
			`{"auth":{"client_token":"a\r\nb","lease_duration":1,"renewable":true}}`, `{"auth":{"client_token":"a","lease_duration":-1,"renewable":true}}`,
			`{"auth":{"client_token":"a","lease_duration":"1","renewable":true}}`, `{"auth":{"client_token":"a","client_token":"b","lease_duration":1,"renewable":true}}`,
		} {
			f.fake.Inject(vaulttest.StepLogin, 1, vaulttest.Fault{Body: []byte(body)})
			_, err := f.client.Userpass(t.Context(), f.username, f.password)
			require.ErrorIs(t, err, wire.ErrMalformed, body)
			f.fake.Heal()
		}
	})
}

func TestTheLifeOfASession(t *testing.T) {
	f := setup(t)
	s := f.login(t)
	require.Equal(t, f.clock.Now().Add(15*time.Minute), s.Expires())
	require.True(t, s.Renewable())
	f.clock.Advance(10 * time.Minute)
	info, err := s.Lookup(t.Context())
	require.NoError(t, err)
	require.Equal(t, kv.TokenInfo{TTL: 5 * time.Minute, Renewable: true, Policies: []string{"default", "kv-read"}}, info)
	require.NoError(t, s.Renew(t.Context()))
	require.Equal(t, f.clock.Now().Add(15*time.Minute), s.Expires())

	f.fake.ForbidRevoke(true)
	require.ErrorIs(t, s.Revoke(t.Context()), wire.ErrPermission)
	require.Len(t, f.fake.Tokens(), 1)
	f.fake.ForbidRevoke(false)
	require.NoError(t, s.Revoke(t.Context()), "the token was kept")
	require.Empty(t, f.fake.Tokens())
	require.NoError(t, s.Revoke(t.Context()), "again")
	_, err = s.Read(t.Context(), "db")
	require.ErrorIs(t, err, wire.ErrAuth)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", s, s, s), "hvs.")
}

func TestALostAnswerToARevocationIsRepeatedSafely(t *testing.T) {
	f := setup(t)
	s := f.login(t)
	f.fake.Inject(vaulttest.StepRevoke, 1, vaulttest.Fault{LoseAnswer: true})
	require.ErrorIs(t, s.Revoke(t.Context()), wire.ErrUnavailable)
	require.Empty(t, f.fake.Tokens(), "it had its effect")
	require.ErrorIs(t, s.Revoke(t.Context()), wire.ErrPermission, "the token is not known any more")
}

func TestTheStateOfTheNode(t *testing.T) {
	f := setup(t)
	for state, want := range map[vaulttest.State]kv.Health{
		vaulttest.Active:        {Status: 200, Initialized: true},
		vaulttest.Standby:       {Status: 429, Initialized: true, Standby: true},
		vaulttest.Sealed:        {Status: 503, Initialized: true, Sealed: true, Standby: true},
		vaulttest.Uninitialized: {Status: 501, Sealed: true, Standby: true},
	} {
		f.fake.SetState(state)
		h, err := f.client.Health(t.Context())
		require.NoError(t, err)
		want.Version = h.Version
		require.Equal(t, want, h)
		require.Equal(t, state == vaulttest.Active, h.Ready())
		status, err := f.client.SealStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, want.Sealed, status.Sealed)
	}
	f.fake.SetState(vaulttest.Sealed)
	_, err := f.client.Userpass(t.Context(), f.username, f.password)
	var e *wire.Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, wire.ErrSealed)
	require.True(t, e.Retryable())
	f.fake.Inject(vaulttest.StepHealth, 1, vaulttest.Fault{Status: http.StatusServiceUnavailable})
	_, err = f.client.Health(t.Context())
	require.Error(t, err, "a proxy's 503 is no word of the Vault")
}

func TestFaultsOfAReadHaveTheirClass(t *testing.T) {
	f := setup(t, func(c *kv.Config) { c.Wire.Timeout = 300 * time.Millisecond })
	s := f.login(t)
	for name, tc := range map[string]struct {
		fault     vaulttest.Fault
		class     error
		retryable bool
	}{
		"reset before":        {vaulttest.Fault{Reset: true}, wire.ErrUnavailable, true},
		"reset after":         {vaulttest.Fault{LoseAnswer: true}, wire.ErrUnavailable, true},
		"cut short":           {vaulttest.Fault{Truncate: true}, wire.ErrUnavailable, true},
		"slow":                {vaulttest.Fault{Slow: 50 * time.Millisecond}, wire.ErrUnavailable, true},
		"late":                {vaulttest.Fault{Latency: time.Minute}, wire.ErrUnavailable, true},
		"half a document":     {vaulttest.Fault{Garble: true}, wire.ErrMalformed, false},
		"too large":           {vaulttest.Fault{Oversize: 2 << 20}, wire.ErrMalformed, false},
		"another type":        {vaulttest.Fault{ContentType: "text/html"}, wire.ErrMalformed, false},
		"compressed":          {vaulttest.Fault{Encoding: "gzip"}, wire.ErrMalformed, false},
		"a redirect":          {vaulttest.Fault{Status: 307, Location: "https://192.0.2.1/"}, wire.ErrRedirect, false},
		"throttled":           {vaulttest.Fault{Status: 429, RetryAfter: "3"}, wire.ErrThrottled, true},
		"timeout":             {vaulttest.Fault{Status: 408}, wire.ErrUnavailable, true},
		"bad gateway":         {vaulttest.Fault{Status: 502}, wire.ErrUnavailable, true},
		"unavailable":         {vaulttest.Fault{Status: 503}, wire.ErrSealed, true},
		"a number as value":   {vaulttest.Fault{Body: entry(`{"a":1}`, 1)}, wire.ErrMalformed, false},
		"no version":          {vaulttest.Fault{Body: entry(`{"a":"b"}`, 0)}, wire.ErrMalformed, false},
		"no values":           {vaulttest.Fault{Body: entry(`null`, 1)}, wire.ErrMalformed, false},
		"a field given twice": {vaulttest.Fault{Body: entry(`{"a":"b","a":"c"}`, 1)}, wire.ErrMalformed, false},
	} {
		t.Run(name, func(t *testing.T) {
			defer f.fake.Heal()
			f.fake.Inject(vaulttest.StepRead, vaulttest.Every, tc.fault)
			_, err := s.Read(t.Context(), "db")
			var e *wire.Error
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, tc.class)
			require.Equal(t, tc.retryable, e.Retryable())
			require.NotContains(t, err.Error(), needle)
		})
	}
	_, err := s.Read(t.Context(), "db")
	require.NoError(t, err, "healed")
}

func entry(values string, version int) []byte {
	return fmt.Appendf(nil, `{"data":{"data":%s,"metadata":{"version":%d,"created_time":"2026-03-01T08:00:00Z","deletion_time":"","destroyed":false}}}`, values, version)
}

func TestTheNamespaceIsSentWhereThereIsOne(t *testing.T) {
	f := setup(t, func(c *kv.Config) { c.Namespace = "team/a" })
	f.login(t)
	calls := f.fake.Journal()
	require.Equal(t, "team/a", calls[0].Header.Get("X-Vault-Namespace"))
	require.Equal(t, "true", calls[0].Header.Get("X-Vault-Request"))
	require.Len(t, calls[0].RequestID, 32)
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	roots := setup(t).fake.Roots()
	for name, cfg := range map[string]kv.Config{
		"no mount":             {Address: "https://vault", Wire: wire.Config{Roots: roots}},
		"a mount that goes up": {Address: "https://vault", Mount: "a/../b", Wire: wire.Config{Roots: roots}},
		"a bad login mount":    {Address: "https://vault", Mount: "a", UserpassMount: "/", Wire: wire.Config{Roots: roots}},
		"no roots":             {Address: "https://vault", Mount: "a"},
		"plain http":           {Address: "http://vault", Mount: "a", Wire: wire.Config{Roots: roots}},
		"negative keys":        {Address: "https://vault", Mount: "a", MaxKeys: -1, Wire: wire.Config{Roots: roots}},
		"negative depth":       {Address: "https://vault", Mount: "a", MaxDepth: -1, Wire: wire.Config{Roots: roots}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.New(cfg)
			require.ErrorIs(t, err, wire.ErrConfig)
		})
	}
}

func httpClient(f fixture) *http.Client { return vaulttest.HTTPClient(f.fake) }
