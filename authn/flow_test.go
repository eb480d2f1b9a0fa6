package authn_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/authntest"
	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

// config is a configuration with the real parts and the cheapest password profile.
func config(tb testing.TB, store authn.Store) authn.Config {
	tb.Helper()
	hasher, err := password.New(password.Config{Profile: password.OWASP})
	require.NoError(tb, err)
	codes, err := totp.New(totp.Config{})
	require.NoError(tb, err)
	ring, err := seal.New(seal.Config{Active: seal.Key{Bytes: bytes.Repeat([]byte{1}, seal.KeySize)}})
	require.NoError(tb, err)
	key, err := token.NewKey(bytes.Repeat([]byte{2}, 32))
	require.NoError(tb, err)
	issuer, err := token.NewIssuer(key, token.IssuerConfig{Issuer: "https://tomkit.example", Audience: "tomkit"})
	require.NoError(tb, err)
	return authn.Config{Store: store, Passwords: hasher, Codes: codes, Seal: ring, Tokens: issuer}
}

func newFlow(tb testing.TB) *authn.Flow {
	tb.Helper()
	flow, err := authn.New(config(tb, authntest.NewMemory()))
	require.NoError(tb, err)
	return flow
}

func fromBase32(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	require.NoError(t, err)
	return b
}

func TestNew(t *testing.T) {
	good := config(t, authntest.NewMemory())
	_, err := authn.New(good)
	require.NoError(t, err)
	for name, spoil := range map[string]func(*authn.Config){
		"no store":                      func(c *authn.Config) { c.Store = nil },
		"no hasher":                     func(c *authn.Config) { c.Passwords = nil },
		"no codes":                      func(c *authn.Config) { c.Codes = nil },
		"no sealer":                     func(c *authn.Config) { c.Seal = nil },
		"no tokens":                     func(c *authn.Config) { c.Tokens = nil },
		"a negative step token life":    func(c *authn.Config) { c.StepTTL = -1 },
		"a long step token life":        func(c *authn.Config) { c.StepTTL = authn.MaxStepTTL + 1 },
		"negative attempts":             func(c *authn.Config) { c.Attempts = -1 },
		"too many attempts":             func(c *authn.Config) { c.Attempts = authn.MaxAttempts + 1 },
		"a negative idle time":          func(c *authn.Config) { c.Idle = -1 },
		"a negative absolute time":      func(c *authn.Config) { c.Absolute = -1 },
		"an absolute time below idle":   func(c *authn.Config) { c.Absolute = time.Minute },
		"a back-off without a base":     func(c *authn.Config) { c.Throttle.Pair = authn.Backoff{Free: 3} },
		"a back-off with little memory": func(c *authn.Config) { c.Throttle.Code = authn.Backoff{Base: 1, Max: 10, Forget: 9} },
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			c := good
			spoil(&c)
			_, err := authn.New(c)
			require.Error(t, err)
		})
	}
}

func TestRealParts(t *testing.T) {
	store := authntest.NewMemory()
	cfg := config(t, store)
	flow, err := authn.New(cfg)
	require.NoError(t, err)
	hash, err := cfg.Passwords.Hash(t.Context(), "correct horse battery staple")
	require.NoError(t, err)
	tenant := store.AddTenant(t)
	store.AddUser(t, tenant, authntest.User{Email: "ada@klinikum.example", PasswordHash: hash, Role: "Tenant-Admin"})
	binding := authn.BindTo("nonce", "browser")

	state, err := flow.Password(t.Context(), authn.PasswordRequest{
		Tenant: tenant, Email: "ada@klinikum.example", Password: "correct horse battery staple", Binding: binding,
	})
	require.NoError(t, err)
	step := state.(*authn.Enrolment).StepToken.Reveal()
	offer, err := flow.BeginTOTP(t.Context(), step, binding)
	require.NoError(t, err)
	codes := cfg.Codes.(*totp.Verifier)
	code, err := codes.Code(fromBase32(t, offer.Secret), time.Now())
	require.NoError(t, err)
	granted, err := flow.ConfirmTOTP(t.Context(), authn.CodeRequest{StepToken: step, Code: code, Binding: binding})
	require.NoError(t, err)

	t.Run("nothing secret is printed", func(t *testing.T) {
		request := authn.PasswordRequest{Email: "ada@klinikum.example", Password: "hunter2hunter2"}
		secrets := []string{step, offer.Secret, string(granted.Access), request.Password, code}
		var log bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&log, nil))
		for _, v := range []any{state, *state.(*authn.Enrolment), offer, granted, *granted, request, authn.CodeRequest{StepToken: step, Code: code}} {
			logger.Info("x", "v", v)
			encoded, err := json.Marshal(v)
			require.NoError(t, err)
			text := fmt.Sprintf("%v %+v %#v %s", v, v, v, v) + log.String() + string(encoded)
			for _, s := range secrets {
				require.NotContains(t, text, s)
			}
		}
	})
}

// witness keeps the events that a flow hands to its store.
type witness struct {
	*authntest.Memory
	events []record.Event
}

func (w *witness) Note(ctx context.Context, tenant uuid.UUID, events ...record.Event) error {
	w.events = append(w.events, events...)
	return w.Memory.Note(ctx, tenant, events...)
}

