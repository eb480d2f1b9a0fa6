package server_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/authn/session"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
)

// policyShelf is a place for a signed policy set, and who may sign it.
type policyShelf struct {
	server.PolicySet
	signer abac.Signer
}

func newPolicyShelf(t *testing.T) *policyShelf {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	dir := t.TempDir()
	key := filepath.Join(dir, "board.pem")
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
	return &policyShelf{
		PolicySet: server.PolicySet{File: filepath.Join(dir, "policy.json"), Keys: map[string]string{"board": key}, Every: 10 * time.Millisecond},
		signer:    abac.Ed25519Signer{ID: "board", Key: private},
	}
}

// put signs the document's roles under constraints and replaces the file.
func (s *policyShelf) put(t *testing.T, version, minimum int64, constraints ...abac.Constraint) {
	t.Helper()
	set := abac.TOM6PolicySet()
	set.Version, set.MinVersion, set.Constraints = version, minimum, constraints
	s.putSet(t, set)
}

// putSet signs a set and replaces the file.
func (s *policyShelf) putSet(t *testing.T, set *abac.PolicySet) {
	t.Helper()
	envelope, err := set.Sign(s.signer)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.File+".new", envelope, 0o600))
	require.NoError(t, os.Rename(s.File+".new", s.File))
}

func TestAPolicySetBindsEveryRoute(t *testing.T) {
	shelf := newPolicyShelf(t)
	inside := abac.Constraint{Policy: "devices:*", When: []abac.Condition{abac.SameTenant(), abac.From(netip.MustParsePrefix("10.0.0.0/8"))}}
	shelf.put(t, 1, 0, inside)
	k := open(t, func(c *server.Config) { c.Policies = &shelf.PolicySet })
	k.serve(t)
	who := k.somebody(t, k.tenant(t, "policies"), abac.TenantUser)
	status := func(addr string) (int, string) {
		a := k.do(t, http.MethodGet, "/v1/devices", nil, as(who), from(addr))
		return a.StatusCode, a.problem.Code
	}
	code, _ := status("10.1.2.3:4444")
	require.Equal(t, http.StatusOK, code)
	code, reason := status("192.0.2.1:4444")
	require.Equal(t, http.StatusForbidden, code)
	require.Equal(t, "network_not_allowed", reason)

	shelf.put(t, 2, 0)
	require.Eventually(t, func() bool { code, _ := status("192.0.2.1:4444"); return code == http.StatusOK }, 30*time.Second, 10*time.Millisecond,
		"a newer set comes into force while the server runs")

	shelf.put(t, 1, 0, inside)
	require.Eventually(t, func() bool { return k.log.Has("policy set is not newer") }, 30*time.Second, 10*time.Millisecond)
	code, _ = status("192.0.2.1:4444")
	require.Equal(t, http.StatusOK, code, "an older one does not")
}

func TestAServerStartsOnlyWithTheWholePolicySet(t *testing.T) {
	shelf := newPolicyShelf(t)
	db := pgtest.New(t, server.Migrations()...)
	start := func(p server.PolicySet) error {
		cfg := server.Config{SuperuserURL: db.SuperuserURL(), DataDir: t.TempDir(), Policies: &p}
		s, err := server.Open(t.Context(), cfg)
		if err == nil {
			require.NoError(t, s.Close(t.Context()))
		}
		return err
	}
	require.ErrorIs(t, start(shelf.PolicySet), server.ErrConfig, "no file")
	shelf.put(t, 2, 1)
	require.NoError(t, start(shelf.PolicySet))
	stricter := shelf.PolicySet
	stricter.Quorum = 2
	require.ErrorIs(t, start(stricter), abac.ErrSignature)
	stranger := newPolicyShelf(t).PolicySet
	stranger.File = shelf.File
	require.ErrorIs(t, start(stranger), abac.ErrSignature)
	for _, file := range []string{shelf.File, "/nonexistent"} {
		broken := shelf.PolicySet
		broken.Keys = map[string]string{"board": file}
		require.ErrorIs(t, start(broken), server.ErrConfig)
	}
}

