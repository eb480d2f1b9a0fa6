package rls_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

func TestOpenRefusesBadConfig(t *testing.T) {
	key := rls.ContextKey{ID: "k", Key: make([]byte, 32)}
	for name, cfg := range map[string]rls.Config{
		"no connection string":            {ContextKey: key},
		"a negative pool":                 {AppURL: "postgres://x", ContextKey: key, MaxConns: -1},
		"no key":                          {AppURL: "postgres://x"},
		"a short key":                     {AppURL: "postgres://x", ContextKey: rls.ContextKey{ID: "k", Key: make([]byte, 31)}},
		"a long key":                      {AppURL: "postgres://x", ContextKey: rls.ContextKey{ID: "k", Key: make([]byte, 65)}},
		"a key id with a dot":             {AppURL: "postgres://x", ContextKey: rls.ContextKey{ID: "k.1", Key: make([]byte, 32)}},
		"a key in the unsigned mode":      {AppURL: "postgres://x", ContextKey: key, UnsignedContextUnsafe: true},
		"a malformed connection string":   {AppURL: "postgres://u:secret@[", ContextKey: key},
		"a connection string with a typo": {AppURL: "host=/x password=secret sslmode=nonsense", ContextKey: key},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rls.Open(t.Context(), cfg)
			require.ErrorContains(t, err, "rls: ")
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// logins are made in pairs of a name and the SQL that makes it. Roles belong to the cluster, so the tests that change
// tomkit's own roles would disturb others: what the probe says of them is tested on roles of the test's own.
func TestOpenRefusesLoginsThatDoNotIsolate(t *testing.T) {
	f := newFixture(t)
	suffix := strings.ReplaceAll(f.pg.Name(), "-", "_")
	role := func(t *testing.T, attributes string, more ...string) string {
		name := fmt.Sprintf("probe_%s_%s", suffix, strings.ToLower(strings.ReplaceAll(attributes, " ", "")))
		name = name[:min(len(name), 60)]
		_, err := f.super.Exec(t.Context(), "CREATE ROLE "+name+" LOGIN PASSWORD 'p' "+attributes)
		require.NoError(t, err)
		t.Cleanup(func() {
			_, _ = f.super.Exec(t.Context(), "DROP OWNED BY "+name)
			_, _ = f.super.Exec(t.Context(), "DROP ROLE "+name)
		})
		for _, sql := range more {
			_, err := f.super.Exec(t.Context(), strings.ReplaceAll(sql, "ROLE", name))
			require.NoError(t, err)
		}
		return name
	}
	cleanup := func(t *testing.T, name string) {
		for _, sql := range []string{"DROP OWNED BY " + name, "DROP ROLE " + name} {
			_, err := f.super.Exec(t.Context(), sql)
			require.NoError(t, err)
		}
	}
	for _, c := range []struct {
		name, attributes string
		more             []string
		problem          rls.Problem
		fix              string
	}{
		{"a superuser", "SUPERUSER", nil, rls.ProblemSuperuser, "connect as tomkit_app"},
		{"BYPASSRLS", "BYPASSRLS", nil, rls.ProblemBypass, "connect as tomkit_app"},
		{"CREATEROLE", "CREATEROLE", nil, rls.ProblemAttribute, "NOCREATEROLE"},
		{"REPLICATION", "REPLICATION", nil, rls.ProblemAttribute, "NOREPLICATION"},
		{"a member of the system login", "NOINHERIT", []string{"GRANT tomkit_system TO ROLE"}, rls.ProblemMember, "REVOKE \"tomkit_system\" FROM"},
		{"another login", "INHERIT", nil, rls.ProblemName, "connect as tomkit_app"},
	} {
		t.Run("refuses "+c.name, func(t *testing.T) {
			name := role(t, c.attributes, c.more...)
			defer cleanup(t, name)
			cfg := rls.Config{AppURL: withOption(f.pg.URL(rls.RoleApp), "user="+name+" password=p"), ContextKey: pgtest.ContextKey()}
			_, err := rls.Open(t.Context(), cfg)
			var probe *rls.ProbeError
			require.ErrorAs(t, err, &probe)
			require.ErrorIs(t, err, rls.ErrUnsafeLogin)
			require.Equal(t, c.problem, probe.Problem)
			require.Equal(t, rls.RoleApp, probe.Login)
			require.Equal(t, name, probe.Session)
			require.Contains(t, probe.Fix, c.fix)
			cfg.AppURL, cfg.SystemURL = "", cfg.AppURL
			_, err = rls.Open(t.Context(), cfg)
			require.ErrorAs(t, err, &probe, "as the system login")
			require.Equal(t, rls.RoleSystem, probe.Login)
		})
	}
	t.Run("refuses an app login that owns a table", func(t *testing.T) {
		_, err := f.super.Exec(t.Context(), "CREATE TABLE tomkit.mine (id int); ALTER TABLE tomkit.mine OWNER TO tomkit_app")
		require.NoError(t, err)
		_, err = rls.Open(t.Context(), rls.Config{AppURL: f.pg.URL(rls.RoleApp), ContextKey: pgtest.ContextKey()})
		var probe *rls.ProbeError
		require.ErrorAs(t, err, &probe)
		require.Equal(t, rls.ProblemOwner, probe.Problem)
		require.Contains(t, probe.Detail, "tomkit.mine")
	})
	t.Run("refuses the logins swapped", func(t *testing.T) {
		_, err := rls.Open(t.Context(), rls.Config{AppURL: f.pg.URL(rls.RoleSystem), ContextKey: pgtest.ContextKey()})
		require.ErrorIs(t, err, rls.ErrUnsafeLogin)
		_, err = rls.Open(t.Context(), rls.Config{SystemURL: f.pg.URL(rls.RoleMigrator), ContextKey: pgtest.ContextKey()})
		require.ErrorIs(t, err, rls.ErrUnsafeLogin)
	})
}

func TestJudgeOldServer(t *testing.T) {
	err := rls.Judge(rls.RoleApp, 140012)
	require.Equal(t, rls.ProblemVersion, err.Problem)
	require.ErrorContains(t, err, "PostgreSQL 15")
}

func TestOpenChecksTheContext(t *testing.T) {
	f := newFixture(t)
	open := func(cfg rls.Config) error {
		cfg.AppURL = f.pg.URL(rls.RoleApp)
		db, err := rls.Open(t.Context(), cfg)
		if err == nil {
			db.Close()
		}
		return err
	}
	key := pgtest.ContextKey()
	var refused *rls.ContextRefusedError
	t.Run("an unknown key", func(t *testing.T) {
		require.ErrorAs(t, open(rls.Config{ContextKey: rls.ContextKey{ID: "new", Key: key.Key}}), &refused)
		require.Equal(t, "new", refused.KeyID)
	})
	t.Run("other bytes under a known id", func(t *testing.T) {
		require.ErrorAs(t, open(rls.Config{ContextKey: rls.ContextKey{ID: key.ID, Key: make([]byte, 33)}}), &refused)
	})
	t.Run("a clock that is behind", func(t *testing.T) {
		err := open(rls.Config{ContextKey: key, Now: func() time.Time { return time.Now().Add(-2 * time.Minute) }})
		require.ErrorAs(t, err, &refused)
		require.Greater(t, refused.Skew, time.Minute)
		require.ErrorContains(t, err, "clock")
	})
	t.Run("a bare id in a signed database", func(t *testing.T) {
		require.ErrorAs(t, open(rls.Config{UnsignedContextUnsafe: true}), &refused)
		require.Empty(t, refused.KeyID)
	})
	t.Run("a database without the migrations", func(t *testing.T) {
		bare := pgtest.New(t)
		_, err := rls.Open(t.Context(), rls.Config{AppURL: bare.URL(rls.RoleApp), ContextKey: key})
		require.ErrorContains(t, err, "migrations")
	})
}

func TestKeysRotate(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	migrator := f.pg.URL(rls.RoleMigrator)
	next := rls.ContextKey{ID: "next", Key: []byte(strings.Repeat("n", 48))}
	require.NoError(t, rls.InstallContextKey(ctx, migrator, next))
	require.NoError(t, rls.InstallContextKey(ctx, migrator, next), "again")
	renewed := f.pg.OpenConfig(t, rls.Config{ContextKey: next})
	require.Equal(t, rowsA, count(t, f.db.Tenant(f.a), countDevices), "the old key still works")
	require.Equal(t, rowsA, count(t, renewed.Tenant(f.a), countDevices), "and the new one")
	require.NoError(t, rls.RetireContextKey(ctx, migrator, pgtest.ContextKey().ID, time.Now().Add(-time.Second)))
	require.Zero(t, count(t, f.db.Tenant(f.a), countDevices), "the old one no longer")
	require.Equal(t, rowsA, count(t, renewed.Tenant(f.a), countDevices))
	require.NoError(t, rls.RetireContextKey(ctx, migrator, "never-was", time.Now()))

	t.Run("only an owner may", func(t *testing.T) {
		for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleBackup} {
			require.Error(t, rls.InstallContextKey(ctx, f.pg.URL(role), next), role)
		}
		for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleBackup} {
			_, err := f.pg.Pool(t, role).Exec(ctx, "SELECT * FROM tomkit.context_keys")
			requireCode(t, "42501", err)
		}
	})
	t.Run("a key hides itself", func(t *testing.T) {
		require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", next, next, next, next), "nnn")
		require.NotContains(t, fmt.Sprintf("%+v", rls.Config{ContextKey: next}), "110")
	})
	require.Error(t, rls.InstallContextKey(ctx, migrator, rls.ContextKey{ID: "x"}))
	require.Error(t, rls.RetireContextKey(ctx, migrator, "a.b", time.Now()))
	require.Error(t, rls.InstallContextKey(ctx, "postgres://[", next))
}

