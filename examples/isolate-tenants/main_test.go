package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), pgtest.New(t).SuperuserURL(), &out))
	require.Equal(t, "without WHERE: 1 row\nwith an injected tenant: 0 rows\nwithout a tenant: 0 rows\n", out.String())
}
