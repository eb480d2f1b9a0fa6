package integration_test

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

//go:embed testdata/product
var productFiles embed.FS

// product is another product's table under tomkit's protection.
func product(t *testing.T) rls.Source {
	t.Helper()
	files, err := fs.Sub(productFiles, "testdata/product")
	require.NoError(t, err)
	return rls.Source{Name: "product", FS: files}
}

// hospital is a database with two tenants of one MSP and one of another, three beds each.
type hospital struct {
	pg, logins        *pgtest.DB // logins may lead through a pooler
	db                *rls.DB
	msp               uuid.UUID
	ward, lab, remote uuid.UUID
}

const bedsEach = 3

func newHospital(t *testing.T) hospital {
	t.Helper()
	pg := pgtest.New(t, rls.Migrations(), tenant.Migrations(), product(t))
	h := hospital{pg: pg, logins: pg, db: pg.Open(t)}
	h.ward, h.lab = pg.TenantUnder(t, "north", "ward"), pg.TenantUnder(t, "north", "lab")
	h.msp, h.remote = pg.MSP(t, "north"), pg.TenantUnder(t, "south", "remote")
	for _, id := range []uuid.UUID{h.ward, h.lab, h.remote} {
		for n := range bedsEach {
			_, err := h.db.Tenant(id).Exec(t.Context(), `INSERT INTO tomkit.beds (tenant_id, id, label) VALUES ($1, $2, $3)`,
				id, uuid.New(), fmt.Sprintf("bed %d", n))
			require.NoError(t, err)
		}
	}
	return h
}

// beds counts what a scope sees.
func beds(t *testing.T, s rls.Scope, where string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, s.QueryRow(t.Context(), `SELECT count(*) FROM tomkit.beds `+where, args...).Scan(&n))
	return n
}

func TestIsolation(t *testing.T) {
	newHospital(t).isolates(t)
}

// isolates is what isolation means, on whatever way h.db takes to the server.
func (h hospital) isolates(t *testing.T) {
	ward := h.db.Tenant(h.ward)

	t.Run("a query without WHERE returns own rows only", func(t *testing.T) {
		require.Equal(t, bedsEach, beds(t, ward, ``))
	})
	t.Run("a query for another tenant's id returns nothing", func(t *testing.T) {
		require.Zero(t, beds(t, ward, `WHERE tenant_id = $1`, h.lab))
	})
	t.Run("no context, no rows", func(t *testing.T) {
		require.Zero(t, beds(t, h.db.Anonymous(), ``))
		var n int
		require.NoError(t, h.pg.Pool(t, rls.RoleApp).QueryRow(t.Context(), `SELECT count(*) FROM tomkit.beds`).Scan(&n))
		require.Zero(t, n)
	})
	t.Run("rows of another tenant can be neither written nor moved", func(t *testing.T) {
		_, err := ward.Exec(t.Context(), `INSERT INTO tomkit.beds (tenant_id, id, label) VALUES ($1, $2, 'x')`, h.lab, uuid.New())
		require.Error(t, err)
		_, err = ward.Exec(t.Context(), `UPDATE tomkit.beds SET tenant_id = $1`, h.lab)
		require.Error(t, err)
		tag, err := ward.Exec(t.Context(), `DELETE FROM tomkit.beds WHERE tenant_id = $1`, h.lab)
		require.NoError(t, err)
		require.Zero(t, tag.RowsAffected())
		require.Equal(t, bedsEach, beds(t, h.db.Tenant(h.lab), ``))
	})
	t.Run("an MSP reads its tenants and writes nothing", func(t *testing.T) {
		msp := h.db.MSP(h.msp)
		require.Equal(t, 2*bedsEach, beds(t, msp, ``))
		require.Zero(t, beds(t, msp, `WHERE tenant_id = $1`, h.remote))
		_, err := msp.Exec(t.Context(), `DELETE FROM tomkit.beds`)
		require.Error(t, err)
	})
	t.Run("background work sees every tenant", func(t *testing.T) {
		err := h.db.System(t.Context(), "bed_count", func(ctx context.Context, tx *rls.Tx) error {
			var n int
			err := tx.QueryRow(ctx, `SELECT count(*) FROM tomkit.beds`).Scan(&n)
			require.Equal(t, 3*bedsEach, n)
			return err
		})
		require.NoError(t, err)
	})
	t.Run("deleting a tenant takes its rows and no others", func(t *testing.T) {
		_, err := h.pg.Superuser(t).Exec(t.Context(), `DELETE FROM tomkit.tenants WHERE id = $1`, h.remote)
		require.NoError(t, err)
		require.Zero(t, beds(t, h.db.Tenant(h.remote), ``))
		require.Equal(t, bedsEach, beds(t, ward, ``))
	})
}

func TestInjection(t *testing.T) {
	newHospital(t).resistsInjection(t)
}

// resistsInjection runs what an attacker would in a tenant's scope, on whatever way h.db takes to the server.
func (h hospital) resistsInjection(t *testing.T) {
	count := func(t *testing.T, prelude string) (n int) {
		t.Helper()
		err := h.db.Tenant(h.ward).QueryRow(t.Context(),
			`WITH attack AS MATERIALIZED (SELECT `+prelude+`) SELECT count(*) FROM attack, tomkit.beds WHERE tenant_id <> $1`, h.ward).Scan(&n)
		require.NoError(t, err)
		return n
	}
	for name, prelude := range map[string]string{
		"the other tenant's id":     fmt.Sprintf(`set_config('app.tenant_id', '%s', true)`, h.lab),
		"a context without a MAC":   fmt.Sprintf(`set_config('app.tenant_id', '%s.%s.4102444800', true)`, strings.Repeat("0", 64), h.lab),
		"the bypass of system work": `set_config('app.bypass_rls', 'on', true)`,
	} {
		t.Run("injecting "+name+" shows no foreign row", func(t *testing.T) {
			require.Zero(t, count(t, prelude))
		})
	}
	for _, role := range []string{rls.RoleSystem, rls.RoleMSP, rls.RoleOwner, rls.RoleMigrator, rls.RoleBackup} {
		t.Run("the request login cannot become "+role, func(t *testing.T) {
			conn, err := pgx.Connect(t.Context(), h.logins.URL(rls.RoleApp))
			require.NoError(t, err)
			defer conn.Close(t.Context())
			_, err = conn.Exec(t.Context(), `SET ROLE `+role)
			require.Error(t, err)
		})
	}
}

func TestMigrationsFromManyProcesses(t *testing.T) {
	pg := pgtest.New(t)
	sources := []rls.Source{rls.Migrations(), tenant.Migrations(), product(t)}
	const many = 8
	applied := make([]int, many)
	errs := make([]error, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			report, err := migrate.Up(t.Context(), pg.URL(rls.RoleMigrator), sources...)
			applied[i], errs[i] = len(report.Applied), err
		})
	}
	all.Wait()
	winners := 0
	for i := range many {
		require.NoError(t, errs[i])
		if applied[i] > 0 {
			winners++
		}
	}
	require.Equal(t, 1, winners)
}
