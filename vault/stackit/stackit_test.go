package stackit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

type fixture struct {
	fake   *vaulttest.Server
	clock  *vaulttest.Clock
	client *stackit.Client
}

func setup(t *testing.T, change ...func(*stackit.Config)) fixture {
	t.Helper()
	clock := vaulttest.NewClock(start)
	fake := vaulttest.New(t, vaulttest.Config{Now: clock.Now, MaxAssertion: 10 * time.Minute})
	key, err := stackit.ParseKey(fake.KeyFile(), nil)
	require.NoError(t, err)
	cfg := stackit.Config{
		Key: key, Project: fake.Project(), Instance: fake.Instance(), API: fake.URL(), Wire: wire.Config{Roots: fake.Roots(), Now: clock.Now},
	}
	for _, c := range change {
		c(&cfg)
	}
	client, err := stackit.New(cfg)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return fixture{fake, clock, client}
}

func TestAUserIsMadeUsedAndDeleted(t *testing.T) {
	f := setup(t)
	require.NoError(t, f.fake.Put("db", map[string]string{"password": "p"}))
	instance, err := f.client.Instance(t.Context())
	require.NoError(t, err)
	require.Equal(t, f.fake.URL(), instance.Address)
	require.Equal(t, f.fake.Instance(), instance.Mount)

	d := stackit.NewDescription(f.clock.Now(), "host")
	u, err := f.client.CreateUser(t.Context(), d)
	require.NoError(t, err)
	require.False(t, u.Write)
	back, ours := u.Boot()
	require.True(t, ours)
	require.Equal(t, d, back)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", u, u, u), string(u.Password.Reveal()))

	plane, err := kv.New(kv.Config{Address: instance.Address, Mount: instance.Mount, Wire: wire.Config{Roots: f.fake.Roots(), Now: f.clock.Now}})
	require.NoError(t, err)
	defer plane.Close()
	session, err := plane.Userpass(t.Context(), u.Username, u.Password)
	require.NoError(t, err)
	_, err = session.Read(t.Context(), "db")
	require.NoError(t, err)

	require.NoError(t, f.client.DeleteUser(t.Context(), u))
	require.Empty(t, f.fake.Users())
	require.Len(t, f.fake.Tokens(), 1, "deleting the user does not end its token")
	require.NoError(t, session.Revoke(t.Context()))
	require.Empty(t, f.fake.Tokens())
	require.ErrorIs(t, f.client.DeleteUser(t.Context(), u), wire.ErrNotFound)
	require.Equal(t, []vaulttest.Step{
		vaulttest.StepToken, vaulttest.StepInstance, vaulttest.StepCreateUser, vaulttest.StepLogin, vaulttest.StepRead,
		vaulttest.StepDeleteUser, vaulttest.StepRevoke, vaulttest.StepDeleteUser,
	}, f.fake.Steps())
}

func TestAnAssertionIsFreshShortAndComplete(t *testing.T) {
	f := setup(t)
	for range 3 {
		require.NoError(t, f.client.Authenticate(t.Context()))
	}
	seen := map[any]bool{}
	for _, a := range f.fake.Assertions() {
		require.Equal(t, "RS512", a.Header["alg"])
		require.Equal(t, "JWT", a.Header["typ"])
		require.Len(t, a.Header, 3)
		require.Len(t, a.Claims, 6)
		require.False(t, seen[a.Claims["jti"]])
		seen[a.Claims["jti"]] = true
		require.Equal(t, json.Number(fmt.Sprint(start.Unix())), a.Claims["iat"])
		require.Equal(t, json.Number(fmt.Sprint(start.Unix()+600)), a.Claims["exp"])
	}
	require.Len(t, seen, 3)
}

func TestAnAccessTokenIsUsedUntilShortlyBeforeItsEnd(t *testing.T) {
	f := setup(t)
	exchanges := func() (n int) {
		for _, step := range f.fake.Steps() {
			if step == vaulttest.StepToken {
				n++
			}
		}
		return n
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = f.client.Users(context.WithoutCancel(t.Context())) })
	}
	wg.Wait()
	require.Equal(t, 1, exchanges(), "of many callers one fetches it")
	f.clock.Advance(9*time.Minute + 29*time.Second)
	_, err := f.client.Users(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, exchanges())
	f.clock.Advance(time.Second)
	_, err = f.client.Users(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, exchanges())

	f.fake.Inject(vaulttest.StepListUsers, 1, vaulttest.Fault{Status: 401})
	_, err = f.client.Users(t.Context())
	require.ErrorIs(t, err, wire.ErrAuth)
	_, err = f.client.Users(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, exchanges(), "a token that is not accepted is dropped")
}