func TestPlainMode(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	migrator := f.pg.URL(rls.RoleMigrator)
	require.NoError(t, rls.UsePlainContextUnsafe(ctx, migrator))
	plain := f.pg.OpenConfig(t, rls.Config{UnsignedContextUnsafe: true})
	require.Equal(t, rowsA, count(t, plain.Tenant(f.a), countDevices))
	require.Equal(t, rowsA, count(t, plain.Tenant(f.a), countDevices+" WHERE tenant_id = tomkit.current_tenant()"))
	require.Zero(t, count(t, plain.Anonymous(), countDevices))
	require.Equal(t, rowsA+rowsB, count(t, plain.MSP(f.msp), countDevices))
	require.Zero(t, count(t, plain.MSP(f.a), countDevices))
	_, err := plain.Tenant(f.a).Exec(ctx, "INSERT INTO tomkit.devices VALUES ($1, 90, 'x')", f.b)
	requireCode(t, "42501", err)
	t.Run("the policy compares directly, for tables protected before and after", func(t *testing.T) {
		_, err := f.super.Exec(ctx, `CREATE TABLE tomkit.late (tenant_id uuid NOT NULL PRIMARY KEY);
			ALTER TABLE tomkit.late OWNER TO tomkit_owner; SELECT tomkit.protect('tomkit.late')`)
		require.NoError(t, err)
		for _, table := range []string{"devices", "late"} {
			var qual, check string
			require.NoError(t, f.super.QueryRow(ctx, `SELECT qual, COALESCE(with_check, qual) FROM pg_policies
				WHERE tablename = $1 AND policyname = 'tomkit_tenant'`, table).Scan(&qual, &check))
			const want = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"
			require.Equal(t, want, qual)
			require.Equal(t, want, check)
		}
	})
	t.Run("a signed context is refused at the door", func(t *testing.T) {
		_, err := rls.Open(ctx, rls.Config{AppURL: f.pg.URL(rls.RoleApp), ContextKey: pgtest.ContextKey()})
		require.Error(t, err)
	})
	t.Run("and back", func(t *testing.T) {
		require.NoError(t, rls.UseSignedContext(ctx, migrator))
		require.Equal(t, rowsA, count(t, f.pg.Open(t).Tenant(f.a), countDevices))
		require.Zero(t, count(t, plain.Tenant(f.a), countDevices))
	})
}

