// Package rls keeps tenants apart in PostgreSQL: every statement runs for one tenant, and the database, not the caller's
// WHERE clause, decides which rows that tenant has.
//
// The call most people need asks for a tenant's scope and queries as if there were no other tenant:
//
//	rows, err := db.Tenant(id).Query(ctx, "SELECT id, name FROM tomkit.devices")
//
// A query without WHERE returns the tenant's own rows, a query for somebody else's id returns none, and writing a row for
// somebody else is refused. Context and statement travel as one pipeline, so that takes one round trip; [Scope.InTx] gives a
// transaction, in which BEGIN and the context travel with the first statement.
//
// # Logins
//
// The policies hang on roles, and a role a request can reach is a policy a request can reach. So requests have a login of
// their own ([RoleApp]) that owns nothing and is a member of nothing; MSP sessions ([RoleMSP]) and background work
// ([RoleSystem], through [DB.System]) have others. [ApplyRoles] makes them, [RolesSQL] prints the SQL, and [Open] refuses a
// login that is more than it should be: FORCE ROW LEVEL SECURITY binds neither superusers nor BYPASSRLS.
//
// # Signed context
//
// PostgreSQL lets anybody set any custom setting, so a bare tenant id in app.tenant_id would be one injected set_config
// away from every other tenant. The setting therefore holds
//
//	<hex MAC>.<uuid>.<unix expiry>
//
// and policies compare with the view tomkit.tenant_context, which gives the uuid only if the MAC is right and the expiry,
// which is 60 seconds after signing, is ahead; tomkit.current_tenant() is the same as a function. The MAC is SHA-256 over a
// 64-byte block of secret and a message of fixed length. Each key has one such block for tenants and one for MSPs (HKDF), so
// the context of one kind is none of the other. The blocks are in a table that only the owner reads. Two processes with
// different keys work side by side, which is how keys are rotated; see [InstallContextKey]. app.bypass_rls is honoured for
// the system login alone, whoever else sets it.
//
// # Tables
//
// Any product's table comes under the same rules with [Protect], or in a migration with
//
//	SELECT tomkit.protect('shop.orders');
//
// [PlanProtect], or SELECT tomkit.protection_plan(tomkit.protection('shop.orders')), shows the statements and changes
// nothing. Keys of tenant tables begin with tenant_id and foreign keys between them are composite, (tenant_id, order_id):
// foreign keys are checked without policies, so a plain one links across tenants and is refused unless it is named. The
// package rls/audit looks for what can undo all this, rls/rlstest makes a product's isolation tests from its catalogue.
//
// # Connections
//
// A connection serves many tenants, one after the other. Each scope sends its own context, whatever the last one left. A
// scope sends one statement at a time, so nothing can be stacked behind it, and a connection on which anything but
// ordinary statements ran (PREPARE, SET, DO and the like) is closed and not reused. Poolers in front of the database are
// recognised, see [DB.Pooled]; LISTEN, session-level advisory locks and temporary tables need a direct connection.
//
// # Limits
//
// A signed context stops forged ones. It does not stop SQL injected into a tenant's scope from reading that tenant's rows,
// nor from calling set_config for the rest of the session, such as a statement_timeout of a millisecond: that can disturb
// the next tenant on the connection and reads nothing. Behind PgBouncer server_reset_query_always = 1 ends that. Write names
// with their schema, so that search_path decides nothing. A MERGE that names no column of its target is matched with the
// rows of all tenants before the policies stop it: it changes none, but SQL injected with it can count them.
// The expiry is compared with the start of the transaction, so a long one does not lose its context. Row-level security
// does not cover TRUNCATE, large objects, materialised views and the write-ahead log; nothing here grants the first two.
//
// Sources: TOM 2 (tenant isolation) and 8.2; PostgreSQL 15 manual, chapter 5.8 (row security policies) and 55.2.3 (pipelining);
// FIPS 180-4 (SHA-256); RFC 5869 (HKDF);
// Bellare, Canetti, Krawczyk, "Pseudorandom functions revisited" (1996), for the MAC; RFC 5802 and 7677 (SCRAM).
package rls
