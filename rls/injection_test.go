package rls_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

// injected sets the context and counts in one statement, as injected SQL would: the first CTE runs first.
const injected = `WITH x AS MATERIALIZED (SELECT set_config('app.tenant_id', $1, true) AS y)
	SELECT (SELECT count(*) FROM tomkit.devices) FROM x WHERE y IS NOT NULL`

func TestForgedContextsOpenNothing(t *testing.T) {
	f := newFixture(t)
	key := pgtest.ContextKey()
	signed := func(k rls.ContextKey, kind byte, id uuid.UUID, at time.Time) string {
		return rls.SignContext(rls.Config{ContextKey: k, Now: func() time.Time { return at }}, kind, id)
	}
	now := time.Now()
	good := signed(key, 't', f.b, now)
	other := rls.ContextKey{ID: key.ID, Key: []byte(strings.Repeat("x", 32))}
	unknown := rls.ContextKey{ID: "unknown", Key: key.Key}
	retired := rls.ContextKey{ID: "retired", Key: []byte(strings.Repeat("r", 40))}
	require.NoError(t, rls.InstallContextKey(t.Context(), f.pg.URL(rls.RoleMigrator), retired))
	require.NoError(t, rls.RetireContextKey(t.Context(), f.pg.URL(rls.RoleMigrator), retired.ID, now.Add(-time.Second)))
	second := rls.ContextKey{ID: "second", Key: []byte(strings.Repeat("s", 64))}
	require.NoError(t, rls.InstallContextKey(t.Context(), f.pg.URL(rls.RoleMigrator), second))

	mac, message := good[:64], good[64:]
	extension, padding := extended(good)
	forged := map[string]string{
		"the bare id":                           f.b.String(),
		"the bare id of an MSP":                 "m:" + f.msp.String(),
		"nothing":                               "",
		"a text that is no context":             "a.b.c",
		"only dots":                             "......",
		"a MAC without a message":               mac,
		"a message without a MAC":               message[1:],
		"a message with an empty MAC":           message,
		"a context with a zero MAC":             strings.Repeat("0", 64) + message,
		"a context whose MAC is cut":            good[1:],
		"a context with the MAC upper-cased":    strings.ToUpper(mac) + message,
		"a context with the id upper-cased":     mac + strings.ToUpper(message),
		"the MAC of another tenant":             signed(key, 't', f.a, now)[:64] + message,
		"an MSP's context":                      signed(key, 'm', f.msp, now),
		"an MSP's context for a tenant's id":    signed(key, 'm', f.b, now),
		"an unknown kind":                       signed(key, 'x', f.b, now),
		"an expired context":                    signed(key, 't', f.b, now.Add(-61*time.Second)),
		"a context of the wrong key":            signed(other, 't', f.b, now),
		"a context of an unknown key":           signed(unknown, 't', f.b, now),
		"a context of a retired key":            signed(retired, 't', f.b, now),
		"a context of one key under another id": signed(rls.ContextKey{ID: second.ID, Key: key.Key}, 't', f.b, now),
		"a context with a prolonged expiry":     good + "0",
		"a context with a later expiry":         good[:len(good)-10] + "9999999999",
		"a context with an endless expiry":      good[:len(good)-10] + "infinity",
		"a context with something behind it":    good + "x",
		"a context with a field behind it":      good + ".x",
		"a context with something before it":    "x" + good,
		"a context with a field before it":      "x." + good,
		"a context with fields in between":      mac + message + message,
		"a backslash":                           mac + `\x00` + message,
		"a very long text":                      mac + "." + strings.Repeat("é", 1<<16),
		"an extended message without padding":   strings.Replace(extension, padding, "", 1),
		"an extended message, padded otherwise": strings.Replace(extension, padding, strings.Repeat(" ", len(padding)), 1),
	}
	t.Run("an extended message is no setting", func(t *testing.T) {
		var n int
		requireCode(t, "22021", f.db.Anonymous().QueryRow(t.Context(), injected, extension).Scan(&n))
		requireCode(t, "22021", f.db.Anonymous().QueryRow(t.Context(), injected, strings.ReplaceAll(extension, "\x80", "")).Scan(&n))
	})
	for name, context := range forged {
		t.Run(name, func(t *testing.T) {
			require.Zero(t, count(t, f.db.Tenant(f.a), injected, context), "from a tenant's scope")
			require.Zero(t, count(t, f.db.Anonymous(), injected, context), "from no scope")
		})
	}
	t.Run("a tenant's context as an MSP", func(t *testing.T) {
		for _, id := range []uuid.UUID{f.b, f.msp} {
			require.Zero(t, count(t, f.db.MSP(f.msp), injected, signed(key, 't', id, now)))
		}
	})
	t.Run("while a genuine one works, and one of a second key", func(t *testing.T) {
		require.Equal(t, rowsB, count(t, f.db.Anonymous(), injected, good))
		require.Equal(t, rowsB, count(t, f.db.Anonymous(), injected, signed(second, 't', f.b, now)))
		require.Equal(t, rowsA+rowsB, count(t, f.db.MSP(f.msp), injected, signed(key, 'm', f.msp, now)))
	})
	t.Run("what the view shows is the context's own id and no more", func(t *testing.T) {
		for setting, want := range map[string]int{good: 1, mac + message + "x": 0, "garbage.é.nan": 0, "": 0} {
			require.NoError(t, f.db.Anonymous().InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, "SELECT set_config('app.tenant_id', $1, true)", setting)
				require.NoError(t, err)
				var rows, own int
				require.NoError(t, tx.QueryRow(ctx, "SELECT count(*), count(*) FILTER (WHERE id = $1) FROM tomkit.tenant_context", f.b).Scan(&rows, &own))
				require.Equal(t, []int{want, want}, []int{rows, own})
				// A condition of the caller's is not evaluated before the MAC, so the casts meet no garbage.
				require.NoError(t, tx.QueryRow(ctx, "SELECT count(*) FROM tomkit.tenant_context WHERE id = $1", f.b).Scan(&rows))
				require.Equal(t, want, rows)
				return nil
			}))
		}
	})
	t.Run("no flipped character survives", func(t *testing.T) {
		for i := range len(good) {
			bad := []byte(good)
			if bad[i] ^= 1; bad[i] == '\\' {
				continue
			}
			require.Zero(t, count(t, f.db.Anonymous(), injected, string(bad)), "position %d", i)
		}
	})
}

