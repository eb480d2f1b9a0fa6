package tenant_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// house is an installation: an operator, two MSPs, a tenant each.
type house struct {
	pg                    *pgtest.DB
	db                    *rls.DB
	operator              uuid.UUID
	north, south          uuid.UUID
	northClinic, southLab uuid.UUID
}

func newHouse(t *testing.T, more ...rls.Source) *house {
	h := &house{pg: pgtest.New(t, append([]rls.Source{rls.Migrations(), tenant.Migrations()}, more...)...)}
	h.db = h.pg.Open(t)
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		var err error
		h.operator, err = tenant.CreateOperator(ctx, tx, tenant.New{Slug: "operator", Name: "Betreiber"})
		require.NoError(t, err)
		h.north, err = tenant.CreateMSP(ctx, tx, tenant.New{Slug: "north", Name: "Nord"})
		require.NoError(t, err)
		h.south, err = tenant.CreateMSP(ctx, tx, tenant.New{Slug: "south", Name: "Süd"})
		require.NoError(t, err)
		h.northClinic, err = tenant.Create(ctx, tx, h.north, tenant.New{Slug: "clinic", Name: "Klinik"})
		require.NoError(t, err)
		h.southLab, err = tenant.Create(ctx, tx, h.south, tenant.New{Slug: "lab", Name: "Labor"})
		require.NoError(t, err)
	})
	return h
}

func (h *house) system(t *testing.T, fn func(context.Context, *rls.Tx)) {
	t.Helper()
	require.NoError(t, h.db.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error { fn(ctx, tx); return nil }))
}

func TestHierarchy(t *testing.T) {
	h := newHouse(t)
	t.Run("a tenant reads itself and no other", func(t *testing.T) {
		have, err := tenant.Get(t.Context(), h.db.Tenant(h.northClinic), h.northClinic)
		require.NoError(t, err)
		require.Equal(t, tenant.Tenant{ID: h.northClinic, MSP: h.north, Slug: "clinic", Name: "Klinik", Status: tenant.Active, CreatedAt: have.CreatedAt}, have)
		require.False(t, have.Operator())
		for _, id := range []uuid.UUID{h.southLab, h.operator, h.north, uuid.New()} {
			_, err := tenant.Get(t.Context(), h.db.Tenant(h.northClinic), id)
			require.ErrorIs(t, err, tenant.ErrUnknown)
		}
	})
	t.Run("an MSP reads its tenants and no others", func(t *testing.T) {
		_, err := tenant.Get(t.Context(), h.db.MSP(h.north), h.northClinic)
		require.NoError(t, err)
		_, err = tenant.Get(t.Context(), h.db.MSP(h.north), h.southLab)
		require.ErrorIs(t, err, tenant.ErrUnknown)
		var n int
		require.NoError(t, h.db.MSP(h.north).QueryRow(t.Context(), "SELECT count(*) FROM tomkit.msps").Scan(&n))
		require.Equal(t, 1, n)
	})
	t.Run("the operator is a tenant and an MSP of its own", func(t *testing.T) {
		have, err := tenant.Get(t.Context(), h.db.Tenant(h.operator), h.operator)
		require.NoError(t, err)
		require.True(t, have.Operator())
		_, err = tenant.Get(t.Context(), h.db.MSP(h.operator), h.northClinic)
		require.ErrorIs(t, err, tenant.ErrUnknown)
	})
	t.Run("nobody but the system writes, and requests see no MSPs", func(t *testing.T) {
		for _, sql := range []string{
			"UPDATE tomkit.tenants SET status = 'active'", "DELETE FROM tomkit.tenants", "SELECT * FROM tomkit.msps", "SELECT * FROM tomkit.operators",
			"INSERT INTO tomkit.tenants (id, msp_id, slug, name) VALUES (gen_random_uuid(), gen_random_uuid(), 'x', 'x')",
		} {
			_, err := h.db.Tenant(h.northClinic).Exec(t.Context(), sql)
			requireCode(t, "42501", err)
		}
	})
	t.Run("the database refuses a hierarchy that is none", func(t *testing.T) {
		for name, c := range map[string]struct{ sql, code string }{
			"a tenant without an MSP":           {"INSERT INTO tomkit.tenants (id, msp_id, slug, name) VALUES (gen_random_uuid(), gen_random_uuid(), 'x', 'x')", "23503"},
			"an MSP without the operator":       {"INSERT INTO tomkit.msps (id, operator_id, slug, name) VALUES (gen_random_uuid(), gen_random_uuid(), 'x', 'x')", "23503"},
			"a second operator":                 {"INSERT INTO tomkit.operators (id, name) VALUES (gen_random_uuid(), 'x')", "23505"},
			"a tenant that calls itself one":    {"UPDATE tomkit.tenants SET kind = 'operator' WHERE slug = 'clinic'", "23514"},
			"an operator that is one no longer": {"UPDATE tomkit.tenants SET kind = 'tenant' WHERE slug = 'operator'", "23514"},
			"an operator that gets an MSP":      {"UPDATE tomkit.tenants SET kind = 'tenant', msp_id = (SELECT id FROM tomkit.msps WHERE slug = 'north') WHERE slug = 'operator'", "23514"},
			"a suspended operator":              {"UPDATE tomkit.tenants SET status = 'suspended' WHERE slug = 'operator'", "23514"},
			"an unknown status":                 {"UPDATE tomkit.tenants SET status = 'x'", "23514"},
			"a slug that is none":               {"UPDATE tomkit.tenants SET slug = 'A b'", "23514"},
		} {
			_, err := h.pg.Superuser(t).Exec(t.Context(), c.sql)
			requireCode(t, c.code, err)
			_ = name
		}
	})
}

