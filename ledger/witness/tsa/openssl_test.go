package tsa_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness/tsa"
)

const opensslConfig = `[ tsa ]
default_tsa = one
[ one ]
serial = %DIR%/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
digests = sha256
accuracy = secs:1, millisecs:500, microsecs:100
ordering = yes
tsa_name = yes
ess_cert_id_chain = yes
ess_cert_id_alg = sha256
[ req ]
distinguished_name = dn
[ dn ]
[ signer ]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
`

// OpenSSL, which shares no code with this package, plays the authority and judges the tokens of the tests' own: it reads the
// requests, its tokens are accepted, and it accepts the others.
func TestOpenSSLAgrees(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	openssl := func(args ...string) []byte {
		cmd := exec.Command("openssl", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "OPENSSL_CONF="+filepath.Join(dir, "conf"))
		out, err := cmd.CombinedOutput()
		require.NoErrorf(t, err, "openssl, which the package of that name holds: %s", out)
		return out
	}
	write("conf", replaceDir(opensslConfig, dir))
	write("serial", "01\n")
	openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2",
		"-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
	for _, kind := range [][]string{{"rsa:2048"}, {"ec", "-pkeyopt", "ec_paramgen_curve:P-256"}} {
		t.Run(kind[0][:2], func(t *testing.T) {
			openssl(append([]string{"req", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=tsa", "-newkey"}, kind...)...)
			openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem", "-days", "1",
				"-extfile", "conf", "-extensions", "signer")
			roots := x509.NewCertPool()
			pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
			require.NoError(t, err)
			require.True(t, roots.AppendCertsFromPEM(pem))

			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				query, _ := io.ReadAll(r.Body)
				write("query", string(query))
				openssl("ts", "-reply", "-config", "conf", "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply")
				reply, _ := os.ReadFile(filepath.Join(dir, "reply"))
				w.Header().Set("Content-Type", "application/timestamp-reply")
				w.Write(reply)
			}))
			l := ledgertest.NewAnchorLog(t, 1, 9)
			sub := l.Submission(t, 9)
			e, err := newAnchor(t, url, roots, func(c *tsa.Config) { c.Policy = []int{1, 2, 3, 4, 5} }).Submit(t.Context(), sub)
			require.NoError(t, err)
			stamp, err := tsa.Check(e.Token, textOf(sub.Checkpoint), roots)
			require.NoError(t, err)
			require.Equal(t, "1.2.3.4.5", stamp.Policy.String())
			write("token", string(e.Token))
			write("text", string(textOf(sub.Checkpoint)))
			require.Contains(t, string(openssl("ts", "-verify", "-token_in", "-in", "token", "-data", "text", "-CAfile", "ca.pem")), "Verification: OK")
		})
	}

	l := ledgertest.NewAnchorLog(t, 1, 9)
	auth := newAuthority(t, ecdsaKey(t), oidECDSA256, nil)
	e, err := newAnchor(t, serve(t, auth), auth.roots, nil).Submit(t.Context(), l.Submission(t, 9))
	require.NoError(t, err)
	write("token", string(e.Token))
	write("text", string(textOf(l.Checkpoint(t, 9))))
	write("root", string(pemOf(auth.root)))
	require.Contains(t, string(openssl("ts", "-verify", "-token_in", "-in", "token", "-data", "text", "-CAfile", "root")), "Verification: OK",
		"the tests' own authority is one")
}
