package rls_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

func TestOpenAsksTheCheckForEachLogin(t *testing.T) {
	var asked []string
	newFixtureConfig(t, rls.Config{Check: func(ctx context.Context, conn *pgx.Conn) error {
		var login string
		err := conn.QueryRow(ctx, "SELECT session_user").Scan(&login)
		asked = append(asked, login)
		return err
	}})
	require.Equal(t, []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem}, asked)
}

func TestOpenFailsWithTheCheck(t *testing.T) {
	f := newFixture(t)
	refused := errors.New("refused")
	_, err := rls.Open(t.Context(), rls.Config{
		AppURL: f.pg.URL(rls.RoleApp), ContextKey: pgtest.ContextKey(),
		Check: func(context.Context, *pgx.Conn) error { return refused },
	})
	require.ErrorIs(t, err, refused)
	require.ErrorContains(t, err, "rls: open: tomkit_app: ")
}