func requireCode(t *testing.T, code string, err error) {
	t.Helper()
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	require.Equal(t, code, pg.Code, pg.Message)
}

func TestOperatorID(t *testing.T) {
	h := newHouse(t)
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		id, err := tenant.OperatorID(ctx, tx)
		require.NoError(t, err)
		require.Equal(t, h.operator, id)
	})
	empty := pgtest.New(t, rls.Migrations(), tenant.Migrations()).Open(t)
	require.ErrorIs(t, empty.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error {
		_, err := tenant.OperatorID(ctx, tx)
		return err
	}), tenant.ErrUnknown)
	_, err := tenant.OperatorID(t.Context(), h.db.Tenant(h.northClinic))
	requireCode(t, "42501", err)
}

func TestBySlug(t *testing.T) {
	h := newHouse(t)
	find := func(slug string) (uuid.UUID, error) { return tenant.BySlug(t.Context(), h.db.Anonymous(), slug) }
	id, err := find("clinic")
	require.NoError(t, err)
	require.Equal(t, h.northClinic, id)
	for _, slug := range []string{"", "nobody", "CLINIC", "clinic ", "clinic\x00", "' OR 1=1 --", "-clinic", "north", strings.Repeat("a", 64)} {
		_, err := find(slug)
		require.ErrorIs(t, err, tenant.ErrUnknown, slug)
	}
	set := func(fn func(context.Context, *rls.Tx, uuid.UUID, tenant.Status) error, id uuid.UUID, s tenant.Status) {
		t.Helper()
		h.system(t, func(ctx context.Context, tx *rls.Tx) { require.NoError(t, fn(ctx, tx, id, s)) })
	}
	t.Run("a suspended tenant is unknown", func(t *testing.T) {
		set(tenant.SetStatus, h.northClinic, tenant.Suspended)
		_, err := find("clinic")
		require.ErrorIs(t, err, tenant.ErrUnknown)
		set(tenant.SetStatus, h.northClinic, tenant.Active)
		_, err = find("clinic")
		require.NoError(t, err)
	})
	t.Run("so are the tenants of a suspended MSP, which sees nothing", func(t *testing.T) {
		set(tenant.SetMSPStatus, h.north, tenant.Suspended)
		_, err := find("clinic")
		require.ErrorIs(t, err, tenant.ErrUnknown)
		_, err = tenant.Get(t.Context(), h.db.MSP(h.north), h.northClinic)
		require.ErrorIs(t, err, tenant.ErrUnknown)
		set(tenant.SetMSPStatus, h.north, tenant.Active)
	})
	t.Run("only the app login may ask", func(t *testing.T) {
		_, err := tenant.BySlug(t.Context(), h.db.MSP(h.north), "clinic")
		requireCode(t, "42501", err)
	})
}

