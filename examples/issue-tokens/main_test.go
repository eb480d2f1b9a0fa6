package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(&out))
	require.Equal(t, "role: technician policies: [monitoring:read] valid for: 15m0s\nchanged: token: verify: wrong signature\n", out.String())
}
