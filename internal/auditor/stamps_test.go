package auditor

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor/sample"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestTimeStampsAreChecked(t *testing.T) {
	a, other := ledgertest.NewOpenSSL(t, "Stempelamt"), ledgertest.NewOpenSSL(t, "Stempelamt")
	log := sample.New(300, sample.Options{})
	at := func(size uint64) verify.TimestampFile { return verify.TimestampFile{Size: size, Anchor: "amt"} }
	good := sample.Stamp{TimestampFile: at(270), Token: a.Stamp(log.Checkpoint(270))}
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
		"valid":                            {export(good), a.Roots(), "valid", 0, "1 valid, 0 not; size 270 existed on "},
		"no roots":                         {export(good), "", "unchecked", 0, "1, none of them confirmed"},
		"another authority":                {export(good), other.Roots(), "untrusted", 0, "1, none of them confirmed"},
		"of a checkpoint that was changed": {export(sample.Stamp{TimestampFile: at(270), Token: a.Stamp(log.Checkpoint(269))}), a.Roots(), "broken", 1, "timestamps/00000000000000000270/amt.tsr"},
		"no token":                         {export(sample.Stamp{TimestampFile: at(270), Token: []byte("x")}), a.Roots(), "broken", 1, "amt.tsr"},
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
