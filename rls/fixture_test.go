package rls_test

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// shop is a small product: two tenant tables, the second with a composite foreign key to the first.
var shop = rls.Source{Name: "shop", FS: fstest.MapFS{"00001_shop.sql": {Data: []byte(`-- +goose Up
CREATE TABLE tomkit.devices (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id        int  NOT NULL,
    name      text NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE TABLE tomkit.notes (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id        int  GENERATED ALWAYS AS IDENTITY,
    device_id int  NOT NULL,
    body      text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
        DEFERRABLE INITIALLY DEFERRED
);
SELECT tomkit.protect('tomkit.devices');
SELECT tomkit.protect('tomkit.notes');
`)}}}

// Rows of the two tenants in tomkit.devices.
const (
	rowsA = 3
	rowsB = 2
)

// fixture is a database with the shop and two tenants, A with devices 1 to 3 and B with devices 101 and 102.
type fixture struct {
	pg    *pgtest.DB
	db    *rls.DB
	super *pgxpool.Pool
	a, b  uuid.UUID
	msp   uuid.UUID
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return newFixtureConfig(t, rls.Config{})
}

func newFixtureConfig(t testing.TB, cfg rls.Config) *fixture {
	t.Helper()
	f := fixtureOn(t, pgtest.New(t, fixtureSources()...))
	f.db = f.pg.OpenConfig(t, cfg)
	return f
}

func fixtureSources() []rls.Source { return []rls.Source{rls.Migrations(), tenant.Migrations(), shop} }

// fixtureOn fills a database and opens no scopes.
func fixtureOn(t testing.TB, pg *pgtest.DB) *fixture {
	t.Helper()
	f := &fixture{pg: pg}
	f.super = f.pg.Superuser(t)
	f.a, f.b = f.pg.Tenant(t, "a"), f.pg.Tenant(t, "b")
	ctx := context.Background()
	require.NoError(t, f.super.QueryRow(ctx, "SELECT msp_id FROM tomkit.tenants WHERE id = $1", f.a).Scan(&f.msp))
	_, err := f.super.Exec(ctx, `INSERT INTO tomkit.devices
		SELECT $1::uuid, i, 'a' || i FROM generate_series(1, $3::int) i UNION ALL SELECT $2::uuid, 100 + i, 'b' || i FROM generate_series(1, $4::int) i`,
		f.a, f.b, rowsA, rowsB)
	require.NoError(t, err)
	return f
}

// single is a fixture whose logins have one connection each, so that successive calls meet on it.
func single(t testing.TB) *fixture {
	t.Helper()
	return newFixtureConfig(t, rls.Config{MaxConns: 1})
}

const countDevices = "SELECT count(*) FROM tomkit.devices"

// count returns what a scope's query counts.
func count(t testing.TB, s rls.Scope, sql string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, s.QueryRow(context.Background(), sql, args...).Scan(&n))
	return n
}

// How long a test waits for something that happens on its own, and how often it looks.
const (
	patience = 30 * time.Second
	tick     = 20 * time.Millisecond
)