// extended returns what extending SHA-256 behind the message yields without the key: a valid MAC for the message, its
// padding and a later expiry.
func extended(context string) (forged, padding string) {
	message := context[64:]
	hashed := 64 + len(message) // with the block of secret
	pad := make([]byte, 128-hashed)
	pad[0] = 0x80
	binary.BigEndian.PutUint64(pad[len(pad)-8:], uint64(hashed)*8)
	message += string(pad) + ".9999999999"
	return rls.MAC(pgtest.ContextKey(), 't', message) + message, string(pad)
}

// TestInjectedSQL runs statements as the app login inside tenant A's scope. None may see or change a row of B.
func TestInjectedSQL(t *testing.T) {
	f := newFixture(t)
	a := f.db.Tenant(f.a)
	t.Run("sees own rows only", func(t *testing.T) {
		for name, sql := range map[string]string{
			"bypass on for the transaction": `WITH x AS MATERIALIZED (SELECT set_config('app.bypass_rls', 'on', true) y)
				SELECT (SELECT count(*) FROM tomkit.devices) FROM x WHERE y IS NOT NULL`,
			"bypass on for the session": `WITH x AS MATERIALIZED (SELECT set_config('app.bypass_rls', 'on', false) y)
				SELECT (SELECT count(*) FROM tomkit.devices) FROM x WHERE y IS NOT NULL`,
			"migration on": `WITH x AS MATERIALIZED (SELECT set_config('tomkit.migration', 'on', true) y)
				SELECT (SELECT count(*) FROM tomkit.devices) FROM x WHERE y IS NOT NULL`,
			"OR 1=1":            countDevices + " WHERE id = 1 OR 1=1",
			"UNION":             "SELECT sum(n) FROM (SELECT count(*) n FROM tomkit.devices UNION ALL SELECT count(*) FROM tomkit.devices WHERE id > 100) x",
			"query_to_xml":      `SELECT (xpath('/table/row/count/text()', query_to_xml('SELECT count(*) FROM tomkit.devices', false, false, '')))[1]::text::int`,
			"the tenants table": "SELECT 2 + count(*) FROM tomkit.tenants",
		} {
			require.Equal(t, rowsA, count(t, a, sql), name)
		}
	})
	t.Run("is refused", func(t *testing.T) {
		for _, sql := range []string{
			"SET ROLE tomkit_system", "SET ROLE tomkit_owner", "SET ROLE tomkit_migrator", "SET ROLE tomkit_msp",
			"SET SESSION AUTHORIZATION tomkit_system",
			"SELECT set_config('role', 'tomkit_system', true)",
			"SELECT set_config('session_authorization', 'tomkit_system', true)",
			"DO $$ BEGIN PERFORM set_config('role', 'tomkit_owner', true); END $$",
			"ALTER TABLE tomkit.devices DISABLE ROW LEVEL SECURITY",
			"ALTER TABLE tomkit.devices NO FORCE ROW LEVEL SECURITY",
			"DROP POLICY tomkit_tenant ON tomkit.devices",
			"CREATE POLICY p ON tomkit.devices USING (true)",
			"GRANT tomkit_owner TO tomkit_app",
			"CREATE TABLE tomkit.x (id int)", "CREATE FUNCTION tomkit.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
			"SELECT * FROM tomkit.context_keys", "SELECT count(*) FROM tomkit.context_keys", "SELECT * FROM tomkit.msp_context",
			"CREATE OR REPLACE VIEW tomkit.tenant_context AS SELECT gen_random_uuid() AS id", "DROP VIEW tomkit.tenant_context",
			"ALTER VIEW tomkit.tenant_context RESET (security_barrier)", "UPDATE tomkit.tenant_context SET id = NULL",
			"INSERT INTO tomkit.context_keys VALUES ('evil', repeat('x', 64)::bytea, repeat('x', 64)::bytea)",
			"SELECT tomkit.protect('tomkit.devices', '{}')",
			"SELECT tomkit.set_context_mode(true)",
			"SELECT tomkit.context_expression()", "SELECT tomkit.visible_tenants()",
			"COPY tomkit.devices TO PROGRAM 'cat'", "COPY tomkit.devices FROM PROGRAM 'true'",
			"SELECT pg_read_file('/etc/passwd')",
			"ALTER DEFAULT PRIVILEGES FOR ROLE tomkit_owner GRANT SELECT ON TABLES TO tomkit_app",
			"CREATE TRIGGER x BEFORE INSERT ON tomkit.devices FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
			"LOCK TABLE tomkit.context_keys",
			"ALTER ROLE tomkit_app BYPASSRLS", "CREATE ROLE evil",
			"CREATE PUBLICATION p FOR TABLE tomkit.devices",
			"SET row_security = off; SELECT 1",
		} {
			_, err := a.Exec(t.Context(), sql)
			require.Error(t, err, sql)
		}
		require.Equal(t, rowsB, count(t, f.db.Tenant(f.b), countDevices))
	})
	t.Run("row_security = off fails instead of showing", func(t *testing.T) {
		err := a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			if _, err := tx.Exec(ctx, "SET LOCAL row_security = off"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "SELECT * FROM tomkit.devices")
			return err
		})
		requireCode(t, "42501", err)
	})
	t.Run("a DO block, a cursor and a function see own rows only", func(t *testing.T) {
		require.NoError(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, `DO $$ BEGIN
				PERFORM set_config('app.bypass_rls', 'on', true);
				IF EXISTS (SELECT FROM tomkit.devices WHERE id > 100) THEN RAISE 'leak'; END IF;
				UPDATE tomkit.devices SET name = 'x' WHERE id > 100;
				IF FOUND THEN RAISE 'leak'; END IF;
			END $$`)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "DECLARE c CURSOR FOR SELECT id FROM tomkit.devices")
			require.NoError(t, err)
			rows, err := tx.Query(ctx, "FETCH ALL FROM c")
			require.NoError(t, err)
			ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
			require.NoError(t, err)
			require.Len(t, ids, rowsA)
			return nil
		}))
	})
	t.Run("a cursor held over the end shows the next tenant nothing it may not see", func(t *testing.T) {
		one := single(t)
		require.NoError(t, one.db.Tenant(one.b).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "DECLARE c CURSOR FOR SELECT id FROM tomkit.devices")
			return err
		}))
		_, err := one.db.Tenant(one.a).Exec(t.Context(), "FETCH ALL FROM c")
		requireCode(t, "34000", err)
	})
	t.Run("COPY TO writes own rows only and COPY FROM is refused", func(t *testing.T) {
		require.NoError(t, a.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "SELECT 1")
			require.NoError(t, err)
			var out strings.Builder
			tag, err := tx.Conn().PgConn().CopyTo(ctx, &out, "COPY (SELECT id FROM tomkit.devices) TO STDOUT")
			require.NoError(t, err)
			require.EqualValues(t, rowsA, tag.RowsAffected())
			tag, err = tx.Conn().PgConn().CopyTo(ctx, &out, "COPY tomkit.devices TO STDOUT")
			require.NoError(t, err)
			require.EqualValues(t, rowsA, tag.RowsAffected())
			_, err = tx.CopyFrom(ctx, pgx.Identifier{"tomkit", "devices"}, nil, nil)
			require.ErrorIs(t, err, rls.ErrCopyUnderRLS)
			sp, err := tx.Begin(ctx)
			require.NoError(t, err)
			_, err = sp.CopyFrom(ctx, pgx.Identifier{"tomkit", "devices"}, nil, nil)
			require.ErrorIs(t, err, rls.ErrCopyUnderRLS)
			return sp.Rollback(ctx)
		}))
	})
}

