package ledgertest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// opensslConfig is of an authority with two policies.
const opensslConfig = `[ tsa ]
default_tsa = one
[ one ]
serial = serial
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

// OpenSSL is a time-stamping authority (RFC 3161) that the program of that name plays. It shares no code with this module. Its
// policies are 1.2.3.4.1 and, for requests that ask for it, 1.2.3.4.5.
type OpenSSL struct {
	t   testing.TB
	dir string
}

// NewOpenSSL makes an authority whose certificate names it name, and whose key the words after -newkey of openssl req describe:
// "rsa:2048". None means an ECDSA key over P-256.
func NewOpenSSL(t testing.TB, name string, key ...string) *OpenSSL {
	t.Helper()
	if len(key) == 0 {
		key = []string{"ec", "-pkeyopt", "ec_paramgen_curve:P-256"}
	}
	o := &OpenSSL{t, t.TempDir()}
	o.write("conf", []byte(opensslConfig))
	o.write("serial", []byte("01\n"))
	o.run(append([]string{"req", "-x509", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2",
		"-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign", "-newkey"}, key...)...)
	o.run(append([]string{"req", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=" + name, "-newkey"}, key...)...)
	o.run("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem", "-days", "1",
		"-extfile", "conf", "-extensions", "signer")
	return o
}

// Roots returns the PEM file of the certificate to trust.
func (o *OpenSSL) Roots() string { return filepath.Join(o.dir, "ca.pem") }

// Reply answers a TimeStampReq with a TimeStampResp, both DER.
func (o *OpenSSL) Reply(query []byte) []byte {
	o.t.Helper()
	o.write("query", query)
	return o.reply("-out", "made")
}

// Stamp returns the DER TimeStampToken over the text of a signed checkpoint.
func (o *OpenSSL) Stamp(signed []byte) []byte {
	o.t.Helper()
	o.write("text", checkpointText(signed))
	o.run("ts", "-query", "-data", "text", "-sha256", "-cert", "-out", "query")
	return o.reply("-token_out", "-out", "made")
}

// Verify returns what the program says about a token over the text of a signed checkpoint, judged by a PEM file of roots.
func (o *OpenSSL) Verify(token, signed []byte, roots string) string {
	o.t.Helper()
	o.write("token", token)
	o.write("text", checkpointText(signed))
	return o.run("ts", "-verify", "-token_in", "-in", "token", "-data", "text", "-CAfile", roots)
}

// checkpointText is what a time stamp is over: everything before the empty line.
func checkpointText(signed []byte) []byte { return signed[:bytes.Index(signed, []byte("\n\n"))+1] }

func (o *OpenSSL) reply(form ...string) []byte {
	o.t.Helper()
	o.run(append([]string{"ts", "-reply", "-config", "conf", "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key"}, form...)...)
	made, err := os.ReadFile(filepath.Join(o.dir, "made"))
	require.NoError(o.t, err)
	return made
}

func (o *OpenSSL) write(name string, content []byte) {
	o.t.Helper()
	require.NoError(o.t, os.WriteFile(filepath.Join(o.dir, name), content, 0o600))
}

func (o *OpenSSL) run(args ...string) string {
	o.t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir, cmd.Env = o.dir, append(os.Environ(), "OPENSSL_CONF="+filepath.Join(o.dir, "conf"))
	out, err := cmd.CombinedOutput()
	require.NoErrorf(o.t, err, "openssl, which the package of that name holds: %s", out)
	return string(out)
}
