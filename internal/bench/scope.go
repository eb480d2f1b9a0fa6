package main

import (
	"context"
	"math/rand/v2"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// 100 tenants with 1,000 rows each: enough for an index to matter, small enough to stay in memory, as hot rows do.
const scopeSetup = `
	CREATE TABLE tomkit.items (tenant_id uuid NOT NULL, id int NOT NULL, payload text NOT NULL, PRIMARY KEY (tenant_id, id));
	ALTER TABLE tomkit.items OWNER TO tomkit_owner;
	INSERT INTO tomkit.items SELECT lpad(t::text, 32, '0')::uuid, i, repeat('x', 200) FROM generate_series(1, 100) t, generate_series(1, 1000) i;
	SELECT tomkit.protect('tomkit.items');
	CREATE TABLE tomkit.plain_items (LIKE tomkit.items INCLUDING ALL);
	INSERT INTO tomkit.plain_items SELECT * FROM tomkit.items;
	ALTER TABLE tomkit.plain_items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY common ON tomkit.plain_items TO tomkit_app USING (tenant_id = NULLIF(current_setting('app.plain_tenant', true), '')::uuid);
	GRANT SELECT ON tomkit.plain_items TO tomkit_app;
	ANALYZE tomkit.items, tomkit.plain_items;`

// benchScope compares a scoped query with the same query without any isolation, and with the usual four round trips.
func benchScope(ctx context.Context, r *reporter) error {
	d, stop, err := openDatabase(ctx, scopeSetup)
	if err != nil {
		return err
	}
	defer stop()
	tenant := uuid.MustParse("00000000-0000-0000-0000-000000000042")
	const scoped = `SELECT payload FROM tomkit.items WHERE id = $1`
	const unscoped = `SELECT payload FROM tomkit.items WHERE tenant_id = $1 AND id = $2`
	const common = `SELECT payload FROM tomkit.plain_items WHERE id = $1`
	serial := func(op func(id int) error) func(int) error {
		return func(n int) error {
			for range n {
				if err := op(rand.IntN(1000) + 1); err != nil {
					return err
				}
			}
			return nil
		}
	}
	var payload string
	scope := d.db.Tenant(tenant)
	ours := candidate{"tomkit", serial(func(id int) error { return scope.QueryRow(ctx, scoped, id).Scan(&payload) })}
	if err := r.cost("scope-query", ours, candidate{"unscoped", serial(func(id int) error {
		return d.super.QueryRow(ctx, unscoped, tenant, id).Scan(&payload)
	})}, atMost(1.45)); err != nil {
		return err
	}
	return r.cost("scope-query", ours, candidate{"BEGIN/set_config/SELECT/COMMIT", serial(func(id int) error {
		return pgx.BeginFunc(ctx, d.app, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SELECT set_config('app.plain_tenant', $1, true)`, tenant.String()); err != nil {
				return err
			}
			return tx.QueryRow(ctx, common, id).Scan(&payload)
		})
	})}, atLeast(2.5))
}
