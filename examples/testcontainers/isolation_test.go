package testcontainers

import (
	"cmp"
	"crypto/rand"
	"embed"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/rls/rlstest"
)

//go:embed *.sql
var library embed.FS

// startPostgres returns a superuser's connection string.
func startPostgres(t *testing.T) string {
	t.Helper()
	container, err := postgres.Run(t.Context(), cmp.Or(os.Getenv("TOMKIT_TEST_POSTGRES_IMAGE"), "postgres:17-alpine"),
		postgres.WithUsername("root"), postgres.WithPassword("only-for-tests"),
		testcontainers.WithCmdArgs("-c", "jit=off", "-c", "synchronous_commit=off"), postgres.BasicWaitStrategies())
	testcontainers.CleanupContainer(t, container)
	require.NoError(t, err)
	url, err := container.ConnectionString(t.Context(), "sslmode=disable")
	require.NoError(t, err)
	return url
}

func TestTenantsAreApart(t *testing.T) {
	url := startPostgres(t)
	logins, err := rls.ApplyRoles(t.Context(), url)
	require.NoError(t, err)
	_, err = migrate.Up(t.Context(), logins.Migrator, rls.Migrations(), rls.Source{Name: "library", FS: library})
	require.NoError(t, err)
	key := rls.ContextKey{ID: "test", Key: []byte(rand.Text() + rand.Text())}
	require.NoError(t, rls.InstallContextKey(t.Context(), logins.Migrator, key))
	rlstest.Run(t, rlstest.Config{SuperuserURL: url, AppURL: logins.App, ContextKey: key})
}
