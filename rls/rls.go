package rls

import (
	"embed"
	"errors"
	"io/fs"
)

// Names of the database roles. They are fixed, because policies and grants name them.
const (
	// RoleApp is the login of requests. It sees one tenant, owns nothing and is a member of nothing.
	RoleApp = "tomkit_app"
	// RoleMSP is the login of MSP sessions. It reads the tenants of one MSP.
	RoleMSP = "tomkit_msp"
	// RoleSystem is the login of background work, see [DB.System].
	RoleSystem = "tomkit_system"
	// RoleMigrator is the login of migrations: BYPASSRLS and a member of both owners.
	RoleMigrator = "tomkit_migrator"
	// RoleBackup is the login of dumps: BYPASSRLS and read only. It reads everything in schema tomkit but the context
	// keys, so pg_dump needs --exclude-table=tomkit.context_keys, and a restored database its key installed again.
	RoleBackup = "tomkit_backup"
	// RoleOwner owns the schema and its tables and cannot log in.
	RoleOwner = "tomkit_owner"
	// RoleLedger owns the ledger's tables and cannot log in.
	RoleLedger = "tomkit_ledger"
)

// Errors to branch on.
var (
	// ErrNested reports a scope opened with the context of another scope of the same DB. It would wait for a second
	// connection while holding the first one, and would not see the first one's changes.
	ErrNested = errors.New("rls: scope: opened inside another scope of the same database")
	// ErrCopyUnderRLS reports COPY FROM: PostgreSQL refuses it on a table under row-level security.
	ErrCopyUnderRLS = errors.New("rls: copy: COPY FROM is refused by PostgreSQL on a table under row-level security")
	// ErrCommitUnknown reports that the connection was lost while COMMIT was on its way: the transaction is
	// either committed or rolled back, and only reading the data again can tell.
	ErrCommitUnknown = errors.New("rls: commit: outcome unknown")
	// ErrCommitted reports that a transaction is committed although reading the results of its last batch failed.
	ErrCommitted = errors.New("rls: commit: done, but its results could not be read")
	// ErrTransactionControl reports a statement that begins or ends a transaction where the scope does that. In
	// [Scope.InTx] whatever ran up to that statement may be committed; nothing runs after it.
	ErrTransactionControl = errors.New("rls: scope: statement begins or ends a transaction")
	// ErrNoLogin reports a scope whose login has no connection string in [Config].
	ErrNoLogin = errors.New("rls: scope: login not configured")
	// ErrNoTenant reports a scope for the zero UUID, which never names a tenant or an MSP.
	ErrNoTenant = errors.New("rls: scope: zero id")
	// ErrReason reports a System scope without a usable reason, see [Reason].
	ErrReason = errors.New("rls: system: reason must be 1 to 64 of a-z, 0-9, '_', '.', '-'")
	// ErrNotSealed reports a [Sealer] that returned nil without a successful commit.
	ErrNotSealed = errors.New("rls: seal: returned without committing")
)

// Source is one room's migrations: goose SQL files at the root of FS, run as Owner. See the package rls/migrate.
type Source struct {
	// Name names the version table tomkit.migrations_<name>: 1 to 40 of a-z, 0-9 and '_', unique per database.
	Name string
	// FS holds files such as 00001_devices.sql.
	FS fs.FS
	// Owner is the role that runs them and so owns what they create. Empty means RoleOwner.
	Owner string
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the foundation every other source needs: schema, context keys, the functions that check the
// context, and tomkit.protect.
func Migrations() Source {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil { // cannot happen: the directory is embedded above
		panic(err)
	}
	return Source{Name: "rls", FS: sub, Owner: RoleOwner}
}
