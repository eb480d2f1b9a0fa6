package server_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/server"
)

func TestLedgerAnchorsThatCannotBeUsedAreRefused(t *testing.T) {
	for name, spec := range map[string]string{
		"no name":                    "file:/tmp/x",
		"no kind":                    "a=/tmp/x",
		"a kind nobody knows":        "a=pigeon:roof",
		"a malformed name":           "Ä=syslog:udp:localhost:514",
		"a witness without key":      "w=witness:https://witness.example.org/",
		"a witness's bad key":        "w=witness:https://witness.example.org/#key",
		"an authority without roots": "t=tsa:https://tsa.example.org/",
		"a syslog without host":      "s=syslog:carrier",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := server.Open(t.Context(), server.Config{Offline: true, DataDir: t.TempDir(), LedgerAnchors: spec})
			require.ErrorIs(t, err, server.ErrConfig)
			require.True(t, server.IsConfiguration(err))
		})
	}
}
