package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(&out))
	require.Equal(t, "after the rotation: DE02120300000000202051, needs resealing: true\nin another user's row: seal: open: refused\n", out.String())
}
