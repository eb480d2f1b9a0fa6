package tenant_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// shop has one table of each kind that a deletion meets.
var shop = rls.Source{Name: "shop", FS: fstest.MapFS{"00001_shop.sql": {Data: []byte(`-- +goose Up
CREATE TABLE tomkit.orders (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
SELECT tomkit.protect('tomkit.orders');
CREATE TABLE tomkit.lines (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    order_id uuid NOT NULL,
    n int NOT NULL,
    PRIMARY KEY (tenant_id, order_id, n),
    FOREIGN KEY (tenant_id, order_id) REFERENCES tomkit.orders (tenant_id, id) ON DELETE CASCADE
) PARTITION BY RANGE (n);
CREATE TABLE tomkit.lines_low PARTITION OF tomkit.lines FOR VALUES FROM (0) TO (10);
CREATE TABLE tomkit.lines_high PARTITION OF tomkit.lines FOR VALUES FROM (10) TO (20);
SELECT tomkit.protect('tomkit.lines');
CREATE TABLE tomkit.loose (owner_id uuid NOT NULL, n int NOT NULL, PRIMARY KEY (owner_id, n));
SELECT tomkit.protect('tomkit.loose', tenant_column => 'owner_id');
CREATE TABLE tomkit.kept (tenant_id uuid NOT NULL, n int NOT NULL, PRIMARY KEY (tenant_id, n));
SELECT tomkit.protect('tomkit.kept', system_privileges => '{SELECT,INSERT,UPDATE}');
`)}}}

// fill gives a tenant an order with four lines, two loose rows and a kept one.
func (h *house) fill(t *testing.T, id uuid.UUID) (order uuid.UUID) {
	t.Helper()
	order = uuid.New()
	require.NoError(t, h.db.Tenant(id).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		for _, sql := range []string{
			`INSERT INTO tomkit.orders VALUES ($1, $2)`,
			`INSERT INTO tomkit.lines SELECT $1, $2, n FROM unnest('{1, 2, 11, 12}'::int[]) n`,
			`INSERT INTO tomkit.loose SELECT $1::uuid, n FROM generate_series(1, 2) n WHERE $2::uuid IS NOT NULL`,
			`INSERT INTO tomkit.kept SELECT $1::uuid, 1 WHERE $2::uuid IS NOT NULL`,
		} {
			if _, err := tx.Exec(ctx, sql, id, order); err != nil {
				return err
			}
		}
		return nil
	}))
	return order
}

// rows counts a tenant's rows past all policies.
func (h *house) rows(t *testing.T, table, column string, id uuid.UUID) (n int64) {
	t.Helper()
	sql := fmt.Sprintf("SELECT count(*) FROM %s WHERE %s = $1", table, column)
	require.NoError(t, h.pg.Superuser(t).QueryRow(t.Context(), sql, id).Scan(&n))
	return n
}

