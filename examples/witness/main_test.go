package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), filepath.Join(t.TempDir(), "state"), &out))
	require.Equal(t, "cosigned: true, <nil>\n"+
		"rewritten: ledger: the log is behind what an anchor remembers: w1 remembers other entries before 100\n", out.String())
}
