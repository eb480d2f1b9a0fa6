package rls

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// roleSpec is one role and everything that is not the default of CREATE ROLE.
type roleSpec struct {
	name          string
	login, bypass bool
	isolated      bool // must be a member of no role
	use           string
}

var roleSpecs = []roleSpec{
	{name: RoleOwner, use: "owns schema and tables"},
	{name: RoleLedger, use: "owns the ledger's tables"},
	{name: RoleApp, login: true, isolated: true, use: "requests"},
	{name: RoleMSP, login: true, isolated: true, use: "MSP sessions"},
	{name: RoleSystem, login: true, isolated: true, use: "background work"},
	{name: RoleMigrator, login: true, bypass: true, use: "migrations"},
	{name: RoleBackup, login: true, bypass: true, isolated: true, use: "dumps"},
}

// RolesSQL returns the statements that make the roles, for a superuser to run with psql in the database tomkit is to
// live in. Running them again changes nothing. They set no passwords.
func RolesSQL() string {
	var b strings.Builder
	b.WriteString("-- Roles of tomkit, for the database this runs in. Set passwords with \\password.\n")
	for _, s := range rolesStatements() {
		b.WriteString("\n" + s + "\n")
	}
	return b.String()
}

// rolesStatements are idempotent and write nothing where nothing is to change, which also keeps processes that run them
// at once out of each other's way.
func rolesStatements() []string {
	var all []string
	for _, r := range roleSpecs {
		all = append(all, r.createSQL())
	}
	for _, r := range roleSpecs {
		if r.isolated {
			all = append(all, r.isolateSQL())
		}
	}
	for _, r := range roleSpecs {
		if r.login {
			all = append(all, r.silenceSQL())
		}
	}
	for _, owner := range []string{RoleOwner, RoleLedger} {
		all = append(all, fmt.Sprintf(`DO $$ BEGIN
    IF NOT pg_has_role('%[2]s', '%[1]s', 'MEMBER') THEN GRANT %[1]s TO %[2]s; END IF;
END $$;`, owner, RoleMigrator))
	}
	return append(all, databaseSQL())
}

func (r roleSpec) createSQL() string {
	attributes := []string{"NOSUPERUSER", "NOCREATEDB", "NOCREATEROLE", "NOREPLICATION", "NOINHERIT"}
	attributes = append(attributes, flag(r.login, "LOGIN"), flag(r.bypass, "BYPASSRLS"))
	return fmt.Sprintf(`-- %[1]s: %[2]s
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%[1]s') THEN
        CREATE ROLE %[1]s %[3]s;
    ELSIF EXISTS (SELECT FROM pg_roles WHERE rolname = '%[1]s' AND (rolsuper OR rolcreatedb OR rolcreaterole
                  OR rolreplication OR rolinherit OR rolcanlogin <> %[4]t OR rolbypassrls <> %[5]t)) THEN
        ALTER ROLE %[1]s %[3]s;
    END IF;
END $$;`, r.name, r.use, strings.Join(attributes, " "), r.login, r.bypass)
}

func flag(on bool, name string) string {
	if on {
		return name
	}
	return "NO" + name
}

// isolateSQL takes the role out of all others: whatever a login may SET ROLE to, injected SQL may.
func (r roleSpec) isolateSQL() string {
	return fmt.Sprintf(`DO $$ DECLARE other name; BEGIN
    FOR other IN SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                 JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = '%[1]s' LOOP
        EXECUTE format('REVOKE %%I FROM %[1]s', other);
    END LOOP;
END $$;`, r.name)
}

// silenceSQL keeps bound parameters, among them signed contexts, out of the server's log. Whoever may not set this is told.
func (r roleSpec) silenceSQL() string {
	return fmt.Sprintf(`DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setrole = '%[1]s'::regrole AND s.setdatabase = 0
                   AND 'log_parameter_max_length=0' = ANY (s.setconfig)) THEN
        ALTER ROLE %[1]s SET log_parameter_max_length = 0;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'set log_parameter_max_length = 0 for %[1]s: the server log shows bound parameters otherwise';
END $$;`, r.name)
}

