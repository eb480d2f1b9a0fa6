package authntest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/authn/totp"
)

// Run runs the conformance suite. newFixture returns an empty store for each test; it may share a database.
func Run(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Helper()
	for _, group := range []struct {
		name string
		run  func(t *testing.T, newFixture func(t *testing.T) Fixture)
	}{
		{"signing in", signingIn}, {"enrolling", enrolling}, {"refusing the first step", refusing}, {"rehashing", rehashing},
		{"step tokens", stepTokens}, {"codes", codes}, {"throttling", throttling}, {"sessions", sessions},
		{"failing closed", failingClosed}, {"store", stores},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, newFixture) })
	}
}

// harness is one product with a flow over the store under test.
type harness struct {
	Fixture
	flow     *authn.Flow
	pw       *passwords
	clock    *clock
	codes    *totp.Verifier
	tokens   *token.Verifier
	cfg      authn.Config
	stranger atomic.Int64
}

// setUp makes a harness; each option may change the configuration.
func setUp(t *testing.T, newFixture func(t *testing.T) Fixture, options ...func(*authn.Config)) *harness {
	t.Helper()
	h := &harness{Fixture: newFixture(t), pw: &passwords{}, clock: &clock{now: time.Now().UTC().Truncate(time.Microsecond)}}
	var err error
	h.codes, err = totp.New(totp.Config{})
	require.NoError(t, err)
	seed := make([]byte, 32)
	_, _ = rand.Read(seed)
	key, err := token.NewKey(seed)
	require.NoError(t, err)
	issuer, err := token.NewIssuer(key, token.IssuerConfig{Issuer: "https://authntest", Audience: "authntest", Now: h.clock.Now})
	require.NoError(t, err)
	h.tokens, err = token.NewVerifier([]token.PublicKey{key.Public()}, token.VerifierConfig{Issuer: "https://authntest", Audience: "authntest", Now: h.clock.Now})
	require.NoError(t, err)
	h.cfg = authn.Config{
		Store: h.Fixture, Passwords: h.pw, Codes: h.codes, Seal: sealer{}, Tokens: issuer, Now: h.clock.Now,
		Stranger: func(context.Context, authn.StrangerAttempt) { h.stranger.Add(1) },
	}
	for _, o := range options {
		o(&h.cfg)
	}
	h.flow, err = authn.New(h.cfg)
	require.NoError(t, err)
	return h
}

// person is a user the suite knows everything about.
type person struct {
	tenant, id      uuid.UUID
	email, password string
	secret          []byte
}

const (
	rightPassword = "correct horse battery staple"
	newPassword   = "a different one altogether"
)

// home and away are two browsers, here and there two addresses.
var (
	home  = authn.BindTo("nonce of the browser at home")
	away  = authn.BindTo("nonce of a browser elsewhere")
	here  = netip.MustParseAddr("198.51.100.7")
	there = netip.MustParseAddr("203.0.113.9")
)

// join adds a user; with mfa it has a TOTP factor.
func (h *harness) join(t *testing.T, tenant uuid.UUID, email string, mfa bool) person {
	t.Helper()
	p := person{tenant: tenant, email: email, password: rightPassword}
	u := User{Email: email, PasswordHash: hashOf(rightPassword), Role: "Technician", Policies: []string{"devices:read", "alerts:write"}}
	if mfa {
		var err error
		p.secret, err = h.codes.NewSecret()
		require.NoError(t, err)
		u.Secret = func(user uuid.UUID) string {
			sealed, err := sealer{}.Seal(p.secret, authn.SecretAAD(tenant, user))
			require.NoError(t, err)
			return sealed
		}
	}
	p.id = h.AddUser(t, tenant, u)
	return p
}

// someone is a user with a factor in a new tenant.
func (h *harness) someone(t *testing.T) person {
	t.Helper()
	return h.join(t, h.AddTenant(t), "ada@klinikum.example", true)
}

// request is the first step of p as the owner does it at home.
func (p person) request() authn.PasswordRequest {
	return authn.PasswordRequest{Tenant: p.tenant, Email: p.email, Password: p.password, Binding: home, Address: here}
}

// challenge passes the first step and returns the step token's text.
func (h *harness) challenge(t *testing.T, p person) string {
	t.Helper()
	state, err := h.flow.Password(t.Context(), p.request())
	require.NoError(t, err)
	require.IsType(t, &authn.Challenge{}, state)
	return state.(*authn.Challenge).StepToken.Reveal()
}

