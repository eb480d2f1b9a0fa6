package tenant_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// slugs reads a whole list page by page.
func slugs(t *testing.T, ctx context.Context, q tenant.RowsQuerier, msp uuid.UUID, limit int) (all []string) {
	t.Helper()
	for p := (tenant.Page{Limit: limit}); ; p.After = all[len(all)-1] {
		tenants, err := tenant.List(ctx, q, msp, p)
		require.NoError(t, err)
		require.LessOrEqual(t, len(tenants), limit)
		require.Less(t, len(all), 100, "the pages go on for ever")
		if len(tenants) == 0 {
			return all
		}
		for _, x := range tenants {
			all = append(all, x.Slug)
		}
	}
}

func TestList(t *testing.T) {
	h := newHouse(t)
	var north []string
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		for i := range 7 {
			slug := fmt.Sprintf("ward-%d", i)
			_, err := tenant.Create(ctx, tx, h.north, tenant.New{Slug: slug, Name: slug})
			require.NoError(t, err)
			north = append(north, slug)
		}
		require.NoError(t, tenant.SetStatus(ctx, tx, h.northClinic, tenant.Suspended))
	})
	north = append([]string{"clinic"}, north...)
	t.Run("an MSP lists its own, suspended ones too, and no others", func(t *testing.T) {
		for _, limit := range []int{1, 3, 8, 100} {
			require.Equal(t, north, slugs(t, t.Context(), h.db.MSP(h.north), uuid.Nil, limit))
		}
		require.Equal(t, []string{"lab"}, slugs(t, t.Context(), h.db.MSP(h.south), uuid.Nil, 10))
		require.Empty(t, slugs(t, t.Context(), h.db.MSP(h.south), h.north, 10))
	})
	t.Run("the system lists all, or one MSP's", func(t *testing.T) {
		h.system(t, func(ctx context.Context, tx *rls.Tx) {
			require.Len(t, slugs(t, ctx, tx, uuid.Nil, 4), 10)
			require.Equal(t, north, slugs(t, ctx, tx, h.north, 4))
			msps, err := tenant.ListMSPs(ctx, tx, tenant.Page{})
			require.NoError(t, err)
			require.Len(t, msps, 3)
			require.Equal(t, []string{"north", "operator", "south"}, []string{msps[0].Slug, msps[1].Slug, msps[2].Slug})
			require.Equal(t, []bool{false, true, false}, []bool{msps[0].Operator(), msps[1].Operator(), msps[2].Operator()})
			msps, err = tenant.ListMSPs(ctx, tx, tenant.Page{After: "north", Limit: 1})
			require.NoError(t, err)
			require.Len(t, msps, 1)
			require.Equal(t, h.operator, msps[0].ID)
		})
	})
	t.Run("a tenant lists itself, nobody nothing", func(t *testing.T) {
		require.Equal(t, []string{"lab"}, slugs(t, t.Context(), h.db.Tenant(h.southLab), uuid.Nil, 10))
		require.Empty(t, slugs(t, t.Context(), h.db.Anonymous(), uuid.Nil, 10))
		msps, err := tenant.ListMSPs(t.Context(), h.db.MSP(h.north), tenant.Page{})
		require.NoError(t, err)
		require.Len(t, msps, 1)
		_, err = tenant.ListMSPs(t.Context(), h.db.Tenant(h.southLab), tenant.Page{})
		requireCode(t, "42501", err)
	})
	t.Run("an MSP reads itself", func(t *testing.T) {
		m, err := tenant.GetMSP(t.Context(), h.db.MSP(h.north), h.north)
		require.NoError(t, err)
		require.Equal(t, tenant.MSP{ID: h.north, OperatorID: h.operator, Slug: "north", Name: "Nord", Status: tenant.Active, CreatedAt: m.CreatedAt}, m)
		for _, slug := range []string{"south", "nobody", "", "' OR true"} {
			_, err := tenant.GetMSPBySlug(t.Context(), h.db.MSP(h.north), slug)
			require.ErrorIs(t, err, tenant.ErrUnknown, slug)
		}
		_, err = tenant.GetMSP(t.Context(), h.db.MSP(h.north), h.south)
		require.ErrorIs(t, err, tenant.ErrUnknown)
	})
	t.Run("a limit beyond reason is refused", func(t *testing.T) {
		for _, limit := range []int{-1, 1001} {
			_, err := tenant.List(t.Context(), h.db.MSP(h.north), uuid.Nil, tenant.Page{Limit: limit})
			require.ErrorIs(t, err, tenant.ErrInvalid)
		}
	})
}

func TestRename(t *testing.T) {
	h := newHouse(t)
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		require.NoError(t, tenant.Rename(ctx, tx, h.northClinic, "Klinikum Nord"))
		require.NoError(t, tenant.SetSlug(ctx, tx, h.northClinic, "klinikum"))
		require.NoError(t, tenant.RenameMSP(ctx, tx, h.north, "Nord GmbH"))
		require.NoError(t, tenant.SetMSPSlug(ctx, tx, h.north, "nord"))
		have, err := tenant.GetBySlug(ctx, tx, "klinikum")
		require.NoError(t, err)
		require.Equal(t, "Klinikum Nord", have.Name)
		_, err = tenant.GetBySlug(ctx, tx, "clinic")
		require.ErrorIs(t, err, tenant.ErrUnknown)
		_, err = tenant.GetBySlug(ctx, tx, "' OR true")
		require.ErrorIs(t, err, tenant.ErrUnknown)

		require.ErrorIs(t, tenant.SetSlug(ctx, tx, h.northClinic, "lab"), tenant.ErrTaken)
		require.ErrorIs(t, tenant.SetMSPSlug(ctx, tx, h.north, "south"), tenant.ErrTaken)
		for _, bad := range []string{"", "A", "a--b", strings.Repeat("a", 64), "a.b"} {
			require.ErrorIs(t, tenant.SetSlug(ctx, tx, h.northClinic, bad), tenant.ErrInvalid, bad)
			require.ErrorIs(t, tenant.SetMSPSlug(ctx, tx, h.north, bad), tenant.ErrInvalid, bad)
		}
		for _, bad := range []string{"", "\xff", "a\x00b", strings.Repeat("ü", 201)} {
			require.ErrorIs(t, tenant.Rename(ctx, tx, h.northClinic, bad), tenant.ErrInvalid)
			require.ErrorIs(t, tenant.RenameMSP(ctx, tx, h.north, bad), tenant.ErrInvalid)
		}
		require.ErrorIs(t, tenant.Rename(ctx, tx, uuid.New(), "x"), tenant.ErrUnknown)
		require.ErrorIs(t, tenant.SetSlug(ctx, tx, uuid.New(), "x"), tenant.ErrUnknown)
		require.NoError(t, tenant.Rename(ctx, tx, h.northClinic, "Klinik"), "the transaction is still in order")
	})
	_, err := tenant.BySlug(t.Context(), h.db.Anonymous(), "clinic")
	require.ErrorIs(t, err, tenant.ErrUnknown)
	id, err := tenant.BySlug(t.Context(), h.db.Anonymous(), "klinikum")
	require.NoError(t, err)
	require.Equal(t, h.northClinic, id)
}
