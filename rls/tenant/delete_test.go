package tenant_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func TestTheOperatorStays(t *testing.T) {
	h := newHouse(t)
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		require.ErrorIs(t, tenant.DeleteMSP(ctx, tx, h.operator), tenant.ErrOperator)
	})
	for _, table := range []string{"tenants", "msps", "operators"} {
		_, err := h.pg.Superuser(t).Exec(t.Context(), "DELETE FROM tomkit."+table+" WHERE id = $1", h.operator)
		require.Error(t, err, table)
	}
}

func TestTheNamesOfADeletedTenantAreFree(t *testing.T) {
	h := newHouse(t)
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		require.NoError(t, tenant.AddHost(ctx, tx, h.northClinic, "clinic.example"))
		_, err := tx.Exec(ctx, `DELETE FROM tomkit.tenants WHERE id = $1`, h.northClinic)
		require.NoError(t, err)
	})
	_, err := tenant.ByHost(t.Context(), h.db.Anonymous(), "clinic.example")
	require.ErrorIs(t, err, tenant.ErrUnknown)
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		require.NoError(t, tenant.AddHost(ctx, tx, h.southLab, "clinic.example"))
		_, err := tenant.Create(ctx, tx, h.north, tenant.New{Slug: "clinic", Name: "Klinik"})
		require.NoError(t, err)
	})
}

func TestDeleteMSP(t *testing.T) {
	h := newHouse(t)
	_, err := h.pg.Superuser(t).Exec(t.Context(), "DELETE FROM tomkit.msps WHERE id = $1", h.south)
	requireCode(t, "23503", err)
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		require.ErrorIs(t, tenant.DeleteMSP(ctx, tx, h.south), tenant.ErrNotEmpty)
		require.ErrorIs(t, tenant.DeleteMSP(ctx, tx, uuid.New()), tenant.ErrUnknown)
		_, err := tenant.Move(ctx, tx, h.southLab, h.north)
		require.NoError(t, err)
		require.NoError(t, tenant.DeleteMSP(ctx, tx, h.south))
		require.ErrorIs(t, tenant.DeleteMSP(ctx, tx, h.south), tenant.ErrUnknown)
		_, err = tenant.Move(ctx, tx, h.southLab, h.south)
		require.ErrorIs(t, err, tenant.ErrNoParent)
	})
	t.Run("a tenant that comes in while it is deleted keeps one of the two", func(t *testing.T) {
		var msp uuid.UUID
		h.system(t, func(ctx context.Context, tx *rls.Tx) {
			msp, err = tenant.CreateMSP(ctx, tx, tenant.New{Slug: "west", Name: "West"})
			require.NoError(t, err)
		})
		moved := make(chan error, 1)
		h.system(t, func(ctx context.Context, tx *rls.Tx) {
			require.NoError(t, tenant.DeleteMSP(ctx, tx, msp))
			go func() {
				_, err := h.move(context.Background(), h.southLab, msp)
				moved <- err
			}()
			h.awaitBlocked(t, func() bool { return len(moved) > 0 })
		})
		require.ErrorIs(t, <-moved, tenant.ErrNoParent)
		require.True(t, h.visible(t, h.north, h.southLab))
	})
}
