package tsa_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness/tsa"
)

// OpenSSL, which shares no code with this package, plays the authority and judges the tokens of the tests' own: it reads the
// requests, its tokens are accepted, and it accepts the others.
func TestOpenSSLAgrees(t *testing.T) {
	for name, key := range map[string][]string{"rsa": {"rsa:2048"}, "ec": nil} {
		t.Run(name, func(t *testing.T) {
			authority := ledgertest.NewOpenSSL(t, "tsa", key...)
			roots := x509.NewCertPool()
			pem, err := os.ReadFile(authority.Roots())
			require.NoError(t, err)
			require.True(t, roots.AppendCertsFromPEM(pem))

			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				query, _ := io.ReadAll(r.Body)
				w.Header().Set("Content-Type", "application/timestamp-reply")
				w.Write(authority.Reply(query))
			}))
			l := ledgertest.NewAnchorLog(t, 1, 9)
			sub := l.Submission(t, 9)
			e, err := newAnchor(t, url, roots, func(c *tsa.Config) { c.Policy = []int{1, 2, 3, 4, 5} }).Submit(t.Context(), sub)
			require.NoError(t, err)
			stamp, err := tsa.Check(e.Token, textOf(sub.Checkpoint), roots)
			require.NoError(t, err)
			require.Equal(t, "1.2.3.4.5", stamp.Policy.String())
			require.Contains(t, authority.Verify(e.Token, sub.Checkpoint, authority.Roots()), "Verification: OK")
		})
	}

	l := ledgertest.NewAnchorLog(t, 1, 9)
	auth := newAuthority(t, ecdsaKey(t), oidECDSA256, nil)
	e, err := newAnchor(t, serve(t, auth), auth.roots, nil).Submit(t.Context(), l.Submission(t, 9))
	require.NoError(t, err)
	root := filepath.Join(t.TempDir(), "root.pem")
	require.NoError(t, os.WriteFile(root, pemOf(auth.root), 0o600))
	require.Contains(t, ledgertest.NewOpenSSL(t, "tsa").Verify(e.Token, l.Checkpoint(t, 9), root), "Verification: OK",
		"the tests' own authority is one")
}
