package rls_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// BenchmarkScopeQuery compares one point read, 100 tenants of 1,000 rows each:
//
//	unscoped     no row-level security, the tenant in the WHERE clause, autocommit
//	scoped       Scope.QueryRow with the signed context
//	plain        Scope.QueryRow with the bare id
//	four trips   BEGIN, set_config, SELECT, COMMIT one after the other, which is the common way
//	closure      Scope.InTx
func BenchmarkScopeQuery(b *testing.B) {
	f := newBench(b)
	ctx := context.Background()
	const own = "SELECT name FROM tomkit.bench WHERE id = $1"
	const both = "SELECT name FROM tomkit.bench WHERE tenant_id = $2 AND id = $1"
	var name string

	b.Run("unscoped", func(b *testing.B) {
		for b.Loop() {
			if err := f.raw.QueryRow(ctx, both, 7, f.tenant).Scan(&name); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("scoped", func(b *testing.B) {
		for b.Loop() {
			if err := f.signed.Tenant(f.tenant).QueryRow(ctx, own, 7).Scan(&name); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("four trips", func(b *testing.B) {
		for b.Loop() {
			err := pgx.BeginFunc(ctx, f.app, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "SELECT set_config('app.tenant_id', $1, true)", f.tenant.String()); err != nil {
					return err
				}
				return tx.QueryRow(ctx, both, 7, f.tenant).Scan(&name)
			})
			if err != nil && err != pgx.ErrNoRows { // a bare id opens nothing here; the way is the same
				b.Fatal(err)
			}
		}
	})
	b.Run("closure", func(b *testing.B) {
		for b.Loop() {
			err := f.signed.Tenant(f.tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				return tx.QueryRow(ctx, own, 7).Scan(&name)
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plain", func(b *testing.B) {
		require.NoError(b, rls.UsePlainContextUnsafe(ctx, f.db.URL(rls.RoleMigrator)))
		plain := f.db.OpenConfig(b, rls.Config{UnsignedContextUnsafe: true})
		for b.Loop() {
			if err := plain.Tenant(f.tenant).QueryRow(ctx, own, 7).Scan(&name); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type bench struct {
	db       *pgtest.DB
	signed   *rls.DB
	raw, app *pgxpool.Pool
	tenant   uuid.UUID
}

func newBench(b testing.TB) *bench {
	db := pgtest.New(b, rls.Migrations(), tenant.Migrations())
	super := db.Superuser(b)
	f := &bench{db: db, signed: db.Open(b), raw: super, app: db.Pool(b, rls.RoleApp), tenant: uuid.New()}
	_, err := super.Exec(b.Context(), `
		CREATE TABLE tomkit.bench (tenant_id uuid NOT NULL, id int NOT NULL, name text NOT NULL, PRIMARY KEY (tenant_id, id));
		ALTER TABLE tomkit.bench OWNER TO tomkit_owner`)
	require.NoError(b, err)
	_, err = super.Exec(b.Context(), `INSERT INTO tomkit.bench SELECT t, i, 'device ' || i
		FROM (SELECT $1::uuid t UNION ALL SELECT gen_random_uuid() FROM generate_series(1, 99)) x, generate_series(1, 1000) i`, f.tenant)
	require.NoError(b, err)
	_, err = super.Exec(b.Context(), "SELECT tomkit.protect('tomkit.bench')")
	require.NoError(b, err)
	_, err = super.Exec(b.Context(), "VACUUM ANALYZE tomkit.bench")
	require.NoError(b, err)
	return f
}