func TestCloseLeavesNothing(t *testing.T) {
	f := newFixture(t)
	before := goleak.IgnoreCurrent()
	db, err := rls.Open(t.Context(), rls.Config{AppURL: f.pg.URL(rls.RoleApp), MSPURL: f.pg.URL(rls.RoleMSP),
		SystemURL: f.pg.URL(rls.RoleSystem), ContextKey: pgtest.ContextKey()})
	require.NoError(t, err)
	require.Equal(t, rowsA, count(t, db.Tenant(f.a), countDevices))
	db.Close()
	goleak.VerifyNone(t, before)
}

// TestRoundTrips counts what goes over the wire: messages that end in a wait for the server.
func TestRoundTrips(t *testing.T) {
	f := single(t)
	wire := countSyncs(t, f.pg.URL(rls.RoleApp))
	db, err := rls.Open(t.Context(), rls.Config{AppURL: wire.dsn, ContextKey: pgtest.ContextKey(), MaxConns: 1})
	require.NoError(t, err)
	defer db.Close()
	a := db.Tenant(f.a)
	const sql = "SELECT name FROM tomkit.devices WHERE id = $1"
	var name string
	require.NoError(t, a.QueryRow(t.Context(), sql, 1).Scan(&name)) // prepares both statements
	require.EqualValues(t, 1, wire.trips(func() { require.NoError(t, a.QueryRow(t.Context(), sql, 2).Scan(&name)) }))
	batch := func() {
		b := &pgx.Batch{}
		for i := range 5 {
			b.Queue(sql, i)
		}
		br, err := a.Batch(t.Context(), b)
		require.NoError(t, err)
		require.NoError(t, br.Close())
	}
	batch() // prepares both once more, in pgx's own cache
	require.EqualValues(t, 1, wire.trips(batch))
	one := func(sealed bool) func() {
		return func() {
			require.NoError(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				if sealed {
					tx.Sealer(func() rls.Sealer {
						return sealFunc(func(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
							b := &pgx.Batch{}
							b.Queue(sql, 1)
							return commit(b, nil)
						})
					})
				}
				return tx.QueryRow(ctx, sql, 2).Scan(&name)
			}))
		}
	}
	one(true)() // prepares BEGIN, SAVEPOINT and COMMIT
	require.EqualValues(t, 2, wire.trips(one(false)), "BEGIN, context and statement; COMMIT")
	require.EqualValues(t, 2, wire.trips(one(true)), "BEGIN, context and statement; SAVEPOINT, statement and COMMIT")
}
