package pgtest

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// defaultMSP is the slug of the MSP that Tenant puts tenants under.
const defaultMSP = "test-msp"

// Tenant returns the id of the tenant with that slug and makes it first, active and
// under the MSP "test-msp", if it does not exist. The database needs tenant.Migrations.
func (db *DB) Tenant(t testing.TB, slug string) uuid.UUID {
	t.Helper()
	return db.TenantUnder(t, defaultMSP, slug)
}

// TenantUnder is Tenant under an MSP of the caller's choice.
func (db *DB) TenantUnder(t testing.TB, msp, slug string) uuid.UUID {
	t.Helper()
	parent := db.MSP(t, msp)
	return db.row(t, `INSERT INTO tomkit.tenants (id, msp_id, slug, name) VALUES ($1, $3, $2, $2)
		ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug RETURNING id`, uuid.New(), slug, parent)
}

// MSP returns the id of the MSP with that slug and makes it first, active, if it does
// not exist. The database needs tenant.Migrations.
func (db *DB) MSP(t testing.TB, slug string) uuid.UUID {
	t.Helper()
	operator := db.Operator(t)
	return db.row(t, `INSERT INTO tomkit.msps (id, operator_id, slug, name) VALUES ($1, $3, $2, $2)
		ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug RETURNING id`, uuid.New(), slug, operator)
}

// Operator returns the id of the operator and makes it first, with the MSP and the
// tenant of the same id, if it does not exist. The database needs tenant.Migrations.
func (db *DB) Operator(t testing.TB) uuid.UUID {
	t.Helper()
	return db.row(t, `WITH made AS (
			INSERT INTO tomkit.operators (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id
		), msp AS (
			INSERT INTO tomkit.msps (id, operator_id, slug, name) SELECT id, id, $2, $2 FROM made
		), tenant AS (
			INSERT INTO tomkit.tenants (id, msp_id, kind, slug, name) SELECT id, id, 'operator', $2, $2 FROM made
		)
		SELECT id FROM made UNION ALL SELECT id FROM tomkit.operators`, uuid.New(), "test-operator")
}

// row runs one statement that returns an id, as superuser.
func (db *DB) row(t testing.TB, sql string, args ...any) (id uuid.UUID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.SuperuserURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql, args...).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}