func (w *witness) Grant(ctx context.Context, g authn.Grant, events ...record.Event) error {
	w.events = append(w.events, events...)
	return w.Memory.Grant(ctx, g, events...)
}

func TestEvents(t *testing.T) {
	store := &witness{Memory: authntest.NewMemory()}
	cfg := config(t, store)
	flow, err := authn.New(cfg)
	require.NoError(t, err)
	hash, err := cfg.Passwords.Hash(t.Context(), "right")
	require.NoError(t, err)
	tenant := store.AddTenant(t)
	store.RequireMFA(t, tenant, false)
	user := store.AddUser(t, tenant, authntest.User{Email: "ada@klinikum.example", PasswordHash: hash, Role: "Technician"})
	r := authn.PasswordRequest{
		Tenant: tenant, Email: "ada@klinikum.example", Password: "right", Binding: authn.BindTo("nonce"),
		Address: netip.MustParseAddr("::ffff:198.51.100.7"),
	}
	attempt := func(r authn.PasswordRequest) record.Event {
		store.events = nil
		_, _ = flow.Password(t.Context(), r)
		require.Len(t, store.events, 1)
		require.Equal(t, tenant, store.events[0].Tenant)
		return store.events[0]
	}
	t.Run("a sign-in is the user's, with personal values marked", func(t *testing.T) {
		ev := attempt(r)
		require.Equal(t, "login", ev.Action)
		require.Equal(t, uuid.NullUUID{UUID: user, Valid: true}, ev.Actor)
		require.Equal(t, user.String(), ev.EntityID)
		require.Equal(t, record.Personal{Subject: user, Value: "ada@klinikum.example"}, ev.Narrative.Args["user"])
		require.Equal(t, record.Personal{Subject: user, Value: "198.51.100.7"}, ev.Details["address"])
		require.Equal(t, []any{"pwd"}, ev.Details["amr"])
	})
	t.Run("a failed one is nobody's, but about the user", func(t *testing.T) {
		wrong := r
		wrong.Password = "wrong"
		ev := attempt(wrong)
		require.Equal(t, "login_failed", ev.Action)
		require.False(t, ev.Actor.Valid)
		require.Equal(t, user.String(), ev.EntityID)
		require.Equal(t, "wrong_password", ev.Details["reason"])
	})
	t.Run("what was typed as an unknown address is not written down", func(t *testing.T) {
		wrong := r
		wrong.Email = "hunter2@klinikum.example"
		ev := attempt(wrong)
		require.Equal(t, "unknown", ev.EntityID)
		require.NotContains(t, fmt.Sprint(ev), "hunter2")
	})
}

func TestBindTo(t *testing.T) {
	require.Equal(t, authn.BindTo("a", "b"), authn.BindTo("a", "b"))
	all := map[authn.Binding]bool{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}} {
		b := authn.BindTo(parts...)
		require.NotZero(t, b)
		require.False(t, all[b], parts)
		all[b] = true
	}
}

func TestErrors(t *testing.T) {
	require.ErrorIs(t, &authn.ThrottledError{RetryAfter: time.Second}, authn.ErrThrottled)
	require.ErrorIs(t, &authn.CodeError{}, authn.ErrCode)
	require.NotErrorIs(t, &authn.CodeError{}, authn.ErrThrottled)
	require.NotErrorIs(t, &authn.ThrottledError{}, authn.ErrCode)
	require.Equal(t, "authn: too many attempts: retry after 2s", (&authn.ThrottledError{RetryAfter: 2 * time.Second}).Error())
	require.True(t, strings.HasSuffix((&authn.CodeError{AttemptsLeft: 3}).Error(), "3 attempts left"))
}

// dummies is a hasher that refuses everything at once.
type dummies struct{ authn.Passwords }

func (dummies) VerifyDummy(context.Context, string) error { return password.ErrMismatch }

func TestStrangersAreReported(t *testing.T) {
	cfg := config(t, authntest.NewMemory())
	cfg.Passwords = dummies{}
	var seen []authn.StrangerAttempt
	cfg.Stranger = func(_ context.Context, a authn.StrangerAttempt) { seen = append(seen, a) }
	flow, err := authn.New(cfg)
	require.NoError(t, err)
	address := netip.MustParseAddr("198.51.100.7")
	_, err = flow.Password(t.Context(), authn.PasswordRequest{
		Tenant: uuid.Nil, Email: "a@x.de", Password: "x", Binding: authn.BindTo("nonce"), Address: address,
	})
	require.ErrorIs(t, err, authn.ErrSignIn)
	require.Len(t, seen, 1)
	require.Equal(t, address, seen[0].Address)
	require.WithinDuration(t, time.Now(), seen[0].At, time.Minute)
}

func BenchmarkPasswordFlow(b *testing.B) {
	store := authntest.NewMemory()
	cfg := config(b, store)
	cfg.Passwords = dummies{}
	flow, err := authn.New(cfg)
	require.NoError(b, err)
	tenant := store.AddTenant(b)
	r := authn.PasswordRequest{Tenant: tenant, Email: "nobody@x.de", Password: "x", Binding: authn.BindTo("nonce")}
	i := 0
	b.ReportAllocs()
	for b.Loop() { // everything but the password hash
		i++
		r.Email = strconv.Itoa(i) + "@x.de"
		r.Address = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		_, _ = flow.Password(b.Context(), r)
	}
}
