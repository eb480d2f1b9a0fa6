package rls_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

// problem is a table that cannot be protected as it is.
type problem struct {
	ddl  string // makes tomkit.x
	want rls.ProtectProblem
	obj  string
	fix  bool // the error's SQL solves it
	p    rls.Protection
}

var problems = map[string]problem{
	"a table without the column":                              {"CREATE TABLE tomkit.x (id uuid)", rls.ProblemNoTenantColumn, "tenant_id", false, rls.Protection{}},
	"a dropped column":                                        {"CREATE TABLE tomkit.x (tenant_id uuid, id int); ALTER TABLE tomkit.x DROP tenant_id", rls.ProblemNoTenantColumn, "tenant_id", false, rls.Protection{}},
	"a system column":                                         {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)", rls.ProblemNoTenantColumn, "tableoid", false, rls.Protection{TenantColumn: "tableoid"}},
	"a column that may be NULL":                               {"CREATE TABLE tomkit.x (tenant_id uuid UNIQUE)", rls.ProblemTenantColumnType, "tenant_id", true, rls.Protection{}},
	"a column of another type":                                {"CREATE TABLE tomkit.x (tenant_id text PRIMARY KEY)", rls.ProblemTenantColumnType, "tenant_id", true, rls.Protection{}},
	"a table without an index":                                {"CREATE TABLE tomkit.x (tenant_id uuid NOT NULL)", rls.ProblemNoTenantIndex, "tenant_id", true, rls.Protection{}},
	"an index that begins otherwise":                          {"CREATE TABLE tomkit.x (id int, tenant_id uuid, PRIMARY KEY (id, tenant_id))", rls.ProblemNoTenantIndex, "tenant_id", true, rls.Protection{}},
	"an index of some rows":                                   {"CREATE TABLE tomkit.x (id int, tenant_id uuid NOT NULL); CREATE INDEX ON tomkit.x (tenant_id) WHERE id > 0", rls.ProblemNoTenantIndex, "tenant_id", true, rls.Protection{}},
	"a permissive policy for all":                             {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE POLICY \"P p\" ON tomkit.x USING (true)", rls.ProblemForeignPolicy, `"P p"`, true, rls.Protection{}},
	"a permissive policy for the app":                         {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE POLICY p ON tomkit.x TO tomkit_app USING (true)", rls.ProblemForeignPolicy, "p", true, rls.Protection{}},
	"a permissive policy for the MSP":                         {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE POLICY p ON tomkit.x FOR SELECT TO tomkit_backup, tomkit_msp USING (true)", rls.ProblemForeignPolicy, "p", true, rls.Protection{}},
	"a permissive policy past the bypass":                     {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE POLICY p ON tomkit.x TO tomkit_system USING (true)", rls.ProblemForeignPolicy, "p", true, rls.Protection{}},
	"a view":                                                  {"CREATE VIEW tomkit.x AS SELECT 1 AS tenant_id", rls.ProblemNotATable, "tomkit.x", false, rls.Protection{}},
	"a partition":                                             {"CREATE TABLE tomkit.p (tenant_id uuid PRIMARY KEY) PARTITION BY HASH (tenant_id); CREATE TABLE tomkit.x PARTITION OF tomkit.p FOR VALUES WITH (MODULUS 1, REMAINDER 0)", rls.ProblemPartition, "tomkit.x", false, rls.Protection{}},
	"a child":                                                 {"CREATE TABLE tomkit.p (tenant_id uuid PRIMARY KEY); CREATE TABLE tomkit.x () INHERITS (tomkit.p)", rls.ProblemPartition, "tomkit.x", false, rls.Protection{}},
	"a materialized view the app reads":                       {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE MATERIALIZED VIEW tomkit.m AS SELECT * FROM tomkit.x; GRANT SELECT ON tomkit.m TO tomkit_app", rls.ProblemOpenMaterializedView, "tomkit.m", true, rls.Protection{}},
	"one of its columns":                                      {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE MATERIALIZED VIEW tomkit.m AS SELECT * FROM tomkit.x; GRANT SELECT (tenant_id) ON tomkit.m TO PUBLIC", rls.ProblemOpenMaterializedView, "tomkit.m", true, rls.Protection{}},
	"a materialized view over a view":                         {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE VIEW tomkit.v AS SELECT * FROM tomkit.x; CREATE MATERIALIZED VIEW tomkit.m AS SELECT * FROM tomkit.v; GRANT SELECT ON tomkit.m TO tomkit_msp", rls.ProblemOpenMaterializedView, "tomkit.m", true, rls.Protection{}},
	"a materialized view over a partition":                    {partitioned + "CREATE MATERIALIZED VIEW tomkit.m AS SELECT * FROM tomkit.x1; GRANT SELECT ON tomkit.m TO tomkit_msp", rls.ProblemOpenMaterializedView, "tomkit.m", true, rls.Protection{}},
	"default privileges for partitions":                       {partitioned + "ALTER DEFAULT PRIVILEGES IN SCHEMA tomkit GRANT SELECT ON TABLES TO tomkit_app", rls.ProblemOpenDefaultPrivileges, "tomkit_owner", true, rls.Protection{}},
	"default privileges everywhere":                           {partitioned + "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", rls.ProblemOpenDefaultPrivileges, "tomkit_owner", true, rls.Protection{}},
	"default privileges of a member":                          {partitioned + "SET LOCAL ROLE none; ALTER DEFAULT PRIVILEGES IN SCHEMA tomkit GRANT SELECT ON TABLES TO tomkit_msp; SET LOCAL ROLE tomkit_owner", rls.ProblemOpenDefaultPrivileges, "tomkit_migrator", false, rls.Protection{}},
	"a foreign key by id alone":                               {"CREATE TABLE tomkit.y (tenant_id uuid NOT NULL, id int UNIQUE); CREATE TABLE tomkit.x (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id), CONSTRAINT \"K k\" FOREIGN KEY (id) REFERENCES tomkit.y (id) ON DELETE CASCADE)", rls.ProblemCrossTenantKey, `"K k"`, true, rls.Protection{}},
	"a foreign key to a protected table":                      {"ALTER TABLE tomkit.devices ADD UNIQUE (id); CREATE TABLE tomkit.x (tenant_id uuid, id int CONSTRAINT k REFERENCES tomkit.devices (id), PRIMARY KEY (tenant_id, id))", rls.ProblemCrossTenantKey, "k", true, rls.Protection{}},
	"a foreign key from another tenant table":                 {"CREATE TABLE tomkit.x (tenant_id uuid, id int UNIQUE, PRIMARY KEY (tenant_id, id)); CREATE TABLE tomkit.y (tenant_id uuid NOT NULL, x int CONSTRAINT k REFERENCES tomkit.x (id) ON DELETE SET NULL)", rls.ProblemCrossTenantKey, "k", false, rls.Protection{}},
	"a foreign key to itself":                                 {"CREATE TABLE tomkit.x (tenant_id uuid, id int UNIQUE, parent int CONSTRAINT k REFERENCES tomkit.x (id), PRIMARY KEY (tenant_id, id))", rls.ProblemCrossTenantKey, "k", false, rls.Protection{}},
	"a foreign key that pairs another column with the tenant": {"CREATE TABLE tomkit.x (tenant_id uuid, other uuid, id int, PRIMARY KEY (tenant_id, id), CONSTRAINT k FOREIGN KEY (other, id) REFERENCES tomkit.devices (tenant_id, id))", rls.ProblemCrossTenantKey, "k", true, rls.Protection{}},
	"a foreign key that pairs the tenant with another column": {"CREATE TABLE tomkit.y (tenant_id uuid NOT NULL, a uuid, id int, UNIQUE (a, id), UNIQUE (tenant_id, id)); SELECT tomkit.protect('tomkit.y', across_tenants => '{y_a_id_key}'); CREATE TABLE tomkit.x (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id), CONSTRAINT k FOREIGN KEY (tenant_id, id) REFERENCES tomkit.y (a, id))", rls.ProblemCrossTenantKey, "k", false, rls.Protection{}},
	"a foreign key to another tenant":                         {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY, other uuid CONSTRAINT k REFERENCES tomkit.tenants (id))", rls.ProblemCrossTenantKey, "k", false, rls.Protection{}},
	"a foreign key of a partition":                            {"CREATE TABLE tomkit.y (tenant_id uuid NOT NULL, id int UNIQUE);" + partitioned + "ALTER TABLE tomkit.x1 ADD CONSTRAINT k FOREIGN KEY (day) REFERENCES tomkit.y (id)", rls.ProblemCrossTenantKey, "k", true, rls.Protection{}},
	"a foreign key that is not validated":                     {"ALTER TABLE tomkit.devices ADD UNIQUE (id); CREATE TABLE tomkit.x (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id)); ALTER TABLE tomkit.x ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES tomkit.devices (id) NOT VALID", rls.ProblemCrossTenantKey, "k", true, rls.Protection{}},
	"a serial primary key":                                    {"CREATE TABLE tomkit.x (tenant_id uuid NOT NULL, id serial PRIMARY KEY); CREATE INDEX ON tomkit.x (tenant_id)", rls.ProblemGlobalUnique, "x_pkey", true, rls.Protection{}},
	"a uuid primary key nobody vouched for":                   {"CREATE TABLE tomkit.x (tenant_id uuid NOT NULL, id uuid PRIMARY KEY); CREATE INDEX ON tomkit.x (tenant_id)", rls.ProblemGlobalUnique, "x_pkey", true, rls.Protection{}},
	"a unique constraint":                                     {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY, email text, CONSTRAINT \"U u\" UNIQUE NULLS NOT DISTINCT (email))", rls.ProblemGlobalUnique, `"U u"`, true, rls.Protection{}},
	"a unique index over an expression":                       {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY, email text); CREATE UNIQUE INDEX u ON tomkit.x (lower(email)) WHERE email <> ''", rls.ProblemGlobalUnique, "u", true, rls.Protection{}},
	"a unique index that only carries the tenant":             {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY, email text); CREATE UNIQUE INDEX u ON tomkit.x (email) INCLUDE (tenant_id)", rls.ProblemGlobalUnique, "u", false, rls.Protection{}},
	"an exclusion":                                            {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY, code text, CONSTRAINT u EXCLUDE (code WITH =))", rls.ProblemGlobalUnique, "u", true, rls.Protection{}},
	"a unique index of a partition":                           {partitioned + "CREATE UNIQUE INDEX u ON tomkit.x1 (day)", rls.ProblemGlobalUnique, "u", true, rls.Protection{}},
	"a key vouched for that is gone":                          {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)", rls.ProblemUnknownKey, "old_key", false, rls.Protection{AcrossTenants: []string{"old_key"}}},
}

const partitioned = `CREATE TABLE tomkit.x (tenant_id uuid NOT NULL, day int NOT NULL, PRIMARY KEY (tenant_id, day)) PARTITION BY RANGE (day);
	CREATE TABLE tomkit.x1 PARTITION OF tomkit.x FOR VALUES FROM (0) TO (10);`

func TestProtectProblems(t *testing.T) {
	f := newFixture(t)
	for name, c := range problems {
		t.Run(name, func(t *testing.T) {
			asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
				_, err := tx.Exec(ctx, c.ddl)
				require.NoError(t, err)
				refused := requireProblem(t, tx, c.p)
				require.Equal(t, c.want, refused.Problem)
				require.Equal(t, "tomkit.x", refused.Table)
				if c.want != rls.ProblemNoTenantColumn {
					require.Equal(t, c.obj, refused.Object)
				}
				require.ErrorContains(t, refused, "tomkit.x")
				require.NotContains(t, refused.Fix, ", )")
				if c.fix {
					_, err = tx.Exec(ctx, refused.Fix)
					require.NoError(t, err, refused.Fix)
					require.NoError(t, rls.Protect(ctx, tx, "tomkit.x", c.p), refused.Fix)
				}
			})
		})
	}
	t.Run("a table that a runtime login owns", func(t *testing.T) {
		for _, owner := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
			asOwner(t, f, true, func(ctx context.Context, tx pgx.Tx) {
				_, err := f.super.Exec(ctx, "DROP TABLE IF EXISTS tomkit.x; CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); ALTER TABLE tomkit.x OWNER TO "+owner)
				require.NoError(t, err)
				require.Equal(t, rls.ProblemOwnedByLogin, requireProblem(t, tx, rls.Protection{}).Problem)
			})
		}
	})
	t.Run("an exclusion between tenants, by an operator that is no equality", func(t *testing.T) {
		_, err := f.super.Exec(t.Context(), `DROP TABLE IF EXISTS tomkit.x; CREATE OPERATOR tomkit.<~> (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = uuid_ne, COMMUTATOR = OPERATOR(tomkit.<~>));
			CREATE OPERATOR CLASS tomkit.others FOR TYPE uuid USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 tomkit.<~> (uuid, uuid), OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 uuid_cmp(uuid, uuid);
			CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY, code text, CONSTRAINT u EXCLUDE USING btree (tenant_id tomkit.others WITH OPERATOR(tomkit.<~>), code WITH =));
			ALTER TABLE tomkit.x OWNER TO tomkit_owner`)
		require.NoError(t, err)
		asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
			refused := requireProblem(t, tx, rls.Protection{})
			require.Equal(t, rls.ProblemGlobalUnique, refused.Problem)
			require.Equal(t, "u", refused.Object)
		})
	})
	t.Run("a policy for a role the app is a member of", func(t *testing.T) {
		_, err := f.super.Exec(t.Context(), `BEGIN; DROP TABLE IF EXISTS tomkit.x; CREATE ROLE tomkit_test_group; GRANT tomkit_test_group TO tomkit_app;
			CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE POLICY p ON tomkit.x TO tomkit_test_group USING (true); SELECT tomkit.protect('tomkit.x'); COMMIT`)
		requireCode(t, "TKP01", err)
	})
}

// requireProblem finds that Protect and PlanProtect refuse tomkit.x with one and the same error and change nothing.
func requireProblem(t *testing.T, tx pgx.Tx, p rls.Protection) *rls.ProtectError {
	t.Helper()
	attempt := func(call func() error) (refused *rls.ProtectError) {
		_, err := tx.Exec(t.Context(), "SAVEPOINT s")
		require.NoError(t, err)
		require.ErrorAs(t, call(), &refused)
		_, err = tx.Exec(t.Context(), "ROLLBACK TO s")
		require.NoError(t, err)
		return refused
	}
	refused := attempt(func() error { return rls.Protect(t.Context(), tx, "tomkit.x", p) })
	planned := attempt(func() error { _, err := rls.PlanProtect(t.Context(), tx, "tomkit.x", p); return err })
	require.Equal(t, planned.Error(), refused.Error())
	require.Equal(t, planned.Fix, refused.Fix)
	return refused
}

func TestProtectAccepts(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		ddl string
		p   rls.Protection
	}{
		"a key of random ids that is named":                  {"CREATE TABLE tomkit.x (tenant_id uuid NOT NULL, id uuid PRIMARY KEY); CREATE INDEX ON tomkit.x (tenant_id)", rls.Protection{AcrossTenants: []string{"x_pkey"}}},
		"a foreign key across tenants that is named":         {"ALTER TABLE tomkit.devices ADD UNIQUE (id); CREATE TABLE tomkit.x (tenant_id uuid, id int CONSTRAINT k REFERENCES tomkit.devices (id), PRIMARY KEY (tenant_id, id))", rls.Protection{AcrossTenants: []string{"k"}}},
		"the tenant column alone as key":                     {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY REFERENCES tomkit.tenants (id))", rls.Protection{}},
		"a composite foreign key in another order":           {"CREATE TABLE tomkit.x (id int, tenant_id uuid, PRIMARY KEY (tenant_id, id), FOREIGN KEY (id, tenant_id) REFERENCES tomkit.devices (id, tenant_id))", rls.Protection{}},
		"a composite foreign key to itself":                  {"CREATE TABLE tomkit.x (tenant_id uuid, id int, parent int, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, parent) REFERENCES tomkit.x (tenant_id, id))", rls.Protection{}},
		"a foreign key to a table without tenants":           {"CREATE TABLE tomkit.colours (id int PRIMARY KEY); CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY, colour int REFERENCES tomkit.colours)", rls.Protection{}},
		"an exclusion per tenant":                            {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY, code text, EXCLUDE (tenant_id WITH =, code WITH =))", rls.Protection{}},
		"a composite foreign key between partitioned tables": {"CREATE TABLE tomkit.y (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id)) PARTITION BY HASH (tenant_id); CREATE TABLE tomkit.y1 PARTITION OF tomkit.y FOR VALUES WITH (MODULUS 1, REMAINDER 0);" + partitioned + "ALTER TABLE tomkit.x ADD FOREIGN KEY (tenant_id, day) REFERENCES tomkit.y (tenant_id, id)", rls.Protection{}},
		"a restrictive policy":                               {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE POLICY p ON tomkit.x AS RESTRICTIVE USING (true)", rls.Protection{}},
		"a policy for the owner":                             {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY); CREATE POLICY p ON tomkit.x TO tomkit_owner USING (true)", rls.Protection{}},
		"nothing for anybody":                                {"CREATE TABLE tomkit.x (tenant_id uuid PRIMARY KEY)", rls.Protection{App: []rls.Privilege{}, MSP: []rls.Privilege{}, System: []rls.Privilege{}}},
	} {
		t.Run(name, func(t *testing.T) {
			asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
				_, err := tx.Exec(ctx, c.ddl)
				require.NoError(t, err)
				require.NoError(t, rls.Protect(ctx, tx, "tomkit.x", c.p))
				plan, err := rls.PlanProtect(ctx, tx, "tomkit.x", c.p)
				require.NoError(t, err)
				require.Empty(t, plan.Statements)
			})
		})
	}
	t.Run("the hierarchy of operator, MSPs and tenants again", func(t *testing.T) {
		asOwner(t, f, false, func(ctx context.Context, tx pgx.Tx) {
			plan, err := rls.PlanProtect(ctx, tx, "tomkit.msps", rls.Protection{TenantColumn: "id", App: []rls.Privilege{}, MSPItself: true,
				AcrossTenants: []string{"msps_slug_key", "msps_operator_id_fkey", "tenants_msp_id_fkey"}})
			require.NoError(t, err)
			require.Empty(t, plan.Statements)
		})
		require.Equal(t, 1, count(t, f.db.MSP(f.msp), "SELECT count(*) FROM tomkit.msps"))
		require.Zero(t, count(t, f.db.MSP(f.a), "SELECT count(*) FROM tomkit.msps"))
		_, err := f.db.MSP(f.msp).Exec(t.Context(), "SELECT FROM tomkit.operators")
		requireCode(t, "42501", err)
	})
}