func TestTheTokenEndpointRefuses(t *testing.T) {
	t.Run("an unknown key, and the error says so", func(t *testing.T) {
		f := setup(t)
		f.fake.ForgetKey()
		err := f.client.Authenticate(t.Context())
		require.ErrorIs(t, err, wire.ErrAuth)
		require.ErrorIs(t, err, stackit.ErrUnknownKey)
		var e *wire.Error
		require.ErrorAs(t, err, &e)
		require.False(t, e.Retryable())
	})
	t.Run("a client whose clock is wrong", func(t *testing.T) {
		f := setup(t)
		ahead := setup(t, func(c *stackit.Config) {
			c.API, c.TokenEndpoint = f.fake.URL(), f.fake.TokenEndpoint()
			c.Wire.Roots, c.Wire.Now = f.fake.Roots(), func() time.Time { return start.Add(time.Hour) }
		})
		require.ErrorIs(t, ahead.client.Authenticate(t.Context()), wire.ErrAuth)
	})
	for name, body := range map[string]string{
		"no token":           `{"expires_in":600,"token_type":"Bearer"}`,
		"an empty token":     `{"access_token":"","expires_in":600,"token_type":"Bearer"}`,
		"a token with lines": `{"access_token":"a\r\nb","expires_in":600,"token_type":"Bearer"}`,
		"another type":       `{"access_token":"a","expires_in":600,"token_type":"mac"}`,
		"no end":             `{"access_token":"a","token_type":"Bearer"}`,
		"a negative end":     `{"access_token":"a","expires_in":-1,"token_type":"Bearer"}`,
		"two tokens":         `{"access_token":"a","access_token":"b","expires_in":600,"token_type":"Bearer"}`,
	} {
		t.Run("or answers with "+name, func(t *testing.T) {
			f := setup(t)
			f.fake.Inject(vaulttest.StepToken, 1, vaulttest.Fault{Body: []byte(body)})
			require.ErrorIs(t, f.client.Authenticate(t.Context()), wire.ErrMalformed)
		})
	}
	t.Run("once its key has expired, nothing is sent", func(t *testing.T) {
		f := setup(t)
		f.fake.ExpireKey(start.Add(time.Hour))
		key, err := stackit.ParseKey(f.fake.KeyFile(), nil)
		require.NoError(t, err)
		g := setup(t, func(c *stackit.Config) { c.Key = key })
		g.clock.Advance(2 * time.Hour)
		require.ErrorIs(t, g.client.Authenticate(t.Context()), stackit.ErrKeyExpired)
		require.Empty(t, g.fake.Journal())
		_, err = stackit.New(stackit.Config{
			Key: key, Project: f.fake.Project(), Instance: f.fake.Instance(), Wire: wire.Config{Roots: f.fake.Roots(), Now: g.clock.Now},
		})
		require.ErrorIs(t, err, stackit.ErrKeyExpired)
	})
}

func TestNothingOfTheAssertionOrTokenReachesAnError(t *testing.T) {
	for _, step := range []vaulttest.Step{vaulttest.StepToken, vaulttest.StepListUsers} {
		for _, status := range []int{307, 400, 401, 403, 404, 409, 429, 500, 503} {
			f := setup(t)
			f.fake.Inject(step, vaulttest.Every, vaulttest.Fault{Status: status})
			_, err := f.client.Users(t.Context())
			require.Error(t, err)
			require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), "eyJ", "step %s status %d", step, status)
			require.NotContains(t, err.Error(), "injected")
		}
	}
}

func TestALostAnswerLeavesAUserThatIsFound(t *testing.T) {
	for name, fault := range map[string]vaulttest.Fault{
		"reset": {LoseAnswer: true}, "cut short": {Truncate: true}, "garbled": {Garble: true}, "wrong type": {ContentType: "text/html"},
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			f.fake.Inject(vaulttest.StepCreateUser, 1, fault)
			d := stackit.NewDescription(f.clock.Now(), "host")
			_, err := f.client.CreateUser(t.Context(), d)
			require.Error(t, err)
			require.Len(t, f.fake.Users(), 1)
			found, err := f.client.FindUsers(t.Context(), d)
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.NoError(t, f.client.DeleteUser(t.Context(), found[0]))
			require.Empty(t, f.fake.Users())
		})
	}
}

