package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
)

// A million rows of 100 tenants under our policy, a small copy under the policy most people write, and 1,000 tenants of one
// MSP with 100 rows each.
const rlsSetup = `
	CREATE TABLE tomkit.items (tenant_id uuid NOT NULL, id int NOT NULL, payload text NOT NULL, PRIMARY KEY (tenant_id, id));
	ALTER TABLE tomkit.items OWNER TO tomkit_owner;
	INSERT INTO tomkit.items SELECT lpad(t::text, 32, '0')::uuid, i, repeat('x', 100) FROM generate_series(1, 100) t, generate_series(1, 10000) i;
	SELECT tomkit.protect('tomkit.items');
	CREATE TABLE tomkit.plain_items (LIKE tomkit.items INCLUDING ALL);
	INSERT INTO tomkit.plain_items SELECT * FROM tomkit.items WHERE tenant_id = '00000000-0000-0000-0000-000000000042';
	ALTER TABLE tomkit.plain_items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY common ON tomkit.plain_items TO tomkit_app USING (tenant_id = NULLIF(current_setting('app.plain_tenant', true), '')::uuid);
	GRANT SELECT ON tomkit.plain_items TO tomkit_app;

	INSERT INTO tomkit.operators VALUES ('00000000-0000-0000-0001-000000000000', 'operator');
	INSERT INTO tomkit.msps (id, operator_id, slug, name) VALUES ('00000000-0000-0000-0002-000000000000', '00000000-0000-0000-0001-000000000000', 'msp', 'msp');
	INSERT INTO tomkit.tenants (id, msp_id, slug, name)
		SELECT lpad(i::text, 32, '0')::uuid, '00000000-0000-0000-0002-000000000000', 't' || i, 't' || i FROM generate_series(1, 1000) i;
	CREATE TABLE tomkit.devices (tenant_id uuid NOT NULL, id int NOT NULL, name text NOT NULL, PRIMARY KEY (tenant_id, id));
	ALTER TABLE tomkit.devices OWNER TO tomkit_owner;
	INSERT INTO tomkit.devices SELECT lpad(t::text, 32, '0')::uuid, i, 'device ' || i FROM generate_series(1, 1000) t, generate_series(1, 100) i;
	SELECT tomkit.protect('tomkit.devices');`

const rlsVacuum = `VACUUM ANALYZE tomkit.items, tomkit.plain_items, tomkit.devices, tomkit.tenants`

const (
	rowsPerTenant = 10000
	rlsWorkers    = 16
	auditLimit    = 250 * time.Millisecond
)

var (
	rlsTenant = uuid.MustParse("00000000-0000-0000-0000-000000000042")
	rlsMSP    = uuid.MustParse("00000000-0000-0000-0002-000000000000")
)

// The same point read under our policy, under the common one, and under none.
const (
	scopedRead   = `SELECT payload FROM tomkit.items WHERE id = $1`
	commonRead   = `SELECT payload FROM tomkit.plain_items WHERE id = $1`
	unscopedRead = `SELECT payload FROM tomkit.items WHERE tenant_id = $1 AND id = $2`
)