func TestDelete(t *testing.T) {
	h := newHouse(t, shop)
	h.fill(t, h.northClinic)
	h.fill(t, h.southLab)
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		require.NoError(t, tenant.AddHost(ctx, tx, h.northClinic, "clinic.example"))
		require.NoError(t, tenant.AddHost(ctx, tx, h.northClinic, "www.clinic.example"))
	})
	t.Run("the operator stays, by whatever way", func(t *testing.T) {
		h.system(t, func(ctx context.Context, tx *rls.Tx) {
			_, err := tenant.Delete(ctx, tx, h.operator)
			require.ErrorIs(t, err, tenant.ErrOperator)
			require.ErrorIs(t, tenant.DeleteMSP(ctx, tx, h.operator), tenant.ErrOperator)
		})
		for _, table := range []string{"tenants", "msps", "operators"} {
			_, err := h.pg.Superuser(t).Exec(t.Context(), "DELETE FROM tomkit."+table+" WHERE id = $1", h.operator)
			require.Error(t, err, table)
		}
	})
	t.Run("nobody but the system deletes", func(t *testing.T) {
		for _, s := range []rls.Scope{h.db.Tenant(h.northClinic), h.db.MSP(h.north), h.db.Anonymous()} {
			require.Error(t, s.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, err := tenant.Delete(ctx, tx, h.northClinic)
				return err
			}))
		}
	})
	t.Run("everything goes but what is kept, and the report is exact", func(t *testing.T) {
		h.system(t, func(ctx context.Context, tx *rls.Tx) {
			_, err := tx.Exec(ctx, `DELETE FROM tomkit.loose WHERE owner_id = $1 AND n = 2`, h.southLab) // is not the report's business
			require.NoError(t, err)
			removed, err := tenant.Delete(ctx, tx, h.northClinic)
			require.NoError(t, err)
			require.Equal(t, []tenant.Removed{
				{Table: "tomkit.lines", Rows: 4}, {Table: "tomkit.loose", Rows: 2}, {Table: "tomkit.orders", Rows: 1},
				{Table: "tomkit.tenant_hosts", Rows: 2}, {Table: "tomkit.tenants", Rows: 1},
			}, removed)
			_, err = tenant.Delete(ctx, tx, h.northClinic)
			require.ErrorIs(t, err, tenant.ErrUnknown)
		})
		require.Zero(t, h.rows(t, "tomkit.loose", "owner_id", h.northClinic))
		require.EqualValues(t, 1, h.rows(t, "tomkit.kept", "tenant_id", h.northClinic))
	})
	t.Run("the neighbour has all of its rows", func(t *testing.T) {
		require.EqualValues(t, 1, h.rows(t, "tomkit.orders", "tenant_id", h.southLab))
		require.EqualValues(t, 4, h.rows(t, "tomkit.lines", "tenant_id", h.southLab))
		require.EqualValues(t, 1, h.rows(t, "tomkit.kept", "tenant_id", h.southLab))
	})
	t.Run("its name and its host are free", func(t *testing.T) {
		_, err := tenant.ByHost(t.Context(), h.db.Anonymous(), "clinic.example")
		require.ErrorIs(t, err, tenant.ErrUnknown)
		h.system(t, func(ctx context.Context, tx *rls.Tx) {
			require.NoError(t, tenant.AddHost(ctx, tx, h.southLab, "clinic.example"))
			_, err := tenant.Create(ctx, tx, h.north, tenant.New{Slug: "clinic", Name: "Klinik"})
			require.NoError(t, err)
		})
	})
}

// TestDeleteWhileAWriterInserts has a writer that is not done when the deletion begins, and one that begins after it.
func TestDeleteWhileAWriterInserts(t *testing.T) {
	h := newHouse(t, shop)
	order := h.fill(t, h.northClinic)
	type outcome struct {
		removed []tenant.Removed
		err     error
	}
	deleted, late := make(chan outcome, 1), make(chan error, 1)
	var once sync.Once
	require.NoError(t, h.db.Tenant(h.northClinic).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO tomkit.lines VALUES ($1, $2, 3)`, h.northClinic, order); err != nil {
			return err
		}
		once.Do(func() {
			go func() {
				var o outcome
				o.err = h.db.System(context.Background(), "test", func(ctx context.Context, tx *rls.Tx) error {
					var err error
					o.removed, err = tenant.Delete(ctx, tx, h.northClinic)
					if err != nil {
						return err
					}
					go func() {
						_, err := h.db.Tenant(h.northClinic).Exec(context.Background(), `INSERT INTO tomkit.orders VALUES ($1, $2)`, h.northClinic, uuid.New())
						late <- err
					}()
					h.awaitBlocked(t, func() bool { return len(late) > 0 }) // the late writer waits for the outcome
					return nil
				})
				deleted <- o
			}()
			h.awaitBlocked(t, func() bool { return len(deleted) > 0 }) // the deletion waits for this transaction
		})
		return nil
	}))
	o := <-deleted
	require.NoError(t, o.err)
	require.Contains(t, o.removed, tenant.Removed{Table: "tomkit.lines", Rows: 5}, "the row of the writer that was not done is among them")
	requireCode(t, "23503", <-late)
	require.Zero(t, h.rows(t, "tomkit.orders", "tenant_id", h.northClinic))
	require.Zero(t, h.rows(t, "tomkit.lines", "tenant_id", h.northClinic))
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