func TestCreateRefuses(t *testing.T) {
	h := newHouse(t)
	good := tenant.New{Slug: "new", Name: "Neu"}
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		for name, n := range map[string]tenant.New{
			"no slug": {Name: "x"}, "a slug in capitals": {Slug: "X", Name: "x"}, "a slug that begins with a hyphen": {Slug: "-x", Name: "x"},
			"two hyphens": {Slug: "a--b", Name: "x"}, "a long slug": {Slug: strings.Repeat("a", 64), Name: "x"}, "no name": {Slug: "x"},
			"a long name": {Slug: "x", Name: strings.Repeat("ü", 201)}, "a name that is no UTF-8": {Slug: "x", Name: "\xff"},
		} {
			_, err := tenant.Create(ctx, tx, h.north, n)
			require.ErrorIs(t, err, tenant.ErrInvalid, name)
			_, err = tenant.CreateMSP(ctx, tx, n)
			require.ErrorIs(t, err, tenant.ErrInvalid, name)
			_, err = tenant.CreateOperator(ctx, tx, n)
			require.ErrorIs(t, err, tenant.ErrInvalid, name)
		}
		_, err := tenant.Create(ctx, tx, h.north, tenant.New{Slug: "clinic", Name: "x"})
		require.ErrorIs(t, err, tenant.ErrTaken)
		_, err = tenant.Create(ctx, tx, h.north, tenant.New{ID: h.southLab, Slug: "other", Name: "x"})
		require.ErrorIs(t, err, tenant.ErrTaken)
		_, err = tenant.CreateMSP(ctx, tx, tenant.New{Slug: "north", Name: "x"})
		require.ErrorIs(t, err, tenant.ErrTaken)
		_, err = tenant.CreateOperator(ctx, tx, tenant.New{Slug: "second", Name: "x"})
		require.ErrorIs(t, err, tenant.ErrTaken)
		_, err = tenant.Create(ctx, tx, uuid.New(), good)
		require.ErrorIs(t, err, tenant.ErrNoParent)
		require.ErrorIs(t, tenant.SetStatus(ctx, tx, h.northClinic, "x"), tenant.ErrInvalid)
		require.ErrorIs(t, tenant.SetStatus(ctx, tx, h.operator, tenant.Suspended), tenant.ErrUnknown)
		require.ErrorIs(t, tenant.SetMSPStatus(ctx, tx, h.operator, tenant.Suspended), tenant.ErrUnknown)
		_, err = tenant.Create(ctx, tx, h.north, good)
		require.NoError(t, err, "the transaction is still in order")
	})
	t.Run("an MSP without the operator", func(t *testing.T) {
		empty := pgtest.New(t, rls.Migrations(), tenant.Migrations()).Open(t)
		require.ErrorIs(t, empty.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error {
			_, err := tenant.CreateMSP(ctx, tx, good)
			return err
		}), tenant.ErrNoParent)
	})
	t.Run("anybody but the system", func(t *testing.T) {
		for _, s := range []rls.Scope{h.db.Tenant(h.operator), h.db.MSP(h.operator), h.db.Anonymous()} {
			err := s.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, err := tenant.Create(ctx, tx, h.north, good)
				return err
			})
			require.Error(t, err)
		}
	})
}
