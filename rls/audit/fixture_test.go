package audit_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// shop is a product on tomkit's roles with everything done right: tables, a partition, a view, a definer function, sequences.
var shop = rls.Source{Name: "shop", FS: fstest.MapFS{"00001_shop.sql": {Data: []byte(`-- +goose Up
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO tomkit_app, tomkit_msp, tomkit_system, tomkit_backup;
CREATE TABLE shop.customers (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id        uuid NOT NULL,
    email     text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email)
);
SELECT tomkit.protect('shop.customers');
CREATE TABLE shop.orders (
    tenant_id   uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid NOT NULL,
    number      bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    customer_id uuid NOT NULL,
    state       text NOT NULL DEFAULT 'new',
    during      tstzrange,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES shop.customers (tenant_id, id) ON DELETE CASCADE
);
SELECT tomkit.protect('shop.orders');
CREATE TABLE shop.invoices (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id        uuid NOT NULL,
    order_id  uuid NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES shop.orders (tenant_id, id)
);
SELECT tomkit.protect('shop.invoices', '{SELECT}');
CREATE TABLE shop.events (
    tenant_id uuid NOT NULL,
    at        timestamptz NOT NULL,
    id        uuid NOT NULL,
    PRIMARY KEY (tenant_id, at, id)
) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2026 PARTITION OF shop.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT tomkit.protect('shop.events');
CREATE TABLE shop.countries (code text PRIMARY KEY, name text NOT NULL);
GRANT SELECT ON shop.countries TO tomkit_app;
CREATE VIEW shop.open_orders WITH (security_invoker) AS SELECT id, number FROM shop.orders WHERE state <> 'done';
GRANT SELECT ON shop.open_orders TO tomkit_app;
CREATE FUNCTION shop.customer_count() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS
    'SELECT count(*) FROM shop.customers WHERE tenant_id = tomkit.current_tenant()';
CREATE FUNCTION shop.is_auditor() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true';
CREATE FUNCTION shop.my_tenant() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT tomkit.current_tenant()';
REVOKE ALL ON FUNCTION shop.customer_count(), shop.is_auditor(), shop.my_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shop.customer_count(), shop.is_auditor(), shop.my_tenant() TO tomkit_app;
`)}}}

// database is a superuser's connection whose transactions are all rolled back, roles included.
type database struct{ conn *pgx.Conn }

func newDatabase(t testing.TB, sources ...rls.Source) *database {
	t.Helper()
	db := pgtest.New(t, sources...)
	conn, err := pgx.Connect(context.Background(), db.SuperuserURL())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return &database{conn}
}

func newShop(t testing.TB) *database {
	return newDatabase(t, rls.Migrations(), tenant.Migrations(), shop)
}

// changed audits the database as it is after sql and edit, which leave no trace. What belongs to the machine a test runs on
// is set to something good first.
func (d *database) changed(t testing.TB, sql string, edit func(*audit.Snapshot), o audit.Options) audit.Report {
	t.Helper()
	ctx := context.Background()
	tx, err := d.conn.Begin(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(ctx)) }()
	_, err = tx.Exec(ctx, sql)
	require.NoErrorf(t, err, "%s", sql)
	s, err := audit.Load(ctx, tx)
	require.NoError(t, err)
	s.Server.Version, s.Settings, s.HBA = 150020, nil, nil
	if edit != nil {
		edit(s)
	}
	return audit.Judge(s, o)
}

// found lists rule and object of what nobody accepted.
func found(r audit.Report) [][2]string {
	list := [][2]string{}
	for _, f := range r.AtLeast(audit.Info) {
		list = append(list, [2]string{f.Rule, f.Object})
	}
	return list
}