// benchRLS compares scopes with the same statements without isolation, and with the usual way to isolate.
func benchRLS(ctx context.Context, r *reporter) error {
	d, stop, err := openDatabase(ctx, rlsSetup)
	if err != nil {
		return err
	}
	defer stop()
	if _, err := d.super.Exec(ctx, rlsVacuum); err != nil {
		return err
	}
	far, err := delay(d.superuser)
	if err != nil {
		return err
	}
	defer far.close()
	for _, compare := range []func() error{
		func() error { return d.compareScopes(ctx, r, far, "signed", 1.45, d.openSigned) },
		func() error { return d.comparePolicies(ctx, r) },
		func() error { return d.compareMSP(ctx, r) },
		func() error { return d.compareClosures(ctx, r) },
		func() error { return d.compareScopes(ctx, r, far, "plain", 1.25, d.openPlain) },
		func() error { return d.compareAudit(ctx, r) },
	} {
		if err := compare(); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) openSigned(ctx context.Context, appURL string) (*rls.DB, error) {
	return rls.Open(ctx, rls.Config{AppURL: appURL, ContextKey: d.key, MaxConns: connections})
}

// openPlain switches the database to contexts without signature.
func (d *database) openPlain(ctx context.Context, appURL string) (*rls.DB, error) {
	if err := rls.UsePlainContextUnsafe(ctx, d.logins.Migrator); err != nil {
		return nil, err
	}
	return rls.Open(ctx, rls.Config{AppURL: appURL, UnsignedContextUnsafe: true, MaxConns: connections})
}

// compareScopes measures the point read nearby and behind a millisecond of round trip, one after the other and with many
// workers at once.
func (d *database) compareScopes(ctx context.Context, r *reporter, far *farAway, kind string, nearTarget float64,
	open func(context.Context, string) (*rls.DB, error)) error {
	for _, place := range []struct {
		name     string
		url      func(string) (string, error)
		unscoped target
	}{
		{"", func(direct string) (string, error) { return direct, nil }, atMost(nearTarget)},
		{"-1ms", far.url, atMost(1.05)},
	} {
		if err := d.compareScopesAt(ctx, r, "scope-"+kind+place.name, kind == "signed", place.url, place.unscoped, open); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) compareScopesAt(ctx context.Context, r *reporter, name string, withCommon bool, through func(string) (string, error),
	unscoped target, open func(context.Context, string) (*rls.DB, error)) error {
	superURL, err := through(d.superuser)
	if err != nil {
		return err
	}
	appURL, err := through(d.logins.App)
	if err != nil {
		return err
	}
	db, err := open(ctx, appURL)
	if err != nil {
		return err
	}
	defer db.Close()
	super, err := pool(ctx, superURL)
	if err != nil {
		return err
	}
	defer super.Close()
	app, err := pool(ctx, appURL)
	if err != nil {
		return err
	}
	defer app.Close()
	ours, bare, common := scopedReads(ctx, db), unscopedReads(ctx, super), commonReads(ctx, app)
	for _, workers := range []int{1, rlsWorkers} {
		name := name
		if workers > 1 {
			name = fmt.Sprintf("%s-%dw", name, workers)
		}
		tomkit := candidate{"tomkit", repeat(workers, ours)}
		if err := r.fine().cost(name, tomkit, candidate{"unscoped", repeat(workers, bare)}, unscoped); err != nil {
			return err
		}
		if !withCommon {
			continue
		}
		if err := r.fine().cost(name, tomkit, candidate{"BEGIN/set_config/SELECT/COMMIT", repeat(workers, common)}, atLeast(2.5)); err != nil {
			return err
		}
	}
	return nil
}

// repeat runs op with some workers; one runs it in line.
func repeat(workers int, op func() error) func(int) error {
	if workers > 1 {
		return func(n int) error { return together(n, workers, op) }
	}
	return func(n int) error {
		for range n {
			if err := op(); err != nil {
				return err
			}
		}
		return nil
	}
}

func anyID() int { return rand.IntN(rowsPerTenant) + 1 }

func scopedReads(ctx context.Context, db *rls.DB) func() error {
	scope := db.Tenant(rlsTenant)
	return func() error {
		var payload string
		return scope.QueryRow(ctx, scopedRead, anyID()).Scan(&payload)
	}
}

func unscopedReads(ctx context.Context, super *pgxpool.Pool) func() error {
	return func() error {
		var payload string
		return super.QueryRow(ctx, unscopedRead, rlsTenant, anyID()).Scan(&payload)
	}
}

func commonReads(ctx context.Context, app *pgxpool.Pool) func() error {
	return func() error {
		return commonTx(ctx, app, func(tx pgx.Tx) error {
			var payload string
			return tx.QueryRow(ctx, commonRead, anyID()).Scan(&payload)
		})
	}
}

// commonTx is how tenants are usually isolated.
func commonTx(ctx context.Context, app *pgxpool.Pool, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, app, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT set_config('app.plain_tenant', $1, true)`, rlsTenant.String()); err != nil {
			return err
		}
		return fn(tx)
	})
}

// comparePolicies measures what the policy alone costs: statements inside one transaction, with the context set before.
func (d *database) comparePolicies(ctx context.Context, r *reporter) error {
	const scopedList = `SELECT id, payload FROM tomkit.items WHERE id > $1 ORDER BY tenant_id, id LIMIT 50`
	const unscopedList = `SELECT id, payload FROM tomkit.items WHERE tenant_id = $2 AND id > $1 ORDER BY tenant_id, id LIMIT 50`
	const bareRead = `SELECT payload FROM tomkit.items WHERE tenant_id = $2 AND id = $1`
	read := func(ctx context.Context, tx pgx.Tx, n int, sql string, args ...any) error {
		for range n {
			rows, err := tx.Query(ctx, sql, append([]any{rand.IntN(rowsPerTenant-50) + 1}, args...)...)
			if err != nil {
				return err
			}
			rows.Close()
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range []struct{ name, scoped, unscoped string }{
		{"policy-point-1M", scopedRead, bareRead},
		{"policy-list50-1M", scopedList, unscopedList},
	} {
		ours := candidate{"tomkit", func(n int) error {
			return d.db.Tenant(rlsTenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error { return read(ctx, tx, n, c.scoped) })
		}}
		peer := candidate{"unscoped", func(n int) error {
			return pgx.BeginFunc(ctx, d.super, func(tx pgx.Tx) error { return read(ctx, tx, n, c.unscoped, rlsTenant) })
		}}
		if err := r.fine().cost(c.name, ours, peer, atMost(1.15)); err != nil {
			return err
		}
	}
	return nil
}

// compareMSP measures the newest three rows of each of 1,000 tenants, which is what an MSP's start page shows.
func (d *database) compareMSP(ctx context.Context, r *reporter) error {
	const newest = ` t CROSS JOIN LATERAL (SELECT i.id, i.name FROM tomkit.devices i WHERE i.tenant_id = t.id ORDER BY i.id DESC LIMIT 3) i`
	const scoped = `SELECT t.id, i.id, i.name FROM tomkit.tenants` + newest
	const unscoped = `SELECT t.id, i.id, i.name FROM unnest($1::uuid[]) AS t(id)` +
		` CROSS JOIN LATERAL (SELECT i.id, i.name FROM tomkit.devices i WHERE i.tenant_id = t.id ORDER BY i.id DESC LIMIT 3) i`
	rows, err := d.super.Query(ctx, `SELECT id FROM tomkit.tenants`)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	drain := func(rows pgx.Rows, err error) error {
		if err != nil {
			return err
		}
		n := 0
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if n != 3*len(ids) {
			return fmt.Errorf("have %d rows, want %d", n, 3*len(ids))
		}
		return nil
	}
	ours := candidate{"tomkit", repeat(1, func() error { return drain(d.db.MSP(rlsMSP).Query(ctx, scoped)) })}
	peer := candidate{"list-of-ids", repeat(1, func() error { return drain(d.super.Query(ctx, unscoped, ids)) })}
	return r.cost("msp-list-1000", ours, peer, target{})
}

// compareClosures measures a transaction of three reads.
func (d *database) compareClosures(ctx context.Context, r *reporter) error {
	three := func(ctx context.Context, tx pgx.Tx, sql string) error {
		var payload string
		for range 3 {
			if err := tx.QueryRow(ctx, sql, anyID()).Scan(&payload); err != nil {
				return err
			}
		}
		return nil
	}
	ours := candidate{"tomkit", repeat(1, func() error {
		return d.db.Tenant(rlsTenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error { return three(ctx, tx, scopedRead) })
	})}
	peer := candidate{"BeginFunc/set_config", repeat(1, func() error {
		return commonTx(ctx, d.app, func(tx pgx.Tx) error { return three(ctx, tx, commonRead) })
	})}
	return r.fine().cost("closure-3-statements", ours, peer, atLeast(1))
}

// compareAudit measures the audit of the whole catalogue with 500 protected tables against the time it may take at start.
func (d *database) compareAudit(ctx context.Context, r *reporter) error {
	const tables = `DO $$ BEGIN FOR i IN 1..500 LOOP
		EXECUTE format('CREATE TABLE tomkit.audited_%s (tenant_id uuid NOT NULL, id int NOT NULL, parent int, PRIMARY KEY (tenant_id, id),
			FOREIGN KEY (tenant_id, parent) REFERENCES tomkit.audited_%1$s)', i);
		EXECUTE format('ALTER TABLE tomkit.audited_%s OWNER TO tomkit_owner', i);
		PERFORM tomkit.protect(format('tomkit.audited_%s', i)::regclass);
	END LOOP; END $$`
	if _, err := d.super.Exec(ctx, tables); err != nil {
		return err
	}
	return r.limit("audit-500-tables", func() error {
		_, err := audit.Run(ctx, d.super, audit.Options{})
		return err
	}, auditLimit)
}