func TestOnlyOldUsersOfBootsAreSwept(t *testing.T) {
	f := setup(t)
	at := func(age time.Duration) string { return stackit.NewDescription(start.Add(-age), "host").String() }
	mine := stackit.NewDescription(start.Add(-time.Hour), "me")
	foreign := []string{
		"", "terraform", "onelog-boot-", "onelog-boot-20200101-000000", strings.ToUpper(at(time.Hour)), at(time.Hour) + "x", " " + at(time.Hour),
		strings.Replace(at(time.Hour), "onelog", "0nelog", 1),
	}
	for _, description := range append(foreign, at(time.Minute), mine.String()) {
		f.fake.AddUser(description, false, start)
	}
	f.fake.AddUser(at(16*time.Minute), false, start)
	f.fake.AddUser(at(100*time.Hour), true, start)
	f.fake.Inject(vaulttest.StepDeleteUser, 1, vaulttest.Fault{Status: 500})
	deleted, err := f.client.Sweep(t.Context(), 15*time.Minute, mine)
	require.ErrorIs(t, err, wire.ErrUnavailable, "one failed")
	require.Len(t, deleted, 1, "the other was deleted all the same")
	deleted, err = f.client.Sweep(t.Context(), 15*time.Minute, mine)
	require.NoError(t, err)
	require.Len(t, deleted, 1)
	require.Len(t, f.fake.Users(), len(foreign)+2)

	f.fake.AddUser(at(time.Hour), false, start)
	f.fake.Inject(vaulttest.StepDeleteUser, 1, vaulttest.Fault{Status: 404})
	_, err = f.client.Sweep(t.Context(), 15*time.Minute, mine)
	require.NoError(t, err, "another process was faster")
	before := len(f.fake.Journal())
	require.ErrorIs(t, f.client.DeleteUser(t.Context(), stackit.User{ID: f.fake.Users()[0].ID, Description: "terraform"}), stackit.ErrForeign)
	bad := stackit.User{ID: "../x", Description: mine.String()}
	require.ErrorIs(t, f.client.DeleteUser(t.Context(), bad), wire.ErrRefused)
	require.Len(t, f.fake.Journal(), before)
}