func TestThePolicySetInTheEnvironment(t *testing.T) {
	read := func(env map[string]string) *server.PolicySet {
		return server.FromEnvironment(func(name string) string { return env[name] }).Policies
	}
	require.Nil(t, read(nil))
	require.Equal(t, &server.PolicySet{File: "p.json", Keys: map[string]string{"a": "/k/a.pem", "b": "/k/b.pem"}, Quorum: 2},
		read(map[string]string{"TOMKIT_POLICY_FILE": "p.json", "TOMKIT_POLICY_KEYS": "a=/k/a.pem, b=/k/b.pem", "TOMKIT_POLICY_QUORUM": "2"}))
	require.Equal(t, &server.PolicySet{File: "p.json", Keys: map[string]string{}, Quorum: -1},
		read(map[string]string{"TOMKIT_POLICY_FILE": "p.json", "TOMKIT_POLICY_QUORUM": "most"}), "with which no server starts")
}

// signIn signs a user in by password and code, and returns the access token and what the browser sends along.
func (k *kit) signIn(t *testing.T, slug, email string, secret []byte) (access string, browser []option) {
	t.Helper()
	var state signInState
	a := k.do(t, http.MethodPost, "/v1/auth/password", passwordBody(slug, email, secretWord), header("User-Agent", "ua/1"))
	a.into(t, http.StatusOK, &state)
	_, nonce := setCookie(t, a, nonceCookie)
	browser = []option{cookie(nonceCookie, nonce), header("User-Agent", "ua/1")}
	a = k.do(t, http.MethodPost, "/v1/auth/totp", map[string]string{"step_token": state.StepToken, "code": codeOf(t, secret, time.Now())}, browser...)
	a.into(t, http.StatusOK, &state)
	_, access = setCookie(t, a, session.CookieName)
	return access, browser
}

// awaitPolicies waits until a version is in force.
func (k *kit) awaitPolicies(t *testing.T, version int) {
	t.Helper()
	require.Eventually(t, func() bool { return k.log.Has(fmt.Sprintf(`"policy set in force","version":%d,`, version)) }, 30*time.Second, 10*time.Millisecond)
}

// TestAMinimumVersionDemandsANewToken takes a right away from a role, and the tokens that still carry it.
func TestAMinimumVersionDemandsANewToken(t *testing.T) {
	shelf := newPolicyShelf(t)
	shelf.put(t, 1, 0)
	k := open(t, func(c *server.Config) { c.Policies = &shelf.PolicySet })
	k.serve(t)
	ward := k.tenant(t, "ward")
	id, secret, err := k.AddPerson(t.Context(), ward, server.Person{Email: "head@ward.example", Name: "Head", Password: secretWord, Role: abac.TenantAdmin})
	require.NoError(t, err)
	for range 3 { // the account's own version, which tokens must not carry, runs ahead of the set's
		require.NoError(t, k.People.SetRole(t.Context(), pgauthn.By{}, ward, id, abac.Technician))
		require.NoError(t, k.People.SetRole(t.Context(), pgauthn.By{}, ward, id, abac.TenantAdmin))
	}
	access, browser := k.signIn(t, "ward", "head@ward.example", secret)
	devices := func(token string) *answer {
		return k.do(t, http.MethodGet, "/v1/devices", nil, cookie(session.CookieName, token))
	}
	devices(access).into(t, http.StatusOK, nil)

	less := abac.TOM6PolicySet()
	less.Version = 2
	for i, role := range less.Roles {
		if role.Name == abac.TenantAdmin {
			less.Roles[i].Policies = []string{"audit:*"}
		}
	}
	shelf.putSet(t, less)
	k.awaitPolicies(t, 2)
	devices(access).into(t, http.StatusOK, nil) // without a minimum version a token keeps for its life what it carries

	less.Version, less.MinVersion = 3, 2
	shelf.putSet(t, less)
	k.awaitPolicies(t, 3)
	require.Eventually(t, func() bool { return devices(access).StatusCode == http.StatusUnauthorized }, 30*time.Second, 10*time.Millisecond)
	a := devices(access)
	a.refused(t, http.StatusUnauthorized, "stale_policy")
	require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"))

	k.do(t, http.MethodPost, "/v1/auth/renew", nil, cookie(session.CookieName, access), header("User-Agent", "another")).refused(t, http.StatusUnauthorized, "session")
	a = k.do(t, http.MethodPost, "/v1/auth/renew", nil, append(browser, cookie(session.CookieName, access))...)
	a.into(t, http.StatusOK, nil)
	_, renewed := setCookie(t, a, session.CookieName)
	require.NotContains(t, string(a.body), renewed, "the token is in reach of scripts")
	devices(renewed).refused(t, http.StatusForbidden, "no_match")
	k.do(t, http.MethodGet, "/v1/audit", nil, cookie(session.CookieName, renewed)).into(t, http.StatusOK, nil)
	devices(access).refused(t, http.StatusUnauthorized, "stale_policy")
}

