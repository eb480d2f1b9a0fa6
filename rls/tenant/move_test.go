package tenant_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// move moves a tenant in a transaction of its own.
func (h *house) move(ctx context.Context, id, to uuid.UUID) (from uuid.UUID, err error) {
	err = h.db.System(ctx, "test", func(ctx context.Context, tx *rls.Tx) error {
		from, err = tenant.Move(ctx, tx, id, to)
		return err
	})
	return from, err
}

func (h *house) visible(t *testing.T, msp, id uuid.UUID) bool {
	t.Helper()
	_, err := tenant.Get(t.Context(), h.db.MSP(msp), id)
	if err != nil {
		require.ErrorIs(t, err, tenant.ErrUnknown)
	}
	return err == nil
}

func TestMove(t *testing.T) {
	h := newHouse(t)
	t.Run("the old MSP sees nothing, the new one everything", func(t *testing.T) {
		from, err := h.move(t.Context(), h.northClinic, h.south)
		require.NoError(t, err)
		require.Equal(t, h.north, from)
		require.False(t, h.visible(t, h.north, h.northClinic))
		require.True(t, h.visible(t, h.south, h.northClinic))
		require.True(t, h.visible(t, h.south, h.southLab))
		have, err := tenant.Get(t.Context(), h.db.Tenant(h.northClinic), h.northClinic)
		require.NoError(t, err)
		require.Equal(t, h.south, have.MSP)
		from, err = h.move(t.Context(), h.northClinic, h.south)
		require.NoError(t, err, "again, after an unknown outcome")
		require.Equal(t, h.south, from)
		_, err = h.move(t.Context(), h.northClinic, h.north)
		require.NoError(t, err)
	})
	t.Run("a move that is not committed is none", func(t *testing.T) {
		broken := errors.New("broken")
		err := h.db.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error {
			_, err := tenant.Move(ctx, tx, h.northClinic, h.south)
			require.NoError(t, err)
			require.True(t, h.visible(t, h.north, h.northClinic), "until the commit")
			return broken
		})
		require.ErrorIs(t, err, broken)
		require.True(t, h.visible(t, h.north, h.northClinic))
		require.False(t, h.visible(t, h.south, h.northClinic))
	})
	t.Run("it refuses what has no place to go", func(t *testing.T) {
		for name, c := range map[string]struct {
			id, to uuid.UUID
			want   error
		}{
			"the operator": {h.operator, h.north, tenant.ErrOperator}, "nobody": {uuid.New(), h.north, tenant.ErrUnknown},
			"an MSP as a tenant": {h.north, h.south, tenant.ErrUnknown}, "to nobody": {h.northClinic, uuid.New(), tenant.ErrNoParent},
			"to itself": {h.northClinic, h.northClinic, tenant.ErrNoParent}, "to a tenant": {h.northClinic, h.southLab, tenant.ErrNoParent},
			"to no id": {h.northClinic, uuid.Nil, tenant.ErrNoParent},
		} {
			_, err := h.move(t.Context(), c.id, c.to)
			require.ErrorIs(t, err, c.want, name)
		}
	})
	t.Run("to a suspended MSP nobody goes, from one everybody may", func(t *testing.T) {
		h.system(t, func(ctx context.Context, tx *rls.Tx) {
			require.NoError(t, tenant.SetMSPStatus(ctx, tx, h.south, tenant.Suspended))
		})
		_, err := h.move(t.Context(), h.northClinic, h.south)
		require.ErrorIs(t, err, tenant.ErrSuspended)
		_, err = tenant.BySlug(t.Context(), h.db.Anonymous(), "lab")
		require.ErrorIs(t, err, tenant.ErrUnknown)
		_, err = h.move(t.Context(), h.southLab, h.north)
		require.NoError(t, err)
		_, err = tenant.BySlug(t.Context(), h.db.Anonymous(), "lab")
		require.NoError(t, err)
		require.True(t, h.visible(t, h.north, h.southLab))
	})
	t.Run("the operator serves tenants too, and keeps out of sight", func(t *testing.T) {
		_, err := h.move(t.Context(), h.southLab, h.operator)
		require.NoError(t, err)
		require.True(t, h.visible(t, h.operator, h.southLab))
		require.False(t, h.visible(t, h.operator, h.northClinic))
	})
	t.Run("nobody but the system moves", func(t *testing.T) {
		for _, s := range []rls.Scope{h.db.Tenant(h.northClinic), h.db.MSP(h.north), h.db.MSP(h.operator), h.db.Anonymous()} {
			require.Error(t, s.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, err := tenant.Move(ctx, tx, h.northClinic, h.operator)
				return err
			}))
		}
		require.True(t, h.visible(t, h.north, h.northClinic))
	})
}

// TestMovesAreSeenWhole looks at the tenant through both MSPs' eyes within one snapshot while it moves to and fro.
func TestMovesAreSeenWhole(t *testing.T) {
	h := newHouse(t)
	contexts := make([]string, 2)
	for i, msp := range []uuid.UUID{h.north, h.south} {
		require.NoError(t, h.db.MSP(msp).QueryRow(t.Context(), "SELECT current_setting('app.tenant_id')").Scan(&contexts[i]))
	}
	var moving, watching sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, way := range [][2]uuid.UUID{{h.north, h.south}, {h.south, h.north}} {
		moving.Go(func() {
			for i := range 30 {
				_, err := h.move(ctx, h.northClinic, way[i%2])
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	looks := 0
	watching.Go(func() {
		for pool := h.pg.Pool(t, rls.RoleMSP); ctx.Err() == nil; looks++ {
			seen, err := seenBy(t.Context(), pool, contexts, h.northClinic)
			if err != nil || seen != 1 {
				t.Errorf("seen by %d MSPs: %v", seen, err)
				return
			}
		}
	})
	moving.Wait()
	stop()
	watching.Wait()
	require.Positive(t, looks)
}

type beginner interface {
	BeginTx(context.Context, pgx.TxOptions) (pgx.Tx, error)
}

// seenBy counts in one snapshot the contexts in which a tenant is visible.
func seenBy(ctx context.Context, db beginner, contexts []string, id uuid.UUID) (seen int, err error) {
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return 0, err
	}
	defer tx.Rollback(ctx)
	for _, signed := range contexts {
		if _, err := tx.Exec(ctx, "SELECT set_config('app.tenant_id', $1, true)", signed); err != nil {
			return 0, err
		}
		var n int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM tomkit.tenants WHERE id = $1", id).Scan(&n); err != nil {
			return 0, err
		}
		seen += n
	}
	return seen, nil
}

// TestAMoveAndASuspensionExcludeEachOther lets the target be suspended while a move is under way: the move holds it off.
func TestAMoveAndASuspensionExcludeEachOther(t *testing.T) {
	h := newHouse(t)
	suspended := make(chan error, 1)
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		_, err := tenant.Move(ctx, tx, h.northClinic, h.south)
		require.NoError(t, err)
		go func() {
			suspended <- h.db.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error {
				return tenant.SetMSPStatus(ctx, tx, h.south, tenant.Suspended)
			})
		}()
		h.awaitBlocked(t, func() bool { return len(suspended) > 0 })
		require.Empty(t, suspended, "not beside the move")
	})
	require.NoError(t, <-suspended)
	require.False(t, h.visible(t, h.south, h.northClinic))
}

// awaitBlocked returns when a connection of this database waits for a lock, or what should have waited is over.
func (h *house) awaitBlocked(t *testing.T, over func() bool) {
	t.Helper()
	super := h.pg.Superuser(t)
	for waiting := 0; waiting == 0 && !over(); {
		require.NoError(t, super.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting))
	}
}