// enrolment passes the first step of a user without a factor.
func (h *harness) enrolment(t *testing.T, p person) string {
	t.Helper()
	state, err := h.flow.Password(t.Context(), p.request())
	require.NoError(t, err)
	require.IsType(t, &authn.Enrolment{}, state)
	return state.(*authn.Enrolment).StepToken.Reveal()
}

// code is the code of the present.
func (h *harness) code(t *testing.T, secret []byte) string {
	t.Helper()
	c, err := h.codes.Code(secret, h.clock.Now())
	require.NoError(t, err)
	return c
}

// wrong is a code that no step of the window has.
func (h *harness) wrong(t *testing.T, secret []byte) string {
	t.Helper()
	for _, c := range []string{"000000", "111111", "222222", "333333", "444444"} {
		if _, err := h.codes.Match(secret, c, h.clock.Now(), totp.Never); err != nil {
			return c
		}
	}
	t.Fatal("five codes are right at once")
	return ""
}

// finish presents a code at home.
func (h *harness) finish(t *testing.T, stepToken, code string) (*authn.Granted, error) {
	t.Helper()
	return h.flow.TOTP(t.Context(), authn.CodeRequest{StepToken: stepToken, Code: code, Binding: home})
}

// signIn goes all the way.
func (h *harness) signIn(t *testing.T, p person) *authn.Granted {
	t.Helper()
	g, err := h.finish(t, h.challenge(t, p), h.code(t, p.secret))
	require.NoError(t, err)
	return g
}

// count says how often an action was recorded.
func (h *harness) count(t *testing.T, tenant uuid.UUID, action string) int {
	t.Helper()
	n := 0
	for _, a := range h.Actions(t, tenant) {
		if a == action {
			n++
		}
	}
	return n
}

// live asserts that a session is not revoked.
func (h *harness) live(t *testing.T, s authn.Session) bool {
	t.Helper()
	revoked, err := h.flow.Revoked(t.Context(), s.Tenant, s.ID)
	require.NoError(t, err)
	return !revoked
}

// race runs n calls at once and returns how many gave no error, and the errors.
func race(n int, call func(i int) error) (won int, lost []error) {
	var wg sync.WaitGroup
	results := make([]error, n)
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			results[i] = call(i)
		})
	}
	close(begin)
	wg.Wait()
	for _, err := range results {
		if err == nil {
			won++
		} else {
			lost = append(lost, err)
		}
	}
	return won, lost
}

// clock is a time that moves when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now reports the time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Prefixes of the hashes that passwords makes.
const (
	freshHash = "fake$new$"
	staleHash = "fake$old$"
)

func hashOf(pw string) string { return freshHash + pw }

// passwords is a hasher without work that counts how much work a real one would have had.
type passwords struct {
	verified, hashed atomic.Int64
	fail             atomic.Pointer[error]
	// during runs inside Verify, after the decision.
	during func()
}

func (p *passwords) failing() error {
	if err := p.fail.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *passwords) Hash(_ context.Context, pw string) (string, error) {
	p.hashed.Add(1)
	return hashOf(pw), p.failing()
}

func (p *passwords) Verify(_ context.Context, stored, given string) (password.Result, error) {
	p.verified.Add(1)
	if err := p.failing(); err != nil {
		return password.Result{}, err
	}
	if p.during != nil {
		defer p.during()
	}
	fresh, isFresh := strings.CutPrefix(stored, freshHash)
	stale, isStale := strings.CutPrefix(stored, staleHash)
	switch {
	case isFresh && fresh == given:
		return password.Result{}, nil
	case isStale && stale == given:
		return password.Result{NeedsRehash: true}, nil
	case isFresh || isStale:
		return password.Result{}, password.ErrMismatch
	}
	return password.Result{}, password.ErrFormat
}

func (p *passwords) VerifyDummy(context.Context, string) error {
	p.verified.Add(1)
	if err := p.failing(); err != nil {
		return err
	}
	return password.ErrMismatch
}

// sealer binds without encrypting; it shows in the suite that the associated data are used.
type sealer struct{}

func (sealer) Seal(plaintext, aad []byte) (string, error) {
	tag := sha256.Sum256(aad)
	return base64.StdEncoding.EncodeToString(append(tag[:], plaintext...)), nil
}

func (sealer) Open(sealed string, aad []byte) ([]byte, error) {
	tag := sha256.Sum256(aad)
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(b) < len(tag) || string(b[:len(tag)]) != string(tag[:]) {
		return nil, errors.New("sealed for another row")
	}
	return b[len(tag):], nil
}
