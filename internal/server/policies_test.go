package server_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
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
	require.ErrorContains(t, start(shelf.PolicySet), "minimum version", "tokens carry another version here")
	shelf.put(t, 2, 0)
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
