package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunRefusesWhatIsNoExport(t *testing.T) {
	var out bytes.Buffer
	intact, err := run(t.Context(), t.TempDir(), &out)
	require.Error(t, err)
	require.False(t, intact)
}
