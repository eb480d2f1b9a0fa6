package reference_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/internal/server/reference"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

func TestTheRecordOfProcessingCoversTheWholeSchema(t *testing.T) {
	db := pgtest.New(t, server.Migrations()...).OpenConfig(t, rls.Config{})
	require.NoError(t, erasure.Check(t.Context(), db.Anonymous(), reference.Processing()))
	t.Run("a table less is noticed", func(t *testing.T) {
		r := reference.Processing()
		r.Categories = r.Categories[1:]
		require.ErrorIs(t, erasure.Check(t.Context(), db.Anonymous(), r), erasure.ErrCatalog)
	})
}