func TestAUserThatIsNotWhatWasAskedForIsRefused(t *testing.T) {
	d := stackit.NewDescription(start, "host")
	id := "0b6f1b7e-4f2f-4a53-9d52-a8f1d5b5d0c1"
	for name, body := range map[string]string{
		"that may write":       `{"id":"` + id + `","description":"` + d.String() + `","username":"sm1","password":"p","write":true}`,
		"of another boot":      `{"id":"` + id + `","description":"` + stackit.NewDescription(start, "host").String() + `","username":"sm1","password":"p","write":false}`,
		"without a password":   `{"id":"` + id + `","description":"` + d.String() + `","username":"sm1","password":"","write":false}`,
		"with an id of paths":  `{"id":"../x","description":"` + d.String() + `","username":"sm1","password":"p","write":false}`,
		"with write as text":   `{"id":"` + id + `","description":"` + d.String() + `","username":"sm1","password":"p","write":"false"}`,
		"with write only once": `{"id":"` + id + `","description":"` + d.String() + `","username":"sm1","password":"p"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			f.fake.Inject(vaulttest.StepCreateUser, 1, vaulttest.Fault{Body: []byte(body)})
			_, err := f.client.CreateUser(t.Context(), d)
			require.ErrorIs(t, err, wire.ErrMalformed)
		})
	}
	t.Run("or an instance that is another one", func(t *testing.T) {
		f := setup(t)
		f.fake.Inject(vaulttest.StepInstance, 1, vaulttest.Fault{
			Body: []byte(`{"id":"` + id + `","name":"n","state":"Active","apiUrl":"https://192.0.2.1","secretsEngine":"x"}`),
		})
		_, err := f.client.Instance(t.Context())
		require.ErrorIs(t, err, wire.ErrMalformed)
	})
}

func TestACLsAreListed(t *testing.T) {
	f := setup(t)
	acls, err := f.client.ACLs(t.Context())
	require.NoError(t, err)
	require.Empty(t, acls)
	f.fake.SetACLs(prefix("192.0.2.0/24"), prefix("2001:db8::/32"))
	acls, err = f.client.ACLs(t.Context())
	require.NoError(t, err)
	require.Len(t, acls, 2)
	require.Equal(t, "192.0.2.0/24", acls[0].CIDR)
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	f := setup(t)
	key, err := stackit.ParseKey(f.fake.KeyFile(), nil)
	require.NoError(t, err)
	good := stackit.Config{Key: key, Project: f.fake.Project(), Instance: f.fake.Instance(), Wire: wire.Config{Roots: f.fake.Roots()}}
	_, err = stackit.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*stackit.Config){
		"no key":              func(c *stackit.Config) { c.Key = nil },
		"an empty key":        func(c *stackit.Config) { c.Key = &stackit.Key{} },
		"a project path":      func(c *stackit.Config) { c.Project = "../" + c.Project[3:] },
		"no instance":         func(c *stackit.Config) { c.Instance = "" },
		"a long assertion":    func(c *stackit.Config) { c.AssertionLifetime = 601 * time.Second },
		"a negative lifetime": func(c *stackit.Config) { c.AssertionLifetime = -1 },
		"a plain API":         func(c *stackit.Config) { c.API = "http://api" },
		"a plain endpoint":    func(c *stackit.Config) { c.TokenEndpoint = "http://token" },
		"no roots":            func(c *stackit.Config) { c.Wire.Roots = nil },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			change(&cfg)
			_, err := stackit.New(cfg)
			require.ErrorIs(t, err, wire.ErrConfig)
		})
	}
}

func TestADescriptionIsReadBackAndNothingElse(t *testing.T) {
	d := stackit.NewDescription(time.Date(2026, 3, 1, 9, 30, 15, 999, time.FixedZone("x", 3600)), "host")
	require.Regexp(t, `^onelog-boot-20260301-083015-[0-9a-f]{8}-[0-9a-f]{16}$`, d.String())
	back, err := stackit.ParseDescription(d.String())
	require.NoError(t, err)
	require.Equal(t, d, back)
	require.True(t, d.SameHost(stackit.NewDescription(start, "host")))
	require.False(t, d.SameHost(stackit.NewDescription(start, "other")))
	require.NotEqual(t, d, stackit.NewDescription(d.At(), "host"))
	require.NotContains(t, d.String(), "host-")
	for _, text := range []string{
		strings.Replace(d.String(), "20260301", "20260230", 1), strings.Replace(d.String(), "-0830", "_0830", 1), d.String()[:40],
	} {
		_, err := stackit.ParseDescription(text)
		require.ErrorIs(t, err, stackit.ErrForeign, text)
	}
}

func FuzzParseDescription(f *testing.F) {
	f.Add(stackit.NewDescription(start, "host").String())
	f.Add("onelog-boot-20260301-083015-00000000-0000000000000000")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := stackit.ParseDescription(text); err == nil {
			require.Equal(t, text, d.String())
		}
	})
}

func TestALateCallerIsNotHeldByASlowEndpoint(t *testing.T) {
	release := make(chan struct{})
	held := make(chan struct{}, 1)
	clock := vaulttest.NewClock(start)
	fake := vaulttest.New(t, vaulttest.Config{Now: clock.Now, Wait: func(ctx context.Context, _ time.Duration) error {
		held <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return ctx.Err()
	}})
	key, err := stackit.ParseKey(fake.KeyFile(), nil)
	require.NoError(t, err)
	client, err := stackit.New(stackit.Config{
		Key: key, Project: fake.Project(), Instance: fake.Instance(), API: fake.URL(), Wire: wire.Config{Roots: fake.Roots(), Now: clock.Now},
	})
	require.NoError(t, err)
	fake.Inject(vaulttest.StepToken, 1, vaulttest.Fault{Latency: time.Hour})
	var wg sync.WaitGroup
	wg.Go(func() { _ = client.Authenticate(context.WithoutCancel(t.Context())) })
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Users(ctx)
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	wg.Wait()
}

func TestPasswordsInListsAreDropped(t *testing.T) {
	f := setup(t)
	d := stackit.NewDescription(start, "host")
	f.fake.Inject(vaulttest.StepListUsers, 1, vaulttest.Fault{Body: fmt.Appendf(nil,
		`{"users":[{"id":"%s","description":"%s","username":"u","password":"N33dle","write":false}]}`, f.fake.Project(), d)})
	users, err := f.client.Users(t.Context())
	require.NoError(t, err)
	require.Len(t, users, 1)
	require.Zero(t, users[0].Password.Len())
	require.False(t, bytes.Contains(fmt.Appendf(nil, "%#v", users), []byte("N33dle")))
	require.Equal(t, vault.Secret{}.Len(), users[0].Password.Len())
}
