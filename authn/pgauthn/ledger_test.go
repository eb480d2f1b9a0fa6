package pgauthn_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

// TestWithTheRealLedger signs in as a product does: real hashes, codes, sealing, tokens, database and ledger.
func TestWithTheRealLedger(t *testing.T) {
	ctx := t.Context()
	pg := pgtest.New(t, rls.Migrations(), tenant.Migrations(), pgledger.Migrations(), pgauthn.Migrations())
	db := pg.Open(t)
	ring, err := seal.New(seal.Config{Active: seal.Key{Bytes: []byte("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk")}})
	require.NoError(t, err)
	log, err := pgledger.Open(ctx, db, pgledger.Config{Domain: "log.example.org", Sealer: ring})
	require.NoError(t, err)
	t.Cleanup(log.Close)
	hasher, err := password.New(password.Config{Profile: password.OWASP})
	require.NoError(t, err)
	codes, err := totp.New(totp.Config{})
	require.NoError(t, err)
	key, err := token.NewKey([]byte("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"))
	require.NoError(t, err)
	issuer, err := token.NewIssuer(key, token.IssuerConfig{Issuer: "https://tomkit.example", Audience: "tomkit"})
	require.NoError(t, err)
	store, err := pgauthn.New(pgauthn.Config{DB: db, Record: log, Seal: ring, Passwords: hasher, Codes: codes})
	require.NoError(t, err)
	flow, err := authn.New(authn.Config{Store: store, Passwords: hasher, Codes: codes, Seal: ring, Tokens: issuer,
		Throttle: authn.Throttle{Pair: authn.Backoff{Free: 100, Base: 1, Max: 1, Forget: 1}, Code: authn.Backoff{Free: 100, Base: 1, Max: 1, Forget: 1}}})
	require.NoError(t, err)

	ward := pg.Tenant(t, "ward")
	require.NoError(t, store.DefineRole(ctx, pgauthn.By{}, ward, "Technician", []string{"devices:read"}))
	user, err := store.CreateUser(ctx, pgauthn.By{}, ward, pgauthn.NewUser{Email: "ada@klinikum.example", Password: "first password", Role: "Technician"})
	require.NoError(t, err)
	secret, err := store.EnrolTOTP(ctx, pgauthn.By{}, ward, user)
	require.NoError(t, err)
	require.NoError(t, store.SetPassword(ctx, pgauthn.By{User: user, Email: "ada@klinikum.example"}, ward, user, "second password"))

	binding := authn.BindTo("nonce")
	request := authn.PasswordRequest{Tenant: ward, Email: "ada@klinikum.example", Password: "second password", Binding: binding}
	wrong := request
	wrong.Password = "first password"
	_, err = flow.Password(ctx, wrong)
	require.ErrorIs(t, err, authn.ErrSignIn)
	wrong.Email = "nobody@klinikum.example"
	_, err = flow.Password(ctx, wrong)
	require.ErrorIs(t, err, authn.ErrSignIn)

	steps := make([]string, 8)
	for i := range steps {
		state, err := flow.Password(ctx, request)
		require.NoError(t, err)
		steps[i] = state.(*authn.Challenge).StepToken.Reveal()
	}
	code, err := codes.Code(secret, time.Now())
	require.NoError(t, err)
	var wg sync.WaitGroup
	var won atomic.Pointer[authn.Granted]
	var wins atomic.Int64
	for i := range 32 {
		wg.Go(func() {
			g, err := flow.TOTP(ctx, authn.CodeRequest{StepToken: steps[i%len(steps)], Code: code, Binding: binding})
			if err == nil {
				wins.Add(1)
				won.Store(g)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, wins.Load())
	session := won.Load().Session
	require.NoError(t, flow.SignOut(ctx, ward, session.ID))
	revoked, err := flow.Revoked(ctx, ward, session.ID)
	require.NoError(t, err)
	require.True(t, revoked)

	report, err := log.VerifyChain(ctx, ward, pgledger.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	entries, err := log.Entries(ctx, ward, ledger.Filter{Limit: ledger.MaxPage})
	require.NoError(t, err)
	count := map[string]int{}
	for _, e := range entries {
		count[e.Action]++
		require.NotContains(t, e.Narrative, "@", "bound text holds no personal value")
		require.NotContains(t, string(e.Details), "@")
	}
	for action, n := range map[string]int{
		"role_defined": 1, "user_created": 1, "mfa_enabled": 1, "password_reset": 1, "login_failed": 2, "login_first_factor": 8, "login": 1, "logout": 1,
	} {
		require.Equal(t, n, count[action], action)
	}
	require.NotEqual(t, uuid.Nil, session.ID)
}
