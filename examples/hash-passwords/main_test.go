package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, "anna: welcome, upgraded: false\nanna: refused\nbert: welcome, upgraded: true\nbert: welcome, upgraded: false\n", out.String())
}
