package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(&out))
	require.Equal(t, "GET signed in: true → 200\nPOST signed in: true → 403\nGET signed in: false → 401\n", out.String())
}