// databaseSQL lets the logins in and the owner create its schema. Temporary tables, which shadow real ones in
// unqualified names, are for migrations only.
func databaseSQL() string {
	logins := strings.Join([]string{RoleApp, RoleMSP, RoleSystem, RoleMigrator, RoleBackup}, ",")
	return fmt.Sprintf(`DO $$ DECLARE db name := current_database(); r name; BEGIN
    FOREACH r IN ARRAY '{%[1]s}'::name[] LOOP
        IF NOT EXISTS (SELECT FROM pg_database d, aclexplode(d.datacl) a
                       WHERE d.datname = db AND a.grantee = r::regrole AND a.privilege_type = 'CONNECT') THEN
            EXECUTE format('GRANT CONNECT ON DATABASE %%I TO %%I', db, r);
        END IF;
    END LOOP;
    IF has_database_privilege('public', db, 'TEMPORARY') THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %%I FROM PUBLIC', db);
    END IF;
    IF NOT has_database_privilege('%[2]s', db, 'CREATE, TEMPORARY') OR NOT has_database_privilege('%[2]s', db, 'CREATE')
       OR NOT has_database_privilege('%[3]s', db, 'TEMPORARY') OR NOT has_database_privilege('%[4]s', db, 'TEMPORARY') THEN
        EXECUTE format('GRANT CREATE ON DATABASE %%I TO %[2]s', db);
        EXECUTE format('GRANT TEMPORARY ON DATABASE %%I TO %[2]s, %[3]s, %[4]s', db);
    END IF;
END $$;`, logins, RoleOwner, RoleLedger, RoleMigrator)
}

// Passes over the statements in [ApplyRoles] before it gives up on a race, and the longest pause between two.
const (
	rolesPasses   = 20
	rolesMaxPause = 200 * time.Millisecond
)

// ApplyRoles makes the roles in the cluster behind superuserURL and lets them into its database, then returns how to
// connect as each login. It is idempotent, and many processes may run it at once, also against different databases of
// one cluster.
//
// If superuserURL carries a password, each login gets one derived from it (HMAC-SHA256 of the role's name, hexadecimal),
// so that processes agree without talking; only its SCRAM verifier is sent. Without a password none is set: that suits a
// private unix socket and nothing else.
func ApplyRoles(ctx context.Context, superuserURL string) (Logins, error) {
	cfg, err := pgx.ParseConfig(superuserURL)
	if err != nil { // not wrapped: it may show the connection string
		return Logins{}, errors.New("rls: roles: connection string is malformed")
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return Logins{}, fmt.Errorf("rls: roles: connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for pass := 1; ; pass++ {
		err := applyRoles(ctx, conn, cfg.Password)
		if err == nil {
			return newLogins(superuserURL, cfg.Password)
		}
		if pass == rolesPasses || !lostRace(err) {
			return Logins{}, fmt.Errorf("rls: roles: %w", err)
		}
		select {
		case <-ctx.Done():
			return Logins{}, ctx.Err()
		case <-time.After(rand.N(rolesMaxPause)):
		}
	}
}

func applyRoles(ctx context.Context, conn *pgx.Conn, superuserPassword string) error {
	for _, sql := range rolesStatements() {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	if superuserPassword == "" {
		return nil
	}
	for _, r := range roleSpecs {
		if !r.login {
			continue
		}
		if err := setPassword(ctx, conn, r.name, loginPassword(superuserPassword, r.name)); err != nil {
			return err
		}
	}
	return nil
}

// setPassword stores the verifier, and only if it is not there yet.
func setPassword(ctx context.Context, conn *pgx.Conn, role, password string) error {
	verifier, err := scramVerifier(role, password)
	if err != nil {
		return err
	}
	var same bool
	const sql = `SELECT rolpassword IS NOT DISTINCT FROM $2 FROM pg_authid WHERE rolname = $1`
	if err := conn.QueryRow(ctx, sql, role, verifier).Scan(&same); err != nil || same {
		return err
	}
	// Utility statements take no parameters; both values are of our own making, without quotes.
	_, err = conn.Exec(ctx, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", role, verifier))
	return err
}

// lostRace reports whether another process changed the same catalog row: CREATE ROLE of the same name, or an update that
// PostgreSQL does not queue.
func lostRace(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "23505", "42710", "40P01", "40001": // unique_violation, duplicate_object, deadlock, serialization
		return true
	case "XX000": // internal_error, with no code of its own
		return strings.Contains(pg.Message, "concurrently")
	}
	return false
}
