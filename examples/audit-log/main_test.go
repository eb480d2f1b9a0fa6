package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), pgtest.New(t).SuperuserURL(), t.TempDir(), &out))
	require.Equal(t, "fleet_update_triggered is entry 1\nthe export is intact\n", out.String())
}
