package auditor

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor/sample"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

const authorityConfig = `[ tsa ]
default_tsa = one
[ one ]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
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

// authority is a time-stamping authority that OpenSSL plays.
type authority struct {
	t   *testing.T
	dir string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t, t.TempDir()}
	a.write("conf", []byte(authorityConfig))
	a.write("serial", []byte("01\n"))
	curve := []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}
	a.run(append([]string{"req", "-x509", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2",
		"-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"}, curve...)...)
	a.run(append([]string{"req", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Stempelamt"}, curve...)...)
	a.run("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem", "-days", "1",
		"-extfile", "conf", "-extensions", "signer")
	return a
}

func (a *authority) write(name string, content []byte) {
	require.NoError(a.t, os.WriteFile(filepath.Join(a.dir, name), content, 0o600))
}

func (a *authority) run(args ...string) {
	cmd := exec.Command("openssl", args...)
	cmd.Dir, cmd.Env = a.dir, append(os.Environ(), "OPENSSL_CONF="+filepath.Join(a.dir, "conf"))
	out, err := cmd.CombinedOutput()
	require.NoErrorf(a.t, err, "openssl, which the package of that name holds: %s", out)
}

func (a *authority) roots() string { return filepath.Join(a.dir, "ca.pem") }

// stamp stamps the text of a checkpoint.
func (a *authority) stamp(signed []byte) []byte {
	a.write("text", signed[:bytes.Index(signed, []byte("\n\n"))+1])
	a.run("ts", "-query", "-data", "text", "-sha256", "-cert", "-out", "query")
	a.run("ts", "-reply", "-config", "conf", "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key", "-token_out", "-out", "token")
	token, err := os.ReadFile(filepath.Join(a.dir, "token"))
	require.NoError(a.t, err)
	return token
}

func TestTimeStampsAreChecked(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	log := sample.New(300, sample.Options{})
	at := func(size uint64) verify.TimestampFile { return verify.TimestampFile{Size: size, Anchor: "amt"} }
	good := sample.Stamp{TimestampFile: at(270), Token: a.stamp(log.Checkpoint(270))}
	export := func(stamps ...sample.Stamp) string {
		log.Stamps = stamps
		path := filepath.Join(t.TempDir(), "export.zip")
		require.NoError(t, log.ZipFile(path, nil))
		return path
	}
	for name, c := range map[string]struct {
		path, roots, status string
		code                int
		want                string
	}{
		"valid":                            {export(good), a.roots(), "valid", 0, "1 valid, 0 not; size 270 existed on "},
		"no roots":                         {export(good), "", "unchecked", 0, "1, none of them confirmed"},
		"another authority":                {export(good), other.roots(), "untrusted", 0, "1, none of them confirmed"},
		"of a checkpoint that was changed": {export(sample.Stamp{TimestampFile: at(270), Token: a.stamp(log.Checkpoint(269))}), a.roots(), "broken", 1, "timestamps/00000000000000000270/amt.tsr"},
		"no token":                         {export(sample.Stamp{TimestampFile: at(270), Token: []byte("x")}), a.roots(), "broken", 1, "amt.tsr"},
	} {
		t.Run(name, func(t *testing.T) {
			var flags []string
			if c.roots != "" {
				flags = []string{"--tsa-roots", c.roots}
			}
			code, stdout, stderr := runVerify(t, append(flags, c.path)...)
			require.Equal(t, c.code, code, stderr)
			require.Contains(t, stdout, c.want)
			code, stdout, _ = runVerify(t, append(flags, c.path, "--json", "--report", filepath.Join(t.TempDir(), "r.html"))...)
			require.Equal(t, c.code, code)
			var r struct {
				Verdict    string
				Timestamps []stamp
			}
			require.NoError(t, json.Unmarshal([]byte(stdout), &r))
			require.Equal(t, c.code == 0, r.Verdict == "intact")
			require.Len(t, r.Timestamps, 1)
			require.Equal(t, c.status, r.Timestamps[0].Status)
			require.Equal(t, c.status == "valid", r.Timestamps[0].Authority == "Stempelamt" && r.Timestamps[0].Time != nil)
		})
	}
	code, _, stderr := runVerify(t, export(good), "--tsa-roots", file(t, []byte("x")))
	require.Equal(t, 2, code)
	require.True(t, strings.Contains(stderr, "no certificate"))
}