// TestSearchPathAttacks puts own functions, operators and tables in the way of the definer functions. Superuser makes
// them, since the app login may not even make a temporary table.
func TestSearchPathAttacks(t *testing.T) {
	f := single(t)
	_, err := f.super.Exec(t.Context(), `
		CREATE SCHEMA evil;
		GRANT USAGE ON SCHEMA evil TO PUBLIC;
		CREATE TABLE evil.context_keys (id text, tenant_block bytea, msp_block bytea, not_after timestamptz);
		CREATE VIEW evil.tenant_context AS SELECT '`+f.b.String()+`'::uuid AS id;
		GRANT SELECT ON evil.tenant_context TO PUBLIC;
		CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\x00'::bytea $$;
		CREATE FUNCTION evil.encode(bytea, text) RETURNS text LANGUAGE sql AS $$ SELECT repeat('0', 64) $$;
		CREATE FUNCTION evil.split_part(text, text, int) RETURNS text LANGUAGE sql AS $$ SELECT repeat('0', 64) $$;
		CREATE FUNCTION evil.to_timestamp(float8) RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'infinity'::timestamptz $$;
		CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
		CREATE FUNCTION evil.yes(uuid, uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
		CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '2000-01-01'::timestamptz $$;
		CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.yes);
		CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.yes);
		CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'on' $$;
		GRANT SELECT ON evil.context_keys TO PUBLIC`)
	require.NoError(t, err)
	forged := strings.Repeat("0", 64) + "." + f.b.String() + ".9999999999"
	for _, warm := range []string{"before the functions were ever called", "after they were compiled"} {
		t.Run(warm, func(t *testing.T) {
			db := f.pg.OpenConfig(t, rls.Config{MaxConns: 1})
			if warm == "after they were compiled" {
				require.Equal(t, rowsA, count(t, db.Tenant(f.a), countDevices))
			}
			require.NoError(t, db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, "SET LOCAL search_path = evil, pg_catalog, tomkit")
				require.NoError(t, err)
				_, err = tx.Exec(ctx, "SELECT pg_catalog.set_config('app.tenant_id', $1, true)", forged)
				require.NoError(t, err)
				var n int
				require.NoError(t, tx.QueryRow(ctx, countDevices).Scan(&n))
				require.Zero(t, n)
				return nil
			}))
			require.Equal(t, rowsB, count(t, db.Tenant(f.b), countDevices))
		})
	}
	t.Run("no login makes temporary objects in a database with its roles applied", func(t *testing.T) {
		if _, err := rls.ApplyRoles(t.Context(), f.pg.SuperuserURL()); err != nil {
			t.Fatal(err)
		}
		_, err := f.db.Tenant(f.a).Exec(t.Context(), "CREATE TEMP TABLE devices (id int)")
		requireCode(t, "42501", err)
	})
}
