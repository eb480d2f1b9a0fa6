package floor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server/floor"
	"github.com/pioneerdesk/tomkit/rls"
)

func TestTheFloorOnlyRises(t *testing.T) {
	db := pgtest.New(t, rls.Migrations(), floor.Migrations())
	scopes := db.Open(t)
	applied := 0
	apply := func(context.Context, *rls.Tx) error { applied++; return nil }
	version := func() int64 {
		v, err := floor.Version(t.Context(), scopes)
		require.NoError(t, err)
		return v
	}
	set := func(version int64, content byte) *abac.Policies {
		return &abac.Policies{Version: version, Digest: [32]byte{content}}
	}
	require.Zero(t, version())
	require.NoError(t, floor.Raise(t.Context(), scopes, set(3, 1), apply))
	require.NoError(t, floor.Raise(t.Context(), scopes, set(3, 1), apply))
	require.Equal(t, 1, applied, "the same set is not applied again")
	require.ErrorIs(t, floor.Raise(t.Context(), scopes, set(2, 1), apply), abac.ErrRollback)
	require.ErrorIs(t, floor.Raise(t.Context(), scopes, set(3, 2), apply), abac.ErrRollback)
	broken := errors.New("broken")
	require.ErrorIs(t, floor.Raise(t.Context(), scopes, set(4, 1), func(context.Context, *rls.Tx) error { return broken }), broken)
	require.Equal(t, int64(3), version(), "what could not be applied is not remembered")
	require.NoError(t, floor.Raise(t.Context(), scopes, set(4, 2), apply))
	require.Equal(t, int64(4), version())
	require.Equal(t, 2, applied)

	_, err := scopes.Anonymous().Exec(t.Context(), `UPDATE tomkit.policy_floor SET version = 0`)
	require.Error(t, err, "the request login does not reach it")
	require.Equal(t, int64(4), version())
}

func TestOneProcessAppliesAtATime(t *testing.T) {
	db := pgtest.New(t, rls.Migrations(), floor.Migrations())
	scopes := db.Open(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	first, second := make(chan error, 1), make(chan error, 1)
	newer, older := &abac.Policies{Version: 8}, &abac.Policies{Version: 7}
	go func() {
		first <- floor.Raise(t.Context(), scopes, newer, func(context.Context, *rls.Tx) error { close(entered); <-leave; return nil })
	}()
	<-entered
	go func() {
		second <- floor.Raise(t.Context(), scopes, older, func(context.Context, *rls.Tx) error { return errors.New("the older one was applied") })
	}()
	super := db.Superuser(t)
	require.Eventually(t, func() bool {
		var waiting bool
		err := super.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		return err == nil && waiting
	}, 30*time.Second, 10*time.Millisecond, "the second one waits")
	close(leave)
	require.NoError(t, <-first)
	require.ErrorIs(t, <-second, abac.ErrRollback)
}
