//go:build unix

package auditor

import (
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

func TestAWitnessReadsItsLogsAgain(t *testing.T) {
	key, state, keys := newWitness(t)
	one, two := ledgertest.NewAnchorLog(t, 1, 9), ledgertest.NewAnchorLog(t, 2, 9)
	logs := file(t, []byte(one.VerifierKey(t)+"\n"))
	url, lines, stop := runWitness(t, "--key", key, "--state", state, "--logs", logs)
	defer stop()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client, err := witness.NewClient(witness.ClientConfig{Name: "w", URL: url, Keys: keys, Transport: transport})
	require.NoError(t, err)
	_, err = client.Submit(t.Context(), two.Submission(t, 9))
	require.ErrorIs(t, err, witness.ErrRefused)

	hangUp := func(content, message string) {
		require.NoError(t, os.WriteFile(logs, []byte(content), 0o600))
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
		waitFor(t, lines, message)
	}
	hangUp(one.VerifierKey(t)+"\n"+two.VerifierKey(t)+"\n", "witness: logs read")
	_, err = client.Submit(t.Context(), two.Submission(t, 9))
	require.NoError(t, err)
	waitFor(t, lines, "witness: cosigned")
	hangUp("nonsense", "witness: logs not read, the old ones stay")
	_, err = client.Submit(t.Context(), one.Submission(t, 9))
	require.NoError(t, err)
}