// TestTheRolesOfAPolicySetAreThoseOfEveryTenant brings sets into force over tenants that were there before.
func TestTheRolesOfAPolicySetAreThoseOfEveryTenant(t *testing.T) {
	shelf := newPolicyShelf(t)
	shelf.put(t, 1, 0)
	k := open(t, func(c *server.Config) { c.Policies = &shelf.PolicySet })
	ward, lab := k.tenant(t, "ward"), k.tenant(t, "lab")
	policies := func(tenant uuid.UUID) map[string]string {
		rows, err := k.super.Query(t.Context(), `SELECT r.name, coalesce(string_agg(p.policy, ' ' ORDER BY p.policy), '') FROM tomkit.roles r
			LEFT JOIN tomkit.policies p ON p.tenant_id = r.tenant_id AND p.role_id = r.id WHERE r.tenant_id = $1 GROUP BY r.name`, tenant)
		require.NoError(t, err)
		found, name, text := map[string]string{}, "", ""
		_, err = pgx.ForEachRow(rows, []any{&name, &text}, func() error { found[name] = text; return nil })
		require.NoError(t, err)
		return found
	}
	set := abac.TOM6PolicySet()
	set.Version = 2
	set.Roles = []abac.Role{
		{Name: abac.Superadmin, Reserved: true, Policies: []string{"*:*"}},
		{Name: abac.TenantAdmin, Policies: []string{"audit:*"}},
		{Name: "auditor", Policies: []string{"audit:read"}},
	}
	shelf.putSet(t, set)
	s, err := server.Open(t.Context(), server.Config{SuperuserURL: k.db.SuperuserURL(), DataDir: k.dir, Policies: &shelf.PolicySet, Offline: true})
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	want := map[string]string{abac.TenantAdmin: "audit:*", "auditor": "audit:read", abac.Technician: "", abac.TenantUser: ""}
	require.Equal(t, want, policies(ward), "a role that the set does not list allows nothing, and nobody but the operator has a reserved one")
	require.Equal(t, want, policies(lab))
}

// TestAnOlderPolicySetIsRefusedAfterARestart starts server after server over one database.
func TestAnOlderPolicySetIsRefusedAfterARestart(t *testing.T) {
	shelf := newPolicyShelf(t)
	db, dir := pgtest.New(t, server.Migrations()...), t.TempDir()
	start := func() error {
		s, err := server.Open(t.Context(), server.Config{SuperuserURL: db.SuperuserURL(), DataDir: dir, Policies: &shelf.PolicySet})
		if err == nil {
			require.NoError(t, s.Close(t.Context()))
		}
		return err
	}
	shelf.put(t, 5, 0)
	require.NoError(t, start())
	require.NoError(t, start(), "the same one is no step back")
	shelf.put(t, 4, 0)
	require.ErrorIs(t, start(), abac.ErrRollback)
	shelf.put(t, 5, 1)
	require.ErrorIs(t, start(), abac.ErrRollback, "another content under a version that was in force")
	shelf.put(t, 6, 0)
	require.NoError(t, start())
	shelf.put(t, 5, 0)
	require.ErrorIs(t, start(), abac.ErrRollback)
}
